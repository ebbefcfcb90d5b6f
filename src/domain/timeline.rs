//! What happened to an approval, oldest first, each as a time and a sentence: the evidence's events, what was observed
//! between them, what became of the mails, and how the workflow was told. For operators: `web/api` gives it to
//! `countersign events`.

use super::approval::Approval;
use super::callback::Callback;
use super::decision::{AnsweredBy, RequestState, WorkflowEnd};
use super::display_text::DisplayText;
use super::evidence::{Event, Observation, Seen, What};
use super::mail_status::{self, MailNote};
use super::wording::answer_words;
use jiff::Timestamp;
use serde::Serialize;
use std::collections::BTreeMap;

/// One thing that happened.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Happened {
    /// When.
    pub at: Timestamp,
    /// What: a sentence.
    pub what: String,
}

/// All that happened, oldest first.
pub fn timeline(approval: &Approval) -> Vec<Happened> {
    let told = Told(approval);
    let mut seen: Vec<&Observation> = approval
        .events
        .iter()
        .flat_map(|event| &event.observed)
        .chain(&approval.observations)
        .collect();
    seen.sort_by_key(|seen| (seen.at, seen.signer, seen.seen as u8));
    // An event repeats what was observed before it.
    seen.dedup();

    let events = approval.events.iter().map(|event| (event.at, told.event(event)));
    let seen = seen.into_iter().map(|seen| (seen.at, told.observation(seen)));
    let mails = mail_notes(approval)
        .into_iter()
        .map(|note| (note.happened, told.mail(note)));
    let mut all: Vec<(Timestamp, String)> = events.chain(seen).chain(mails).chain(told.callback()).collect();
    // Stable: of the same moment, what the evidence says comes first.
    all.sort_by_key(|(at, _)| *at);
    all.into_iter().map(|(at, what)| Happened { at, what }).collect()
}

/// What was told about mails, each thing once: an event repeats what was noted before it.
fn mail_notes(approval: &Approval) -> Vec<&MailNote> {
    let folded = approval.events.iter().flat_map(|event| &event.mails);
    let all = folded.chain(&approval.mail_notes);
    let each = all.map(|note| ((note.signer, &note.mail.id, note.fate.word()), note));
    each.collect::<BTreeMap<_, _>>().into_values().collect()
}

struct Told<'a>(&'a Approval);

impl Told<'_> {
    fn event(&self, event: &Event) -> String {
        match &event.what {
            What::Requested { .. } => match &self.0.people.requester {
                Some(person) => format!("Asked by {}.", DisplayText::new(&person.name).isolated()),
                None => "Asked.".to_owned(),
            },
            What::Answered {
                signer,
                outcome,
                identified,
                decides,
                ..
            } => {
                let answer = self
                    .0
                    .signers
                    .get(usize::from(*signer))
                    .and_then(|signer| signer.state.answer());
                let answered = match answer {
                    Some(answer) => answer_words(self.0, answer).past(),
                    None => format!("answered {}", DisplayText::new(outcome)),
                };
                let how = match identified {
                    AnsweredBy::Link => "by the link in the mail",
                    AnsweredBy::Operations => "by operations on their behalf",
                };
                let decided = match decides {
                    Some(status) => format!(" This decided: {}.", DisplayText::new(status)),
                    None => String::new(),
                };
                format!("{} {answered}, {how}.{decided}", self.name(*signer))
            }
            What::Expired => "The deadline passed.".to_owned(),
            What::Cancelled { by, reason, .. } => {
                let reason = match reason {
                    Some(reason) => format!(": “{}”", DisplayText::new(reason).shortened(200).isolated()),
                    None => ".".to_owned(),
                };
                format!("Withdrawn by {}{reason}", DisplayText::new(by).isolated())
            }
            What::Orphaned { because } => match because {
                WorkflowEnd::Execution { status, .. } => {
                    format!(
                        "The workflow stopped waiting: its execution is {}.",
                        DisplayText::new(status)
                    )
                }
                WorkflowEnd::TokenClosed => "The workflow stopped waiting: its task is closed.".to_owned(),
                WorkflowEnd::Answered { status } => format!(
                    "The workflow had been told {} before, and this table is older than that.",
                    DisplayText::new(status.as_deref().unwrap_or("an answer"))
                ),
            },
        }
    }

    fn observation(&self, seen: &Observation) -> String {
        let name = self.name(seen.signer);
        match seen.seen {
            Seen::MailSent => format!("{name} was mailed."),
            Seen::Opened => format!("{name}’s page was opened."),
            Seen::OpenedByMachine => format!("{name}’s page was opened by a machine."),
        }
    }

    fn mail(&self, note: &MailNote) -> String {
        let what = if note.mail.asks {
            "The mail to"
        } else {
            "The last mail to"
        };
        format!(
            "{what} {} {}.",
            self.name(note.signer),
            mail_status::words(&note.fate)
        )
    }

    fn callback(&self) -> Option<(Timestamp, String)> {
        let RequestState::Ended(ended) = &self.0.record.state else {
            return None;
        };
        match &ended.callback {
            Callback::Delivered { at } if ended.ending.stops() => {
                Some((*at, "The workflow was stopped.".to_owned()))
            }
            Callback::Delivered { at } => Some((*at, "The workflow was told.".to_owned())),
            Callback::Moot { at, because } => Some((
                *at,
                format!(
                    "The workflow no longer waited when it was told: {}.",
                    DisplayText::new(because)
                ),
            )),
            Callback::Parked(parked) => Some((
                parked.at,
                "The workflow could not be told; somebody has to see to it.".to_owned(),
            )),
            Callback::Held { .. } | Callback::Queued(_) => None,
        }
    }

    fn name(&self, signer: u8) -> String {
        DisplayText::new(&self.0.people.name(signer)).isolated()
    }
}
