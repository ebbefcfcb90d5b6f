//! Retry and Catch: which rule takes a failure on, and how long a retry waits.

use jiff::SignedDuration;

use crate::definition::Expressions;
use crate::journal::Failure;
use crate::path::ReferencePath;
use crate::random::{self, Randomness};
use crate::template::Template;

/// The longest wait of all: AWS's limit to IntervalSeconds and Wait, in seconds.
pub(crate) const LONGEST_SECONDS: u64 = 99_999_999;

/// One rule of `Retry`.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Retrier {
    pub(crate) errors: Vec<String>,
    pub(crate) interval: u64,
    pub(crate) attempts: u32,
    pub(crate) backoff: f64,
    pub(crate) longest: Option<u64>,
    /// JitterStrategy FULL: anything between nothing and the interval.
    pub(crate) jitter: bool,
}

/// One rule of `Catch`.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Catcher {
    pub(crate) errors: Vec<String>,
    /// `None`: the error is thrown away.
    pub(crate) result_path: Option<ReferencePath>,
    /// The variables it sets.
    pub(crate) assign: Option<Template>,
    /// What a catcher of JSONata does instead.
    pub(crate) jsonata: Option<Box<Expressions>>,
    pub(crate) next: String,
}

/// Whether `errors` (an `ErrorEquals`) names the failure. `branch` says that it comes from a branch of a Parallel.
///
/// `States.ALL` does not take `States.Runtime` and `States.DataLimitExceeded`, which AWS calls terminal; and
/// `States.TaskFailed` is any error but `States.Timeout`.
/// <https://docs.aws.amazon.com/step-functions/latest/dg/concepts-error-handling.html>
pub(crate) fn names(errors: &[String], failure: &Failure, branch: bool) -> bool {
    let error = failure.error.as_deref().unwrap_or("");
    let terminal = matches!(error, "States.Runtime" | "States.DataLimitExceeded");
    errors.iter().any(|name| match name.as_str() {
        "States.ALL" => !terminal,
        "States.TaskFailed" => !terminal && error != "States.Timeout",
        "States.BranchFailed" => branch && !terminal,
        name => Some(name) == failure.error.as_deref() || Some(name) == failure.also.as_deref(),
    })
}

/// The first rule that names the failure and has not been used up; `used` counts each rule's retries so far.
pub(crate) fn retrier<'r>(
    rules: &'r [Retrier],
    used: &[u32],
    failure: &Failure,
    branch: bool,
) -> Option<(usize, &'r Retrier)> {
    // The first rule that names it decides, used up or not: AWS looks no further.
    let (n, rule) = rules
        .iter()
        .enumerate()
        .find(|(_, rule)| names(&rule.errors, failure, branch))?;
    (used.get(n).copied().unwrap_or(0) < rule.attempts).then_some((n, rule))
}

impl Retrier {
    /// How long to wait before retry number `n` (from 0) under this rule.
    pub(crate) fn wait(&self, n: u32, random: &mut dyn Randomness) -> SignedDuration {
        #[expect(clippy::cast_precision_loss, reason = "at most 99,999,999")]
        let (interval, longest) = (
            self.interval as f64,
            self.longest.unwrap_or(LONGEST_SECONDS) as f64,
        );
        let seconds = (interval * self.backoff.powf(f64::from(n))).min(longest);
        #[expect(clippy::cast_possible_truncation, reason = "at most 99,999,999,000")]
        let milliseconds = (seconds * 1000.0).round() as i64;
        SignedDuration::from_millis(if self.jitter {
            random::between(random, 0, milliseconds + 1)
        } else {
            milliseconds
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Half;
    impl Randomness for Half {
        fn fill(&mut self, bytes: &mut [u8]) {
            bytes.fill(0);
            bytes[0] = 0x80;
        }
    }

    fn failure(error: &str) -> Failure {
        Failure {
            error: Some(error.into()),
            ..Failure::default()
        }
    }

    fn rule(errors: &[&str]) -> Retrier {
        let errors = errors.iter().map(|&error| error.into()).collect();
        Retrier {
            errors,
            interval: 1,
            attempts: 3,
            backoff: 2.0,
            longest: None,
            jitter: false,
        }
    }

    #[test]
    fn waits_grow_to_their_limit() {
        let waits = |rule: &Retrier| {
            (0..5)
                .map(|n| rule.wait(n, &mut Half).as_millis())
                .collect::<Vec<_>>()
        };
        assert_eq!(waits(&rule(&[])), [1000, 2000, 4000, 8000, 16000]);
        assert_eq!(
            waits(&Retrier {
                longest: Some(5),
                interval: 3,
                backoff: 1.5,
                ..rule(&[])
            }),
            [3000, 4500, 5000, 5000, 5000]
        );
        assert_eq!(
            waits(&Retrier {
                jitter: true,
                ..rule(&[])
            }),
            [500, 1000, 2000, 4000, 8000]
        );
        assert_eq!(
            rule(&[]).wait(u32::MAX, &mut Half),
            SignedDuration::from_secs(99_999_999)
        );
    }

    #[test]
    fn names_with_a_meaning() {
        let all = ["States.ALL".to_owned()];
        assert!(names(&all, &failure("Mine"), false));
        assert!(names(&all, &failure("States.Timeout"), false));
        assert!(names(&all, &Failure::default(), false));
        assert!(!names(&all, &failure("States.Runtime"), false));
        assert!(!names(&all, &failure("States.DataLimitExceeded"), false));
        let failed = ["States.TaskFailed".to_owned()];
        assert!(names(&failed, &failure("Mine"), false));
        assert!(!names(&failed, &failure("States.Timeout"), false));
        let heartbeat = Failure {
            also: Some("States.HeartbeatTimeout".into()),
            ..failure("States.Timeout")
        };
        assert!(names(&["States.HeartbeatTimeout".to_owned()], &heartbeat, false));
        assert!(names(&["States.BranchFailed".to_owned()], &failure("Mine"), true));
        assert!(!names(
            &["States.BranchFailed".to_owned()],
            &failure("Mine"),
            false
        ));
        assert!(!names(&["Other".to_owned()], &failure("Mine"), false));
    }

    #[test]
    fn the_first_rule_that_fits_decides() {
        let rules = [rule(&["A"]), rule(&["States.ALL"])];
        assert_eq!(
            retrier(&rules, &[0, 0], &failure("A"), false).map(|(n, _)| n),
            Some(0)
        );
        assert_eq!(
            retrier(&rules, &[3, 0], &failure("A"), false).map(|(n, _)| n),
            None
        );
        assert_eq!(
            retrier(&rules, &[3, 0], &failure("B"), false).map(|(n, _)| n),
            Some(1)
        );
    }
}
