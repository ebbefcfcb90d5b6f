//! What an execution asks of the world while it decides is passed in, so that a test can hold it still and a
//! simulation can replay it: randomness above all.
//!
//! What is drawn (task tokens, uuids, jitter) is written to the journal; replaying never draws.

use data_encoding::BASE64URL_NOPAD;
use serde_json::Value;

/// A source of random bytes. Production gives the operating system's; a test gives a counter.
pub trait Randomness {
    /// Fills all of `bytes`. Task tokens come from here, so in production it must be fit for secrets.
    fn fill(&mut self, bytes: &mut [u8]);

    /// Whether there is an activity of this ARN. A task for one that isn't there fails instead of being scheduled.
    fn activity_exists(&self, arn: &str) -> bool {
        let _ = arn;
        true
    }

    /// Data that passes on its way into or out of a state, by the names of TestState's inspection data. Only who tries
    /// a state looks at it.
    fn watch(&mut self, what: &'static str, value: &Value) {
        let _ = (what, value);
    }
}

impl<R: Randomness + ?Sized> Randomness for &mut R {
    fn fill(&mut self, bytes: &mut [u8]) {
        (**self).fill(bytes);
    }

    fn activity_exists(&self, arn: &str) -> bool {
        (**self).activity_exists(arn)
    }

    fn watch(&mut self, what: &'static str, value: &Value) {
        (**self).watch(what, value);
    }
}

/// For what draws nothing.
pub(crate) struct Nothing;

impl Randomness for Nothing {
    fn fill(&mut self, bytes: &mut [u8]) {
        bytes.fill(0);
    }
}

fn draw<const N: usize>(random: &mut dyn Randomness) -> [u8; N] {
    let mut bytes = [0; N];
    random.fill(&mut bytes);
    bytes
}

/// A task token of 128 characters: 768 bits nobody can guess. AWS's own run from some hundred to 1,000 characters.
pub(crate) fn task_token(random: &mut dyn Randomness) -> String {
    BASE64URL_NOPAD.encode(&draw::<96>(random))
}

/// A version 4 UUID (RFC 9562).
pub(crate) fn uuid(random: &mut dyn Randomness) -> String {
    uuid_of(draw(random))
}

/// The version 4 UUID made of these bytes.
pub(crate) fn uuid_of(drawn: [u8; 16]) -> String {
    let mut bits = u128::from_be_bytes(drawn);
    bits = bits & !(0xf << 76) | 4 << 76;
    bits = bits & !(0b11 << 62) | 0b10 << 62;
    let hex = format!("{bits:032x}");
    [&hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..]].join("-")
}

/// A whole number in `low..high`; `low` when the range is empty.
pub(crate) fn between(random: &mut dyn Randomness, low: i64, high: i64) -> i64 {
    spread(u64::from_be_bytes(draw(random)), low, high)
}

/// Maps 64 random bits onto `low..high` with a bias below one in 2^64 of the range.
pub(crate) fn spread(bits: u64, low: i64, high: i64) -> i64 {
    let Ok(width) = u128::try_from(i128::from(high) - i128::from(low)) else {
        return low;
    };
    let offset = (u128::from(bits) * width) >> 64;
    low.wrapping_add_unsigned(u64::try_from(offset).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Same(u8);
    impl Randomness for Same {
        fn fill(&mut self, bytes: &mut [u8]) {
            bytes.fill(self.0);
        }
    }

    #[test]
    fn a_uuid_says_its_version_and_variant() {
        assert_eq!(uuid(&mut Same(0)), "00000000-0000-4000-8000-000000000000");
        assert_eq!(uuid(&mut Same(0xff)), "ffffffff-ffff-4fff-bfff-ffffffffffff");
    }

    #[test]
    fn a_number_stays_in_its_range() {
        assert_eq!(spread(0, -5, 5), -5);
        assert_eq!(spread(u64::MAX, -5, 5), 4);
        assert_eq!(spread(7, 3, 3), 3);
        assert_eq!(spread(u64::MAX, i64::MIN, i64::MAX), i64::MAX - 1);
    }

    #[test]
    fn a_token_fits_the_limits_of_the_api() {
        assert_eq!(task_token(&mut Same(3)).len(), 128);
    }
}
