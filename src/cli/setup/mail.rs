//! Mail: the sender's identity, and a configuration set that tells of deliveries, bounces and complaints and leaves
//! links alone.

use super::super::doctor::{address_of, domain_of};
use super::{Failure, Making, Step, Wanted, failed, queues};
use crate::aws_faults::Service::Ses;
use crate::aws_faults::code_of;
use aws_sdk_sesv2::Client;
use aws_sdk_sesv2::types::{DkimAttributes, EventBridgeDestination, EventDestinationDefinition, EventType};

/// What is told of each mail. Neither CLICK nor OPEN: for those SES would change the mail.
const EVENTS: [EventType; 6] = [
    EventType::Delivery,
    EventType::Bounce,
    EventType::Complaint,
    EventType::DeliveryDelay,
    EventType::Reject,
    EventType::RenderingFailure,
];

/// The configuration set that is used.
pub(super) fn set_name(wanted: &Wanted) -> String {
    wanted
        .gathered
        .text("mail_configuration_set")
        .unwrap_or_else(|| wanted.name.clone())
}

pub(super) async fn look(wanted: &Wanted, left: &mut Vec<String>) -> Result<Vec<Step>, Failure> {
    let client = Client::new(&wanted.aws);
    let mut steps = vec![identity(wanted, &client, left).await?];
    let set = set_name(wanted);
    let described = client
        .get_configuration_set_event_destinations()
        .configuration_set_name(&set)
        .send()
        .await;
    let destination = || {
        let what = format!("event destination of {set}: EventBridge, for deliveries, bounces and complaints");
        Step::Make(what, Making::Destination(set.clone()))
    };
    match described {
        Ok(described) => {
            steps.push(Step::There(format!("configuration set {set}")));
            let tells = described
                .event_destinations()
                .iter()
                .any(|it| it.matching_event_types().contains(&EventType::Bounce));
            steps.push(if tells {
                Step::There(format!("event destination of {set}"))
            } else {
                destination()
            });
        }
        Err(error) if code_of(&error) == "NotFoundException" => {
            let what = format!("configuration set {set}, without click tracking");
            steps.push(Step::Make(what, Making::ConfigurationSet(set.clone())));
            steps.push(destination());
        }
        Err(error) => return Err(failed("the configuration set", Ses, &error)),
    }
    Ok(steps)
}

async fn identity(wanted: &Wanted, client: &Client, left: &mut Vec<String>) -> Result<Step, Failure> {
    let address = address_of(&wanted.mail_from);
    for name in [address, domain_of(address)] {
        match client.get_email_identity().email_identity(name).send().await {
            Ok(identity) => {
                if !identity.verified_for_sending_status() {
                    left.extend(verifying(wanted, name, identity.dkim_attributes()));
                }
                return Ok(Step::There(format!("mail identity {name}")));
            }
            Err(error) if code_of(&error) == "NotFoundException" => {}
            Err(error) => return Err(failed("the mail identity", Ses, &error)),
        }
    }
    let name = if wanted.whole_domain {
        domain_of(address)
    } else {
        address
    };
    Ok(Step::Make(
        format!("mail identity {name}, and its verification"),
        Making::Identity(name.to_owned()),
    ))
}

/// What a person does to have an identity verified.
fn verifying(wanted: &Wanted, name: &str, dkim: Option<&DkimAttributes>) -> Vec<String> {
    if name.contains('@') {
        return vec![format!(
            "Open the link in the mail that AWS sends to {name}: then SES knows it is yours."
        )];
    }
    // <https://docs.aws.amazon.com/ses/latest/dg/send-email-authentication-dkim-easy-setup-domain.html>
    let host = dkim
        .and_then(DkimAttributes::signing_hosted_zone)
        .map_or_else(|| "dkim.amazonses.com".to_owned(), str::to_owned);
    let tokens = dkim.map(DkimAttributes::tokens).unwrap_or_default();
    let mut left = vec![format!(
        "Add these records to the DNS of {name}, in {} SES looks for them:",
        wanted.region
    )];
    left.extend(
        tokens
            .iter()
            .map(|token| format!("  {token}._domainkey.{name}  CNAME  {token}.{host}")),
    );
    left
}

pub(super) async fn make_identity(wanted: &Wanted, name: &str) -> Result<Vec<String>, Failure> {
    let client = Client::new(&wanted.aws);
    let made = client.create_email_identity().email_identity(name).send().await;
    let made = made.map_err(|error| failed(name, Ses, &error))?;
    if made.verified_for_sending_status() {
        return Ok(Vec::new());
    }
    Ok(verifying(wanted, name, made.dkim_attributes()))
}

pub(super) async fn make_set(wanted: &Wanted, name: &str) -> Result<(), Failure> {
    let made = Client::new(&wanted.aws)
        .create_configuration_set()
        .configuration_set_name(name)
        .send()
        .await;
    made.map(drop).map_err(|error| failed(name, Ses, &error))
}

/// SES puts events on the default bus. The rule that leads them to the queue is a person's to make: a rule and its target
/// are the account's, and may be there in another form.
pub(super) async fn make_destination(wanted: &Wanted, set: &str) -> Result<Vec<String>, Failure> {
    let bus = format!(
        "arn:{}:events:{}:{}:event-bus/default",
        wanted.account.partition(),
        wanted.region,
        wanted.account.number
    );
    let to = EventBridgeDestination::builder().event_bus_arn(bus).build();
    let to = to.map_err(|error| Failure::failed(error.to_string()))?;
    let definition = EventDestinationDefinition::builder()
        .enabled(true)
        .set_matching_event_types(Some(EVENTS.to_vec()))
        .event_bridge_destination(to);
    let call = Client::new(&wanted.aws).create_configuration_set_event_destination();
    let call = call
        .configuration_set_name(set)
        .event_destination_name("countersign")
        .event_destination(definition.build());
    call.send().await.map_err(|error| failed(set, Ses, &error))?;
    let (rule, queue) = (
        format!("{}-mail-events", wanted.name),
        queues::mail_events_arn(wanted),
    );
    Ok(vec![
        "Lead SES's events to the queue of mail events:".to_owned(),
        format!("  aws events put-rule --name {rule} --event-pattern '{{\"source\": [\"aws.ses\"]}}'"),
        format!("  aws events put-targets --rule {rule} --targets Id=queue,Arn={queue}"),
    ])
}
