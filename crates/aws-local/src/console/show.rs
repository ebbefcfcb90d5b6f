//! `/executions/{machine}/{name}`: one execution, with its graph, its steps and its events.

use std::collections::HashMap;
use std::sync::Arc;

use askama::Template;
use bytes::Bytes;
use http::{Request, Response, StatusCode};
use jiff::Timestamp;

use super::events::{self, EventRow};
use super::graph::{Drawing, coloured};
use super::steps::{Step, steps};
use super::values::{Room, Shown, visible};
use super::visits::visits;
use super::words::{Status, address, encoded, moment, name_of, span, status_of};
use super::{field, missing, page, query};
use crate::error::AwsError;
use crate::mailbox::pages::typed;
use crate::step_functions::overview::Seen;
use crate::{Inner, Output, PendingApproval};

#[derive(Template)]
#[template(path = "console/execution.html")]
struct ShowPage {
    address: String,
    name: String,
    machine: String,
    machine_list: String,
    start_again: Option<String>,
    arn: String,
    status: Status,
    /// What it does now, for who can't see the graph.
    doing: String,
    started: Timestamp,
    at: String,
    ended: Option<(Timestamp, String)>,
    took: String,
    redriven: Option<String>,
    parent: Option<(String, String)>,
    error: Option<String>,
    cause: Option<Shown>,
    approvals: Vec<PendingApproval>,
    graph: Option<String>,
    /// The graph needs the page's whole width.
    wide: bool,
    runs: Vec<RunRow>,
    steps: Vec<Step>,
    hidden: usize,
    events: Vec<EventRow>,
    first_events: bool,
    more_events: Option<u64>,
    input: Shown,
    output: Option<Shown>,
    may_redrive: bool,
    now: i64,
}

impl ShowPage {
    fn running(&self) -> bool {
        self.ended.is_none()
    }
}

struct RunRow {
    state: String,
    status: Status,
    progress: String,
    children: Option<String>,
}

pub(super) async fn show(
    inner: &Arc<Inner>,
    machine: &str,
    name: &str,
    request: &Request<Bytes>,
) -> Result<Response<Bytes>, AwsError> {
    let Some(seen) = inner.step_functions.seen(machine, name).await? else {
        return Ok(missing());
    };
    let approvals = match &inner.approvals {
        Some(approvals) if seen.record.status == "RUNNING" => approvals(seen.record.arn.clone()).await,
        _ => Vec::new(),
    };
    let first = field(&query(request), "events")
        .and_then(|first| first.parse().ok())
        .unwrap_or(0);
    let now = inner.step_functions.now();
    let outputs = inner.lambda.outputs(&seen.record.arn).await;
    let drawing = match &seen.outline {
        Some(outline) => Some(inner.drawings.of(&seen.drawn, outline).await),
        None => None,
    };
    Ok(page(
        StatusCode::OK,
        &fill(&seen, drawing.as_deref(), approvals, &outputs, first, now),
    ))
}

fn fill(
    seen: &Seen,
    drawing: Option<&Drawing>,
    approvals: Vec<PendingApproval>,
    outputs: &[Output],
    first: u64,
    now: Timestamp,
) -> ShowPage {
    let record = &seen.record;
    let machine = name_of(&record.machine);
    let address = address(machine, &record.name);
    let visits = visits(&seen.entries);
    let mut room = Room::new();
    let end = record.end.as_ref();
    let input = room.show_text(&record.input, format!("{address}/input.json"));
    let output = end.and_then(|end| end.output.as_deref());
    let output = output.map(|output| room.show_text(output, format!("{address}/output.json")));
    let last_event = seen
        .entries
        .iter()
        .map(|entry| entry.id)
        .max()
        .unwrap_or_default();
    let cause = end.and_then(|end| end.cause.as_deref());
    let cause = cause.map(|cause| room.show_text(cause, format!("{address}/events/{last_event}.json")));
    let (steps, hidden) = steps(&visits.all, outputs, &address, record.started, now, &mut room);
    let (events, more_events) = events::rows(&seen.entries, &visits, first);
    let runs: HashMap<&str, (usize, usize)> = seen.runs.iter().rev().map(progress).collect();
    let status = status_of(&record.status);
    ShowPage {
        name: visible(&record.name),
        machine: visible(machine),
        machine_list: format!("/executions?machine={}", encoded(machine)),
        start_again: (!machine.contains('/')).then(|| {
            format!(
                "/executions/start?machine={}&from={}",
                encoded(machine),
                encoded(&record.name)
            )
        }),
        arn: record.arn.clone(),
        status,
        doing: doing(status, &steps),
        started: record.started,
        at: moment(&record.started),
        ended: end.map(|end| (end.at, moment(&end.at))),
        took: span(record.started, end.map_or(now, |end| end.at)),
        redriven: record.redriven.map(|at| match record.redrives {
            1 => moment(&at),
            more => format!("{more} times, last {}", moment(&at)),
        }),
        parent: seen.parent.as_ref().map(|(machine, name)| {
            (
                super::words::address(machine, name),
                visible(&format!("{}: {name}", name_of(machine))),
            )
        }),
        error: end.and_then(|end| end.error.as_deref()).map(visible),
        cause,
        approvals,
        graph: drawing.and_then(|drawing| {
            coloured(drawing, visible(machine), &visits.all, &runs)
                .render()
                .ok()
        }),
        wide: drawing.is_some_and(Drawing::is_wide),
        runs: seen.runs.iter().map(run).collect(),
        steps,
        hidden,
        events,
        first_events: first > 1,
        more_events,
        input,
        output,
        may_redrive: seen.not_redrivable.is_none(),
        now: now.as_millisecond(),
        address,
    }
}

/// What to tell who only listens.
fn doing(status: Status, steps: &[Step]) -> String {
    let open: Vec<String> = steps
        .iter()
        .filter(|step| step.since.is_some())
        .map(|step| format!("{} {}", step.name, step.word))
        .take(3)
        .collect();
    if open.is_empty() {
        return status.word.to_owned();
    }
    format!("{}: {}", status.word, open.join(", "))
}

fn progress(run: &crate::step_functions::overview::Run) -> (&str, (usize, usize)) {
    let number = |count: u64| usize::try_from(count).unwrap_or(usize::MAX);
    (&run.state, (number(run.succeeded), number(run.total)))
}

fn run(run: &crate::step_functions::overview::Run) -> RunRow {
    let failed = match run.failed {
        0 => String::new(),
        failed => format!(", {failed} failed"),
    };
    let children = format!(
        "/executions?machine={}&run={}",
        encoded(name_of(&run.machine)),
        encoded(&run.arn)
    );
    RunRow {
        state: visible(&run.state),
        status: status_of(&run.status),
        progress: format!("{} of {} items succeeded{failed}", run.succeeded, run.total),
        // AWS keeps no list of those, and neither do we.
        children: (!run.express).then_some(children),
    }
}

/// The input as it was given.
pub(super) async fn input(inner: &Inner, machine: &str, name: &str) -> Result<Response<Bytes>, AwsError> {
    let record = inner.step_functions.record(machine, name).await?;
    Ok(record.map_or_else(missing, |record| typed("application/json", record.input)))
}

/// The output, once there is one.
pub(super) async fn output(inner: &Inner, machine: &str, name: &str) -> Result<Response<Bytes>, AwsError> {
    let record = inner.step_functions.record(machine, name).await?;
    let output = record.and_then(|record| record.end?.output);
    Ok(output.map_or_else(missing, |output| typed("application/json", output)))
}

/// One event, as the history has it: `events/17.json`.
pub(super) async fn event(
    inner: &Inner,
    machine: &str,
    name: &str,
    file: &str,
) -> Result<Response<Bytes>, AwsError> {
    let id: Option<u64> = file.strip_suffix(".json").and_then(|id| id.parse().ok());
    let (Some(id), Some(seen)) = (id, inner.step_functions.seen(machine, name).await?) else {
        return Ok(missing());
    };
    let entry = seen.entries.iter().find(|entry| entry.id == id);
    let event = entry.and_then(|entry| asl::history_event(entry, true));
    Ok(event.map_or_else(missing, |event| typed("application/json", format!("{event:#}"))))
}
