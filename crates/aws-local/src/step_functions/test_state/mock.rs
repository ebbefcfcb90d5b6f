//! What stands in for a state's work: checked for its form, and for what the service's API could have answered.

use asl::StateType;
use asl::trial::{Mock, Trial};
use serde_json::Value;

use super::{invalid, models};
use crate::error::AwsError;
use crate::step_functions::request::Request;

/// Reads `mock`, where there is one.
pub(super) fn read(request: &Request, trial: &Trial) -> Result<Option<Mock>, AwsError> {
    let Some(mock) = request.get("mock") else {
        return Ok(None);
    };
    let result = match (mock.get("result"), mock.get("errorOutput")) {
        (Some(Value::String(result)), None) => result,
        (None, Some(failure)) => {
            let Some(error) = failure["error"].as_str() else {
                return Err(invalid("The field 'error' is required in mock.errorOutput"));
            };
            return Ok(Some(Mock::Failure {
                error: Some(error.to_owned()),
                cause: failure["cause"].as_str().map(str::to_owned),
            }));
        }
        _ => {
            return Err(invalid(
                "A test mock should have only one of the following fields: [result, errorOutput].",
            ));
        }
    };
    let result: Value =
        serde_json::from_str(result).map_err(|_| invalid("Mocked result must be valid JSON"))?;
    if let Some(branches) = trial.branches() {
        let items = array(&result)?;
        if items.len() != branches {
            return Err(invalid(
                "Mocked result must contain the same number of items as number of Parallel branches.",
            ));
        }
    }
    if trial.state_type() == StateType::Map && !trial.writes_results() {
        array(&result)?;
    }
    let mode = mock["fieldValidationMode"].as_str().unwrap_or("STRICT");
    if let Some(resource) = trial.resource()
        && mode != "NONE"
        && !super::waits(resource)
    {
        models::check(resource, &result, mode == "STRICT")
            .map_err(|why| invalid(&format!("Mock result schema validation error: {why}")))?;
    }
    Ok(Some(Mock::Result(result)))
}

fn array(result: &Value) -> Result<&Vec<Value>, AwsError> {
    result
        .as_array()
        .ok_or_else(|| invalid("Mocked result must be an array."))
}

/// `mapIterationFailureCount`, of a Map at most the number of its iterations.
pub(super) fn failed_iterations(
    configuration: &Value,
    kind: StateType,
    mock: Option<&Mock>,
) -> Result<Option<u64>, AwsError> {
    let Some(failed) = configuration["mapIterationFailureCount"].as_u64() else {
        return Ok(None);
    };
    if kind != StateType::Map {
        return Err(invalid(
            "Map iteration failure count can only be specified for a Map state",
        ));
    }
    let read = configuration["mapItemReaderData"]
        .as_str()
        .and_then(|text| serde_json::from_str::<Vec<Value>>(text).ok());
    let all = match mock {
        Some(Mock::Result(Value::Array(items))) => Some(items.len()),
        _ => read.map(|items| items.len()),
    };
    if all.is_some_and(|all| failed > u64::try_from(all).unwrap_or(u64::MAX)) {
        return Err(invalid(
            "Map iteration failure count must be less than or equal to the number of Map iterations",
        ));
    }
    Ok(Some(failed))
}
