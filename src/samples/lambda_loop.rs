//! `lambda-loop`: counts how often the workflow of that name has called it, by what the workflow hands back to it. The
//! first call is number 0; with number 5 it says what the workflow waits for.

use super::missing;
use aws_local::FunctionError;
use serde_json::{Value, json};

/// The number of the call that ends the loop.
const LAST: i64 = 5;
/// What `value1` is until then: nothing that the workflow's Choice looks for.
const NOT_YET: &str = "ThereIsNoSpoon";

/// What this call answers. `event` is the workflow's state: `key1`, `key2`, `key3`, and from the second call on under
/// `taskresult` what the call before answered.
pub(super) fn next(event: &Value) -> Result<Value, FunctionError> {
    if ["key1", "key2", "key3"]
        .iter()
        .any(|key| event.get(key).is_none())
    {
        return Err(missing("key1, key2 and key3"));
    }
    let count = match event["taskresult"]["count"].as_i64() {
        Some(before) => before.saturating_add(1),
        None => 0,
    };
    Ok(if count < LAST {
        json!({"count": count, "value1": NOT_YET})
    } else {
        json!({"value1": event["key1"], "value2": event["key2"], "count": count})
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_on_from_what_it_is_handed() {
        let mut event = json!({"key1": "a", "key2": "b", "key3": "c"});
        for count in 0..LAST {
            let answer = next(&event).expect("complete");
            assert_eq!(
                answer.to_string(),
                format!(r#"{{"count":{count},"value1":"ThereIsNoSpoon"}}"#)
            );
            event["taskresult"] = answer;
        }
        let last = next(&event).expect("complete").to_string();
        assert_eq!(last, r#"{"value1":"a","value2":"b","count":5}"#);
    }

    #[test]
    fn says_what_it_needs() {
        for event in [json!({"key1": "a", "key2": "b"}), json!([]), json!(null)] {
            assert_eq!(next(&event), Err(missing("key1, key2 and key3")));
        }
        let odd = json!({"key1": 1, "key2": 2, "key3": 3, "taskresult": {"count": "many"}});
        assert_eq!(next(&odd).expect("complete")["count"], 0);
        let huge = json!({"key1": 1, "key2": 2, "key3": 3, "taskresult": {"count": i64::MAX}});
        assert_eq!(next(&huge).expect("complete")["count"], i64::MAX);
    }
}
