//! Pauses of what asks again and again: each longer than the one before, never quite the same, and over at once when the
//! process is to stop.

use crate::flow::Random;
use std::time::Duration;
use tokio::sync::watch;

/// The first pause.
const FIRST: Duration = Duration::from_millis(500);
/// The longest.
const LONGEST: Duration = Duration::from_mins(1);

/// How many pauses there were in a row.
#[derive(Clone, Copy, Default, Debug)]
pub(super) struct Pause(u32);

impl Pause {
    /// How long the next one is: at least half of what is doubled with each.
    pub(super) fn next(&mut self, random: &Random) -> Duration {
        let most = FIRST.saturating_mul(1 << self.0.min(10)).min(LONGEST);
        self.0 = self.0.saturating_add(1);
        most.mul_f64(0.5 + random.unit() / 2.0)
    }

    /// Makes the next one.
    pub(super) async fn rest(&mut self, random: &Random, stop: &mut watch::Receiver<bool>) {
        let time = self.next(random);
        rest_for(time, stop).await;
    }
}

/// Waits for `time`, or until `stop` turns true.
pub(super) async fn rest_for(time: Duration, stop: &mut watch::Receiver<bool>) {
    tokio::select! {
        () = tokio::time::sleep(time) => {}
        () = stopped(stop) => {}
    }
}

/// Whether it is time to stop. When the sender is gone that is a stop as well.
pub(super) fn is_stopped(stop: &watch::Receiver<bool>) -> bool {
    *stop.borrow() || stop.has_changed().is_err()
}

/// Waits until `stop` turns true.
pub(super) async fn stopped(stop: &mut watch::Receiver<bool>) {
    // An error means that the sender is gone: that is a stop as well.
    let _ = stop.wait_for(|stop| *stop).await;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_is_longer_than_the_one_before_up_to_a_minute() {
        let random = Random::new(|bytes| bytes.fill(0xff));
        let mut pause = Pause::default();
        let pauses: Vec<f64> = (0..12).map(|_| pause.next(&random).as_secs_f64()).collect();
        assert!(pauses[0] > 0.25 && pauses[0] <= 0.5, "{pauses:?}");
        assert!(pauses.windows(2).all(|two| two[0] <= two[1]), "{pauses:?}");
        assert!(
            pauses[8..]
                .iter()
                .all(|seconds| *seconds > 59.0 && *seconds <= 60.0),
            "{pauses:?}"
        );
    }
}
