//! Loads the configuration: a file, or a parameter or secret in its place, the variables, and the secrets that both
//! refer to. `serve`, the Lambda function, `config`, `doctor` and `setup` all start with it.

use super::gathered::Gathered;
use super::read::{ConfigError, Runs};
use super::reference::Reference;
use super::secrets;
use super::source::Problem;
use aws_config::SdkConfig;
use std::collections::BTreeSet;
use std::path::Path;

/// Read when no other file is named.
pub const USUAL_FILE: &str = "countersign.toml";

/// Gathers everything, and fetches what is referred to. `place` is what `--config` or `COUNTERSIGN_CONFIG` says: a
/// file, `ssm:…` or `secretsmanager:…`; without it, `countersign.toml` where the program is started, if it is there.
/// `aws` is asked for only when something is referred to.
///
/// A file that can't be read, and a secret that can't be fetched, is a problem in what is gathered.
pub async fn gather(
    place: Option<&str>,
    variables: impl IntoIterator<Item = (String, String)>,
    aws: impl AsyncFn() -> SdkConfig,
) -> Gathered {
    // An empty variable says nothing, as with every other key.
    let place = place.filter(|place| !place.is_empty());
    let file = match place.map(|place| (place, Reference::parse(place))) {
        Some((_, Some(Ok(reference)))) => kept(&reference, &aws).await.map(Some),
        Some((_, Some(Err(message)))) => Err(Problem::new("COUNTERSIGN_CONFIG", message)),
        Some((path, None)) => file(path, true),
        None => file(USUAL_FILE, false),
    };
    let mut gathered = Gathered::new(file, variables);
    let references = gathered.references();
    if !references.is_empty() {
        gathered.fetched = secrets::fetch(&references, &aws().await).await;
    }
    gathered
}

/// The whole configuration, from a parameter or a secret: its name and its text.
async fn kept(reference: &Reference, aws: &impl AsyncFn() -> SdkConfig) -> Result<(String, String), Problem> {
    let mut fetched = secrets::fetch(&BTreeSet::from([reference.clone()]), &aws().await).await;
    let text = fetched
        .remove(reference)
        .unwrap_or_else(|| Err("can't be read".to_owned()))
        .and_then(|secret| String::from_utf8(secret.expose().to_vec()).map_err(|_| "isn't text".to_owned()));
    match text {
        Ok(text) => Ok((reference.to_string(), text)),
        Err(message) => Err(Problem::new(
            "COUNTERSIGN_CONFIG",
            format!("{reference} {message}"),
        )),
    }
}

/// A file's name and text. One that nobody `named` needn't be there.
fn file(path: &str, named: bool) -> Result<Option<(String, String)>, Problem> {
    match std::fs::read_to_string(Path::new(path)) {
        Ok(text) => Ok(Some((path.to_owned(), text))),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound && !named => Ok(None),
        Err(error) => Err(Problem::new("--config", format!("{path} can't be read: {error}"))),
    }
}

/// This process's variables, those that are text.
pub fn variables() -> impl Iterator<Item = (String, String)> {
    std::env::vars_os().filter_map(|(name, text)| Some((name.into_string().ok()?, text.into_string().ok()?)))
}

/// The configuration, checked: [`gather`] and [`Gathered::read`].
pub async fn load(
    place: Option<&str>,
    variables: impl IntoIterator<Item = (String, String)>,
    runs: Runs,
    aws: impl AsyncFn() -> SdkConfig,
) -> Result<super::Serve, ConfigError> {
    gather(place, variables, aws)
        .await
        .read(runs, &|path| std::fs::read(path))
}
