//! The review page: who asks, what matters now, the thing itself in full, and last of all the decision.
//! Shown by `GET /s/{link}`, and again by a POST that could not be accepted, with everything that was typed.
//! No outcome is ever chosen beforehand: a machine that follows links and sends forms must not decide by accident.

use askama::Template;

use super::{About, Frame, People, Standing};
use crate::{
    domain::{
        display_text::{DisplayLines, DisplayText},
        when::Moment,
    },
    web::markdown::SafeHtml,
};

/// The review page.
#[derive(Clone, Debug, Template)]
#[template(path = "pages/review.html")]
pub struct ReviewPage {
    /// Around the page.
    pub frame: Frame,
    /// Which request, whom it asks.
    pub about: About,
    /// By when an answer is needed.
    pub deadline: Option<Moment>,
    /// Who else is asked.
    pub people: People,
    /// The workflow's next state after an approval, where it is known: "Release payment".
    pub leads_to: Option<DisplayText>,
    /// The requester's message.
    pub message: Option<SafeHtml>,
    /// What is to be signed.
    pub documents: Vec<Document>,
    /// What folds away under "Details": ids, the workflow's name.
    pub details: Vec<Detail>,
    /// The decision.
    pub form: DecisionForm,
}

/// A document, shown in full.
#[derive(Clone, Debug)]
pub struct Document {
    /// Its name: "contract.txt".
    pub name: DisplayText,
    /// Its size in words: "2 KB".
    pub size: String,
    /// The SHA-256 of its bytes in hex.
    pub sha256: String,
    /// Its content.
    pub body: DocumentBody,
}

/// A document's content.
#[derive(Clone, Debug)]
pub enum DocumentBody {
    /// Text, shown as it is.
    Text(DisplayLines),
    /// Another kind of file, opened on a page of its own at this address.
    File {
        /// Relative to the review page.
        href: String,
        /// In words: "PDF".
        kind: String,
    },
}

/// One line under "Details".
#[derive(Clone, Debug)]
pub struct Detail {
    /// What it is.
    pub label: DisplayText,
    /// Its value, an id or a name.
    pub value: DisplayText,
}

/// The decision's form, with what was typed into it and what is wrong with that.
#[derive(Clone, Debug)]
pub struct DecisionForm {
    /// The CSRF token.
    pub csrf: String,
    /// The outcomes to choose from.
    pub choices: Vec<Choice>,
    /// What was typed as a comment.
    pub comment: String,
    /// What was typed as a name.
    pub name: String,
    /// What has to be put right, in the order of the fields.
    pub problems: Vec<FieldProblem>,
}

/// An outcome to choose.
#[derive(Clone, Debug)]
pub struct Choice {
    /// The outcome's id, which the form sends.
    pub id: String,
    /// Its label: "Approve".
    pub label: DisplayText,
    /// One sentence about what it does.
    pub explanation: Option<String>,
    /// Whether it rejects, so that a comment is asked for.
    pub rejects: bool,
    /// Whether it approves, so that the button can say "Sign".
    pub approves: bool,
    /// Whether it was chosen in what was sent before.
    pub chosen: bool,
}

/// What is wrong with a field, and what to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FieldProblem {
    /// Where.
    pub field: Field,
    /// What to do: "Enter your name as it stands in the mail: Bob Miller".
    pub message: String,
}

/// A part of the form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Field {
    /// The choice of an outcome.
    Outcome,
    /// The comment.
    Comment,
    /// The typed name.
    Name,
    /// The form as a whole (its time ran out).
    Form,
}

impl Field {
    /// The id of the element that the error summary leads to.
    pub fn anchor(self) -> &'static str {
        match self {
            Field::Outcome => "outcome-1",
            Field::Comment => "comment",
            Field::Name => "name",
            Field::Form => "decision",
        }
    }
}

impl DecisionForm {
    fn problem_with(&self, field: Field) -> Option<&str> {
        self.problems
            .iter()
            .find(|problem| problem.field == field)
            .map(|problem| problem.message.as_str())
    }

    /// What is wrong with the choice.
    pub fn outcome_problem(&self) -> Option<&str> {
        self.problem_with(Field::Outcome)
    }

    /// What is wrong with the comment.
    pub fn comment_problem(&self) -> Option<&str> {
        self.problem_with(Field::Comment)
    }

    /// What is wrong with the name.
    pub fn name_problem(&self) -> Option<&str> {
        self.problem_with(Field::Name)
    }

    /// The one choice that asks for a comment, if it is one.
    pub fn only_rejection(&self) -> Option<&DisplayText> {
        let mut rejections = self.choices.iter().filter(|choice| choice.rejects);
        rejections
            .next()
            .filter(|_| rejections.next().is_none())
            .map(|choice| &choice.label)
    }

    /// Whether some choice asks for a comment.
    pub fn may_reject(&self) -> bool {
        self.choices.iter().any(|choice| choice.rejects)
    }
}

impl ReviewPage {
    /// The button's words once an approving outcome is chosen: "Sign document 3", or only "Sign" if that would be long.
    pub fn approve_button(&self) -> String {
        let ask = &self.about.ask;
        if ask.is_signature() && ask.object.as_str().chars().count() <= 24 {
            format!("Sign {}", ask.object.isolated())
        } else if ask.is_signature() {
            "Sign".to_owned()
        } else {
            "Send my approval".to_owned()
        }
    }

    /// Whether the heading is so long that it is set smaller.
    pub fn has_long_heading(&self) -> bool {
        let about = &self.about;
        let requester = about
            .requester
            .as_ref()
            .map_or(0, |requester| requester.as_str().len());
        about.ask.object.as_str().len() + about.signer.as_str().len() + requester > 110
    }

    /// Whether there is anything to say about when, who and what then.
    pub fn has_facts(&self) -> bool {
        self.deadline.is_some() || !self.people.only_the_reader() || self.leads_to.is_some()
    }

    /// Whether there is more to show than the form.
    pub fn has_content(&self) -> bool {
        self.message.is_some() || !self.documents.is_empty()
    }
}

#[cfg(test)]
impl ReviewPage {
    pub(crate) fn samples() -> Vec<(&'static str, Self)> {
        use super::people::samples as people;
        use super::samples::{about, bare_about, bare_frame, frame, long_about, moment};

        let message = "Please read the **contract** before you sign.\n\nWhat changed since October:\n\n\
            1. The notice period is now *three* months.\n2. Section 4 names the [new terms](https://terms.example.com/2026).\n\n\
            | part | before | now |\n|---|---:|---:|\n| fee | 1,200 | 1,150 |\n\n> Thank you for your patience.";
        let contract = "CONTRACT No. 3\n\n1. Parties\n   Example Ltd (\"the Company\") and Miller & Sons (\"the Supplier\").\n\n\
            2. Term\n   From 1 December 2026 until either party gives three months' notice.\n\n\
            3. Price\n   EUR 1,150 a month, payable on the first working day.\n";
        let choice = |id: &str, label: &str, explanation: Option<&str>, approves, rejects| Choice {
            id: id.to_owned(),
            label: label.into(),
            explanation: explanation.map(str::to_owned),
            rejects,
            approves,
            chosen: false,
        };
        let choices = vec![
            choice(
                "approve",
                "Sign",
                Some("Your signature is recorded."),
                true,
                false,
            ),
            choice(
                "reject",
                "Do not sign",
                Some("Nobody else is asked. Say why below."),
                false,
                true,
            ),
        ];
        let form = DecisionForm {
            csrf: "c2FtcGxl".to_owned(),
            choices,
            comment: String::new(),
            name: String::new(),
            problems: vec![],
        };
        let usual = Self {
            frame: frame(),
            about: about(),
            deadline: Some(moment("2026-11-27T16:00:00Z")),
            people: people::last_of_two(),
            leads_to: Some("Release payment".into()),
            message: Some(SafeHtml::from_markdown(message)),
            documents: vec![Document {
                name: "contract.txt".into(),
                size: "312 bytes".to_owned(),
                sha256: "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08".to_owned(),
                body: DocumentBody::Text(DisplayLines::new(contract)),
            }],
            details: vec![
                Detail {
                    label: "Request".into(),
                    value: about().reference.as_str().into(),
                },
                Detail {
                    label: "Workflow".into(),
                    value: "document-signing".into(),
                },
                Detail {
                    label: "Run".into(),
                    value: "3f1c9a52-8f0e-4a5e-9d1b-1f6a7c1d2e3f".into(),
                },
            ],
            form: form.clone(),
        };
        let bare = Self {
            frame: bare_frame(),
            about: bare_about(),
            deadline: None,
            people: people::alone(),
            leads_to: None,
            message: None,
            documents: vec![],
            details: usual.details[..1].to_vec(),
            form: form.clone(),
        };
        let mut with_errors = usual.clone();
        with_errors.form.choices[1].chosen = true;
        with_errors.form.name = "Bod Miler".to_owned();
        with_errors.form.problems = vec![
            FieldProblem {
                field: Field::Comment,
                message: "Say why you reject, in a few words.".to_owned(),
            },
            FieldProblem {
                field: Field::Name,
                message: "Enter your name as it stands in the mail: Bob Miller".to_owned(),
            },
        ];
        let mut nothing_chosen = bare.clone();
        nothing_chosen.form.problems = vec![FieldProblem {
            field: Field::Outcome,
            message: "Choose your answer.".to_owned(),
        }];
        let mut form_expired = usual.clone();
        form_expired.form.choices[0].chosen = true;
        form_expired.form.name = "Bob Miller".to_owned();
        form_expired.form.comment = "Fine by me. One question:\n<b>when</b> does \"it\" start?".to_owned();
        form_expired.form.problems = vec![FieldProblem {
            field: Field::Form,
            message:
                "This page was open for too long, so nothing was recorded. What you typed is still here: \
                      check it and send it again."
                    .to_owned(),
        }];
        let five = Self {
            people: people::five(),
            ..usual.clone()
        };
        let mut longest = Self {
            about: long_about(),
            people: people::a_hundred(),
            message: Some(SafeHtml::from_markdown(
                &"## Background\n\nThe committee has met and considered every one of the points that were raised.\n\n".repeat(190),
            )),
            leads_to: Some("A_state_with_a_name_of_eighty_characters_which_is_the_longest_that_AWS_allows_us".into()),
            ..usual.clone()
        };
        longest.documents[0].name = format!("{}.txt", "minutes_of_the_meeting_".repeat(6))
            .as_str()
            .into();
        longest.documents.push(Document {
            name: "plan.pdf".into(),
            size: "1.4 MB".to_owned(),
            sha256: longest.documents[0].sha256.clone(),
            body: DocumentBody::File {
                href: "documents/2".to_owned(),
                kind: "PDF".to_owned(),
            },
        });
        longest.form.choices.push(choice(
            "changes",
            "Ask for changes to the wording of the agreement before anybody is asked to sign it again",
            None,
            false,
            false,
        ));
        vec![
            ("review", usual),
            ("review-bare", bare),
            ("review-five", five),
            ("review-errors", with_errors),
            ("review-nothing-chosen", nothing_chosen),
            ("review-form-expired", form_expired),
            ("review-longest", longest),
        ]
    }
}
