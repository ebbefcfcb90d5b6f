//! Numbers and spans of time as people read them: on the pages here, and on a terminal beside them.

/// A whole number with its thousands set apart: `1,234,567`.
pub fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut grouped = String::new();
    for (n, digit) in digits.chars().enumerate() {
        if n > 0 && (digits.len() - n).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

/// A span of a minute and more, in whole seconds, in two parts at the most: `3 min 4 s`, `2 d 1 h`. A minute's sign is
/// `minute`: the terminal's lines have room for one letter.
pub fn in_two_parts(seconds: i64, minute: &str) -> String {
    let (large, one, small, other) = match seconds {
        ..3600 => (seconds / 60, minute, seconds % 60, "s"),
        3600..86_400 => (seconds / 3600, "h", seconds % 3600 / 60, minute),
        _ => (seconds / 86_400, "d", seconds % 86_400 / 3600, "h"),
    };
    match small {
        0 => format!("{large} {one}"),
        _ => format!("{large} {one} {small} {other}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn large_numbers_are_grouped() {
        let counted = [0, 999, 1_000, 12_345, 1_234_567].map(grouped);
        assert_eq!(counted, ["0", "999", "1,000", "12,345", "1,234,567"]);
    }
}
