//! What stands around a request in a message: SNS wraps it when a topic delivers to a queue without raw delivery,
//! EventBridge when a rule does, and one may have delivered to the other. Pure; an envelope grants nothing, and nothing
//! in it is believed: who may write to the queue may ask.

use serde_json::{Map, Value};

/// How many envelopes are opened. AWS's own services put no more than two around a message.
const DEEPEST: usize = 4;

/// Why there is no request in a message. Says nothing of what stands there: a token may.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum NoRequest {
    /// The message, or what is in its envelope, isn't JSON.
    #[error("the message is no JSON: see line {line}, column {column}{}", if *.inside { " of what is in its envelope" } else { "" })]
    NotJson {
        /// From 1.
        line: usize,
        /// From 1; 0 for the end of a line.
        column: usize,
        /// Whether it is what an envelope holds.
        inside: bool,
    },
    /// SNS says that somebody wants to subscribe the queue.
    #[error("SNS asks for its subscription to be confirmed: open its SubscribeURL if you want it")]
    Confirmation,
    /// An envelope in an envelope, and so on.
    #[error("the request is in more than {DEEPEST} envelopes")]
    TooDeep,
}

/// The request in a message's body: the body itself, or what is in its envelopes. That it is a request at all is for
/// [`crate::flow::open`] to find out.
pub fn request_in(body: &str) -> Result<Value, NoRequest> {
    let mut inner = parse(body, false)?;
    for _ in 0..DEEPEST {
        inner = match opened(inner)? {
            Inner::Text(text) => parse(&text, true)?,
            Inner::Value(value) => value,
            Inner::Request(request) => return Ok(request),
        };
    }
    match opened(inner)? {
        Inner::Request(request) => Ok(request),
        Inner::Text(_) | Inner::Value(_) => Err(NoRequest::TooDeep),
    }
}

/// What is in an envelope.
enum Inner {
    /// JSON, as text.
    Text(String),
    /// JSON.
    Value(Value),
    /// This is none.
    Request(Value),
}

fn opened(value: Value) -> Result<Inner, NoRequest> {
    let Value::Object(mut map) = value else {
        return Ok(Inner::Request(value));
    };
    if is_from_sns(&map, &["SubscriptionConfirmation", "UnsubscribeConfirmation"]) {
        return Err(NoRequest::Confirmation);
    }
    let inner = if is_from_sns(&map, &["Notification"]) {
        map.remove("Message")
    } else if is_event(&map) {
        map.remove("detail")
    } else {
        None
    };
    Ok(match inner {
        Some(Value::String(text)) => Inner::Text(text),
        Some(value) => Inner::Value(value),
        None => Inner::Request(Value::Object(map)),
    })
}

/// <https://docs.aws.amazon.com/sns/latest/dg/http-notification-json.html>
fn is_from_sns(map: &Map<String, Value>, kinds: &[&str]) -> bool {
    let kind = map.get("Type").and_then(Value::as_str);
    kind.is_some_and(|kind| kinds.contains(&kind))
        && map.contains_key("TopicArn")
        && map.contains_key("Message")
}

/// <https://docs.aws.amazon.com/eventbridge/latest/ref/overiew-event-structure.html>
fn is_event(map: &Map<String, Value>) -> bool {
    ["detail-type", "source", "detail"]
        .iter()
        .all(|field| map.contains_key(*field))
}

/// The parser's own words could repeat what stands there; its place can't.
fn parse(text: &str, inside: bool) -> Result<Value, NoRequest> {
    serde_json::from_str(text).map_err(|error| NoRequest::NotJson {
        line: error.line(),
        column: error.column(),
        inside,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn by_sns(inner: &str) -> Value {
        json!({
            "Type": "Notification",
            "MessageId": "22b80b92-fdea-4c2c-8f9d-bdfb0c7bf324",
            "TopicArn": "arn:aws:sns:us-east-1:123456789012:approvals",
            "Message": inner,
            "Timestamp": "2026-11-21T09:00:00.000Z",
        })
    }

    fn by_event_bridge(inner: &Value) -> Value {
        json!({
            "version": "0",
            "id": "6a7e8feb-b491-4cf7-a9f1-bf3703467718",
            "detail-type": "Approval wanted",
            "source": "my.workflow",
            "account": "123456789012",
            "time": "2026-11-21T09:00:00Z",
            "region": "us-east-1",
            "resources": [],
            "detail": inner,
        })
    }

    #[test]
    fn the_request_is_found_in_each_envelope_and_in_both_around_each_other() {
        let request = json!({"taskToken": "t", "title": "Approve", "signers": [{"name": "Bob"}]});
        let text = request.to_string();
        let (sns, event) = (by_sns(&text), by_event_bridge(&request));
        for body in [
            request.clone(),
            sns.clone(),
            event.clone(),
            by_sns(&event.to_string()),
            by_event_bridge(&sns),
            by_sns(&by_sns(&text).to_string()),
        ] {
            assert_eq!(request_in(&body.to_string()), Ok(request.clone()), "{body}");
        }
    }

    #[test]
    fn what_only_resembles_an_envelope_is_left_closed() {
        for body in [
            json!({"Type": "Notification", "Message": "{}"}),
            json!({"Type": "Other", "Message": "{}", "TopicArn": "a"}),
            json!({"detail": {}, "source": "a"}),
            json!([]),
            json!("text"),
            json!(null),
        ] {
            assert_eq!(request_in(&body.to_string()), Ok(body));
        }
    }

    #[test]
    fn what_holds_no_request_says_where_and_never_what() {
        let not_json = request_in("{\"taskToken\": canary}").expect_err("no JSON");
        assert_eq!(
            not_json.to_string(),
            "the message is no JSON: see line 1, column 15"
        );
        let inside = request_in(&by_sns("canary").to_string()).expect_err("no JSON");
        assert!(
            inside.to_string().ends_with("of what is in its envelope"),
            "{inside}"
        );
        let mut confirmation = by_sns("You have chosen to subscribe");
        confirmation["Type"] = json!("SubscriptionConfirmation");
        assert_eq!(
            request_in(&confirmation.to_string()),
            Err(NoRequest::Confirmation)
        );
        let mut deep = json!({"taskToken": "t"});
        for _ in 0..DEEPEST {
            deep = by_event_bridge(&deep);
        }
        assert_eq!(request_in(&deep.to_string()), Ok(json!({"taskToken": "t"})));
        let deeper = by_event_bridge(&deep);
        assert_eq!(request_in(&deeper.to_string()), Err(NoRequest::TooDeep));
        assert!(request_in(&"[".repeat(100_000)).is_err());
    }
}
