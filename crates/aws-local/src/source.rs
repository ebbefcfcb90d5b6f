//! Where time and randomness come from: from whoever starts the stand-ins, never from the machine, so that a
//! test can hold both still.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use jiff::Timestamp;

use crate::travel::Waits;

/// Tells the time of day, in UTC.
pub type Clock = Arc<dyn Fn() -> Timestamp + Send + Sync>;

/// Fills a buffer with random bytes.
pub type Randomness = Arc<dyn Fn(&mut [u8]) + Send + Sync>;

/// Both, as the services carry them.
#[derive(Clone)]
pub(crate) struct Source {
    pub(crate) clock: Clock,
    pub(crate) randomness: Randomness,
    /// Those who wait for a time.
    pub(crate) waits: Arc<Waits>,
}

impl Source {
    pub(crate) fn now(&self) -> Timestamp {
        (self.clock)()
    }

    pub(crate) fn bytes<const N: usize>(&self) -> [u8; N] {
        let mut bytes = [0; N];
        (self.randomness)(&mut bytes);
        bytes
    }

    /// A version 4 UUID, as AWS's request ids and unnamed executions are.
    pub(crate) fn uuid(&self) -> String {
        let mut bytes = self.bytes::<16>();
        bytes[6] = bytes[6] & 0x0f | 0x40;
        bytes[8] = bytes[8] & 0x3f | 0x80;
        let hex = data_encoding::HEXLOWER.encode(&bytes);
        format!(
            "{}-{}-{}-{}-{}",
            &hex[..8],
            &hex[8..12],
            &hex[12..16],
            &hex[16..20],
            &hex[20..]
        )
    }
}

/// Bytes that differ from call to call and are the same in every run.
pub(crate) fn counting() -> Randomness {
    let counter = AtomicU64::new(1);
    Arc::new(move |buffer: &mut [u8]| {
        let count = counter.fetch_add(1, Ordering::Relaxed).to_be_bytes();
        for (place, byte) in buffer
            .iter_mut()
            .rev()
            .zip(count.iter().rev().chain(std::iter::repeat(&0)))
        {
            *place = *byte;
        }
    })
}

/// A time as AWS's JSON protocols write it: seconds since 1970 with milliseconds.
pub(crate) fn epoch_seconds(time: Timestamp) -> serde_json::Value {
    let milliseconds = time.as_millisecond();
    #[expect(
        clippy::cast_precision_loss,
        reason = "a millisecond of this age has an exact enough double"
    )]
    serde_json::Number::from_f64(milliseconds as f64 / 1000.0).map_or(serde_json::Value::Null, Into::into)
}
