//! The main job: a workflow asks, a person answers, the workflow goes on.

use super::harness::{Harness, PUBLIC_URL, ask_bob};
use http::Method;
use serde_json::{Value, json};
use std::time::Duration;

/// The sample's own definition, with Alice's function beside ours.
async fn start_document_signing(harness: &Harness, timeout: u32) -> String {
    let alice = countersign::samples::builtin("sign-document").expect("it is one");
    harness.aws.register_function("sign-document", alice);
    let definition = include_str!("../../infra/workflows/document-signing.asl.json")
        .replace("${TimeoutSeconds}", &timeout.to_string())
        .replace(
            "${SignDocumentFunctionArn}",
            "arn:aws:lambda:us-east-1:123456789012:function:sign-document",
        )
        .replace(
            "${CountersignFunctionArn}",
            "arn:aws:lambda:us-east-1:123456789012:function:countersign",
        );
    let definition: Value = serde_json::from_str(&definition).unwrap();
    harness.start_machine(&definition, r#"{"documentId": "3"}"#).await
}

#[tokio::test(start_paused = true)]
async fn bob_signs_and_the_workflow_ends_with_both_signatures() {
    let harness = Harness::start().await;
    let execution = start_document_signing(&harness, 60).await;

    let mail = harness.first_mail("bob@example.com").await;
    assert_eq!(mail.subject, "Please sign: document 3");
    let text = mail.text.as_deref().unwrap();
    assert!(
        text.starts_with("Example Ltd asks you, Bob, to sign document 3"),
        "{text}"
    );
    let link = text
        .lines()
        .find(|line| line.starts_with(PUBLIC_URL))
        .expect("alone on its line");
    assert!(link.len() < 120 && link.len() == PUBLIC_URL.len() + "/s/".len() + 47);

    let path = harness.link("bob@example.com").await;
    let page = harness.get(&path).await;
    assert_eq!(page.status, 200);
    assert!(
        page.text()
            .contains("Example Ltd asks you, Bob, to sign document 3"),
        "{}",
        page.text()
    );
    assert!(!page.body.contains(" checked"), "no outcome is chosen beforehand");

    let signed = harness.answer(&path, "approve", "", "bob").await;
    assert_eq!(signed.status, 200);
    assert!(signed.text().contains("Thank you, Bob"), "{}", signed.text());

    let (status, output) = harness.ended(&execution).await;
    assert_eq!(status, "SUCCEEDED", "{output}");
    assert_eq!(output[0], json!({"result": "Alice signed 3"}));
    assert_eq!(output[1]["signature"], "Bob signed 3");
    assert_eq!(output[1]["approved"], true);
    assert_eq!(output[1]["responses"][0]["signer"], json!({"name": "Bob"}));
    let approval = harness.only_approval().await;
    assert_eq!(output[1]["requestId"], json!(approval.id));
    assert_eq!(
        output[1]["evidence"]["head"],
        json!(approval.record.evidence.hash)
    );

    let again = harness.get(&path).await;
    assert_eq!(again.status, 200);
    assert!(
        again.text().contains("you have already signed"),
        "{}",
        again.text()
    );

    harness.settle().await;
    let mails = harness.aws.mails_to("bob@example.com");
    let subjects: Vec<&str> = mails.iter().rev().map(|mail| mail.subject.as_str()).collect();
    assert_eq!(subjects, ["Please sign: document 3", "You signed: document 3"]);
    harness.finish().await;
}

#[tokio::test(start_paused = true)]
async fn bob_rejects_and_the_workflow_is_told_why() {
    let harness = Harness::start().await;
    let execution = start_document_signing(&harness, 60).await;
    let path = harness.link("bob@example.com").await;
    let page = harness
        .answer(&path, "reject", "The price is <wrong> & \"late\"", "BOB")
        .await;
    assert!(
        page.text().contains("rejected") || page.text().contains("rejection"),
        "{}",
        page.text()
    );

    let (status, result) = harness.ended(&execution).await;
    assert_eq!(status, "FAILED");
    assert_eq!(result["error"], "Approval.Rejected");
    assert_eq!(result["cause"]["comment"], "The price is <wrong> & \"late\"");
    assert_eq!(result["cause"]["rejectedBy"], "Bob");
    harness.finish().await;
}

#[tokio::test(start_paused = true)]
async fn a_rejection_can_be_a_success_with_approved_false() {
    let harness = Harness::start().await;
    let mut payload = ask_bob();
    payload["onReject"] = json!("succeed");
    let execution = harness.start_workflow(&payload).await;
    harness
        .answer(&harness.link("bob@example.com").await, "reject", "No.", "Bob")
        .await;
    let (status, output) = harness.ended(&execution).await;
    assert_eq!(status, "SUCCEEDED");
    assert_eq!(
        (&output["approved"], &output["outcome"]),
        (&json!(false), &json!("reject"))
    );
    assert_eq!(output.get("signature"), None);
    harness.finish().await;
}

#[tokio::test(start_paused = true)]
async fn with_nobody_signing_the_workflow_times_out_and_the_page_says_so() {
    let harness = Harness::start().await;
    let execution = start_document_signing(&harness, 60).await;
    let path = harness.link("bob@example.com").await;
    let token = harness.get(&path).await.form_token();
    tokio::time::sleep(Duration::from_secs(61)).await;
    assert_eq!(harness.result(&execution).await.0, "TIMED_OUT");

    let late = harness.post(&path, &token, "approve", "", "Bob").await;
    assert_eq!(late.status, 409);
    assert!(late.text().contains("too late"), "{}", late.text());
    assert!(harness.get(&path).await.text().contains("too late"));
    assert_eq!(harness.only_approval().await.record.state.status(), "orphaned");
    assert!(
        harness.only_approval().await.answers() == [None],
        "nothing was recorded"
    );

    harness.settle().await;
    let told = &harness.aws.mails_to("bob@example.com")[0];
    assert!(told.subject.starts_with("No longer needed"), "{}", told.subject);
    harness.finish().await;
}

#[tokio::test(start_paused = true)]
async fn a_message_and_documents_are_shown_in_full_before_the_form() {
    let harness = Harness::start().await;
    let mut payload = ask_bob();
    payload["message"] = json!("Please **read** this.\n\n<script>alert(1)</script>");
    payload["documents"] = json!([{"name": "contract.txt", "text": "1. We agree.\n2. <b>Really</b>."}]);
    payload["requester"] = json!({"name": "Legal", "email": "legal@example.com"});
    harness.start_workflow(&payload).await;
    let path = harness.link("bob@example.com").await;
    let page = harness.get(&path).await;
    assert!(page.body.contains("<strong>read</strong>"));
    assert!(!page.body.contains("<script"), "{}", page.body);
    assert!(
        page.body.contains("2. &lt;b&gt;Really") || page.body.contains("2. &#60;b&#62;Really"),
        "{}",
        page.body
    );
    let form = page.body.find("<form").unwrap();
    assert!(page.body.find("1. We agree.").unwrap() < form);
    assert!(page.text().contains("Legal"));
    harness.answer(&path, "approve", "", "Bob").await;
    harness.finish().await;
}

#[tokio::test(start_paused = true)]
async fn every_answer_carries_the_headers_that_guard_it() {
    let harness = Harness::start().await;
    harness.start_workflow(&ask_bob()).await;
    let path = harness.link("bob@example.com").await;
    for (method, path) in [
        (Method::GET, path.as_str()),
        (Method::HEAD, path.as_str()),
        (Method::GET, "/s/nothing"),
        (Method::GET, "/elsewhere"),
        (Method::DELETE, path.as_str()),
        (Method::GET, "/healthz"),
    ] {
        let answer = harness.request(method.clone(), path, None).await;
        let header = |name: &str| {
            answer
                .headers
                .get(name)
                .map_or("", |value| value.to_str().unwrap())
                .to_owned()
        };
        let policy = header("content-security-policy");
        assert!(
            policy.contains("default-src 'none'") && !policy.contains("unsafe"),
            "{method} {path}: {policy}"
        );
        assert!(policy.contains("frame-ancestors 'none'"));
        assert_eq!(header("referrer-policy"), "same-origin");
        assert_eq!(header("x-content-type-options"), "nosniff");
        assert!(header("strict-transport-security").contains("max-age="));
        if path.starts_with("/s/") {
            assert!(header("cache-control").contains("no-store"), "{method} {path}");
        }
    }
    harness.answer(&path, "approve", "", "Bob").await;
    harness.finish().await;
}
