//! `countersign skip`: moves the clock of a `countersign local --time-travel` forwards, so that waits, retries, reminders
//! and deadlines come in seconds.

use super::Failure;
use super::client::exchange;
use super::terminal::{FAINT, STRONG, say, styled};
use aws_local::in_two_parts;
use bytes::Bytes;
use clap::Args;
use http::{Method, Request, StatusCode, header};
use http_body_util::Full;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Span, SpanRelativeTo, Timestamp};
use serde_json::{Value, json};

/// The options of `countersign skip`.
#[derive(Debug, Args)]
pub(crate) struct Skip {
    #[command(flatten)]
    how_far: HowFar,
    /// Where the embedded AWS is
    #[arg(
        long,
        env = "AWS_ENDPOINT_URL",
        value_name = "URL",
        default_value = "http://127.0.0.1:8086"
    )]
    aws_url: String,
    /// Print JSON, for programs
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
struct HowFar {
    /// To what falls due next: the end of a Wait, another try, a reminder, a deadline
    #[arg(long)]
    next: bool,
    /// To a time: 2026-11-24T09:00:00Z, or without a zone the local time here
    #[arg(long, value_name = "TIME", value_parser = time)]
    to: Option<Timestamp>,
    /// By a time span: 3d, 90m, 1h30m
    #[arg(long, value_name = "SPAN", value_parser = span)]
    by: Option<SignedDuration>,
}

impl Skip {
    /// Runs it to its end.
    pub(crate) async fn run(self) -> Result<(), Failure> {
        let body = match (&self.how_far.to, &self.how_far.by) {
            (Some(to), _) => json!({"to": to}),
            // From one moment on, so that a long way can be gone in several stages.
            (None, Some(by)) => {
                let stands = self.call(Method::GET, None).await?;
                let now = timestamp(&stands["now"])?;
                let to = now.checked_add(*by);
                json!({"to": to.map_err(|_| Failure::usage("that is too far"))?})
            }
            (None, None) => json!({"next": true}),
        };
        let mut came = Vec::new();
        let mut answer = loop {
            let mut answer = self.call(Method::POST, Some(&body)).await?;
            came.append(answer["came"].as_array_mut().unwrap_or(&mut Vec::new()));
            if answer["arrived"] != false {
                break answer;
            }
        };
        answer["came"] = came.into();
        if self.json {
            say(&serde_json::to_string_pretty(&answer).unwrap_or_default());
            return Ok(());
        }
        tell(&answer)
    }

    async fn call(&self, method: Method, body: Option<&Value>) -> Result<Value, Failure> {
        let url = self.aws_url.trim_end_matches('/');
        let body = body.map(ToString::to_string).unwrap_or_default();
        let request = Request::builder()
            .method(method)
            .uri(format!("{url}/clock"))
            .header(header::ACCEPT, "application/json")
            .header(header::CONTENT_TYPE, "application/json")
            .body(Full::new(Bytes::from(body)))
            .map_err(|_| {
                Failure::usage(format!(
                    "--aws-url: {url} is no address; write it like http://127.0.0.1:8086"
                ))
            })?;
        let (status, body) = exchange(request).await?.map_err(|why| {
            Failure::failed(format!(
                "{url} doesn't answer: {why}; is `countersign local --time-travel` running there? (--aws-url, or AWS_ENDPOINT_URL)"
            ))
        })?;
        let answer = serde_json::from_slice::<Value>(&body).unwrap_or_default();
        if status.is_success() && answer.is_object() {
            return Ok(answer);
        }
        Err(match (status, answer["detail"].as_str()) {
            (StatusCode::BAD_REQUEST | StatusCode::UNPROCESSABLE_ENTITY, Some(detail)) => {
                Failure::usage(detail)
            }
            (_, Some(detail)) => Failure::failed(detail),
            (status, None) => Failure::failed(format!(
                "{url} answered {status}, and nothing of a clock: is that the embedded AWS of `countersign local`?"
            )),
        })
    }
}

fn tell(answer: &Value) -> Result<(), Failure> {
    let zone = TimeZone::system();
    let shown = |at: &Value| -> Result<String, Failure> {
        let at = timestamp(at)?.to_zoned(zone.clone());
        Ok(at.strftime("%-d %b %Y, %H:%M:%S %Z").to_string())
    };
    let ahead = SignedDuration::from_secs(answer["skippedSeconds"].as_i64().unwrap_or_default());
    let now = styled(STRONG, shown(&answer["now"])?);
    say(&format!("It is {now}, {} ahead of the real time.", words(ahead)));
    for due in answer["came"].as_array().into_iter().flatten() {
        let at = styled(FAINT, shown(&due["at"])?);
        say(&format!("  {at}  {}", due["what"].as_str().unwrap_or_default()));
    }
    match answer["next"]["what"].as_str() {
        Some(what) => say(&format!("Next: {what}, {}.", shown(&answer["next"]["at"])?)),
        None => say("Nothing further is known to fall due."),
    }
    Ok(())
}

/// `3 d 1 h`, in two parts at the most.
fn words(span: SignedDuration) -> String {
    let seconds = span.as_secs();
    match seconds {
        ..60 => format!("{seconds} s"),
        _ => in_two_parts(seconds, "min"),
    }
}

fn timestamp(value: &Value) -> Result<Timestamp, Failure> {
    let time = value.as_str().and_then(|text| text.parse().ok());
    time.ok_or_else(|| Failure::failed("the embedded AWS answered with something that is no time"))
}

fn time(text: &str) -> Result<Timestamp, String> {
    if let Ok(time) = text.parse::<Timestamp>() {
        return Ok(time);
    }
    text.parse::<DateTime>()
        .and_then(|time| time.to_zoned(TimeZone::system()))
        .map(|time| time.timestamp())
        .map_err(|_| {
            "a time is written like 2026-11-24T09:00:00Z, or 2026-11-24T09:00 for the local time here"
                .to_owned()
        })
}

fn span(text: &str) -> Result<SignedDuration, String> {
    let span = text
        .parse::<Span>()
        .map_err(|_| "a time span is written like 3d, 90m or 1h30m".to_owned())?;
    let duration = span.to_duration(SpanRelativeTo::days_are_24_hours());
    let duration = duration.map_err(|_| "months and years have no fixed length; say days".to_owned())?;
    if duration.is_positive() {
        Ok(duration)
    } else {
        Err("the clock only goes forwards".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_and_times_as_people_write_them() {
        for (text, seconds) in [
            ("3d", 259_200),
            ("90m", 5_400),
            ("1h30m", 5_400),
            ("2 days 1 hour", 176_400),
            ("PT5S", 5),
        ] {
            assert_eq!(span(text), Ok(SignedDuration::from_secs(seconds)), "{text}");
        }
        for text in ["", "3", "-1h", "0s", "1 month", "soon"] {
            assert!(span(text).is_err(), "{text}");
        }
        let expected: Timestamp = "2026-11-24T09:00:00Z".parse().expect("a time");
        assert_eq!(time("2026-11-24T10:00:00+01:00"), Ok(expected));
        assert!(time("2026-11-24 09:00").is_ok());
        for told in [time("tomorrow").map(drop), span("soon").map(drop)] {
            assert!(told.is_err_and(|told| told.contains("is written like")));
        }
    }

    #[test]
    fn how_far_ahead_in_words() {
        for (seconds, expected) in [
            (0, "0 s"),
            (61, "1 min 1 s"),
            (7_200, "2 h"),
            (262_800, "3 d 1 h"),
        ] {
            assert_eq!(words(SignedDuration::from_secs(seconds)), expected);
        }
    }
}
