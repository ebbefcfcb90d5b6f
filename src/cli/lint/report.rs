//! Findings as a person reads them: where, what, the line itself with what is meant marked, what happens, what to do.

use super::super::terminal::{BAD, FAINT, GOOD, STRONG, styled};
use super::Counts;
use crate::lint::{Finding, Severity};
use anstyle::{AnsiColor, Style};
use std::fmt::Write as _;

/// For what goes wrong one day.
const DOUBTFUL: Style = AnsiColor::Yellow.on_default().bold();
/// For what could be better.
const BETTER: Style = AnsiColor::Cyan.on_default().bold();

/// How wide sentences may be, in characters.
const WIDTH: usize = 96;
/// How much of a long line is shown, and how much of it before what is meant.
const WINDOW: usize = 90;
const BEFORE: usize = 40;

/// One finding, with a blank line behind it.
pub(super) fn finding(file: &str, finding: &Finding) -> String {
    let severity = finding.rule.severity();
    let style = match severity {
        Severity::Error => BAD,
        Severity::Warning => DOUBTFUL,
        Severity::Advice => BETTER,
    };
    let place = format!("{}:{}", printable(file), finding.position);
    let mut text = format!(
        "{} {} {}",
        styled(STRONG, place),
        styled(style, severity),
        styled(style, finding.rule)
    );
    if let Some(state) = &finding.state {
        let _ = write!(text, " {}", styled(FAINT, format!("in {}", printable(state))));
    }
    let (line, column) = window(&printable(&finding.line), finding.position.column);
    let number = finding.position.line.to_string();
    let margin = " ".repeat(number.len());
    let width = finding
        .width
        .min(line.chars().count().saturating_sub(column - 1))
        .max(1);
    let mark = format!("{}{}", " ".repeat(column - 1), styled(style, "^".repeat(width)));
    let _ = write!(
        text,
        "\n  {} {line}\n  {margin} {} {mark}\n",
        styled(FAINT, format!("{number} |")),
        styled(FAINT, "|")
    );
    for sentence in [&finding.message, &finding.help] {
        for line in wrapped(&printable(sentence)) {
            let _ = writeln!(text, "  {line}");
        }
    }
    text
}

/// The last line: how much there was.
pub(super) fn summary(counts: &Counts, files: usize) -> String {
    let several =
        |count: usize, one: &str, many: &str| format!("{count} {}", if count == 1 { one } else { many });
    let within = several(files, "file", "files");
    let parts = [
        (BAD, counts.errors, "error", "errors"),
        (DOUBTFUL, counts.warnings, "warning", "warnings"),
        (BETTER, counts.advice, "piece of advice", "pieces of advice"),
    ];
    let parts: Vec<String> = parts
        .into_iter()
        .filter(|(_, count, ..)| *count > 0)
        .map(|(style, count, one, many)| styled(style, several(count, one, many)))
        .collect();
    if parts.is_empty() {
        return format!("{} in {within}", styled(GOOD, "Nothing found"));
    }
    format!("{} in {within}", parts.join(", "))
}

/// Without anything that a terminal would obey, each character as wide as before.
fn printable(text: &str) -> String {
    text.chars()
        .map(|c| match c {
            '\t' => ' ',
            c if c.is_control() => '\u{fffd}',
            c => c,
        })
        .collect()
}

/// The part of a long line around a column, and the column in it.
fn window(line: &str, column: usize) -> (String, usize) {
    let count = line.chars().count();
    if count <= WINDOW {
        return (line.to_owned(), column.min(count + 1).max(1));
    }
    let start = (column - 1).saturating_sub(BEFORE).min(count - WINDOW);
    let part: String = line.chars().skip(start).take(WINDOW).collect();
    let (left, right) = (
        if start > 0 { "…" } else { "" },
        if start + WINDOW < count { "…" } else { "" },
    );
    (
        format!("{left}{part}{right}"),
        column - start + left.chars().count(),
    )
}

fn wrapped(text: &str) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        match lines.last_mut() {
            Some(line) if line.chars().count() + 1 + word.chars().count() <= WIDTH => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}

#[cfg(test)]
#[path = "report_tests.rs"]
mod tests;
