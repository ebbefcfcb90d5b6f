//! What AWS answers when it doesn't do what it was asked: its documented errors by name (`table.rs`), and what each
//! means here. Asked by everything that calls AWS, to sort an error, and by `countersign doctor`, to say what to do.

mod table;

pub use table::faults;

use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use std::error::Error;

/// The services that Countersign calls.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Service {
    /// The table.
    DynamoDb,
    /// Mail.
    Ses,
    /// Task tokens and executions.
    StepFunctions,
    /// Callbacks of durable functions.
    Lambda,
    /// Queues.
    Sqs,
    /// Big outputs.
    S3,
    /// Secrets that the configuration refers to.
    SecretsManager,
    /// Parameters that the configuration refers to.
    Ssm,
    /// Ciphertexts in the configuration.
    Kms,
    /// Who we are, which `countersign doctor` asks.
    Sts,
}

impl Service {
    /// All of them.
    pub const ALL: [Self; 10] = [
        Self::DynamoDb,
        Self::Ses,
        Self::StepFunctions,
        Self::Lambda,
        Self::Sqs,
        Self::S3,
        Self::SecretsManager,
        Self::Ssm,
        Self::Kms,
        Self::Sts,
    ];

    /// As AWS writes it.
    pub fn name(self) -> &'static str {
        match self {
            Self::DynamoDb => "DynamoDB",
            Self::Ses => "SES",
            Self::StepFunctions => "Step Functions",
            Self::Lambda => "Lambda",
            Self::Sqs => "SQS",
            Self::S3 => "S3",
            Self::SecretsManager => "Secrets Manager",
            Self::Ssm => "Parameter Store",
            Self::Kms => "KMS",
            Self::Sts => "STS",
        }
    }
}

/// What becomes of a call that met a fault.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Class {
    /// It took no effect, and is made again: this passes by itself, or once somebody has mended what every call meets.
    Again,
    /// It may have taken effect, and is made again.
    Unclear,
    /// It took no effect, and goes through once somebody has mended something about this very thing. A callback is
    /// parked until then; everything else is made again.
    Mend,
    /// This very call will never be taken.
    Refused,
    /// What it was about has ended.
    Closed,
    /// Somebody else wrote in between.
    Conflict,
}

/// One of AWS's errors, under all the names that it has.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Fault {
    /// Whose it is; `None`: any service's.
    pub service: Option<Service>,
    /// The HTTP status that it comes with; 0 where there is no answer.
    pub status: u16,
    /// AWS's names for it.
    pub codes: &'static [&'static str],
    /// Words of AWS's message, where the name alone has several meanings.
    pub says: Option<&'static str>,
    /// What becomes of the call.
    pub class: Class,
    /// What it is, in a few words: "throttled".
    pub means: &'static str,
    /// What to do about it: a sentence without its full stop, which begins with a small letter.
    pub advice: &'static str,
}

/// What the table says of an error: by the service and AWS's name for it, and by words of the message where the name
/// has several meanings. What is said of the service itself comes first.
pub fn find(service: Service, code: &str, message: &str) -> Option<&'static Fault> {
    let fits = |fault: &&Fault| {
        fault.codes.contains(&code) && fault.says.is_none_or(|words| message.contains(words))
    };
    let own = |fault: &&Fault| fault.service == Some(service);
    let common = |fault: &&Fault| fault.service.is_none();
    let mut ours = faults().filter(fits).filter(own);
    ours.next().or_else(|| faults().filter(fits).find(common))
}

/// The class of an error: what the table says, else what its status does. `status` is that of the answer, if there
/// was one.
pub fn class_of(service: Service, code: &str, message: &str, status: Option<u16>) -> Class {
    match (find(service, code, message), status) {
        (Some(fault), _) => fault.class,
        (None, Some(429)) => Class::Again,
        (None, Some(status)) if (400..500).contains(&status) => Class::Mend,
        (None, _) => Class::Unclear,
    }
}

/// No answer came within the time that there is for one.
pub const TOO_SLOW: &str = "no answer in time";
/// The connection couldn't be made, or was lost.
pub const NO_CONNECTION: &str = "no connection";
/// There are no credentials to sign the call with, so it wasn't made.
pub const NO_CREDENTIALS: &str = "no credentials";
/// What answered isn't AWS, or what carried the answer changed it.
pub const NOT_AWS: &str = "an answer that isn't AWS's";
/// What else kept a call from being answered.
pub const NO_ANSWER: &str = "no answer";

/// Whether a code is AWS's own, so that there was an answer.
pub fn is_answer(code: &str) -> bool {
    ![TOO_SLOW, NO_CONNECTION, NO_CREDENTIALS, NOT_AWS, NO_ANSWER].contains(&code)
}

/// AWS's name for an error; where there was no answer, one of the names above.
pub fn code_of<E, R>(error: &SdkError<E, R>) -> &str
where
    E: ProvideErrorMetadata + Error + 'static,
    R: std::fmt::Debug + 'static,
{
    if let Some(code) = error.as_service_error().and_then(ProvideErrorMetadata::code) {
        return code;
    }
    match error {
        SdkError::TimeoutError(_) => TOO_SLOW,
        SdkError::DispatchFailure(failure) if failure.is_timeout() => TOO_SLOW,
        SdkError::DispatchFailure(failure) if failure.is_io() => NO_CONNECTION,
        SdkError::DispatchFailure(_) | SdkError::ConstructionFailure(_) if is_about_credentials(error) => {
            NO_CREDENTIALS
        }
        SdkError::ServiceError(_) | SdkError::ResponseError(_) => NOT_AWS,
        _ => NO_ANSWER,
    }
}

/// The SDK looks for credentials when it signs, and hands up whatever went wrong there as one of the causes.
fn is_about_credentials(error: &(dyn Error + 'static)) -> bool {
    let mut causes = std::iter::successors(Some(error), |&cause| cause.source());
    causes.any(|cause| cause.to_string().contains("credential"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn a_name_stands_once_for_each_service() {
        let mut seen = HashSet::new();
        for fault in faults() {
            assert!(!fault.codes.is_empty() && !fault.means.is_empty() && !fault.advice.ends_with('.'));
            for code in fault.codes {
                assert!(
                    seen.insert((fault.service, code, fault.says)),
                    "{code} stands twice"
                );
            }
        }
    }

    #[test]
    fn a_service_s_own_meaning_comes_before_the_common_one() {
        let class = |service, code| class_of(service, code, "", Some(400));
        assert_eq!(class(Service::DynamoDb, "ValidationException"), Class::Mend);
        assert_eq!(class(Service::StepFunctions, "TaskTimedOut"), Class::Closed);
        assert_eq!(class(Service::DynamoDb, "TaskTimedOut"), Class::Mend);
        assert_eq!(class(Service::Sqs, "ThrottlingException"), Class::Again);
        let sandbox = "Email address is not verified. The following identities failed the check";
        assert_eq!(
            class_of(Service::Ses, "MessageRejected", sandbox, Some(400)),
            Class::Mend
        );
        assert_eq!(
            class_of(Service::Ses, "MessageRejected", "", Some(400)),
            Class::Refused
        );
        assert_eq!(
            class_of(Service::Sqs, "NewException", "", Some(500)),
            Class::Unclear
        );
        assert_eq!(class_of(Service::Sqs, "NewException", "", None), Class::Unclear);
    }
}
