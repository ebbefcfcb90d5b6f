//! What surrounds the service: whose AWS it is, whether the clocks agree, and whether signers reach the pages.

use super::super::client::exchange;
use super::Patient;
use super::finding::{Finding, Verdict, fault, said};
use crate::aws_faults::{self, Service::Sts};
use crate::flow::Clock;
use aws_config::SdkConfig;
use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::interceptors::Intercept;
use aws_smithy_runtime_api::client::interceptors::context::BeforeDeserializationInterceptorContextRef;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::config_bag::ConfigBag;
use bytes::Bytes;
use http::{Request, StatusCode};
use http_body_util::Full;
use jiff::{SignedDuration, Timestamp};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// How long the service may take to answer.
const PATIENCE: Duration = Duration::from_secs(6);
/// AWS takes no signature that is older or newer than five minutes.
const REFUSED: SignedDuration = SignedDuration::from_mins(4);
/// A clock in order is off by less.
const IN_ORDER: SignedDuration = SignedDuration::from_secs(30);

/// Whose credentials these are.
#[derive(Clone, Debug)]
pub(in crate::cli) struct Account {
    pub(in crate::cli) number: String,
    pub(in crate::cli) arn: String,
}

impl Account {
    /// `aws`, `aws-cn`, `aws-us-gov`.
    pub(in crate::cli) fn partition(&self) -> &str {
        self.arn.split(':').nth(1).unwrap_or("aws")
    }
}

/// Asks AWS who we are, which nobody may be denied, and compares the time with that of its answer.
pub(super) async fn account(aws: &SdkConfig, clock: &Clock) -> (Option<Account>, Vec<Finding>) {
    let answered = Answered::default();
    let call = aws_sdk_sts::Client::new(aws).get_caller_identity().customize();
    let answer = call.interceptor(answered.clone()).send().await;
    let mut found = Vec::new();
    if let Some(skew) = answered.skew(clock.now()) {
        found.push(skew);
    }
    match answer {
        Ok(identity) => {
            let (number, arn) = (
                identity.account.unwrap_or_default(),
                identity.arn.unwrap_or_default(),
            );
            found.insert(
                0,
                Finding::ok("credentials", format!("{arn} in account {number}")),
            );
            (Some(Account { number, arn }), found)
        }
        Err(error) => {
            let (code, message) = said(&error);
            let known = aws_faults::find(Sts, &code, &message).is_some();
            let mut finding = fault("credentials", Sts, (code, message));
            if !known {
                // A stand-in for AWS that has no STS.
                finding.verdict = Verdict::Warning;
            }
            found.insert(0, finding);
            (None, found)
        }
    }
}

/// Whether there is any use in asking AWS more.
pub(super) fn answers(found: &[Finding]) -> bool {
    let wrong = |finding: &Finding| finding.about == "credentials" && finding.verdict == Verdict::Wrong;
    !found.iter().any(wrong)
}

/// Keeps the date of the last answer. That of a refusal tells as well.
#[derive(Clone, Default, Debug)]
struct Answered(Arc<Mutex<Option<Timestamp>>>);

impl Intercept for Answered {
    fn name(&self) -> &'static str {
        "Answered"
    }

    fn read_before_deserialization(
        &self,
        context: &BeforeDeserializationInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let date = context.response().headers().get("date");
        let date = date.and_then(|date| jiff::fmt::rfc2822::parse(date).ok());
        if let Some(date) = date {
            *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(date.timestamp());
        }
        Ok(())
    }
}

impl Answered {
    fn skew(&self, now: Timestamp) -> Option<Finding> {
        let theirs = (*self.0.lock().unwrap_or_else(PoisonError::into_inner))?;
        Some(compared(now, theirs))
    }
}

/// Our time against AWS's.
fn compared(now: Timestamp, theirs: Timestamp) -> Finding {
    let about = "clock";
    let off = now.duration_since(theirs);
    let side = if off.is_negative() { "behind" } else { "ahead of" };
    let what = format!("is {} s {side} AWS's", off.abs().as_secs());
    let advice = "set this machine's clock with NTP (chrony, systemd-timesyncd)";
    if off.abs() >= REFUSED {
        let why = "AWS refuses what is signed five minutes off, and deadlines would be kept at wrong times";
        Finding::wrong(about, what, format!("{advice}: {why}"))
    } else if off.abs() >= IN_ORDER {
        Finding::warning(about, what, advice)
    } else {
        Finding::ok(about, "agrees with AWS's")
    }
}

/// Whether signers reach the pages at the address that their mails carry, and whether that is this service.
pub(super) async fn address(patient: &Patient) -> Vec<Finding> {
    let about = "public_url";
    let url = patient.serve.config.public_url.trim_end_matches('/');
    let mut found = Vec::new();
    if url.starts_with("http://") && !is_this_machine(url) {
        found.push(Finding::warning(
            about,
            format!("{url} has no TLS: who sees a link on its way can answer in a signer's place"),
            "put a load balancer or a proxy with a certificate before it, and write https://",
        ));
    }
    let Ok(request) = Request::get(format!("{url}/readyz")).body(Full::new(Bytes::new())) else {
        return found;
    };
    let answer = tokio::time::timeout(PATIENCE, exchange(request)).await;
    let not_there = |why: &str| {
        Finding::warning(
            about,
            format!("{url} doesn't answer: {why}"),
            "start `countersign serve` there, if it isn't yet; else look at DNS, certificate, load balancer and listen",
        )
    };
    found.push(match answer {
        Err(_elapsed) => not_there("no answer in time"),
        Ok(Err(failure)) => not_there(failure.message()),
        Ok(Ok(Err(why))) => not_there(&why),
        Ok(Ok(Ok((status, body)))) => recognised(url, status, &body),
    });
    found
}

fn recognised(url: &str, status: StatusCode, body: &[u8]) -> Finding {
    let about = "public_url";
    match (status, body) {
        (StatusCode::OK, b"ready\n") => Finding::ok(about, format!("{url} answers, and is ready")),
        (StatusCode::SERVICE_UNAVAILABLE, body) if body.starts_with(b"the table") => Finding::wrong(
            about,
            format!("{url} answers, but its table doesn't"),
            "look at the log of that process, and examine with its credentials and its configuration",
        ),
        _ => Finding::wrong(
            about,
            format!(
                "what answers at {url}/readyz isn't Countersign (status {})",
                status.as_u16()
            ),
            "lead this address to `countersign serve`, or put the right one into public_url",
        ),
    }
}

fn is_this_machine(url: &str) -> bool {
    let host = url
        .parse::<http::Uri>()
        .ok()
        .and_then(|url| url.host().map(str::to_owned));
    host.is_some_and(|host| {
        matches!(host.as_str(), "localhost" | "127.0.0.1" | "[::1]") || host.ends_with(".localhost")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clocks_are_compared_as_aws_does() {
        let theirs: Timestamp = "2026-11-21T09:00:00Z".parse().expect("a time");
        let verdict = |seconds| compared(theirs + SignedDuration::from_secs(seconds), theirs).verdict;
        assert_eq!(verdict(0), Verdict::Ok);
        assert_eq!(verdict(-29), Verdict::Ok);
        assert_eq!(verdict(31), Verdict::Warning);
        assert_eq!(verdict(-300), Verdict::Wrong);
        assert_eq!(
            compared(theirs - SignedDuration::from_hours(1), theirs).what,
            "is 3600 s behind AWS's"
        );
    }

    #[test]
    fn only_countersign_is_taken_for_countersign() {
        let verdict = |status, body: &[u8]| recognised("https://x", status, body).verdict;
        assert_eq!(verdict(StatusCode::OK, b"ready\n"), Verdict::Ok);
        assert_eq!(verdict(StatusCode::OK, b"<html>"), Verdict::Wrong);
        assert_eq!(
            verdict(StatusCode::SERVICE_UNAVAILABLE, b"the table doesn't answer\n"),
            Verdict::Wrong
        );
        assert!(is_this_machine("http://127.0.0.1:8080") && is_this_machine("http://[::1]:1"));
        assert!(!is_this_machine("http://sign.example.com"));
    }
}
