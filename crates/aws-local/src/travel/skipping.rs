//! A skip: the clock is moved from one thing that falls due to the next, and what follows from each is waited for,
//! so that it happens in its order and at its time. A reminder of tomorrow is sent tomorrow, also on the way to next
//! week.

use std::collections::HashSet;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tokio::time::Instant;

use super::{Due, Skip, SkipError, Skipped, Travel};
use crate::Inner;

/// How long one call may take; then it answers with how far it has come.
const PATIENCE: Duration = Duration::from_secs(20);
/// How long is waited for what goes on, functions above all: they take real time. What goes on longer is waited for
/// no further, but for a moment each time.
const TASKS: Duration = Duration::from_secs(10);
const NO_FURTHER: Duration = Duration::from_millis(50);
/// How long is waited for what should have been done by now, each time.
const OVERDUE: Duration = Duration::from_secs(3);
/// How often it is looked, and how many looks have to find nothing new.
const LOOK: Duration = Duration::from_millis(5);
const LOOKS: u32 = 4;
/// How much of what came is told.
const MOST_TOLD: usize = 1_000;
/// What falls due within so much of another thing comes with it.
const STEP: SignedDuration = SignedDuration::from_millis(250);

/// What is no longer waited for.
struct Given {
    /// How long what goes on is waited for.
    patience: Duration,
    /// What stays due whatever the time.
    overdue: HashSet<Due>,
}

impl Inner {
    /// The time of day, how far that is ahead, and what falls due next; `None` where the clock can't be moved.
    pub(crate) async fn clock_stands(&self) -> Option<Skipped> {
        let travel = self.travel.get()?;
        Some(self.stands(travel, Vec::new(), true).await)
    }

    pub(crate) async fn skip(&self, skip: Skip) -> Result<Skipped, SkipError> {
        let travel = self.travel.get().ok_or(SkipError::NotAllowed)?;
        let _turn = travel.turn.lock().await;
        let begun = Instant::now();
        let mut given = Given {
            patience: TASKS,
            overdue: HashSet::new(),
        };
        let now = travel.clock.now();
        let target = match skip {
            Skip::Next => None,
            Skip::To(to) => Some(to),
            Skip::By(by) => Some(now.checked_add(by).map_err(|_| SkipError::TooFar)?),
        };
        if target.is_some_and(|to| to < now) {
            return Err(SkipError::Backwards { now });
        }
        if target.is_some_and(|to| !travel.clock.reaches(to)) {
            return Err(SkipError::TooFar);
        }
        // What was just begun is to be waiting before time passes.
        self.settled(travel, &mut given).await;
        let (mut came, mut arrived) = (Vec::new(), false);
        while !arrived && begun.elapsed() < PATIENCE {
            let now = travel.clock.now();
            let upcoming = self.upcoming(travel, now).await;
            let next = upcoming.first().map(|due| due.at);
            let to = match (next, target) {
                (None, None) => return Err(SkipError::Nothing),
                (Some(next), None) => next,
                // A little further, so that many that are due one after the other are one step.
                (Some(next), Some(to)) => next.checked_add(STEP).unwrap_or(to).min(to),
                (None, Some(to)) => to,
            };
            if !travel.clock.reaches(to) {
                return Err(SkipError::TooFar);
            }
            let fall_due = upcoming.into_iter().filter(|due| due.at <= to && !due.quiet);
            let before = came.len();
            came.extend(fall_due.take(MOST_TOLD - before));
            arrived = match target {
                None => came.len() > before,
                Some(target) => to == target,
            };
            travel.clock.move_to(to)?;
            self.look_at_the_clock();
            if let Some(outside) = &travel.outside {
                outside.moved().await;
            }
            self.settled(travel, &mut given).await;
        }
        let skipped = self.stands(travel, came, arrived).await;
        *travel
            .last
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner) = Some(skipped.clone());
        Ok(skipped)
    }

    async fn stands(&self, travel: &Travel, came: Vec<Due>, arrived: bool) -> Skipped {
        let now = travel.clock.now();
        let upcoming = self.upcoming(travel, now).await;
        Skipped {
            now,
            ahead: travel.clock.ahead(),
            came,
            next: upcoming.into_iter().find(|due| !due.quiet),
            arrived,
        }
    }

    /// What falls due after `now`, soonest first: of executions, of those who wait here otherwise, and outside.
    async fn upcoming(&self, travel: &Travel, now: Timestamp) -> Vec<Due> {
        let mut upcoming = self.source.waits.upcoming();
        upcoming.extend(self.step_functions.upcoming(now).await);
        if let Some(outside) = &travel.outside {
            upcoming.extend(outside.upcoming().await);
        }
        upcoming.retain(|due| due.at > now);
        upcoming.sort();
        upcoming
    }

    /// Waits until nothing goes on any more but what waits for a time, or for somebody.
    async fn settled(&self, travel: &Travel, given: &mut Given) {
        let begun = Instant::now();
        let (mut quiet, mut before) = (0, None);
        while quiet < LOOKS {
            tokio::time::sleep(LOOK).await;
            let (busy, steps) = self.step_functions.at_work();
            let changed = before.replace(steps) != Some(steps);
            if (busy || changed) && begun.elapsed() < given.patience {
                quiet = 0;
                continue;
            }
            if busy || changed {
                given.patience = NO_FURTHER;
            }
            quiet += 1;
            if quiet == LOOKS {
                let now = travel.clock.now();
                let overdue = self.overdue(travel, now, given).await;
                if overdue.is_empty() {
                    return;
                }
                if begun.elapsed() < OVERDUE {
                    quiet = 0;
                } else {
                    given.overdue.extend(overdue);
                }
            }
        }
    }

    /// What should have been done by `now`.
    async fn overdue(&self, travel: &Travel, now: Timestamp, given: &Given) -> Vec<Due> {
        let mut upcoming = self.source.waits.upcoming();
        let timer = self.step_functions.next_timer();
        upcoming.extend(timer.map(|at| Due::new(at, "a timer")));
        if let Some(outside) = &travel.outside {
            upcoming.extend(outside.upcoming().await);
        }
        upcoming.retain(|due| due.at <= now && !given.overdue.contains(due));
        upcoming
    }
}
