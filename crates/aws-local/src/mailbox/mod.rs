//! The mailbox: where mails sent through SES arrive. In one SQLite file, or in memory.

pub(crate) mod pages;
mod text;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, params};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::StartError;
use crate::database::Place;
use crate::error::AwsError;

const FILE: &str = "mail.sqlite";

const SCHEMA: &str = "
    CREATE TABLE IF NOT EXISTS mails (
        number INTEGER PRIMARY KEY,
        id TEXT NOT NULL UNIQUE,
        received INTEGER NOT NULL, -- milliseconds since 1970
        mail TEXT NOT NULL -- JSON
    ) STRICT;
    CREATE INDEX IF NOT EXISTS by_time ON mails (received);
    CREATE TABLE IF NOT EXISTS recipients (
        address TEXT NOT NULL, -- in lower case
        number INTEGER NOT NULL,
        PRIMARY KEY (address, number)
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE IF NOT EXISTS identities (name TEXT PRIMARY KEY) STRICT, WITHOUT ROWID;
    CREATE TABLE IF NOT EXISTS configuration_sets (
        name TEXT PRIMARY KEY,
        configuration_set TEXT NOT NULL -- JSON
    ) STRICT, WITHOUT ROWID;
";

/// A mail as its recipients would get it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Mail {
    /// SES's MessageId.
    pub id: String,
    /// When it was sent, in UTC.
    pub received: Timestamp,
    /// The sender as written, with encoded words decoded, such as `Example <no-reply@example.com>`.
    pub from: String,
    /// Everyone it went to, in To, Cc or Bcc: bare addresses.
    pub recipients: Vec<String>,
    /// With encoded words decoded.
    pub subject: String,
    /// In the order in which they stand in the mail, without Bcc, with encoded words decoded.
    pub headers: Vec<(String, String)>,
    /// The HTML part.
    pub html: Option<String>,
    /// The plain text part.
    pub text: Option<String>,
    /// What is attached; only the names and sizes are kept.
    pub attachments: Vec<Attachment>,
    /// SES's message tags: name and value.
    pub tags: Vec<(String, String)>,
    /// The configuration set it was sent with.
    pub configuration_set: Option<String>,
}

/// A file that came with a mail.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Attachment {
    /// The file's name.
    pub name: String,
    /// Such as `application/pdf`.
    pub content_type: Option<String>,
    /// Its size.
    pub bytes: usize,
}

impl Mail {
    /// The value of the first header of this name, in any case.
    pub fn header(&self, name: &str) -> Option<&str> {
        let header = self
            .headers
            .iter()
            .find(|(given, _)| given.eq_ignore_ascii_case(name));
        header.map(|(_, value)| value.as_str())
    }

    /// The web addresses in the text part, in order.
    pub fn links(&self) -> Vec<&str> {
        text::links(self.text.as_deref().unwrap_or_default())
    }
}

pub(crate) struct Mailbox {
    database: Arc<Mutex<Connection>>,
    place: Place,
}

impl Mailbox {
    pub(crate) fn open(place: Place) -> Result<Mailbox, StartError> {
        let connection = place.open(FILE, SCHEMA)?;
        Ok(Mailbox {
            database: Arc::new(Mutex::new(connection)),
            place,
        })
    }

    pub(crate) async fn deliver(&self, mail: Mail) -> Result<(), AwsError> {
        self.run(move |database| {
            let transaction = database.transaction()?;
            let json = serde_json::to_string(&mail).map_err(into_sql)?;
            transaction.execute(
                "INSERT INTO mails (id, received, mail) VALUES (?1, ?2, ?3)",
                params![mail.id, mail.received.as_millisecond(), json],
            )?;
            let number = transaction.last_insert_rowid();
            for address in &mail.recipients {
                transaction.execute(
                    "INSERT OR IGNORE INTO recipients (address, number) VALUES (?1, ?2)",
                    params![address.to_lowercase(), number],
                )?;
            }
            transaction.commit()
        })
        .await
    }

    pub(crate) async fn count_since(&self, time: Timestamp) -> Result<i64, AwsError> {
        self.run(move |database| {
            database.query_row(
                "SELECT count(*) FROM recipients JOIN mails USING (number) WHERE received > ?1",
                [time.as_millisecond()],
                |row| row.get(0),
            )
        })
        .await
    }

    /// Those of one person, or all; newest first.
    pub(crate) async fn mails(&self, address: Option<String>) -> Result<Vec<Mail>, AwsError> {
        self.run(move |database| select(database, address.as_deref()))
            .await
    }

    /// The same at once, for a caller in this process.
    pub(crate) fn mails_now(&self, address: Option<&str>) -> Vec<Mail> {
        select(&lock(&self.database), address).unwrap_or_default()
    }

    pub(crate) async fn mail(&self, id: String) -> Result<Option<Mail>, AwsError> {
        self.run(move |database| {
            let found = database
                .query_row("SELECT mail FROM mails WHERE id = ?1", [id], |row| {
                    row.get::<_, String>(0)
                })
                .optional()?;
            found
                .map(|json| serde_json::from_str(&json).map_err(into_sql))
                .transpose()
        })
        .await
    }

    /// Whether it is new.
    pub(crate) async fn add_identity(&self, name: String) -> Result<bool, AwsError> {
        self.run(move |database| {
            database
                .execute("INSERT OR IGNORE INTO identities (name) VALUES (?1)", [name])
                .map(|added| added == 1)
        })
        .await
    }

    /// Whether it was there.
    pub(crate) async fn remove_identity(&self, name: String) -> Result<bool, AwsError> {
        self.run(move |database| {
            database
                .execute("DELETE FROM identities WHERE name = ?1", [name])
                .map(|removed| removed == 1)
        })
        .await
    }

    /// By name.
    pub(crate) async fn identities(&self) -> Result<Vec<String>, AwsError> {
        self.run(|database| {
            let mut statement = database.prepare_cached("SELECT name FROM identities ORDER BY name")?;
            statement.query_map([], |row| row.get(0))?.collect()
        })
        .await
    }

    /// What is kept of a configuration set.
    pub(crate) async fn configuration_set(&self, name: String) -> Result<Option<Value>, AwsError> {
        self.run(move |database| kept_configuration_set(database, &name))
            .await
    }

    /// Has `change` say what is kept of a configuration set from now on, if anything, by what is kept so far. Nobody
    /// else changes it meanwhile. A refusal of `change`'s leaves it as it was.
    pub(crate) async fn change_configuration_set(
        &self,
        name: String,
        change: impl FnOnce(Option<Value>) -> Result<Option<Value>, AwsError> + Send + 'static,
    ) -> Result<(), AwsError> {
        let changed = self.run(move |database| {
            let set = match change(kept_configuration_set(database, &name)?) {
                Ok(set) => set,
                Err(refusal) => return Ok(Err(refusal)),
            };
            match set {
                Some(set) => database.execute(
                    "INSERT OR REPLACE INTO configuration_sets (name, configuration_set) VALUES (?1, ?2)",
                    [name, set.to_string()],
                ),
                None => database.execute("DELETE FROM configuration_sets WHERE name = ?1", [name]),
            }
            .map(|_| Ok(()))
        });
        changed.await?
    }

    /// The names of the configuration sets.
    pub(crate) async fn configuration_sets(&self) -> Result<Vec<String>, AwsError> {
        self.run(|database| {
            let mut statement =
                database.prepare_cached("SELECT name FROM configuration_sets ORDER BY name")?;
            statement.query_map([], |row| row.get(0))?.collect()
        })
        .await
    }

    /// Waits for the work under way.
    pub(crate) async fn settle(&self) {
        let _ = self.run(|_| Ok(())).await;
    }

    async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, AwsError> {
        let database = Arc::clone(&self.database);
        let result = self.place.run(move || work(&mut lock(&database))).await?;
        result.map_err(|error| AwsError::internal("InternalServiceErrorException", error))
    }
}

fn select(database: &Connection, address: Option<&str>) -> rusqlite::Result<Vec<Mail>> {
    let mut statement = database.prepare_cached(match address {
        None => "SELECT mail FROM mails WHERE ?1 IS NULL ORDER BY number DESC",
        Some(_) => {
            "SELECT mail FROM recipients JOIN mails USING (number) WHERE address = ?1 ORDER BY number DESC"
        }
    })?;
    let rows = statement.query_map([address.map(str::to_lowercase)], |row| row.get::<_, String>(0))?;
    rows.map(|json| serde_json::from_str(&json?).map_err(into_sql))
        .collect()
}

fn kept_configuration_set(database: &Connection, name: &str) -> rusqlite::Result<Option<Value>> {
    let found = database
        .query_row(
            "SELECT configuration_set FROM configuration_sets WHERE name = ?1",
            [name],
            |row| row.get::<_, String>(0),
        )
        .optional()?;
    found
        .map(|json| serde_json::from_str(&json).map_err(into_sql))
        .transpose()
}

fn into_sql(error: serde_json::Error) -> rusqlite::Error {
    rusqlite::Error::ToSqlConversionFailure(error.into())
}

fn lock(database: &Mutex<Connection>) -> MutexGuard<'_, Connection> {
    database.lock().unwrap_or_else(PoisonError::into_inner)
}
