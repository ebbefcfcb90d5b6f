//! JSON from workflows, made fit for a page: laid out, cut where it is long, and with nothing in it that turns the
//! text around or can't be seen.

use std::io::{self, Write};

use serde_json::Value;

/// A value is shown whole up to so many bytes, and cut to so many where it is longer.
const WHOLE: usize = 8 * 1024;
const CUT: usize = 1024;
/// Up to so many lines it isn't folded.
const OPEN_LINES: usize = 12;
/// All values on a page together.
const PAGE: usize = 1024 * 1024;

/// A value as a page shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Shown {
    pub(super) text: String,
    /// There is more, at `whole`.
    pub(super) cut: bool,
    /// It is short enough to stand unfolded.
    pub(super) open: bool,
    /// Where the whole of it is.
    pub(super) whole: String,
}

/// How much room a page has left for values.
pub(super) struct Room(usize);

impl Room {
    pub(super) fn new() -> Room {
        Room(PAGE)
    }

    /// Lays out a value. `whole` is where it can be read as it is.
    pub(super) fn show(&mut self, value: &Value, whole: String) -> Shown {
        let most = if self.0 >= WHOLE { WHOLE } else { CUT.min(self.0) };
        let mut writer = Bounded {
            text: Vec::new(),
            most,
        };
        let cut = serde_json::to_writer_pretty(&mut writer, value).is_err();
        if cut {
            writer.text.truncate(CUT);
        }
        self.0 -= writer.text.len().min(self.0);
        let text = visible(&String::from_utf8_lossy(&writer.text));
        Shown {
            open: !cut && text.lines().count() <= OPEN_LINES,
            text: if cut {
                format!("{}…", text.trim_end_matches('\u{fffd}'))
            } else {
                text
            },
            cut,
            whole,
        }
    }

    /// The same for text, of which the end is shown where it is long.
    pub(super) fn show_plain(&mut self, text: &str) -> Shown {
        let most = WHOLE.min(self.0);
        let mut begin = text.len().saturating_sub(most);
        while !text.is_char_boundary(begin) {
            begin += 1;
        }
        self.0 -= text.len() - begin;
        let shown = visible(text[begin..].trim_end());
        Shown {
            open: begin == 0 && shown.lines().count() <= OPEN_LINES,
            text: if begin > 0 { format!("…{shown}") } else { shown },
            cut: false,
            whole: String::new(),
        }
    }

    /// The same for JSON text.
    pub(super) fn show_text(&mut self, text: &str, whole: String) -> Shown {
        let value = serde_json::from_str(text).unwrap_or_else(|_| Value::String(text.to_owned()));
        self.show(&value, whole)
    }
}

/// Takes in so many bytes and fails then, so that no more of a large value is laid out than is shown.
struct Bounded {
    text: Vec<u8>,
    most: usize,
}

impl Write for Bounded {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let room = self.most - self.text.len().min(self.most);
        self.text.extend_from_slice(&bytes[..bytes.len().min(room)]);
        if bytes.len() > room {
            return Err(io::ErrorKind::WriteZero.into());
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Text in which each character can be seen, and stays in its place: what turns the direction of writing around and
/// what has no shape is written as JSON would escape it.
pub(super) fn visible(text: &str) -> String {
    use std::fmt::Write;

    let hidden = |c: char| {
        (c.is_control() && c != '\n' && c != '\t')
            || matches!(c, '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
    };
    if !text.contains(hidden) {
        return text.to_owned();
    }
    let mut shown = String::with_capacity(text.len());
    for c in text.chars() {
        if hidden(c) {
            // Writing to a String doesn't fail.
            let _ = write!(shown, "\\u{:04x}", u32::from(c));
        } else {
            shown.push(c);
        }
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn short_values_are_whole_and_long_ones_cut_with_a_way_to_the_rest() {
        let mut room = Room::new();
        let short = room.show(&json!({"a": 1}), "/x".to_owned());
        assert_eq!(
            (short.text.as_str(), short.cut, short.open),
            ("{\n  \"a\": 1\n}", false, true)
        );
        let folded = room.show(&json!((0..40).collect::<Vec<_>>()), "/x".to_owned());
        assert!(!folded.cut && !folded.open);
        let long = room.show(&json!("é".repeat(200_000)), "/whole".to_owned());
        assert!(long.cut && !long.open && long.whole == "/whole");
        assert!(
            long.text.len() < CUT + 10 && long.text.ends_with("é…"),
            "{}",
            long.text.len()
        );
    }

    #[test]
    fn a_page_has_room_for_so_much() {
        let mut room = Room::new();
        let value = json!("x".repeat(8_000));
        let shown: usize = (0..1_000)
            .map(|_| room.show(&value, String::new()).text.len())
            .sum();
        assert!(shown < PAGE + 10_000, "{shown}");
        assert!(room.show(&value, String::new()).cut);
    }

    #[test]
    fn nothing_turns_the_text_around() {
        for (text, expected) in [
            ("a\u{202e}b\u{2066}", "a\\u202eb\\u2066"),
            ("\u{feff}\u{200b}\u{7f}", "\\ufeff\\u200b\\u007f"),
            ("line\n\tשלום é", "line\n\tשלום é"),
        ] {
            assert_eq!(visible(text), expected);
        }
    }
}
