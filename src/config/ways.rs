//! The keys of the ways in beside HTTP: queues that are polled, and activities whose worker is Countersign.

use super::read::Reader;
use super::source::{nearest, unknown};
use crate::domain::activity::{Activity, Asks};
use crate::domain::signer::{Directory, Person};
use crate::intake::Ways;
use serde_json::{Map, Value};

impl Reader<'_> {
    /// The ways in of `serve`. `people` stand in the directory.
    pub(super) fn ways(&mut self, people: &[Person]) -> Ways {
        let queues = self.each_text("intake_queues", check_queue_url);
        let mail_events = self.each_text("mail_event_queues", check_queue_url);
        for url in mail_events.iter().filter(|url| queues.contains(url)) {
            let message =
                format!("{url} is one of intake_queues: events about mails need a queue of their own");
            self.problem("mail_event_queues", message);
        }
        let dead_letter_queue = self.text("dead_letter_queue");
        let dead_letter_queue = self.checked("dead_letter_queue", dead_letter_queue, |url| {
            check_queue_url(&url).map(|()| url.clone())
        });
        if let Some(url) = dead_letter_queue
            .as_ref()
            .filter(|url| queues.contains(url) || mail_events.contains(url))
        {
            let message = format!(
                "{url} is one of intake_queues or mail_event_queues: what can't be taken in would come in again"
            );
            self.problem("dead_letter_queue", message);
        }
        if matches!(self.values.get("activities"), Some(other) if !other.is_object() && !other.is_array()) {
            let message = "must be a table for each activity: [activities.\"arn:…\"]";
            self.problem("activities", message);
        }
        let activities = self.worked_activities(people, check_activity_arn);
        let activities = activities.into_iter().map(|(arn, asks)| Activity { arn, asks });
        Ways {
            queues,
            mail_events,
            dead_letter_queue,
            activities: activities.collect(),
        }
    }

    /// The tables `[activities."…"]`, by their names, which `check` accepts. A list of names is for `local` alone.
    pub(super) fn worked_activities(
        &mut self,
        people: &[Person],
        check: fn(&str) -> Result<(), String>,
    ) -> Vec<(String, Asks)> {
        let Some(Value::Object(tables)) = self.values.get("activities") else {
            return Vec::new();
        };
        let directory = Directory::new(people.to_vec());
        let mut activities = Vec::new();
        for (name, table) in tables {
            let path = format!("activities.\"{name}\"");
            if let Err(message) = check(name) {
                self.problem(&path, message);
            }
            match table {
                Value::Object(fields) => {
                    activities.extend(
                        self.asks(&path, fields, &directory)
                            .map(|asks| (name.clone(), asks)),
                    );
                }
                _ => self.problem(path, "must be a table, with title and signers"),
            }
        }
        activities
    }

    fn asks(&mut self, path: &str, fields: &Map<String, Value>, directory: &Directory) -> Option<Asks> {
        let mut fields = fields.clone();
        match fields.remove("output").as_ref().map(Value::as_str) {
            None | Some(Some("envelope")) => {}
            Some(Some("form")) => {
                let message = "isn't there yet, because forms aren't; with \"envelope\" the workflow gets who decided what";
                self.problem(format!("{path}.output"), message);
            }
            Some(Some(other)) => {
                let near = nearest(other, &["envelope", "form"]);
                self.problem(format!("{path}.output"), unknown("output", near));
            }
            Some(None) => self.problem(format!("{path}.output"), "must be \"envelope\""),
        }
        match Asks::new(&fields, directory) {
            Ok(asks) => Some(asks),
            Err(invalid) => {
                for problem in invalid.problems {
                    self.problem(format!("{path}.{}", problem.field), problem.message);
                }
                None
            }
        }
    }

    /// A list of texts, each of which fits.
    pub(super) fn each_text(&mut self, key: &str, check: fn(&str) -> Result<(), String>) -> Vec<String> {
        let entries = match self.values.get(key) {
            None => return Vec::new(),
            Some(Value::Array(entries)) => entries,
            Some(_) => {
                self.problem(key, "must be a list of texts: [\"…\", \"…\"]");
                return Vec::new();
            }
        };
        let mut texts: Vec<String> = Vec::new();
        for (index, entry) in entries.iter().enumerate() {
            let text = entry.as_str().unwrap_or_default();
            match check(text) {
                Ok(()) if texts.iter().any(|other| other == text) => {
                    self.problem(format!("{key}[{index}]"), "is named twice");
                }
                Ok(()) => texts.push(text.to_owned()),
                Err(message) => self.problem(format!("{key}[{index}]"), message),
            }
        }
        texts
    }
}

pub(super) fn check_queue_url(text: &str) -> Result<(), String> {
    let url: Option<http::Uri> = text.parse().ok();
    let fits = url.is_some_and(|url| {
        let name = url.path().rsplit('/').next().unwrap_or_default();
        matches!(url.scheme_str(), Some("http" | "https")) && !name.is_empty() && url.query().is_none()
    });
    fits.then_some(()).ok_or_else(|| {
        "must be a queue's address: \"https://sqs.eu-central-1.amazonaws.com/123456789012/approvals\""
            .to_owned()
    })
}

/// <https://docs.aws.amazon.com/step-functions/latest/apireference/API_CreateActivity.html>
fn check_activity_arn(text: &str) -> Result<(), String> {
    let parts: Vec<&str> = text.split(':').collect();
    let fits = matches!(parts[..], ["arn", _, "states", region, account, "activity", name]
        if !region.is_empty() && !account.is_empty() && !name.is_empty());
    fits.then_some(()).ok_or_else(|| {
        "must be an activity's ARN: \"arn:aws:states:eu-central-1:123456789012:activity:validation\""
            .to_owned()
    })
}
