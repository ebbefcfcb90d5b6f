//! Finding approvals by what people know of them: immutable little items `L#<kind>#<value>` / `<created>#<id>`,
//! written at intake. Status is read from the base items.

use super::items::{Item, item, read_text, text};
use super::{Store, StoreError, unavailable};
use crate::domain::approval::Approval;
use crate::domain::body::{Body, People};
use crate::domain::digest::Sha256;
use crate::domain::ids::ApprovalId;
use jiff::Timestamp;
use serde_json::json;

/// What may be known of an approval.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Known {
    /// The execution that asks, by ARN.
    Execution(String),
    /// Its state machine, by ARN.
    Workflow(String),
    /// The author's own id.
    ExternalId(String),
    /// The mail address of somebody who is asked.
    Assignee(String),
    /// A label.
    Tag(String, String),
}

impl Known {
    pub(super) fn key(&self) -> String {
        match self {
            Self::Execution(arn) => format!("L#execution#{arn}"),
            Self::Workflow(arn) => format!("L#workflow#{arn}"),
            Self::ExternalId(id) => external_key(id),
            Self::Assignee(email) => assignee_key(email),
            Self::Tag(name, value) => format!("L#tag#{name}={value}"),
        }
    }

    /// Whether this is so of `approval`.
    pub fn is_of(&self, approval: &Approval) -> bool {
        let terms = &approval.body.terms;
        let execution = terms.execution.as_ref();
        match self {
            Self::Execution(arn) => execution.is_some_and(|execution| execution.arn.as_ref() == Some(arn)),
            Self::Workflow(arn) => {
                execution.is_some_and(|execution| execution.state_machine_arn().as_ref() == Some(arn))
            }
            Self::ExternalId(id) => terms.external_id.as_ref() == Some(id),
            Self::Assignee(email) => {
                let mut emails = approval
                    .people
                    .signers
                    .iter()
                    .flatten()
                    .filter_map(|p| p.email.as_ref());
                emails.any(|of_signer| of_signer.to_lowercase() == email.to_lowercase())
            }
            Self::Tag(name, value) => terms.tags.get(name) == Some(value),
        }
    }
}

/// One way to find an approval.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Lookup {
    key: String,
    created: Timestamp,
}

impl Lookup {
    /// All the lookups of an approval: by execution, workflow, external id, assignee and tag.
    pub fn of(body: &Body, people: &People) -> Vec<Self> {
        let terms = &body.terms;
        let mut known = Vec::new();
        if let Some(execution) = &terms.execution {
            known.extend(execution.arn.clone().map(Known::Execution));
            known.extend(execution.state_machine_arn().map(Known::Workflow));
        }
        known.extend(terms.external_id.clone().map(Known::ExternalId));
        let emails = people
            .signers
            .iter()
            .flatten()
            .filter_map(|person| person.email.clone());
        known.extend(emails.map(Known::Assignee));
        let tags = terms.tags.iter();
        known.extend(tags.map(|(name, value)| Known::Tag(name.clone(), value.clone())));
        known
            .iter()
            .map(|known| Self {
                key: known.key(),
                created: body.created,
            })
            .collect()
    }

    pub(super) fn item(&self, id: ApprovalId) -> Item {
        // Milliseconds in thirteen digits sort as text until the year 2286.
        item(
            self.key.clone(),
            format!("{:013}#{id}", self.created.as_millisecond()),
            &json!({}),
        )
    }
}

fn external_key(id: &str) -> String {
    format!("L#external#{id}")
}

/// An address enters its key hashed: these items outlive the deletion of personal data.
fn assignee_key(email: &str) -> String {
    format!("L#assignee#{}", Sha256::of(email.to_lowercase().as_bytes()))
}

impl Store {
    /// The pending approvals of one external id (the short form's `documentId`), newest first, at most `limit`.
    pub async fn pending_by_external_id(
        &self,
        external_id: &str,
        limit: usize,
    ) -> Result<Vec<Approval>, StoreError> {
        let mut found = Vec::new();
        let mut start = None;
        loop {
            let page = self
                .client
                .query()
                .table_name(&self.table)
                .key_condition_expression("pk = :pk")
                .expression_attribute_values(":pk", text(external_key(external_id)))
                .consistent_read(true)
                .scan_index_forward(false)
                .set_exclusive_start_key(start)
                .send()
                .await
                .map_err(|error| unavailable("Query", error))?;
            for item in page.items() {
                let id = read_text(item, "sk")
                    .split_once('#')
                    .and_then(|(_, id)| ApprovalId::parse(id));
                let Some(id) = id else { continue };
                if let Some(approval) = self.load(id).await?.approval()
                    && approval.is_pending()
                {
                    found.push(approval);
                    if found.len() == limit {
                        return Ok(found);
                    }
                }
            }
            start = page.last_evaluated_key;
            if start.is_none() {
                return Ok(found);
            }
        }
    }
}
