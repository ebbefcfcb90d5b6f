//! What Step Functions keeps, in one SQLite file or in memory.

pub(super) mod activities;
pub(super) mod aliases;
pub(super) mod executions;
mod later;
pub(super) mod latest;
pub(super) mod machines;
pub(super) mod map_redrives;
pub(super) mod map_runs;
pub(super) mod tags;
pub(super) mod versions;

use crate::StartError;
use crate::database::Place;
pub(super) use crate::store::Store;

pub(super) const FILE: &str = "states.sqlite";

/// Times are milliseconds since 1970. A journal row holds the entries of one step.
const SCHEMA: &str = "
    CREATE TABLE IF NOT EXISTS machines (
        arn TEXT PRIMARY KEY,
        name TEXT NOT NULL,
        kind TEXT NOT NULL,
        status TEXT NOT NULL,
        created INTEGER NOT NULL,
        updated INTEGER NOT NULL,
        revision INTEGER NOT NULL,
        revision_id TEXT,
        settings TEXT NOT NULL
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE IF NOT EXISTS revisions (
        id INTEGER PRIMARY KEY,
        definition TEXT NOT NULL,
        role TEXT NOT NULL
    ) STRICT;
    CREATE TABLE IF NOT EXISTS executions (
        id INTEGER PRIMARY KEY,
        arn TEXT NOT NULL UNIQUE,
        machine TEXT NOT NULL,
        name TEXT NOT NULL,
        revision INTEGER NOT NULL,
        status TEXT NOT NULL,
        started INTEGER NOT NULL,
        ended INTEGER,
        input TEXT NOT NULL,
        trace TEXT,
        output TEXT,
        error TEXT,
        cause TEXT,
        timer INTEGER,
        calls INTEGER NOT NULL,
        steps INTEGER NOT NULL
    ) STRICT;
    CREATE INDEX IF NOT EXISTS running ON executions (id) WHERE status = 'RUNNING';
    CREATE TABLE IF NOT EXISTS journal (
        execution INTEGER NOT NULL,
        step INTEGER NOT NULL,
        entries TEXT NOT NULL,
        PRIMARY KEY (execution, step)
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE IF NOT EXISTS tokens (
        token TEXT PRIMARY KEY,
        execution INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID;
";

/// Must be called within a tokio runtime, which then writes to the file.
pub(super) fn open(place: Place) -> Result<Store, StartError> {
    let schema = [SCHEMA, map_runs::SCHEMA, super::integrations::nested::SCHEMA];
    Store::open_with(place, FILE, &schema.concat(), later::bring_up_to_date)
}
