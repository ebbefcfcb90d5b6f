//! An approval in sentences: what is asked, who is waited for and since when, whether mails arrived, what happens next,
//! and whether the workflow knows. For operators: `web/api` gives them to `countersign show`.

use super::approval::Approval;
use super::callback::Callback;
use super::decision::{AnsweredBy, Ended, Ending, Pending, RequestState, WorkflowEnd};
use super::display_text::DisplayText;
use super::evidence::Seen;
use super::mail_status::{self, Standing};
use super::policy::Policy;
use super::signer::{MailKind, SignerRecord, SignerState};
use super::when::Moment;
use super::wording::answer_words;
use jiff::{SignedDuration, Timestamp};

/// The sentences, at `now`, with dates in the request's own zone or else in `zone`.
pub fn explain(approval: &Approval, now: Timestamp, zone: &str) -> Vec<String> {
    let zone = approval.body.terms.time_zone.as_deref().unwrap_or(zone);
    let told = Told { approval, now, zone };
    let mut sentences = vec![told.asked()];
    match &approval.record.state {
        RequestState::Pending(pending) => {
            sentences.push(told.needed());
            for signer in &approval.signers {
                sentences.push(told.signer(signer));
                sentences.extend(told.trouble(signer));
            }
            sentences.push(told.deadline(pending));
        }
        RequestState::Ended(ended) => {
            sentences.push(told.ended(ended));
            sentences.extend(approval.signers.iter().filter_map(|signer| told.answer(signer)));
            sentences.push(told.callback(ended));
        }
        RequestState::Orphaned { at, because, .. } => {
            sentences.push(told.orphaned(*at, because));
            sentences.extend(approval.signers.iter().filter_map(|signer| told.answer(signer)));
        }
    }
    sentences
}

/// Why an approval needs somebody, briefly: a clause for each reason, none while it needs nobody.
pub fn attention(approval: &Approval) -> Vec<String> {
    let mut reasons = Vec::new();
    if let RequestState::Ended(ended) = &approval.record.state
        && let Callback::Parked(parked) = &ended.callback
    {
        reasons.push(format!(
            "the workflow could not be told: {}",
            DisplayText::new(&parked.reason)
        ));
    }
    let signers = approval.signers.iter();
    reasons.extend(signers.filter_map(|signer| {
        let name = DisplayText::new(&approval.people.name(signer.number)).isolated();
        let note = mail_status::trouble(approval, signer)?;
        Some(format!("the mail to {name} {}", mail_status::words(&note.fate)))
    }));
    reasons
}

struct Told<'a> {
    approval: &'a Approval,
    now: Timestamp,
    zone: &'a str,
}

impl Told<'_> {
    fn asked(&self) -> String {
        let title = DisplayText::new(&self.approval.body.terms.title);
        let by = match &self.approval.people.requester {
            Some(person) => format!(" by {}", DisplayText::new(&person.name).isolated()),
            None => String::new(),
        };
        let created = self.past(self.approval.body.created);
        format!("“{}” was asked{by} {created}.", title.isolated())
    }

    fn needed(&self) -> String {
        let asked = self.approval.signers.len();
        let answered = self.approval.answers().iter().flatten().count();
        let rule = match self.approval.body.terms.policy {
            Policy::All if asked == 1 => return "One person is asked.".to_owned(),
            Policy::All => "all must approve".to_owned(),
            Policy::Any => "the first answer decides".to_owned(),
            Policy::Quorum { count } => format!("{count} must approve"),
            Policy::Sequence => "all must approve, one after another".to_owned(),
        };
        format!("{answered} of {asked} have answered; {rule}.")
    }

    fn signer(&self, signer: &SignerRecord) -> String {
        let name = self.name(signer);
        let waiting = match &signer.state {
            SignerState::Answered(_) => return self.answer(signer).unwrap_or_default(),
            SignerState::Replaced { at } => {
                return format!("{name} isn't asked any more, {}.", self.past(*at));
            }
            SignerState::Bounced { at, reason } => {
                return format!(
                    "{name} can't be reached: the mail was refused {} ({}).",
                    self.past(*at),
                    DisplayText::new(reason)
                );
            }
            SignerState::Waiting => match &signer.mail {
                Some(mail) if mail.attempts > 0 => format!(
                    "the mail couldn't be sent yet, {} so far{}, next {}",
                    count(mail.attempts, "try", "tries"),
                    match &mail.last_error {
                        Some(error) => format!(" (the last: {})", DisplayText::new(error)),
                        None => String::new(),
                    },
                    self.brief(mail.due)
                ),
                _ => "the mail is on its way out".to_owned(),
            },
            SignerState::Sent { at } => format!(
                "mail sent {}, {}{}",
                self.ago(*at),
                self.arrived(signer),
                self.opened(signer)
            ),
        };
        let next = match &signer.mail {
            Some(mail) if matches!(mail.kind, MailKind::Reminder { .. }) => {
                format!("; next reminder {}", self.brief(mail.due))
            }
            _ => String::new(),
        };
        format!("Waiting for {name}: {waiting}{next}.")
    }

    /// Whether the mail arrived, where that was told.
    fn arrived(&self, signer: &SignerRecord) -> String {
        match mail_status::standing(self.approval, signer) {
            Standing::Delivered(note) => format!("delivered {}, ", self.ago(note.happened)),
            Standing::Delayed(note) => format!("which {}, ", mail_status::words(&note.fate)),
            Standing::Unknown | Standing::Trouble(_) => String::new(),
        }
    }

    /// What became of the mail that didn't arrive, and what to do about it.
    fn trouble(&self, signer: &SignerRecord) -> Option<String> {
        let note = mail_status::trouble(self.approval, signer)?;
        let said = match &note.said {
            Some(said) => format!(" The mail server said: “{}”", DisplayText::new(said).isolated()),
            None => String::new(),
        };
        Some(format!(
            "The mail to {} {}, {}. {}{said}",
            self.name(signer),
            mail_status::words(&note.fate),
            self.ago(note.happened),
            mail_status::remedy(&note.fate),
        ))
    }

    fn opened(&self, signer: &SignerRecord) -> String {
        let last = |what: Seen| {
            let by = self
                .approval
                .observations
                .iter()
                .filter(|seen| seen.signer == signer.number);
            by.filter(|seen| seen.seen == what).map(|seen| seen.at).max()
        };
        match (last(Seen::Opened), last(Seen::OpenedByMachine)) {
            (Some(at), _) => format!("page last opened {}", self.ago(at)),
            (None, Some(_)) => "page opened by machines only".to_owned(),
            (None, None) => "page never opened".to_owned(),
        }
    }

    fn answer(&self, signer: &SignerRecord) -> Option<String> {
        let answer = signer.state.answer()?;
        let behalf = match answer.by {
            AnsweredBy::Link => "",
            AnsweredBy::Operations => ", by operations on their behalf",
        };
        let words = answer_words(self.approval, answer).past();
        let comment = match &answer.private.comment {
            Some(comment) => format!(": “{}”", DisplayText::new(comment).shortened(200).isolated()),
            None => ".".to_owned(),
        };
        Some(format!(
            "{} {words} {}{behalf}{comment}",
            self.name(signer),
            self.past(answer.at)
        ))
    }

    fn deadline(&self, pending: &Pending) -> String {
        match pending.deadline {
            Some(at) => format!("The deadline is {}.", self.at(at)),
            None => "There is no deadline.".to_owned(),
        }
    }

    fn ended(&self, ended: &Ended) -> String {
        let at = self.past(ended.ending.at());
        match &ended.ending {
            Ending::Approved(_) => format!("Approved {at}."),
            Ending::Rejected(_) => format!("Rejected {at}."),
            Ending::Expired { .. } => format!("Expired {at}: the deadline passed."),
            Ending::Cancelled { by, reason, .. } => {
                let reason = match reason {
                    Some(reason) => format!(": “{}”", DisplayText::new(reason).shortened(200).isolated()),
                    None => ".".to_owned(),
                };
                format!("Withdrawn by {} {at}{reason}", DisplayText::new(by).isolated())
            }
        }
    }

    fn callback(&self, ended: &Ended) -> String {
        match &ended.callback {
            Callback::Held { until } => format!("The workflow will be told {}.", self.at(*until)),
            Callback::Queued(queued) => {
                let error = queued.last_error.as_deref().unwrap_or("no answer yet");
                format!(
                    "The workflow doesn't know yet: {} ({}), next {}.",
                    count(queued.attempts, "try", "tries"),
                    DisplayText::new(error),
                    self.brief(queued.due)
                )
            }
            Callback::Delivered { at } if ended.ending.stops() => {
                format!("The workflow was stopped {}.", self.past(*at))
            }
            Callback::Delivered { at } => format!("The workflow was told {}.", self.past(*at)),
            Callback::Moot { at, because } => {
                format!(
                    "The workflow no longer waited when it was told {}: {}.",
                    self.past(*at),
                    DisplayText::new(because)
                )
            }
            Callback::Parked(parked) => format!(
                "The workflow could not be told, and somebody has to see to it since {}: {} Then run: countersign \
                 retry {}",
                self.past(parked.at),
                full_stop(DisplayText::new(&parked.reason).as_str()),
                self.approval.id
            ),
        }
    }

    fn orphaned(&self, at: Timestamp, because: &WorkflowEnd) -> String {
        let how = match because {
            WorkflowEnd::Execution { status, .. } => format!("its execution is {}", DisplayText::new(status)),
            WorkflowEnd::TokenClosed => "its task is closed".to_owned(),
        };
        format!(
            "The workflow stopped waiting while people were being asked: {how}. Found {}.",
            self.past(at)
        )
    }

    fn name(&self, signer: &SignerRecord) -> String {
        DisplayText::new(&self.approval.people.name(signer.number)).isolated()
    }

    /// A time to come.
    fn at(&self, at: Timestamp) -> String {
        let moment = Moment::new(at, self.now, self.zone);
        format!("{} ({})", moment.relative, moment.full)
    }

    fn brief(&self, at: Timestamp) -> String {
        Moment::new(at, self.now, self.zone).relative
    }

    /// A time that has passed, even by a clock that is a little ahead of ours.
    fn past(&self, at: Timestamp) -> String {
        let moment = self.passed(at);
        format!("{} ({})", moment.relative, moment.full)
    }

    fn ago(&self, at: Timestamp) -> String {
        self.passed(at).relative
    }

    fn passed(&self, at: Timestamp) -> Moment {
        Moment::new(at, self.now.max(at + SignedDuration::from_millis(1)), self.zone)
    }
}

fn count(n: u32, one: &str, many: &str) -> String {
    format!("{n} {}", if n == 1 { one } else { many })
}

fn full_stop(text: &str) -> String {
    format!("{}.", text.trim_end_matches('.'))
}
