//! `/executions`: those of all state machines, newest first, fifty at a time.

use askama::Template;
use bytes::Bytes;
use http::{Request, Response, StatusCode};
use jiff::Timestamp;

use super::words::{self, STATUSES, Status, address, encoded, moment, name_of, span, status_of};
use super::{endpoint, field, page, query};
use crate::Inner;
use crate::amounts::grouped;
use crate::error::AwsError;
use crate::step_functions::overview::{Latest, Listed, Named, SEARCHED, Wanted};

/// How many stand on one page.
const PAGE: usize = 50;

#[derive(Template)]
#[template(path = "console/executions.html")]
struct ListPage {
    machines: Vec<Choice>,
    statuses: Vec<Choice>,
    text: String,
    /// A Map Run's ARN, whose children are listed.
    run: Option<String>,
    filtered: bool,
    rows: Vec<Row>,
    summary: String,
    newest: Option<String>,
    older: Option<String>,
    /// What to type to start one.
    example: Option<String>,
    endpoint: String,
}

/// A choice of a filter.
struct Choice {
    value: String,
    label: String,
    chosen: bool,
}

struct Row {
    address: String,
    name: String,
    machine: String,
    status: Status,
    started: Timestamp,
    at: String,
    took: String,
    redrives: u32,
}

pub(super) async fn show(inner: &Inner, request: &Request<Bytes>) -> Result<Response<Bytes>, AwsError> {
    let fields = query(request);
    let machine = field(&fields, "machine").map(name_of).map(str::to_owned);
    let run = field(&fields, "run").map(str::to_owned);
    let status = field(&fields, "status").map(str::to_owned);
    let text = field(&fields, "text").map(str::to_owned);
    let before: Option<i64> = field(&fields, "before").and_then(|before| before.parse().ok());
    let wanted = Wanted {
        machine: machine
            .as_deref()
            .map(crate::step_functions::overview::machine_arn),
        run: run.clone(),
        status: status.clone(),
        text: text.clone(),
    };
    let machines = inner.step_functions.machine_names().await?;
    let found = inner.step_functions.latest(wanted, before, PAGE).await?;
    let now = inner.step_functions.now();

    let filter: Vec<String> = [
        ("machine", &machine),
        ("run", &run),
        ("status", &status),
        ("text", &text),
    ]
    .into_iter()
    .filter_map(|(name, value)| Some(format!("{name}={}", encoded(value.as_deref()?))))
    .collect();
    let with = |further: Option<String>| {
        let all: Vec<String> = filter.iter().cloned().chain(further).collect();
        if all.is_empty() {
            "/executions".to_owned()
        } else {
            format!("/executions?{}", all.join("&"))
        }
    };
    let last = found.executions.last().filter(|_| found.more).map(|last| last.id);
    let shown = ListPage {
        machines: machine_choices(&machines, machine.as_deref()),
        statuses: status_choices(&found, status.as_deref()),
        summary: summary(&found, status.as_deref(), text.is_some()),
        text: text.unwrap_or_default(),
        run,
        filtered: !filter.is_empty(),
        rows: found
            .executions
            .iter()
            .map(|execution| row(execution, now))
            .collect(),
        newest: before.map(|_| with(None)),
        older: last.map(|id| with(Some(format!("before={id}")))),
        example: machines.first().map(|machine| machine.arn.clone()),
        endpoint: endpoint(request),
    };
    Ok(page(StatusCode::OK, &shown))
}

fn row(execution: &Listed, now: Timestamp) -> Row {
    Row {
        address: address(&execution.machine, &execution.name),
        name: execution.name.clone(),
        machine: name_of(&execution.machine).to_owned(),
        status: status_of(&execution.status),
        started: execution.started,
        at: moment(&execution.started),
        took: span(execution.started, execution.ended.unwrap_or(now)),
        redrives: execution.redrives,
    }
}

fn machine_choices(machines: &[Named], chosen: Option<&str>) -> Vec<Choice> {
    let mut names: Vec<&str> = machines
        .iter()
        .filter(|it| !it.express)
        .map(|it| it.name.as_str())
        .collect();
    // One that was deleted, or that of a Map's items.
    names.extend(chosen.filter(|chosen| !names.contains(chosen)));
    let choice = |name: &str| Choice {
        value: name.to_owned(),
        label: name.to_owned(),
        chosen: chosen == Some(name),
    };
    names.into_iter().map(choice).collect()
}

fn status_choices(found: &Latest, chosen: Option<&str>) -> Vec<Choice> {
    let choice = |(name, status): &(&str, Status)| Choice {
        value: (*name).to_owned(),
        label: format!(
            "{} ({})",
            status.word,
            said(counted(found, Some(name)), found.uncounted)
        ),
        chosen: chosen == Some(name),
    };
    STATUSES.iter().map(choice).collect()
}

/// How many there are of a status, or in all.
fn counted(found: &Latest, status: Option<&str>) -> usize {
    let fits = |known: &&(String, usize)| status.is_none_or(|status| known.0 == status);
    found.counts.iter().filter(fits).map(|(_, count)| count).sum()
}

fn said(number: usize, uncounted: bool) -> String {
    format!("{}{}", grouped(number as u64), if uncounted { "+" } else { "" })
}

/// How many fit the filter, and of what that is said.
fn summary(found: &Latest, status: Option<&str>, searched: bool) -> String {
    let fitting = counted(found, status);
    let number = said(fitting, found.uncounted);
    let what = if fitting == 1 { "execution" } else { "executions" };
    let of = match status.map(words::status_of) {
        Some(status) => format!("{number} {what}: {}", status.word.to_lowercase()),
        None => format!("{number} {what}"),
    };
    if searched {
        format!("{of}, among the newest {}", grouped(SEARCHED as u64))
    } else {
        of
    }
}
