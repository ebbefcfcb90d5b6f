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
use crate::template::Template;

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
        let (assign, next) = (state.assign.as_ref(), state.next.clone());
        self.exit_to(visit, state, result, assign, next, random)
    }

    /// The same, with what to assign and where to go.
    pub(super) fn exit_to(
        &self,
        visit: &Visit,
        state: &State,
        result: Value,
        assign: Option<&Template>,
        next: Option<String>,
        random: &mut dyn Randomness,
    ) -> Event {
        let assigned = match assign {
            None => Ok(Map::new()),
            Some(template) => self.assigned(visit, state, template, &result, random),
        };
        let left = assigned.and_then(|assigned| {
            let output = self.output(visit, state, result, random)?;
            Ok(leave(visit, output, assigned, next))
        });
        left.unwrap_or_else(|failure| visit.blame(failure))
    }

    /// What `Assign` gives. Its `$` is the result of the state's work; of those that have none, their effective input.
    fn assigned(
        &self,
        visit: &Visit,
        state: &State,
        template: &Template,
        result: &Value,
        random: &mut dyn Randomness,
    ) -> Result<Map<String, Value>, Failure> {
        let effective = match state.work {
            Work::Wait(_) | Work::Choice { .. } => {
                Some(self.effective_input(visit, &state.flow, None, random)?)
            }
            _ => None,
        };
        let context = self.context(visit, None);
        let mut scope = Scope {
            input: effective.as_ref().unwrap_or(result),
            context: &context,
            random,
            spent: 0,
        };
        let assigned = template.fill(&mut scope)?;
        self.assign(visit, assigned)
    }

    /// `assigned`, an object, if a state may set these variables.
    pub(super) fn assign(&self, visit: &Visit, assigned: Value) -> Result<Map<String, Value>, Failure> {
        let Value::Object(assigned) = assigned else {
            return Ok(Map::new());
        };
        let stored = self
            .branches
            .values()
            .map(|branch| branch.variables.stored())
            .sum();
        visit.variables.check(assigned, stored, &visit.state)
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

pub(super) fn leave(
    visit: &Visit,
    output: Value,
    assigned: Map<String, Value>,
    next: Option<String>,
) -> Event {
    Event::StateExited {
        kind: visit.kind,
        name: visit.state.clone(),
        output,
        assigned,
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
