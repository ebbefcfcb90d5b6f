//! The shapes of the items: keys, and the attributes beside the JSON. Used by every file of this folder.

use super::StoreError;
use crate::domain::callback::Callback;
use crate::domain::decision::{RequestRecord, RequestState};
use crate::domain::ids::ApprovalId;
use crate::domain::mail_status::MailNote;
use crate::domain::signer::SignerRecord;
use aws_sdk_dynamodb::types::AttributeValue;
use jiff::Timestamp;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::collections::HashMap;

pub(super) type Item = HashMap<String, AttributeValue>;

/// How many shards each index key is spread over: a bare status would be one hot key.
pub const SHARDS: u8 = 16;

/// The form of the items, in each one's attribute `v`. During a deployment an older and a newer process run side by side:
/// whoever finds a higher number than its own leaves the whole approval alone. So it is raised, for the items that need
/// it, when an older process would lose or mistake something: a field inside a state, another state, another attribute.
/// A field beside those that [`RequestRecord`] and [`SignerRecord`] have is carried over without that.
const SCHEMA: u32 = 1;

pub(super) const INDEX_DUE: &str = "due";
pub(super) const INDEX_LIST: &str = "list";
pub(super) const BODY: &str = "B";
pub(super) const STATE: &str = "S";

pub(super) fn pk(id: ApprovalId) -> String {
    format!("A#{id}")
}

pub(super) fn signer_sk(number: u8) -> String {
    format!("R#{number:03}")
}

pub(super) fn person_sk(number: u8) -> String {
    format!("P#{number:03}")
}

pub(super) fn event_sk(seq: u32) -> String {
    format!("E#{seq:06}")
}

/// One of each fate of each mail: what is told twice is one.
pub(super) fn mail_note_sk(note: &MailNote) -> String {
    format!("M#{:03}#{}#{}", note.signer, note.mail.id, note.fate.word())
}

pub(super) fn text(value: impl Into<String>) -> AttributeValue {
    AttributeValue::S(value.into())
}

pub(super) fn number(value: impl std::fmt::Display) -> AttributeValue {
    AttributeValue::N(value.to_string())
}

/// An item with its key, the schema's version and `data` as JSON.
pub(super) fn item(pk: String, sk: String, data: &impl Serialize) -> Item {
    let json = serde_json::to_string(data).expect("our types are JSON");
    HashMap::from([
        ("pk".to_owned(), text(pk)),
        ("sk".to_owned(), text(sk)),
        ("v".to_owned(), number(SCHEMA)),
        ("json".to_owned(), text(json)),
    ])
}

/// The state's item, with its keys in both indexes.
pub(super) fn state_item(id: ApprovalId, created: Timestamp, record: &RequestRecord) -> Item {
    let mut item = item(pk(id), STATE.to_owned(), record);
    item.insert("version".to_owned(), number(record.version));
    insert_due(&mut item, id, record.state.due());
    item.insert("list".to_owned(), text(list_key(id, record)));
    item.insert("created".to_owned(), number(created.as_millisecond()));
    item
}

/// A signer's item, in the due index while a mail is owed.
pub(super) fn signer_item(id: ApprovalId, record: &SignerRecord) -> Item {
    let mut item = item(pk(id), signer_sk(record.number), record);
    item.insert("revision".to_owned(), number(record.revision));
    insert_due(&mut item, id, record.mail.as_ref().map(|mail| mail.due));
    item
}

/// A note of what became of a mail, in the list of what needs somebody if it says so.
pub(super) fn mail_note_item(id: ApprovalId, created: Timestamp, note: &MailNote) -> Item {
    let mut item = item(pk(id), mail_note_sk(note), note);
    item.insert("happened".to_owned(), number(note.happened.as_millisecond()));
    if note.listed {
        item.insert("list".to_owned(), text(format!("attention#{}", id.shard())));
        item.insert("created".to_owned(), number(created.as_millisecond()));
    }
    item
}

fn insert_due(item: &mut Item, id: ApprovalId, due: Option<Timestamp>) {
    if let Some(at) = due {
        item.insert("due".to_owned(), text(due_key(id.shard())));
        item.insert("due_at".to_owned(), number(at.as_millisecond()));
    }
}

pub(super) fn due_key(shard: u8) -> String {
    format!("due#{shard}")
}

/// Where an operator's listing finds it: what waits, what needs somebody, what is done (by month).
fn list_key(id: ApprovalId, record: &RequestRecord) -> String {
    let shard = id.shard();
    match &record.state {
        RequestState::Pending(_) => format!("pending#{shard}"),
        RequestState::Ended(ended) if matches!(ended.callback, Callback::Parked(_)) => {
            format!("attention#{shard}")
        }
        RequestState::Ended(ended) => format!("done#{}#{shard}", ended.ending.at().strftime("%Y-%m")),
        RequestState::Orphaned { at, .. } => format!("done#{}#{shard}", at.strftime("%Y-%m")),
    }
}

pub(super) fn read_text<'a>(item: &'a Item, name: &str) -> &'a str {
    item.get(name)
        .and_then(|value| value.as_s().ok())
        .map_or("", String::as_str)
}

/// Reads an item's JSON, unless a newer version wrote it.
pub(super) fn read<T: DeserializeOwned>(item: &Item) -> Result<T, StoreError> {
    let version = item.get("v").and_then(|v| v.as_n().ok()?.parse::<u32>().ok());
    if version.is_some_and(|version| version > SCHEMA) {
        return Err(StoreError::Newer {
            pk: read_text(item, "pk").to_owned(),
        });
    }
    serde_json::from_str(read_text(item, "json")).map_err(|error| StoreError::Unreadable {
        pk: read_text(item, "pk").to_owned(),
        sk: read_text(item, "sk").to_owned(),
        why: error.to_string(),
    })
}
