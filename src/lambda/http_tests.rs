//! The shapes of HTTP events, after the samples of AWS's documentation, and what nobody should send.

use super::*;
use axum::http::StatusCode;
use axum::response::IntoResponse;

/// <https://docs.aws.amazon.com/lambda/latest/dg/urls-invocation.html#urls-payloads>
fn function_url() -> Value {
    json!({
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": "/my/path",
        "rawQueryString": "parameter1=value1&parameter1=value2&parameter2=value",
        "cookies": ["cookie1", "cookie2"],
        "headers": {"header1": "value1", "header2": "value1,value2", "host": "abc.lambda-url.us-west-2.on.aws"},
        "queryStringParameters": {"parameter1": "value1,value2", "parameter2": "value"},
        "requestContext": {
            "accountId": "123456789012",
            "apiId": "abc",
            "authentication": null,
            "authorizer": {"iam": {"accessKey": "AKIA...", "userArn": "arn:aws:iam::111122223333:user/example-user"}},
            "domainName": "abc.lambda-url.us-west-2.on.aws",
            "domainPrefix": "abc",
            "http": {
                "method": "POST", "path": "/my/path", "protocol": "HTTP/1.1", "sourceIp": "123.123.123.123", "userAgent": "agent",
            },
            "requestId": "id",
            "routeKey": "$default",
            "stage": "$default",
            "time": "12/Mar/2020:19:03:58 +0000",
            "timeEpoch": 1_583_348_638_390_u64,
        },
        "body": "Hello from client!",
        "pathParameters": null,
        "isBase64Encoded": false,
        "stageVariables": null,
    })
}

/// <https://docs.aws.amazon.com/apigateway/latest/developerguide/set-up-lambda-proxy-integrations.html>
fn rest_api() -> Value {
    json!({
        "resource": "/{proxy+}",
        "path": "/my/path",
        "httpMethod": "GET",
        "headers": {"header1": "value1", "header2": "value2", "Host": "id.execute-api.us-east-1.amazonaws.com"},
        "multiValueHeaders": {
            "header1": ["value1"], "header2": ["value1", "value2"], "Host": ["id.execute-api.us-east-1.amazonaws.com"],
        },
        "queryStringParameters": {"parameter1": "value2", "parameter2": "a value"},
        "multiValueQueryStringParameters": {"parameter1": ["value1", "value2"], "parameter2": ["a value"]},
        "requestContext": {
            "accountId": "123456789012",
            "apiId": "id",
            "authorizer": {"claims": null, "scopes": null},
            "domainName": "id.execute-api.us-east-1.amazonaws.com",
            "httpMethod": "GET",
            "identity": {"sourceIp": "2001:db8::7", "userAgent": "user-agent"},
            "path": "/prod/my/path",
            "stage": "prod",
        },
        "pathParameters": null,
        "stageVariables": null,
        "body": "SGVsbG8=",
        "isBase64Encoded": true,
    })
}

/// <https://docs.aws.amazon.com/lambda/latest/dg/services-alb.html>
fn load_balancer() -> Value {
    json!({
        "requestContext": {
            "elb": {"targetGroupArn": "arn:aws:elasticloadbalancing:us-east-1:123456789012:targetgroup/lambda-279XGJDqGZ5rsrHC2Fjr/49e9d65c45c6791a"},
        },
        "httpMethod": "GET",
        "path": "/lambda",
        "queryStringParameters": {"query": "1234ABCD", "name": "a%20b"},
        "headers": {
            "accept": "text/html", "host": "lambda-alb-123578498.us-east-1.elb.amazonaws.com",
            "x-forwarded-for": "10.0.0.1, 72.12.164.125", "x-forwarded-port": "80", "x-forwarded-proto": "http",
        },
        "body": "",
        "isBase64Encoded": false,
    })
}

fn read(event: &Value, base_path: &str) -> (Shape, Request) {
    let shape = Shape::of(event).expect("a request");
    (shape, request(shape, event, base_path))
}

fn address(request: &Request) -> Option<String> {
    let ConnectInfo(address) = request.extensions().get::<ConnectInfo<SocketAddr>>()?;
    Some(address.ip().to_string())
}

async fn text(request: Request) -> String {
    let bytes = axum::body::to_bytes(request.into_body(), 1_000).await;
    String::from_utf8(bytes.expect("short").to_vec()).expect("text")
}

#[tokio::test]
async fn a_function_url_s_request_is_read() {
    let (shape, request) = read(&function_url(), "");
    assert_eq!(shape, Shape::HttpApi);
    assert_eq!(request.method(), Method::POST);
    assert_eq!(
        request.uri(),
        "/my/path?parameter1=value1&parameter1=value2&parameter2=value"
    );
    assert_eq!(request.headers()["header2"], "value1,value2");
    assert!(
        request.headers().get("cookie").is_none(),
        "cookies say nothing here"
    );
    assert_eq!(address(&request).as_deref(), Some("123.123.123.123"));
    assert_eq!(text(request).await, "Hello from client!");
}

#[tokio::test]
async fn a_rest_api_s_request_is_read() {
    let (shape, request) = read(&rest_api(), "");
    assert_eq!(shape, Shape::RestApi);
    assert_eq!(
        request.uri(),
        "/my/path?parameter1=value1&parameter1=value2&parameter2=a+value"
    );
    let twice: Vec<_> = request.headers().get_all("header2").iter().collect();
    assert_eq!(twice, ["value1", "value2"]);
    assert_eq!(address(&request).as_deref(), Some("2001:db8::7"));
    assert_eq!(text(request).await, "Hello");
}

#[test]
fn a_load_balancer_s_request_is_read_with_the_address_that_it_saw_itself() {
    let (shape, request) = read(&load_balancer(), "");
    assert_eq!(shape, Shape::LoadBalancer { multi_value: false });
    assert_eq!(request.uri(), "/lambda?query=1234ABCD&name=a%20b");
    assert_eq!(address(&request).as_deref(), Some("72.12.164.125"));

    let mut several = load_balancer();
    several["multiValueHeaders"] =
        json!({"x-forwarded-for": ["1.1.1.1", "10.0.0.1, 72.12.164.125:4711"], "host": ["sign.example.com"]});
    several["multiValueQueryStringParameters"] = json!({"tag": ["a=b", "c=d"]});
    for one in ["headers", "queryStringParameters"] {
        several.as_object_mut().expect("an object").remove(one);
    }
    let (shape, request) = read(&several, "");
    assert_eq!(shape, Shape::LoadBalancer { multi_value: true });
    assert_eq!(request.uri(), "/lambda?tag=a=b&tag=c=d");
    assert_eq!(address(&request).as_deref(), Some("72.12.164.125"));
}

#[test]
fn a_stage_before_the_path_is_no_part_of_it_but_where_our_address_says_so() {
    let path = |raw: &str, stage: &str, base_path: &str| {
        let mut event = function_url();
        event["rawPath"] = json!(raw);
        event["rawQueryString"] = json!("");
        event["requestContext"]["stage"] = json!(stage);
        read(&event, base_path).1.uri().to_string()
    };
    // An HTTP API's stage stands in its path, whether or not the configured address has it.
    assert_eq!(path("/prod/s/x", "prod", ""), "/s/x");
    assert_eq!(path("/prod/s/x", "prod", "/prod"), "/prod/s/x");
    // Behind a domain with a base path, or with the stage in it.
    assert_eq!(path("/sign/s/x", "prod", "/sign"), "/sign/s/x");
    assert_eq!(path("/sign/prod/s/x", "prod", "/sign/prod"), "/sign/prod/s/x");
    assert_eq!(path("/prod/sign/s/x", "prod", "/sign"), "/sign/s/x");
    assert_eq!(path("/prod/sign/s/x", "prod", "/prod/sign"), "/prod/sign/s/x");
    // Only whole words, and never the whole address.
    assert_eq!(path("/product", "prod", ""), "/product");
    assert_eq!(path("/s/x", "s", ""), "/x");
    assert_eq!(path("/prod", "prod", ""), "/");
    assert_eq!(path("/s/x", "$default", ""), "/s/x");
}

#[test]
fn what_nobody_should_send_is_a_request_all_the_same() {
    let mut strange = vec![
        json!({"requestContext": {"http": null}}),
        json!({"requestContext": {"elb": 1}, "path": 7, "headers": [], "body": {}, "isBase64Encoded": "yes"}),
        json!({"requestContext": {}, "httpMethod": {}}),
        json!({"requestContext": {"http": {"method": "GE T", "sourceIp": "nobody"}}, "rawPath": "no/slash"}),
    ];
    for (host, path, query) in [
        ("a b", "/", ""),
        ("[::", "/s/\u{e9}\u{0}\r\n", "a=^<>\"`{}|\\"),
        ("x:99999", "//evil.example/../s", "a=%zz&b=#c"),
        ("@", "/?#", "\u{1f600}"),
        ("", "", " "),
    ] {
        let mut event = function_url();
        event["headers"] =
            json!({"host": host, "x-forwarded-proto": "java script", "bad name": "x", "x": "a\nb", "y": "é"});
        event["rawPath"] = json!(path);
        event["rawQueryString"] = json!(query);
        strange.push(event);
    }
    let mut long = function_url();
    long["rawPath"] = json!(format!("/s/{}", "x".repeat(100_000)));
    strange.push(long);
    for event in strange {
        let (_, request) = read(&event, "");
        assert!(request.uri().path().starts_with('/'), "{event}");
        assert!(request.uri().authority().is_none(), "{event}");
    }
}

#[tokio::test]
async fn an_answer_has_the_shape_that_its_sender_takes() {
    let page = || {
        let headers = [
            ("content-type", "text/html; charset=utf-8"),
            ("content-length", "5"),
            ("vary", "accept"),
        ];
        let mut response = (StatusCode::CONFLICT, headers, "<p>é").into_response();
        response
            .headers_mut()
            .append("vary", HeaderValue::from_static("origin"));
        response
    };
    let one = json!({"content-type": "text/html; charset=utf-8", "vary": "accept, origin"});
    let several = json!({"content-type": ["text/html; charset=utf-8"], "vary": ["accept", "origin"]});
    let whole = json!({"statusCode": 409, "body": "<p>é", "isBase64Encoded": false});
    let with = |fields: Value| {
        let mut answer = whole.clone();
        let fields = fields.as_object().expect("fields").clone();
        answer.as_object_mut().expect("an object").extend(fields);
        answer
    };
    for (shape, expected) in [
        (Shape::HttpApi, with(json!({"headers": one}))),
        (Shape::RestApi, with(json!({"multiValueHeaders": several}))),
        (
            Shape::LoadBalancer { multi_value: false },
            with(json!({"headers": one, "statusDescription": "409 Conflict"})),
        ),
        (
            Shape::LoadBalancer { multi_value: true },
            with(json!({"multiValueHeaders": several, "statusDescription": "409 Conflict"})),
        ),
    ] {
        assert_eq!(answer(shape, page()).await, expected, "{shape:?}");
    }

    let bytes = vec![0x89, b'P', b'N', b'G', 0xff];
    let picture = answer(Shape::HttpApi, bytes.into_response()).await;
    assert_eq!(
        (&picture["body"], &picture["isBase64Encoded"]),
        (&json!("iVBOR/8="), &json!(true))
    );
}
