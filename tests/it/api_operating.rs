//! What operators see and do over the API.

use super::harness::{Fault, Harness, ask_bob};
use countersign::domain::api_key::Scope;
use countersign::domain::evidence::{self, Event, Head};
use countersign::domain::ids::ApprovalId;
use countersign::intake::invoke::Function;
use http::Method;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

impl Harness {
    async fn show(&self, id: &str) -> Value {
        let path = format!("/api/v1/requests/{id}");
        let (status, shown) = self.call(Scope::Read, Method::GET, &path, &json!({})).await;
        assert_eq!(status, 200, "{shown}");
        shown
    }

    async fn operate(&self, id: &str, what: &str, body: Value) -> (u16, Value) {
        let path = format!("/api/v1/requests/{id}/{what}");
        self.call(Scope::Operate, Method::POST, &path, &body).await
    }

    /// The titles on a page of a list, and where it goes on.
    async fn list(&self, query: &str) -> (Vec<String>, Option<String>) {
        let path = format!("/api/v1/requests?{query}");
        let (status, page) = self.call(Scope::Read, Method::GET, &path, &json!({})).await;
        assert_eq!(status, 200, "{page}");
        let titles = page["requests"].as_array().unwrap().iter();
        let titles = titles.map(|request| request["title"].as_str().unwrap().to_owned());
        (titles.collect(), page["nextCursor"].as_str().map(str::to_owned))
    }

    async fn only_id(&self) -> String {
        self.only_approval().await.id.to_string()
    }
}

fn sentences(shown: &Value) -> String {
    let sentences = shown["explanation"].as_array().expect("sentences").iter();
    sentences
        .map(|text| text.as_str().unwrap())
        .collect::<Vec<_>>()
        .join("\n")
}

#[tokio::test(start_paused = true)]
async fn a_request_is_explained_from_the_first_mail_to_the_end() {
    let harness = Harness::start().await;
    let mut payload = ask_bob();
    payload["timeoutSeconds"] = json!(259_200);
    payload["reminders"] = json!({"afterSeconds": 86_400, "everySeconds": 86_400, "max": 3});
    payload["requester"] = json!({"name": "Rita"});
    harness.start_workflow(&payload).await;
    let path = harness.link("bob@example.com").await;
    let id = harness.only_id().await;
    harness.pass(SignedDuration::from_hours(2)).await;
    let shown = harness.show(&id).await;
    assert_eq!(
        (&shown["status"], &shown["waitingFor"]),
        (&json!("pending"), &json!(["Bob"]))
    );
    assert_eq!(shown["signers"][0]["status"], "sent");
    let told = sentences(&shown);
    for expected in [
        "“Release to production” was asked by Rita 2 hours ago",
        "Waiting for Bob: mail sent 2 hours ago, page never opened; next reminder in 21 hours.",
        "The deadline is in 3 days (Tuesday 24 November 2026, 09:00, UTC).",
    ] {
        assert!(told.contains(expected), "{expected}: {told}");
    }
    harness.get(&path).await;
    assert!(sentences(&harness.show(&id).await).contains("page last opened"));
    harness.answer(&path, "reject", "Too early.", "Bob").await;
    let shown = harness.show(&id).await;
    assert_eq!(shown["callback"]["state"], "delivered");
    let told = sentences(&shown);
    for expected in [
        "Rejected just now",
        "Bob rejected just now",
        ": “Too early.”",
        "The workflow was told just now",
    ] {
        assert!(told.contains(expected), "{expected}: {told}");
    }
    let (status, _) = harness
        .call(
            Scope::Read,
            Method::GET,
            "/api/v1/requests/req_nonsense",
            &json!({}),
        )
        .await;
    assert_eq!(status, 404);
    harness.finish().await;
}

#[tokio::test(start_paused = true)]
async fn what_happened_is_told_in_order_with_the_chain_that_proves_it() {
    let harness = Harness::start().await;
    let mut payload = ask_bob();
    payload["requester"] = json!({"name": "Rita"});
    payload["signers"] = json!([{"name": "Bob"}, {"name": "Alice"}]);
    harness.start_workflow(&payload).await;
    let path = harness.link("bob@example.com").await;
    harness.first_mail("alice@example.com").await;
    let id = harness.only_id().await;
    harness.pass(SignedDuration::from_mins(1)).await;
    harness.answer(&path, "approve", "", "Bob").await;
    harness.pass(SignedDuration::from_mins(1)).await;
    harness
        .operate(&id, "cancel", json!({"reason": "A mistake.", "by": "Legal"}))
        .await;
    harness.settle().await;

    let events = format!("/api/v1/requests/{id}/events");
    let (status, shown) = harness.call(Scope::Read, Method::GET, &events, &json!({})).await;
    assert_eq!(status, 200, "{shown}");
    let timeline = shown["timeline"].as_array().unwrap();
    let told: Vec<&str> = timeline
        .iter()
        .map(|happened| happened["what"].as_str().unwrap())
        .collect();
    let mailed = |told: &&str| told.ends_with("was mailed.");
    assert_eq!(
        told.iter().filter(|told| mailed(told)).count(),
        2 + 2,
        "both, and both again at the end: {told:?}"
    );
    let told: Vec<&str> = told.into_iter().filter(|told| !mailed(told)).collect();
    assert_eq!(
        told,
        [
            "Asked by Rita.",
            "Bob’s page was opened.",
            "Bob approved, by the link in the mail.",
            "Withdrawn by Legal: “A mistake.”",
            "The workflow was told.",
        ]
    );
    assert!(
        timeline.is_sorted_by_key(|happened| happened["at"].as_str().unwrap().parse::<Timestamp>().unwrap())
    );

    // What is shown verifies by itself, and not with a word changed.
    let (mut chain, head): (Vec<Event>, Head) = (
        serde_json::from_value(shown["events"].clone()).expect("events"),
        serde_json::from_value(shown["head"].clone()).expect("a head"),
    );
    let (approval, key) = (
        ApprovalId::parse(&id).unwrap(),
        harness.flow.evidence.public_key(),
    );
    assert_eq!(evidence::verify(approval, &chain, &head, key), Ok(()));
    chain[1].at += SignedDuration::from_secs(1);
    assert!(evidence::verify(approval, &chain, &head, key).is_err());
    let (status, _) = harness.call(Scope::Write, Method::GET, &events, &json!({})).await;
    assert_eq!(status, 403);
    harness.finish().await;
}

#[tokio::test(start_paused = true)]
async fn a_parked_callback_says_why_and_is_retried() {
    let harness = Harness::start().await;
    let execution = harness.start_workflow(&ask_bob()).await;
    let path = harness.link("bob@example.com").await;
    let id = harness.only_id().await;
    let (status, refused) = harness.operate(&id, "retry", json!({})).await;
    assert_eq!(status, 409, "{refused}");

    harness
        .faults
        .next("SendTaskSuccess", 2, Fault::Refused(400, "AccessDeniedException"));
    harness.answer(&path, "approve", "", "Bob").await;
    let shown = harness.show(&id).await;
    assert_eq!(shown["callback"]["state"], "parked");
    let told = sentences(&shown);
    assert!(
        told.contains("could not be told") && told.contains(&format!("countersign retry {id}")),
        "{told}"
    );
    assert_eq!(
        harness.list("status=attention").await.0,
        ["Release to production"]
    );
    assert_eq!(harness.list("status=done").await.0, Vec::<String>::new());

    // Not mended yet: it is parked again.
    let (status, again) = harness.operate(&id, "retry", json!({})).await;
    assert_eq!((status, &again["callback"]["state"]), (200, &json!("parked")));
    assert_eq!(again["callback"]["attempts"], 2);
    assert_eq!(harness.result(&execution).await.0, "RUNNING");

    let (status, done) = harness.operate(&id, "retry", json!({})).await;
    assert_eq!((status, &done["callback"]["state"]), (200, &json!("delivered")));
    assert_eq!(harness.ended(&execution).await.0, "SUCCEEDED");
    assert_eq!(harness.list("status=attention").await.0, Vec::<String>::new());
    assert_eq!(
        harness.list("status=done&month=2026-11").await.0,
        ["Release to production"]
    );
    assert_eq!(harness.operate(&id, "retry", json!({})).await.0, 409);
    harness.finish().await;
}

#[tokio::test(start_paused = true)]
async fn requests_are_withdrawn_and_completed_over_the_api() {
    let harness = Harness::start().await;
    let execution = harness.start_workflow(&ask_bob()).await;
    harness.first_mail("bob@example.com").await;
    let id = harness.only_id().await;
    let (status, wrong) = harness
        .operate(&id, "complete", json!({"outcome": "maybe"}))
        .await;
    assert_eq!((status, &wrong["errors"][0]["field"]), (422, &json!("outcome")));
    let (status, wrong) = harness.operate(&id, "cancel", json!({"colour": 1})).await;
    assert_eq!((status, &wrong["errors"][0]["field"]), (422, &json!("colour")));
    let (status, done) = harness
        .operate(&id, "complete", json!({"comment": "By telephone."}))
        .await;
    assert_eq!((status, &done["status"]), (200, &json!("approved")), "{done}");
    assert_eq!(
        harness.ended(&execution).await.1["responses"][0]["answeredBy"],
        "operations"
    );
    let told = sentences(&harness.show(&id).await);
    assert!(
        told.contains("by operations on their behalf: “By telephone.”"),
        "{told}"
    );
    assert_eq!(harness.operate(&id, "cancel", json!({})).await.0, 409);
    assert_eq!(harness.operate(&id, "complete", json!({})).await.0, 409);

    let mut second = ask_bob();
    second["taskToken"] = json!("another");
    let other = harness.open(second).await.to_string();
    let (status, done) = harness
        .operate(&other, "cancel", json!({"reason": "A mistake."}))
        .await;
    assert_eq!((status, &done["status"]), (200, &json!("cancelled")));
    let told = sentences(&harness.show(&other).await);
    assert!(told.contains("Withdrawn by requests:operate just now"), "{told}");
    assert!(told.contains(": “A mistake.”"), "{told}");
    let (status, _) = harness
        .operate("req_aaaaaaaaaaaaaaaaaaaaaaaaaa", "cancel", json!({}))
        .await;
    assert_eq!(status, 404);
    harness.settle().await;
}

#[tokio::test(start_paused = true)]
async fn the_mail_is_sent_again_with_a_link_that_works_beside_the_first() {
    let harness = Harness::start().await;
    let signers = json!([{"name": "Bob"}, {"name": "Alice"}]);
    harness
        .start_workflow(&json!({"title": "Approve it", "signers": signers}))
        .await;
    let first = harness.link("bob@example.com").await;
    harness.link("alice@example.com").await;
    let id = harness.only_id().await;
    let (status, done) = harness.operate(&id, "resend", json!({"signer": "BOB"})).await;
    assert_eq!((status, &done["mailedAgain"]), (200, &json!(["Bob"])), "{done}");
    harness.settle().await;
    let mails = |address| harness.aws.mails_to(address).len();
    assert_eq!((mails("bob@example.com"), mails("alice@example.com")), (2, 1));
    assert_eq!(harness.answer(&first, "approve", "", "Bob").await.status, 200);
    harness.settle().await;
    let (status, done) = harness.operate(&id, "resend", json!({})).await;
    assert_eq!((status, &done["mailedAgain"]), (200, &json!(["Alice"])));
    let (status, _) = harness
        .operate(&id, "resend", json!({"signer": "bob@example.com"}))
        .await;
    assert_eq!(status, 422);
    harness.settle().await;
    assert_eq!(harness.aws.mails_to("alice@example.com").len(), 2);
    harness.finish().await;
}

#[tokio::test(start_paused = true)]
async fn a_mail_that_was_refused_is_sent_once_the_cause_is_mended() {
    let harness = Harness::start().await;
    harness
        .faults
        .next("SendEmail", 1, Fault::Refused(400, "MessageRejected"));
    harness.start_workflow(&ask_bob()).await;
    harness.settle().await;
    let id = harness.only_id().await;
    let shown = harness.show(&id).await;
    assert_eq!(shown["signers"][0]["status"], "bounced");
    assert!(sentences(&shown).contains("Bob can't be reached"), "{shown}");
    assert_eq!(harness.operate(&id, "resend", json!({})).await.0, 200);
    harness.settle().await;
    assert_eq!(harness.show(&id).await["signers"][0]["status"], "sent");
    harness.finish().await;
}

#[tokio::test(start_paused = true)]
async fn lists_go_through_all_shards_behind_one_cursor() {
    let harness = Harness::start().await;
    let mut made = Vec::new();
    for n in 0..40 {
        let tags = json!({"team": if n % 2 == 0 { "legal" } else { "ops" }});
        let person = if n % 5 == 0 { "Alice" } else { "Bob" };
        let title = format!("Request {n:02}");
        let request = json!({
            "taskToken": format!("token-{n}"), "title": title, "signers": [{"name": person}], "tags": tags,
            "externalId": format!("x-{}", n % 4),
        });
        harness.invoke(Function::Intake, request).await.expect("taken in");
        made.push(title);
        // Several are made in the same millisecond.
        if n % 3 == 0 {
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
    }
    let all = async |query: &str| {
        let (mut titles, mut cursor) = (Vec::new(), String::new());
        loop {
            let (page, next) = harness.list(&format!("{query}{cursor}")).await;
            titles.extend(page);
            match next {
                Some(next) => cursor = format!("&cursor={next}"),
                None => return titles,
            }
        }
    };
    for limit in [1, 7, 25, 40, 100] {
        let mut titles = all(&format!("limit={limit}")).await;
        assert_eq!(titles.len(), 40, "{limit}");
        titles.sort();
        assert_eq!(titles, made, "{limit}");
    }
    assert_eq!(all("limit=3&tag=team%3Dlegal").await.len(), 20);
    assert_eq!(all("limit=3&assignee=ALICE%40example.com").await.len(), 8);
    assert_eq!(
        all("limit=3&assignee=alice%40example.com&tag=team%3Dlegal")
            .await
            .len(),
        4
    );
    assert_eq!(all("externalId=x-1").await.len(), 10);
    // The last were made later than all others, by a pause and by the hour that passes now.
    harness.pass(SignedDuration::from_hours(1)).await;
    let hour_ago = harness.flow.clock.now() - SignedDuration::from_mins(30);
    harness
        .invoke(
            Function::Intake,
            json!({"taskToken": "late", "title": "Late", "signers": [{"name": "Bob"}]}),
        )
        .await
        .expect("taken in");
    assert_eq!(all(&format!("limit=3&createdAfter={hour_ago}")).await, ["Late"]);
    assert_eq!(
        all(&format!(
            "limit=3&assignee=bob%40example.com&createdAfter={hour_ago}"
        ))
        .await,
        ["Late"]
    );
    assert_eq!(all(&format!("limit=3&createdBefore={hour_ago}")).await.len(), 40);
    assert_eq!(
        all(&format!("limit=3&createdBefore={hour_ago}&tag=team%3Dlegal"))
            .await
            .len(),
        20
    );
    assert!(
        all(&format!("createdBefore={hour_ago}&createdAfter={hour_ago}"))
            .await
            .is_empty()
    );
    assert_eq!(all("status=done&tag=team%3Dlegal").await.len(), 0);
    assert_eq!(
        all("workflow=arn:aws:states:us-east-1:123456789012:stateMachine:none")
            .await
            .len(),
        0
    );
    let (status, problem) = harness
        .call(
            Scope::Read,
            Method::GET,
            "/api/v1/requests?colour=blue&limit=x&createdBefore=yesterday",
            &json!({}),
        )
        .await;
    assert_eq!((status, problem["errors"].as_array().unwrap().len()), (422, 3));
    harness.settle().await;
}

#[tokio::test(start_paused = true)]
async fn no_answer_holds_a_token_or_a_link() {
    let harness = Harness::start().await;
    let mut request = ask_bob();
    request["taskToken"] = json!("canary-token-canary-token");
    let id = harness.open(request).await.to_string();
    let path = harness.link("bob@example.com").await;
    let mut answers = vec![harness.show(&id).await];
    for query in ["", "?status=done", "?assignee=bob%40example.com"] {
        let path = format!("/api/v1/requests{query}");
        answers.push(harness.call(Scope::Read, Method::GET, &path, &json!({})).await.1);
    }
    for (what, fault) in [
        ("resend", "Query"),
        ("resend", "x"),
        ("complete", "Query"),
        ("cancel", "x"),
        ("retry", "x"),
    ] {
        harness.faults.next(fault, 3, Fault::Lost);
        answers.push(harness.operate(&id, what, json!({})).await.1);
        harness.faults.clear();
    }
    let told = json!(answers).to_string();
    assert!(told.contains("Release to production"));
    assert!(!told.contains("canary") && !told.contains(&path[3..]), "{told}");
    harness.settle().await;
}
