//! Data on its way into and out of a state: InputPath, Parameters, ResultSelector, ResultPath, OutputPath.

use serde_json::{Map, Value};

use super::Execution;
use super::state::Visit;
use crate::definition::{Flow, State, Work};
use crate::expression::{Query, Scope};
use crate::journal::{Event, Failure};
use crate::limits;
use crate::path::Miss;
use crate::random::Randomness;

impl Execution {
    /// The input as the state's work sees it. `token` is the one in `$$.Task.Token`.
    pub(super) fn effective_input(
        &self,
        visit: &Visit,
        flow: &Flow,
        token: Option<&str>,
        random: &mut dyn Randomness,
    ) -> Result<Value, Failure> {
        let context = self.context(visit, token);
        let mut scope = Scope {
            input: &visit.input,
            context: &context,
            random: &mut *random,
            spent: 0,
        };
        let input = through(flow.input_path.as_ref(), &scope)?;
        scope.random.watch("afterInputPath", &input);
        let input = match &flow.parameters {
            None => input,
            Some(template) => {
                scope.input = &input;
                template.fill(&mut scope)?
            }
        };
        random.watch("afterParameters", &input);
        Ok(input)
    }

    /// The exit from a state whose work has this result, or the failure to get there.
    pub(super) fn exit(
        &self,
        visit: &Visit,
        state: &State,
        result: Value,
        random: &mut dyn Randomness,
    ) -> Event {
        match self.output(visit, state, result, random) {
            Ok(output) => leave(visit, output, state.next.clone()),
            Err(failure) => visit.blame(failure),
        }
    }

    fn output(
        &self,
        visit: &Visit,
        state: &State,
        result: Value,
        random: &mut dyn Randomness,
    ) -> Result<Value, Failure> {
        let (flow, context) = (&state.flow, self.context(visit, None));
        let result = match &flow.result_selector {
            None => result,
            Some(template) => {
                let mut scope = Scope {
                    input: &result,
                    context: &context,
                    random: &mut *random,
                    spent: 0,
                };
                template.fill(&mut scope)?
            }
        };
        random.watch("afterResultSelector", &result);
        let mut scope = Scope {
            input: &visit.input,
            context: &context,
            random,
            spent: 0,
        };
        let output = match (&state.work, &flow.result_path) {
            // These hand their input on; what they got as result is just that.
            (Work::Wait(_) | Work::Choice { .. } | Work::Succeed, _) => {
                let input = through(flow.input_path.as_ref(), &scope)?;
                scope.random.watch("afterInputPath", &input);
                input
            }
            (_, None) => visit.input.clone(),
            (_, Some(path)) => path
                .write(visit.input.clone(), result)
                .map_err(|why| mismatch(&why, &visit.input))?,
        };
        scope.random.watch("afterResultPath", &output);
        scope.input = &output;
        let output = through(flow.output_path.as_ref(), &scope)?;
        limits::pass(output, &visit.state)
    }
}

pub(super) fn leave(visit: &Visit, output: Value, next: Option<String>) -> Event {
    Event::StateExited {
        kind: visit.kind,
        name: visit.state.clone(),
        output,
        next,
    }
}

/// InputPath and OutputPath; null gives `{}`.
fn through(path: Option<&Query>, scope: &Scope<'_>) -> Result<Value, Failure> {
    let Some(query) = path else {
        return Ok(Value::Object(Map::new()));
    };
    query
        .read(scope)
        .map_err(|Miss(why)| runtime(format!("Invalid path '{}' : {why}", query.text)))
}

/// A failure of the interpreter's own.
pub(super) fn runtime(cause: String) -> Failure {
    Failure {
        error: Some("States.Runtime".into()),
        cause: Some(cause),
        also: None,
    }
}

/// A result that does not go where ResultPath points.
pub(super) fn mismatch(why: &str, input: &Value) -> Failure {
    let cause = format!("{why} to input {input}");
    Failure {
        error: Some("States.ResultPathMatchFailure".into()),
        cause: Some(cause),
        also: None,
    }
}
