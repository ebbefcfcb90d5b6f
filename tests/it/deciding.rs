//! Deciding: by a deliberate act, once, whoever else does what at the same moment.

use super::harness::{Harness, ask_bob};
use futures_util::future::join_all;
use http::{Method, Request, StatusCode, header};
use jiff::SignedDuration;
use serde_json::{Value, json};

fn ask(names: &[&str]) -> Value {
    let signers: Vec<Value> = names
        .iter()
        .map(|name| json!({"name": name, "email": format!("{name}@example.com")}))
        .collect();
    json!({"title": "Approve the budget", "signers": signers})
}

#[tokio::test(start_paused = true)]
async fn looking_decides_nothing() {
    let harness = Harness::start().await;
    let execution = harness.start_workflow(&ask_bob()).await;
    let path = harness.link("bob@example.com").await;
    let before = harness.only_approval().await;
    for method in [
        Method::GET,
        Method::HEAD,
        Method::OPTIONS,
        Method::PUT,
        Method::DELETE,
    ] {
        for query in ["", "?outcome=approve&name=Bob&comment=x"] {
            harness
                .request(method.clone(), &format!("{path}{query}"), None)
                .await;
            tokio::time::sleep(std::time::Duration::from_secs(11)).await;
        }
    }
    let after = harness.only_approval().await;
    assert_eq!((after.record, after.signers), (before.record, before.signers));
    assert!(!after.observations.is_empty() && after.observations.len() <= 20);
    assert_eq!(harness.result(&execution).await.0, "RUNNING");
    for _ in 0..60 {
        harness.get(&path).await;
        tokio::time::sleep(std::time::Duration::from_secs(11)).await;
    }
    let noted = harness.only_approval().await.observations.len();
    assert!(noted <= 21, "{noted} observations are kept: the table would fill");
    harness.answer(&path, "approve", "", "Bob").await;
    harness.finish().await;
}

#[tokio::test(start_paused = true)]
async fn two_who_decide_differently_at_the_same_moment_make_one_decision() {
    let harness = Harness::start().await;
    let execution = harness.start_workflow(&ask_bob()).await;
    let path = harness.link("bob@example.com").await;
    let token = harness.get(&path).await.form_token();
    let answers = join_all((0..16).map(|n| {
        let outcome = if n % 2 == 0 { "approve" } else { "reject" };
        harness.post(&path, &token, outcome, "My reason", "Bob")
    }))
    .await;
    // The same form sent twice is the same answer; the other one is told what was decided.
    let approved = harness.only_approval().await.record.state.status() == "approved";
    for (n, answer) in answers.iter().enumerate() {
        let (same, word) = (
            (n % 2 == 0) == approved,
            if approved { "approval" } else { "rejection" },
        );
        assert_eq!(
            answer.status,
            if same {
                StatusCode::OK
            } else {
                StatusCode::CONFLICT
            }
        );
        assert!(
            answer.text().contains(&format!("Your {word} was recorded")),
            "{}",
            answer.text()
        );
    }
    let (status, _) = harness.ended(&execution).await;
    assert_eq!(status, if approved { "SUCCEEDED" } else { "FAILED" });
    assert_eq!(
        harness.only_approval().await.events.len(),
        2,
        "requested, answered"
    );
    harness.finish().await;
}

#[tokio::test(start_paused = true)]
async fn a_hundred_signers_in_the_same_second_all_count() {
    let harness = Harness::start().await;
    let names: Vec<String> = (0..100).map(|n| format!("signer{n}")).collect();
    let execution = harness
        .start_workflow(&ask(&names.iter().map(String::as_str).collect::<Vec<_>>()))
        .await;
    let mut forms = Vec::new();
    for name in &names {
        let path = harness.link(&format!("{name}@example.com")).await;
        let token = harness.get(&path).await.form_token();
        forms.push((path, token, name));
    }
    let answers = join_all(
        forms
            .iter()
            .map(|(path, token, name)| harness.post(path, token, "approve", "", name)),
    )
    .await;
    for answer in answers {
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.text());
    }
    let (status, output) = harness.ended(&execution).await;
    assert_eq!(status, "SUCCEEDED");
    assert_eq!(output["responses"].as_array().unwrap().len(), 100);
    harness.settle().await;
    assert_eq!(harness.aws.mails().len(), 200, "an invitation and a receipt each");
    harness.finish().await;
}

#[tokio::test(start_paused = true)]
async fn all_waits_for_everybody() {
    let harness = Harness::start().await;
    let execution = harness.start_workflow(&ask(&["alice", "bob"])).await;
    let bob = harness.link("bob@example.com").await;
    let alice = harness.link("alice@example.com").await;
    let page = harness.answer(&bob, "approve", "Fine.", "bob").await;
    assert!(page.text().contains("Thank you"), "{}", page.text());
    assert_eq!(harness.result(&execution).await.0, "RUNNING");
    assert!(
        harness.get(&alice).await.text().contains("bob has approved"),
        "{}",
        harness.get(&alice).await.text()
    );
    harness.answer(&alice, "approve", "", "Alice").await;
    let (status, output) = harness.ended(&execution).await;
    assert_eq!(status, "SUCCEEDED");
    assert_eq!(output["signature"], "alice and bob signed the budget");
    let responses = output["responses"].as_array().unwrap();
    assert!(
        responses
            .iter()
            .any(|r| r["signer"]["name"] == "bob" && r["comment"] == "Fine."),
        "{output}"
    );
    harness.finish().await;
}

#[tokio::test(start_paused = true)]
async fn the_first_rejection_ends_it_and_the_others_are_told() {
    let harness = Harness::start().await;
    let execution = harness.start_workflow(&ask(&["alice", "bob", "carol"])).await;
    let (alice, bob) = (
        harness.link("alice@example.com").await,
        harness.link("bob@example.com").await,
    );
    let waiting = harness.get(&bob).await.form_token();
    harness.answer(&alice, "reject", "Too expensive.", "alice").await;
    let (status, result) = harness.ended(&execution).await;
    assert_eq!(
        (status.as_str(), &result["error"]),
        ("FAILED", &json!("Approval.Rejected"))
    );

    let late = harness
        .post(&bob, &waiting, "approve", "I typed this", "bob")
        .await;
    assert_eq!(late.status, StatusCode::CONFLICT);
    assert!(
        late.text().contains("alice") && late.text().contains("I typed this"),
        "{}",
        late.text()
    );
    harness.settle().await;
    for other in ["bob@example.com", "carol@example.com"] {
        let told = &harness.aws.mails_to(other)[0];
        assert!(told.subject.starts_with("Decided:"), "{}", told.subject);
    }
    assert_eq!(harness.aws.mails_to("bob@example.com").len(), 2);
    harness.finish().await;
}

#[tokio::test(start_paused = true)]
async fn a_form_with_mistakes_comes_back_with_what_was_typed() {
    let harness = Harness::start().await;
    harness.start_workflow(&ask_bob()).await;
    let path = harness.link("bob@example.com").await;
    let token = harness.get(&path).await.form_token();
    let mistakes = [
        ("", "Kept words", "Bob", "Choose"),
        ("maybe", "Kept words", "Bob", "Choose"),
        ("approve", "Kept words", "Rob", "Bob"),
        ("approve", "Kept words", "", "name"),
        ("reject", " ", "Bob", "why"),
    ];
    for (outcome, comment, name, expected) in mistakes {
        let page = harness.post(&path, &token, outcome, comment, name).await;
        assert_eq!(page.status, StatusCode::UNPROCESSABLE_ENTITY);
        assert!(page.body.contains("role=\"alert\""), "{}", page.body);
        assert!(page.text().contains(expected), "{expected:?} in {}", page.text());
        assert!(comment.trim().is_empty() || page.body.contains("Kept words"));
    }
    let long = harness
        .post(&path, &token, "approve", &"x".repeat(2001), "Bob")
        .await;
    assert_eq!(long.status, StatusCode::UNPROCESSABLE_ENTITY);
    let huge = harness
        .post(&path, &token, "approve", &"x".repeat(100_000), "Bob")
        .await;
    assert_eq!(huge.status, StatusCode::PAYLOAD_TOO_LARGE);
    assert!(harness.only_approval().await.is_pending());
    harness.answer(&path, "approve", "", "Bob").await;
    harness.finish().await;
}

#[tokio::test(start_paused = true)]
async fn a_form_that_is_too_old_or_not_ours_comes_back_and_decides_nothing() {
    let harness = Harness::start().await;
    harness.start_workflow(&ask(&["alice", "bob"])).await;
    let (alice, bob) = (
        harness.link("alice@example.com").await,
        harness.link("bob@example.com").await,
    );
    let token = harness.get(&bob).await.form_token();
    for forged in ["", "AAAA", &harness.get(&alice).await.form_token()] {
        let page = harness.post(&bob, forged, "approve", "Kept words", "bob").await;
        assert_eq!(page.status, StatusCode::UNPROCESSABLE_ENTITY);
        assert!(page.body.contains("Kept words"));
    }
    tokio::time::sleep(std::time::Duration::from_hours(13)).await;
    let old = harness.post(&bob, &token, "approve", "Kept words", "bob").await;
    assert_eq!(old.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(harness.only_approval().await.answers() == [None, None]);
    let again = harness
        .post(&bob, &old.form_token(), "approve", "Kept words", "bob")
        .await;
    assert_eq!(again.status, StatusCode::OK);
    harness.answer(&alice, "approve", "", "alice").await;
    harness.finish().await;
}

#[tokio::test(start_paused = true)]
async fn a_form_sent_from_another_site_is_refused() {
    let harness = Harness::start().await;
    harness.start_workflow(&ask_bob()).await;
    let path = harness.link("bob@example.com").await;
    let token = harness.get(&path).await.form_token();
    let form = format!("csrf={token}&outcome=approve&name=Bob");
    for (name, value) in [
        ("origin", "https://evil.example"),
        ("sec-fetch-site", "cross-site"),
    ] {
        let request = Request::post(&path)
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
            .header(name, value)
            .body(form.clone().into());
        assert_eq!(
            harness.send(request.unwrap()).await.status,
            StatusCode::FORBIDDEN,
            "{name}: {value}"
        );
    }
    assert!(harness.only_approval().await.is_pending());
    harness.answer(&path, "approve", "", "Bob").await;
    harness.finish().await;
}

#[tokio::test(start_paused = true)]
async fn a_link_that_is_not_ours_says_so_and_nothing_more() {
    let harness = Harness::start().await;
    harness.start_workflow(&ask_bob()).await;
    let path = harness.link("bob@example.com").await;
    let cut = &path[..path.len() - 3];
    let flipped = format!(
        "{}{}",
        &path[..path.len() - 1],
        if path.ends_with('A') { 'B' } else { 'A' }
    );
    let mut pages = Vec::new();
    for wrong in [
        cut,
        "/s/x",
        &flipped,
        "/s/AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
    ] {
        let page = harness.get(wrong).await;
        assert_eq!(page.status, StatusCode::NOT_FOUND, "{wrong}");
        pages.push(page.text());
    }
    assert!(
        pages.iter().all(|page| *page == pages[0]),
        "one answer for all of them"
    );
    assert!(
        pages[0].contains("isn’t valid") && !pages[0].contains("Release"),
        "{}",
        pages[0]
    );
    harness.pass(SignedDuration::from_secs(1)).await;
    harness.answer(&path, "approve", "", "Bob").await;
    harness.finish().await;
}
