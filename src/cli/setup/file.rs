//! `countersign.toml`: written where there is none; what it lacks is told where there is one.

use super::keys::{Key, api_key_file};
use super::{Failure, Making, Step, Wanted, mail, queues};
use crate::domain::api_key::PlainKey;
use std::io::Write as _;

/// A key of the configuration, and its line.
fn lines(wanted: &Wanted) -> Vec<(&'static str, String)> {
    // TOML's basic strings are written as Rust's are, for what may stand here: the configuration checks the rest.
    let text = |key: &'static str, value: &str| (key, format!("{key} = {value:?}"));
    let mut lines = vec![
        text("public_url", &wanted.public_url),
        text("organisation", &wanted.organisation),
        text("table", &wanted.table),
        text("mail_from", &wanted.mail_from),
        text("mail_configuration_set", &mail::set_name(wanted)),
    ];
    let (requests, mail_events) = queues::urls(wanted);
    if let Some(url) = requests {
        lines.push(("intake_queues", format!("intake_queues = [{url:?}]")));
    }
    lines.push((
        "mail_event_queues",
        format!("mail_event_queues = [{mail_events:?}]"),
    ));
    lines.push(("master_key", Key::line(wanted, "master")));
    lines.push(("evidence_key", Key::line(wanted, "evidence")));
    lines
}

/// Whether the configuration says something of a key, or of the file that holds it.
fn said(wanted: &Wanted, key: &str) -> bool {
    wanted.gathered.says(key) || wanted.gathered.says(&format!("{key}_file"))
}

pub(super) fn look(wanted: &Wanted, left: &mut Vec<String>) -> Vec<Step> {
    let file = wanted.file.display();
    let missing: Vec<String> = lines(wanted)
        .into_iter()
        .filter(|(key, _)| !said(wanted, key))
        .map(|(_, line)| line)
        .collect();
    if !wanted.file.exists() {
        return vec![Step::Make(format!("file {file}"), Making::File(missing))];
    }
    if !missing.is_empty() {
        left.push(format!("Add to {file}, which isn't changed:"));
        left.extend(missing.into_iter().map(|line| format!("  {line}")));
    }
    if !wanted.gathered.says("api_keys") {
        left.push(format!(
            "Make an API key for {file}: countersign keys new --id workflows"
        ));
    }
    vec![Step::There(format!("file {file}"))]
}

pub(super) fn make(wanted: &Wanted, lines: &[String]) -> Result<(), Failure> {
    let mut text = lines.join("\n");
    text.push('\n');
    if !wanted.gathered.says("api_keys") {
        let path = api_key_file(wanted);
        let shown = path.display();
        let read = std::fs::read_to_string(&path);
        let key = read.map_err(|error| Failure::failed(format!("{shown} can't be read: {error}")))?;
        let key =
            PlainKey::parse(&key).ok_or_else(|| Failure::failed(format!("{shown} holds no API key")))?;
        let hash = key.sha256().to_string();
        let hash = hash.trim_start_matches("sha256:");
        text.extend([
            "\n[[api_keys]]\nid = \"workflows\"\nsha256 = \"",
            hash,
            "\"\nscopes = [\"requests:write\"]\n",
        ]);
    }
    let shown = wanted.file.display();
    let opened = std::fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .open(&wanted.file);
    let written = opened.and_then(|mut file| file.write_all(text.as_bytes()));
    written.map_err(|error| Failure::failed(format!("{shown} can't be written: {error}")))
}
