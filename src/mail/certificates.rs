//! The certificates that SNS signs with: fetched from SNS's own host, and remembered. Called by `flow/mail_event.rs`,
//! after `domain/sns.rs` has checked where a message says that its certificate lies.

use bytes::Bytes;
use http::{Request, StatusCode};
use http_body_util::{BodyExt, Empty, Limited};
use hyper_rustls::HttpsConnectorBuilder;
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use std::collections::HashMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(5);
/// The largest file that is taken, in bytes. SNS's have some two thousand.
const LARGEST: usize = 32 * 1024;
/// How many certificates are remembered. SNS has one or two in a region at a time.
const MOST: usize = 16;
/// How long one is remembered.
const KEPT: Duration = Duration::from_hours(24);
/// How many fetches there may be within [`WINDOW`]: a message's signature is checked only after its certificate came.
const MOST_FETCHES: u32 = 10;
const WINDOW: Duration = Duration::from_mins(1);

/// Fetches what lies at an `https` address: the status and the body, at most [`LARGEST`] bytes.
pub type Fetch = Arc<dyn Fn(String) -> Fetching + Send + Sync>;
/// A fetch under way. The error says what went wrong.
pub type Fetching = Pin<Box<dyn Future<Output = Result<(StatusCode, Bytes), String>> + Send>>;

/// The certificates known so far. Cheap to clone; clones know the same.
#[derive(Clone)]
pub struct Certificates {
    fetch: Fetch,
    known: Arc<Mutex<Known>>,
}

impl std::fmt::Debug for Certificates {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Certificates")
    }
}

#[derive(Default)]
struct Known {
    by_url: HashMap<String, (Instant, Bytes)>,
    window: Option<(Instant, u32)>,
}

/// Why something of SNS's couldn't be had; another time it may.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("SNS can't be asked: {0}")]
pub struct FetchError(pub String);

impl Certificates {
    /// Certificates that `fetch` brings.
    pub fn new(fetch: Fetch) -> Self {
        Self {
            fetch,
            known: Arc::default(),
        }
    }

    /// Certificates from the web, over HTTPS alone, from hosts that the system's roots vouch for.
    pub fn over_https() -> Self {
        Self::new(Arc::new(|url| Box::pin(get(url))))
    }

    /// What lies at `url`, which must have been checked to be an address of SNS's.
    pub async fn get(&self, url: &str) -> Result<Bytes, FetchError> {
        if let Some(known) = self.known(url)? {
            return Ok(known);
        }
        let body = self.fetched(url).await?;
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if known.by_url.len() >= MOST {
            let oldest = known.by_url.iter().min_by_key(|(_, (since, _))| *since);
            if let Some(oldest) = oldest.map(|(url, _)| url.clone()) {
                known.by_url.remove(&oldest);
            }
        }
        known
            .by_url
            .insert(url.to_owned(), (Instant::now(), body.clone()));
        Ok(body)
    }

    /// Opens an address of SNS's for what that does, such as to confirm a subscription. It must have been checked, and the
    /// message that names it to be signed.
    pub async fn visit(&self, url: &str) -> Result<(), FetchError> {
        self.fetched(url).await.map(drop)
    }

    async fn fetched(&self, url: &str) -> Result<Bytes, FetchError> {
        let fetched = tokio::time::timeout(PATIENCE, (self.fetch)(url.to_owned())).await;
        let (status, body) = fetched
            .unwrap_or_else(|_| Err("no answer within 5 seconds".to_owned()))
            .map_err(FetchError)?;
        if status == StatusCode::OK {
            Ok(body)
        } else {
            Err(FetchError(format!("the answer was {status}")))
        }
    }

    /// What is remembered; else counts the fetch that is to come, and refuses it when there were too many.
    fn known(&self, url: &str) -> Result<Option<Bytes>, FetchError> {
        let now = Instant::now();
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((since, body)) = known.by_url.get(url)
            && now.duration_since(*since) < KEPT
        {
            return Ok(Some(body.clone()));
        }
        let (began, count) = match known.window {
            Some((began, count)) if now.duration_since(began) < WINDOW => (began, count),
            _ => (now, 0),
        };
        if count >= MOST_FETCHES {
            return Err(FetchError("too many were asked for within a minute".to_owned()));
        }
        known.window = Some((began, count + 1));
        Ok(None)
    }
}

async fn get(url: String) -> Result<(StatusCode, Bytes), String> {
    let connector = HttpsConnectorBuilder::new()
        .with_native_roots()
        .map_err(|error| format!("the system's certificates can't be read: {error}"))?
        .https_only()
        .enable_http1()
        .build();
    let client = Client::builder(TokioExecutor::new()).build::<_, Empty<Bytes>>(connector);
    let request = Request::get(url)
        .body(Empty::new())
        .map_err(|error| error.to_string())?;
    let answer = client.request(request).await.map_err(|error| error.to_string())?;
    let (parts, body) = answer.into_parts();
    let body = Limited::new(body, LARGEST).collect().await;
    let body = body.map_err(|error| error.to_string())?;
    Ok((parts.status, body.to_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};

    fn counting(status: StatusCode) -> (Certificates, Arc<AtomicUsize>) {
        let fetches = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&fetches);
        let certificates = Certificates::new(Arc::new(move |url| {
            counted.fetch_add(1, Ordering::SeqCst);
            Box::pin(async move { Ok((status, Bytes::from(url))) })
        }));
        (certificates, fetches)
    }

    #[tokio::test(start_paused = true)]
    async fn a_certificate_is_fetched_once_a_day() {
        let (certificates, fetches) = counting(StatusCode::OK);
        for _ in 0..100 {
            assert_eq!(certificates.get("https://a").await, Ok(Bytes::from("https://a")));
        }
        assert_eq!(fetches.load(Ordering::SeqCst), 1);
        tokio::time::sleep(KEPT).await;
        certificates.get("https://a").await.expect("fetched again");
        assert_eq!(fetches.load(Ordering::SeqCst), 2);
    }

    #[tokio::test(start_paused = true)]
    async fn neither_memory_nor_fetches_grow_with_what_is_asked_for() {
        let (certificates, fetches) = counting(StatusCode::OK);
        for round in 0..10 {
            for n in 0..100 {
                let _ = certificates.get(&format!("https://{round}-{n}")).await;
            }
            tokio::time::sleep(WINDOW).await;
        }
        assert_eq!(fetches.load(Ordering::SeqCst), 100);
        assert_eq!(certificates.known.lock().expect("no panic").by_url.len(), MOST);
    }

    #[tokio::test(start_paused = true)]
    async fn what_isnt_there_isnt_remembered() {
        let (certificates, fetches) = counting(StatusCode::NOT_FOUND);
        for _ in 0..2 {
            let error = certificates.get("https://a").await.expect_err("refused");
            assert!(error.to_string().contains("404"), "{error}");
        }
        assert_eq!(fetches.load(Ordering::SeqCst), 2);
    }

    #[tokio::test(start_paused = true)]
    async fn a_host_that_says_nothing_is_given_up() {
        let certificates = Certificates::new(Arc::new(|_| Box::pin(std::future::pending())));
        let error = certificates.get("https://a").await.expect_err("no answer");
        assert!(error.to_string().contains("5 seconds"), "{error}");
    }
}
