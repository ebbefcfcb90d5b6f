//! The eighteen intrinsic functions, and what each does with its arguments.
//!
//! <https://docs.aws.amazon.com/step-functions/latest/dg/intrinsic-functions.html>

use std::collections::HashSet;

use data_encoding::{BASE64, HEXLOWER};
use md5::Md5;
use serde_json::{Number, Value};
use sha1::Sha1;
use sha2::{Digest, Sha256, Sha384, Sha512};

use super::text;
use crate::compare;
use crate::random::{self, Randomness};

/// AWS lets `States.ArrayRange` and `States.ArrayPartition` make at most this many elements.
const MOST_ELEMENTS: usize = 1000;
/// AWS's limit in characters for `States.Base64Encode`, `States.Base64Decode` and `States.Hash`.
const LONGEST_TEXT: usize = 10_000;

macro_rules! functions {
    ($($name:ident $least:literal ..= $most:expr),* $(,)?) => {
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[expect(clippy::upper_case_acronyms, reason = "the names of the language")]
        pub(super) enum Function { $($name),* }

        impl Function {
            /// By its full name: `States.Format`.
            pub(super) fn named(name: &str) -> Option<Self> {
                match name.strip_prefix("States.")? {
                    $(stringify!($name) => Some(Self::$name),)*
                    _ => None,
                }
            }

            /// Whether it can be called with so many arguments.
            pub(super) fn takes(self, count: usize) -> bool {
                match self {
                    $(Self::$name => ($least..=$most).contains(&count),)*
                }
            }
        }
    };
}

functions! {
    Array 0..=usize::MAX,
    ArrayContains 2..=2,
    ArrayGetItem 2..=2,
    ArrayLength 1..=1,
    ArrayPartition 2..=2,
    ArrayRange 3..=3,
    ArrayUnique 1..=1,
    Base64Decode 1..=1,
    Base64Encode 1..=1,
    Format 1..=usize::MAX,
    Hash 2..=2,
    JsonMerge 3..=3,
    JsonToString 1..=1,
    MathAdd 2..=2,
    MathRandom 2..=3,
    StringSplit 2..=2,
    StringToJson 1..=1,
    UUID 0..=0,
}

impl Function {
    /// Applies it; `Err` says what it had against its arguments.
    pub(super) fn apply(self, arguments: Vec<Value>, random: &mut dyn Randomness) -> Result<Value, String> {
        let arg = |n: usize| arguments.get(n).unwrap_or(&Value::Null);
        match self {
            Self::Array => Ok(Value::Array(arguments)),
            Self::ArrayContains => Ok(array(arg(0))?.iter().any(|item| same(item, arg(1))).into()),
            Self::ArrayGetItem => {
                let (items, index) = (array(arg(0))?, whole(arg(1))?);
                let item = usize::try_from(index).ok().and_then(|index| items.get(index));
                item.cloned().ok_or_else(|| {
                    format!(
                        "The index {index} is out of bounds for an array of {}",
                        items.len()
                    )
                })
            }
            Self::ArrayLength => Ok(array(arg(0))?.len().into()),
            Self::ArrayPartition => partition(array(arg(0))?, whole(arg(1))?),
            Self::ArrayRange => range(rounded(arg(0))?, rounded(arg(1))?, rounded(arg(2))?),
            Self::ArrayUnique => {
                let mut known = HashSet::new();
                Ok(array(arg(0))?
                    .iter()
                    .filter(|item| known.insert(identity(item)))
                    .cloned()
                    .collect())
            }
            Self::Base64Decode => {
                let bytes = BASE64
                    .decode(short(arg(0))?.as_bytes())
                    .map_err(|_| "The argument is not Base64".to_owned())?;
                Ok(String::from_utf8_lossy(&bytes).into())
            }
            Self::Base64Encode => Ok(BASE64.encode(short(arg(0))?.as_bytes()).into()),
            Self::Format => text::format(string(arg(0))?, &arguments[1..]).map(Value::from),
            Self::Hash => hash(arg(0), string(arg(1))?),
            Self::JsonMerge => merge(arg(0), arg(1), arg(2)),
            Self::JsonToString => Ok(arg(0).to_string().into()),
            Self::MathAdd => {
                let sum = rounded(arg(0))?.checked_add(rounded(arg(1))?);
                sum.map(Value::from)
                    .ok_or_else(|| "The sum is out of range".into())
            }
            Self::MathRandom => {
                let (low, high) = (rounded(arg(0))?, rounded(arg(1))?);
                match arguments.get(2) {
                    Some(seed) => Ok(random::spread(scatter(rounded(seed)?), low, high).into()),
                    None => Ok(random::between(random, low, high).into()),
                }
            }
            Self::StringSplit => {
                let (text, delimiters) = (string(arg(0))?, string(arg(1))?);
                let delimiters: HashSet<char> = delimiters.chars().collect();
                let parts = text
                    .split(|c| delimiters.contains(&c))
                    .filter(|part| !part.is_empty());
                Ok(parts.map(Value::from).collect())
            }
            Self::StringToJson => match string(arg(0))? {
                "" => Ok(Value::Null),
                text => serde_json::from_str(text)
                    .map_err(|error| format!("The argument is not valid JSON: {error}")),
            },
            Self::UUID => Ok(random::uuid(random).into()),
        }
    }
}

fn array(value: &Value) -> Result<&Vec<Value>, String> {
    value
        .as_array()
        .ok_or_else(|| format!("An array was expected, but was given: {value}"))
}

fn string(value: &Value) -> Result<&str, String> {
    value
        .as_str()
        .ok_or_else(|| format!("A string was expected, but was given: {value}"))
}

fn short(value: &Value) -> Result<&str, String> {
    let text = string(value)?;
    if text.chars().count() > LONGEST_TEXT {
        return Err(format!("The argument has more than {LONGEST_TEXT} characters"));
    }
    Ok(text)
}

fn whole(value: &Value) -> Result<i64, String> {
    value
        .as_i64()
        .ok_or_else(|| format!("An integer was expected, but was given: {value}"))
}

/// A number, rounded as Java's `Math.round` does: halves go up, so -1.5 becomes -1.
#[expect(
    clippy::cast_possible_truncation,
    reason = "out of range saturates, as in Java"
)]
fn rounded(value: &Value) -> Result<i64, String> {
    if let Some(number) = value.as_i64() {
        return Ok(number);
    }
    let number = value
        .as_f64()
        .ok_or_else(|| format!("A number was expected, but was given: {value}"))?;
    Ok((number + 0.5).floor() as i64)
}

/// Equality of JSON values, numbers by value at any depth.
fn same(left: &Value, right: &Value) -> bool {
    match (left, right) {
        (Value::Number(left), Value::Number(right)) => {
            compare::numbers(left, right).is_some_and(std::cmp::Ordering::is_eq)
        }
        (Value::Array(left), Value::Array(right)) => {
            left.len() == right.len() && left.iter().zip(right).all(|(left, right)| same(left, right))
        }
        (Value::Object(left), Value::Object(right)) => {
            let found =
                |(name, item): (&String, &Value)| right.get(name).is_some_and(|other| same(item, other));
            left.len() == right.len() && left.iter().all(found)
        }
        _ => left == right,
    }
}

/// Text that is the same for values that are the [`same`].
fn identity(value: &Value) -> String {
    match value {
        Value::Number(number) => match (number.as_i128(), number.as_f64()) {
            (Some(whole), _) => whole.to_string(),
            // Beyond this a double has no fraction, and is not told apart from the whole number beside it anyway.
            #[expect(clippy::cast_possible_truncation, reason = "it is whole and in range")]
            (None, Some(double)) if double.fract() == 0.0 && double.abs() < 1e30 => {
                (double as i128).to_string()
            }
            _ => number.to_string(),
        },
        Value::Object(map) => {
            let mut fields: Vec<_> = map.iter().collect();
            fields.sort_by_key(|(name, _)| *name);
            let fields = fields
                .iter()
                .map(|(name, item)| format!("{name:?}:{}", identity(item)));
            format!("{{{}}}", fields.collect::<Vec<_>>().join(","))
        }
        Value::Array(items) => format!("[{}]", items.iter().map(identity).collect::<Vec<_>>().join(",")),
        value => value.to_string(),
    }
}

fn partition(items: &[Value], size: i64) -> Result<Value, String> {
    let size = usize::try_from(size)
        .ok()
        .filter(|&size| size > 0)
        .ok_or("The chunk size must be positive")?;
    if items.len().div_ceil(size) > MOST_ELEMENTS {
        return Err(format!("The result has more than {MOST_ELEMENTS} elements"));
    }
    Ok(items.chunks(size).map(Value::from).collect())
}

fn range(first: i64, last: i64, step: i64) -> Result<Value, String> {
    if step == 0 {
        return Err("The step must not be 0".into());
    }
    let (mut numbers, mut next) = (Vec::new(), Some(first));
    while let Some(number) = next.filter(|&number| if step > 0 { number <= last } else { number >= last }) {
        if numbers.len() == MOST_ELEMENTS {
            return Err(format!("The result has more than {MOST_ELEMENTS} elements"));
        }
        numbers.push(Value::Number(Number::from(number)));
        next = number.checked_add(step);
    }
    Ok(Value::Array(numbers))
}

fn hash(data: &Value, algorithm: &str) -> Result<Value, String> {
    let bytes = short(data)?.as_bytes();
    let digest = match algorithm {
        "MD5" => HEXLOWER.encode(&Md5::digest(bytes)),
        "SHA-1" => HEXLOWER.encode(&Sha1::digest(bytes)),
        "SHA-256" => HEXLOWER.encode(&Sha256::digest(bytes)),
        "SHA-384" => HEXLOWER.encode(&Sha384::digest(bytes)),
        "SHA-512" => HEXLOWER.encode(&Sha512::digest(bytes)),
        other => {
            return Err(format!(
                "The algorithm must be MD5, SHA-1, SHA-256, SHA-384 or SHA-512, but was: {other}"
            ));
        }
    };
    Ok(digest.into())
}

/// A shallow merge: the second object's fields win. AWS offers no deep one.
fn merge(left: &Value, right: &Value, deep: &Value) -> Result<Value, String> {
    if deep != &Value::Bool(false) {
        return Err("Only a shallow merge is supported: the third argument must be false".into());
    }
    let object = |value: &Value| {
        value
            .as_object()
            .cloned()
            .ok_or_else(|| format!("An object was expected, but was given: {value}"))
    };
    let mut merged = object(left)?;
    merged.extend(object(right)?);
    Ok(Value::Object(merged))
}

/// Spreads a seed over 64 bits (the finaliser of SplitMix64), so that the same seed gives the same number. The number
/// is not the one AWS would give: its generator is not documented.
#[expect(clippy::cast_sign_loss, reason = "only the bits matter")]
fn scatter(seed: i64) -> u64 {
    let mut bits = (seed as u64).wrapping_add(0x9e37_79b9_7f4a_7c15);
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    bits ^ (bits >> 31)
}
