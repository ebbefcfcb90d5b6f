//! `countersign config`: what is in force, and where each value comes from. And what all commands share that start from
//! the configuration.

use super::Failure;
use super::terminal::{FAINT, STRONG, say, styled, width};
use crate::app::aws_of_environment;
use crate::config::{self, ConfigError, Gathered, Origin, Runs, Shown};
use aws_config::SdkConfig;
use clap::Args;
use serde_json::{Value, json};
use tokio::sync::OnceCell;

/// Where the configuration is.
#[derive(Debug, Args)]
pub(crate) struct Place {
    /// The configuration: a file, ssm:NAME or secretsmanager:NAME; countersign.toml, if it is there, without.
    /// COUNTERSIGN_* variables win over it
    #[arg(long, env = "COUNTERSIGN_CONFIG", value_name = "FILE")]
    pub(crate) config: Option<String>,
}

/// The AWS that the environment names. Looked for once, when it is first needed: that may take a moment.
#[derive(Debug, Default)]
pub(crate) struct Aws(OnceCell<SdkConfig>);

impl Aws {
    pub(crate) async fn get(&self) -> SdkConfig {
        self.0.get_or_init(aws_of_environment).await.clone()
    }
}

impl Place {
    /// Everything that is said of the configuration, with what it refers to.
    pub(crate) async fn gather(&self, aws: &Aws) -> Gathered {
        config::gather(self.config.as_deref(), config::variables(), async || {
            aws.get().await
        })
        .await
    }
}

/// `countersign config`: prints what is in force, secrets hidden.
#[derive(Debug, Args)]
pub(crate) struct Config {
    #[command(flatten)]
    place: Place,
    /// As a Lambda function is started, which needs no API key
    #[arg(long)]
    function: bool,
    /// Print JSON, for programs
    #[arg(long)]
    json: bool,
}

impl Config {
    /// Runs it to its end.
    pub(crate) async fn run(self) -> Result<(), Failure> {
        let gathered = self.place.gather(&Aws::default()).await;
        let problems = gathered
            .read(runs(self.function), &|path| std::fs::read(path))
            .err();
        if self.json {
            say(&format!("{:#}", as_json(&gathered.shown(), problems.as_ref())));
        } else {
            print(&gathered.shown());
        }
        match problems {
            Some(problems) => Err(Failure::usage(problems.to_string())),
            None => Ok(()),
        }
    }
}

/// What the program is started as, by the option `--function`.
pub(crate) fn runs(function: bool) -> Runs {
    if function { Runs::Function } else { Runs::Service }
}

fn as_json(shown: &[Shown], problems: Option<&ConfigError>) -> Value {
    let keys = shown.iter().map(|shown| {
        json!({"key": shown.key, "value": shown.value, "from": shown.value.as_ref().map(|_| shown.origin.to_string())})
    });
    let problems = problems.into_iter().flat_map(ConfigError::problems);
    let problems = problems.map(|(key, message)| json!({"key": key, "message": message}));
    json!({"keys": keys.collect::<Value>(), "problems": problems.collect::<Value>()})
}

fn print(shown: &[Shown]) {
    let lines: Vec<[String; 3]> = shown.iter().flat_map(lines).collect();
    let widest = |column: usize| {
        lines
            .iter()
            .map(|line| line[column].chars().count())
            .max()
            .unwrap_or(0)
    };
    let first = widest(0);
    // What is too long for a terminal's line is long in the value; a pipe gets all of it.
    let room = width().map_or(usize::MAX, |width| {
        width.saturating_sub(first + widest(2) + 4).max(20)
    });
    let second = widest(1).min(room);
    for [key, value, origin] in &lines {
        let shown: String = if value.chars().count() > second {
            value.chars().take(second - 1).chain(['…']).collect()
        } else {
            value.clone()
        };
        let key = styled(STRONG, format!("{key:first$}"));
        if origin.is_empty() {
            say(&format!("{key}  {shown}"));
        } else {
            say(&format!("{key}  {shown:second$}  {}", styled(FAINT, origin)));
        }
    }
}

/// A key's lines: one, or one for each entry of a list.
fn lines(shown: &Shown) -> Vec<[String; 3]> {
    let origin = match (&shown.value, &shown.origin) {
        (None, _) => String::new(),
        (Some(_), Origin::Default) => "default".to_owned(),
        (Some(_), origin) => origin.to_string(),
    };
    let line = |key: String, value: String| [key, value, origin.clone()];
    match &shown.value {
        None => vec![line(shown.key.to_owned(), "–".to_owned())],
        Some(none) if *none == json!([]) || *none == json!({}) => {
            vec![line(shown.key.to_owned(), none.to_string())]
        }
        Some(Value::Array(entries)) => {
            let numbered = entries.iter().enumerate();
            numbered
                .map(|(at, entry)| line(format!("{}[{at}]", shown.key), plain(entry)))
                .collect()
        }
        Some(Value::Object(map)) => {
            let entries = map.iter();
            entries
                .map(|(name, entry)| line(format!("{}.{name}", shown.key), plain(entry)))
                .collect()
        }
        Some(value) => vec![line(shown.key.to_owned(), plain(value))],
    }
}

/// A value on one line: a table as `name = Bob, email = bob@example.com`.
fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Object(map) => {
            let fields = map
                .iter()
                .map(|(name, value)| format!("{name} = {}", plain(value)));
            fields.collect::<Vec<_>>().join(", ")
        }
        Value::Array(entries) => entries.iter().map(plain).collect::<Vec<_>>().join(" "),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_key_has_a_line_and_a_list_one_for_each_entry() {
        let told = |value: Option<Value>| {
            let origin = Origin::Variable("COUNTERSIGN_PEOPLE".to_owned());
            let shown = Shown {
                key: "people",
                value,
                origin,
            };
            let lines = lines(&shown).into_iter();
            lines
                .map(|[key, value, origin]| format!("{key} {value} {origin}"))
                .collect::<Vec<_>>()
        };
        assert_eq!(told(None), ["people – "]);
        assert_eq!(told(Some(json!([]))), ["people [] COUNTERSIGN_PEOPLE"]);
        assert_eq!(
            told(Some(json!([{"name": "Bob"}, {"name": "Eve"}]))),
            [
                "people[0] name = Bob COUNTERSIGN_PEOPLE",
                "people[1] name = Eve COUNTERSIGN_PEOPLE"
            ]
        );
    }
}
