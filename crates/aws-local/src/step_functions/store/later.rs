//! What was added to the file after its first shape, so that a file of an older build is taken as it is.

use rusqlite::Connection;

/// Columns that older files don't have: table, column, declaration.
const COLUMNS: [(&str, &str, &str); 14] = [
    // The number of the last version published.
    ("machines", "versions", "INTEGER NOT NULL DEFAULT 0"),
    // What CreateStateMachine was asked for beside the machine itself, for its idempotency.
    ("machines", "creation", "TEXT NOT NULL DEFAULT '{}'"),
    ("revisions", "settings", "TEXT NOT NULL DEFAULT '{}'"),
    ("revisions", "revision_id", "TEXT"),
    ("revisions", "updated", "INTEGER NOT NULL DEFAULT 0"),
    // The ARNs by which the execution was started, where they are a version's or an alias'.
    ("executions", "version", "TEXT"),
    ("executions", "alias", "TEXT"),
    ("executions", "redrives", "INTEGER NOT NULL DEFAULT 0"),
    ("executions", "redriven", "INTEGER"),
    ("executions", "redrive_token", "TEXT"),
    // The execution and the task that began it.
    ("executions", "starter", "INTEGER"),
    ("executions", "starter_task", "INTEGER"),
    ("map_runs", "redrives", "INTEGER NOT NULL DEFAULT 0"),
    ("map_runs", "redriven", "INTEGER"),
];

/// An alias' routing is JSON as the API shows it.
const TABLES: &str = "
    DROP INDEX IF EXISTS executions_by_machine;
    CREATE INDEX IF NOT EXISTS executions_by_time
        ON executions (machine, coalesce(ended, redriven, started), id);
    CREATE INDEX IF NOT EXISTS latest ON executions (id, status) WHERE instr(machine, '/') = 0;
    CREATE INDEX IF NOT EXISTS latest_of_machine ON executions (machine, id, status);
    CREATE TABLE IF NOT EXISTS versions (
        arn TEXT PRIMARY KEY,
        machine TEXT NOT NULL,
        number INTEGER NOT NULL,
        revision INTEGER NOT NULL,
        description TEXT,
        created INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX IF NOT EXISTS versions_of_machine ON versions (machine, number);
    CREATE TABLE IF NOT EXISTS aliases (
        id INTEGER PRIMARY KEY,
        arn TEXT NOT NULL UNIQUE,
        machine TEXT NOT NULL,
        name TEXT NOT NULL,
        description TEXT,
        routing TEXT NOT NULL,
        created INTEGER NOT NULL,
        updated INTEGER NOT NULL
    ) STRICT;
    CREATE INDEX IF NOT EXISTS aliases_of_machine ON aliases (machine, id);
    CREATE TABLE IF NOT EXISTS activities (
        arn TEXT PRIMARY KEY,
        name TEXT NOT NULL,
        encryption TEXT,
        created INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE IF NOT EXISTS tags (
        id INTEGER PRIMARY KEY,
        resource TEXT NOT NULL,
        key TEXT NOT NULL,
        value TEXT NOT NULL,
        UNIQUE (resource, key)
    ) STRICT;
";

/// Brings a file of any age to the shape of today.
pub(super) fn bring_up_to_date(connection: &Connection) -> rusqlite::Result<()> {
    for (table, column, declaration) in COLUMNS {
        let known: bool = connection.query_row(
            "SELECT EXISTS (SELECT 1 FROM pragma_table_info(?1) WHERE name = ?2)",
            [table, column],
            |row| row.get(0),
        )?;
        if !known {
            connection.execute_batch(&format!("ALTER TABLE {table} ADD COLUMN {column} {declaration}"))?;
        }
    }
    connection.execute_batch(TABLES)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_older_file_gets_what_it_lacks_and_keeps_what_it_has() {
        let file = Connection::open_in_memory().expect("a database");
        let first = [super::super::SCHEMA, super::super::map_runs::SCHEMA].concat();
        file.execute_batch(&first).expect("the first shape");
        file.execute(
            "INSERT INTO executions (arn, machine, name, revision, status, started, input, calls, steps)
             VALUES ('a', 'm', 'n', 1, 'RUNNING', 7, '{}', 0, 1)",
            [],
        )
        .expect("an execution");
        for _ in 0..2 {
            bring_up_to_date(&file).expect("the new shape");
        }
        let kept: (i64, Option<String>) = file
            .query_row("SELECT redrives, version FROM executions", [], |row| {
                Ok((row.get(0)?, row.get(1)?))
            })
            .expect("the execution");
        assert_eq!(kept, (0, None));
    }
}
