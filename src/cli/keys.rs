//! `countersign keys`: makes the keys that the configuration asks for.

use super::Failure;
use super::system::fill_random;
use super::terminal::{FAINT, STRONG, say, styled};
use crate::domain::api_key::{PlainKey, Scope};
use crate::flow::Random;
use clap::Subcommand;
use serde_json::json;

/// The commands of `countersign keys`.
#[derive(Debug, Subcommand)]
pub(crate) enum Keys {
    /// Make an API key: prints it once, and the lines for the configuration, which hold its hash alone
    New {
        /// What it is called in the configuration and in the log
        #[arg(long, value_name = "NAME", default_value = "default")]
        id: String,
        /// What it may be used for; may be given several times
        #[arg(long = "scope", value_name = "SCOPE", value_parser = scope, default_value = "requests:write")]
        scopes: Vec<Scope>,
    },
}

impl Keys {
    /// Runs it to its end.
    pub(crate) fn run(self) -> Result<(), Failure> {
        let Self::New { id, scopes } = self;
        let plain = id.chars().all(|c| c.is_ascii_alphanumeric() || "_.-".contains(c));
        if id.is_empty() || !plain || id.len() > 64 {
            return Err(Failure::usage("--id: use letters, digits, and _ . -, at most 64"));
        }
        let key = PlainKey::from_random(Random::new(fill_random).bytes());
        let hash = key.sha256().to_string();
        let scopes: Vec<&str> = scopes.iter().map(|scope| scope.name()).collect();
        say(&styled(
            FAINT,
            "The key. It is shown this once; keep it where your secrets are:",
        ));
        say("");
        say(&styled(STRONG, key.expose()));
        say("");
        let hash = hash.trim_start_matches("sha256:");
        let entry = json!([{"id": id, "sha256": hash, "scopes": scopes}]);
        say(&styled(FAINT, "For the variable COUNTERSIGN_API_KEYS:"));
        say("");
        say(&entry.to_string());
        say("");
        say(&styled(FAINT, "Or for countersign.toml:"));
        say("");
        say("[[api_keys]]");
        say(&format!("id = \"{id}\""));
        say(&format!("sha256 = \"{hash}\""));
        say(&format!("scopes = {}", json!(scopes)));
        Ok(())
    }
}

fn scope(text: &str) -> Result<Scope, String> {
    Scope::parse(text).ok_or_else(|| format!("must be one of {}", Scope::ALL.map(Scope::name).join(", ")))
}
