//! The keys of an embedded Countersign: made once, and kept beside its data, where there is a folder for it.

use super::super::Failure;
use crate::domain::api_key::{ApiKey, PlainKey, Scope};
use crate::domain::keys::MasterKey;
use crate::flow::Random;
use std::io::{Error, ErrorKind, Result, Write};
use std::path::Path;

/// The keys that a Countersign is started with.
pub(super) struct Keys {
    pub(super) master: MasterKey,
    pub(super) evidence: [u8; 32],
    /// For the operators' commands, with every scope.
    pub(super) api: PlainKey,
}

impl Keys {
    /// Reads them from `data`, or makes them. Without a folder they are fresh each time.
    pub(super) fn load(data: Option<&Path>, random: &Random) -> std::result::Result<Self, Failure> {
        let Some(folder) = data else {
            return Ok(Self {
                master: MasterKey::new(1, random.bytes()),
                evidence: random.bytes(),
                api: PlainKey::from_random(random.bytes()),
            });
        };
        let unusable = |error: Error| Failure::usage(format!("--data {}: {error}", folder.display()));
        std::fs::create_dir_all(folder).map_err(unusable)?;
        let key = |name| {
            let path = folder.join(name);
            let bytes = kept(&path, || random.bytes::<32>().to_vec())?;
            bytes
                .try_into()
                .map_err(|_| Error::other(format!("{} is not a key of 32 bytes", path.display())))
        };
        Ok(Self {
            master: MasterKey::new(1, key("master.key").map_err(unusable)?),
            evidence: key("evidence.key").map_err(unusable)?,
            api: api_key(&folder.join("api.key"), random).map_err(unusable)?,
        })
    }
}

/// What the configuration holds of the key for the operators' commands.
pub(super) fn configured(key: &PlainKey) -> ApiKey {
    ApiKey {
        id: "laptop".to_owned(),
        sha256: key.sha256(),
        scopes: Scope::ALL.into(),
    }
}

/// As text, so that `--key-file` takes the file.
fn api_key(path: &Path, random: &Random) -> Result<PlainKey> {
    let text = kept(path, || {
        format!("{}\n", PlainKey::from_random(random.bytes()).expose()).into_bytes()
    })?;
    std::str::from_utf8(&text)
        .ok()
        .and_then(PlainKey::parse)
        .ok_or_else(|| Error::other(format!("{} is not an API key", path.display())))
}

/// Reads a key, or makes one that only its owner can read. Written whole or not at all: a process that dies here
/// leaves no half a key.
fn kept(path: &Path, make: impl FnOnce() -> Vec<u8>) -> Result<Vec<u8>> {
    match std::fs::read(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => {
            let key = make();
            let fresh = path.with_extension("new");
            let mut options = std::fs::OpenOptions::new();
            options.write(true).create(true).truncate(true);
            #[cfg(unix)]
            std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
            let mut file = options.open(&fresh)?;
            file.write_all(&key)?;
            file.sync_all()?;
            std::fs::rename(&fresh, path)?;
            Ok(key)
        }
        read => read,
    }
}
