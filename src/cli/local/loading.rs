//! Reads the author's files and lets the embedded AWS be what they say: at the start, and again whenever they change. A
//! file that is wrong is told of, and changes nothing.

use super::super::Failure;
use super::super::embedded::Embedded;
use super::super::terminal::{STRONG, complain, say, styled};
use super::functions::Functions;
use super::watching::{Changes, Watched};
use super::workflows::{Outcome, add_our_own, arn, load, machine_of};
use super::{beside, resources};
use crate::config::local::{self, Settings};
use crate::samples;
use aws_sdk_sfn::Client;
use std::collections::BTreeSet;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

/// The author's files, and what was made of them.
pub(super) struct Loader {
    folder: PathBuf,
    file: PathBuf,
    /// Whether the file was named, and so has to be there.
    named: bool,
    config: local::Local,
    watched: Watched,
    functions: Functions,
    /// Definitions that were wrong when they were last read.
    wrong: BTreeSet<PathBuf>,
}

impl Loader {
    /// Reads the configuration. What is wrong with it is the author's to put right before anything starts.
    pub(super) fn new(folder: &Path, file: &Path, named: bool) -> Result<Self, Failure> {
        let unreadable =
            |error: std::io::Error| Failure::usage(format!("--workflows {}: {error}", folder.display()));
        let watched = Watched::new(folder, file).map_err(unreadable)?;
        Ok(Self {
            folder: folder.to_owned(),
            file: file.to_owned(),
            named,
            config: read(file, named).map_err(Failure::usage)?,
            watched,
            functions: Functions::default(),
            wrong: BTreeSet::new(),
        })
    }

    /// What an embedded Countersign is started with.
    pub(super) fn settings(&self) -> Settings {
        self.config.settings.clone()
    }

    /// Says from which queues and activities Countersign is asked, if from any.
    pub(super) fn introduce_ways(&self) {
        let Settings {
            intake_queues,
            worked,
            ..
        } = &self.config.settings;
        let queues = intake_queues
            .iter()
            .map(|name| format!("queue {}", styled(STRONG, name)));
        let activities = worked
            .iter()
            .map(|(name, _)| format!("activity {}", styled(STRONG, name)));
        let ways: Vec<String> = queues.chain(activities).collect();
        if !ways.is_empty() {
            say(&format!("Asked by    {}", ways.join(", ")));
        }
    }

    /// In which zone times are told.
    pub(super) fn time_zone(&self) -> jiff::tz::TimeZone {
        jiff::tz::TimeZone::get(&self.config.settings.time_zone).unwrap_or(jiff::tz::TimeZone::UTC)
    }

    /// Makes everything, and says what there is.
    pub(super) async fn load_all(&mut self, embedded: &Embedded) {
        self.make(embedded).await;
        let client = Client::new(&embedded.sdk);
        let mut loaded = Vec::new();
        for path in self.watched.definitions() {
            if let Some(name) = machine_of(&path)
                && self.load(&client, &path, name).await.is_some()
            {
                loaded.push(styled(STRONG, name));
            }
        }
        let folder = self.folder.display();
        match (loaded.is_empty(), self.wrong.len()) {
            (true, 0) => say(&format!(
                "Workflows   none yet; save one as NAME.asl.json in {folder}"
            )),
            (true, _) => say("Workflows   none that can be loaded; see above"),
            (false, 0) => say(&format!("Workflows   {}", loaded.join(", "))),
            (false, wrong) => say(&format!(
                "Workflows   {} (and {wrong} that can't be loaded; see above)",
                loaded.join(", ")
            )),
        }
        let functions = self.functions.names();
        if !functions.is_empty() {
            say(&format!("Functions   {}", functions.join(", ")));
        }
        self.warn_of_strangers();
    }

    /// Loads again what changes. Never ends.
    pub(super) async fn keep_loading(&mut self, embedded: &Embedded) {
        let client = Client::new(&embedded.sdk);
        loop {
            let changes = self.watched.changed().await;
            self.follow(changes, embedded, &client).await;
        }
    }

    async fn follow(&mut self, changes: Changes, embedded: &Embedded, client: &Client) {
        for path in &changes.removed {
            self.wrong.remove(path);
            if let Some(name) = machine_of(path) {
                say(&format!(
                    "{}  its file is gone; the machine stays, with its executions, until it is deleted:",
                    styled(STRONG, name)
                ));
                say(&format!(
                    "aws stepfunctions delete-state-machine --state-machine-arn {}",
                    arn(name)
                ));
            }
        }
        for name in &changes.code {
            self.functions.renew(&embedded.aws, name);
            say(&format!(
                "{}  is started afresh: its code has changed",
                styled(STRONG, name)
            ));
        }
        let again = changes.config && self.read_again(embedded).await;
        let written = if again {
            self.watched.definitions()
        } else {
            changes.written
        };
        for path in written {
            let Some(name) = machine_of(&path) else {
                continue;
            };
            let was_wrong = self.wrong.contains(&path);
            let name_shown = styled(STRONG, name);
            match self.load(client, &path, name).await {
                Some(Outcome::Created) => say(&format!("{name_shown}  is there now")),
                Some(Outcome::Updated) => {
                    say(&format!(
                        "{name_shown}  is loaded again; executions that run keep what they began with"
                    ));
                }
                Some(Outcome::Same) if was_wrong => say(&format!("{name_shown}  is as it was before")),
                Some(Outcome::Same) | None => {}
            }
        }
    }

    /// Reads the configuration again, if it is right. Whether it was.
    async fn read_again(&mut self, embedded: &Embedded) -> bool {
        let config = match read(&self.file, self.named) {
            Ok(config) => config,
            Err(message) => {
                complain(&message);
                say("What it said before still holds.");
                return false;
            }
        };
        let stays = self.config.settings.clone();
        if config.settings != stays {
            say(
                "organisation, time_zone, mail_from, people, http_tasks, durable_runner, intake_queues, the tables of activities and the keys for state data take effect at the next start.",
            );
        }
        self.config = local::Local {
            settings: stays,
            ..config
        };
        self.make(embedded).await;
        say(&format!("{}  is read again", styled(STRONG, self.file.display())));
        self.warn_of_strangers();
        true
    }

    /// Makes what workflows stand on.
    async fn make(&mut self, embedded: &Embedded) {
        for problem in resources::make(embedded, &self.config).await {
            complain(&problem);
        }
        self.functions.register(&embedded.aws, &self.config.functions);
        self.watched.watch_code(self.functions.code());
    }

    /// Loads one definition; tells what is wrong with it.
    async fn load(&mut self, client: &Client, path: &Path, name: &str) -> Option<Outcome> {
        let shown = path.file_name().and_then(|file| file.to_str());
        let shown = shown.map_or_else(|| path.to_owned(), |file| beside(&self.folder, file));
        match load(client, &shown, name, &self.config).await {
            Ok(outcome) => {
                self.wrong.remove(path);
                Some(outcome)
            }
            Err(faults) => {
                for fault in faults {
                    complain(&fault.to_string());
                }
                if client
                    .describe_state_machine()
                    .state_machine_arn(arn(name))
                    .send()
                    .await
                    .is_ok()
                {
                    say(&format!("{}  stays as it was", styled(STRONG, name)));
                }
                self.wrong.insert(path.to_owned());
                None
            }
        }
    }

    /// Of workflows that the configuration speaks of, and that have no file.
    fn warn_of_strangers(&self) {
        let there = self.watched.definitions();
        let there: BTreeSet<&str> = there.iter().filter_map(|path| machine_of(path)).collect();
        for name in self
            .config
            .workflows
            .keys()
            .filter(|name| !there.contains(name.as_str()))
        {
            complain(&format!(
                "workflows.{name}: there is no {name}.asl.json in {}",
                self.folder.display()
            ));
        }
    }
}

/// The configuration, or what is wrong with it.
fn read(file: &Path, named: bool) -> Result<local::Local, String> {
    let text = match std::fs::read_to_string(file) {
        Ok(text) => text,
        Err(error) if error.kind() == ErrorKind::NotFound && !named => String::new(),
        Err(error) => return Err(format!("{} can't be read: {error}", file.display())),
    };
    let folder = match file.parent() {
        Some(folder) if folder != Path::new("") => folder,
        _ => Path::new("."),
    };
    // A function's process has a working directory of its own: paths have to be whole.
    let folder = std::path::absolute(folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    let config = local::read(&text, &folder, &samples::NAMES);
    let mut config = config.map_err(|error| format!("{}: {error}", file.display()))?;
    add_our_own(&mut config);
    Ok(config)
}
