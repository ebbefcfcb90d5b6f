//! What stands on the review page, taken from the approval: who else, what to read, what to answer, what went wrong.
//! Part of `present.rs`, which says when the page is shown.

use super::Presenter;
use crate::domain::display_text::{DisplayLines, DisplayText};
use crate::domain::policy::Policy;
use crate::domain::request::{MAX_COMMENT_CHARS, Outcome, OutcomeKind};
use crate::domain::signer::SignerState;
use crate::domain::wording::{answer_words, ask_words};
use crate::flow::decide::{Mistake, Submission};
use crate::web::markdown::SafeHtml;
use crate::web::views::{
    Choice, DecisionForm, Detail, Document, DocumentBody, Field, FieldProblem, People, Person, ReviewPage,
    Rule, Standing,
};

impl Presenter<'_> {
    pub(super) fn review(&self, form_token: &str) -> ReviewPage {
        let terms = &self.approval.body.terms;
        ReviewPage {
            frame: self.frame.clone(),
            about: self.about(),
            deadline: self.approval.body.deadline().map(|at| self.moment(at)),
            people: self.people(),
            leads_to: None,
            message: terms
                .message
                .as_deref()
                .filter(|text| !text.trim().is_empty())
                .map(SafeHtml::from_markdown),
            documents: self.documents(),
            details: self.details(),
            form: DecisionForm {
                csrf: form_token.to_owned(),
                choices: self.choices(),
                comment: String::new(),
                name: String::new(),
                problems: Vec::new(),
            },
        }
    }

    pub(super) fn problem(&self, mistake: Mistake, sent: &Submission) -> FieldProblem {
        let name = || {
            format!(
                "Enter your name as it stands in the mail: {}",
                self.name(self.signer).isolated()
            )
        };
        let (field, message) = match mistake {
            Mistake::NothingChosen => (Field::Outcome, "Choose one of the answers.".to_owned()),
            Mistake::ReasonMissing => (Field::Comment, "Say why, in a few words.".to_owned()),
            Mistake::CommentTooLong => (
                Field::Comment,
                format!(
                    "Shorten your comment to {MAX_COMMENT_CHARS} characters; it has {} now.",
                    sent.comment.chars().count()
                ),
            ),
            Mistake::NameMissing | Mistake::NameDiffers => (Field::Name, name()),
        };
        FieldProblem { field, message }
    }

    fn people(&self) -> People {
        let policy = self.approval.body.terms.policy;
        let mut somebody_before_is_open = false;
        let signers = self
            .approval
            .signers
            .iter()
            .filter(|s| !matches!(s.state, SignerState::Replaced { .. }));
        let list = signers.map(|signer| {
            let standing = match signer.state.answer() {
                Some(answer) => Standing::Answered {
                    answer: answer_words(self.approval, answer),
                    at: self.moment(answer.at),
                },
                None if policy == Policy::Sequence && somebody_before_is_open => Standing::Later,
                None => Standing::Asked,
            };
            somebody_before_is_open |= signer.state.is_open();
            Person {
                name: self.name(signer.number),
                role: self.approval.body.signers[usize::from(signer.number)]
                    .role
                    .as_deref()
                    .map(DisplayText::new),
                is_reader: signer.number == self.signer,
                standing,
            }
        });
        let rule = match policy {
            Policy::All => Rule::All,
            Policy::Any => Rule::Any,
            Policy::Quorum { count } => Rule::Quorum(usize::from(count)),
            Policy::Sequence => Rule::Sequence,
        };
        People {
            rule,
            list: list.collect(),
        }
    }

    fn choices(&self) -> Vec<Choice> {
        let terms = &self.approval.body.terms;
        let signature = ask_words(self.approval).is_signature();
        let several = self.approval.signers.len() > 1;
        let choice = |outcome: &Outcome| Choice {
            id: outcome.id.clone(),
            label: outcome.label.as_str().into(),
            explanation: match outcome.kind {
                OutcomeKind::Approve if signature => Some("The name you type is your signature.".to_owned()),
                OutcomeKind::Approve => None,
                OutcomeKind::Reject if several && matches!(terms.policy, Policy::All | Policy::Sequence) => {
                    Some("This ends it for everybody. Say why below.".to_owned())
                }
                OutcomeKind::Reject => Some("Say why below.".to_owned()),
            },
            rejects: outcome.kind == OutcomeKind::Reject,
            approves: outcome.kind == OutcomeKind::Approve,
            chosen: false,
        };
        terms.outcomes.iter().map(choice).collect()
    }

    fn documents(&self) -> Vec<Document> {
        let documents = self.approval.body.terms.documents.iter();
        documents
            .map(|document| Document {
                name: document.name.as_str().into(),
                size: size(document.text.len()),
                sha256: document
                    .sha256
                    .to_string()
                    .trim_start_matches("sha256:")
                    .to_owned(),
                body: DocumentBody::Text(DisplayLines::new(&document.text)),
            })
            .collect()
    }

    fn details(&self) -> Vec<Detail> {
        let terms = &self.approval.body.terms;
        let execution = terms.execution.as_ref();
        let machine = execution.and_then(|execution| {
            let arn = execution.state_machine_arn()?;
            arn.rsplit_once(':').map(|(_, name)| name.to_owned())
        });
        let known = [
            ("Request", Some(self.approval.id.to_string())),
            ("Reference", terms.external_id.clone()),
            ("Workflow", machine),
            ("Run", execution.and_then(|execution| execution.name.clone())),
            (
                "Step",
                execution.and_then(|execution| execution.state_name.clone()),
            ),
        ];
        let known = known
            .into_iter()
            .filter_map(|(label, value)| Some((label.to_owned(), value?)));
        let metadata = terms.metadata.iter().flatten().map(|(key, value)| {
            let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            (key.clone(), value)
        });
        known
            .chain(metadata)
            .map(|(label, value)| Detail {
                label: DisplayText::new(&label).shortened(80),
                value: DisplayText::new(&value).shortened(500),
            })
            .collect()
    }
}

/// "312 bytes", "2 KB": rounded up, so that nothing is said to be smaller than it is.
pub(super) fn size(bytes: usize) -> String {
    match bytes {
        1 => "1 byte".to_owned(),
        0..1024 => format!("{bytes} bytes"),
        _ => format!("{} KB", bytes.div_ceil(1024)),
    }
}
