//! The functions that Step Functions adds to JSONata, and those of JSONata that need something from outside.

use std::collections::HashSet;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};

use data_encoding::HEXLOWER;
use jlens_core::{Bindings, Error, HostFunction};
use md5::Md5;
use serde_json::{Map, Value};
use sha1::Sha1;
use sha2::{Digest, Sha256, Sha384, Sha512};

/// What AWS has and JSONata has not.
pub(super) const OURS: [&str; 8] = [
    "partition",
    "range",
    "hash",
    "random",
    "uuid",
    "parse",
    "asl_few",
    "asl_many",
];

/// What draws at random.
pub(super) const DRAWING: [&str; 3] = ["random", "uuid", "shuffle"];

/// AWS takes this many items of `$range`, and refuses one more.
const MOST_IN_RANGE: f64 = 360_145.0;

/// Below it a double holds every whole number: 2^53.
const EXACT: f64 = 9_007_199_254_740_992.0;

/// What `Fn`s give: `None` is undefined.
type Given = jlens_core::Result<Option<Value>>;

/// The functions that need nothing from outside. `$eval` is taken away, as AWS does.
pub(super) fn bindings() -> Bindings {
    static BINDINGS: LazyLock<Bindings> = LazyLock::new(|| {
        Bindings::new()
            .var("eval", Value::Null)
            .function("partition", function("<a-n?:a>", partition))
            .function("range", function("<n?n?n?:x>", range))
            .function("hash", function("<s-s?:s>", hash))
            .function("parse", function("<s-:x>", parse))
            .function("asl_many", function("<a:a>", distinct))
    });
    BINDINGS.clone()
}

fn function(signature: &str, body: fn(&[Option<Value>]) -> Given) -> HostFunction {
    match HostFunction::with_signature(signature, move |arguments, _| body(arguments)) {
        Ok(function) => function,
        // Not reached: the signatures above are read by the tests.
        Err(_) => HostFunction::new(0, |_, _| Err(Error::new("T1006"))),
    }
}

/// `bindings` with the functions that draw at random, all they give spread from `seed`.
pub(super) fn with_draws(bindings: Bindings, seed: [u8; 32]) -> Bindings {
    let counter = std::sync::Arc::new(AtomicU64::new(0));
    let numbers = counter.clone();
    let random = HostFunction::with_signature("<n?:n>", move |arguments, _| {
        let bits = match arguments.first().and_then(Option::as_ref).and_then(Value::as_f64) {
            Some(seed) => java_random(seed),
            None => draw(&seed, numbers.fetch_add(1, Ordering::Relaxed)) >> 11,
        };
        #[expect(clippy::cast_precision_loss, reason = "53 bits, as many as a double has")]
        let number = bits as f64 / EXACT;
        Ok(Some(number.into()))
    });
    let uuid = HostFunction::with_signature("<:s>", move |_, _| {
        let number = || draw(&seed, counter.fetch_add(1, Ordering::Relaxed));
        let mut drawn = [0; 16];
        drawn[..8].copy_from_slice(&number().to_be_bytes());
        drawn[8..].copy_from_slice(&number().to_be_bytes());
        Ok(Some(crate::random::uuid_of(drawn).into()))
    });
    match (random, uuid) {
        (Ok(random), Ok(uuid)) => bindings.function("random", random).function("uuid", uuid),
        _ => bindings,
    }
}

/// The `n`th number that follows from a seed, as hard to guess as the seed.
pub(super) fn draw(seed: &[u8; 32], n: u64) -> u64 {
    let hash = Sha256::new()
        .chain_update(seed)
        .chain_update(n.to_be_bytes())
        .finalize();
    hash.iter()
        .take(8)
        .fold(0, |number, byte| (number << 8) | u64::from(*byte))
}

/// The first 53 bits of `java.util.Random` for a seed: `$random(42)` gives what it gives on AWS.
fn java_random(seed: f64) -> u64 {
    const MULTIPLIER: u64 = 0x5_deec_e66d;
    const MASK: u64 = (1 << 48) - 1;
    #[expect(clippy::cast_possible_truncation, reason = "as Java casts")]
    let mut state = ((seed as i64).cast_unsigned() ^ MULTIPLIER) & MASK;
    let mut next = |bits: u32| {
        state = state.wrapping_mul(MULTIPLIER).wrapping_add(0xb) & MASK;
        state >> (48 - bits)
    };
    let high = next(26);
    (high << 27) + next(27)
}

fn number(arguments: &[Option<Value>], n: usize) -> Option<f64> {
    // A number that is not whole is rounded towards zero.
    Some(arguments.get(n)?.as_ref()?.as_f64()?.trunc())
}

fn text(arguments: &[Option<Value>], n: usize) -> Option<&str> {
    arguments.get(n)?.as_ref()?.as_str()
}

fn too_much() -> Error {
    Error::new("U1001").with("message", "too many items")
}

fn mismatch(function: &str, argument: usize) -> Error {
    Error::new("T0410")
        .with("index", argument)
        .with("token", function)
}

fn partition(arguments: &[Option<Value>]) -> Given {
    let (Some(Some(Value::Array(items))), Some(size)) = (arguments.first(), number(arguments, 1)) else {
        return Ok(None);
    };
    if size < 0.0 {
        return Err(mismatch("partition", 2));
    }
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "not below zero; it saturates"
    )]
    let size = size as usize;
    if size == 0 || items.is_empty() {
        return Ok(None);
    }
    Ok(Some(items.chunks(size).map(<[Value]>::to_vec).collect()))
}

fn range(arguments: &[Option<Value>]) -> Given {
    let (Some(start), Some(end), Some(step)) =
        (number(arguments, 0), number(arguments, 1), number(arguments, 2))
    else {
        return Ok(None);
    };
    let count = ((end - start) / step).floor() + 1.0;
    if step == 0.0 || !count.is_finite() || count < 1.0 {
        return Ok(None);
    }
    if count > MOST_IN_RANGE {
        return Err(too_much());
    }
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "between 1 and 360,145"
    )]
    let count = count as u32;
    let mut numbers = (0..count).map(|n| whole(start + step * f64::from(n)));
    if count == 1 {
        return Ok(numbers.next());
    }
    Ok(Some(numbers.collect()))
}

/// A whole number without a decimal point.
fn whole(number: f64) -> Value {
    if number.abs() < EXACT {
        #[expect(clippy::cast_possible_truncation, reason = "it is whole, and small enough")]
        let integer = number as i64;
        return integer.into();
    }
    number.into()
}

fn hash(arguments: &[Option<Value>]) -> Given {
    let (Some(data), Some(algorithm)) = (text(arguments, 0), text(arguments, 1)) else {
        return Ok(None);
    };
    Ok(Some(
        match algorithm {
            "MD5" => HEXLOWER.encode(&Md5::digest(data)),
            "SHA-1" => HEXLOWER.encode(&Sha1::digest(data)),
            "SHA-256" => HEXLOWER.encode(&Sha256::digest(data)),
            "SHA-384" => HEXLOWER.encode(&Sha384::digest(data)),
            "SHA-512" => HEXLOWER.encode(&Sha512::digest(data)),
            _ => return Err(mismatch("hash", 2)),
        }
        .into(),
    ))
}

fn parse(arguments: &[Option<Value>]) -> Given {
    let Some(json) = text(arguments, 0) else {
        return Ok(None);
    };
    match serde_json::from_str(json) {
        Ok(value) => Ok(Some(value)),
        Err(_) => Err(mismatch("parse", 1)),
    }
}

/// `$distinct` of a long list: the first of each.
#[expect(clippy::unnecessary_wraps, reason = "like all of them")]
fn distinct(arguments: &[Option<Value>]) -> Given {
    let Some(Some(Value::Array(items))) = arguments.first() else {
        return Ok(arguments.first().cloned().flatten());
    };
    let mut seen = HashSet::new();
    Ok(Some(
        items
            .iter()
            .filter(|item| seen.insert(sorted(item).to_string()))
            .cloned()
            .collect(),
    ))
}

/// The same value, whatever the order of its fields and the way its numbers are written.
fn sorted(value: &Value) -> Value {
    match value {
        Value::Number(number) => number.as_f64().map_or(Value::Null, Value::from),
        Value::Array(items) => items.iter().map(sorted).collect(),
        Value::Object(map) => {
            let mut fields: Vec<_> = map.iter().collect();
            fields.sort_unstable_by_key(|(name, _)| *name);
            Value::Object(
                fields
                    .into_iter()
                    .map(|(name, item)| (name.clone(), sorted(item)))
                    .collect::<Map<_, _>>(),
            )
        }
        value => value.clone(),
    }
}
