//! SES over the wire, as an SDK would call it: what is taken, and what is refused as AWS refuses it.

use serde_json::{Value, json};

use crate::testing::target;
use crate::{AwsLocal, Options};

/// With the identity `example.com`.
async fn aws() -> AwsLocal {
    let aws = empty().await;
    let identity = json!({"EmailIdentity": "example.com"});
    assert_eq!(call(&aws, "POST", "/v2/email/identities", identity).await.0, 200);
    aws
}

async fn empty() -> AwsLocal {
    let options = Options::in_memory(|| "2026-11-21T09:00:00Z".parse().expect("a time"));
    AwsLocal::start(options).await.expect("it starts")
}

async fn call(aws: &AwsLocal, method: &str, path: &str, body: Value) -> (u16, String, Value) {
    let body = if body.is_null() {
        String::new()
    } else {
        body.to_string()
    };
    let request = http::Request::builder()
        .method(method)
        .uri(path)
        .body(body.into())
        .expect("a request");
    let response = aws.handle(request).await;
    let kind = response
        .headers()
        .get("x-amzn-errortype")
        .map(|kind| kind.to_str().expect("ASCII"));
    let kind = kind.unwrap_or_default().to_owned();
    (
        response.status().as_u16(),
        kind,
        serde_json::from_slice(response.body()).expect("JSON"),
    )
}

fn mail() -> Value {
    json!({
        "FromEmailAddress": "Example <no-reply@example.com>",
        "Destination": {"ToAddresses": ["=?UTF-8?B?Wm/Dqw==?= <Bob@example.com>"], "BccAddresses": ["eve@example.com"]},
        "Content": {"Simple": {
            "Subject": {"Data": "=?UTF-8?Q?Sign_=E2=80=9E3=E2=80=9C?="},
            "Body": {"Text": {"Data": "Go to https://example.com/s/x"}, "Html": {"Data": "<p>Hi</p>"}},
            "Headers": [{"Name": "X-Approval", "Value": "req_1"}],
        }},
        "EmailTags": [{"Name": "approval", "Value": "req_1"}],
        "ConfigurationSetName": "approvals",
    })
}

#[tokio::test]
async fn a_simple_mail_arrives_with_its_words_decoded() {
    let aws = aws().await;
    let (status, _, answer) = call(&aws, "POST", "/v2/email/outbound-emails", mail()).await;
    assert_eq!(status, 200);
    let mails = aws.mails_to("bob@EXAMPLE.com");
    assert_eq!(mails.len(), 1);
    let mail = &mails[0];
    assert_eq!(answer["MessageId"], mail.id);
    assert_eq!(mail.subject, "Sign „3“");
    assert_eq!(mail.header("to"), Some("Zoë <Bob@example.com>"));
    assert_eq!(mail.header("x-approval"), Some("req_1"));
    assert_eq!(mail.header("bcc"), None);
    assert_eq!(mail.recipients, ["Bob@example.com", "eve@example.com"]);
    assert_eq!(mail.links(), ["https://example.com/s/x"]);
    assert_eq!(mail.tags, [("approval".to_owned(), "req_1".to_owned())]);
    assert_eq!(aws.mails_to("eve@example.com"), mails);
    assert_eq!(aws.mails_to("nobody@example.com"), []);
}

#[tokio::test]
async fn a_raw_mail_is_read() {
    let aws = aws().await;
    let mime = "From: Alice <alice@example.com>\r\nTo: Bob <bob@example.com>,\r\n carol@example.com\r\n\
                Bcc: eve@example.com\r\nSubject: =?UTF-8?Q?Gr=C3=BC=C3=9Fe?=\r\nMIME-Version: 1.0\r\n\
                Content-Type: multipart/mixed; boundary=b\r\n\r\n\
                --b\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: base64\r\n\r\n\
                SGVsbG8=\r\n--b\r\nContent-Type: text/html\r\n\r\n<b>Hello</b>\r\n\
                --b\r\nContent-Type: application/pdf\r\nContent-Disposition: attachment; filename=\"a.pdf\"\r\n\r\nPDF\r\n--b--\r\n";
    let data = data_encoding::BASE64.encode(mime.as_bytes());
    let body = json!({"Content": {"Raw": {"Data": data}}});
    assert_eq!(call(&aws, "POST", "/v2/email/outbound-emails", body).await.0, 200);
    let mails = aws.mails();
    let mail = &mails[0];
    assert_eq!(mail.from, "Alice <alice@example.com>");
    assert_eq!(
        mail.recipients,
        ["bob@example.com", "carol@example.com", "eve@example.com"]
    );
    assert_eq!(mail.subject, "Grüße");
    assert_eq!(mail.text.as_deref(), Some("Hello"));
    assert_eq!(mail.html.as_deref().map(str::trim), Some("<b>Hello</b>"));
    assert_eq!(
        mail.header("to"),
        Some("Bob <bob@example.com>, carol@example.com")
    );
    assert_eq!(mail.header("bcc"), None);
    assert_eq!(mail.attachments.len(), 1);
    assert_eq!(
        (mail.attachments[0].name.as_str(), mail.attachments[0].bytes),
        ("a.pdf", 3)
    );
}

#[tokio::test]
async fn what_aws_refuses_is_refused() {
    let aws = aws().await;
    let changed = |pointer: &str, value: Value| {
        let mut mail = mail();
        *mail.pointer_mut(pointer).expect("a place") = value;
        mail
    };
    let simple = "/Content/Simple";
    let many: Vec<String> = (0..51).map(|n| format!("a{n}@example.com")).collect();
    for body in [
        json!({}),
        changed("/Content", json!({})),
        changed("/FromEmailAddress", json!("nobody")),
        changed("/FromEmailAddress", json!("Zoë <zoe@example.com>")),
        changed(
            "/Destination/ToAddresses/0",
            json!("bob@example.com\r\nBcc: eve@example.com"),
        ),
        changed("/Destination/ToAddresses/0", json!("bob@exa mple.com")),
        changed("/Destination/ToAddresses", json!(many)),
        changed("/Destination", json!({})),
        changed(
            &format!("{simple}/Subject/Data"),
            json!("Hi\r\nBcc: eve@example.com"),
        ),
        changed(&format!("{simple}/Body"), json!({})),
        changed(&format!("{simple}/Headers/0/Value"), json!("a\nb")),
        changed(&format!("{simple}/Headers/0/Name"), json!("a b")),
        changed(&format!("{simple}/Headers/0/Name"), json!("Subject")),
        changed("/EmailTags/0/Value", json!("a b")),
        json!({"Content": {"Raw": {"Data": "!"}}}),
    ] {
        let shown = body.to_string();
        let (status, kind, _) = call(&aws, "POST", "/v2/email/outbound-emails", body).await;
        assert_eq!((status, kind.as_str()), (400, "BadRequestException"), "{shown}");
    }
    let large = changed(
        &format!("{simple}/Body/Text/Data"),
        json!("x".repeat(41 * 1024 * 1024)),
    );
    let (status, kind, _) = call(&aws, "POST", "/v2/email/outbound-emails", large).await;
    assert_eq!((status, kind.as_str()), (400, "MessageRejected"));
    let template =
        json!({"FromEmailAddress": "a@example.com", "Content": {"Template": {"TemplateName": "t"}}});
    let (status, kind, _) = call(&aws, "POST", "/v2/email/outbound-emails", template).await;
    assert_eq!((status, kind.as_str()), (501, "UnsupportedOperation"));
    assert_eq!(aws.mails(), []);
}

#[tokio::test]
async fn identities_are_kept() {
    let aws = empty().await;
    let create = |name: &str| json!({"EmailIdentity": name});
    for name in ["example.com", "bob@example.com", "alice@example.com"] {
        let (status, _, answer) = call(&aws, "POST", "/v2/email/identities", create(name)).await;
        assert_eq!((status, &answer["VerifiedForSendingStatus"]), (200, &json!(true)));
    }
    let again = call(&aws, "POST", "/v2/email/identities", create("example.com")).await;
    assert_eq!((again.0, again.1.as_str()), (400, "AlreadyExistsException"));
    let (_, _, page) = call(&aws, "POST", "/v2/email/list-identities", json!({"PageSize": 2})).await;
    assert_eq!(page["EmailIdentities"][1]["IdentityName"], "bob@example.com");
    let next = json!({"NextToken": page["NextToken"], "PageSize": 2});
    let (_, _, page) = call(&aws, "POST", "/v2/email/list-identities", next).await;
    assert_eq!(page["EmailIdentities"][0]["IdentityType"], "DOMAIN");
    assert_eq!(page.get("NextToken"), None);
    let (status, ..) = call(
        &aws,
        "DELETE",
        "/v2/email/identities/bob%40example.com",
        Value::Null,
    )
    .await;
    assert_eq!(status, 200);
    let (status, kind, _) = call(&aws, "GET", "/v2/email/identities/bob%40example.com", Value::Null).await;
    assert_eq!((status, kind.as_str()), (404, "NotFoundException"));
    let (_, _, account) = call(&aws, "GET", "/v2/email/account", Value::Null).await;
    assert_eq!(account["SendingEnabled"], true);
}

#[tokio::test]
async fn a_sender_must_be_an_identity_by_address_or_domain() {
    for (identity, expected) in [
        ("other.example", 400),
        ("ample.com", 400),
        ("alice@example.com", 400),
        ("No-Reply@Example.com", 200),
        ("example.com", 200),
        ("com", 200),
    ] {
        let aws = empty().await;
        let create = json!({"EmailIdentity": identity});
        assert_eq!(call(&aws, "POST", "/v2/email/identities", create).await.0, 200);
        let (status, _, body) = call(&aws, "POST", "/v2/email/outbound-emails", mail()).await;
        assert_eq!(status, expected, "{identity}: {body}");
    }
    let (status, kind, body) = call(&empty().await, "POST", "/v2/email/outbound-emails", mail()).await;
    assert_eq!((status, kind.as_str()), (400, "MessageRejected"));
    let message = body["message"].as_str().unwrap_or_default();
    assert!(
        message.starts_with("Email address is not verified. The following identities"),
        "{message}"
    );
}

/// The set `approvals`, whose events go to the bus, and from there to the queue `mails`.
async fn told() -> AwsLocal {
    let aws = aws().await;
    let set = json!({"ConfigurationSetName": "approvals", "Tags": [{"Key": "team", "Value": "legal"}]});
    assert_eq!(
        call(&aws, "POST", "/v2/email/configuration-sets", set).await.0,
        200
    );
    let destination = json!({"EventDestinationName": "bus", "EventDestination": {
        "Enabled": true,
        "MatchingEventTypes": ["DELIVERY", "BOUNCE", "COMPLAINT"],
        "EventBridgeDestination": {"EventBusArn": "arn:aws:events:us-east-1:123456789012:event-bus/default"},
    }});
    let path = "/v2/email/configuration-sets/approvals/event-destinations";
    assert_eq!(call(&aws, "POST", path, destination).await.0, 200);
    for (operation, body) in [
        ("AmazonSQS.CreateQueue", json!({"QueueName": "mails"})),
        (
            "AWSEvents.PutRule",
            json!({"Name": "mails", "EventPattern": json!({"source": ["aws.ses"]}).to_string()}),
        ),
        (
            "AWSEvents.PutTargets",
            json!({"Rule": "mails", "Targets": [{"Id": "q", "Arn": "arn:aws:sqs:us-east-1:123456789012:mails"}]}),
        ),
    ] {
        let (status, answer) = target(&aws, operation, body).await;
        assert_eq!(status, 200, "{operation}: {answer}");
    }
    aws
}

/// What comes into the queue `mails`, within two seconds.
async fn events(aws: &AwsLocal) -> Vec<Value> {
    tokio::time::sleep(std::time::Duration::from_secs(2)).await;
    let body = json!({"QueueUrl": "mails", "MaxNumberOfMessages": 10});
    let (_, answer) = target(aws, "AmazonSQS.ReceiveMessage", body).await;
    let messages = answer["Messages"].as_array().cloned().unwrap_or_default();
    let event =
        |message: &Value| serde_json::from_str(message["Body"].as_str().expect("text")).expect("JSON");
    messages.iter().map(event).collect()
}

#[tokio::test(start_paused = true)]
async fn what_becomes_of_a_mail_goes_to_the_bus_and_on_to_a_queue() {
    for (address, expected) in [
        ("bob@example.com", vec!["Email Delivered"]),
        ("success@simulator.amazonses.com", vec!["Email Delivered"]),
        ("Bounce+12@simulator.amazonses.com", vec!["Email Bounced"]),
        ("suppressionlist@simulator.amazonses.com", vec!["Email Bounced"]),
        (
            "complaint@simulator.amazonses.com",
            vec!["Email Delivered", "Email Complaint Received"],
        ),
    ] {
        let aws = told().await;
        let mut mail = mail();
        mail["Destination"] = json!({"ToAddresses": [address]});
        let (status, _, answer) = call(&aws, "POST", "/v2/email/outbound-emails", mail).await;
        assert_eq!(status, 200);
        let events = events(&aws).await;
        let kinds: Vec<&str> = events
            .iter()
            .map(|event| event["detail-type"].as_str().expect("text"))
            .collect();
        assert_eq!(kinds, expected, "{address}");
        for event in events {
            let mail = &event["detail"]["mail"];
            assert_eq!(event["source"], "aws.ses");
            assert_eq!(
                event["resources"],
                json!(["arn:aws:ses:us-east-1:123456789012:configuration-set/approvals"])
            );
            assert_eq!(mail["messageId"], answer["MessageId"]);
            assert_eq!(mail["destination"], json!([address]));
            assert_eq!(mail["tags"]["approval"], json!(["req_1"]));
            assert_eq!(mail["tags"]["ses:configuration-set"], json!(["approvals"]));
            if event["detail"]["eventType"] == "Bounce" {
                let bounce = &event["detail"]["bounce"];
                assert_eq!(bounce["bounceType"], "Permanent");
                assert_eq!(bounce["bouncedRecipients"][0]["status"], "5.1.1");
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn each_recipient_has_what_becomes_of_the_mail_to_it() {
    let aws = told().await;
    let (bob, gone) = ("bob@example.com", "bounce@simulator.amazonses.com");
    let mut mail = mail();
    mail["Destination"] = json!({"BccAddresses": [bob, gone]});
    assert_eq!(call(&aws, "POST", "/v2/email/outbound-emails", mail).await.0, 200);
    let events = events(&aws).await;
    let details: Vec<&Value> = events.iter().map(|event| &event["detail"]).collect();
    assert_eq!(details.len(), 2, "{details:?}");
    assert_eq!(details[0]["delivery"]["recipients"], json!([bob]));
    assert_eq!(
        details[1]["bounce"]["bouncedRecipients"][0]["emailAddress"],
        json!(gone)
    );
    assert_eq!(details[1]["bounce"]["bouncedRecipients"][1], Value::Null);
    for detail in details {
        assert_eq!(detail["mail"]["destination"], json!([bob, gone]));
        assert_eq!(detail["mail"]["commonHeaders"]["to"], json!([]));
    }
}

#[tokio::test]
async fn destinations_made_at_the_same_moment_are_all_kept() {
    let aws = empty().await;
    for name in ["a", "b", "c"] {
        let set = json!({"ConfigurationSetName": name});
        assert_eq!(
            call(&aws, "POST", "/v2/email/configuration-sets", set).await.0,
            200
        );
    }
    let list = "/v2/email/list-configuration-sets";
    let (_, _, page) = call(&aws, "POST", list, json!({"PageSize": 2})).await;
    assert_eq!(page["ConfigurationSets"], json!(["a", "b"]));
    let (_, _, page) = call(&aws, "POST", list, json!({"NextToken": page["NextToken"]})).await;
    assert_eq!(page, json!({"ConfigurationSets": ["c"]}));

    let path = "/v2/email/configuration-sets/a/event-destinations";
    let mut created = tokio::task::JoinSet::new();
    for n in 0..10 {
        let aws = aws.clone();
        let destination = json!({"EventDestinationName": format!("d{n}"), "EventDestination": {
            "MatchingEventTypes": ["BOUNCE"],
            "EventBridgeDestination": {"EventBusArn": "arn:aws:events:us-east-1:123456789012:event-bus/default"},
        }});
        created.spawn(async move { call(&aws, "POST", path, destination).await });
    }
    for answer in created.join_all().await {
        assert_eq!(answer.0, 200, "{}", answer.2);
    }
    let (_, _, answer) = call(&aws, "GET", path, Value::Null).await;
    assert_eq!(answer["EventDestinations"].as_array().map(Vec::len), Some(10));
}

#[tokio::test(start_paused = true)]
async fn configuration_sets_and_their_destinations_are_kept() {
    let aws = told().await;
    let sets = "/v2/email/configuration-sets";
    let set = "/v2/email/configuration-sets/approvals";
    let (_, _, answer) = call(&aws, "GET", set, Value::Null).await;
    assert_eq!(answer["ConfigurationSetName"], "approvals");
    assert_eq!(answer["Tags"], json!([{"Key": "team", "Value": "legal"}]));
    assert!(answer["TrackingOptions"].is_null() && answer["EventDestinations"].is_null());
    let (_, _, answer) = call(&aws, "GET", sets, Value::Null).await;
    assert_eq!(answer["ConfigurationSets"], json!(["approvals"]));

    let vdm = json!({"VdmOptions": {"DashboardOptions": {"EngagementMetrics": "ENABLED"}}});
    assert_eq!(
        call(&aws, "PUT", &format!("{set}/vdm-options"), vdm.clone())
            .await
            .0,
        200
    );
    let (_, _, answer) = call(&aws, "GET", set, Value::Null).await;
    assert_eq!(answer["VdmOptions"], vdm["VdmOptions"]);

    let domain = json!({"CustomRedirectDomain": "links.example.com"});
    let tracking = format!("{set}/tracking-options");
    assert_eq!(call(&aws, "PUT", &tracking, domain.clone()).await.0, 200);
    let (_, _, answer) = call(&aws, "GET", set, Value::Null).await;
    assert_eq!(answer["TrackingOptions"], domain);
    assert_eq!(call(&aws, "PUT", &tracking, json!({})).await.0, 200);
    let (_, _, answer) = call(&aws, "GET", set, Value::Null).await;
    assert!(answer["TrackingOptions"].is_null());

    let path = format!("{set}/event-destinations");
    let (_, _, answer) = call(&aws, "GET", &path, Value::Null).await;
    assert_eq!(answer["EventDestinations"][0]["Name"], "bus");
    let bus = json!({"EventBusArn": "arn:aws:events:us-east-1:123456789012:event-bus/default"});
    let changed = json!({"EventDestination": {
        "Enabled": true, "MatchingEventTypes": ["BOUNCE"], "EventBridgeDestination": bus,
    }});
    assert_eq!(call(&aws, "PUT", &format!("{path}/bus"), changed).await.0, 200);
    assert_eq!(
        call(&aws, "POST", "/v2/email/outbound-emails", mail()).await.0,
        200
    );
    assert!(
        events(&aws).await.is_empty(),
        "deliveries aren't asked for any more"
    );

    let sns = json!({"EventDestinationName": "sns", "EventDestination": {
        "MatchingEventTypes": ["BOUNCE"], "SnsDestination": {"TopicArn": "arn:aws:sns:us-east-1:1:t"},
    }});
    let again = json!({"ConfigurationSetName": "approvals"});
    for (method, path, body, status, kind) in [
        ("POST", sets.to_owned(), again, 400, "AlreadyExistsException"),
        (
            "POST",
            sets.to_owned(),
            json!({"ConfigurationSetName": "a b"}),
            400,
            "BadRequestException",
        ),
        (
            "GET",
            format!("{sets}/none"),
            Value::Null,
            404,
            "NotFoundException",
        ),
        (
            "DELETE",
            format!("{path}/none"),
            Value::Null,
            404,
            "NotFoundException",
        ),
        (
            "POST",
            path.clone(),
            json!({"EventDestinationName": "x", "EventDestination": {}}),
            400,
            "BadRequestException",
        ),
    ] {
        let answer = call(&aws, method, &path, body).await;
        assert_eq!(
            (answer.0, answer.1.as_str()),
            (status, kind),
            "{method} {path}: {}",
            answer.2
        );
    }
    assert_ne!(
        call(&aws, "POST", &path, sns).await.0,
        200,
        "only EventBridge is embedded"
    );

    let sending = format!("{set}/sending");
    let on = json!({"SendingEnabled": true});
    assert_eq!(call(&aws, "PUT", &sending, on).await.0, 200);
    assert_eq!(
        call(&aws, "POST", "/v2/email/outbound-emails", mail()).await.0,
        200
    );
    // A switch that isn't mentioned is off: some SDKs leave out what is false.
    assert_eq!(call(&aws, "PUT", &sending, json!({})).await.0, 200);
    let refused = call(&aws, "POST", "/v2/email/outbound-emails", mail()).await;
    assert_eq!(refused.1, "SendingPausedException");
    assert_eq!(call(&aws, "DELETE", set, Value::Null).await.0, 200);
    assert_eq!(
        call(&aws, "POST", "/v2/email/outbound-emails", mail()).await.0,
        200
    );
}
