//! Fetches the secrets that the configuration refers to, once, at the start: all at the same time, each within a limit.
//! The only part of the configuration that calls AWS.

use super::reference::{Fetched, Place, Reference, Secret};
use crate::aws_faults::{self, Service, TOO_SLOW, code_of};
use aws_config::{Region, SdkConfig};
use aws_sdk_kms::primitives::Blob;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;
use tokio::task::JoinSet;

/// How long one secret may take, with all repeats.
const LIMIT: Duration = Duration::from_secs(10);

/// Fetches the secrets. A secret of which several keys are wanted is asked for once.
pub(super) async fn fetch(references: &BTreeSet<Reference>, aws: &SdkConfig) -> Fetched {
    let places: BTreeSet<&Place> = references.iter().map(|reference| &reference.place).collect();
    let mut calls = JoinSet::new();
    for place in places {
        let (place, aws) = (place.clone(), aws.clone());
        calls.spawn(async move {
            let secret = one(&place, &aws).await;
            (place, secret)
        });
    }
    let mut secrets = BTreeMap::new();
    while let Some(ended) = calls.join_next().await {
        // A call neither panics nor is aborted; one that did is told as missing below.
        if let Ok((place, secret)) = ended {
            secrets.insert(place, secret);
        }
    }
    let missing = || Err("can't be read".to_owned());
    let secret_of = |reference: &Reference| {
        let whole = secrets.get(&reference.place).cloned().unwrap_or_else(missing)?;
        let secret = match &reference.key {
            Some(key) => whole.key(key)?,
            None => whole,
        };
        if secret.expose().is_empty() {
            return Err("is empty".to_owned());
        }
        Ok(secret)
    };
    references
        .iter()
        .map(|reference| (reference.clone(), secret_of(reference)))
        .collect()
}

async fn one(place: &Place, aws: &SdkConfig) -> Result<Secret, String> {
    let service = match place {
        Place::SecretsManager(_) => Service::SecretsManager,
        Place::Ssm(_) => Service::Ssm,
        Place::Kms(_) => Service::Kms,
    };
    let region = region_of(place).or_else(|| aws.region().cloned());
    let Some(region) = region else {
        return Err(
            "can't be read without an AWS region: set AWS_REGION, or one in the AWS profile".to_owned(),
        );
    };
    let aws = aws.to_builder().region(region.clone()).build();
    let call = async {
        match place {
            Place::SecretsManager(id) => secret_value(id, &aws).await,
            Place::Ssm(name) => parameter(name, &aws).await,
            Place::Kms(ciphertext) => plaintext(ciphertext, &aws).await,
        }
    };
    match tokio::time::timeout(LIMIT, call).await {
        Ok(Ok(secret)) => Ok(secret),
        Ok(Err(failed)) => Err(failed.told(service, &region)),
        Err(_elapsed) => Err(Failed::slow().told(service, &region)),
    }
}

/// An ARN says which region it is of; a name is of the service's own.
fn region_of(place: &Place) -> Option<Region> {
    let (Place::SecretsManager(name) | Place::Ssm(name)) = place else {
        return None;
    };
    let region = name.strip_prefix("arn:")?.split(':').nth(2)?;
    (!region.is_empty()).then(|| Region::new(region.to_owned()))
}

/// AWS's name for what went wrong, and its message; which is told only where it can't quote a secret.
struct Failed {
    code: String,
    message: String,
}

impl Failed {
    fn new<E, R>(error: SdkError<E, R>) -> Self
    where
        E: ProvideErrorMetadata + std::error::Error + 'static,
        R: std::fmt::Debug + 'static,
    {
        let message = error.as_service_error().and_then(ProvideErrorMetadata::message);
        Self {
            code: code_of(&error).to_owned(),
            message: message.unwrap_or_default().to_owned(),
        }
    }

    fn slow() -> Self {
        Self {
            code: TOO_SLOW.to_owned(),
            message: String::new(),
        }
    }

    fn told(&self, service: Service, region: &Region) -> String {
        let place = format!("{} in {region}", service.name());
        let fault = aws_faults::find(service, &self.code, &self.message);
        let advice = fault.map_or_else(String::new, |fault| format!("; {}", fault.advice));
        match fault {
            _ if !aws_faults::is_answer(&self.code) => {
                format!("can't be read: {place}: {}{advice}", self.code)
            }
            Some(fault) => format!(
                "can't be read: {place} says {} ({}){advice}",
                self.code, fault.means
            ),
            None => format!("can't be read: {place} says {}", self.code),
        }
    }
}

async fn secret_value(id: &str, aws: &SdkConfig) -> Result<Secret, Failed> {
    let client = aws_sdk_secretsmanager::Client::new(aws);
    let found = client.get_secret_value().secret_id(id).send().await;
    let found = found.map_err(Failed::new)?;
    let bytes = match (found.secret_string, found.secret_binary) {
        (Some(text), _) => text.into_bytes(),
        (None, Some(blob)) => blob.into_inner(),
        (None, None) => Vec::new(),
    };
    Ok(Secret::new(bytes))
}

async fn parameter(name: &str, aws: &SdkConfig) -> Result<Secret, Failed> {
    let client = aws_sdk_ssm::Client::new(aws);
    let found = client
        .get_parameter()
        .name(name)
        .with_decryption(true)
        .send()
        .await;
    let value = found
        .map_err(Failed::new)?
        .parameter
        .and_then(|found| found.value);
    Ok(Secret::new(value.unwrap_or_default().into_bytes()))
}

async fn plaintext(ciphertext: &[u8], aws: &SdkConfig) -> Result<Secret, Failed> {
    let client = aws_sdk_kms::Client::new(aws);
    let opened = client
        .decrypt()
        .ciphertext_blob(Blob::new(ciphertext))
        .send()
        .await;
    let plain = opened.map_err(Failed::new)?.plaintext;
    Ok(Secret::new(plain.map(Blob::into_inner).unwrap_or_default()))
}
