//! What tasks may call: the services beside Step Functions.

use std::sync::Arc;

use crate::lambda::Lambda;
use crate::s3::S3;

/// The services that the engine calls.
#[derive(Clone)]
pub(crate) struct Services {
    pub(crate) lambda: Arc<Lambda>,
    pub(crate) s3: Arc<S3>,
}
