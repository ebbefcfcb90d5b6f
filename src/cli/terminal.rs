//! What a person sees in a terminal: colour only there, `NO_COLOR` honoured (both by `anstream`).

use anstyle::{AnsiColor, Style};
use std::io::IsTerminal;

/// For what matters most on a line.
pub(crate) const STRONG: Style = Style::new().bold();
/// For what stands in the background.
pub(crate) const FAINT: Style = Style::new().dimmed();
/// For what went well.
pub(crate) const GOOD: Style = AnsiColor::Green.on_default().bold();
/// For what did not.
pub(crate) const BAD: Style = AnsiColor::Red.on_default().bold();

/// For what somebody should look at.
pub(crate) const WARN: Style = AnsiColor::Yellow.on_default().bold();

/// Prints a line.
pub(crate) fn say(line: &str) {
    anstream::println!("{line}");
}

/// How many characters a line may have. Only a terminal's lines end.
pub(crate) fn width() -> Option<usize> {
    let stdout = std::io::stdout();
    if !stdout.is_terminal() {
        return None;
    }
    let asked = std::env::var("COLUMNS")
        .ok()
        .and_then(|columns| columns.parse().ok());
    let known = || terminal_size::terminal_size_of(&stdout).map(|(width, _)| usize::from(width.0));
    Some(asked.or_else(known).unwrap_or(100))
}

/// `text` in `style`.
pub(crate) fn styled(style: Style, text: impl std::fmt::Display) -> String {
    format!("{style}{text}{style:#}")
}

/// Prints on standard error what isn't part of the answer.
pub(crate) fn note(line: &str) {
    anstream::eprintln!("{}", styled(FAINT, line));
}

/// Prints what went wrong, on standard error.
pub(crate) fn complain(message: &str) {
    anstream::eprintln!("{} {message}", styled(BAD, "error:"));
}
