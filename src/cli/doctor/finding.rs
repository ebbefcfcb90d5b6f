//! What the doctor finds: a line each, and what to do about it; and how an error of AWS becomes one.

use super::super::terminal::{BAD, FAINT, GOOD, WARN, say, styled, width};
use crate::aws_faults::{self, Service, code_of};
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use serde_json::{Value, json};

/// How something stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Verdict {
    /// As it should be.
    Ok,
    /// It works, or can't be told from here; somebody should look at it.
    Warning,
    /// It doesn't work.
    Wrong,
}

impl Verdict {
    /// The word that stands for it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warning => "warning",
            Self::Wrong => "wrong",
        }
    }
}

/// One thing that was looked at.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Finding {
    /// What was looked at: `table`.
    pub about: String,
    /// How it stands.
    pub verdict: Verdict,
    /// What was found, on one line.
    pub what: String,
    /// What to do about it, where it isn't ok.
    pub advice: Option<String>,
}

impl Finding {
    pub(super) fn ok(about: impl Into<String>, what: impl Into<String>) -> Self {
        Self {
            about: about.into(),
            verdict: Verdict::Ok,
            what: what.into(),
            advice: None,
        }
    }

    pub(super) fn warning(
        about: impl Into<String>,
        what: impl Into<String>,
        advice: impl Into<String>,
    ) -> Self {
        Self {
            verdict: Verdict::Warning,
            advice: Some(advice.into()),
            ..Self::ok(about, what)
        }
    }

    pub(super) fn wrong(
        about: impl Into<String>,
        what: impl Into<String>,
        advice: impl Into<String>,
    ) -> Self {
        Self {
            verdict: Verdict::Wrong,
            ..Self::warning(about, what, advice)
        }
    }

    /// What couldn't be seen, though the service may work without: whoever examines may have fewer permissions, or
    /// more, than the service.
    pub(super) fn unseen(mut self, action: &str) -> Self {
        if self.what.contains("(access denied)") {
            self.verdict = Verdict::Warning;
            self.advice = Some(format!(
                "to have this looked at, allow {action} to whoever runs the doctor"
            ));
        }
        self
    }

    /// As JSON.
    pub(super) fn json(&self) -> Value {
        json!({"about": self.about, "verdict": self.verdict.name(), "found": self.what, "advice": self.advice})
    }

    /// Prints it: a line for what was found, and below it what to do.
    pub(super) fn print(&self) {
        let style = match self.verdict {
            Verdict::Ok => GOOD,
            Verdict::Warning => WARN,
            Verdict::Wrong => BAD,
        };
        let begin = format!(
            "{}  {:18}",
            styled(style, format!("{:7}", self.verdict.name())),
            self.about
        );
        let mut lines = wrapped(&self.what, 29).into_iter();
        say(&format!("{begin}  {}", lines.next().unwrap_or_default()));
        for line in lines {
            say(&format!("{:29}{line}", ""));
        }
        for (at, line) in self
            .advice
            .iter()
            .flat_map(|advice| wrapped(advice, 31))
            .enumerate()
        {
            let mark = if at == 0 { "→ " } else { "  " };
            say(&format!("{:29}{}", "", styled(FAINT, format!("{mark}{line}"))));
        }
    }
}

/// A text in lines that fit behind `indent` columns of a terminal; in a pipe, one line.
fn wrapped(text: &str, indent: usize) -> Vec<String> {
    let room = width().map_or(usize::MAX, |width| width.saturating_sub(indent).max(30));
    let mut lines = vec![String::new()];
    for word in text.split(' ') {
        let last = lines.last_mut().expect("there is one");
        if !last.is_empty() && last.chars().count() + 1 + word.chars().count() > room {
            lines.push(word.to_owned());
        } else {
            if !last.is_empty() {
                last.push(' ');
            }
            last.push_str(word);
        }
    }
    lines
}

/// AWS's name for an error and its message.
pub(super) fn said<E, R>(error: &SdkError<E, R>) -> (String, String)
where
    E: ProvideErrorMetadata + std::error::Error + 'static,
    R: std::fmt::Debug + 'static,
{
    let message = error.as_service_error().and_then(ProvideErrorMetadata::message);
    (code_of(error).to_owned(), message.unwrap_or_default().to_owned())
}

/// An error of AWS: its name, what it means, and what to do.
pub(super) fn fault(
    about: impl Into<String>,
    service: Service,
    (code, message): (String, String),
) -> Finding {
    let answered = aws_faults::is_answer(&code);
    let name = service.name();
    let Some(fault) = aws_faults::find(service, &code, &message) else {
        let said = message.trim_end_matches('.');
        let advice = format!(
            "{said}{}AWS's documentation of {name} knows {code}",
            if said.is_empty() { "" } else { "; " }
        );
        return Finding::wrong(about, format!("{name} says {code}"), advice.trim());
    };
    let what = if answered {
        format!("{name} says {code} ({})", fault.means)
    } else {
        format!("{name}: {code}")
    };
    let said = if answered && !message.is_empty() {
        format!(" (AWS: {message})")
    } else {
        String::new()
    };
    Finding::wrong(about, what, format!("{}{said}", fault.advice))
}
