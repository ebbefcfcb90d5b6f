//! Whole numbers above 2^53. JSONata counts in floating point, which cannot tell neighbours apart up there; an id that
//! only passes through an expression must come out as it went in.

use std::collections::HashMap;

use serde_json::{Number, Value};

/// From here on a double cannot hold every whole number.
const EXACT: u64 = 1 << 53;

/// The large whole numbers that an evaluation can see, by the double that each becomes.
#[derive(Debug, Default)]
pub(super) struct Large(HashMap<u64, Option<Number>>);

impl Large {
    /// Notes those in `value`.
    pub(super) fn note(&mut self, value: &Value) {
        match value {
            Value::Number(number) if !number.is_f64() => {
                let size = number.as_i64().map_or(u64::MAX, i64::unsigned_abs);
                if size > EXACT
                    && let Some(double) = number.as_f64()
                {
                    let known = self.0.entry(double.to_bits());
                    // Two numbers that become the same double cannot be told apart: neither is put back.
                    known
                        .and_modify(|known| {
                            if known.as_ref() != Some(number) {
                                *known = None;
                            }
                        })
                        .or_insert_with(|| Some(number.clone()));
                }
            }
            Value::Array(items) => items.iter().for_each(|item| self.note(item)),
            Value::Object(map) => map.values().for_each(|item| self.note(item)),
            _ => {}
        }
    }

    /// Puts them back into a result.
    pub(super) fn restore(&self, value: &mut Value) {
        if self.0.is_empty() {
            return;
        }
        match value {
            Value::Number(number) if number.is_f64() => {
                let double = number.as_f64().unwrap_or(0.0);
                if let Some(Some(exact)) = self.0.get(&double.to_bits()) {
                    *number = exact.clone();
                }
            }
            Value::Array(items) => items.iter_mut().for_each(|item| self.restore(item)),
            Value::Object(map) => map.values_mut().for_each(|item| self.restore(item)),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_passes_through_stays_exact() {
        let mut large = Large::default();
        large.note(&json!({"id": 12_345_678_901_234_567_i64, "small": 7, "list": [u64::MAX]}));
        #[expect(clippy::cast_precision_loss, reason = "that is the point")]
        let mut result = json!([12_345_678_901_234_567_i64 as f64, u64::MAX as f64, 1.5, 7]);
        large.restore(&mut result);
        assert_eq!(result, json!([12_345_678_901_234_567_i64, u64::MAX, 1.5, 7]));
    }

    #[test]
    fn numbers_that_cannot_be_told_apart_are_left_alone() {
        let mut large = Large::default();
        large.note(&json!([
            9_007_199_254_740_993_i64,
            9_007_199_254_740_994_i64,
            9_007_199_254_740_992_i64
        ]));
        let mut result = json!(9_007_199_254_740_994.0);
        large.restore(&mut result);
        assert!(result.is_f64() || result == json!(9_007_199_254_740_994_i64));
    }
}
