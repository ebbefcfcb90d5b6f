//! What a Task runs: the ARN in its `Resource` field, understood.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// What a Task runs. In the journal it is written as its ARN.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Resource {
    /// A Lambda function's own ARN (`arn:aws:lambda:…:function:…`): the state's input is the function's event.
    Function {
        /// The ARN as written, with its version or alias if there is one.
        arn: String,
    },
    /// An optimised integration: `arn:aws:states:::lambda:invoke` and its kind.
    Service {
        /// The partition: `aws`, `aws-cn`, `aws-us-gov`.
        partition: String,
        /// `resourceType` in the history: `lambda`.
        service: String,
        /// The call: `invoke`.
        action: String,
        /// How its end is found.
        pattern: Pattern,
    },
    /// An activity (`arn:aws:states:region:account:activity:name`): a worker asks for the task, and answers its token.
    Activity {
        /// The ARN as written.
        arn: String,
    },
}

/// How a service integration ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pattern {
    /// With the call's response.
    RequestResponse,
    /// When somebody answers the task token (`.waitForTaskToken`).
    WaitForTaskToken,
}

impl Resource {
    /// Whether the task ends by its token rather than by its response.
    pub fn waits_for_token(&self) -> bool {
        match self {
            Self::Function { .. } => false,
            Self::Service { pattern, .. } => *pattern == Pattern::WaitForTaskToken,
            Self::Activity { .. } => true,
        }
    }

    /// A service integration that this interpreter does not run, taken at its word.
    pub(crate) fn unsupported(text: &str) -> Option<Self> {
        let rest = text.strip_prefix("arn:")?;
        let (partition, rest) = rest.split_once(":states:::")?;
        let (rest, pattern) = match rest.strip_suffix(".waitForTaskToken") {
            Some(rest) => (rest, Pattern::WaitForTaskToken),
            None => (rest, Pattern::RequestResponse),
        };
        // `.sync:2` ends in a part of its own.
        let call = rest.strip_suffix(":2").unwrap_or(rest);
        let (service, _) = call.rsplit_once(':')?;
        Some(Self::Service {
            partition: partition.to_owned(),
            service: service.to_owned(),
            action: rest.get(service.len() + 1..)?.to_owned(),
            pattern,
        })
    }

    /// Whether it is an activity: then nobody runs it until a worker asks for it.
    pub fn is_activity(&self) -> bool {
        matches!(self, Self::Activity { .. })
    }

    /// `resource` as the history shows it: `invoke.waitForTaskToken`, or the function's ARN.
    pub(crate) fn history_resource(&self) -> String {
        match self {
            Self::Function { arn } | Self::Activity { arn } => arn.clone(),
            Self::Service { action, pattern, .. } => format!("{action}{pattern}"),
        }
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::RequestResponse => "",
            Self::WaitForTaskToken => ".waitForTaskToken",
        })
    }
}

impl fmt::Display for Resource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Function { arn } | Self::Activity { arn } => f.write_str(arn),
            Self::Service {
                partition,
                service,
                action,
                pattern,
            } => {
                write!(f, "arn:{partition}:states:::{service}:{action}{pattern}")
            }
        }
    }
}

impl From<Resource> for String {
    fn from(resource: Resource) -> Self {
        resource.to_string()
    }
}

/// Why text is no resource that can be run.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UnknownResource {
    /// AWS would not take it either.
    #[error(
        "The resource provided {0} is not recognized. The value is not a valid resource ARN, or the resource is not available in this region."
    )]
    NotRecognized(String),
    /// AWS would take it; this interpreter does not run it.
    #[error("The resource {0} is not supported by this interpreter")]
    NotSupported(String),
}

impl FromStr for Resource {
    type Err = UnknownResource;

    fn from_str(text: &str) -> Result<Self, UnknownResource> {
        let parts: Vec<&str> = text.split(':').collect();
        match parts[..] {
            ["arn", partition, "states", "", "", service, action] if !partition.is_empty() => {
                let (action, pattern) = match action.split_once('.') {
                    None => (action, Some(Pattern::RequestResponse)),
                    Some((action, "waitForTaskToken")) => (action, Some(Pattern::WaitForTaskToken)),
                    Some((action, _)) => (action, None),
                };
                match (service, action, pattern) {
                    ("lambda", "invoke", Some(pattern)) => Ok(Self::Service {
                        partition: partition.to_owned(),
                        service: service.to_owned(),
                        action: action.to_owned(),
                        pattern,
                    }),
                    ("lambda", _, _) => Err(UnknownResource::NotRecognized(text.to_owned())),
                    _ => Err(UnknownResource::NotSupported(text.to_owned())),
                }
            }
            ["arn", partition, "lambda", region, account, "function", name]
            | ["arn", partition, "lambda", region, account, "function", name, _]
                if ![partition, region, account, name].contains(&"") =>
            {
                Ok(Self::Function { arn: text.to_owned() })
            }
            ["arn", partition, "states", region, account, "activity", name]
                if ![partition, region, account, name].contains(&"") =>
            {
                Ok(Self::Activity { arn: text.to_owned() })
            }
            ["arn", _, "states", ..] => Err(UnknownResource::NotSupported(text.to_owned())),
            _ => Err(UnknownResource::NotRecognized(text.to_owned())),
        }
    }
}

impl TryFrom<String> for Resource {
    type Error = UnknownResource;

    fn try_from(text: String) -> Result<Self, UnknownResource> {
        text.parse()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_arn_comes_back_as_it_was() {
        for arn in [
            "arn:aws:states:::lambda:invoke",
            "arn:aws-cn:states:::lambda:invoke.waitForTaskToken",
            "arn:aws:lambda:us-east-1:123456789012:function:f",
            "arn:aws:lambda:us-east-1:123456789012:function:f:$LATEST",
            "arn:aws:states:us-east-1:123456789012:activity:a",
        ] {
            assert_eq!(arn.parse::<Resource>().unwrap().to_string(), arn);
        }
    }

    #[test]
    fn what_cannot_run_is_told_apart_from_what_is_nothing() {
        let supported = |text: &str| match text.parse::<Resource>() {
            Err(UnknownResource::NotSupported(_)) => Some(false),
            Err(UnknownResource::NotRecognized(_)) => None,
            Ok(_) => Some(true),
        };
        assert_eq!(supported("arn:aws:states:::sqs:sendMessage"), Some(false));
        assert_eq!(
            supported("arn:aws:states:us-east-1:123456789012:activity:"),
            Some(false)
        );
        assert_eq!(supported("arn:aws:states:::lambda:invoke.sync"), None);
        assert_eq!(supported("hello"), None);
        assert_eq!(supported("arn:aws:lambda:us-east-1::function:f"), None);
    }
}
