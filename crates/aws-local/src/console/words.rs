//! How times, spans and statuses are said, and what makes the addresses of the pages.

use jiff::{SignedDuration, Timestamp};

use crate::amounts::in_two_parts;
use crate::dispatch::percent_encoded;

/// An execution's status, as the API names it, for a person.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Status {
    /// In a sentence or alone.
    pub(crate) word: &'static str,
    /// Beside the word, for who sees it.
    pub(crate) mark: &'static str,
    /// The style's class.
    pub(crate) class: &'static str,
}

/// The statuses that there are, in the order of the list's filter.
pub(crate) const STATUSES: [(&str, Status); 5] = [
    ("RUNNING", status("Running", "●", "running")),
    ("SUCCEEDED", status("Succeeded", "✓", "succeeded")),
    ("FAILED", status("Failed", "✕", "failed")),
    ("TIMED_OUT", status("Timed out", "◷", "failed")),
    ("ABORTED", status("Stopped", "■", "aborted")),
];

const fn status(word: &'static str, mark: &'static str, class: &'static str) -> Status {
    Status { word, mark, class }
}

/// The status that the API calls `name`.
pub(crate) fn status_of(name: &str) -> Status {
    let found = STATUSES.iter().find(|(known, _)| *known == name);
    found.map_or(status("Unknown", "?", "aborted"), |(_, status)| *status)
}

/// `21 Nov 2026, 09:00:07 UTC`.
pub(crate) fn moment(time: &Timestamp) -> String {
    time.strftime("%-d %b %Y, %H:%M:%S UTC").to_string()
}

/// How long it took, in two parts at the most: `0.25 s`, `3 min 4 s`, `2 d 1 h`.
pub(crate) fn span(from: Timestamp, to: Timestamp) -> String {
    let span = to.duration_since(from).max(SignedDuration::ZERO);
    let seconds = span.as_secs();
    match seconds {
        0 => format!("{} ms", span.as_millis()),
        1..60 => format!("{:.1} s", span.as_secs_f64()),
        _ => in_two_parts(seconds, "min"),
    }
}

/// The last part of an ARN: a machine's name, with the label of its Map where there is one.
pub(crate) fn name_of(machine: &str) -> &str {
    machine.rsplit(':').next().unwrap_or_default()
}

/// A part of an address.
pub(crate) fn encoded(text: &str) -> String {
    percent_encoded(text, b"-_.~")
}

/// The page of an execution, by its machine's name or ARN and its own name.
pub(crate) fn address(machine: &str, name: &str) -> String {
    format!("/executions/{}/{}", encoded(name_of(machine)), encoded(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_have_two_parts_at_the_most() {
        for (milliseconds, expected) in [
            (-5, "0 ms"),
            (0, "0 ms"),
            (999, "999 ms"),
            (1_250, "1.2 s"),
            (60_000, "1 min"),
            (184_000, "3 min 4 s"),
            (7_260_000, "2 h 1 min"),
            (176_400_000, "2 d 1 h"),
        ] {
            let to = Timestamp::from_millisecond(milliseconds).expect("a time");
            assert_eq!(span(Timestamp::UNIX_EPOCH, to), expected);
        }
    }

    #[test]
    fn an_address_holds_one_machine_and_one_name() {
        let machine = "arn:aws:states:us-east-1:123456789012:stateMachine:m/All items";
        assert_eq!(address(machine, "x.1"), "/executions/m%2FAll%20items/x.1");
    }
}
