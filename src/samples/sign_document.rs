//! `sign-document`: the part of a signer who is a program, in the document-signing sample.

use super::{missing, text_of};
use aws_local::FunctionError;
use serde_json::{Value, json};
use std::time::Duration;

/// How long signing takes.
const A_SIGNATURE: Duration = Duration::from_secs(1);

/// Signs `documentId` for `signer`: `{"result": "Alice signed 3"}`.
pub(super) async fn sign(event: Value) -> Result<Value, FunctionError> {
    let (Some(signer), Some(document)) = (text_of(&event, "signer"), text_of(&event, "documentId")) else {
        return Err(missing("signer and documentId"));
    };
    tokio::time::sleep(A_SIGNATURE).await;
    Ok(json!({"result": format!("{signer} signed {document}")}))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn signs_after_a_second_what_is_named() {
        let began = tokio::time::Instant::now();
        let signed = sign(json!({"signer": "Alice", "documentId": 3})).await;
        assert_eq!(signed, Ok(json!({"result": "Alice signed 3"})));
        assert_eq!(began.elapsed(), A_SIGNATURE);
        for event in [
            json!({"signer": "Alice"}),
            json!({"documentId": "3"}),
            json!("Alice"),
            json!(null),
        ] {
            assert_eq!(
                sign(event).await.expect_err("incomplete").error_type,
                "MissingField"
            );
        }
    }
}
