//! What the pages show: one template struct for each page, filled by the handlers in `web`.
//! They hold texts that are ready to be shown and nothing that would have to be looked up, so that every page can be
//! rendered in a test from the samples beside its type. Templates choose and loop; they decide nothing.

mod answered;
mod closed;
mod people;
mod problem;
mod review;

pub use answered::{AfterAnswer, DecidedPage, RecordedPage};
pub use closed::{ReplacedPage, TooLate, TooLatePage, WithdrawnPage};
pub use people::{People, Person, Rule, Standing};
pub use problem::{Again, NotValidPage, OurFaultPage, Problem, ProblemPage, TooManyRequestsPage};
pub use review::{Choice, DecisionForm, Detail, Document, DocumentBody, Field, FieldProblem, ReviewPage};

use crate::{
    domain::{
        display_text::{DisplayLines, DisplayText},
        wording::AskWords,
    },
    web::assets,
};

/// What surrounds every page.
#[derive(Clone, Debug)]
pub struct Frame {
    /// The page's language, BCP 47.
    pub lang: &'static str,
    /// "ltr" or "rtl".
    pub dir: &'static str,
    /// The path under which the service lives, without a slash at its end: "" or "/approvals".
    pub base_path: String,
    /// The organisation on whose behalf people are asked.
    pub organisation: Option<DisplayText>,
    /// The host (and port) of the configured address: "sign.example.com".
    pub host: String,
}

impl Frame {
    /// Where the stylesheet is.
    pub fn stylesheet(&self) -> String {
        format!("{}/assets/{}", self.base_path, assets::stylesheet().name)
    }

    /// Where the icon is.
    pub fn icon(&self) -> String {
        format!("{}/assets/{}", self.base_path, assets::icon().name)
    }
}

/// What every page that a valid link opens says about its request.
#[derive(Clone, Debug)]
pub struct About {
    /// What is asked for.
    pub ask: AskWords,
    /// Who opened the page.
    pub signer: DisplayText,
    /// Who asks, if the request says so: "Legal".
    pub requester: Option<DisplayText>,
    /// The address of whoever asks, to be written to with questions.
    pub questions_to: Option<DisplayText>,
    /// The request's id: "req_…".
    pub reference: String,
}

impl About {
    /// A `mailto:` link for questions, with the request's id in the subject.
    pub fn questions_link(&self) -> Option<String> {
        let address = self.questions_to.as_ref()?;
        let subject = format!("{} ({})", self.ask.object.shortened(80), self.reference);
        Some(format!(
            "mailto:{}?subject={}",
            percent_encoded(address.as_str()),
            percent_encoded(&subject)
        ))
    }
}

/// What somebody sent that was not recorded, shown again so that they can keep it.
#[derive(Clone, Debug)]
pub struct Unsent {
    /// The comment that they had typed; blank if none.
    pub comment: DisplayLines,
}

/// Percent-encodes all but what RFC 3986 calls unreserved.
fn percent_encoded(text: &str) -> String {
    text.bytes()
        .fold(String::with_capacity(text.len()), |mut encoded, byte| {
            if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~') {
                encoded.push(char::from(byte));
            } else {
                encoded.push('%');
                encoded.push_str(&data_encoding::HEXUPPER.encode(&[byte]));
            }
            encoded
        })
}

#[cfg(test)]
pub(crate) mod samples {
    //! Values that the samples of several pages share.

    use super::*;
    use crate::domain::when::Moment;

    pub(crate) fn frame() -> Frame {
        Frame {
            lang: "en",
            dir: "ltr",
            base_path: String::new(),
            organisation: Some("Example Ltd".into()),
            host: "sign.example.com".to_owned(),
        }
    }

    pub(crate) fn bare_frame() -> Frame {
        Frame {
            organisation: None,
            base_path: "/approvals".to_owned(),
            host: "127.0.0.1:8085".to_owned(),
            ..frame()
        }
    }

    pub(crate) fn about() -> About {
        About {
            ask: AskWords::from_title("Sign document 3"),
            signer: "Bob Miller".into(),
            requester: Some("Legal".into()),
            questions_to: Some("legal@example.com".into()),
            reference: "req_k3v7q2m5x4n6p8r9t2w3y4z5ab".to_owned(),
        }
    }

    pub(crate) fn bare_about() -> About {
        About {
            signer: "Bob".into(),
            requester: None,
            questions_to: None,
            ..about()
        }
    }

    pub(crate) fn long_about() -> About {
        About {
            ask: AskWords::from_title(&format!(
                "Approve {} for Donaudampfschifffahrtselektrizitätenhauptbetriebswerkbauunterbeamtengesellschaft",
                "the revised framework agreement ".repeat(4)
            )),
            signer: "Maria-Magdalena Wilhelmina Konstantinopolitanski-Oberhuber von und zu Hohenzollern-Sigmaringen".into(),
            requester: Some("Department for the Procurement of Extraordinarily Long Department Names".into()),
            questions_to: Some(format!("{}@{}.example.com", "a".repeat(64), "b".repeat(63)).as_str().into()),
            ..about()
        }
    }

    pub(crate) fn moment(at: &str) -> Moment {
        let at = at.parse().expect("a timestamp");
        Moment::new(
            at,
            "2026-11-21T09:02:00Z".parse().expect("a timestamp"),
            "Europe/Berlin",
        )
    }
}

#[cfg(test)]
mod tests;
