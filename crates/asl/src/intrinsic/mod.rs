//! Intrinsic functions: `States.Format('…', $.x)` and its like, in payload templates.

mod functions;
mod parse;
mod text;

use serde_json::Value;

use crate::expression::{Query, Scope, Unevaluable};
use functions::Function;

/// A call of an intrinsic function.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Call {
    /// As written.
    text: String,
    function: Function,
    arguments: Vec<Argument>,
}

#[derive(Clone, Debug, PartialEq)]
enum Argument {
    Literal(Value),
    Query(Query),
    Call(Call),
}

impl Call {
    /// Calls `visit` with every variable among its arguments.
    pub(crate) fn variables(&self, visit: &mut impl FnMut(&str)) {
        for argument in &self.arguments {
            match argument {
                Argument::Literal(_) => {}
                Argument::Query(query) => query.variable().into_iter().for_each(&mut *visit),
                Argument::Call(call) => call.variables(visit),
            }
        }
    }

    pub(crate) fn evaluate(&self, scope: &mut Scope<'_>) -> Result<Value, Unevaluable> {
        let mut arguments = Vec::with_capacity(self.arguments.len());
        for argument in &self.arguments {
            arguments.push(match argument {
                Argument::Literal(value) => value.clone(),
                Argument::Query(query) => {
                    let value = query.read(scope).map_err(|_| Unevaluable::MissingArgument {
                        function: self.text.clone(),
                        path: query.text.clone(),
                    })?;
                    scope.charge(value)?
                }
                Argument::Call(call) => call.evaluate(scope)?,
            });
        }
        let value = self
            .function
            .apply(arguments, scope.random)
            .map_err(|why| Unevaluable::Refused {
                function: self.text.clone(),
                why,
            })?;
        scope.charge(value)
    }
}
