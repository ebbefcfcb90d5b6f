//! `countersign setup`: makes what `serve` needs where CloudFormation doesn't: keys, table, mail, queues, an API key, and
//! the file that names them all. Looks first, says what is missing, asks, and makes only that: so it may be run again at
//! any time. It overwrites nothing.

mod file;
mod keys;
mod mail;
mod queues;
mod table;

use super::Failure;
use super::configuration::{Aws, Place};
use super::doctor::Account;
use super::system::{fill_random, system_clock};
use super::terminal::{FAINT, GOOD, STRONG, WARN, say, styled};
use crate::aws_faults::{self, Service, code_of};
use crate::config::Gathered;
use crate::flow::Random;
use aws_config::SdkConfig;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use clap::{Args, ValueEnum};
use std::io::{BufRead as _, IsTerminal as _, Write as _};
use std::path::PathBuf;

/// `countersign setup`: makes what is missing. What stands in the configuration already is taken from there.
#[derive(Debug, Args)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a switch of the command line"
)]
pub(crate) struct Setup {
    #[command(flatten)]
    place: Place,
    /// Where signers reach the pages: `https://sign.example.com`
    #[arg(long, value_name = "URL")]
    public_url: Option<String>,
    /// Who asks, as signers read it: "Example Ltd"
    #[arg(long, value_name = "NAME")]
    organisation: Option<String>,
    /// What mails are sent from: "Approvals <approvals@example.com>"
    #[arg(long, value_name = "ADDRESS")]
    mail_from: Option<String>,
    /// Verify the sender's whole domain, which takes access to its DNS, instead of the one address
    #[arg(long)]
    domain: bool,
    /// What the table and everything else is called
    #[arg(long, value_name = "NAME", default_value = "countersign")]
    name: String,
    /// Make a queue for requests as well, and poll it
    #[arg(long)]
    queue: bool,
    /// Where the two keys are to be kept
    #[arg(long, value_name = "WHERE", default_value = "files")]
    keys: KeptIn,
    /// Only say what would be made
    #[arg(long)]
    dry_run: bool,
    /// Don't ask before making it
    #[arg(long, short)]
    yes: bool,
}

/// Where keys are kept.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
enum KeptIn {
    /// In files beside the configuration, which this user alone may read
    Files,
    /// In Secrets Manager
    Secretsmanager,
    /// In Parameter Store, encrypted
    Ssm,
}

/// What is to be there, and where it is made.
struct Wanted {
    aws: SdkConfig,
    account: Account,
    region: String,
    random: Random,
    gathered: Gathered,
    /// The configuration's file, and the folder of the keys.
    file: PathBuf,
    name: String,
    public_url: String,
    organisation: String,
    mail_from: String,
    table: String,
    whole_domain: bool,
    queue: bool,
    keys: KeptIn,
}

/// One thing that is to be there.
enum Step {
    /// It is.
    There(String),
    /// It is to be made.
    Make(String, Making),
}

/// How a thing is made.
enum Making {
    Table,
    Recovery,
    Expiry,
    Key(keys::Key),
    ApiKey(PathBuf),
    Identity(String),
    ConfigurationSet(String),
    Destination(String),
    Queue(queues::Queue),
    File(Vec<String>),
}

impl Setup {
    /// Runs it to its end.
    pub(crate) async fn run(self) -> Result<(), Failure> {
        let (dry_run, yes) = (self.dry_run, self.yes);
        let wanted = self.wanted().await?;
        say(&styled(
            FAINT,
            format!("In account {}, region {}.", wanted.account.number, wanted.region),
        ));
        let (steps, mut left) = wanted.look().await?;
        for step in &steps {
            match step {
                Step::There(what) => say(&format!("{}  {what}", styled(GOOD, "there"))),
                Step::Make(what, _) => say(&format!("{}  {what}", styled(WARN, "make "))),
            }
        }
        let making: Vec<(String, Making)> = steps.into_iter().filter_map(Step::missing).collect();
        if !making.is_empty() && !dry_run {
            agreed(yes)?;
            for (what, how) in making {
                left.extend(wanted.make(how).await?);
                say(&format!("{}   {what}", styled(GOOD, "made")));
            }
        } else if making.is_empty() {
            say("Nothing is missing.");
        }
        if !dry_run {
            left.push("Examine it: countersign doctor. Start it: countersign serve.".to_owned());
        }
        if !left.is_empty() {
            say("");
            say(&styled(STRONG, "What is left for you"));
            for line in &left {
                // What is set in belongs to the line before it.
                let mark = if line.starts_with(' ') { ' ' } else { '-' };
                say(&format!("{mark} {line}"));
            }
        }
        Ok(())
    }

    async fn wanted(self) -> Result<Wanted, Failure> {
        let aws = Aws::default();
        let gathered = self.place.gather(&aws).await;
        let file = match self.place.config.as_deref() {
            Some(place) if crate::config::reference::Reference::parse(place).is_some() => {
                return Err(Failure::usage(
                    "setup writes a file: name one with --config, or none",
                ));
            }
            place => PathBuf::from(place.unwrap_or(crate::config::USUAL_FILE)),
        };
        // What it says would seem to be missing, and be made a second time.
        if file.exists()
            && let Some(error) = gathered.unusable_file()
        {
            return Err(Failure::usage(error.to_string()));
        }
        let simple = |c: char| c.is_ascii_alphanumeric() || "-_".contains(c);
        if !(3..=40).contains(&self.name.len()) || !self.name.chars().all(simple) {
            return Err(Failure::usage("--name: use 3 to 40 letters, digits, - and _"));
        }
        let needed = |given: Option<String>, key: &str, option: &str| {
            gathered
                .text(key)
                .or(given)
                .ok_or_else(|| Failure::usage(format!("{option} is needed: see --help")))
        };
        let public_url = needed(self.public_url, "public_url", "--public-url")?;
        let organisation = needed(self.organisation, "organisation", "--organisation")?;
        let mail_from = needed(self.mail_from, "mail_from", "--mail-from")?;
        let table = gathered.text("table").unwrap_or_else(|| self.name.clone());
        let aws = aws.get().await;
        let Some(region) = aws.region().map(ToString::to_string) else {
            return Err(Failure::usage(
                "no AWS region: set AWS_REGION, or one in the AWS profile",
            ));
        };
        let account = super::doctor::account(&aws, &system_clock())
            .await
            .map_err(Failure::failed)?;
        Ok(Wanted {
            aws,
            account,
            region,
            random: Random::new(fill_random),
            gathered,
            file,
            name: self.name,
            public_url,
            organisation,
            mail_from,
            table,
            whole_domain: self.domain,
            queue: self.queue,
            keys: self.keys,
        })
    }
}

impl Step {
    fn missing(self) -> Option<(String, Making)> {
        match self {
            Self::There(_) => None,
            Self::Make(what, how) => Some((what, how)),
        }
    }

    fn makes_a_key(&self) -> bool {
        matches!(self, Self::Make(_, Making::Key(_)))
    }
}

impl Wanted {
    /// What is there, what isn't, and what is left for a person in any case. Changes nothing.
    async fn look(&self) -> Result<(Vec<Step>, Vec<String>), Failure> {
        let mut left = Vec::new();
        let mut steps = keys::look(self).await?;
        if steps.iter().any(Step::makes_a_key) {
            table::needs_no_other_key(self).await?;
        }
        steps.extend(table::look(self).await?);
        steps.extend(mail::look(self, &mut left).await?);
        steps.extend(queues::look(self).await?);
        steps.extend(file::look(self, &mut left));
        Ok((steps, left))
    }

    /// Makes one thing; gives what is left for a person because of it.
    async fn make(&self, how: Making) -> Result<Vec<String>, Failure> {
        match how {
            Making::Table => table::make(self).await.map(|()| Vec::new()),
            Making::Recovery => table::recover(self).await.map(|()| Vec::new()),
            Making::Expiry => table::expire(self).await.map(|()| Vec::new()),
            Making::Key(key) => keys::make(self, &key).await.map(|()| Vec::new()),
            Making::ApiKey(path) => keys::make_api_key(self, &path).map(|()| Vec::new()),
            Making::Identity(name) => mail::make_identity(self, &name).await,
            Making::ConfigurationSet(name) => mail::make_set(self, &name).await.map(|()| Vec::new()),
            Making::Destination(set) => mail::make_destination(self, &set).await,
            Making::Queue(queue) => queues::make(self, &queue).await.map(|()| Vec::new()),
            Making::File(lines) => file::make(self, &lines).map(|()| Vec::new()),
        }
    }
}

/// Asks a person, unless that was answered with `--yes`.
fn agreed(yes: bool) -> Result<(), Failure> {
    if yes {
        return Ok(());
    }
    let stdin = std::io::stdin();
    if !stdin.is_terminal() {
        return Err(Failure::usage(
            "nobody can be asked here: say --yes, or --dry-run",
        ));
    }
    anstream::print!("Make it? [y/N] ");
    // The question may be lost where there is no terminal; the answer counts.
    let _ = std::io::stdout().flush();
    let mut answer = String::new();
    let read = stdin.lock().read_line(&mut answer);
    if read.is_ok() && matches!(answer.trim(), "y" | "Y" | "yes") {
        return Ok(());
    }
    Err(Failure::failed("nothing was made"))
}

/// An error of AWS, with what to do.
fn failed<E, R>(what: &str, service: Service, error: &SdkError<E, R>) -> Failure
where
    E: ProvideErrorMetadata + std::error::Error + 'static,
    R: std::fmt::Debug + 'static,
{
    let code = code_of(error);
    let message = error
        .as_service_error()
        .and_then(ProvideErrorMetadata::message)
        .unwrap_or_default();
    let told = match aws_faults::find(service, code, message) {
        Some(fault) => format!("{code} ({}); {}", fault.means, fault.advice),
        None => code.to_owned(),
    };
    let said = if message.is_empty() {
        String::new()
    } else {
        format!(" (AWS: {message})")
    };
    Failure::failed(format!("{what}: {} says {told}{said}", service.name()))
}
