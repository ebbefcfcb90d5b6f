//! Events as AWS documents them for each source of a Lambda function (`tests/it/events/`), and broken ones made of them: the
//! same for the same seed. In the files `$REQUEST` stands for a request.

use serde_json::{Value, json};
use std::io::Write;
use std::path::Path;
use std::sync::{Arc, Mutex};
use tracing_subscriber::fmt::MakeWriter;

/// A documented event, as it stands in its file.
pub(crate) fn sample(name: &str) -> Value {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/it/events/{name}.json"));
    let text = std::fs::read_to_string(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    serde_json::from_str(&text).expect("JSON")
}

/// Tokens that nothing may ever show, each different.
#[derive(Default)]
pub(crate) struct Canaries(u32);

impl Canaries {
    /// What all of them begin with.
    const MARK: &str = "canarytokencanarytoken";

    fn next(&mut self) -> String {
        self.0 += 1;
        format!("{}{}", Self::MARK, self.0)
    }

    pub(crate) fn absent_from(text: &str) {
        assert!(!text.contains(Self::MARK), "a token is shown: {text}");
    }
}

/// Everything that is logged to it.
#[derive(Clone, Default)]
pub(crate) struct Log(Arc<Mutex<Vec<u8>>>);

impl Log {
    pub(crate) fn capture() -> (Self, tracing::subscriber::DefaultGuard) {
        let log = Self::default();
        let subscriber = tracing_subscriber::fmt()
            .with_max_level(tracing::Level::DEBUG)
            .with_writer(log.clone())
            .finish();
        (log, tracing::subscriber::set_default(subscriber))
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Log {
    type Writer = Log;

    fn make_writer(&'a self) -> Log {
        self.clone()
    }
}

/// SplitMix64: the same numbers for the same seed.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((mixed ^ (mixed >> 31)) % sides as u64).expect("small")
    }
}

/// The documented event, broken in one to three ways, as text: in itself, or in the request that it holds.
pub(crate) fn malformed(name: &str, seed: u64, canaries: &mut Canaries) -> String {
    let mut dice = Dice(seed.wrapping_mul(0x1000_0000_01b3) ^ name.len() as u64);
    let mut event = sample(name);
    // A queue's own fields are AWS's; what anybody may send is the body.
    let inside = name.starts_with("sqs") && dice.roll(8) > 0;
    fill(&mut event, &mut |_| {
        let mut request = json!({
            "taskToken": canaries.next(),
            "title": "Release to production",
            "signers": [{"name": "Bob", "email": "bob@example.com"}],
            "timeoutSeconds": 3600,
            "tags": {"team": "legal"},
        });
        if !inside {
            return request.to_string();
        }
        let mut whole = match dice.roll(4) {
            0 => wrapped("sns-notification", &request),
            1 => wrapped("eventbridge", &request),
            2 => {
                let event = wrapped("eventbridge", &request);
                wrapped("sns-notification", &event)
            }
            _ => request.take(),
        };
        for _ in 0..=dice.roll(3) {
            break_value(&mut whole, &mut dice);
        }
        let text = whole.to_string();
        break_text(text, &mut dice)
    });
    if inside {
        return event.to_string();
    }
    for _ in 0..=dice.roll(3) {
        break_value(&mut event, &mut dice);
    }
    let text = event.to_string();
    break_text(text, &mut dice)
}

/// An envelope with this inside.
pub(crate) fn wrapped(envelope: &str, inner: &Value) -> Value {
    let mut whole = sample(envelope);
    if envelope == "eventbridge" {
        whole["detail"] = inner.clone();
    } else {
        fill(&mut whole, &mut |_| inner.to_string());
    }
    whole
}

/// Puts a text in the place of each `$REQUEST`.
pub(crate) fn fill(value: &mut Value, with: &mut dyn FnMut(&str) -> String) {
    match value {
        Value::String(text) if text == "$REQUEST" => *text = with(text),
        Value::Array(list) => list.iter_mut().for_each(|value| fill(value, with)),
        Value::Object(map) => map.values_mut().for_each(|value| fill(value, with)),
        _ => {}
    }
}

/// Breaks something somewhere in a value.
fn break_value(value: &mut Value, dice: &mut Dice) {
    let place = somewhere(value, 0, dice);
    match dice.roll(9) {
        0 => *place = Value::Null,
        1 => *place = json!(true),
        2 => *place = json!(-1.5e300),
        3 => *place = json!([]),
        4 => *place = json!({}),
        5 => *place = json!("x".repeat([3_000, 30_000, 300_000][dice.roll(3)])),
        6 => {
            // Deeper than any parser goes on for.
            let depth = [20, 100, 127, 400][dice.roll(4)];
            *place = (0..depth).fold(json!(1), |inner, _| json!([inner]));
        }
        7 => *place = json!("\u{0}\u{7}\u{202e}\u{feff}\u{ffff}é"),
        _ => drop_field(place, dice),
    }
}

/// Some value in a value. What is at the top has been broken as text.
fn somewhere<'v>(value: &'v mut Value, depth: u32, dice: &mut Dice) -> &'v mut Value {
    let count = match value {
        Value::Array(list) => list.len(),
        Value::Object(map) => map.len(),
        _ => 0,
    };
    if count == 0 || (depth > 0 && dice.roll(6) == 0) {
        return value;
    }
    let at = dice.roll(count);
    match value {
        Value::Array(list) => somewhere(&mut list[at], depth + 1, dice),
        Value::Object(map) => somewhere(map.values_mut().nth(at).expect("it is there"), depth + 1, dice),
        _ => unreachable!("it has entries"),
    }
}

fn drop_field(value: &mut Value, dice: &mut Dice) {
    match value {
        Value::Array(list) if !list.is_empty() => drop(list.remove(dice.roll(list.len()))),
        Value::Object(map) if !map.is_empty() => {
            let name = map.keys().nth(dice.roll(map.len())).expect("it is there").clone();
            map.remove(&name);
            if dice.roll(2) == 0 {
                map.insert(name.to_uppercase(), json!(1));
            }
        }
        other => *other = Value::Null,
    }
}

/// Breaks the JSON itself, now and then.
fn break_text(mut text: String, dice: &mut Dice) -> String {
    let at = text.floor_char_boundary(dice.roll(text.len().max(1)));
    match dice.roll(12) {
        0 => text.truncate(at),
        1 => text.insert_str(at, "\\ud800"),
        2 => text.insert(at, '\u{0}'),
        3 => text.push_str(&text.clone()),
        4 => text = "[".repeat(200_000),
        5 => text = text.replacen('{', "{\"title\": 5, \"title\": \"Twice\", ", 1),
        6 => text = data_encoding::BASE64.encode(text.as_bytes()),
        _ => {}
    }
    text
}
