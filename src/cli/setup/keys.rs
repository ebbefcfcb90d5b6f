//! The master key and the evidence key, each made once and never again; and an API key to ask with.

use super::{Failure, KeptIn, Making, Step, Wanted, failed};
use crate::aws_faults::Service::{SecretsManager, Ssm};
use crate::aws_faults::code_of;
use crate::domain::api_key::PlainKey;
use aws_sdk_ssm::types::ParameterType;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use zeroize::Zeroizing;

/// One of the two keys, and where it is to be kept.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Key {
    kept_in: KeptIn,
    /// The file's path, or the name of the secret or of the parameter.
    name: String,
}

impl Key {
    fn wanted(wanted: &Wanted, which: &str) -> Self {
        let name = match wanted.keys {
            KeptIn::Files => beside(wanted, &format!("{which}.key")).display().to_string(),
            KeptIn::Secretsmanager => format!("{}/{which}-key", wanted.name),
            KeptIn::Ssm => format!("/{}/{which}-key", wanted.name),
        };
        Self {
            kept_in: wanted.keys,
            name,
        }
    }

    /// The line of the configuration that names it.
    pub(super) fn line(wanted: &Wanted, which: &str) -> String {
        let key = Self::wanted(wanted, which);
        match key.kept_in {
            KeptIn::Files => format!("{which}_key_file = {:?}", key.name),
            KeptIn::Secretsmanager => format!("{which}_key = \"secretsmanager:{}\"", key.name),
            KeptIn::Ssm => format!("{which}_key = \"ssm:{}\"", key.name),
        }
    }

    fn shown(&self) -> String {
        match self.kept_in {
            KeptIn::Files => format!("file {}", self.name),
            KeptIn::Secretsmanager => format!("secret {} (Secrets Manager)", self.name),
            KeptIn::Ssm => format!("parameter {} (Parameter Store)", self.name),
        }
    }

    async fn is_there(&self, wanted: &Wanted) -> Result<bool, Failure> {
        match self.kept_in {
            KeptIn::Files => Ok(Path::new(&self.name).exists()),
            KeptIn::Secretsmanager => {
                let client = aws_sdk_secretsmanager::Client::new(&wanted.aws);
                match client.describe_secret().secret_id(&self.name).send().await {
                    Ok(_) => Ok(true),
                    Err(error) if code_of(&error) == "ResourceNotFoundException" => Ok(false),
                    Err(error) => Err(failed(&self.name, SecretsManager, &error)),
                }
            }
            KeptIn::Ssm => {
                let client = aws_sdk_ssm::Client::new(&wanted.aws);
                // Without decryption: whether it is there is all that is asked.
                match client
                    .get_parameter()
                    .name(&self.name)
                    .with_decryption(false)
                    .send()
                    .await
                {
                    Ok(_) => Ok(true),
                    Err(error) if code_of(&error) == "ParameterNotFound" => Ok(false),
                    Err(error) => Err(failed(&self.name, Ssm, &error)),
                }
            }
        }
    }
}

/// Where the file of an API key for workflows stands.
pub(super) fn api_key_file(wanted: &Wanted) -> PathBuf {
    beside(wanted, "workflows.key")
}

fn beside(wanted: &Wanted, name: &str) -> PathBuf {
    wanted.file.parent().unwrap_or(Path::new("")).join(name)
}

pub(super) async fn look(wanted: &Wanted) -> Result<Vec<Step>, Failure> {
    let mut steps = Vec::new();
    for which in ["master", "evidence"] {
        let named = [format!("{which}_key"), format!("{which}_key_file")];
        if let Some(named) = named.iter().find(|key| wanted.gathered.says(key)) {
            steps.push(Step::There(format!("{which} key ({named} in the configuration)")));
            continue;
        }
        let key = Key::wanted(wanted, which);
        let shown = format!("{which} key: {}", key.shown());
        steps.push(if key.is_there(wanted).await? {
            Step::There(shown)
        } else {
            Step::Make(shown, Making::Key(key))
        });
    }
    let file = api_key_file(wanted);
    steps.push(if wanted.gathered.says("api_keys") {
        Step::There("an API key (api_keys in the configuration)".to_owned())
    } else if file.exists() {
        Step::There(format!("an API key: file {}", file.display()))
    } else {
        let shown = format!("an API key for requests:write: file {}", file.display());
        Step::Make(shown, Making::ApiKey(file))
    });
    Ok(steps)
}

/// Makes a key of 32 random bytes, in hexadecimal.
pub(super) async fn make(wanted: &Wanted, key: &Key) -> Result<(), Failure> {
    let bytes = Zeroizing::new(wanted.random.bytes::<32>());
    let text = Zeroizing::new(data_encoding::HEXLOWER.encode(bytes.as_ref()));
    match key.kept_in {
        KeptIn::Files => write_secret(Path::new(&key.name), &text),
        KeptIn::Secretsmanager => {
            let client = aws_sdk_secretsmanager::Client::new(&wanted.aws);
            let made = client
                .create_secret()
                .name(&key.name)
                .secret_string(text.as_str())
                .send()
                .await;
            made.map(drop)
                .map_err(|error| failed(&key.name, SecretsManager, &error))
        }
        KeptIn::Ssm => {
            let client = aws_sdk_ssm::Client::new(&wanted.aws);
            // Without `overwrite`, what is there stays.
            let put = client.put_parameter().name(&key.name).value(text.as_str());
            let made = put.r#type(ParameterType::SecureString).send().await;
            made.map(drop).map_err(|error| failed(&key.name, Ssm, &error))
        }
    }
}

pub(super) fn make_api_key(wanted: &Wanted, path: &Path) -> Result<(), Failure> {
    write_secret(path, PlainKey::from_random(wanted.random.bytes()).expose())
}

/// Writes a file that only this user may read, and that wasn't there.
fn write_secret(path: &Path, text: &str) -> Result<(), Failure> {
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let written = options
        .open(path)
        .and_then(|mut file| writeln!(file, "{text}").and_then(|()| file.sync_all()));
    written.map_err(|error| Failure::failed(format!("{} can't be written: {error}", path.display())))
}
