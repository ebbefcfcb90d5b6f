//! The rules and the types of an approval, with no I/O and no clock: what can be read here can be tested in a
//! microsecond. Everything above (`flow`, `store`, `web`…) speaks in these types.

pub mod activity;
pub mod api_key;
pub mod approval;
pub mod body;
pub mod callback;
pub mod decision;
pub mod digest;
pub mod display_text;
pub mod evidence;
pub mod execution;
pub mod explain;
pub mod form_token;
pub mod ids;
pub mod keys;
pub mod link;
pub mod mail_event;
pub mod mail_status;
pub mod policy;
pub mod references;
pub mod request;
pub mod request_fields;
mod request_terms;
pub mod schedule;
pub mod shown;
pub mod signer;
pub mod sns;
pub mod task_token;
pub mod timeline;
pub mod when;
pub mod wording;
