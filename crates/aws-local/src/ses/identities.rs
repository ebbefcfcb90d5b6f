//! Sender identities: kept by name, each verified at once, for there is no mail server to prove it with.

use serde::Deserialize;
use serde_json::json;

use super::message::address;
use super::{Page, Ses, no_content, not_found, read};
use crate::error::{Answer, AwsError};

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Create {
    email_identity: String,
}

impl Ses {
    pub(super) async fn create_identity(&self, body: &[u8]) -> Result<Answer, AwsError> {
        let Create {
            email_identity: identity,
        } = read(body)?;
        let domain_of_nobody = format!("nobody@{identity}");
        address(if identity.contains('@') {
            &identity
        } else {
            &domain_of_nobody
        })?;
        if !self.mailbox.add_identity(identity.clone()).await? {
            return Err(AwsError::new(
                "AlreadyExistsException",
                format!("Email identity {identity} already exist."),
            ));
        }
        Ok(json!({
            "IdentityType": kind(&identity),
            "VerifiedForSendingStatus": true,
            "DkimAttributes": dkim(),
        })
        .into())
    }

    pub(super) async fn identity(&self, identity: String) -> Result<Answer, AwsError> {
        if !self.mailbox.identities().await?.contains(&identity) {
            return Err(unknown(&identity));
        }
        Ok(json!({
            "IdentityType": kind(&identity),
            "FeedbackForwardingStatus": true,
            "VerifiedForSendingStatus": true,
            "DkimAttributes": dkim(),
            "MailFromAttributes": {"BehaviorOnMxFailure": "USE_DEFAULT_VALUE"},
            "Policies": {},
            "Tags": [],
            "VerificationStatus": "SUCCESS",
        })
        .into())
    }

    pub(super) async fn list_identities(&self, body: &[u8]) -> Result<Answer, AwsError> {
        let asked: Page = read(body)?;
        let (identities, next) = asked.of(self.mailbox.identities().await?)?;
        let mut answer = json!({
            "EmailIdentities": identities
                .iter()
                .map(|identity| json!({
                    "IdentityType": kind(identity),
                    "IdentityName": identity,
                    "SendingEnabled": true,
                    "VerificationStatus": "SUCCESS",
                }))
                .collect::<Vec<_>>(),
        });
        if let Some(next) = next {
            answer["NextToken"] = next.into();
        }
        Ok(answer.into())
    }

    pub(super) async fn delete_identity(&self, identity: String) -> Result<Answer, AwsError> {
        if !self.mailbox.remove_identity(identity.clone()).await? {
            return Err(unknown(&identity));
        }
        Ok(no_content())
    }
}

fn kind(identity: &str) -> &'static str {
    if identity.contains('@') {
        "EMAIL_ADDRESS"
    } else {
        "DOMAIN"
    }
}

fn dkim() -> serde_json::Value {
    json!({"SigningEnabled": false, "Status": "NOT_STARTED", "SigningAttributesOrigin": "AWS_SES"})
}

fn unknown(identity: &str) -> AwsError {
    not_found(format!("Email identity {identity} does not exist."))
}
