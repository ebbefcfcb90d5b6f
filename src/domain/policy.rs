//! Policies: when the answers given amount to a decision.

use super::decision::{Answer, Decision};
use super::request::OutcomeKind;
use serde::{Deserialize, Serialize};

/// Who has to answer.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Policy {
    /// Everybody; the first rejection ends it.
    All,
    /// The first answer decides.
    Any,
    /// That many approvals; rejected as soon as they can no longer be reached.
    Quorum {
        /// How many.
        count: u8,
    },
    /// Everybody, one after another; the first rejection ends it.
    Sequence,
}

/// What `answers` (by signer number, `None` where there is none yet) come to, or `None` while it is open.
///
/// Among several approving outcomes the one with most votes wins, then the one that was given first.
pub fn decide(policy: Policy, answers: &[Option<&Answer>]) -> Option<Decision> {
    let given = || {
        answers
            .iter()
            .enumerate()
            .filter_map(|(number, answer)| Some((number, (*answer)?)))
    };
    let of_kind = |kind| given().filter(move |(_, answer)| answer.kind == kind);
    let (approvals, rejections) = (
        of_kind(OutcomeKind::Approve).count(),
        of_kind(OutcomeKind::Reject).count(),
    );
    let needed = match policy {
        Policy::All | Policy::Sequence => answers.len(),
        Policy::Any => 1,
        Policy::Quorum { count } => usize::from(count),
    };
    if approvals >= needed {
        return decision(OutcomeKind::Approve, of_kind(OutcomeKind::Approve));
    }
    let rejected = match policy {
        Policy::Any => rejections > 0,
        Policy::All | Policy::Sequence | Policy::Quorum { .. } => answers.len() - rejections < needed,
    };
    if rejected {
        decision(OutcomeKind::Reject, of_kind(OutcomeKind::Reject))
    } else {
        None
    }
}

fn decision<'a>(kind: OutcomeKind, votes: impl Iterator<Item = (usize, &'a Answer)>) -> Option<Decision> {
    let mut votes: Vec<_> = votes.collect();
    votes.sort_by_key(|(number, answer)| (answer.at, *number));
    let (last, last_answer) = *votes.last()?;
    let count = |outcome: &str| {
        votes
            .iter()
            .filter(|(_, answer)| answer.outcome == outcome)
            .count()
    };
    // The earliest of those with most votes: `max_by_key` would give the last, so we go backwards.
    let (_, winner) = votes
        .iter()
        .rev()
        .max_by_key(|(_, answer)| count(&answer.outcome))?;
    Some(Decision {
        outcome: winner.outcome.clone(),
        kind,
        at: last_answer.at,
        by: u8::try_from(last).ok()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::decision::{AnsweredBy, PrivateAnswer};
    use crate::domain::digest::Sha256;
    use jiff::Timestamp;

    fn answer(outcome: &str, second: i64) -> Answer {
        Answer {
            outcome: outcome.into(),
            kind: if outcome.starts_with("no") {
                OutcomeKind::Reject
            } else {
                OutcomeKind::Approve
            },
            at: Timestamp::from_second(second).expect("a time"),
            by: AnsweredBy::Link,
            private: PrivateAnswer {
                salt: Sha256::of(b""),
                comment: None,
                typed_name: None,
                address: None,
                browser: None,
            },
        }
    }

    fn outcome(policy: Policy, answers: &[Option<Answer>]) -> Option<(String, u8)> {
        let answers: Vec<_> = answers.iter().map(Option::as_ref).collect();
        decide(policy, &answers).map(|decision| (decision.outcome, decision.by))
    }

    #[test]
    fn all_waits_for_everybody_and_ends_at_the_first_rejection() {
        let yes = |s| Some(answer("yes", s));
        assert_eq!(outcome(Policy::All, &[yes(2), None]), None);
        assert_eq!(outcome(Policy::All, &[yes(2), yes(1)]), Some(("yes".into(), 0)));
        assert_eq!(
            outcome(Policy::All, &[None, Some(answer("no", 1)), None]),
            Some(("no".into(), 1))
        );
    }

    #[test]
    fn most_votes_win_then_the_earliest() {
        let votes = [Some(answer("b", 1)), Some(answer("a", 2)), Some(answer("a", 3))];
        assert_eq!(outcome(Policy::All, &votes), Some(("a".into(), 2)));
        let tie = [Some(answer("b", 2)), Some(answer("a", 1))];
        assert_eq!(outcome(Policy::All, &tie), Some(("a".into(), 0)));
    }

    #[test]
    fn a_quorum_is_rejected_as_soon_as_it_is_out_of_reach() {
        let two = Policy::Quorum { count: 2 };
        let (yes, no) = (Some(answer("yes", 1)), Some(answer("no", 2)));
        assert_eq!(outcome(two, &[yes.clone(), None, no.clone()]), None);
        assert_eq!(
            outcome(two, &[yes.clone(), yes.clone(), no.clone()]),
            Some(("yes".into(), 1))
        );
        assert_eq!(
            outcome(two, &[no.clone(), None, no.clone()]),
            Some(("no".into(), 2))
        );
        assert_eq!(outcome(Policy::Any, &[None, no, None]), Some(("no".into(), 1)));
    }
}
