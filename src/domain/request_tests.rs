//! What intake takes and refuses, field by field.

use super::*;
use serde_json::json;

fn directory() -> Directory {
    Directory::new([Person {
        name: "Bob".into(),
        email: Some("bob@example.com".into()),
    }])
}

fn full() -> Value {
    json!({
        "taskToken": "AAAA", "title": "Sign document 3", "message": "Please read.\r\nAll of it.",
        "signers": [{"name": "Bob", "email": "bob@example.com", "role": "Counsel", "locale": "en"}, {"name": "bob "}],
        "policy": {"type": "all"}, "documents": [{"name": "contract.txt", "text": "We agree."}],
        "outcomes": [{"id": "approve", "label": "Approve", "kind": "approve"}, {"id": "no", "kind": "reject"}],
        "timeoutSeconds": 259_200.0, "onTimeout": "no", "onReject": "succeed",
        "reminders": {"afterSeconds": 86400, "everySeconds": 3600, "max": 3}, "heartbeatSeconds": 600,
        "execution": {"arn": "arn:aws:states:eu-central-1:123456789012:execution:m:e", "name": "e",
            "stateName": "Bob", "enteredTime": "2026-11-21T09:00:00.123Z", "retryCount": 0},
        "requester": {"name": "Legal", "email": "legal@example.com"}, "externalId": "3", "tags": {"team": "legal"},
        "metadata": {"any": ["thing", null]}, "identify": "link", "allowDelegation": false, "noSelfApproval": true,
        "undoSeconds": 0, "timeZone": "Europe/Berlin"
    })
}

fn with(change: impl FnOnce(&mut Value)) -> Result<ApprovalRequest, String> {
    let mut value = full();
    value["signers"].as_array_mut().expect("a list").truncate(1);
    change(&mut value);
    parse(&value, &directory()).map_err(|error| error.to_string())
}

#[test]
fn reads_the_full_form() {
    let request = with(|_| {}).expect("valid");
    assert_eq!(request.terms.title, "Sign document 3");
    assert_eq!(request.terms.message.as_deref(), Some("Please read.\nAll of it."));
    assert_eq!(request.terms.timeout_seconds, Some(259_200));
    assert_eq!(request.terms.outcomes[1].label, "no");
    let execution = request.terms.execution.expect("given");
    assert_eq!(
        execution.state_machine_arn().as_deref(),
        Some("arn:aws:states:eu-central-1:123456789012:stateMachine:m")
    );
}

#[test]
fn reads_the_short_form() {
    for document_id in [json!("3"), json!(3)] {
        let value = json!({"stepFunctionToken": "AAAA", "signer": "Bob", "documentId": document_id});
        let request = parse(&value, &directory()).expect("valid");
        assert_eq!(
            request.signers[0].person.email.as_deref(),
            Some("bob@example.com")
        );
        assert_eq!(request.terms.title, "Sign document 3");
        assert_eq!(request.terms.external_id.as_deref(), Some("3"));
    }
}

#[test]
fn names_the_field_of_each_problem() {
    type Change = Box<dyn FnOnce(&mut Value)>;
    let cases: Vec<(&str, Change)> = vec![
        (
            "taskToken: is missing",
            Box::new(|v| {
                v.as_object_mut().expect("o").remove("taskToken");
            }),
        ),
        (
            "taskToken: has 2049 characters",
            Box::new(|v| v["taskToken"] = json!("x".repeat(2049))),
        ),
        (
            "taskToken: must be text, not a number",
            Box::new(|v| v["taskToken"] = json!(1)),
        ),
        (
            "callbackId: can't be given beside taskToken",
            Box::new(|v| v["callbackId"] = json!("AAAA")),
        ),
        (
            "callbackId: may hold only letters, digits",
            Box::new(|v| {
                v.as_object_mut().expect("o").remove("taskToken");
                v["callbackId"] = json!("no-base64");
            }),
        ),
        (
            "execution.arn: is not a durable execution's ARN",
            Box::new(|v| {
                v.as_object_mut().expect("o").remove("taskToken");
                v["callbackId"] = json!("AAAA");
                v["execution"] = json!({"arn": "arn:aws:states:eu-central-1:123456789012:execution:m:e"});
            }),
        ),
        (
            "signers: is missing",
            Box::new(|v| {
                v.as_object_mut().expect("o").remove("signers");
            }),
        ),
        (
            "signers: must name at least one person",
            Box::new(|v| v["signers"] = json!([])),
        ),
        (
            "signers: has 101 entries",
            Box::new(|v| v["signers"] = json!(vec![json!({"name": "Bob"}); 101])),
        ),
        (
            "signers[0]: must be an object, not text",
            Box::new(|v| v["signers"] = json!(["Bob"])),
        ),
        (
            "signers[0].name: is missing",
            Box::new(|v| v["signers"] = json!([{"email": "a@example.com"}])),
        ),
        (
            "signers[0].email: is missing",
            Box::new(|v| v["signers"] = json!([{"name": "Nobody"}])),
        ),
        (
            "signers[0].email: is not a mail address",
            Box::new(|v| v["signers"][0]["email"] = json!("bob")),
        ),
        (
            "signers[0].email: must be on one line",
            Box::new(|v| v["signers"][0]["email"] = json!("b@example.com\nBcc: x@example.com")),
        ),
        (
            "signers[1].email: is the address of an earlier",
            Box::new(|v| v["signers"] = json!([{"name": "Bob"}, {"name": "B", "email": "BOB@example.com"}])),
        ),
        (
            "signers[0].group: is not supported",
            Box::new(|v| v["signers"] = json!([{"group": "legal"}])),
        ),
        (
            "signers[0].nick: is not a field",
            Box::new(|v| v["signers"][0]["nick"] = json!("b")),
        ),
        (
            "signer: is not in the people directory",
            Box::new(|v| {
                v.as_object_mut().expect("o").remove("signers");
                v["signer"] = json!("Eve");
            }),
        ),
        (
            "title: must be on one line",
            Box::new(|v| v["title"] = json!("Sign\r\nBcc: everyone@example.com")),
        ),
        (
            "title: is missing",
            Box::new(|v| {
                v.as_object_mut().expect("o").remove("title");
            }),
        ),
        ("title: must not be empty", Box::new(|v| v["title"] = json!("  "))),
        (
            "message: has 307200 bytes; at most 16384",
            Box::new(|v| v["message"] = json!("x".repeat(300 * 1024))),
        ),
        (
            "message: must not contain control",
            Box::new(|v| v["message"] = json!("a\u{0}b")),
        ),
        (
            "policy.type: \"quorum\" is not supported yet",
            Box::new(|v| v["policy"] = json!({"type": "quorum", "count": 2})),
        ),
        (
            "policy.type: must be",
            Box::new(|v| v["policy"] = json!({"type": "some"})),
        ),
        (
            "documents[0].s3: is not supported yet",
            Box::new(|v| v["documents"] = json!([{"name": "c", "s3": "s3://b/k"}])),
        ),
        (
            "outcomes[1].id: is the id of an earlier",
            Box::new(|v| v["outcomes"][1]["id"] = json!("approve")),
        ),
        (
            "outcomes: must hold at least one",
            Box::new(|v| v["outcomes"] = json!([{"id": "no", "kind": "reject"}])),
        ),
        (
            "onTimeout: must be",
            Box::new(|v| v["onTimeout"] = json!("maybe")),
        ),
        ("onReject: must be", Box::new(|v| v["onReject"] = json!("retry"))),
        (
            "timeoutSeconds: is 0",
            Box::new(|v| v["timeoutSeconds"] = json!(0)),
        ),
        (
            "timeoutSeconds: must be a whole number",
            Box::new(|v| v["timeoutSeconds"] = json!("60")),
        ),
        (
            "execution.arn: is not an execution's ARN",
            Box::new(|v| v["execution"]["arn"] = json!("x")),
        ),
        (
            "execution.enteredTime: is not a time",
            Box::new(|v| v["execution"]["enteredTime"] = json!("x")),
        ),
        (
            "signers: must not include the requester",
            Box::new(|v| v["requester"]["email"] = json!("Bob@example.com")),
        ),
        ("tags: must hold text", Box::new(|v| v["tags"] = json!({"a": 1}))),
        (
            "metadata: has",
            Box::new(|v| v["metadata"] = json!({"a": "x".repeat(20_000)})),
        ),
        (
            "timeZone: is not a known",
            Box::new(|v| v["timeZone"] = json!("Mars/Base")),
        ),
        (
            "form: is not supported yet",
            Box::new(|v| v["form"] = json!({"type": "object"})),
        ),
        (
            "identify: \"code\" is not supported",
            Box::new(|v| v["identify"] = json!("code")),
        ),
        (
            "undoSeconds: is not supported",
            Box::new(|v| v["undoSeconds"] = json!(30)),
        ),
        (
            "colour: is not a field",
            Box::new(|v| v["colour"] = json!("blue")),
        ),
    ];
    for (expected, change) in cases {
        match with(change) {
            Ok(_) => panic!("{expected}: was taken"),
            Err(message) => assert!(message.contains(expected), "expected {expected:?} in {message:?}"),
        }
    }
}

#[test]
fn tells_every_problem_at_once_and_never_the_token() {
    let value =
        json!({"taskToken": format!("canary{}", "x".repeat(2049)), "signers": 5, "x": 1, "canary canary": 2});
    let message = parse(&value, &directory()).expect_err("refused").to_string();
    for part in [
        "taskToken: ",
        "signers: must be a list",
        "title: is missing",
        "x: is not a field",
        "(unknown): ",
    ] {
        assert!(message.contains(part), "{part} in {message}");
    }
    assert!(!message.contains("canary"), "{message}");
    assert!(parse(&json!([]), &directory()).is_err());
}

#[test]
fn a_refused_request_still_says_where_the_refusal_goes() {
    assert!(target_of(&json!({"taskToken": "AAAA", "title": 5})).is_some());
    assert!(target_of(&json!({"title": "x"})).is_none());
}

#[test]
fn a_durable_function_asks_with_its_callback_and_its_execution() {
    let request = |arn: &str| json!({"callbackId": "Y2FsbGJhY2s=", "title": "Publish", "signer": "Bob", "execution": {"arn": arn}});
    let directory = Directory::new(vec![Person {
        name: "Bob".to_owned(),
        email: None,
    }]);
    let arn = "arn:aws:lambda:eu-central-1:123456789012:function:publish:7/durable-execution/name/id";
    let parsed = parse(&request(arn), &directory).expect("right");
    assert_eq!(parsed.target.kind(), "durable-callback");
    let execution = parsed.terms.execution.expect("an execution");
    assert_eq!(
        execution.state_machine_arn().as_deref(),
        Some("arn:aws:lambda:eu-central-1:123456789012:function:publish")
    );
    // As AWS's testing SDK names them.
    let local = parse(&request("8193da47-ad90-41c5-86da-28c4df7d31ad/name"), &directory).expect("right");
    assert_eq!(
        local.terms.execution.expect("an execution").state_machine_arn(),
        None
    );
}
