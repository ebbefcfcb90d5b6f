//! The page of one execution.

use std::sync::Arc;

use super::*;
use crate::{FunctionError, PendingApproval, function};

fn task(resource: &str, more: &Value) -> Value {
    let mut state = json!({"Type": "Task", "Resource": resource});
    state
        .as_object_mut()
        .expect("an object")
        .extend(more.as_object().expect("an object").clone());
    state
}

fn lambda(name: &str, more: &Value) -> Value {
    task(
        &format!("arn:aws:lambda:us-east-1:123456789012:function:{name}"),
        more,
    )
}

async fn with_functions(options: Options) -> AwsLocal {
    let aws = AwsLocal::start(options).await.expect("it starts");
    aws.register_function(
        "echo",
        function(|invocation| async move { Ok(invocation.payload) }),
    );
    aws.register_function(
        "fail",
        function(|_| async { Err(FunctionError::new("Example.Failed", "as asked for")) }),
    );
    aws
}

/// A workflow with a bit of everything.
fn orders() -> Value {
    let end = json!({"End": true});
    json!({"StartAt": "How much?", "States": {
        "How much?": {"Type": "Choice", "Choices": [{"Variable": "$.total", "NumericGreaterThan": 1000, "Next": "Ask"}],
            "Default": "Both"},
        "Ask": task("arn:aws:states:::lambda:invoke.waitForTaskToken", &json!({
            "Parameters": {"FunctionName": "echo", "Payload": {"token.$": "$$.Task.Token"}}, "Next": "Both"})),
        "Both": {"Type": "Parallel", "ResultPath": "$.both", "Next": "Each", "Branches": [
            {"StartAt": "Book", "States": {"Book": lambda("echo", &end)}},
            {"StartAt": "Rest", "States": {"Rest": {"Type": "Wait", "Seconds": 60, "End": true}}},
        ]},
        "Each": {"Type": "Map", "ItemsPath": "$.items", "ResultPath": "$.each", "Next": "Flaky",
            "ItemProcessor": {"StartAt": "Save", "States": {"Save": lambda("echo", &end)}}},
        "Flaky": lambda("fail", &json!({"Retry": [{"ErrorEquals": ["Example.Failed"], "MaxAttempts": 2}],
            "Catch": [{"ErrorEquals": ["Example.Failed"], "ResultPath": "$.error", "Next": "Refuse"}], "End": true})),
        "Refuse": {"Type": "Fail", "Error": "Refused", "Cause": "{\"why\": \"dear\"}"},
    }})
}

/// What is said of a state in the graph.
fn node(page: &str, name: &str) -> String {
    let begin = page
        .find(&format!("<title>{name}, "))
        .unwrap_or_else(|| panic!("no {name} in {page}"));
    let title = &page[begin + "<title>".len()..];
    title[..title.find("</title>").expect("its end")].to_owned()
}

#[tokio::test(start_paused = true)]
async fn the_graph_says_what_became_of_each_state() {
    let aws = with_functions(options()).await;
    let arn = machine(&aws, "orders", &orders()).await;
    start(&aws, &arn, "small", r#"{"total": 5, "items": [1, 2, 3]}"#).await;
    tokio::time::sleep(Duration::from_secs(5)).await;
    let (status, page) = get(&aws, "/executions/orders/small").await;
    assert_eq!(status, 200);
    for (name, expected) in [
        ("How much?", "How much?, Choice: succeeded"),
        ("Ask", "Ask, Task: not reached"),
        ("Both", "Both, Parallel: running"),
        ("Book", "Book, Task: succeeded"),
        ("Rest", "Rest, Wait: waiting"),
        ("Each", "Each, Map: not reached"),
    ] {
        assert_eq!(node(&page, name), expected);
    }
    assert!(page.contains("Waits until 21 Nov 2026, 09:01:00 UTC."), "{page}");
    assert!(
        page.contains("data-live") && page.contains(r#"action="/executions/orders/small/stop""#),
        "{page}"
    );
    assert!(
        page.contains("$.total &#62; 1000") && page.contains(">otherwise<"),
        "{page}"
    );

    tokio::time::sleep(Duration::from_mins(2)).await;
    let (_, page) = get(&aws, "/executions/orders/small").await;
    for (name, expected) in [
        ("Both", "Both, Parallel: succeeded"),
        ("Rest", "Rest, Wait: succeeded"),
        ("Each", "Each, Map: succeeded, 3 of 3"),
        ("Save", "Save, Task: succeeded, 3 times"),
        ("Flaky", "Flaky, Task: caught, 2 retries"),
        ("Refuse", "Refuse, Fail: failed"),
    ] {
        assert_eq!(node(&page, name), expected);
    }
    assert!(!page.contains("data-live"), "{page}");
    assert!(
        page.contains("item 2 of Each") && page.contains("&#34;why&#34;: &#34;dear&#34;"),
        "{page}"
    );
    assert!(
        page.contains(r#"action="/executions/orders/small/redrive""#),
        "{page}"
    );
    for kind in [
        "ParallelStateStarted",
        "MapIterationSucceeded",
        "LambdaFunctionFailed",
        "ExecutionFailed",
    ] {
        assert!(page.contains(&format!("<td>{kind}</td>")), "{kind}: {page}");
    }
    // Every state that was reached leads to a step that is there.
    for link in page.split("<a href=\"#step-").skip(1) {
        let id = &link[..link.find('"').expect("its end")];
        assert!(page.contains(&format!("id=\"step-{id}\"")), "{id}: {page}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_waits_for_people_leads_to_their_pages() {
    let approvals: crate::ApprovalsOf = Arc::new(|arn| {
        assert!(arn.ends_with(":execution:orders:large"));
        Box::pin(async {
            vec![PendingApproval {
                title: "Sign <this>".to_owned(),
                status: "pending".to_owned(),
                waiting_for: vec![(
                    "Bob".to_owned(),
                    "http://127.0.0.1:8085/s/secret?a=1&b=2".to_owned(),
                )],
            }]
        })
    });
    let aws = with_functions(Options {
        approvals: Some(approvals),
        ..options()
    })
    .await;
    let arn = machine(&aws, "orders", &orders()).await;
    start(&aws, &arn, "large", r#"{"total": 5000, "items": []}"#).await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    let (_, page) = get(&aws, "/executions/orders/large").await;
    assert_eq!(node(&page, "Ask"), "Ask, Task: awaits answer");
    assert!(page.contains("Waits for an answer to its task token."), "{page}");
    assert!(page.contains("Sign &#60;this&#62;"), "{page}");
    assert!(
        page.contains(r#"<a href="http://127.0.0.1:8085/s/secret?a=1&#38;b=2">answer as Bob</a>"#),
        "{page}"
    );

    let unticked = post(&aws, "/executions/orders/large/stop", &[("cause", "no more")]).await;
    assert_eq!(
        (
            unticked.status().as_u16(),
            text(&unticked).contains("tick the box")
        ),
        (400, true)
    );
    let stopped = post(
        &aws,
        "/executions/orders/large/stop",
        &[("cause", "no more"), ("sure", "yes")],
    )
    .await;
    assert_eq!(location(&stopped), "/executions/orders/large");
    let (_, page) = get(&aws, "/executions/orders/large").await;
    assert_eq!(node(&page, "Ask"), "Ask, Task: stopped");
    assert!(
        page.contains("Stopped") && page.contains("no more") && !page.contains("secret"),
        "{page}"
    );

    let redriven = post(&aws, "/executions/orders/large/redrive", &[("sure", "yes")]).await;
    assert_eq!(location(&redriven), "/executions/orders/large");
    tokio::time::sleep(Duration::from_secs(1)).await;
    let (_, page) = get(&aws, "/executions/orders/large").await;
    assert_eq!(node(&page, "Ask"), "Ask, Task: awaits answer");
    assert!(page.contains("<dt>Redriven</dt>"), "{page}");
    let again = post(&aws, "/executions/orders/large/redrive", &[("sure", "yes")]).await;
    assert!(
        text(&again).contains("ExecutionNotRedrivable"),
        "{}",
        text(&again)
    );
}

#[tokio::test]
async fn what_a_function_printed_stands_with_the_step_that_called_it() {
    let aws = aws().await;
    let chatty = crate::CommandFunction {
        command: ["sh", "-c", "echo 'hello <b>from</b> the function' >&2; exit 3"]
            .map(str::to_owned)
            .to_vec(),
        directory: std::env::temp_dir(),
        environment: Vec::new(),
        timeout: Duration::from_secs(5),
        concurrency: 1,
    };
    aws.register_command("chatty", chatty);
    let definition = json!({"StartAt": "Before", "States": {
        "Before": {"Type": "Pass", "Next": "Talk"}, "Talk": lambda("chatty", &json!({"End": true}))}});
    let arn = machine(&aws, "talking", &definition).await;
    start(&aws, &arn, "run", "{}").await;
    let mut page = String::new();
    for _ in 0..1_000 {
        tokio::time::sleep(Duration::from_millis(10)).await;
        page = get(&aws, "/executions/talking/run").await.1;
        if page.contains("ExecutionFailed") {
            break;
        }
    }
    let step = page
        .find("id=\"visit-4\"")
        .unwrap_or_else(|| panic!("the second step in {page}"));
    let (before, talk) = page.split_at(step);
    assert!(!before.contains("hello"), "{page}");
    assert!(
        talk.contains("Printed by the function")
            && talk.contains("hello &#60;b&#62;from&#60;/b&#62; the function"),
        "{page}"
    );
}

#[tokio::test]
async fn no_other_page_can_stop_an_execution() {
    let aws = with_functions(options()).await;
    let arn = machine(&aws, "orders", &orders()).await;
    start(&aws, &arn, "large", r#"{"total": 5000, "items": []}"#).await;
    for (name, value) in [
        ("origin", "https://evil.example"),
        ("origin", "null"),
        // Another program on this machine.
        ("origin", "http://localhost:3000"),
        ("sec-fetch-site", "cross-site"),
        ("sec-fetch-site", "same-site"),
    ] {
        let request = Request::post("/executions/orders/large/stop")
            .header(name, value)
            .header("content-type", "application/x-www-form-urlencoded");
        let response = super::answer(&aws, request, "sure=yes").await;
        assert_eq!(response.status(), 403, "{name}: {value}");
    }
    let (_, page) = get(&aws, "/executions/orders/large").await;
    assert!(page.contains("Running"), "{page}");
}

#[tokio::test]
async fn what_a_workflow_holds_is_never_taken_for_the_page() {
    let aws = aws().await;
    let evil = "<script>alert(1)</script>\u{202e}";
    let definition = json!({"StartAt": evil, "States": {
        evil: {"Type": "Choice", "Choices": [{"Variable": "$['<img src=x>']", "IsPresent": true, "Next": "]]>"}], "Default": "]]>"},
        "]]>": {"Type": "Pass", "End": true},
    }});
    let arn = machine(&aws, "evil", &definition).await;
    let text = format!("]]><script>alert(2)</script>\u{2066}{}", "<b>".repeat(80_000));
    let input = json!({"text": text}).to_string();
    start(&aws, &arn, "run", &input).await;
    let (status, page) = get(&aws, "/executions/evil/run").await;
    assert_eq!(status, 200);
    assert!(
        !page.contains("<script>") && !page.contains("<img") && !page.contains("<b><b>"),
        "{page}"
    );
    assert!(!page.contains('\u{202e}') && !page.contains('\u{2066}') && page.contains("\\u202e"));
    assert!(page.len() < 60_000, "{}", page.len());
    assert!(
        page.contains(r#"<a href="/executions/evil/run/input.json">The whole of it</a>"#),
        "{page}"
    );
    let (_, whole) = get(&aws, "/executions/evil/run/input.json").await;
    assert_eq!(whole, input);
    let (_, output) = get(&aws, "/executions/evil/run/output.json").await;
    assert_eq!(
        serde_json::from_str::<Value>(&output).expect("JSON")["text"],
        text
    );
    let (_, event) = get(&aws, "/executions/evil/run/events/2.json").await;
    let event: Value = serde_json::from_str(&event).expect("JSON");
    assert_eq!(event["stateEnteredEventDetails"]["name"], evil);
    for path in ["events/999.json", "events/0.json", "events/x.json", "nothing"] {
        assert_eq!(
            get(&aws, &format!("/executions/evil/run/{path}")).await.0,
            404,
            "{path}"
        );
    }
    for path in [
        "/executions/evil/none",
        "/executions/none/run",
        "/executions/evil/none/input.json",
    ] {
        assert_eq!(get(&aws, path).await.0, 404, "{path}");
    }
}

#[tokio::test]
async fn a_damaged_definition_leaves_the_rest_of_the_page() {
    for (definition, expected) in [
        ("{\"Sta", "The definition can’t be read"),
        (
            r#"{"StartAt": 7, "States": {"P": {"Type": "Pass", "Next": "nowhere"}, "Q": 1}}"#,
            "P, Pass: succeeded",
        ),
        (
            r#"{"StartAt": "A", "States": {"A": {"Type": "Pass", "Next": "A"}}}"#,
            "A, Pass: not reached",
        ),
        (r#"{"States": {}}"#, "<svg"),
    ] {
        // Drawings are kept by revision, of which there is no second in life.
        let fresh = aws().await;
        let arn = machine(&fresh, "one", &pass()).await;
        start(&fresh, &arn, "run", "{}").await;
        fresh.inner.step_functions.damage(definition).await;
        let (status, page) = get(&fresh, "/executions/one/run").await;
        assert_eq!(status, 200);
        assert!(
            page.contains(expected) && page.contains("<td>ExecutionSucceeded</td>"),
            "{page}"
        );
    }
}

#[tokio::test]
async fn the_executions_of_a_map_run_and_their_parent_lead_to_each_other() {
    let aws = with_functions(options()).await;
    let processor = json!({"ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"},
        "StartAt": "One", "States": {"One": lambda("echo", &json!({"End": true}))}});
    let definition = json!({"StartAt": "All", "States": {
        "All": {"Type": "Map", "Label": "Every", "End": true, "ItemsPath": "$", "ItemProcessor": processor}}});
    let arn = machine(&aws, "spread", &definition).await;
    start(&aws, &arn, "run", "[1, 2, 3]").await;
    let mut page = String::new();
    for _ in 0..500 {
        tokio::time::sleep(Duration::from_millis(10)).await;
        page = get(&aws, "/executions/spread/run").await.1;
        if page.contains("Succeeded") {
            break;
        }
    }
    assert_eq!(node(&page, "All"), "All, Distributed Map: succeeded, 3 of 3");
    let link = page
        .split("<a href=\"")
        .find(|link| link.contains("&#38;run="))
        .expect("a link to the children");
    let link = link[..link.find('"').expect("its end")].replace("&#38;", "&");
    let (_, children) = get(&aws, &link).await;
    assert!(
        children.contains("3 executions") && children.contains("spread/Every"),
        "{children}"
    );
    let child = children
        .split("<a class=\"subject\" href=\"")
        .nth(1)
        .expect("a child");
    let (status, child) = get(&aws, &child[..child.find('"').expect("its end")]).await;
    assert_eq!(status, 200);
    assert_eq!(node(&child, "One"), "One, Task: succeeded");
    assert!(
        child.contains(r#"<a href="/executions/spread/run">spread: run</a>"#),
        "{child}"
    );
    // They are no part of the list of all.
    let (_, all) = get(&aws, "/executions").await;
    assert!(all.contains("1 execution<"), "{all}");
}

#[tokio::test]
#[expect(clippy::print_stdout, reason = "the figure that is claimed")]
async fn five_thousand_events_are_shown_in_no_time() {
    let aws = aws().await;
    let definition = json!({"StartAt": "Each", "States": {"Each": {"Type": "Map", "ItemsPath": "$", "End": true,
        "ItemProcessor": {"StartAt": "Keep", "States": {"Keep": {"Type": "Pass", "End": true}}}}}});
    let arn = machine(&aws, "many", &definition).await;
    let items: Vec<Value> = (0..1_249)
        .map(|n| json!({"n": n, "text": "x".repeat(100)}))
        .collect();
    start(&aws, &arn, "run", &json!(items).to_string()).await;
    let mut times = Vec::new();
    for _ in 0..5 {
        let begun = Instant::now();
        let (_, page) = get(&aws, "/executions/many/run").await;
        times.push(begun.elapsed());
        let rows = page.matches("<tr><td>").count();
        assert!((4_990..=5_000).contains(&rows), "{rows}");
    }
    let best = times.iter().min().expect("a time");
    println!("5,000 events: {best:?}");
    // Ten times as slow without the compiler's optimisations.
    let bound = Duration::from_millis(if cfg!(debug_assertions) { 2_000 } else { 200 });
    assert!(*best < bound, "{times:?}");
}

#[tokio::test]
async fn more_events_than_fit_a_page_are_paged() {
    let aws = aws().await;
    let definition = json!({"StartAt": "Each", "States": {"Each": {"Type": "Map", "ItemsPath": "$", "End": true,
        "ItemProcessor": {"StartAt": "Keep", "States": {"Keep": {"Type": "Pass", "End": true}}}}}});
    let arn = machine(&aws, "many", &definition).await;
    start(
        &aws,
        &arn,
        "run",
        &json!((0..1_500).collect::<Vec<_>>()).to_string(),
    )
    .await;
    let (_, page) = get(&aws, "/executions/many/run").await;
    assert!(
        page.contains("?events=5001#events") && page.contains("The last 500 steps; 1001 earlier"),
        "{page}"
    );
    let (_, page) = get(&aws, "/executions/many/run?events=5001").await;
    assert!(
        page.contains("/events/5001.json") && !page.contains("/events/5000.json"),
        "{page}"
    );
    assert!(
        page.contains("From the first") && page.contains("ExecutionSucceeded"),
        "{page}"
    );
}
