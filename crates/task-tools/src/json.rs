//! JSON as the Python package writes it: ASCII only, `", "` and `": "` between things, floats as Python shows them.
//! Any JSON text could be read back. But what decides between the table and S3 is the length of this text, in bytes, so
//! that both sides put the same data into the same place.

use serde::Serialize;
use serde_json::ser::{Formatter, Serializer};
use std::io::{self, Write};

/// `data` as text. Numbers and strings in a [`serde_json::value::RawValue`] stay as they are written there, but for
/// characters from DEL on.
pub(crate) fn to_text<T: Serialize + ?Sized>(data: &T) -> Result<String, serde_json::Error> {
    let mut text = Vec::new();
    data.serialize(&mut Serializer::with_formatter(&mut text, Ascii))?;
    String::from_utf8(text).map_err(serde::ser::Error::custom)
}

struct Ascii;

impl Formatter for Ascii {
    fn begin_array_value<W: Write + ?Sized>(&mut self, to: &mut W, first: bool) -> io::Result<()> {
        separate(to, first)
    }

    fn begin_object_key<W: Write + ?Sized>(&mut self, to: &mut W, first: bool) -> io::Result<()> {
        separate(to, first)
    }

    fn begin_object_value<W: Write + ?Sized>(&mut self, to: &mut W) -> io::Result<()> {
        to.write_all(b": ")
    }

    fn write_string_fragment<W: Write + ?Sized>(&mut self, to: &mut W, fragment: &str) -> io::Result<()> {
        escape(to, fragment, |c| !matches!(c, ' '..='~'))
    }

    fn write_raw_fragment<W: Write + ?Sized>(&mut self, to: &mut W, fragment: &str) -> io::Result<()> {
        // In JSON, these stand inside strings only.
        escape(to, fragment, |c| c > '~')
    }

    fn write_f64<W: Write + ?Sized>(&mut self, to: &mut W, value: f64) -> io::Result<()> {
        to.write_all(float(value).as_bytes())
    }

    fn write_f32<W: Write + ?Sized>(&mut self, to: &mut W, value: f32) -> io::Result<()> {
        self.write_f64(to, f64::from(value))
    }
}

fn separate<W: Write + ?Sized>(to: &mut W, first: bool) -> io::Result<()> {
    if first { Ok(()) } else { to.write_all(b", ") }
}

/// Writes `text`, those characters for which `asked` is true as `\u` and their UTF-16 (RFC 8259, section 7).
fn escape<W: Write + ?Sized>(to: &mut W, text: &str, asked: impl Fn(char) -> bool) -> io::Result<()> {
    let mut rest = text;
    while let Some(at) = rest.find(&asked) {
        to.write_all(&rest.as_bytes()[..at])?;
        let mut after = rest[at..].chars();
        for unit in after.next().into_iter().flat_map(|c| {
            let mut units = [0; 2];
            c.encode_utf16(&mut units).to_vec()
        }) {
            write!(to, "\\u{unit:04x}")?;
        }
        rest = after.as_str();
    }
    to.write_all(rest.as_bytes())
}

/// A finite number with the fewest digits that mean it, as Python's `repr` has it: with an exponent below 0.0001 and
/// from 1e16 on.
fn float(value: f64) -> String {
    let scientific = format!("{value:e}");
    let (digits, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let exponent: i32 = exponent.parse().unwrap_or_default();
    if (-4..16).contains(&exponent) {
        let plain = value.to_string();
        if plain.contains('.') { plain } else { plain + ".0" }
    } else {
        let sign = if exponent < 0 { '-' } else { '+' };
        format!("{digits}e{sign}{:02}", exponent.abs())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::value::RawValue;
    use serde_json::{Value, json};

    #[test]
    fn writes_what_python_writes() {
        // Each right side is what json.dumps gave in Python 3.11.
        for (value, text) in [
            (json!({}), "{}"),
            (json!([]), "[]"),
            (
                json!([1, [2, null], {"a": true, "b": -0.0}]),
                r#"[1, [2, null], {"a": true, "b": -0.0}]"#,
            ),
            (
                json!("Zoë 😀 \u{7f}\u{2028}"),
                r#""Zo\u00eb \ud83d\ude00 \u007f\u2028""#,
            ),
            (json!("\u{0}\t\n\u{1f}\"\\/"), r#""\u0000\t\n\u001f\"\\/""#),
            (json!({"ключ": 1}), r#"{"\u043a\u043b\u044e\u0447": 1}"#),
            (
                json!([1.0, 0.1, 123_456.75, 1e15, 1e16, 1e22, 1.5e300]),
                "[1.0, 0.1, 123456.75, 1000000000000000.0, 1e+16, 1e+22, 1.5e+300]",
            ),
            (
                json!([0.0001, 0.00001, 1.25e-7, 5e-324]),
                "[0.0001, 1e-05, 1.25e-07, 5e-324]",
            ),
            (
                json!([u64::MAX, i64::MIN]),
                "[18446744073709551615, -9223372036854775808]",
            ),
        ] {
            assert_eq!(to_text(&value).expect("JSON"), text);
        }
    }

    #[test]
    fn leaves_raw_json_as_it_is_but_for_what_is_not_ascii() {
        let raw =
            RawValue::from_string(r#"{"n":1180591620717411303424,"e":1E400,"s":"é😀\ud800"}"#.to_owned());
        let text = to_text(&[raw.expect("JSON")]).expect("JSON");
        assert_eq!(
            text,
            r#"[{"n":1180591620717411303424,"e":1E400,"s":"\u00e9\ud83d\ude00\ud800"}]"#
        );
    }

    proptest! {
        #[test]
        fn any_text_and_any_number_comes_back(text in any::<String>(), number in any::<f64>()) {
            let written = to_text(&(&text, number)).expect("JSON");
            prop_assert!(written.is_ascii());
            let (read, _): (String, Value) = serde_json::from_str(&written).expect("JSON");
            prop_assert_eq!(read, text);
            if number.is_finite() {
                let shown = float(number);
                prop_assert_eq!(shown.parse::<f64>().expect("a number").to_bits(), number.to_bits());
            }
        }
    }
}
