//! Reading one state.

use serde_json::Value;

use super::diagnostic::Findings;
use super::fields::Fields;
use super::machine::Reading;
use super::{
    Flow, Language, MachineType, State, Task, Text, Until, Work, choices, handlers, jsonata_state, map,
};
use crate::compare;
use crate::expression::{Expression, Query};
use crate::integrations;
use crate::journal::StateType;
use crate::path::ReferencePath;
use crate::resource::{Resource, UnknownResource};
use crate::retry::LONGEST_SECONDS;

/// AWS's limit to the branches of a Parallel is by the size of the definition; ours keeps one machine's list small.
const MOST_BRANCHES: usize = 1_000;

pub(super) fn read(
    value: &Value,
    location: String,
    reading: &mut Reading,
    findings: &mut Findings,
) -> Option<State> {
    let mut fields = Fields::of(value, location, findings)?;
    if !fields.require(&["Type"]) {
        return None;
    }
    fields.string("Comment");
    fields.language = reading.state_language(&mut fields)?;
    let kind = kind(&mut fields)?;
    let path = fields.language == Language::JsonPath;
    let flow = flow(&mut fields, kind);
    let jsonata = (!path).then(|| Box::new(jsonata_state::read(&mut fields, kind)));
    let next = next(&mut fields, kind);
    let work = match kind {
        StateType::Pass => Some(Work::Pass {
            result: fields.value("Result").filter(|_| path).cloned(),
        }),
        StateType::Task => task(&mut fields, reading),
        StateType::Parallel => parallel(&mut fields, reading),
        StateType::Wait => until(&mut fields).map(Work::Wait),
        StateType::Choice => choices::read(&mut fields),
        StateType::Succeed => Some(Work::Succeed),
        StateType::Fail => {
            let (error, cause) = (
                text(&mut fields, "Error", "ErrorPath"),
                text(&mut fields, "Cause", "CausePath"),
            );
            Some(Work::Fail { error, cause })
        }
        StateType::Map => map::read(&mut fields, reading),
    };
    let assign = match kind {
        StateType::Succeed | StateType::Fail => None,
        _ => fields.assign(),
    };
    if path {
        fields.jsonata_only(&["Arguments", "Output"]);
        if kind == StateType::Map {
            fields.jsonata_only(&["Items"]);
        }
    }
    fields.end();
    work.map(|work| State {
        flow,
        assign,
        jsonata,
        next,
        work,
    })
}

fn kind(fields: &mut Fields<'_, '_>) -> Option<StateType> {
    let kind = match fields.string("Type")? {
        "Task" => StateType::Task,
        "Parallel" => StateType::Parallel,
        "Pass" => StateType::Pass,
        "Wait" => StateType::Wait,
        "Choice" => StateType::Choice,
        "Succeed" => StateType::Succeed,
        "Fail" => StateType::Fail,
        "Map" => StateType::Map,
        _ => {
            let at = fields.at("Type");
            let message = "The field 'Type' should have one of these values: [Task, Wait, Pass, Succeed, Fail, Choice, Parallel, Map]";
            fields.findings.schema(at, message);
            return None;
        }
    };
    Some(kind)
}

fn next(fields: &mut Fields<'_, '_>, kind: StateType) -> Option<String> {
    if matches!(kind, StateType::Choice | StateType::Succeed | StateType::Fail) {
        return None;
    }
    let (given_next, given_end) = (fields.has("Next"), fields.has("End"));
    let (next, end) = (fields.string("Next"), fields.boolean("End"));
    fields.only_one(&["Next", "End"]);
    // "End": false is as good as no End.
    if !given_next && (!given_end || end == Some(false)) {
        let at = fields.here();
        fields
            .findings
            .schema(at, "One of these fields is required: [Next, End]");
    }
    next.map(str::to_owned)
}

fn flow(fields: &mut Fields<'_, '_>, kind: StateType) -> Flow {
    let mut flow = Flow {
        input_path: Some(Query::whole()),
        parameters: None,
        result_selector: None,
        result_path: Some(ReferencePath::whole()),
        output_path: Some(Query::whole()),
    };
    if fields.language == Language::Jsonata {
        return flow;
    }
    if kind != StateType::Fail {
        flow.input_path = fields.data_path("InputPath");
        flow.output_path = fields.data_path("OutputPath");
    }
    if matches!(kind, StateType::Pass | StateType::Task | StateType::Parallel) {
        flow.parameters = fields.template("Parameters");
    }
    if !matches!(
        kind,
        StateType::Wait | StateType::Choice | StateType::Succeed | StateType::Fail
    ) {
        flow.result_path = fields.result_path();
    }
    if matches!(kind, StateType::Task | StateType::Parallel | StateType::Map) {
        flow.result_selector = fields.template("ResultSelector");
    }
    flow
}

fn task(fields: &mut Fields<'_, '_>, reading: &Reading) -> Option<Work> {
    fields.require(&["Resource"]);
    credentials(fields);
    let resource = fields.string("Resource");
    let unfit = resource
        .filter(|_| reading.kind == MachineType::Express)
        .and_then(unfit_for_express);
    if let Some(why) = unfit {
        let at = fields.at("Resource");
        fields.findings.schema(at, why);
    }
    let resource = resource
        .filter(|_| unfit.is_none())
        .and_then(|text| match text.parse::<Resource>() {
            Ok(resource) => Some(resource),
            Err(why) => {
                let at = fields.at("Resource");
                match why {
                    UnknownResource::NotRecognized(_) => {
                        fields.findings.schema(at, why.to_string());
                    }
                    UnknownResource::NotSupported(_) => {
                        fields.findings.unsupported(at, why.to_string());
                    }
                }
                None
            }
        });
    if let Some(Resource::Service { service, action, .. }) = &resource
        && let Some((required, known)) = integrations::parameters(service, action)
    {
        invocation(fields, required, known);
    }
    let timeout = fields.seconds("TimeoutSeconds", "TimeoutSecondsPath");
    let heartbeat = fields.seconds("HeartbeatSeconds", "HeartbeatSecondsPath");
    if let (Some(super::Seconds::Fixed(timeout)), Some(super::Seconds::Fixed(heartbeat))) =
        (&timeout, &heartbeat)
        && heartbeat >= timeout
    {
        let at = fields.here();
        fields
            .findings
            .schema(at, "HeartbeatSeconds must be smaller than TimeoutSeconds");
    }
    let handlers = handlers::read(fields);
    Some(Work::Task(Box::new(Task {
        resource: resource?,
        timeout,
        heartbeat,
        handlers,
    })))
}

/// Why a resource can't stand in an Express machine, in AWS's words, one space too many included.
fn unfit_for_express(resource: &str) -> Option<&'static str> {
    let parts: Vec<&str> = resource.split(':').collect();
    match parts[..] {
        ["arn", _, "states", _, _, "activity", ..] => {
            Some("Express state machine does not support Activity ARN")
        }
        ["arn", _, "states", "", "", ..] if resource.contains(".sync") => {
            Some("Express state machine does not support '.sync' service integration")
        }
        ["arn", _, "states", "", "", .., action] if action.ends_with(".waitForTaskToken") => {
            Some("Express state machine does not support '.waitForTaskToken' service integration ")
        }
        _ => None,
    }
}

/// Roles are not assumed; a field without its role is refused as AWS refuses it.
fn credentials(fields: &mut Fields<'_, '_>) {
    let Some(value) = fields.value("Credentials") else {
        return;
    };
    if value.get("RoleArn").or_else(|| value.get("RoleArn.$")).is_some() {
        fields.unsupported(&["Credentials"]);
    } else {
        let at = fields.at("Credentials");
        let message = "The field 'RoleArn' is required but was missing";
        fields.findings.schema(at, message);
    }
}

/// The parameters of an optimised integration, which are those of the call it makes.
fn invocation(fields: &mut Fields<'_, '_>, required: &[&str], known: &[&str]) {
    let name = match fields.language {
        Language::JsonPath => "Parameters",
        Language::Jsonata if fields.holds_expression("Arguments") => return,
        Language::Jsonata => "Arguments",
    };
    let at = fields.at(name);
    let Some(parameters) = fields.value(name).and_then(Value::as_object) else {
        let at = fields.here();
        fields
            .findings
            .schema(at, format!("These fields are required: [{name}]"));
        return;
    };
    let path = fields.language == Language::JsonPath;
    let plain = |name: &String| match name.strip_suffix(".$") {
        Some(plain) if path => plain.to_owned(),
        _ => name.clone(),
    };
    for wanted in required {
        if !parameters.keys().any(|name| plain(name) == *wanted) {
            fields
                .findings
                .schema(&at, format!("The field '{wanted}' is required but was missing"));
        }
    }
    for name in parameters
        .keys()
        .filter(|name| !known.contains(&plain(name).as_str()))
    {
        fields.findings.schema(
            &at,
            format!("The field '{name}' is not supported by Step Functions"),
        );
    }
}

fn parallel(fields: &mut Fields<'_, '_>, reading: &mut Reading) -> Option<Work> {
    fields.require(&["Branches"]);
    let handlers = handlers::read(fields);
    let values = fields.array("Branches")?;
    if values.is_empty() || values.len() > MOST_BRANCHES {
        let at = fields.at("Branches");
        fields.findings.schema(
            at,
            format!("A Parallel state must have 1 to {MOST_BRANCHES} branches"),
        );
    }
    let mut branches = Vec::with_capacity(values.len());
    for (n, value) in values.iter().enumerate() {
        branches.push(reading.branch(
            value,
            format!("{}/Branches[{n}]", fields.location),
            fields.findings,
        )?);
    }
    Some(Work::Parallel { branches, handlers })
}

fn until(fields: &mut Fields<'_, '_>) -> Option<Until> {
    const PATH: [&str; 4] = ["Seconds", "SecondsPath", "Timestamp", "TimestampPath"];
    const JSONATA: [&str; 2] = ["Seconds", "Timestamp"];
    let ways: &[&str] = match fields.language {
        Language::JsonPath => &PATH,
        Language::Jsonata => &JSONATA,
    };
    fields.only_one(ways);
    if !ways.iter().any(|way| fields.has(way)) {
        let at = fields.here();
        fields.findings.schema(
            at,
            format!("One of these fields is required: [{}]", ways.join(", ")),
        );
    }
    if fields.language == Language::Jsonata {
        if fields.holds_expression("Seconds") {
            return fields.expression("Seconds").map(Until::SecondsQuery);
        }
        if fields.holds_expression("Timestamp") {
            return fields.expression("Timestamp").map(Until::TimestampQuery);
        }
    }
    let seconds = fields.integer("Seconds", 0, LONGEST_SECONDS).map(Until::Seconds);
    let path = fields.language == Language::JsonPath;
    let seconds_path = path
        .then(|| fields.path("SecondsPath"))
        .flatten()
        .map(Until::SecondsPath);
    let timestamp = fields.string("Timestamp").and_then(|text| {
        let moment = compare::timestamp(text);
        if moment.is_none() {
            let at = fields.at("Timestamp");
            fields
                .findings
                .schema(at, "String does not match RFC3339 timestamp");
        }
        moment.map(Until::Timestamp)
    });
    let timestamp_path = path
        .then(|| fields.path("TimestampPath"))
        .flatten()
        .map(Until::TimestampPath);
    seconds.or(seconds_path).or(timestamp).or(timestamp_path)
}

fn text(fields: &mut Fields<'_, '_>, name: &'static str, path: &'static str) -> Option<Text> {
    if fields.holds_expression(name) {
        return fields.expression(name).map(Text::Query);
    }
    if fields.language == Language::Jsonata {
        return fields.string(name).map(|text| Text::Fixed(text.to_owned()));
    }
    fields.only_one(&[name, path]);
    let fixed = fields.string(name).map(|text| Text::Fixed(text.to_owned()));
    let text = fields.string(path);
    let from_path = text.and_then(|text| {
        let expression = Expression::parse(text).ok();
        if expression.is_none() {
            let at = fields.at(path);
            let message = "Value is not a Reference Path or an intrinsic function";
            fields.findings.schema(at, message);
        }
        expression.map(|expression| Text::Path {
            field: path,
            expression,
        })
    });
    fixed.or(from_path)
}
