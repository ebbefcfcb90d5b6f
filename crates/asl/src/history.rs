//! The history: the journal as GetExecutionHistory shows it.

use serde_json::{Map, Value, json};

use crate::journal::{Entry, Event, Failure, StateType};
use crate::resource::Resource;

/// One entry as a HistoryEvent in the wire form of GetExecutionHistory: `id`, `previousEventId`, `timestamp` (seconds
/// since 1970 with milliseconds), `type` and its `…EventDetails`. `None` for an entry that the history does not show.
///
/// Without `include_data` (`includeExecutionData: false`) inputs, outputs, parameters and results are left out.
/// The rest of paging and order is the caller's: every entry is shown from itself alone.
pub fn history_event(entry: &Entry, include_data: bool) -> Option<Value> {
    if entry.id == 0 {
        return None;
    }
    let (kind, details) = describe(&entry.event, include_data);
    let mut event = Map::new();
    #[expect(
        clippy::cast_precision_loss,
        reason = "milliseconds stay exact for 285,000 years"
    )]
    let seconds = entry.at.as_millisecond() as f64 / 1000.0;
    event.insert("timestamp".into(), seconds.into());
    event.insert("type".into(), kind.into());
    event.insert("id".into(), entry.id.into());
    event.insert("previousEventId".into(), entry.prev.into());
    if let Some((name, details)) = details {
        event.insert(name, Value::Object(details));
    }
    Some(Value::Object(event))
}

/// The whole journal by [`history_event`].
pub fn history<'a>(
    journal: impl IntoIterator<Item = &'a Entry> + 'a,
    include_data: bool,
) -> impl Iterator<Item = Value> + 'a {
    journal
        .into_iter()
        .filter_map(move |entry| history_event(entry, include_data))
}

/// The name of an event's type in the history, such as `TaskStateEntered`. What the history does not show has a name
/// all the same.
pub fn event_type(event: &Event) -> String {
    describe(event, false).0
}

type Details = Option<(String, Map<String, Value>)>;

/// Builds one event's details, field by field.
struct Fields {
    include_data: bool,
    map: Map<String, Value>,
}

impl Fields {
    fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.map.insert(name.into(), value.into());
        self
    }

    fn with_some(self, name: &str, value: Option<impl Into<Value>>) -> Self {
        match value {
            Some(value) => self.with(name, value),
            None => self,
        }
    }

    /// Data as JSON text, with the note that none of it was cut off.
    fn data(self, name: &str, text: impl Into<String>) -> Self {
        if !self.include_data {
            return self;
        }
        self.with(name, text.into())
            .with(&format!("{name}Details"), json!({ "truncated": false }))
    }

    /// Variables, each as JSON text.
    fn variables(self, assigned: &Map<String, Value>) -> Self {
        if !self.include_data || assigned.is_empty() {
            return self;
        }
        let texts: Map<String, Value> = assigned
            .iter()
            .map(|(name, value)| (name.clone(), value.to_string().into()))
            .collect();
        self.with("assignedVariables", texts)
            .with("assignedVariablesDetails", json!({ "truncated": false }))
    }

    fn failure(self, error: Option<&String>, cause: Option<&String>) -> Self {
        self.with_some("error", error.cloned())
            .with_some("cause", cause.cloned())
    }

    /// `resourceType` and `resource`, which the events of a function's own ARN do not have.
    fn resource(self, resource: &Resource) -> Self {
        match resource {
            Resource::Function { .. } | Resource::Activity { .. } => self,
            Resource::Service { service, .. } => self
                .with("resourceType", service.clone())
                .with("resource", resource.history_resource()),
        }
    }

    /// The event of this type, with these for its details.
    fn event(self, kind: &str, details: &str) -> (String, Details) {
        (kind.into(), Some((format!("{details}EventDetails"), self.map)))
    }
}

fn describe(event: &Event, include_data: bool) -> (String, Details) {
    let fields = Fields {
        include_data,
        map: Map::new(),
    };
    match event {
        Event::ExecutionStarted { identity, input } => {
            let fields = fields.data("input", input.as_str());
            fields
                .with("roleArn", identity.role_arn.clone())
                .event("ExecutionStarted", "executionStarted")
        }
        Event::ExecutionSucceeded { output } => fields
            .data("output", output.to_string())
            .event("ExecutionSucceeded", "executionSucceeded"),
        Event::ExecutionFailed { error, cause } => fields
            .failure(error.as_ref(), cause.as_ref())
            .event("ExecutionFailed", "executionFailed"),
        Event::ExecutionTimedOut => fields.event("ExecutionTimedOut", "executionTimedOut"),
        Event::ExecutionAborted { error, cause } => fields
            .failure(error.as_ref(), cause.as_ref())
            .event("ExecutionAborted", "executionAborted"),
        Event::ExecutionRedriven { count, .. } => fields
            .with("redriveCount", *count)
            .event("ExecutionRedriven", "executionRedriven"),
        Event::StateEntered { kind, name, input } => {
            let fields = fields.with("name", name.clone()).data("input", input.to_string());
            fields.event(&state(*kind, "Entered"), "stateEntered")
        }
        Event::StateExited {
            kind,
            name,
            output,
            assigned,
            ..
        } => {
            let fields = fields
                .with("name", name.clone())
                .data("output", output.to_string());
            let fields = fields.variables(assigned);
            fields.event(&state(*kind, "Exited"), "stateExited")
        }
        Event::EvaluationFailed {
            state,
            location,
            failure,
        } => {
            let fields = fields.failure(failure.error.as_ref(), failure.cause.as_ref());
            let fields = fields.with_some("location", location.clone());
            fields
                .with("state", state.clone())
                .event("EvaluationFailed", "evaluationFailed")
        }
        Event::StateAborted { kind } => (state(*kind, "Aborted"), None),
        Event::ParallelStarted { .. } => ("ParallelStateStarted".into(), None),
        Event::ParallelSucceeded => ("ParallelStateSucceeded".into(), None),
        Event::ParallelFailed => ("ParallelStateFailed".into(), None),
        Event::MapStarted { items, .. } => fields
            .with("length", items.len())
            .event("MapStateStarted", "mapStateStarted"),
        Event::MapIterationStarted { name, index, .. } => iteration(fields, name, *index, "Started"),
        Event::MapIterationSucceeded { name, index } => iteration(fields, name, *index, "Succeeded"),
        Event::MapIterationFailed { name, index } => iteration(fields, name, *index, "Failed"),
        Event::MapIterationAborted { name, index } => iteration(fields, name, *index, "Aborted"),
        Event::MapRunStarted { run } => fields
            .with("mapRunArn", run.arn.clone())
            .event("MapRunStarted", "mapRunStarted"),
        Event::MapRunRedriven { arn, count } => fields
            .with("mapRunArn", arn.clone())
            .with("redriveCount", *count)
            .event("MapRunRedriven", "mapRunRedriven"),
        Event::MapRunSucceeded { .. } => ("MapRunSucceeded".into(), None),
        Event::MapRunFailed { failure, .. } => fields
            .failure(failure.error.as_ref(), failure.cause.as_ref())
            .event("MapRunFailed", "mapRunFailed"),
        Event::MapSucceeded => ("MapStateSucceeded".into(), None),
        Event::MapFailed => ("MapStateFailed".into(), None),
        Event::TaskScheduled {
            resource,
            region,
            arguments,
            timeout,
            heartbeat,
            ..
        } => scheduled(fields, resource, region, arguments, *timeout, *heartbeat),
        Event::TaskStarted { resource, worker, .. } => match resource {
            Resource::Function { .. } => ("LambdaFunctionStarted".into(), None),
            Resource::Activity { .. } => fields
                .with_some("workerName", worker.clone())
                .event("ActivityStarted", "activityStarted"),
            Resource::Service { .. } => fields.resource(resource).event("TaskStarted", "taskStarted"),
        },
        Event::TaskSubmitted { resource, output, .. } => fields
            .resource(resource)
            .data("output", output.to_string())
            .event("TaskSubmitted", "taskSubmitted"),
        Event::TaskSucceeded { resource, output, .. } => task(
            fields.resource(resource).data("output", output.to_string()),
            resource,
            "Succeeded",
        ),
        Event::TaskFailed {
            resource,
            failure,
            unsubmitted,
            ..
        } => failed(
            fields,
            resource,
            failure,
            if *unsubmitted { "SubmitFailed" } else { "Failed" },
        ),
        Event::TaskTimedOut {
            resource, failure, ..
        } => failed(fields, resource, failure, "TimedOut"),
        // These have no id, so nobody asks for them; a name all the same, for who prints a journal.
        Event::StateFailed { .. } => ("StateFailed".into(), None),
        Event::BranchFailed { .. } => ("BranchFailed".into(), None),
        Event::MapItemFailed { .. } => ("MapItemFailed".into(), None),
        Event::WaitBegun { .. } => ("WaitBegun".into(), None),
        Event::RetryScheduled { .. } => ("RetryScheduled".into(), None),
        Event::RetryBegun => ("RetryBegun".into(), None),
        Event::TaskHeartbeat { .. } => ("TaskHeartbeat".into(), None),
    }
}

fn state(kind: StateType, what: &str) -> String {
    format!("{}State{what}", kind.name())
}

fn iteration(fields: Fields, name: &str, index: u64, what: &str) -> (String, Details) {
    fields
        .with("name", name)
        .with("index", index)
        .event(&format!("MapIteration{what}"), &format!("mapIteration{what}"))
}

fn task(fields: Fields, resource: &Resource, what: &str) -> (String, Details) {
    match resource {
        Resource::Function { .. } => {
            fields.event(&format!("LambdaFunction{what}"), &format!("lambdaFunction{what}"))
        }
        Resource::Service { .. } => fields.event(&format!("Task{what}"), &format!("task{what}")),
        Resource::Activity { .. } => fields.event(&format!("Activity{what}"), &format!("activity{what}")),
    }
}

fn failed(fields: Fields, resource: &Resource, failure: &Failure, what: &str) -> (String, Details) {
    task(
        fields
            .resource(resource)
            .failure(failure.error.as_ref(), failure.cause.as_ref()),
        resource,
        what,
    )
}

fn scheduled(
    fields: Fields,
    resource: &Resource,
    region: &str,
    arguments: &Value,
    timeout: Option<u64>,
    heartbeat: Option<u64>,
) -> (String, Details) {
    match resource {
        Resource::Function { arn } | Resource::Activity { arn } => {
            let fields = fields
                .with("resource", arn.clone())
                .data("input", arguments.to_string())
                .with_some("timeoutInSeconds", timeout);
            let heartbeat = heartbeat.filter(|_| resource.is_activity());
            task(
                fields.with_some("heartbeatInSeconds", heartbeat),
                resource,
                "Scheduled",
            )
        }
        Resource::Service { .. } => {
            let fields = fields.resource(resource).with("region", region);
            let parameters = fields.include_data.then(|| arguments.to_string());
            let fields = fields
                .with_some("parameters", parameters)
                .with_some("timeoutInSeconds", timeout);
            task(
                fields.with_some("heartbeatInSeconds", heartbeat),
                resource,
                "Scheduled",
            )
        }
    }
}
