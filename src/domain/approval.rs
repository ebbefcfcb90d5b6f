//! An approval as it was read: body, people, signers and state together. What `store` gives and what pages, mails
//! and callbacks are made from.

use super::body::{Body, People};
use super::callback::{CallbackMessage, MAX_CAUSE_CHARS};
use super::decision::{Answer, Decision, Ending, RequestRecord, RequestState};
use super::digest::Sha256;
use super::evidence::{Event, Observation};
use super::ids::ApprovalId;
use super::keys::SealedTarget;
use super::mail_status::MailNote;
use super::request::{OnReject, OutcomeKind};
use super::signer::SignerRecord;
use super::wording::AskWords;
use serde_json::{Value, json};

/// Everything that is known of one approval.
#[derive(Clone, PartialEq, Debug)]
pub struct Approval {
    /// Its id.
    pub id: ApprovalId,
    /// What was asked.
    pub body: Body,
    /// The body's digest.
    pub digest: Sha256,
    /// The token, encrypted.
    pub target: SealedTarget,
    /// Names and addresses.
    pub people: People,
    /// The signers, by number.
    pub signers: Vec<SignerRecord>,
    /// How far it has come.
    pub record: RequestRecord,
    /// The chain of evidence.
    pub events: Vec<Event>,
    /// What was observed, oldest first.
    pub observations: Vec<Observation>,
    /// What became of the mails, as the mail service told it.
    pub mail_notes: Vec<MailNote>,
}

/// How many notes about mails an evidence event takes in: with everything that is observed of a hundred signers it stays
/// under 400 KB, the most that DynamoDB takes as one item. Without that bound nobody could answer any more.
const MOST_FOLDED: usize = 400;

/// How much of what people answered stands in a result.
#[derive(Clone, PartialEq, Debug)]
pub enum Responses {
    /// All of it.
    Whole,
    /// All but their comments, and a word that says so: the API has them.
    WithoutComments,
    /// None of it. The whole result is state data, to which this points: `table_name`, `partition_key` and `key`.
    Elsewhere(Value),
}

impl Approval {
    /// The zone in which its dates are shown: its own, or else the `usual` one.
    pub fn time_zone<'a>(&'a self, usual: &'a str) -> &'a str {
        self.body.terms.time_zone.as_deref().unwrap_or(usual)
    }

    /// The execution that it belongs to, by the requester's word.
    pub fn execution_arn(&self) -> Option<&str> {
        self.body.terms.execution.as_ref()?.arn.as_deref()
    }

    /// Whether people are still being asked.
    pub fn is_pending(&self) -> bool {
        matches!(self.record.state, RequestState::Pending(_))
    }

    /// The answers given, by signer number.
    pub fn answers(&self) -> Vec<Option<&Answer>> {
        self.signers.iter().map(|signer| signer.state.answer()).collect()
    }

    /// What was observed, and what was told about mails, since the newest evidence event: the next one takes it in; of
    /// the latter no more than [`MOST_FOLDED`].
    pub fn unfolded(&self) -> (Vec<Observation>, Vec<MailNote>) {
        let since = self.record.evidence.at;
        let seen = self.observations.iter().filter(|seen| seen.at >= since);
        let mails = self.mail_notes.iter().filter(|note| note.at >= since);
        let mails = mails.take(MOST_FOLDED);
        // What a mail server wrote may be personal: the chain can't forget anything.
        let bare = mails.map(|note| MailNote {
            said: None,
            ..note.clone()
        });
        (seen.cloned().collect(), bare.collect())
    }

    /// The name of the thing that is signed: the document's id in the short form, else the title without the verb that
    /// it begins with.
    pub fn subject(&self) -> String {
        let terms = &self.body.terms;
        terms
            .document_id
            .clone()
            .unwrap_or_else(|| AskWords::from_title(&terms.title).object.to_string())
    }

    /// What the workflow is sent for how this request ended; `None` while it hasn't, or when nobody waits. A result may
    /// be longer than Step Functions takes: then it is sent with other [`Responses`].
    pub fn callback_message(&self, responses: &Responses) -> Option<CallbackMessage> {
        let RequestState::Ended(ended) = &self.record.state else {
            return None;
        };
        Some(match &ended.ending {
            Ending::Approved(decision) => {
                self.success(&ended.ending, decision.outcome.clone(), true, responses)
            }
            Ending::Rejected(decision) if self.body.terms.on_reject == OnReject::Succeed => {
                self.success(&ended.ending, decision.outcome.clone(), false, responses)
            }
            Ending::Rejected(decision) => self.rejection(&ended.ending, decision),
            Ending::Expired {
                outcome: Some(outcome),
                ..
            } => {
                let approved = self.outcome_kind(outcome) == Some(OutcomeKind::Approve);
                self.success(&ended.ending, outcome.clone(), approved, responses)
            }
            Ending::Expired { outcome: None, .. } => {
                let waiting: Vec<String> = self.unanswered().map(|number| self.people.name(number)).collect();
                let summary = format!("Not answered in time by {}", waiting.join(", "));
                let details = json!({"notAnswered": waiting});
                self.failure("Approval.Expired", &ended.ending, summary, details)
            }
            Ending::Cancelled { by, reason, .. } => self.failure(
                "Approval.Cancelled",
                &ended.ending,
                with_reason(format!("Withdrawn by {by}"), reason.as_deref()),
                json!({"cancelledBy": by, "reason": reason}),
            ),
        })
    }

    /// Whether its execution is stopped, instead of being sent a message.
    pub fn stops_execution(&self) -> bool {
        matches!(&self.record.state, RequestState::Ended(ended) if ended.ending.stops())
    }

    /// The numbers of those who haven't answered.
    pub fn unanswered(&self) -> impl Iterator<Item = u8> + '_ {
        self.signers
            .iter()
            .filter(|signer| signer.state.answer().is_none())
            .map(|signer| signer.number)
    }

    fn outcome_kind(&self, id: &str) -> Option<OutcomeKind> {
        self.body
            .terms
            .outcomes
            .iter()
            .find(|outcome| outcome.id == id)
            .map(|outcome| outcome.kind)
    }

    fn success(
        &self,
        ending: &Ending,
        outcome: String,
        approved: bool,
        responses: &Responses,
    ) -> CallbackMessage {
        let mut output = json!({
            "requestId": self.id,
            "status": ending.status(),
            "outcome": outcome,
            "approved": approved,
        });
        if matches!(ending, Ending::Approved(_)) {
            output["signature"] = json!(format!("{} signed {}", self.signers_named(), self.subject()));
        }
        output["decidedAt"] = json!(ending.at());
        match responses {
            Responses::Whole => output["responses"] = Value::Array(self.responses(true)),
            Responses::WithoutComments => {
                output["responses"] = Value::Array(self.responses(false));
                output["commentsOmitted"] = json!(true);
            }
            Responses::Elsewhere(pointer) => output["stateData"] = pointer.clone(),
        }
        output["evidence"] = json!({"head": self.record.evidence.hash});
        CallbackMessage::Success {
            output: output.to_string(),
        }
    }

    fn rejection(&self, ending: &Ending, decision: &Decision) -> CallbackMessage {
        let comment = self.signers[usize::from(decision.by)]
            .state
            .answer()
            .and_then(|a| a.private.comment.clone());
        let name = self.people.name(decision.by);
        let summary = with_reason(format!("Rejected by {name}"), comment.as_deref());
        let details = json!({"outcome": decision.outcome, "rejectedBy": name, "comment": comment});
        self.failure("Approval.Rejected", ending, summary, details)
    }

    /// A failure whose cause is JSON of what a person who debugs the workflow asks first, and, where it fits, all
    /// the responses.
    fn failure(
        &self,
        error: &'static str,
        ending: &Ending,
        summary: String,
        details: Value,
    ) -> CallbackMessage {
        let mut cause =
            json!({"requestId": self.id, "status": ending.status(), "title": self.body.terms.title});
        if let (Value::Object(cause), Value::Object(details)) = (&mut cause, details) {
            cause.extend(details.into_iter().filter(|(_, value)| !value.is_null()));
        }
        cause["decidedAt"] = json!(ending.at());
        cause["evidence"] = json!({"head": self.record.evidence.hash});
        let short = cause.to_string();
        cause["responses"] = Value::Array(self.responses(true));
        let whole = cause.to_string();
        CallbackMessage::Failure {
            error,
            summary,
            cause: if whole.chars().count() <= MAX_CAUSE_CHARS {
                whole
            } else {
                short
            },
        }
    }

    fn responses(&self, with_comments: bool) -> Vec<Value> {
        let mut answered: Vec<_> = self
            .signers
            .iter()
            .filter_map(|s| Some((s.number, s.state.answer()?)))
            .collect();
        answered.sort_by_key(|(number, answer)| (answer.at, *number));
        let response = |(number, answer): (u8, &Answer)| {
            let mut signer = json!({"name": self.people.name(number)});
            if let Some(role) = &self.body.signers[usize::from(number)].role {
                signer["role"] = json!(role);
            }
            let mut response = json!({"signer": signer, "outcome": answer.outcome});
            if let Some(comment) = answer.private.comment.as_ref().filter(|_| with_comments) {
                response["comment"] = json!(comment);
            }
            if answer.by == super::decision::AnsweredBy::Operations {
                response["answeredBy"] = json!("operations");
            }
            response["decidedAt"] = json!(answer.at);
            response
        };
        answered.into_iter().map(response).collect()
    }

    /// "Bob", "Alice and Bob", "Alice, Bob and Carol": those who approved.
    fn signers_named(&self) -> String {
        let approving = |s: &&SignerRecord| s.state.answer().is_some_and(|a| a.kind == OutcomeKind::Approve);
        let names: Vec<String> = self
            .signers
            .iter()
            .filter(approving)
            .map(|s| self.people.name(s.number))
            .collect();
        match names.as_slice() {
            [] => String::new(),
            [one] => one.clone(),
            [first @ .., last] => format!("{} and {last}", first.join(", ")),
        }
    }
}

fn with_reason(what: String, reason: Option<&str>) -> String {
    match reason {
        Some(reason) => format!("{what}: {reason}"),
        None => what,
    }
}
