//! When things are tried again: the schedules, as data, in one place.

use jiff::SignedDuration;

/// Seconds between attempts of a callback: after the first failure at once, and so on; the last one repeats for as
/// long as the workflow may wait.
const CALLBACK_SECONDS: [u32; 7] = [0, 1, 5, 30, 120, 600, 3600];
/// Seconds between attempts of a mail; the last one repeats.
const MAIL_SECONDS: [u32; 6] = [5, 30, 120, 600, 3600, 21_600];

/// How long a mail's attempt may take before another process takes it for lost.
pub const MAIL_LEASE: SignedDuration = SignedDuration::from_secs(60);
/// How often we look whether the workflow of a pending request still waits.
pub const WORKFLOW_CHECK: SignedDuration = SignedDuration::from_hours(1);

/// What is overdue by more than this was not just waiting for its turn: nobody worked, or the table is an older copy that
/// was restored. Then the workflow is asked before anybody is mailed or anything expires.
pub const LATE: SignedDuration = SignedDuration::from_mins(10);

/// The pause after attempt number `attempts` (from 1) of a callback. `jitter` in 0..1 takes up to a quarter off or
/// puts it on.
pub fn callback_delay(attempts: u32, jitter: f64) -> SignedDuration {
    delay(&CALLBACK_SECONDS, attempts, jitter)
}

/// The pause after attempt number `attempts` (from 1) of a mail.
pub fn mail_delay(attempts: u32, jitter: f64) -> SignedDuration {
    delay(&MAIL_SECONDS, attempts, jitter)
}

fn delay(seconds: &[u32], attempts: u32, jitter: f64) -> SignedDuration {
    let index = (attempts.max(1) as usize - 1).min(seconds.len() - 1);
    SignedDuration::from_secs_f64(f64::from(seconds[index]) * (0.75 + jitter.clamp(0.0, 1.0) / 2.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn grows_to_hourly_and_stays_there() {
        assert_eq!(callback_delay(1, 0.9), SignedDuration::ZERO);
        assert_eq!(callback_delay(2, 0.5), SignedDuration::from_secs(1));
        assert_eq!(callback_delay(7, 0.5), SignedDuration::from_hours(1));
        assert_eq!(callback_delay(1000, 0.0), SignedDuration::from_mins(45));
        assert_eq!(callback_delay(0, 1.0), SignedDuration::ZERO);
    }
}
