//! How much room text takes in the drawing. The fonts are the reader's, so it is an estimate on the large side.

/// The width in pixels of a line in a font of `size` pixels.
pub(super) fn width(text: &str, size: f64) -> f64 {
    text.chars().map(em).sum::<f64>() * size
}

/// A character's width in ems.
fn em(c: char) -> f64 {
    match c {
        'i' | 'j' | 'l' | 'I' | 't' | 'f' | ' ' | '.' | ',' | ':' | ';' | '\'' | '|' | '!' | '(' | ')'
        | '[' | ']' => 0.36,
        'm' | 'w' | 'M' | 'W' | '@' | '%' => 0.92,
        'A'..='Z' | '\u{80}'..='\u{10ff}' => 0.7,
        '\0'..='\u{7f}' => 0.6,
        _ => 1.05,
    }
}

/// The text, or as much of it as fits, with an ellipsis.
pub(super) fn fitted(text: &str, size: f64, room: f64) -> String {
    if width(text, size) <= room {
        return text.to_owned();
    }
    let mut left = room / size - em('…');
    let fits = |c: &char| {
        left -= em(*c);
        left >= 0.0
    };
    let mut shown: String = text.chars().take_while(fits).collect();
    shown.truncate(shown.trim_end().len());
    shown + "…"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_text_is_cut_to_its_room() {
        assert_eq!(fitted("Ask", 14.0, 100.0), "Ask");
        let cut = fitted("A state whose name goes on and on", 14.0, 100.0);
        assert!(
            cut.starts_with("A state") && cut.ends_with('…') && width(&cut, 14.0) <= 100.0,
            "{cut}"
        );
        assert!(fitted("漢字漢字漢字漢字漢字", 14.0, 100.0).chars().count() < 8);
    }
}
