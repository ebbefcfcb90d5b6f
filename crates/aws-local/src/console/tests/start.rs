//! Starting an execution from the page.

use super::*;

const START: &str = "/executions/start";

#[tokio::test]
async fn the_form_starts_an_execution_and_leads_to_it() {
    let aws = aws().await;
    let (_, page) = get(&aws, START).await;
    assert!(page.contains("There is no state machine yet"), "{page}");
    machine(&aws, "one", &pass()).await;
    machine(&aws, "two", &pass()).await;
    let input = "{\n  \"a\":   1\n}";
    let started = post(
        &aws,
        START,
        &[("machine", "two"), ("name", " mine "), ("input", input)],
    )
    .await;
    assert_eq!(location(&started), "/executions/two/mine");
    let (_, whole) = get(&aws, "/executions/two/mine/input.json").await;
    assert_eq!(whole, input);
    let unnamed = post(&aws, START, &[("machine", "two"), ("name", ""), ("input", "{}")]).await;
    assert!(location(&unnamed).starts_with("/executions/two/"));

    // The last input of the machine, and that of a certain execution.
    let (_, page) = get(&aws, &format!("{START}?machine=two")).await;
    assert!(
        page.contains("<option value=\"two\" selected>") && page.contains("data-json>\n{}</textarea>"),
        "{page}"
    );
    let (_, page) = get(&aws, &format!("{START}?machine=two&from=mine")).await;
    assert!(page.contains("&#34;a&#34;:   1"), "{page}");
    let last = post(
        &aws,
        START,
        &[("machine", "two"), ("input", "{\"other\": 1}"), ("do", "last")],
    )
    .await;
    assert!(
        text(&last).contains("data-json>\n{}</textarea>"),
        "{}",
        text(&last)
    );
}

#[tokio::test]
async fn mistakes_are_told_at_their_fields_and_what_was_typed_stays() {
    let aws = aws().await;
    let arn = machine(&aws, "one", &pass()).await;
    start(&aws, &arn, "taken", r#"{"a": 1}"#).await;
    for (machine, name, input, field, message) in [
        (
            "one",
            "new",
            "{\"é\": tru}",
            "input",
            "The input is not JSON: line 1, column 10: expected ident",
        ),
        ("one", "taken", "{\"é\": 2}", "name", "Execution Already Exists: "),
        ("one", "not allowed*", "{\"é\": 2}", "name", "Invalid Name"),
        ("none", "new", "{\"é\": 2}", "machine", "Choose a state machine"),
    ] {
        let fields = [("machine", machine), ("name", name), ("input", input)];
        let response = post(&aws, START, &fields).await;
        let page = text(&response);
        assert_eq!(response.status(), 400, "{page}");
        assert!(
            page.contains("role=\"alert\"") && page.contains("<title>Error: "),
            "{page}"
        );
        assert!(
            page.contains(&format!("<li><a href=\"#{field}\">{message}")),
            "{message}: {page}"
        );
        assert!(page.contains(&format!("id=\"{field}-fault\"")), "{page}");
        assert!(
            page.contains(&format!("value=\"{name}\"")) && page.contains("{&#34;é&#34;: "),
            "{page}"
        );
    }
    let long = format!("\"{}\"", "x".repeat(262_145));
    let response = post(&aws, START, &[("machine", "one"), ("input", &long)]).await;
    assert!(
        text(&response).contains("<li><a href=\"#input\">"),
        "{}",
        response.status()
    );
}

#[tokio::test]
async fn the_input_is_laid_out_on_demand() {
    let aws = aws().await;
    machine(&aws, "one", &pass()).await;
    let response = post(
        &aws,
        START,
        &[
            ("machine", "one"),
            ("input", "{\"b\":1,\"a\":[]}"),
            ("do", "format"),
        ],
    )
    .await;
    assert!(
        text(&response).contains("{\n  &#34;b&#34;: 1,\n  &#34;a&#34;: []\n}</textarea>"),
        "{}",
        text(&response)
    );
    let response = post(
        &aws,
        START,
        &[("machine", "one"), ("input", "{"), ("do", "format")],
    )
    .await;
    assert_eq!(response.status(), 400);
}

#[tokio::test]
async fn an_express_execution_is_shown_at_once() {
    let aws = aws().await;
    let role = "arn:aws:iam::123456789012:role/any";
    let asked =
        json!({"name": "quick", "type": "EXPRESS", "roleArn": role, "definition": pass().to_string()});
    call(&aws, "CreateStateMachine", &asked).await;
    let response = post(
        &aws,
        START,
        &[("machine", "quick"), ("input", "{\"a\": \"<b>\"}")],
    )
    .await;
    let page = text(&response);
    assert_eq!(response.status(), 200);
    assert!(
        page.contains("Succeeded") && page.contains("&#34;a&#34;: &#34;&#60;b&#62;&#34;"),
        "{page}"
    );
}

#[tokio::test]
async fn no_other_page_can_start_one() {
    let aws = aws().await;
    machine(&aws, "one", &pass()).await;
    for (name, value) in [
        ("origin", "https://evil.example"),
        ("sec-fetch-site", "cross-site"),
    ] {
        let request = Request::post(START)
            .header(name, value)
            .header("content-type", "application/x-www-form-urlencoded");
        let response = answer(&aws, request, "machine=one&input=%7B%7D").await;
        assert_eq!(response.status(), 403);
    }
    let (_, page) = get(&aws, "/executions").await;
    assert!(page.contains("No execution yet"), "{page}");
}
