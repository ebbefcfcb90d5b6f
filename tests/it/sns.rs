//! SNS's signatures: right ones of every kind of message, and wrong ones of every kind. The keys and certificates are made
//! here, anew in each run.

use aws_lc_rs::encoding::{AsDer, PublicKeyX509Der};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{KeyPair, KeySize};
use aws_lc_rs::signature::{KeyPair as _, RSA_PKCS1_SHA256};
use countersign::domain::sns::{SnsError, SnsMessage, shaped};
use countersign::mail::certificates::Certificates;
use serde_json::{Value, json};
use std::sync::{Arc, LazyLock};

pub(crate) const TOPIC: &str = "arn:aws:sns:eu-central-1:123456789012:mails";
pub(crate) const CERTIFICATE: &str =
    "https://sns.eu-central-1.amazonaws.com/SimpleNotificationService-0123456789abcdef0123456789abcdef.pem";

/// What signs in the name of SNS in these tests; its certificate lies at [`CERTIFICATE`].
pub(crate) static SNS: LazyLock<Signer> = LazyLock::new(|| Signer::new("sns.amazonaws.com"));

/// A web in which there is that certificate and nothing else but what confirms subscriptions.
pub(crate) fn certificates() -> Certificates {
    Certificates::new(Arc::new(|url| {
        let found = match url.as_str() {
            CERTIFICATE => Ok((http::StatusCode::OK, SNS.pem.clone().into())),
            url if url.contains("/?Action=ConfirmSubscription&") => {
                Ok((http::StatusCode::OK, bytes::Bytes::new()))
            }
            _ => Err("nobody is there".to_owned()),
        };
        Box::pin(async move { found })
    }))
}

pub(crate) struct Signer {
    key: KeyPair,
    pem: Vec<u8>,
}

/// DER: a tag, a length, and what is in it.
fn der(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
    let content = parts.concat();
    let length = content.len();
    let mut out = vec![tag];
    match u8::try_from(length) {
        Ok(short) if short < 0x80 => out.push(short),
        Ok(byte) => out.extend([0x81, byte]),
        Err(_) => out.extend([
            0x82,
            u8::try_from(length >> 8).expect("under 64 KiB"),
            u8::try_from(length & 0xff).expect("a byte"),
        ]),
    }
    out.extend(content);
    out
}

impl Signer {
    /// A key, with a certificate for the host `name` that it signs itself.
    fn new(name: &str) -> Self {
        let key = KeyPair::generate(KeySize::Rsa2048).expect("a key");
        let algorithm = [0x30, 13, 6, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 13, 1, 1, 11, 5, 0];
        let public: PublicKeyX509Der<'_> = key.public_key().as_der().expect("its public half");
        let common_name = der(
            0x30,
            &[&der(
                0x31,
                &[&der(0x30, &[&[6, 3, 0x55, 4, 3], &der(0x0c, &[name.as_bytes()])])],
            )],
        );
        let validity = der(
            0x30,
            &[&der(0x17, &[b"250101000000Z"]), &der(0x17, &[b"450101000000Z"])],
        );
        let names = der(0x30, &[&der(0x82, &[name.as_bytes()])]);
        let extension = der(0x30, &[&[6, 3, 0x55, 0x1d, 0x11], &der(0x04, &[&names])]);
        let extensions = der(0xa3, &[&der(0x30, &[&extension])]);
        let body = der(
            0x30,
            &[
                &[0xa0, 3, 2, 1, 2, 2, 1, 1],
                &algorithm,
                &common_name,
                &validity,
                &common_name,
                public.as_ref(),
                &extensions,
            ],
        );
        let signature = sign(&key, &body);
        let certificate = der(0x30, &[&body, &algorithm, &der(0x03, &[&[0], &signature])]);
        let lines = data_encoding::BASE64.encode(&certificate);
        let lines: Vec<&str> = lines
            .as_bytes()
            .chunks(64)
            .map(|line| std::str::from_utf8(line).expect("ASCII"))
            .collect();
        let pem = format!(
            "-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----\n",
            lines.join("\n")
        );
        Self {
            key,
            pem: pem.into_bytes(),
        }
    }

    /// A message of this kind, signed.
    pub(crate) fn message(&self, kind: &str, more: &Value) -> Value {
        let mut message = json!({
            "Type": kind,
            "MessageId": "22b80b92-fdea-4c2c-8f9d-bdfb0c7bf324",
            "TopicArn": TOPIC,
            "Message": "{\"eventType\":\"Delivery\"}\nand a line",
            "Timestamp": "2026-11-21T09:00:00.000Z",
            "SignatureVersion": "2",
            "SigningCertURL": CERTIFICATE,
        });
        if let (Value::Object(message), Value::Object(more)) = (&mut message, more) {
            message.extend(more.clone());
        }
        let text = SnsMessage::deserialize(&message)
            .expect("a message")
            .signed_text();
        message["Signature"] = json!(data_encoding::BASE64.encode(&sign(&self.key, text.as_bytes())));
        message
    }
}

fn sign(key: &KeyPair, text: &[u8]) -> Vec<u8> {
    let mut signature = vec![0; key.public_modulus_len()];
    key.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), text, &mut signature)
        .expect("signed");
    signature
}

/// What is signed, as AWS documents it: names and values in this order, a line each.
fn signed_text(message: &Value) -> String {
    let names: &[&str] = if message["Type"] == "Notification" {
        &["Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type"]
    } else {
        &[
            "Message",
            "MessageId",
            "SubscribeURL",
            "Timestamp",
            "Token",
            "TopicArn",
            "Type",
        ]
    };
    let given = names
        .iter()
        .filter_map(|name| Some((name, message[*name].as_str()?)));
    given.map(|(name, value)| format!("{name}\n{value}\n")).collect()
}

fn topics() -> Vec<String> {
    vec![TOPIC.to_owned()]
}

fn check(message: &Value, pem: &[u8]) -> Result<SnsMessage, SnsError> {
    let message = SnsMessage::read(message, &topics())?;
    message.verify(pem)?;
    Ok(message)
}

fn confirmation() -> Value {
    json!({
        "Token": "2336412f37",
        "SubscribeURL": "https://sns.eu-central-1.amazonaws.com/?Action=ConfirmSubscription&TopicArn=x&Token=2336412f37",
    })
}

#[test]
fn what_sns_signs_is_believed() {
    let sns = Signer::new("sns.amazonaws.com");
    for message in [
        sns.message("Notification", &json!({})),
        sns.message(
            "Notification",
            &json!({"Subject": "Amazon SES Email Event Notification"}),
        ),
        sns.message(
            "Notification",
            &json!({"Subject": null, "MessageAttributes": {}, "UnsubscribeURL": "https://x"}),
        ),
        sns.message("SubscriptionConfirmation", &confirmation()),
        sns.message("UnsubscribeConfirmation", &confirmation()),
    ] {
        let read = check(&message, &sns.pem).expect("right");
        assert_eq!(read.topic_arn, TOPIC);
        // The same message again is as good: what it tells is noted once.
        assert_eq!(check(&message, &sns.pem).as_ref(), Ok(&read));
    }
    // In China the certificate bears the region's own host.
    let regional = Signer::new("sns.eu-central-1.amazonaws.com");
    assert!(check(&regional.message("Notification", &json!({})), &regional.pem).is_ok());
}

#[test]
fn no_flipped_bit_goes_unseen() {
    let sns = Signer::new("sns.amazonaws.com");
    let good = sns.message("Notification", &json!({"Subject": "s"}));
    for field in ["Message", "MessageId", "Subject", "Timestamp", "Signature"] {
        let text = good[field].as_str().expect("text");
        for at in 0..text.len() {
            let mut bytes = text.as_bytes().to_vec();
            bytes[at] ^= 1;
            let mut changed = good.clone();
            changed[field] = json!(String::from_utf8(bytes).expect("ASCII stays ASCII"));
            assert_eq!(
                check(&changed, &sns.pem),
                Err(SnsError::Signature),
                "{field} at {at}"
            );
        }
    }
    let mut without = good.clone();
    without["Subject"] = Value::Null;
    assert_eq!(check(&without, &sns.pem), Err(SnsError::Signature));
    let mut turned = good;
    turned["Type"] = json!("UnsubscribeConfirmation");
    assert_eq!(check(&turned, &sns.pem), Err(SnsError::Signature));
}

#[test]
fn others_keys_topics_hosts_and_versions_are_refused() {
    let (sns, other) = (Signer::new("sns.amazonaws.com"), Signer::new("sns.amazonaws.com"));
    let good = sns.message("Notification", &json!({}));
    assert_eq!(check(&good, &other.pem), Err(SnsError::Signature));
    let stranger = Signer::new("sns.amazonaws.com.evil.example");
    let forged = stranger.message("Notification", &json!({}));
    assert_eq!(check(&forged, &stranger.pem), Err(SnsError::Certificate));
    assert_eq!(check(&good, b"no certificate"), Err(SnsError::Certificate));
    let empty = b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    assert_eq!(check(&good, empty), Err(SnsError::Certificate));

    let with =
        |field: &str, value: Value| check(&sns.message("Notification", &json!({field: value})), &sns.pem);
    assert_eq!(
        with("TopicArn", json!("arn:aws:sns:eu-central-1:123456789012:others")),
        Err(SnsError::Topic)
    );
    assert_eq!(
        with("SignatureVersion", json!("1")),
        Err(SnsError::Version("1".to_owned()))
    );
    assert_eq!(
        with("SignatureVersion", Value::Null),
        Err(SnsError::Version("none".to_owned()))
    );
    let mut other_type = sns.message("Notification", &json!({}));
    other_type["Type"] = json!("Other");
    assert_eq!(check(&other_type, &sns.pem), Err(SnsError::Form));
    let told = SnsError::Version("1".to_owned()).to_string();
    assert!(told.contains("SignatureVersion to 2"), "{told}");
    for elsewhere in [
        "http://sns.eu-central-1.amazonaws.com/SimpleNotificationService-0123456789abcdef.pem",
        "https://sns.us-east-1.amazonaws.com/SimpleNotificationService-0123456789abcdef.pem",
        "https://sns.eu-central-1.amazonaws.com.evil.example/SimpleNotificationService-0123456789abcdef.pem",
        "https://sns.eu-central-1.amazonaws.com@evil.example/SimpleNotificationService-0123456789abcdef.pem",
        "https://evil.example/sns.eu-central-1.amazonaws.com/SimpleNotificationService-0123456789abcdef.pem",
        "https://sns.eu-central-1.amazonaws.com:444/SimpleNotificationService-0123456789abcdef.pem",
        "https://sns.eu-central-1.amazonaws.com/../SimpleNotificationService-0123456789abcdef.pem",
        "https://sns.eu-central-1.amazonaws.com/SimpleNotificationService-0123/../../x.pem",
        "https://sns.eu-central-1.amazonaws.com/SimpleNotificationService-0123456789abcdef.pem?x",
        "https://bucket.s3.amazonaws.com/SimpleNotificationService-0123456789abcdef.pem",
        "",
    ] {
        assert_eq!(
            with("SigningCertURL", json!(elsewhere)),
            Err(SnsError::CertificateUrl),
            "{elsewhere}"
        );
    }
}

#[test]
fn the_host_follows_the_topics_region_and_partition() {
    for (arn, host, fits) in [
        (
            "arn:aws-cn:sns:cn-north-1:1:t",
            "sns.cn-north-1.amazonaws.com.cn",
            true,
        ),
        (
            "arn:aws-us-gov:sns:us-gov-west-1:1:t",
            "sns.us-gov-west-1.amazonaws.com",
            true,
        ),
        (
            "arn:aws-cn:sns:cn-north-1:1:t",
            "sns.cn-north-1.amazonaws.com",
            false,
        ),
        (
            "arn:aws:sns:eu-west-1:1:t",
            "sns.eu-west-1.amazonaws.com.cn",
            false,
        ),
        (
            "arn:aws-iso:sns:us-iso-east-1:1:t",
            "sns.us-iso-east-1.amazonaws.com",
            false,
        ),
        ("arn:aws:sqs:eu-west-1:1:t", "sns.eu-west-1.amazonaws.com", false),
        (
            "arn:aws:sns:evil.example/:1:t",
            "sns.evil.example/.amazonaws.com",
            false,
        ),
        ("arn:aws:sns::1:t", "sns..amazonaws.com", false),
    ] {
        let url = format!("https://{host}/SimpleNotificationService-0123456789abcdef.pem");
        let message = SNS.message("Notification", &json!({"TopicArn": arn, "SigningCertURL": url}));
        assert_eq!(
            SnsMessage::read(&message, &[arn.to_owned()]).is_ok(),
            fits,
            "{arn} {host}"
        );
    }
}

#[test]
fn a_subscription_is_confirmed_at_sns_alone() {
    let sns = Signer::new("sns.amazonaws.com");
    let with = |url: &str| {
        let message = sns.message(
            "SubscriptionConfirmation",
            &json!({"Token": "t", "SubscribeURL": url}),
        );
        check(&message, &sns.pem).expect("signed").subscribes_at_sns()
    };
    assert!(with(
        "https://sns.eu-central-1.amazonaws.com/?Action=ConfirmSubscription&TopicArn=a&Token=t"
    ));
    for elsewhere in [
        "https://evil.example/?Action=ConfirmSubscription&TopicArn=a&Token=t",
        "http://sns.eu-central-1.amazonaws.com/?Action=ConfirmSubscription&Token=t",
        "https://sns.eu-central-1.amazonaws.com/?Action=Unsubscribe&Token=t",
        "https://sns.eu-central-1.amazonaws.com/?Action=ConfirmSubscription& HTTP/1.1\r\nX: y",
        "https://sns.us-east-1.amazonaws.com/?Action=ConfirmSubscription&Token=t",
    ] {
        assert!(!with(elsewhere), "{elsewhere}");
    }
}

#[test]
fn lambdas_record_is_read_like_the_message() {
    let sns = Signer::new("sns.amazonaws.com");
    let mut message = sns.message("Notification", &json!({}));
    let url = message["SigningCertURL"].take();
    message
        .as_object_mut()
        .expect("an object")
        .remove("SigningCertURL");
    message["SigningCertUrl"] = url;
    message["UnsubscribeUrl"] = json!("https://sns.eu-central-1.amazonaws.com/?Action=Unsubscribe");
    let record = json!({"EventSource": "aws:sns", "EventVersion": "1.0", "Sns": message});
    let inner = shaped(&record).expect("a message");
    assert!(check(inner, &sns.pem).is_ok());
    assert!(shaped(&json!({"eventType": "Bounce"})).is_none());
    assert!(shaped(&json!({"Sns": {}})).is_none());
}
