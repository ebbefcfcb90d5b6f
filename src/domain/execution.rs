//! Executions that Countersign starts for programs: of which state machine, and under which name. The name is what keeps
//! an execution from being started twice. Used by `flow/start.rs`.

use super::digest::Sha256;
use data_encoding::HEXLOWER;

/// The most characters that the name of a state machine or of an execution may have.
const LONGEST: usize = 80;

/// The name of an execution: 1 to 80 characters, of those that Step Functions takes.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ExecutionName(String);

impl ExecutionName {
    /// A name as somebody gave it, or what is wrong with it.
    pub fn parse(text: &str) -> Result<Self, String> {
        check(text).map(|()| Self(text.to_owned()))
    }

    /// The name that a caller's own key stands for, whatever its length and characters: `key-` and 64 hexadecimal
    /// digits. The same key is the same name for ever, so that it starts one execution.
    pub fn of_key(key: &str) -> Self {
        let digest = Sha256::of_parts(&[b"countersign-execution-v1\0", key.as_bytes()]);
        Self(format!("key-{}", HEXLOWER.encode(digest.as_bytes())))
    }

    /// A name that nobody else has, from 16 random bytes.
    pub fn from_random(bytes: [u8; 16]) -> Self {
        Self(format!("start-{}", HEXLOWER.encode(&bytes)))
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A state machine as a caller names it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum StateMachine {
    /// By its ARN.
    Arn(MachineArn),
    /// By its name, in the account and region that Countersign works in.
    Named(String),
}

impl StateMachine {
    /// An ARN or a name, or what is wrong with it.
    pub fn parse(text: &str) -> Result<Self, String> {
        if text.starts_with("arn:") {
            return MachineArn::parse(text).map(Self::Arn).ok_or_else(|| {
                "must be the ARN of a state machine, of a version or of an alias: arn:aws:states:<region>:<account>:stateMachine:<name>"
                    .to_owned()
            });
        }
        check(text).map(|()| Self::Named(text.to_owned()))
    }
}

/// The ARN of a state machine, or of a version or alias of it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct MachineArn {
    /// `arn:<partition>:states:<region>:<account>`.
    place: String,
    name: String,
    /// The version's number or the alias's name.
    qualifier: Option<String>,
}

impl MachineArn {
    /// Reads an ARN; `None` for anything else.
    pub fn parse(text: &str) -> Option<Self> {
        let parts: Vec<&str> = text.split(':').collect();
        let (partition, region, account, name, qualifier) = match parts[..] {
            ["arn", partition, "states", region, account, "stateMachine", name] => {
                (partition, region, account, name, None)
            }
            [
                "arn",
                partition,
                "states",
                region,
                account,
                "stateMachine",
                name,
                qualifier,
            ] => (partition, region, account, name, Some(qualifier)),
            _ => return None,
        };
        let complete = [partition, region, account]
            .iter()
            .all(|part| !part.is_empty() && part.chars().all(|c| c.is_ascii_alphanumeric() || c == '-'));
        if !complete || check(name).is_err() || qualifier.is_some_and(|it| check(it).is_err()) {
            return None;
        }
        Some(Self {
            place: format!("arn:{partition}:states:{region}:{account}"),
            name: name.to_owned(),
            qualifier: qualifier.map(str::to_owned),
        })
    }

    /// The machine `name` beside this one.
    pub fn beside(&self, name: &str) -> Self {
        Self {
            place: self.place.clone(),
            name: name.to_owned(),
            qualifier: None,
        }
    }

    /// The ARN of this machine's execution of that name, whichever version runs.
    pub fn execution(&self, name: &ExecutionName) -> String {
        format!("{}:execution:{}:{}", self.place, self.name, name.as_str())
    }
}

impl std::fmt::Display for MachineArn {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:stateMachine:{}", self.place, self.name)?;
        match &self.qualifier {
            Some(qualifier) => write!(f, ":{qualifier}"),
            None => Ok(()),
        }
    }
}

/// What Step Functions asks of a name.
/// <https://docs.aws.amazon.com/step-functions/latest/apireference/API_StartExecution.html>
fn check(name: &str) -> Result<(), String> {
    let count = name.chars().count();
    if count == 0 || count > LONGEST {
        return Err(format!("has {count} characters; it must have 1 to {LONGEST}"));
    }
    let refused = |c: char| {
        c.is_whitespace()
            || c.is_control()
            || "<>{}[]?*\"#%\\^|~`$&,;:/".contains(c)
            || matches!(c, '\u{fffe}' | '\u{ffff}')
    };
    match name.chars().find(|c| refused(*c)) {
        None => Ok(()),
        Some(c) if c.is_control() || c.is_whitespace() => {
            Err("must not contain white space or control characters".to_owned())
        }
        Some(c) => Err(format!("must not contain {c}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_key_is_always_the_same_name_and_no_other_keys() {
        let name = ExecutionName::of_key("invoice 42");
        assert_eq!(name, ExecutionName::of_key("invoice 42"));
        assert_ne!(name, ExecutionName::of_key("invoice 43"));
        // Executions of this name are there already: it must not change.
        assert_eq!(
            name.as_str(),
            "key-c327046b1c53680dedf6b19d96f2f285b7f787239e3db4d38bbfb772832a3858"
        );
    }

    proptest! {
        #[test]
        fn whatever_a_key_is_its_name_is_one(key in any::<String>(), bytes in any::<[u8; 16]>()) {
            for name in [ExecutionName::of_key(&key), ExecutionName::from_random(bytes)] {
                prop_assert_eq!(ExecutionName::parse(name.as_str()), Ok(name.clone()));
                prop_assert!(name.as_str().chars().all(|c| c.is_ascii_alphanumeric() || c == '-'));
            }
        }
    }

    #[test]
    fn names_that_step_functions_refuses_are_refused_here() {
        for right in ["a", "run-1_2.3", "größe", &"x".repeat(80)] {
            assert!(ExecutionName::parse(right).is_ok(), "{right}");
        }
        for wrong in [
            "",
            "a b",
            "a\tb",
            "a/b",
            "a:b",
            "a*",
            "{a}",
            "\u{7f}",
            "\u{ffff}",
            &"x".repeat(81),
        ] {
            assert!(ExecutionName::parse(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn an_arn_leads_to_its_executions() {
        let name = ExecutionName::parse("run-1").expect("right");
        for arn in [
            "arn:aws:states:us-east-1:123456789012:stateMachine:orders",
            "arn:aws:states:us-east-1:123456789012:stateMachine:orders:7",
            "arn:aws:states:us-east-1:123456789012:stateMachine:orders:PROD",
        ] {
            let Ok(StateMachine::Arn(machine)) = StateMachine::parse(arn) else {
                panic!("{arn}")
            };
            assert_eq!(machine.to_string(), arn);
            assert_eq!(
                machine.execution(&name),
                "arn:aws:states:us-east-1:123456789012:execution:orders:run-1"
            );
            assert_eq!(
                machine.beside("other").to_string(),
                "arn:aws:states:us-east-1:123456789012:stateMachine:other"
            );
        }
        assert_eq!(
            StateMachine::parse("orders"),
            Ok(StateMachine::Named("orders".to_owned()))
        );
        for wrong in [
            "",
            "arn:",
            "arn:aws:states:us-east-1:123456789012:execution:orders:run-1",
            "arn:aws:states:us-east-1::stateMachine:orders",
            "arn:aws:states:us-east-1:123456789012:stateMachine:",
            "arn:aws:states:us-east-1:123456789012:stateMachine:orders:",
            "arn:aws:states:us-east-1:123456789012:stateMachine:orders/label",
            "arn:aws:lambda:us-east-1:123456789012:function:orders",
            "two words",
        ] {
            assert!(StateMachine::parse(wrong).is_err(), "{wrong}");
        }
    }
}
