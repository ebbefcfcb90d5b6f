//! What becomes of a mail, told as SES tells it: to EventBridge, for mails with a configuration set that has a destination
//! for it. Every mail arrives in the mailbox and so is delivered, but for those to AWS's mailbox simulator, whose
//! addresses say what becomes of them.
//!
//! <https://docs.aws.amazon.com/ses/latest/dg/send-an-email-from-console.html#send-email-simulator>

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::configuration_sets::wants;
use super::{Ses, message};
use crate::mailbox::Mail;
use crate::{ACCOUNT, REGION};

/// How long after a mail was taken its events come: never before its sender has the answer.
const AFTER: Duration = Duration::from_millis(500);
const SIMULATOR: &str = "simulator.amazonses.com";

impl Ses {
    /// Has it told what becomes of `mail`, a moment from now, to whom its configuration set says.
    pub(super) fn tell_of(&self, mail: Mail, set: Value) {
        let name = set["ConfigurationSetName"].as_str().unwrap_or_default();
        let about = format!("arn:aws:ses:{REGION}:{ACCOUNT}:configuration-set/{name}");
        let (bus, source) = (Arc::clone(&self.bus), self.source.clone());
        drop(self.tasks.spawn(async move {
            tokio::time::sleep(AFTER).await;
            for what in becomes(&mail) {
                if !wants(&set, what.matching) {
                    continue;
                }
                let event = what.event(&mail, source.now(), &source.uuid());
                if let Err(error) = bus.put_own("aws.ses", what.detail_type, &about, &event).await {
                    tracing::warn!(aws.error.code = error.code(), "an event of SES could not be put");
                }
            }
        }));
    }
}

/// Something that becomes of a mail, for some of its recipients.
struct Becomes {
    /// As in a destination's `MatchingEventTypes`.
    matching: &'static str,
    /// As in the event.
    event_type: &'static str,
    /// As on the bus.
    detail_type: &'static str,
    /// Why it bounced.
    bounce: Option<&'static str>,
    recipients: Vec<String>,
}

fn becomes(mail: &Mail) -> Vec<Becomes> {
    let those = |picked: &dyn Fn(Option<&str>) -> bool| -> Vec<String> {
        let picked = |address: &&String| picked(simulated(address).as_deref());
        mail.recipients.iter().filter(picked).cloned().collect()
    };
    let is = |matching, event_type, detail_type, recipients| Becomes {
        matching,
        event_type,
        detail_type,
        bounce: None,
        recipients,
    };
    let bounced = |word: &str, why| Becomes {
        bounce: Some(why),
        ..is(
            "BOUNCE",
            "Bounce",
            "Email Bounced",
            those(&|one| one == Some(word)),
        )
    };
    // success, ooto (whose absence note goes to the sender alone), and everybody else.
    let delivered = those(&|one| !matches!(one, Some("bounce" | "suppressionlist")));
    let complained = those(&|one| one == Some("complaint"));
    let mut all = vec![
        is("SEND", "Send", "Email Sent", mail.recipients.clone()),
        is("DELIVERY", "Delivery", "Email Delivered", delivered),
        bounced("bounce", "General"),
        bounced("suppressionlist", "Suppressed"),
        is("COMPLAINT", "Complaint", "Email Complaint Received", complained),
    ];
    all.retain(|what| !what.recipients.is_empty());
    all
}

/// The simulator's word in `bounce+anything@simulator.amazonses.com`.
fn simulated(address: &str) -> Option<String> {
    let (local, domain) = address.rsplit_once('@')?;
    let is_simulator = domain.eq_ignore_ascii_case(SIMULATOR);
    is_simulator.then(|| local.split('+').next().unwrap_or_default().to_lowercase())
}

impl Becomes {
    fn event(&self, mail: &Mail, now: Timestamp, uuid: &str) -> Value {
        let mut event = json!({"eventType": self.event_type, "mail": described(mail)});
        let at = time(now);
        let feedback = format!("0100{:012x}-{uuid}-000000", now.as_millisecond());
        let recipients = |more: Value| {
            let one = |address: &String| {
                let mut one = more.clone();
                one["emailAddress"] = json!(address);
                one
            };
            self.recipients.iter().map(one).collect::<Vec<_>>()
        };
        match self.event_type {
            "Delivery" => {
                event["delivery"] = json!({
                    "timestamp": at,
                    "processingTimeMillis": now.as_millisecond() - mail.received.as_millisecond(),
                    "recipients": self.recipients,
                    "smtpResponse": "250 2.6.0 Message received",
                    "remoteMtaIp": "127.0.2.0",
                    "reportingMTA": "a8-53.smtp-out.amazonses.com",
                });
            }
            "Bounce" => {
                event["bounce"] = json!({
                    "feedbackId": feedback,
                    "bounceType": "Permanent",
                    "bounceSubType": self.bounce,
                    "bouncedRecipients": recipients(json!({
                        "action": "failed", "status": "5.1.1", "diagnosticCode": "smtp; 550 5.1.1 user unknown",
                    })),
                    "timestamp": at,
                    "remoteMtaIp": "127.0.2.0",
                    "reportingMTA": "dns; a8-53.smtp-out.amazonses.com",
                });
            }
            "Complaint" => {
                event["complaint"] = json!({
                    "feedbackId": feedback,
                    "complaintSubType": null,
                    "complainedRecipients": recipients(json!({})),
                    "timestamp": at,
                    "userAgent": "Amazon SES Mailbox Simulator",
                    "complaintFeedbackType": "abuse",
                    "arrivalDate": at,
                });
            }
            _ => event["send"] = json!({}),
        }
        event
    }
}

/// The event's `mail` object.
fn described(mail: &Mail) -> Value {
    let sender = message::bare(&mail.from);
    let set = mail.configuration_set.iter();
    let mut tags: serde_json::Map<String, Value> = set
        .map(|set| ("ses:configuration-set".to_owned(), json!([set])))
        .collect();
    let domain = sender.rsplit_once('@').map_or(sender, |(_, domain)| domain);
    tags.insert("ses:from-domain".to_owned(), json!([domain]));
    for (name, value) in &mail.tags {
        tags.insert(name.clone(), json!([value]));
    }
    // All of them in one text, and none where everybody is a Bcc.
    let to: Vec<&str> = mail.header("To").into_iter().collect();
    let headers: Vec<Value> = mail
        .headers
        .iter()
        .map(|(name, value)| json!({"name": name, "value": value}))
        .collect();
    json!({
        "timestamp": time(mail.received),
        "source": mail.from,
        "sourceArn": format!("arn:aws:ses:{REGION}:{ACCOUNT}:identity/{sender}"),
        "sendingAccountId": ACCOUNT,
        "messageId": mail.id,
        "destination": mail.recipients,
        "headersTruncated": false,
        "headers": headers,
        "commonHeaders": {
            "from": [mail.from], "to": to, "messageId": mail.id, "subject": mail.subject,
        },
        "tags": tags,
    })
}

fn time(at: Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%S%.3fZ").to_string()
}
