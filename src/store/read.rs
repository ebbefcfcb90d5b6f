//! Reading an approval: one strongly consistent query gives all of it.

use super::intake::StoredBody;
use super::items::{Item, pk, read, read_text, text};
use super::{Store, StoreError, unavailable};
use crate::domain::approval::Approval;
use crate::domain::body::People;
use crate::domain::decision::RequestRecord;
use crate::domain::evidence::{Event, Observation};
use crate::domain::ids::ApprovalId;
use crate::domain::mail_status::MailNote;
use crate::domain::signer::{Person, SignerRecord};

/// What there is of an approval.
#[derive(Clone, PartialEq, Debug)]
pub enum Loaded {
    /// Nothing.
    Nothing,
    /// A body, and perhaps more, but no state: its intake isn't finished.
    Unfinished(Box<StoredBody>),
    /// All of it.
    Approval(Box<Approval>),
}

impl Loaded {
    /// The approval, if it is complete.
    pub fn approval(self) -> Option<Approval> {
        match self {
            Self::Approval(approval) => Some(*approval),
            Self::Nothing | Self::Unfinished(_) => None,
        }
    }
}

impl Store {
    /// Reads everything about `id`.
    pub async fn load(&self, id: ApprovalId) -> Result<Loaded, StoreError> {
        let mut parts = Parts::default();
        let mut start = None;
        loop {
            let page = self
                .client
                .query()
                .table_name(&self.table)
                .key_condition_expression("pk = :pk")
                .expression_attribute_values(":pk", text(pk(id)))
                .consistent_read(true)
                .set_exclusive_start_key(start)
                .send()
                .await
                .map_err(|error| unavailable("Query", error))?;
            for item in page.items() {
                parts.take(item)?;
            }
            start = page.last_evaluated_key;
            if start.is_none() {
                return Ok(parts.assemble(id));
            }
        }
    }
}

/// The items of one approval, as they come in by sort key.
#[derive(Default)]
struct Parts {
    body: Option<StoredBody>,
    record: Option<RequestRecord>,
    people: Vec<(u8, Person)>,
    signers: Vec<SignerRecord>,
    events: Vec<Event>,
    observations: Vec<Observation>,
    mail_notes: Vec<MailNote>,
}

impl Parts {
    fn take(&mut self, item: &Item) -> Result<(), StoreError> {
        let sk = read_text(item, "sk");
        match (sk.split_once('#').map_or(sk, |(kind, _)| kind), sk) {
            ("B", _) => self.body = Some(read(item)?),
            ("S", _) => self.record = Some(read(item)?),
            ("P", sk) => {
                if let Ok(number) = sk[2..].parse() {
                    self.people.push((number, read(item)?));
                }
            }
            ("R", _) => self.signers.push(read(item)?),
            ("E", _) => self.events.push(read(item)?),
            ("O", _) => self.observations.push(read(item)?),
            ("M", _) => self.mail_notes.push(MailNote {
                listed: item.contains_key("list"),
                ..read(item)?
            }),
            // A newer process may keep more with an approval than we know of.
            _ => {}
        }
        Ok(())
    }

    fn assemble(self, id: ApprovalId) -> Loaded {
        let Some(stored) = self.body else {
            return Loaded::Nothing;
        };
        let Some(record) = self.record else {
            return Loaded::Unfinished(Box::new(stored));
        };
        let find = |number: u8| {
            self.people
                .iter()
                .find(|(n, _)| *n == number)
                .map(|(_, person)| person.clone())
        };
        let people = People {
            signers: (0..)
                .zip(&stored.body.signers)
                .map(|(number, _)| find(number))
                .collect(),
            requester: find(crate::domain::body::REQUESTER),
        };
        // The state is written last at intake and read in the same query: all signers are there.
        Loaded::Approval(Box::new(Approval {
            id,
            body: stored.body,
            digest: stored.digest,
            target: stored.target,
            people,
            signers: self.signers,
            record,
            events: self.events,
            observations: self.observations,
            mail_notes: self.mail_notes,
        }))
    }
}
