//! Every rule: its name, and how bad it is. `docs/LINT.md` explains each.

use std::fmt;

/// How bad a finding is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Severity {
    /// It can't work.
    Error,
    /// It works until something goes wrong.
    Warning,
    /// It works, and could do better.
    Advice,
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Error => "error",
            Self::Warning => "warning",
            Self::Advice => "advice",
        })
    }
}

macro_rules! rules {
    ($($(#[$doc:meta])* $name:ident: $id:literal, $severity:ident;)+) => {
        /// What is looked for.
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
        pub enum Rule {
            $($(#[$doc])* $name,)+
        }

        impl Rule {
            /// All of them, in the order of `docs/LINT.md`.
            pub const ALL: &[Self] = &[$(Self::$name),+];

            /// Its name on the command line and in JSON. It never changes.
            pub const fn id(self) -> &'static str {
                match self { $(Self::$name => $id),+ }
            }

            /// How bad what it finds is.
            pub const fn severity(self) -> Severity {
                match self { $(Self::$name => Severity::$severity),+ }
            }
        }
    };
}

rules! {
    /// The text is no JSON.
    Json: "json", Error;
    /// A field stands twice in one object.
    DuplicateField: "duplicate-field", Error;
    /// Step Functions would refuse the definition.
    Definition: "definition", Error;
    /// The embedded AWS of `countersign local` would refuse it; AWS would not.
    NotLocal: "not-local", Advice;
    /// A state waits where nothing can wait.
    Express: "express", Error;
    /// Countersign is called, and not waited for.
    NotWaiting: "not-waiting", Error;
    /// What is called never gets the task token.
    NoToken: "no-token", Error;
    /// The path to the task token is sent as a text.
    TokenAsText: "token-as-text", Error;
    /// The task token goes by a name that Countersign doesn't read.
    TokenName: "token-name", Error;
    /// Countersign would refuse the request.
    Request: "request", Error;
    /// Nothing ends the wait.
    NoTimeout: "no-timeout", Warning;
    /// The wait may outlive any execution.
    TooLong: "too-long", Warning;
    /// The state ends before its request.
    DeadlineOrder: "deadline-order", Warning;
    /// The state expects heartbeats that don't come, or not often enough.
    Heartbeat: "heartbeat", Error;
    /// Heartbeats are sent that the state doesn't look for.
    HeartbeatUnused: "heartbeat-unused", Warning;
    /// Nobody would notice that the service is gone.
    NoHeartbeat: "no-heartbeat", Advice;
    /// A token that a worker lost is never missed.
    ActivityLoss: "activity-loss", Advice;
    /// A decision is answered by asking again.
    RetryAsksAgain: "retry-asks-again", Error;
    /// An error beside the approval has everybody asked again.
    RetryAround: "retry-around", Warning;
    /// An error that doesn't exist is caught or retried.
    UnknownError: "unknown-error", Warning;
    /// An error is caught that can't arrive there.
    NeverCaught: "never-caught", Warning;
    /// A rejection fails the workflow.
    RejectionUncaught: "rejection-uncaught", Advice;
    /// Countersign isn't told which execution asks.
    NoExecution: "no-execution", Advice;
}

impl Rule {
    /// The rule of this name.
    pub fn parse(id: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|rule| rule.id() == id)
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.id())
    }
}
