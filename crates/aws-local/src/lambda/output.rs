//! What functions print, by invocation: in `outputs.sqlite` or in memory, so that the pages can show it beside the
//! execution. Only so much is kept of an invocation, and of all.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;
use rusqlite::{Row, Transaction, params};

use super::function::Caller;
use crate::StartError;
use crate::database::Place;
use crate::error::AwsError;
use crate::happening::{Happening, Listeners};
use crate::source::Source;
use crate::store::Store;

const FILE: &str = "outputs.sqlite";

const SCHEMA: &str = "
    CREATE TABLE IF NOT EXISTS outputs (
        id INTEGER PRIMARY KEY,
        at INTEGER NOT NULL, -- milliseconds since 1970
        function TEXT NOT NULL,
        execution TEXT, -- ARN
        state TEXT,
        request TEXT NOT NULL,
        text TEXT NOT NULL,
        cut INTEGER NOT NULL
    ) STRICT;
    CREATE INDEX IF NOT EXISTS by_execution ON outputs (execution, id) WHERE execution IS NOT NULL;
";

/// The most that is kept of one invocation's output, in bytes: its beginning.
const OF_ONE: usize = 64 * 1024;
/// The most that is kept of all; the oldest go first. In bytes, and in invocations.
const OF_ALL: i64 = 64 * 1024 * 1024;
const INVOCATIONS: i64 = 20_000;
/// After so many writes it is looked whether there are too many.
const TRIM_EVERY: i64 = 64;
/// How much of the end Invoke's caller can have, in bytes.
const TAIL: usize = 4096;

/// What a function printed in one invocation, to its standard output and its standard error.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Output {
    /// When it began to print.
    pub at: Timestamp,
    /// The function's name.
    pub function: String,
    /// Whose state called it; `None` where the API was called.
    pub execution_arn: Option<String>,
    /// Which of its states.
    pub state: Option<String>,
    /// The invocation's id.
    pub request_id: String,
    /// Lines, each with its end but perhaps the last.
    pub text: String,
    /// There was more than is kept.
    pub cut: bool,
}

/// A line that a function printed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PrintedLine {
    /// When.
    pub at: Timestamp,
    /// The function's name.
    pub function: String,
    /// The state that called it; `None` where the API was called.
    pub caller: Option<Caller>,
    /// The invocation's id.
    pub request_id: String,
    /// The line, without its end.
    pub text: String,
}

pub(crate) struct Outputs {
    store: Store,
    source: Source,
    last: AtomicI64,
    /// How many were written to the store.
    written: AtomicI64,
    /// What is being printed, by number.
    printing: Mutex<BTreeMap<i64, Output>>,
    listeners: Arc<Listeners>,
}

impl Outputs {
    /// Opens what is kept. Must be called within a tokio runtime.
    pub(crate) fn open(
        place: Place,
        source: Source,
        listeners: Arc<Listeners>,
    ) -> Result<Outputs, StartError> {
        let mut last = 0;
        let store = Store::open_with(place, FILE, SCHEMA, |connection| {
            last = connection.query_row("SELECT coalesce(max(id), 0) FROM outputs", [], |row| row.get(0))?;
            Ok(())
        })?;
        Ok(Outputs {
            store,
            source,
            last: AtomicI64::new(last),
            written: AtomicI64::default(),
            printing: Mutex::default(),
            listeners,
        })
    }

    /// A place for what one invocation prints.
    pub(super) fn record(
        self: &Arc<Self>,
        function: &str,
        request_id: &str,
        caller: Option<&Caller>,
    ) -> Record {
        Record {
            outputs: Arc::clone(self),
            number: self.last.fetch_add(1, Ordering::SeqCst) + 1,
            function: function.to_owned(),
            request_id: request_id.to_owned(),
            caller: caller.cloned(),
            tail: String::new(),
            kept: true,
        }
    }

    /// What the functions printed that an execution called, in the order in which they were begun. Also what is being
    /// printed right now.
    pub(crate) async fn of(&self, execution_arn: &str) -> Result<Vec<Output>, AwsError> {
        let mine = |output: &Output| output.execution_arn.as_deref() == Some(execution_arn);
        let mut all: BTreeMap<i64, Output> = self
            .printing()
            .iter()
            .filter(|(_, output)| mine(output))
            .map(|(number, output)| (*number, output.clone()))
            .collect();
        let arn = execution_arn.to_owned();
        let kept = self.store.read(move |connection| {
            let mut statement = connection.prepare_cached(
                "SELECT id, at, function, execution, state, request, text, cut FROM outputs
                 WHERE execution = ?1 ORDER BY id",
            )?;
            statement.query_map([arn], read)?.collect::<Result<Vec<_>, _>>()
        });
        for (number, output) in kept.await? {
            // One may have been written to since it was looked at, or not be written yet.
            let known = all.get(&number).map_or(0, |known| known.text.len());
            if output.text.len() >= known {
                all.insert(number, output);
            }
        }
        Ok(all.into_values().collect())
    }

    /// Waits for the writes under way.
    pub(crate) async fn settle(&self) {
        self.store.settle().await;
    }

    fn printing(&self) -> MutexGuard<'_, BTreeMap<i64, Output>> {
        self.printing.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Where one invocation's output goes. Dropping it loses what wasn't kept.
pub(super) struct Record {
    outputs: Arc<Outputs>,
    number: i64,
    function: String,
    request_id: String,
    caller: Option<Caller>,
    tail: String,
    /// All of it is in the store.
    kept: bool,
}

impl Record {
    /// Takes what was printed: a line, or a part of one.
    pub(super) fn print(&mut self, text: &str) {
        if text.is_empty() {
            return;
        }
        if self.outputs.listeners.any() {
            for line in text.lines() {
                self.outputs.listeners.tell(Happening::Printed(PrintedLine {
                    at: self.outputs.source.now(),
                    function: self.function.clone(),
                    caller: self.caller.clone(),
                    request_id: self.request_id.clone(),
                    text: line.to_owned(),
                }));
            }
        }
        self.tail.push_str(text);
        shorten_front(&mut self.tail);
        let mut open = self.outputs.printing();
        let output = open.entry(self.number).or_insert_with(|| Output {
            at: self.outputs.source.now(),
            function: self.function.clone(),
            execution_arn: self.caller.as_ref().map(|caller| caller.execution_arn.clone()),
            state: self.caller.as_ref().map(|caller| caller.state.clone()),
            request_id: self.request_id.clone(),
            text: String::new(),
            cut: false,
        });
        if output.cut {
            return;
        }
        let mut room = OF_ONE - output.text.len();
        if text.len() > room {
            while !text.is_char_boundary(room) {
                room -= 1;
            }
            output.cut = true;
            output.text.push_str(&text[..room]);
        } else {
            output.text.push_str(text);
        }
        self.kept = false;
    }

    /// The end of what was printed so far.
    pub(super) fn tail(&self) -> &str {
        &self.tail
    }

    /// Puts what was printed so far into the store.
    pub(super) async fn keep(&mut self) {
        if self.kept {
            return;
        }
        let Some(output) = self.outputs.printing().get(&self.number).cloned() else {
            return;
        };
        let number = self.number;
        let trim_too = self.outputs.written.fetch_add(1, Ordering::SeqCst) % TRIM_EVERY == 0;
        let written = self.outputs.store.write(move |transaction| {
            insert(transaction, number, &output)?;
            if trim_too {
                trim(transaction, OF_ALL, INVOCATIONS)?;
            }
            Ok(())
        });
        match written.await {
            Ok(()) => self.kept = true,
            // It is still shown for as long as the invocation lasts, and the invocation itself is not to fail for it.
            Err(error) => tracing::debug!(
                aws.error.code = error.code(),
                "a function's output could not be kept"
            ),
        }
    }
}

impl Drop for Record {
    fn drop(&mut self) {
        self.outputs.printing().remove(&self.number);
    }
}

/// Drops the front of what is longer than a tail.
fn shorten_front(text: &mut String) {
    if text.len() > TAIL {
        let mut at = text.len() - TAIL;
        while !text.is_char_boundary(at) {
            at += 1;
        }
        text.drain(..at);
    }
}

/// The end of a text, as much as Invoke's caller gets.
pub(super) fn tail_of(mut text: String) -> String {
    shorten_front(&mut text);
    text
}

fn insert(transaction: &Transaction<'_>, number: i64, output: &Output) -> rusqlite::Result<()> {
    transaction
        .prepare_cached(
            "INSERT OR REPLACE INTO outputs (id, at, function, execution, state, request, text, cut)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
        )?
        .execute(params![
            number,
            output.at.as_millisecond(),
            output.function,
            output.execution_arn,
            output.state,
            output.request_id,
            output.text,
            output.cut,
        ])?;
    Ok(())
}

/// Forgets the oldest of what is too much.
fn trim(transaction: &Transaction<'_>, bytes: i64, invocations: i64) -> rusqlite::Result<()> {
    transaction
        .prepare_cached(
            "DELETE FROM outputs WHERE id IN (
                 SELECT id FROM (
                     SELECT id, sum(octet_length(text)) OVER later AS bytes, row_number() OVER later AS nth
                     FROM outputs WINDOW later AS (ORDER BY id DESC)
                 ) WHERE bytes > ?1 OR nth > ?2)",
        )?
        .execute([bytes, invocations])?;
    Ok(())
}

fn read(row: &Row<'_>) -> rusqlite::Result<(i64, Output)> {
    let at = Timestamp::from_millisecond(row.get(1)?).unwrap_or(Timestamp::UNIX_EPOCH);
    let output = Output {
        at,
        function: row.get(2)?,
        execution_arn: row.get(3)?,
        state: row.get(4)?,
        request_id: row.get(5)?,
        text: row.get(6)?,
        cut: row.get(7)?,
    };
    Ok((row.get(0)?, output))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::folder;

    fn source() -> Source {
        Source {
            clock: Arc::new(|| "2026-11-21T09:00:00Z".parse().expect("a time")),
            randomness: crate::source::counting(),
            waits: Arc::default(),
        }
    }

    fn outputs(place: Place) -> Arc<Outputs> {
        Arc::new(Outputs::open(place, source(), Arc::default()).expect("it opens"))
    }

    fn caller() -> Caller {
        Caller {
            execution_arn: "arn".to_owned(),
            state: "S".to_owned(),
        }
    }

    #[tokio::test]
    async fn what_was_kept_outlives_the_process() {
        let folder = folder("outputs");
        let place = Place::take(Some(folder.path())).await.expect("a folder");
        let outputs_before = outputs(place.clone());
        let mut first = outputs_before.record("f", "1", Some(&caller()));
        first.print("one\n");
        first.keep().await;
        first.print("more, while it is still at it");
        let mut second = outputs_before.record("g", "2", Some(&caller()));
        second.print("two\n");
        // Nothing is made of those that are silent, and of others' only what they themselves see.
        drop(outputs_before.record("f", "3", Some(&caller())));
        let mut other = outputs_before.record("f", "4", None);
        other.print("of nobody\n");
        other.keep().await;
        let all = outputs_before.of("arn").await.expect("they can be read");
        let texts = |all: &[Output]| all.iter().map(|output| output.text.clone()).collect::<Vec<_>>();
        assert_eq!(texts(&all), ["one\nmore, while it is still at it", "two\n"]);
        second.keep().await;
        // As after a crash: the end of the first was not kept.
        drop((first, second, other));
        drop(outputs_before);

        let outputs_after = outputs(place);
        let all = outputs_after.of("arn").await.expect("they can be read");
        assert_eq!(texts(&all), ["one\n", "two\n"]);
        assert_eq!(
            all[1],
            Output {
                at: "2026-11-21T09:00:00Z".parse().expect("a time"),
                function: "g".to_owned(),
                execution_arn: Some("arn".to_owned()),
                state: Some("S".to_owned()),
                request_id: "2".to_owned(),
                text: "two\n".to_owned(),
                cut: false,
            }
        );
        let mut third = outputs_after.record("f", "5", Some(&caller()));
        third.print("three");
        third.keep().await;
        let all = outputs_after.of("arn").await.expect("they can be read");
        assert_eq!(texts(&all), ["one\n", "two\n", "three"]);
    }

    #[tokio::test]
    async fn only_so_much_is_kept_of_one() {
        let outputs = outputs(Place::Memory);
        let mut record = outputs.record("f", "1", Some(&caller()));
        // Two bytes each, after an odd one: the limit is inside a character.
        record.print("a");
        record.print(&"\u{e9}".repeat(OF_ONE / 2));
        record.print("the end");
        record.keep().await;
        assert!(record.tail().ends_with("\u{e9}the end"));
        assert!((TAIL - 1..=TAIL).contains(&record.tail().len()));
        drop(record);
        let all = outputs.of("arn").await.expect("they can be read");
        assert!(all[0].cut);
        assert_eq!(all[0].text.len(), OF_ONE - 1);
    }

    #[test]
    fn the_oldest_are_forgotten() {
        let left = |bytes: i64, invocations: i64| {
            let connection = rusqlite::Connection::open_in_memory().expect("a database");
            connection.execute_batch(SCHEMA).expect("tables");
            let transaction = connection.unchecked_transaction().expect("a transaction");
            for number in 1..=10 {
                let output = Output {
                    at: Timestamp::UNIX_EPOCH,
                    function: "f".to_owned(),
                    execution_arn: None,
                    state: None,
                    request_id: number.to_string(),
                    text: "\u{e9}".repeat(5),
                    cut: false,
                };
                insert(&transaction, number, &output).expect("it is written");
            }
            trim(&transaction, bytes, invocations).expect("it is trimmed");
            let mut statement = transaction
                .prepare("SELECT id FROM outputs ORDER BY id")
                .expect("a statement");
            let ids = statement.query_map([], |row| row.get(0)).expect("rows");
            ids.collect::<Result<Vec<i64>, _>>().expect("numbers")
        };
        assert_eq!(left(35, 100), [8, 9, 10]);
        assert_eq!(left(1000, 2), [9, 10]);
        assert_eq!(left(1000, 100).len(), 10);
    }
}
