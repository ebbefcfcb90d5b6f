//! STS: whose account this is. Every caller is its root user, for nobody is asked for credentials.

use crate::ACCOUNT;
use crate::error::Answer;

/// GetCallerIdentity's answer, which every program gets that asks whether its credentials are taken.
pub(crate) fn caller_identity(request_id: &str) -> Answer {
    Answer::Text(format!(
        "<GetCallerIdentityResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><GetCallerIdentityResult>\
         <Arn>arn:aws:iam::{ACCOUNT}:root</Arn><UserId>{ACCOUNT}</UserId><Account>{ACCOUNT}</Account>\
         </GetCallerIdentityResult><ResponseMetadata><RequestId>{request_id}</RequestId></ResponseMetadata>\
         </GetCallerIdentityResponse>"
    ))
}

#[cfg(test)]
mod tests {
    use crate::{AwsLocal, Options};

    #[tokio::test]
    async fn a_caller_is_told_who_it_is() {
        let aws = AwsLocal::start(Options::in_memory(|| {
            "2026-11-21T09:00:00Z".parse().expect("a time")
        }));
        let aws = aws.await.expect("it starts");
        let request = http::Request::post("/")
            .header(
                "authorization",
                "AWS4-HMAC-SHA256 Credential=any/20261121/us-east-1/sts/aws4_request, SignedHeaders=host",
            )
            .header("content-type", "application/x-www-form-urlencoded")
            .body("Action=GetCallerIdentity&Version=2011-06-15".into())
            .expect("a request");
        let response = aws.handle(request).await;
        assert_eq!(response.status(), 200);
        assert_eq!(response.headers()["content-type"], "text/xml");
        let body = String::from_utf8_lossy(response.body()).into_owned();
        assert!(
            body.contains("<Arn>arn:aws:iam::123456789012:root</Arn>"),
            "{body}"
        );
    }
}
