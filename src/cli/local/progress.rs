//! How executions move, on the terminal: a line for each thing worth one. What comes faster than anybody reads is
//! counted instead, and nothing waits for the terminal.

use super::super::terminal::{BAD, FAINT, GOOD, STRONG, say, styled, width};
use super::asked::Asked;
use crate::domain::display_text::DisplayText;
use anstyle::Style;
use aws_local::{ApprovalsOf, ExecutionEvent, Happening, grouped, in_two_parts};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;
use std::time::Duration;
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::{RecvError, TryRecvError};
use tokio::sync::mpsc::unbounded_channel;
use tokio::time::Instant;

/// So many lines may come at once, and so many a second after that.
const AT_ONCE: f64 = 60.0;
const A_SECOND: f64 = 20.0;
/// How often it is told what was counted instead.
const COUNTED_EVERY: Duration = Duration::from_secs(1);
/// The longest line where nobody looks at a terminal.
const LONGEST: usize = 400;

/// Tells what `listener` hears, and of whom `approvals` says that executions wait for them, until nothing can happen any
/// more.
pub(super) async fn tell(mut listener: Receiver<Happening>, zone: TimeZone, approvals: ApprovalsOf) {
    let (sender, mut further) = unbounded_channel();
    let (mut teller, mut pace) = (Teller::new(zone), Pace::new(Instant::now()));
    teller.asked = Some(Asked::new(approvals, sender));
    let mut counting = tokio::time::interval(COUNTED_EVERY);
    counting.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        let mut lines = Vec::new();
        tokio::select! {
            heard = listener.recv() => match heard {
                Ok(happening) => lines.extend(pace.take(&happening, Instant::now(), |h| teller.line(h))),
                Err(RecvError::Lagged(missed)) => pace.left_out.events += missed,
                Err(RecvError::Closed) => return,
            },
            Some(line) = further.recv() => lines.push(line),
            _ = counting.tick() => lines.extend(pace.counted()),
        }
        // Whatever else there is, in one go.
        loop {
            match listener.try_recv() {
                Ok(happening) => lines.extend(pace.take(&happening, Instant::now(), |h| teller.line(h))),
                Err(TryRecvError::Lagged(missed)) => pace.left_out.events += missed,
                Err(TryRecvError::Empty | TryRecvError::Closed) => break,
            }
        }
        if !lines.is_empty() {
            // A terminal that was stopped holds up this alone.
            let printed = tokio::task::spawn_blocking(move || lines.iter().for_each(|line| say(line)));
            if printed.await.is_err() {
                return;
            }
        }
    }
}

/// Lets so much through as a person can read.
struct Pace {
    /// How many lines may come now.
    lines: f64,
    since: Instant,
    left_out: LeftOut,
}

/// What was counted and not told.
#[derive(Default)]
struct LeftOut {
    events: u64,
    started: u64,
    succeeded: u64,
    failed: u64,
}

impl Pace {
    fn new(now: Instant) -> Self {
        Self {
            lines: AT_ONCE,
            since: now,
            left_out: LeftOut::default(),
        }
    }

    /// The line for what happened, if it is worth one and there is room for it.
    fn take(
        &mut self,
        happening: &Happening,
        now: Instant,
        line: impl FnOnce(&Happening) -> Option<String>,
    ) -> Option<String> {
        let passed = now.saturating_duration_since(self.since).as_secs_f64();
        self.since = now;
        self.lines = (self.lines + passed * A_SECOND).min(AT_ONCE);
        if self.lines < 1.0 {
            self.left_out.count(happening);
            return None;
        }
        let line = line(happening)?;
        self.lines -= 1.0;
        Some(line)
    }

    /// A line about what was counted since the last one.
    fn counted(&mut self) -> Option<String> {
        let LeftOut {
            events,
            started,
            succeeded,
            failed,
        } = std::mem::take(&mut self.left_out);
        if events == 0 {
            return None;
        }
        let parts = [
            (started, "started"),
            (succeeded, "succeeded"),
            (failed, "ended otherwise"),
        ];
        let parts: Vec<String> = parts
            .into_iter()
            .filter(|(count, _)| *count > 0)
            .map(|(count, what)| format!("{} {what}", grouped(count)))
            .collect();
        let of_them = if parts.is_empty() {
            String::new()
        } else {
            format!("; executions: {}", parts.join(", "))
        };
        Some(styled(
            FAINT,
            format!("          … {} more events{of_them}", grouped(events)),
        ))
    }
}

impl LeftOut {
    fn count(&mut self, happening: &Happening) {
        self.events += 1;
        let Happening::Event(event) = happening else {
            return;
        };
        match event.kind.as_str() {
            "ExecutionStarted" => self.started += 1,
            "ExecutionSucceeded" => self.succeeded += 1,
            "ExecutionFailed" | "ExecutionAborted" | "ExecutionTimedOut" => self.failed += 1,
            _ => {}
        }
    }
}

/// Says in a line what happened.
struct Teller {
    zone: TimeZone,
    /// The failure that was told last, so that the end of the execution needn't repeat it.
    told: Option<(String, Option<String>, Option<String>)>,
    /// Who finds out whom an execution waits for.
    asked: Option<Asked>,
}

impl Teller {
    fn new(zone: TimeZone) -> Self {
        Self {
            zone,
            told: None,
            asked: None,
        }
    }

    fn line(&mut self, happening: &Happening) -> Option<String> {
        let (at, who, style, text) = match happening {
            Happening::Event(event) => {
                let (style, text) = self.said(event)?;
                (
                    event.at,
                    who(&event.execution.machine, &event.execution.name),
                    style,
                    text,
                )
            }
            Happening::Printed(line) => {
                let name = format!("[{}]", line.function);
                (line.at, format!("{name:<24}"), Style::new(), line.text.clone())
            }
        };
        let time = self.time(at);
        let head = format!("{}  {who}  ", styled(FAINT, &time));
        if let (Some(asked), Happening::Event(event)) = (&self.asked, happening)
            && waits_for_answer(event)
        {
            asked.look(event.execution.arn.clone(), head.clone());
        }
        // The text alone may be long.
        let room = width().map_or(LONGEST, |width| {
            width.saturating_sub(time.len() + who.chars().count() + 4)
        });
        let text = DisplayText::new(&text).shortened(room.max(20));
        Some(format!("{head}{}", styled(style, text.as_str())))
    }

    /// What happened, if it is worth a line.
    fn said(&mut self, event: &ExecutionEvent) -> Option<(Style, String)> {
        let plain = Style::new();
        let state = event.state.as_deref().unwrap_or("?");
        let in_state = |text: String| format!("{state}: {text}");
        Some(match event.kind.as_str() {
            "ExecutionStarted" => (plain, "started".to_owned()),
            "ExecutionRedriven" => (plain, "goes on where it failed".to_owned()),
            "ExecutionSucceeded" => (GOOD, format!("SUCCEEDED after {}", lasted(event))),
            "ExecutionTimedOut" => (BAD, format!("TIMED_OUT after {}", lasted(event))),
            "ExecutionFailed" => (
                BAD,
                format!("FAILED after {}{}", lasted(event), self.reason(event)),
            ),
            "ExecutionAborted" => (
                BAD,
                format!("ABORTED after {}{}", lasted(event), self.reason(event)),
            ),
            // Where these lead is told by what comes next.
            "ChoiceStateEntered" | "FailStateEntered" | "SucceedStateEntered" | "WaitStateEntered" => {
                return None;
            }
            kind if kind.ends_with("StateEntered") => (STRONG, state.to_owned()),
            "ActivityScheduled" => {
                let arn = event.resource.as_deref().unwrap_or_default();
                let activity = arn.rsplit(':').next().unwrap_or_default();
                (
                    plain,
                    in_state(format!("waits for a worker of the activity {activity}")),
                )
            }
            _ if waits_for_answer(event) => (plain, in_state("waits for an answer to its token".to_owned())),
            "WaitBegun" => (plain, in_state(self.waits(event)?)),
            "RetryScheduled" => {
                let pause = event.until?.duration_since(event.at);
                (plain, in_state(format!("tries again in {}", duration(pause))))
            }
            // The failure itself was told on its own line.
            "BranchFailed" => return None,
            _ if event.error.is_some() || event.cause.is_some() => {
                self.told = Some((
                    event.execution.arn.clone(),
                    event.error.clone(),
                    event.cause.clone(),
                ));
                (BAD, in_state(failure(event)))
            }
            _ => return None,
        })
    }

    /// Why an execution ended: in full, unless the line before said it.
    fn reason(&self, event: &ExecutionEvent) -> String {
        let told = self.told.as_ref().is_some_and(|(arn, error, cause)| {
            *arn == event.execution.arn && *error == event.error && *cause == event.cause
        });
        match (&event.error, &event.cause) {
            (None, None) => String::new(),
            (Some(error), _) if told => format!(": {error}"),
            _ => format!(": {}", failure(event)),
        }
    }

    fn waits(&self, event: &ExecutionEvent) -> Option<String> {
        let until = event.until?;
        let pause = until.duration_since(event.at);
        Some(format!("waits {} (until {})", duration(pause), self.time(until)))
    }

    fn time(&self, at: Timestamp) -> String {
        at.to_zoned(self.zone.clone()).strftime("%H:%M:%S").to_string()
    }
}

fn waits_for_answer(event: &ExecutionEvent) -> bool {
    let resource = event.resource.as_deref();
    event.kind == "TaskSubmitted" && resource.is_some_and(|resource| resource.ends_with(".waitForTaskToken"))
}

/// Which execution: its machine, and so much of its name as tells it from others.
fn who(machine: &str, name: &str) -> String {
    let is_uuid = name.len() == 36 && name.bytes().all(|b| b.is_ascii_hexdigit() || b == b'-');
    let name = if is_uuid { &name[..8] } else { name };
    let shown = DisplayText::new(&format!("{machine} {name}")).shortened(40);
    format!("{:<24}", shown.as_str())
}

/// Error and cause in one line. A function's own error is JSON, of which the message matters.
fn failure(event: &ExecutionEvent) -> String {
    let cause = event.cause.as_deref().unwrap_or_default();
    let message = serde_json::from_str::<Value>(cause).ok().and_then(|cause| {
        let message = cause.get("errorMessage").or_else(|| cause.get("comment"))?;
        message.as_str().map(str::to_owned)
    });
    let cause = message.unwrap_or_else(|| cause.to_owned());
    let cause = cause
        .lines()
        .find(|line| !line.trim().is_empty())
        .unwrap_or_default();
    match (event.error.as_deref(), cause) {
        (None, cause) => cause.to_owned(),
        (Some(error), "") => error.to_owned(),
        (Some(error), cause) => format!("{error}: {cause}"),
    }
}

/// How long the execution took.
fn lasted(event: &ExecutionEvent) -> String {
    duration(event.at.duration_since(event.execution.started))
}

/// `0.4 s`, `12 s`, `2 m 30 s`, `3 h 5 m`, `2 d 4 h`.
fn duration(duration: SignedDuration) -> String {
    let (milliseconds, seconds) = (duration.as_millis(), duration.as_secs());
    match seconds {
        ..10 if milliseconds % 1000 != 0 => format!("{}.{} s", seconds, milliseconds % 1000 / 100),
        10..60 | ..10 => format!("{seconds} s"),
        _ => in_two_parts(seconds, "m"),
    }
}

#[cfg(test)]
#[path = "progress_tests.rs"]
mod tests;
