//! What a Task runs: the ARN in its `Resource` field, understood.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::integrations;

/// What a Task runs. In the journal it is written as its ARN.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Resource {
    /// A Lambda function's own ARN (`arn:aws:lambda:…:function:…`): the state's input is the function's event.
    Function {
        /// The ARN as written, with its version or alias if there is one.
        arn: String,
    },
    /// A service integration: `arn:aws:states:::lambda:invoke` and its kind, and `arn:aws:states:::aws-sdk:…`.
    Service {
        /// The partition: `aws`, `aws-cn`, `aws-us-gov`.
        partition: String,
        /// `resourceType` in the history: `lambda`, `aws-sdk:sfn`.
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
    /// When what the call began is over (`.sync`).
    Sync,
    /// The same, with what was JSON in text given as JSON (`.sync:2`).
    SyncAsJson,
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

    /// Whether it is an activity: then nobody runs it until a worker asks for it.
    pub fn is_activity(&self) -> bool {
        matches!(self, Self::Activity { .. })
    }

    /// Whether the call only begins something: then what follows it says how the task ends.
    pub fn begins_only(&self) -> bool {
        matches!(self, Self::Service { pattern, .. } if *pattern != Pattern::RequestResponse)
    }

    /// Whether the history tells a call that failed (`TaskSubmitFailed`) from a task that did. A function that
    /// fails has been called all the same.
    pub(crate) fn fails_to_submit(&self) -> bool {
        self.begins_only() && !matches!(self, Self::Service { service, .. } if service == "lambda")
    }

    /// Whether it ends when what it began is over.
    pub(crate) fn is_job(&self) -> bool {
        matches!(
            self,
            Self::Service {
                pattern: Pattern::Sync | Pattern::SyncAsJson,
                ..
            }
        )
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
            Self::Sync => ".sync",
            Self::SyncAsJson => ".sync:2",
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
            ["arn", partition, "states", "", "", ref call @ ..] if !partition.is_empty() => {
                integration(partition, call).ok_or_else(|| UnknownResource::NotRecognized(text.to_owned()))
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

/// What stands behind `arn:aws:states:::`: `sqs:sendMessage.waitForTaskToken`, `aws-sdk:s3:getObject`.
fn integration(partition: &str, call: &[&str]) -> Option<Resource> {
    let (call, second) = match call {
        [call @ .., "2"] => (call, true),
        call => (call, false),
    };
    let (action, service) = call.split_last()?;
    let (action, pattern) = match (action.split_once('.'), second) {
        (None, false) => (*action, Pattern::RequestResponse),
        (Some((action, "waitForTaskToken")), false) => (action, Pattern::WaitForTaskToken),
        (Some((action, "sync")), false) => (action, Pattern::Sync),
        (Some((action, "sync")), true) => (action, Pattern::SyncAsJson),
        _ => return None,
    };
    let known = match service {
        ["aws-sdk", service] => integrations::is_of_sdk(service, action, pattern),
        [service] => integrations::is_optimised(service, action, pattern),
        _ => false,
    };
    known.then(|| Resource::Service {
        partition: partition.to_owned(),
        service: service.join(":"),
        action: action.to_owned(),
        pattern,
    })
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
            "arn:aws:states:::aws-sdk:sfn:startExecution",
            "arn:aws:states:::sqs:sendMessage.waitForTaskToken",
            "arn:aws:states:::states:startExecution.sync",
            "arn:aws:states:::states:startExecution.sync:2",
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
        assert_eq!(
            supported("arn:aws:states:us-east-1:123456789012:activity:"),
            Some(false)
        );
        for unknown in [
            "arn:aws:states:::lambda:invoke.sync",
            "arn:aws:states:::dynamodb:query",
            "arn:aws:states:::sqs:sendMessage.sync",
            "arn:aws:states:::states:startExecution.sync:3",
            "arn:aws:states:::aws-sdk:nothing:getItem",
            "arn:aws:states:::aws-sdk:s3:GetObject",
            "arn:aws:states:::aws-sdk:s3:getObject.sync",
            "arn:aws:states:::",
            "arn:aws:states:::2",
        ] {
            assert_eq!(supported(unknown), None, "{unknown}");
        }
        assert_eq!(supported("hello"), None);
        assert_eq!(supported("arn:aws:lambda:us-east-1::function:f"), None);
    }
}
