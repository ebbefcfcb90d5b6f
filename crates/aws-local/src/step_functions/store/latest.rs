//! The executions of all machines, newest first: what the pages list.

use jiff::Timestamp;
use rusqlite::{Connection, Row, named_params};

use super::machines::time;

/// How many executions are counted, and looked through for a text, at the most: the newest.
pub(crate) const MOST: usize = 100_000;
pub(crate) const SEARCHED: usize = 10_000;

/// Which executions are wanted.
#[derive(Clone, Debug, Default)]
pub(crate) struct Filter {
    /// The machine's ARN. Without one those of all machines, but for the children of Map Runs.
    pub(crate) machine: Option<String>,
    /// The ARN of a Map Run, whose children are wanted whatever the machine.
    pub(crate) run: Option<String>,
    pub(crate) status: Option<String>,
    /// Part of the name, or of the input.
    pub(crate) text: Option<String>,
}

/// What a list says of an execution.
#[derive(Clone, Debug)]
pub(crate) struct Listed {
    pub(crate) id: i64,
    pub(crate) machine: String,
    pub(crate) name: String,
    pub(crate) status: String,
    pub(crate) started: Timestamp,
    pub(crate) ended: Option<Timestamp>,
    pub(crate) redrives: u32,
}

impl Filter {
    /// The table with what of the filter an index answers.
    fn from(&self) -> &'static str {
        match (&self.run, &self.machine) {
            (Some(_), _) => {
                "executions WHERE id IN (SELECT execution FROM map_children
                    WHERE run = (SELECT id FROM map_runs WHERE arn = :of))"
            }
            (None, Some(_)) => "executions INDEXED BY latest_of_machine WHERE machine = :of",
            (None, None) => "executions INDEXED BY latest WHERE instr(machine, '/') = 0 AND :of IS NULL",
        }
    }

    /// The ARN that the executions belong to.
    fn of(&self) -> Option<&String> {
        self.run.as_ref().or(self.machine.as_ref())
    }

    /// The rest of it, but for the status.
    fn rest(&self) -> String {
        if self.text.is_none() {
            return ":text IS NULL".to_owned();
        }
        format!(
            "(instr(lower(name), lower(:text)) > 0 OR instr(input, :text) > 0) AND id >= coalesce(
                (SELECT id FROM {} ORDER BY id DESC LIMIT 1 OFFSET {SEARCHED} - 1), 0)",
            self.from()
        )
    }
}

/// The newest of those begun before the one numbered `before`.
pub(crate) fn latest(
    connection: &Connection,
    filter: &Filter,
    before: i64,
    limit: usize,
) -> rusqlite::Result<Vec<Listed>> {
    let (from, rest) = (filter.from(), filter.rest());
    let mut statement = connection.prepare_cached(&format!(
        "SELECT id, machine, name, status, started, ended, redrives FROM {from}
         AND id < :before AND (:status IS NULL OR status = :status) AND {rest} ORDER BY id DESC LIMIT :limit"
    ))?;
    statement
        .query_map(
            named_params! {
                ":of": filter.of(), ":status": filter.status, ":text": filter.text,
                ":before": before, ":limit": limit,
            },
            listed,
        )?
        .collect()
}

/// How many there are in each status, whatever status is wanted; of the newest [`MOST`].
pub(crate) fn counts(connection: &Connection, filter: &Filter) -> rusqlite::Result<Vec<(String, usize)>> {
    let (from, rest) = (filter.from(), filter.rest());
    let mut statement = connection.prepare_cached(&format!(
        "SELECT status, count(*) FROM (SELECT status FROM {from} AND {rest} ORDER BY id DESC LIMIT {MOST})
         GROUP BY status"
    ))?;
    statement
        .query_map(named_params! {":of": filter.of(), ":text": filter.text}, |row| {
            Ok((row.get(0)?, row.get(1)?))
        })?
        .collect()
}

/// The input of a machine's newest execution, if it has one.
pub(crate) fn last_input(connection: &Connection, machine: &str) -> rusqlite::Result<Option<String>> {
    let mut statement = connection.prepare_cached(
        "SELECT input FROM executions INDEXED BY latest_of_machine WHERE machine = ?1 ORDER BY id DESC LIMIT 1",
    )?;
    let mut rows = statement.query([machine])?;
    rows.next()?.map(|row| row.get(0)).transpose()
}

/// The name, the ARN and the type of every machine, by name.
pub(crate) fn machines(connection: &Connection) -> rusqlite::Result<Vec<(String, String, String)>> {
    let mut statement = connection
        .prepare_cached("SELECT name, arn, kind FROM machines WHERE status = 'ACTIVE' ORDER BY name")?;
    statement
        .query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?
        .collect()
}

fn listed(row: &Row<'_>) -> rusqlite::Result<Listed> {
    Ok(Listed {
        id: row.get(0)?,
        machine: row.get(1)?,
        name: row.get(2)?,
        status: row.get(3)?,
        started: time(row.get(4)?),
        ended: row.get::<_, Option<i64>>(5)?.map(time),
        redrives: row.get(6)?,
    })
}
