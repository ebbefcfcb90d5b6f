//! The configuration, typed: what an [`crate::app::App`] is made from. `serve` reads it from a file and from variables
//! (`config/read.rs`), `local` reads what it needs from the same kind of file (`config/local.rs`); the demo and the tests
//! write it down themselves.

#[cfg(feature = "local")]
pub mod local;
mod mail;
mod read;
mod source;
mod state_data;
mod ways;

pub use read::{ConfigError, ReadFile, Runs, Serve, read};

use crate::domain::api_key::ApiKey;
use crate::domain::keys::MasterKey;
use crate::domain::signer::Person;
use crate::intake::Ways;
use crate::state_data::Places;

/// What an operator decides.
#[derive(Clone)]
pub struct Config {
    /// Where signers reach the pages, such as `https://sign.example.com`, perhaps with a path. Links carry this
    /// address, whatever a request's Host header says.
    pub public_url: String,
    /// Who asks, where a request names no requester.
    pub organisation: String,
    /// The zone in which dates are shown, where a request names none, such as `Europe/Berlin`.
    pub time_zone: String,
    /// The DynamoDB table.
    pub table: String,
    /// What mails are sent from, such as `Countersign <countersign@example.com>`.
    pub mail_from: String,
    /// The SES configuration set that mails are sent with.
    pub mail_configuration_set: Option<String>,
    /// The SNS topics whose messages about mails count: ARNs.
    pub mail_topics: Vec<String>,
    /// People whom requests may name without an address.
    pub people: Vec<Person>,
    /// How often the worker looks into the index for what other processes, or a crash, left due.
    pub look_every: jiff::SignedDuration,
    /// The key that writes links and encrypts task tokens.
    pub master_key: MasterKey,
    /// Keys that are still read.
    pub older_keys: Vec<MasterKey>,
    /// The seed of the key that signs evidence.
    pub evidence_seed: [u8; 32],
    /// What programs may use the API with.
    pub api_keys: Vec<ApiKey>,
    /// Where what is too big for a workflow's state goes.
    pub state_data: Option<Places>,
    /// The ways in beside HTTP.
    pub ways: Ways,
}

impl std::fmt::Debug for Config {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Config")
            .field("public_url", &self.public_url)
            .field("table", &self.table)
            .field("mail_from", &self.mail_from)
            .finish_non_exhaustive()
    }
}
