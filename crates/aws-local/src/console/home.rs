//! `/`: what is here.

use askama::Template;
use bytes::Bytes;
use http::{Request, Response, StatusCode};

use super::{endpoint, page};
use crate::error::AwsError;
use crate::{Inner, REGION};

#[derive(Template)]
#[template(path = "console/home.html")]
struct HomePage {
    endpoint: String,
    region: &'static str,
    running: String,
}

pub(super) async fn show(inner: &Inner, request: &Request<Bytes>) -> Result<Response<Bytes>, AwsError> {
    let running = match inner.step_functions.running().await {
        0 => "None is running.".to_owned(),
        1 => "One is running.".to_owned(),
        more => format!("{} are running.", crate::amounts::grouped(more as u64)),
    };
    let home = HomePage {
        endpoint: endpoint(request),
        region: REGION,
        running,
    };
    Ok(page(StatusCode::OK, &home))
}
