//! Task tokens and links never leave the way they are meant to go: not into the table, a log, an error or a page.

use super::events::Log;
use super::harness::{Fault, Harness, ask_bob};
use countersign::intake::invoke::Function;
use serde_json::{Value, json};

#[tokio::test(start_paused = true)]
async fn a_dump_of_the_table_opens_no_page_and_holds_no_token() {
    let harness = Harness::start().await;
    harness.start_workflow(&ask_bob()).await;
    let path = harness.link("bob@example.com").await;
    let mut request = ask_bob();
    request["taskToken"] = json!("canary-token-canary-token");
    harness.open(request).await;
    harness.answer(&path, "approve", "", "Bob").await;
    harness.settle().await;
    let dump = json!(harness.dump().await).to_string();
    assert!(dump.contains("Release to production"));
    assert!(!dump.contains("canary-token"));
    assert!(!dump.contains(&path[3..]));
    // The mailed link is the only thing that opens the page: nothing in the dump has its form.
    let words = dump.split(|c: char| !c.is_ascii_alphanumeric() && c != '-' && c != '_');
    for word in words.filter(|word| word.len() == 47) {
        assert_eq!(harness.get(&format!("/s/{word}")).await.status, 404);
    }
    harness.finish().await;
}

/// Puts `json` in the place of what is stored.
async fn overwrite(harness: &Harness, item: &Value, json: &str) {
    let text = |value: &str| aws_sdk_dynamodb::types::AttributeValue::S(value.to_owned());
    aws_sdk_dynamodb::Client::new(&harness.sdk)
        .update_item()
        .table_name("countersign")
        .key("pk", text(item["pk"].as_str().unwrap()))
        .key("sk", text(item["sk"].as_str().unwrap()))
        .update_expression("SET #json = :json")
        .expression_attribute_names("#json", "json")
        .expression_attribute_values(":json", text(json))
        .send()
        .await
        .unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_token_under_another_request_is_found_out_before_anybody_decides() {
    let harness = Harness::start().await;
    harness
        .start_workflow(&json!({"title": "Buy a pencil", "signers": [{"name": "Bob"}]}))
        .await;
    harness
        .start_workflow(&json!({"title": "Buy a castle", "signers": [{"name": "Alice"}]}))
        .await;
    let pencil = harness.link("bob@example.com").await;
    harness.link("alice@example.com").await;
    harness.settle().await;
    let dump = harness.dump().await;
    let body = |title: &str| {
        let found = |item: &&Value| item["sk"] == "B" && item["json"].as_str().unwrap().contains(title);
        dump.iter().find(found).unwrap().clone()
    };
    let (small, big) = (body("Buy a pencil"), body("Buy a castle"));
    let read = |item: &Value| serde_json::from_str::<Value>(item["json"].as_str().unwrap()).unwrap();

    // The castle's token under the pencil; the castle's words over the pencil's; both.
    let mut token = read(&small);
    token["target"] = read(&big)["target"].clone();
    let mut words = read(&small);
    words["body"]["terms"]["title"] = json!("Buy a pen");
    for changed in [token, words, read(&big)] {
        overwrite(&harness, &small, &changed.to_string()).await;
        let page = harness.get(&pencil).await;
        assert_eq!(page.status, 503, "{}", page.text());
        assert!(!page.body.contains("name=\"outcome\""));
    }
    overwrite(&harness, &small, small["json"].as_str().unwrap()).await;
    assert_eq!(harness.answer(&pencil, "approve", "", "Bob").await.status, 200);
    harness.finish().await;
}

#[tokio::test(start_paused = true)]
async fn no_log_line_and_no_error_holds_a_token_a_link_or_an_address() {
    let log = Log::default();
    let subscriber = tracing_subscriber::fmt()
        .with_writer(log.clone())
        .with_env_filter("countersign=trace,aws_local=trace")
        .finish();
    let _guard = tracing::subscriber::set_default(subscriber);

    let harness = Harness::start().await;
    let faults = [
        ("PutItem", Fault::Refused(400, "AccessDeniedException")),
        ("SendEmail", Fault::Refused(400, "MessageRejected")),
        ("TransactWriteItems", Fault::Refused(500, "InternalServerError")),
        ("SendTaskSuccess", Fault::Refused(400, "InvalidToken")),
        ("Query", Fault::Lost),
    ];
    let mut errors = String::new();
    for (n, (operation, fault)) in faults.into_iter().enumerate() {
        let mut request = ask_bob();
        request["taskToken"] = json!(format!("canary-token-{n}"));
        request["title"] = json!(format!("Request {n}"));
        if operation == "PutItem" || operation == "Query" {
            harness.faults.next(operation, 3, fault);
        }
        if let Err((_, message)) = harness.invoke(Function::Intake, request.clone()).await {
            errors.push_str(&message);
            harness.faults.clear();
            harness.open(request).await;
        }
        harness.settle().await;
        let path = harness.link("bob@example.com").await;
        if let Some(mail) = harness.aws.mails_to("bob@example.com").first() {
            let path = super::harness::path_of_link(mail);
            harness.faults.next(operation, 3, fault);
            let token = harness.get(&path).await;
            if token.body.contains("name=\"csrf\"") {
                errors.push_str(
                    &harness
                        .post(&path, &token.form_token(), "approve", "", "Bob")
                        .await
                        .text(),
                );
            }
            errors.push_str(&harness.get(&path).await.text());
            harness.faults.clear();
        }
        harness.settle().await;
        assert!(!errors.contains(&path[3..]));
    }
    let logged = log.text();
    assert!(logged.contains("request taken in"), "the log was captured");
    for mail in harness.aws.mails() {
        if let Some(link) = mail.text.as_deref().and_then(|text| text.split_once("/s/")) {
            assert!(!logged.contains(&link.1[..40]), "a link is in the log");
        }
    }
    for secret in ["canary-token", "bob@example.com"] {
        assert!(!logged.contains(secret), "{secret} is in the log: {logged}");
        assert!(
            secret == "bob@example.com" || !errors.contains(secret),
            "{secret} is in an error"
        );
    }
}
