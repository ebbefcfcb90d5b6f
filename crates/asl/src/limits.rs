//! What a value may be to pass from one state to the next.

use serde_json::Value;

use crate::journal::Failure;

/// AWS's limit in bytes of JSON text.
pub(crate) const MOST_BYTES: usize = 262_144;
/// AWS's limit to the events of one execution.
pub(crate) const MOST_EVENTS: u64 = 25_000;
/// Ours, in bytes of [`weight`]: 25,000 events of the largest size would be more than a machine has memory for, and the
/// journal is read as a whole.
pub(crate) const MOST_HISTORY: usize = 256 * 1024 * 1024;
/// Ours: a loop can wrap its own data again and again, and a journal that cannot be read back is lost.
const DEEPEST: usize = 100;

/// What may be gathered on the way to a value, by [`weight`]: a template can name its whole input a thousand times, and
/// what could not pass in the end need not be built first.
pub(crate) const MOST_WEIGHT: usize = 4 * MOST_BYTES;

/// About how much memory a value takes, in bytes.
pub(crate) fn weight(value: &Value) -> usize {
    match value {
        Value::Null | Value::Bool(_) | Value::Number(_) => 8,
        Value::String(text) => 8 + text.len(),
        Value::Array(items) => items.iter().map(weight).sum::<usize>() + 8,
        Value::Object(map) => {
            map.iter()
                .map(|(name, item)| 8 + name.len() + weight(item))
                .sum::<usize>()
                + 8
        }
    }
}

/// Refuses what is nested too deep to be kept.
pub(crate) fn shallow(value: &Value, state: &str) -> Result<(), Failure> {
    if depth_exceeds(value, DEEPEST) {
        let cause =
            format!("The state/task '{state}' returned a result nested more than {DEEPEST} levels deep.");
        return Err(Failure {
            error: Some("States.Runtime".into()),
            cause: Some(cause),
            also: None,
        });
    }
    Ok(())
}

/// `value`, if it may pass out of `state`.
pub(crate) fn pass(value: Value, state: &str) -> Result<Value, Failure> {
    shallow(&value, state)?;
    if bytes_exceed(&value) {
        return Err(too_large(state));
    }
    Ok(value)
}

/// What `state` fails with when its data is too large.
pub(crate) fn too_large(state: &str) -> Failure {
    let cause = format!(
        "The state/task '{state}' returned a result with a size exceeding the maximum number of bytes service limit."
    );
    Failure {
        error: Some("States.DataLimitExceeded".into()),
        cause: Some(cause),
        also: None,
    }
}

fn depth_exceeds(value: &Value, limit: usize) -> bool {
    let Some(limit) = limit.checked_sub(1) else {
        return matches!(value, Value::Array(_) | Value::Object(_));
    };
    match value {
        Value::Array(items) => items.iter().any(|item| depth_exceeds(item, limit)),
        Value::Object(map) => map.values().any(|item| depth_exceeds(item, limit)),
        _ => false,
    }
}

fn bytes_exceed(value: &Value) -> bool {
    let mut left = Room(MOST_BYTES);
    serde_json::to_writer(&mut left, value).is_err()
}

/// The bytes of its JSON text.
pub(crate) fn bytes(value: &Value) -> usize {
    let mut left = Room(usize::MAX);
    // Writing to it fails only where there is no room.
    let _ = serde_json::to_writer(&mut left, value);
    usize::MAX - left.0
}

/// Counts what is written to it and refuses more than there is room for, so that nothing is built up to be measured.
struct Room(usize);

impl std::io::Write for Room {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0 = self
            .0
            .checked_sub(bytes.len())
            .ok_or(std::io::ErrorKind::FileTooLarge)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_limit_counts_json_text() {
        assert!(pass("x".repeat(MOST_BYTES - 2).into(), "s").is_ok());
        let failure = pass("x".repeat(MOST_BYTES - 1).into(), "s").unwrap_err();
        assert_eq!(failure.error.as_deref(), Some("States.DataLimitExceeded"));
    }

    #[test]
    fn depth_has_a_limit() {
        let nested = |levels| (0..levels).fold(Value::Null, |value, _| Value::Array(vec![value]));
        assert!(pass(nested(DEEPEST), "s").is_ok());
        assert!(pass(nested(DEEPEST + 1), "s").is_err());
    }
}
