//! Names and ARNs: what they may look like, what they are made of, and AWS's words for those that won't do.

use std::fmt;

use crate::error::AwsError;
use crate::{ACCOUNT, REGION};

/// Names of machines, executions and activities: no space, no bracket, no wildcard, none of the characters that mean
/// something in an ARN or a URL, no control character.
pub(super) fn name(name: &str) -> Result<(), AwsError> {
    let forbidden = |c: char| c.is_whitespace() || c.is_control() || "<>{}[]?*\"#%\\^|~`$&,;:/".contains(c);
    if name.chars().any(forbidden) || !name.is_ascii() {
        return Err(AwsError::new("InvalidName", format!("Invalid Name: '{name}'")));
    }
    Ok(())
}

fn invalid(reason: &str, arn: &str) -> AwsError {
    AwsError::new("InvalidArn", format!("Invalid Arn: '{reason}: {arn}'"))
}

/// The kind and the rest of an ARN of Step Functions: `arn:partition:states:region:account:kind:rest`.
pub(super) fn parts(arn: &str) -> Result<(&str, &str), AwsError> {
    let parts: Vec<&str> = arn.splitn(7, ':').collect();
    match parts.as_slice() {
        ["arn", partition, "states", region, account, kind, rest]
            if ![partition, region, account, kind, rest]
                .iter()
                .any(|part| part.is_empty()) =>
        {
            Ok((kind, rest))
        }
        ["arn", _, "states", _, _, _, ..] => Err(invalid("Resource type not valid in this context", arn)),
        ["arn", _, service, _, _, _, ..] if *service != "states" => Err(invalid("Invalid ARN service", arn)),
        ["arn", ..] => Err(invalid("Invalid ARN", arn)),
        _ => Err(invalid("Invalid ARN prefix", arn)),
    }
}

/// Checks an ARN's form, and that it is one of `kind`. Answers with what follows the kind.
pub(super) fn arn<'a>(arn: &'a str, kind: &str) -> Result<&'a str, AwsError> {
    match parts(arn)? {
        (found, rest) if found == kind => Ok(rest),
        _ => Err(invalid("Resource type not valid in this context", arn)),
    }
}

/// A state machine's ARN, which may name a version or an alias of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct MachineArn {
    /// The machine's own.
    pub(super) machine: String,
    pub(super) qualifier: Option<Qualifier>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Qualifier {
    /// A number.
    Version(String),
    Alias(String),
}

impl fmt::Display for MachineArn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.machine)?;
        match &self.qualifier {
            None => Ok(()),
            Some(Qualifier::Version(name) | Qualifier::Alias(name)) => write!(f, ":{name}"),
        }
    }
}

impl MachineArn {
    pub(super) fn read(text: &str) -> Result<MachineArn, AwsError> {
        let rest = arn(text, "stateMachine")?;
        match rest.split_once(':') {
            None => Ok(MachineArn {
                machine: text.to_owned(),
                qualifier: None,
            }),
            Some((_, qualifier)) if qualifier.is_empty() || qualifier.contains(':') => {
                Err(invalid("Invalid ARN", text))
            }
            Some((_, qualifier)) => {
                let number = qualifier.bytes().all(|byte| byte.is_ascii_digit());
                let machine = text[..text.len() - qualifier.len() - 1].to_owned();
                let qualifier = qualifier.to_owned();
                Ok(MachineArn {
                    machine,
                    qualifier: Some(if number {
                        Qualifier::Version(qualifier)
                    } else {
                        Qualifier::Alias(qualifier)
                    }),
                })
            }
        }
    }

    /// The ARN of a machine itself, for an operation that takes no other. One of a Map's label
    /// (`machine/label`) is refused, as AWS does.
    pub(super) fn unqualified(text: &str) -> Result<String, AwsError> {
        let found = MachineArn::read(text)?;
        if found.machine.contains('/') {
            return Err(AwsError::new(
                "ValidationException",
                format!(
                    "The operation is not supported for the state machine ARN of a Distributed Map: '{text}'"
                ),
            ));
        }
        match found.qualifier {
            None => Ok(found.machine),
            Some(_) => Err(no_machine(text)),
        }
    }
}

pub(super) fn no_machine(arn: &str) -> AwsError {
    AwsError::new(
        "StateMachineDoesNotExist",
        format!("State Machine Does Not Exist: '{arn}'"),
    )
}

pub(super) fn no_resource() -> AwsError {
    AwsError::new(
        "ResourceNotFound",
        "Request references a resource that does not exist.",
    )
}

pub(super) fn role(role: &str) -> Result<(), AwsError> {
    let parts: Vec<&str> = role.split(':').collect();
    match parts.as_slice() {
        ["arn", _, "iam", _, _, resource] if resource.starts_with("role/") => Ok(()),
        ["arn", ..] => Err(AwsError::new("InvalidArn", format!("Invalid Role Arn: '{role}'"))),
        _ => Err(invalid("Invalid ARN prefix", role)),
    }
}

pub(crate) fn machine_arn(name: &str) -> String {
    format!("arn:aws:states:{REGION}:{ACCOUNT}:stateMachine:{name}")
}

pub(super) fn activity_arn(name: &str) -> String {
    format!("arn:aws:states:{REGION}:{ACCOUNT}:activity:{name}")
}

pub(super) fn execution_arn(machine: &str, name: &str) -> String {
    format!("arn:aws:states:{REGION}:{ACCOUNT}:execution:{machine}:{name}")
}

/// An Express execution's, which may have its name from another one.
pub(super) fn express_arn(machine: &str, name: &str, id: &str) -> String {
    format!("arn:aws:states:{REGION}:{ACCOUNT}:express:{machine}:{name}:{id}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_machines_arn_may_name_a_version_or_an_alias() {
        let base = "arn:aws:states:us-east-1:1:stateMachine:m.1";
        for (end, qualifier) in [
            ("", None),
            (":12", Some(Qualifier::Version("12".to_owned()))),
            (":PROD", Some(Qualifier::Alias("PROD".to_owned()))),
        ] {
            let text = format!("{base}{end}");
            let read = MachineArn::read(&text).expect("an ARN");
            assert_eq!((read.machine.as_str(), &read.qualifier), (base, &qualifier));
            assert_eq!(read.to_string(), text);
        }
        assert_eq!(
            MachineArn::unqualified(&format!("{base}:1"))
                .expect_err("a version")
                .message(),
            format!("State Machine Does Not Exist: '{base}:1'")
        );
    }

    #[test]
    fn what_is_no_arn_is_refused_in_awss_words() {
        for (text, expected) in [
            ("x", "Invalid Arn: 'Invalid ARN prefix: x'"),
            ("arn:aws", "Invalid Arn: 'Invalid ARN: arn:aws'"),
            (
                "arn:aws:sqs:r:1:stateMachine:m",
                "Invalid Arn: 'Invalid ARN service: arn:aws:sqs:r:1:stateMachine:m'",
            ),
            (
                "arn:aws:states:r:1:activity:a",
                "Invalid Arn: 'Resource type not valid in this context: arn:aws:states:r:1:activity:a'",
            ),
        ] {
            assert_eq!(MachineArn::read(text).expect_err("no ARN").message(), expected);
        }
    }
}
