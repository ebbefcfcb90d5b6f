//! Redriving: an execution that ended without success goes on from where it stood before it failed.
//!
//! The journal only grows, so what is taken back stays in it. The entry that says so names the entries that still
//! count; a replay that comes to it goes on from the state those led to. A distributed Map's run is redriven, too: what
//! its children have done stays.
//! <https://docs.aws.amazon.com/step-functions/latest/dg/redrive-executions.html>

use std::collections::HashMap;
use std::sync::Arc;

use jiff::Timestamp;

use super::state::{At, Phase};
use super::{Execution, InvalidJournal, Turn, later, to_millisecond};
use crate::definition::Definition;
use crate::interface::{Refused, Status, Step};
use crate::journal::{BranchId, Entry, Event};
use crate::random::Randomness;

impl Execution {
    /// Takes up an execution that failed, timed out or was aborted, and runs it as far as it goes by itself: what
    /// succeeded stays, what failed or was given up begins anew, its retries too. The machine's TimeoutSeconds begin
    /// anew. Refused where it runs ([`Refused::WrongKind`]) or has succeeded ([`Refused::Ended`]).
    pub fn redrive<'a>(
        definition: Arc<Definition>,
        journal: impl IntoIterator<Item = &'a Entry>,
        now: Timestamp,
        random: &mut dyn Randomness,
    ) -> Result<Result<(Self, Step), Refused>, InvalidJournal> {
        let journal: Vec<&Entry> = journal.into_iter().collect();
        let kept = journal.len()
            - journal
                .iter()
                .rev()
                .take_while(|entry| fails(&entry.event))
                .count();
        let (ended, mut saved) = Self::replay_to(definition, &journal, Some(kept))?;
        match ended.status {
            Status::Running => return Ok(Err(Refused::WrongKind)),
            Status::Succeeded { .. } => return Ok(Err(Refused::Ended)),
            Status::Failed { .. } | Status::TimedOut | Status::Aborted { .. } => {}
        }
        let Some(before) = saved.remove(&kept) else {
            // Only a journal that begins with a failure leads here, which none of ours does.
            return Ok(Err(Refused::Unknown));
        };
        let entry = Entry {
            at: to_millisecond(now),
            id: ended.last_id + 1,
            prev: ended.last_id,
            branch: BranchId::ROOT,
            event: Event::ExecutionRedriven {
                count: ended.redrives + 1,
                kept,
            },
        };
        let mut execution = before.taken_up(ended, &entry, &journal[kept..]);
        let mut turn = Turn {
            now: entry.at,
            random,
            step: Step {
                entries: vec![entry],
                ..Step::default()
            },
        };
        execution.settle(&mut turn);
        execution.set_timer(None, &mut turn.step);
        Ok(Ok((execution, turn.step)))
    }

    /// Replays a journal, and saves the state before the entry at `cut`, and before those that a redrive in the
    /// journal asks for until they are asked for.
    pub(super) fn replay_to(
        definition: Arc<Definition>,
        journal: &[&Entry],
        cut: Option<usize>,
    ) -> Result<(Self, HashMap<usize, Self>), InvalidJournal> {
        let invalid = |position: usize, reason: String| InvalidJournal { position, reason };
        let Some(Entry {
            at,
            event: Event::ExecutionStarted { identity, input },
            ..
        }) = journal.first()
        else {
            return Err(invalid(0, "a journal begins with ExecutionStarted".into()));
        };
        let input = serde_json::from_str(input)
            .map_err(|error| invalid(0, format!("the input is no JSON: {error}")))?;
        let mut execution = Self::new(definition, identity.clone(), input, *at);
        let redrives = journal.iter().filter_map(|entry| match entry.event {
            Event::ExecutionRedriven { kept, .. } => Some(kept),
            _ => None,
        });
        let cuts: Vec<usize> = redrives.chain(cut).collect();
        let mut saved = HashMap::new();
        for (n, entry) in journal.iter().enumerate().skip(1) {
            if cuts.contains(&n) {
                saved.insert(n, execution.clone());
            }
            let Event::ExecutionRedriven { kept, .. } = entry.event else {
                execution.apply(entry).map_err(|reason| invalid(n, reason))?;
                continue;
            };
            if entry.id != execution.last_id + 1 {
                return Err(invalid(n, format!("its id is not {}", execution.last_id + 1)));
            }
            let before: Self = saved
                .remove(&kept)
                .ok_or_else(|| invalid(n, "it names no earlier entry".into()))?;
            execution = before.taken_up(execution, entry, &journal[kept..n]);
        }
        Ok((execution, saved))
    }

    /// The state before a failure, as it goes on after `ended`. `cut` is what led from the one to the other.
    fn taken_up(mut self, ended: Self, entry: &Entry, cut: &[&Entry]) -> Self {
        self.status = Status::Running;
        self.last_id = entry.id;
        self.tokens = ended.tokens;
        self.tasks.clear();
        self.map_runs.clear();
        self.redrives = ended.redrives + 1;
        self.redriven = Some(entry.at);
        self.deadline = self
            .definition
            .timeout_seconds()
            .map(|seconds| later(entry.at, seconds));
        let ids: Vec<BranchId> = self.branches.keys().copied().collect();
        for id in ids {
            if let Some(branch) = self.branches.get_mut(&id) {
                branch.prev = entry.id;
                if let At::In(visit) = &mut branch.at {
                    visit.retries.clear();
                    let stays = match &mut visit.phase {
                        Phase::Branching { .. } | Phase::Mapping(_) => true,
                        Phase::Gathered(gathered) => gathered.take_up(cut),
                        _ => false,
                    };
                    if !stays {
                        visit.phase = Phase::Begin;
                    }
                }
            }
            self.refresh(id, false);
        }
        self
    }
}

/// Whether an entry can be part of what follows from a failure that nothing took on, up to the execution's end.
fn fails(event: &Event) -> bool {
    matches!(
        event,
        Event::ExecutionFailed { .. }
            | Event::ExecutionTimedOut
            | Event::ExecutionAborted { .. }
            | Event::TaskFailed { .. }
            | Event::TaskTimedOut { .. }
            | Event::StateFailed { .. }
            | Event::EvaluationFailed { .. }
            | Event::StateAborted { .. }
            | Event::BranchFailed { .. }
            | Event::ParallelFailed
            | Event::MapIterationFailed { .. }
            | Event::MapIterationAborted { .. }
            | Event::MapItemFailed { .. }
            | Event::MapFailed
            | Event::MapRunFailed { .. }
    )
}
