//! Text that somebody else wrote, made fit to stand among our own words.
//! Every name, title and comment passes through here on its way into a page or a mail (`web::views`, `mail::views`).
//! A type rather than a function to remember: a view that holds a `DisplayText` can't show the raw text by mistake.

use std::fmt;

use unicode_normalization::char::is_combining_mark;

/// What stands where something invisible would have changed how the text around it reads.
const REPLACEMENT: char = '\u{FFFD}';

/// Marks stacked on one letter beyond this many are dropped; no living script needs more.
const MOST_COMBINING_MARKS: usize = 4;

/// One line of text from a person or a workflow, safe to set beside other text.
///
/// Direction overrides and zero-width characters are shown as `U+FFFD`, line breaks are spaces, runs of spaces are one.
/// It is still to be escaped for HTML (askama does) and wrapped in `<bdi>` there.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DisplayText(String);

impl DisplayText {
    /// Makes `raw` showable as one line.
    pub fn new(raw: &str) -> Self {
        let shown = replace_disguises(raw, Breaks::BecomeSpaces);
        Self(shown.split_whitespace().collect::<Vec<_>>().join(" "))
    }

    /// The text as it is to be shown.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether nothing is left to be shown.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The same text for places without markup (a subject, a page's title, plain text): where it holds letters that run
    /// from right to left it is wrapped in Unicode isolates, so that it can't turn the words around it.
    pub fn isolated(&self) -> String {
        if self.0.chars().any(runs_right_to_left) {
            format!("\u{2068}{}\u{2069}", self.0)
        } else {
            self.0.clone()
        }
    }

    /// The text cut to at most `most` characters, the last of them "…" if something was cut.
    pub fn shortened(&self, most: usize) -> Self {
        if self.0.chars().count() <= most {
            return self.clone();
        }
        let kept: String = self.0.chars().take(most.saturating_sub(1)).collect();
        Self(format!("{}…", kept.trim_end()))
    }
}

impl fmt::Display for DisplayText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl From<&str> for DisplayText {
    fn from(raw: &str) -> Self {
        Self::new(raw)
    }
}

/// Text of several lines (a document, a comment, a message's Markdown) with the same characters replaced.
///
/// Line breaks, tabs and spacing stay as they were written; `\r\n` and a lone `\r` become `\n`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DisplayLines(String);

impl DisplayLines {
    /// Makes `raw` showable, line by line.
    pub fn new(raw: &str) -> Self {
        Self(replace_disguises(
            &raw.replace("\r\n", "\n").replace('\r', "\n"),
            Breaks::Stay,
        ))
    }

    /// The text as it is to be shown.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether there is nothing in it but white space.
    pub fn is_blank(&self) -> bool {
        self.0.trim().is_empty()
    }
}

impl fmt::Display for DisplayLines {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Breaks {
    BecomeSpaces,
    Stay,
}

fn replace_disguises(raw: &str, breaks: Breaks) -> String {
    let mut shown = String::with_capacity(raw.len());
    let mut previous = None;
    let mut marks = 0;
    for c in raw.chars() {
        marks = if is_combining_mark(c) { marks + 1 } else { 0 };
        if marks > MOST_COMBINING_MARKS {
            continue;
        }
        match c {
            '\n' | '\t' if breaks == Breaks::Stay => shown.push(c),
            // Separators that are no letters: all of them plain spaces, so that none is wider or narrower than it looks.
            '\n'
            | '\r'
            | '\t'
            | '\u{85}'
            | '\u{A0}'
            | '\u{1680}'
            | '\u{2000}'..='\u{200A}'
            | '\u{202F}'
            | '\u{205F}' => {
                shown.push(' ');
            }
            '\u{2028}' | '\u{2029}' => shown.push(if breaks == Breaks::Stay { '\n' } else { ' ' }),
            // Marks that steer nothing once the text is isolated, and byte-order marks left by editors.
            '\u{61C}' | '\u{200E}' | '\u{200F}' | '\u{AD}' | '\u{FEFF}' => {}
            // Joiners spell words in Persian and the Indic scripts, and join emoji; anywhere else they only hide.
            '\u{200C}' | '\u{200D}' => {
                let belongs = previous.is_some_and(takes_a_joiner);
                shown.push(if belongs { c } else { REPLACEMENT });
            }
            _ if c.is_control() || disguises(c) => shown.push(REPLACEMENT),
            _ => shown.push(c),
        }
        previous = Some(c);
    }
    shown
}

/// Characters that turn the direction of what follows, or that take up no room, or room without ink.
fn disguises(c: char) -> bool {
    matches!(c,
        '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}' | '\u{206A}'..='\u{206F}' // direction
        | '\u{200B}' | '\u{2060}'..='\u{2065}' | '\u{180B}'..='\u{180F}' | '\u{34F}' // no width
        | '\u{115F}' | '\u{1160}' | '\u{17B4}' | '\u{17B5}' | '\u{3164}' | '\u{FFA0}' | '\u{2800}' // no ink
        | '\u{FFF9}'..='\u{FFFC}' | '\u{1D173}'..='\u{1D17A}' | '\u{E0000}'..='\u{E0FFF}' // annotations, tags
        | '\u{FE00}'..='\u{FE0D}')
}

fn takes_a_joiner(before: char) -> bool {
    matches!(before, '\u{600}'..='\u{DFF}' | '\u{1000}'..='\u{109F}' | '\u{1780}'..='\u{17FF}'
        | '\u{2190}'..='\u{2BFF}' | '\u{FE0F}' | '\u{1F000}'..='\u{1FAFF}')
}

fn runs_right_to_left(c: char) -> bool {
    matches!(c, '\u{590}'..='\u{8FF}' | '\u{FB1D}'..='\u{FDFF}' | '\u{FE70}'..='\u{FEFE}'
        | '\u{10800}'..='\u{10FFF}' | '\u{1E800}'..='\u{1EFFF}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ordinary_names_stay_as_they_are() {
        for name in [
            "Bob Miller",
            "Zoë Ångström",
            "李小龍",
            "محمد",
            "नमस्ते",
            "O’Brien-Łuksza",
            "👩‍⚖️ Counsel",
        ] {
            assert_eq!(DisplayText::new(name).as_str(), name);
        }
    }

    #[test]
    fn what_would_turn_or_hide_is_shown() {
        assert_eq!(
            DisplayText::new("contract\u{202E}fdp.exe").as_str(),
            "contract\u{FFFD}fdp.exe"
        );
        assert_eq!(DisplayText::new("Bo\u{200B}b").as_str(), "Bo\u{FFFD}b");
        assert_eq!(
            DisplayText::new("a\u{2067}b\u{2069}").as_str(),
            "a\u{FFFD}b\u{FFFD}"
        );
        assert_eq!(DisplayText::new("Bo\u{200D}b").as_str(), "Bo\u{FFFD}b");
        assert_eq!(
            DisplayText::new("a\u{0}b\u{1b}[31m").as_str(),
            "a\u{FFFD}b\u{FFFD}[31m"
        );
        assert_eq!(DisplayText::new("\u{3164}\u{2800}").as_str(), "\u{FFFD}\u{FFFD}");
    }

    #[test]
    fn one_line_and_single_spaces() {
        assert_eq!(
            DisplayText::new("  Sign\r\n\tdocument\u{A0}\u{2003} 3\u{2029}").as_str(),
            "Sign document 3"
        );
    }

    #[test]
    fn stacked_marks_end_somewhere() {
        let tower = format!("a{}b", "\u{301}".repeat(40));
        assert_eq!(
            DisplayText::new(&tower).as_str().chars().count(),
            2 + MOST_COMBINING_MARKS
        );
    }

    #[test]
    fn right_to_left_is_isolated_where_there_is_no_markup() {
        assert_eq!(DisplayText::new("Bob").isolated(), "Bob");
        assert_eq!(DisplayText::new("محمد").isolated(), "\u{2068}محمد\u{2069}");
    }

    #[test]
    fn shortening_says_that_it_did() {
        assert_eq!(
            DisplayText::new("document 3").shortened(10).as_str(),
            "document 3"
        );
        assert_eq!(
            DisplayText::new("document 34").shortened(10).as_str(),
            "document…"
        );
    }

    #[test]
    fn lines_keep_their_breaks() {
        assert_eq!(
            DisplayLines::new("a\r\n\tb  c\rd\u{202E}").as_str(),
            "a\n\tb  c\nd\u{FFFD}"
        );
        assert!(DisplayLines::new(" \n\t").is_blank());
    }
}
