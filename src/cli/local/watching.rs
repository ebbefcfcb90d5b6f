//! Sees when the author's files change. It looks at their times and sizes a few times a second rather than asking the
//! operating system: that works in every folder, also over a network, and whatever an editor does to save a file. A
//! change counts once it has lasted from one look to the next, so half a file isn't read.

use super::code::{self, Code, Print};
use super::workflows::machine_of;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

/// How often it looks.
const EVERY: Duration = Duration::from_millis(250);
/// At every how manieth look it looks at functions' code as well, which may be many files.
const CODE_AT: u32 = 4;

/// The files that count, and how they stood.
pub(super) struct Watched {
    folder: PathBuf,
    config: PathBuf,
    /// As it was told of last.
    known: Files,
    /// As it was at the last look.
    seen: Files,
    code: BTreeMap<String, Code>,
    prints: BTreeMap<String, Print>,
    looks: u32,
}

type Files = BTreeMap<PathBuf, Stamp>;

/// What differs once a file was written to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Stamp {
    modified: Option<SystemTime>,
    length: u64,
}

/// What has changed since it was last asked.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Changes {
    /// Whether the configuration was made, changed or removed.
    pub(super) config: bool,
    /// Definitions that were made or changed.
    pub(super) written: Vec<PathBuf>,
    /// Definitions that are gone.
    pub(super) removed: Vec<PathBuf>,
    /// Functions whose code has changed.
    pub(super) code: BTreeSet<String>,
}

impl Watched {
    /// Takes note of how everything stands, before it is read.
    pub(super) fn new(folder: &Path, config: &Path) -> std::io::Result<Self> {
        let known = files(folder, config)?;
        Ok(Self {
            folder: folder.to_owned(),
            config: config.to_owned(),
            seen: known.clone(),
            known,
            code: BTreeMap::new(),
            prints: BTreeMap::new(),
            looks: 0,
        })
    }

    /// The definitions that are there, by name.
    pub(super) fn definitions(&self) -> Vec<PathBuf> {
        let paths = self.known.keys().filter(|path| **path != self.config);
        paths.cloned().collect()
    }

    /// Looks at the code of these functions from now on.
    pub(super) fn watch_code(&mut self, code: BTreeMap<String, Code>) {
        self.prints = code::look(&code);
        self.code = code;
    }

    /// Waits until something has changed. Nothing is lost when it is given up in between.
    pub(super) async fn changed(&mut self) -> Changes {
        loop {
            tokio::time::sleep(EVERY).await;
            // A folder that is away for a moment, as some programs save it, hasn't changed.
            let Ok(now) = files(&self.folder, &self.config) else {
                continue;
            };
            let lasting = now == self.seen;
            self.seen = now;
            if lasting && self.seen != self.known {
                return self.take();
            }
            self.looks = self.looks.wrapping_add(1);
            if self.looks.is_multiple_of(CODE_AT) && !self.code.is_empty() {
                let code = self.code.clone();
                let Ok(prints) = tokio::task::spawn_blocking(move || code::look(&code)).await else {
                    continue;
                };
                let changed = code::changed(&self.prints, &prints);
                self.prints = prints;
                if !changed.is_empty() {
                    return Changes {
                        code: changed,
                        ..Changes::default()
                    };
                }
            }
        }
    }

    fn take(&mut self) -> Changes {
        let before = std::mem::replace(&mut self.known, self.seen.clone());
        let now = &self.known;
        let definition = |path: &&PathBuf| **path != self.config;
        let written = now.keys().filter(definition);
        let removed = before.keys().filter(definition);
        Changes {
            config: before.get(&self.config) != now.get(&self.config),
            written: written
                .filter(|path| before.get(*path) != now.get(*path))
                .cloned()
                .collect(),
            removed: removed.filter(|path| !now.contains_key(*path)).cloned().collect(),
            code: BTreeSet::new(),
        }
    }
}

/// The definitions in a folder, and the configuration, where it is.
fn files(folder: &Path, config: &Path) -> std::io::Result<Files> {
    let mut files = Files::new();
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if machine_of(&path).is_some() {
            files.extend(stamp(&path).map(|stamp| (path, stamp)));
        }
    }
    files.extend(stamp(config).map(|stamp| (config.to_owned(), stamp)));
    Ok(files)
}

/// `None` where there is no such file, or no longer.
fn stamp(path: &Path) -> Option<Stamp> {
    let found = std::fs::metadata(path).ok().filter(std::fs::Metadata::is_file)?;
    Some(Stamp {
        modified: found.modified().ok(),
        length: found.len(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn changes_are_told_once_they_last() {
        let folder = std::env::temp_dir().join(format!("countersign-watch-{}", std::process::id()));
        std::fs::create_dir_all(&folder).expect("a folder");
        let path = |name: &str| folder.join(name);
        let write = |name: &str, text: &str| std::fs::write(path(name), text).expect("written");
        write("a.asl.json", "{}");
        write("b.asl.json", "{}");
        write("notes.txt", "");
        write(".c.asl.json.swp", "");
        write(".hidden.asl.json", "");
        let mut watched = Watched::new(&folder, &path("countersign.toml")).expect("there");
        assert_eq!(watched.definitions(), [path("a.asl.json"), path("b.asl.json")]);

        write("a.asl.json", "{ }");
        write("c.asl.json", "{}");
        write("countersign.toml", "");
        write("notes.txt", "changed");
        std::fs::remove_file(path("b.asl.json")).expect("removed");
        let expected = Changes {
            config: true,
            written: vec![path("a.asl.json"), path("c.asl.json")],
            removed: vec![path("b.asl.json")],
            code: BTreeSet::new(),
        };
        assert_eq!(watched.changed().await, expected);

        std::fs::remove_file(path("countersign.toml")).expect("removed");
        std::fs::remove_file(path("notes.txt")).expect("removed");
        let changes = watched.changed().await;
        assert_eq!(
            (changes.config, changes.written.len(), changes.removed.len()),
            (true, 0, 0)
        );
        std::fs::remove_dir_all(&folder).expect("removed");
    }
}
