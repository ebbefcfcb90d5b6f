//! Stopping an execution and taking it up again: forms with a box to tick, so that neither happens by mistake.

use bytes::Bytes;
use http::{Request, Response};

use super::{field, form, missing, refused, see_other, words};
use crate::Inner;
use crate::error::AwsError;

pub(super) async fn stop(
    inner: &Inner,
    machine: &str,
    name: &str,
    request: Request<Bytes>,
) -> Result<Response<Bytes>, AwsError> {
    let fields = match confirmed(request).await {
        Ok(fields) => fields,
        Err(response) => return Ok(response),
    };
    let Some(record) = inner.step_functions.record(machine, name).await? else {
        return Ok(missing());
    };
    inner
        .step_functions
        .stop(&record.arn, field(&fields, "cause"))
        .await?;
    Ok(see_other(&words::address(machine, name)))
}

pub(super) async fn redrive(
    inner: &Inner,
    machine: &str,
    name: &str,
    request: Request<Bytes>,
) -> Result<Response<Bytes>, AwsError> {
    if let Err(response) = confirmed(request).await {
        return Ok(response);
    }
    let Some(record) = inner.step_functions.record(machine, name).await? else {
        return Ok(missing());
    };
    inner.step_functions.redrive(&record.arn).await?;
    Ok(see_other(&words::address(machine, name)))
}

/// The fields of a form whose box is ticked.
async fn confirmed(request: Request<Bytes>) -> Result<Vec<(String, String)>, Response<Bytes>> {
    let fields = form(request).await?;
    if field(&fields, "sure") == Some("yes") {
        return Ok(fields);
    }
    let error = AwsError::new("Not confirmed", "Go back and tick the box to confirm it.");
    Err(refused(&error))
}
