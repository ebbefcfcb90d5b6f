//! The operations on tags.

use serde_json::{Value, json};

use super::engine::Engine;
use super::names::{MachineArn, parts};
use super::request::Request;
use super::store::{activities, machines, tags as kept};
use crate::error::{Answer, AwsError};

pub(super) async fn add(engine: &Engine, request: &Request) -> Result<Answer, AwsError> {
    let tags = read(request.list("tags"))?;
    let resource = find(engine, request).await?;
    let name = resource.clone();
    let room = engine
        .store
        .write(move |transaction| kept::add(transaction, &resource, &tags))
        .await?;
    if room {
        Ok(json!({}).into())
    } else {
        Err(too_many(&name))
    }
}

pub(super) async fn remove(engine: &Engine, request: &Request) -> Result<Answer, AwsError> {
    let keys: Vec<String> = request
        .list("tagKeys")
        .iter()
        .filter_map(|key| key.as_str().map(str::to_owned))
        .collect();
    let resource = find(engine, request).await?;
    engine
        .store
        .write(move |transaction| kept::remove(transaction, &resource, &keys))
        .await?;
    Ok(json!({}).into())
}

pub(super) async fn list(engine: &Engine, request: &Request) -> Result<Answer, AwsError> {
    let resource = find(engine, request).await?;
    let tags = engine
        .store
        .read(move |connection| kept::of(connection, &resource))
        .await?;
    let tags: Vec<Value> = tags
        .into_iter()
        .map(|(key, value)| json!({"key": key, "value": value}))
        .collect();
    Ok(json!({"tags": tags}).into())
}

/// The resource that is meant: a machine or an activity, which must be there. Versions and aliases have no tags.
async fn find(engine: &Engine, request: &Request) -> Result<String, AwsError> {
    let asked = request.required("resourceArn").to_owned();
    let wrong_kind = || {
        AwsError::new(
            "InvalidArn",
            format!("Invalid Arn: 'Resource type not valid in this context: {asked}'"),
        )
    };
    let machine = match parts(&asked)?.0 {
        "stateMachine" if MachineArn::read(&asked)?.qualifier.is_some() => return Err(wrong_kind()),
        "stateMachine" => true,
        "activity" => false,
        _ => return Err(wrong_kind()),
    };
    let wanted = asked.clone();
    let found = engine.store.read(move |connection| {
        Ok(if machine {
            machines::find(connection, &wanted)?.is_some()
        } else {
            activities::find(connection, &wanted)?.is_some()
        })
    });
    if found.await? {
        Ok(asked)
    } else {
        Err(
            AwsError::new("ResourceNotFound", format!("Resource not found: '{asked}'"))
                .with("resourceName", asked),
        )
    }
}

/// Tags as a request has them: what a tag may be made of, and nothing of AWS's own.
pub(super) fn read(tags: &[Value]) -> Result<Vec<(String, String)>, AwsError> {
    let text = |tag: &Value, name: &str| tag[name].as_str().unwrap_or_default().to_owned();
    let mut read: Vec<(String, String)> = Vec::with_capacity(tags.len());
    for tag in tags {
        let (key, value) = (text(tag, "key"), text(tag, "value"));
        let known = |c: char| c.is_alphanumeric() || c.is_whitespace() || "_.:/=+-@".contains(c);
        if key.is_empty()
            || !key.chars().chain(value.chars()).all(known)
            || key.to_lowercase().starts_with("aws:")
        {
            return Err(AwsError::new(
                "ValidationException",
                format!(
                    "Invalid tag: '{key}': tags hold letters, digits, white space and _.:/=+-@, and their keys don't begin with 'aws:'"
                ),
            ));
        }
        match read.iter_mut().find(|(other, _)| *other == key) {
            Some((_, before)) => *before = value,
            None => read.push((key, value)),
        }
    }
    Ok(read)
}

pub(super) fn too_many(resource: &str) -> AwsError {
    AwsError::new(
        "TooManyTags",
        format!("Too many tags: a resource has at most {}", kept::MOST),
    )
    .with("resourceName", resource)
}
