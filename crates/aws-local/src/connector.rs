//! The way in for AWS SDK clients in the same process: an HTTP client that hands each request to the
//! stand-ins. So the SDK's own code runs as in production, up to where the network would begin.

use std::fmt;
use std::sync::{Arc, Weak};

use aws_smithy_runtime_api::client::http::{
    HttpConnector, HttpConnectorFuture, SharedHttpClient, SharedHttpConnector, http_client_fn,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_types::body::SdkBody;
use aws_smithy_types::byte_stream::ByteStream;

use crate::Inner;

/// Holds the stand-ins weakly: a function registered with them may hold the SDK client that holds this.
pub(crate) fn http_client(inner: &Arc<Inner>) -> SharedHttpClient {
    let connector = SharedHttpConnector::new(Connector {
        inner: Arc::downgrade(inner),
    });
    http_client_fn(move |_, _| connector.clone())
}

struct Connector {
    inner: Weak<Inner>,
}

impl fmt::Debug for Connector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Connector")
    }
}

impl HttpConnector for Connector {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let inner = Weak::clone(&self.inner);
        HttpConnectorFuture::new(async move {
            let request = request
                .try_into_http1x()
                .map_err(|error| ConnectorError::user(error.into()))?;
            let (parts, body) = request.into_parts();
            let body = ByteStream::new(body)
                .collect()
                .await
                .map_err(|error| ConnectorError::user(error.into()))?
                .into_bytes();
            let inner = inner
                .upgrade()
                .filter(|inner| !inner.has_ended())
                .ok_or_else(gone)?;
            let response = inner.handle(http::Request::from_parts(parts, body)).await;
            HttpResponse::try_from(response.map(SdkBody::from))
                .map_err(|error| ConnectorError::other(error.into(), None))
        })
    }
}

fn gone() -> ConnectorError {
    let refused = std::io::Error::new(
        std::io::ErrorKind::ConnectionRefused,
        "the embedded AWS has ended",
    );
    ConnectorError::io(refused.into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{AwsLocal, Options};

    fn request() -> HttpRequest {
        let mut request = HttpRequest::new(SdkBody::from("{}"));
        request.set_method("POST").expect("a method");
        request
            .set_uri("https://dynamodb.us-east-1.amazonaws.com/")
            .expect("an address");
        request
            .headers_mut()
            .insert("x-amz-target", "DynamoDB_20120810.ListTables");
        request
    }

    #[tokio::test]
    async fn a_request_for_any_host_is_answered_until_the_stand_ins_have_ended() {
        let options = Options::in_memory(|| "2026-11-21T09:00:00Z".parse().expect("a time"));
        let aws = AwsLocal::start(options).await.expect("it starts");
        let connector = Connector {
            inner: Arc::downgrade(&aws.inner),
        };
        let response = connector.call(request()).await.expect("an answer");
        assert_eq!(response.body().bytes(), Some(br#"{"TableNames":[]}"#.as_slice()));
        aws.stop().await;
        assert!(
            connector
                .call(request())
                .await
                .expect_err("nobody listens")
                .is_io()
        );
        drop(aws);
        assert!(
            connector
                .call(request())
                .await
                .expect_err("nobody is there")
                .is_io()
        );
    }
}
