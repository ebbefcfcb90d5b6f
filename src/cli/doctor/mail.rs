//! Mail: whether the account may send, whether the sender is verified, and whether links arrive as they were written.
//! <https://docs.aws.amazon.com/ses/latest/dg/manage-sending-quotas.html>

use super::Patient;
use super::finding::{Finding, fault, said};
use crate::aws_faults::Service::Ses;
use aws_sdk_sesv2::Client;
use aws_sdk_sesv2::operation::get_email_identity::GetEmailIdentityOutput;
use aws_sdk_sesv2::types::{
    DkimStatus, EventDestination, EventType, MailFromDomainStatus, VerificationStatus,
};

/// What share of the day's quota leaves no room.
const NEARLY_ALL: f64 = 0.8;

/// Looks at everything about mail.
pub(super) async fn examine(patient: &Patient) -> Vec<Finding> {
    let client = Client::new(&patient.aws);
    let address = address_of(&patient.serve.config.mail_from);
    let (account, (identity, usual_set)) = tokio::join!(account(&client), identity(&client, address));
    let mut found = account;
    found.extend(identity);
    // SES takes the identity's own set where the mail names none.
    match patient.gathered.text("mail_configuration_set").or(usual_set) {
        Some(set) => found.extend(configuration_set(&client, &set).await),
        None => found.push(Finding::warning(
            "mail events",
            "mails are sent without a configuration set, so nobody learns of one that bounces",
            "make a configuration set with an event destination for deliveries, bounces and complaints, and name it in \
             mail_configuration_set; `countersign setup` does",
        )),
    }
    found
}

/// The bare address in `Approvals <approvals@example.com>`.
pub(in crate::cli) fn address_of(mail_from: &str) -> &str {
    let bare = mail_from
        .rsplit_once('<')
        .map_or(mail_from, |(_, rest)| rest.trim_end_matches('>'));
    bare.trim()
}

/// The domain of an address.
pub(in crate::cli) fn domain_of(address: &str) -> &str {
    address.rsplit_once('@').map_or(address, |(_, domain)| domain)
}

async fn account(client: &Client) -> Vec<Finding> {
    let about = "mail account";
    let account = match client.get_account().send().await {
        Ok(account) => account,
        Err(error) => return vec![fault(about, Ses, said(&error)).unseen("ses:GetAccount")],
    };
    let mut found = Vec::new();
    let enforcement = account.enforcement_status().unwrap_or("HEALTHY");
    if enforcement == "SHUTDOWN" || !account.sending_enabled() {
        found.push(Finding::wrong(
            about,
            format!("sending is paused (AWS's word for the account: {enforcement})"),
            "see in SES's account dashboard why, mend it, and resume sending",
        ));
    } else if enforcement == "PROBATION" {
        found.push(Finding::warning(
            about,
            "is under review by AWS, which may pause sending",
            "see in SES's account dashboard why: too many bounces or complaints, mostly",
        ));
    }
    if !account.production_access_enabled() {
        found.push(Finding::warning(
            about,
            "is in SES's sandbox: mails reach verified addresses only, 200 a day",
            "ask AWS for production access in SES's account dashboard; until then verify each signer's address",
        ));
    }
    if let Some(quota) = account.send_quota() {
        let (sent, most) = (quota.sent_last24_hours(), quota.max24_hour_send());
        // -1 stands for no bound.
        if most > 0.0 && sent >= most * NEARLY_ALL {
            found.push(Finding::warning(
                about,
                format!("{sent:.0} of {most:.0} mails of the last 24 hours are sent"),
                "ask AWS for a higher sending quota; what goes beyond it is sent later",
            ));
        }
    }
    if found.is_empty() {
        found.push(Finding::ok(about, "may send, out of the sandbox"));
    }
    found
}

/// The identity that the sender is: the address itself, or else its domain. And the configuration set that it has.
async fn identity(client: &Client, address: &str) -> (Vec<Finding>, Option<String>) {
    let about = "mail sender";
    let mut pending = None;
    for name in [address, domain_of(address)] {
        match client.get_email_identity().email_identity(name).send().await {
            Ok(identity) if identity.verified_for_sending_status() => {
                let set = identity.configuration_set_name().map(str::to_owned);
                return (verified(name, &identity), set);
            }
            Ok(identity) => {
                let status = identity
                    .verification_status()
                    .map_or("PENDING", VerificationStatus::as_str);
                pending.get_or_insert_with(|| unverified(name, status, name == address));
            }
            Err(error) if said(&error).0 == "NotFoundException" => {}
            Err(error) => {
                return (
                    vec![fault(about, Ses, said(&error)).unseen("ses:GetEmailIdentity")],
                    None,
                );
            }
        }
    }
    let missing = || {
        Finding::wrong(
            about,
            format!("neither {address} nor its domain is an identity of SES in this region"),
            "verify the address or its domain in SES, in this region; `countersign setup` starts it",
        )
    };
    (vec![pending.unwrap_or_else(missing)], None)
}

fn unverified(name: &str, status: &str, is_address: bool) -> Finding {
    let advice = if is_address {
        "open the link in the mail that AWS sent to this address; `countersign setup` has it sent again"
    } else {
        "add the three CNAME records that SES's console shows for it to the domain's DNS; it may take a day"
    };
    Finding::wrong("mail sender", format!("{name} isn't verified ({status})"), advice)
}

fn verified(name: &str, identity: &GetEmailIdentityOutput) -> Vec<Finding> {
    let mut found = vec![Finding::ok("mail sender", format!("{name} is verified"))];
    match identity
        .dkim_attributes()
        .map(|dkim| (dkim.signing_enabled(), dkim.status()))
    {
        Some((true, Some(DkimStatus::Success))) => found.push(Finding::ok("DKIM", "mails are signed")),
        Some((_, status)) => {
            let status = status.map_or("off", DkimStatus::as_str);
            found.push(Finding::warning(
                "DKIM",
                format!("mails aren't signed for {name} ({status}), so many end as spam"),
                "verify the sender's domain with Easy DKIM: three CNAME records in its DNS",
            ));
        }
        None => {}
    }
    let from = identity.mail_from_attributes();
    if let Some(from) = from.filter(|it| *it.mail_from_domain_status() == MailFromDomainStatus::Failed) {
        found.push(Finding::warning(
            "MAIL FROM",
            format!("the records of {} aren't there", from.mail_from_domain()),
            "set the MX and SPF records of the identity's MAIL FROM domain",
        ));
    }
    found
}

async fn configuration_set(client: &Client, name: &str) -> Vec<Finding> {
    let about = "configuration set";
    let (set, destinations) = tokio::join!(
        client.get_configuration_set().configuration_set_name(name).send(),
        client
            .get_configuration_set_event_destinations()
            .configuration_set_name(name)
            .send(),
    );
    let mut found = Vec::new();
    match set {
        Err(error) => return vec![fault(about, Ses, said(&error)).unseen("ses:GetConfigurationSet")],
        Ok(set)
            if set
                .sending_options()
                .is_some_and(|sending| !sending.sending_enabled()) =>
        {
            found.push(Finding::wrong(
                about,
                format!("sending is off for {name}"),
                format!("aws sesv2 put-configuration-set-sending-options --sending-enabled --configuration-set-name {name}"),
            ));
        }
        Ok(_) => found.push(Finding::ok(about, format!("{name} may send"))),
    }
    match destinations {
        Err(error) => {
            let action = "ses:GetConfigurationSetEventDestinations";
            found.push(fault("mail events", Ses, said(&error)).unseen(action));
        }
        Ok(destinations) => found.extend(events(name, destinations.event_destinations())),
    }
    found
}

/// Links are followed through SES wherever some destination wants to know of clicks.
fn events(set: &str, destinations: &[EventDestination]) -> Vec<Finding> {
    let on: Vec<_> = destinations
        .iter()
        .filter(|destination| destination.enabled())
        .collect();
    let wants = |kind: &EventType| {
        on.iter()
            .find(|it| it.matching_event_types().contains(kind))
            .map(|it| it.name())
    };
    let tracking = match wants(&EventType::Click) {
        Some(destination) => Finding::wrong(
            "click tracking",
            format!("is on: the destination {destination} of {set} has SES lead every link through itself"),
            format!(
                "take CLICK out of the event types of {destination}: a signer's link must not pass through others"
            ),
        ),
        None => Finding::ok("click tracking", "is off: links arrive as they were written"),
    };
    let needed = [
        ("deliveries", EventType::Delivery),
        ("bounces", EventType::Bounce),
        ("complaints", EventType::Complaint),
    ];
    let missing: Vec<&str> = needed
        .iter()
        .filter(|(_, kind)| wants(kind).is_none())
        .map(|(name, _)| *name)
        .collect();
    let coming = if missing.is_empty() {
        Finding::ok("mail events", "deliveries, bounces and complaints are told")
    } else {
        Finding::warning(
            "mail events",
            format!("nobody is told of {}", missing.join(", ")),
            format!("give {set} an event destination for them; `countersign setup` does"),
        )
    };
    vec![tracking, coming]
}
