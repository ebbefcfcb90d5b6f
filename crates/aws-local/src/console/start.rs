//! `/executions/start`: a form to start an execution with, whose input is checked before AWS's own checks see it.

use askama::Template;
use bytes::Bytes;
use http::{Method, Request, Response, StatusCode};
use serde_json::Value;

use super::values::{Room, Shown};
use super::words::{Status, name_of, status_of};
use super::{by_arn, endpoint, field, form, page, query};
use crate::Inner;
use crate::error::AwsError;
use crate::step_functions::overview::Named;

#[derive(Template, Default)]
#[template(path = "console/start.html")]
struct StartPage {
    machines: Vec<Named>,
    machine: String,
    name: String,
    input: String,
    errors: Vec<Fault>,
    /// What an EXPRESS execution came to.
    result: Option<Outcome>,
    endpoint: String,
}

/// What is wrong with a field.
#[derive(Debug)]
struct Fault {
    field: &'static str,
    message: String,
}

struct Outcome {
    status: Status,
    error: Option<String>,
    value: Option<Shown>,
}

impl StartPage {
    fn error(&self, field: &str) -> Option<&str> {
        self.errors
            .iter()
            .find(|fault| fault.field == field)
            .map(|fault| fault.message.as_str())
    }
}

pub(super) async fn show(inner: &Inner, request: Request<Bytes>) -> Result<Response<Bytes>, AwsError> {
    let mut filled = StartPage {
        machines: inner.step_functions.machine_names().await?,
        endpoint: endpoint(&request),
        ..StartPage::default()
    };
    if *request.method() != Method::POST {
        let fields = query(&request);
        filled.choose(field(&fields, "machine"));
        let from = match field(&fields, "from") {
            Some(name) => inner.step_functions.record(&filled.machine, name).await?,
            None => None,
        };
        filled.input = match from {
            Some(record) => legible(&record.input),
            None => filled.last_input(inner).await?,
        };
        return Ok(page(StatusCode::OK, &filled));
    }
    let fields = match form(request).await {
        Ok(fields) => fields,
        Err(response) => return Ok(response),
    };
    filled.choose(field(&fields, "machine"));
    field(&fields, "name")
        .unwrap_or_default()
        .clone_into(&mut filled.name);
    field(&fields, "input")
        .unwrap_or("{}")
        .clone_into(&mut filled.input);
    match field(&fields, "do") {
        Some("last") => {
            filled.input = filled.last_input(inner).await?;
            Ok(page(StatusCode::OK, &filled))
        }
        Some("format") => {
            match checked(&filled.input) {
                Ok(value) => filled.input = format!("{value:#}"),
                Err(fault) => filled.errors.push(fault),
            }
            Ok(page(filled.status(), &filled))
        }
        _ => start(inner, filled).await,
    }
}

async fn start(inner: &Inner, mut filled: StartPage) -> Result<Response<Bytes>, AwsError> {
    let machine = filled
        .machines
        .iter()
        .find(|machine| machine.name == filled.machine)
        .cloned();
    let Some(machine) = machine else {
        filled.fault("machine", "Choose a state machine");
        return Ok(page(filled.status(), &filled));
    };
    if let Err(fault) = checked(&filled.input) {
        filled.errors.push(fault);
        return Ok(page(filled.status(), &filled));
    }
    let name = Some(filled.name.as_str()).filter(|name| !name.is_empty());
    match inner.step_functions.start(&machine, name, &filled.input).await {
        Ok(answer) if machine.express => {
            filled.result = Some(outcome(&answer));
            Ok(page(StatusCode::OK, &filled))
        }
        Ok(answer) => Ok(by_arn(answer["executionArn"].as_str().unwrap_or_default())),
        Err(error) => {
            let field = match error.code() {
                "InvalidName" | "ExecutionAlreadyExists" => "name",
                "InvalidExecutionInput" => "input",
                _ if error.message().contains("'input'") => "input",
                _ if error.message().contains("'name'") => "name",
                _ => "machine",
            };
            filled.fault(field, error.message());
            Ok(page(filled.status(), &filled))
        }
    }
}

impl StartPage {
    fn choose(&mut self, machine: Option<&str>) {
        let first = self.machines.first().map(|machine| machine.name.as_str());
        self.machine = machine.map(name_of).or(first).unwrap_or_default().to_owned();
    }

    async fn last_input(&self, inner: &Inner) -> Result<String, AwsError> {
        let Some(machine) = self.machines.iter().find(|machine| machine.name == self.machine) else {
            return Ok("{}".to_owned());
        };
        let last = inner.step_functions.last_input(&machine.arn).await?;
        Ok(last.map_or_else(|| "{}".to_owned(), |input| legible(&input)))
    }

    fn fault(&mut self, field: &'static str, message: impl Into<String>) {
        let message = message.into();
        self.errors.push(Fault { field, message });
    }

    fn status(&self) -> StatusCode {
        if self.errors.is_empty() {
            StatusCode::OK
        } else {
            StatusCode::BAD_REQUEST
        }
    }
}

/// JSON that came on one line, laid out; any other text as it is.
fn legible(input: &str) -> String {
    match serde_json::from_str::<Value>(input) {
        Ok(value) if !input.contains('\n') => format!("{value:#}"),
        _ => input.to_owned(),
    }
}

fn checked(input: &str) -> Result<Value, Fault> {
    serde_json::from_str(input).map_err(|error| {
        let line = input
            .lines()
            .nth(error.line().saturating_sub(1))
            .unwrap_or_default();
        // Counted in bytes over there.
        let before = line.as_bytes().get(..error.column()).unwrap_or(line.as_bytes());
        let column = String::from_utf8_lossy(before).chars().count();
        let said = error.to_string();
        let said = said
            .rsplit_once(" at line ")
            .map_or(said.as_str(), |(said, _)| said);
        let message = format!(
            "The input is not JSON: line {}, column {column}: {said}",
            error.line()
        );
        Fault {
            field: "input",
            message,
        }
    })
}

fn outcome(answer: &Value) -> Outcome {
    let mut room = Room::new();
    let text = answer["output"].as_str().or(answer["cause"].as_str());
    Outcome {
        status: status_of(answer["status"].as_str().unwrap_or_default()),
        error: answer["error"].as_str().map(super::values::visible),
        value: text.map(|text| Shown {
            open: true,
            cut: false,
            ..room.show_text(text, String::new())
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_json_is_told_with_its_place() {
        for (input, expected) in [
            ("{\"é\": tru}", "line 1, column 10: expected ident"),
            ("{\n  \"a\": 1,\n}", "line 3, column 1: trailing comma"),
            ("{\"a\": 1", "line 1, column 7: EOF while parsing an object"),
            ("", "line 1, column 0: EOF while parsing a value"),
        ] {
            let fault = checked(input).expect_err("a fault");
            assert_eq!(
                fault.message,
                format!("The input is not JSON: {expected}"),
                "{input}"
            );
        }
        assert!(checked(" {\"a\": [1, \"x\"]}\n").is_ok());
    }
}
