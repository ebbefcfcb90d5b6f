//! HTTP calls that leave the stand-ins: of HTTP tasks, and of functions behind a web address. Without TLS: they are
//! meant for programs on the same machine.

use bytes::Bytes;
use http::{Request, Response, Uri};
use http_body_util::{BodyExt, Full, Limited};
use hyper_util::rt::TokioIo;

/// An `http://` address, and whom to connect to for it.
pub(crate) struct Address {
    pub(crate) uri: Uri,
    pub(crate) host: String,
    pub(crate) port: u16,
}

impl Address {
    /// The error says what is wrong with `text`.
    pub(crate) fn parse(text: &str) -> Result<Address, String> {
        let uri: Uri = text.parse().map_err(|_| format!("'{text}' is no address"))?;
        let (Some("http"), Some(host)) = (uri.scheme_str(), uri.host()) else {
            return Err(format!(
                "'{text}' can't be called: the embedded AWS calls http addresses on this machine only"
            ));
        };
        Ok(Address {
            host: host.to_owned(),
            port: uri.port_u16().unwrap_or(80),
            uri,
        })
    }

    /// What the Host header says.
    pub(crate) fn authority(&self) -> &str {
        self.uri.authority().map_or("", http::uri::Authority::as_str)
    }

    pub(crate) fn path(&self) -> &str {
        if self.uri.path().is_empty() {
            "/"
        } else {
            self.uri.path()
        }
    }

    /// Sends a request and reads the answer, of at most `limit` bytes. The error is the connection's.
    pub(crate) async fn send(
        &self,
        request: Request<Full<Bytes>>,
        limit: usize,
    ) -> Result<Response<Bytes>, String> {
        let host = self.host.trim_start_matches('[').trim_end_matches(']');
        let stream = tokio::net::TcpStream::connect((host, self.port))
            .await
            .map_err(|error| error.to_string())?;
        let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
            .await
            .map_err(|error| error.to_string())?;
        let exchange = async {
            let response = sender
                .send_request(request)
                .await
                .map_err(|error| error.to_string())?;
            let (parts, body) = response.into_parts();
            let body = Limited::new(body, limit).collect().await;
            let body = body.map_err(|error| error.to_string())?.to_bytes();
            Ok::<_, String>(Response::from_parts(parts, body))
        };
        tokio::pin!(connection);
        tokio::pin!(exchange);
        tokio::select! {
            // The answer first: the connection may end as soon as it is there.
            biased;
            done = &mut exchange => done,
            ended = &mut connection => {
                ended.map_err(|error| error.to_string())?;
                exchange.await
            }
        }
    }
}
