//! Where state data goes, as the configuration says: `state_data_table`, `state_data_bucket`, `state_data_tables` and
//! `state_data_days`, which `serve` and `local` read alike.

use super::read::{Reader, check_table};
use crate::state_data::Places;
use serde_json::Value;

/// How long state data is kept, unless it is said: longer than most people take to answer.
#[cfg(feature = "local")]
pub(super) const USUAL_DAYS: u32 = 30;
const MOST_DAYS: i64 = 3_650;

impl Reader<'_> {
    /// The places. Without a table there are none, unless there is a `usual` one.
    pub(super) fn state_data(&mut self, usual: Option<Places>) -> Option<Places> {
        let table = self.text("state_data_table");
        let table = self.checked("state_data_table", table, check_table);
        let bucket = self.text("state_data_bucket");
        let bucket = self.checked("state_data_bucket", bucket, |name| match check_bucket(&name) {
            Ok(()) => Ok(name),
            Err(message) => Err(message.to_owned()),
        });
        let other_tables = self.other_tables();
        let days = self.number("state_data_days", 1, MOST_DAYS);
        let without_table = usual.is_none() && !self.values.contains_key("state_data_table");
        for key in ["state_data_bucket", "state_data_tables", "state_data_days"] {
            if without_table && self.values.contains_key(key) {
                self.problem(key, "needs a state_data_table beside it");
            }
        }
        let (usual_table, usual_bucket) = usual.map(|usual| (usual.table, usual.bucket)).unzip();
        Some(Places {
            table: table.or(usual_table)?,
            bucket: bucket.or(usual_bucket.flatten()),
            other_tables,
            keep_days: u32::try_from(days?).ok()?,
        })
    }

    fn other_tables(&mut self) -> Vec<String> {
        const KEY: &str = "state_data_tables";
        let entries = match self.values.get(KEY) {
            None => return Vec::new(),
            Some(Value::Array(entries)) => entries,
            Some(_) => {
                self.problem(KEY, "must be a list of names: [\"…\"]");
                return Vec::new();
            }
        };
        let mut tables = Vec::new();
        for (index, entry) in entries.iter().enumerate() {
            let name = entry.as_str().map(str::to_owned);
            let checked = name
                .ok_or_else(|| "must be text".to_owned())
                .and_then(check_table);
            match checked {
                Ok(table) => tables.push(table),
                Err(message) => self.problem(format!("{KEY}[{index}]"), message),
            }
        }
        tables
    }
}

/// <https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html>
pub(super) fn check_bucket(name: &str) -> Result<(), &'static str> {
    let inner = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || ".-".contains(c);
    let outer = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    let fits = (3..=63).contains(&name.len())
        && name.chars().all(inner)
        && name.starts_with(outer)
        && name.ends_with(outer);
    fits.then_some(())
        .ok_or("a bucket's name has 3 to 63 small letters, digits, dots and hyphens, and begins and ends with a letter or digit")
}
