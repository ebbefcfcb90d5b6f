//! `countersign local`: AWS in a box, with an author's own workflows and functions. Loads a folder of definitions, loads
//! them again when they change, and tells on the terminal how executions move, until Ctrl-C.

mod asked;
mod code;
mod functions;
mod loading;
mod progress;
mod resources;
mod substitution;
mod watching;
mod workflows;

use super::Failure;
use super::embedded::{Embedded, Start};
use super::system::interrupted;
use super::terminal::{FAINT, STRONG, say, styled};
use clap::Args;
use loading::Loader;
use std::path::{Path, PathBuf};

/// What the configuration is called where it lies beside the workflows.
const USUAL_FILE: &str = "countersign.toml";

/// The options of `countersign local`.
#[derive(Debug, Args)]
pub(crate) struct Local {
    /// The folder with the state machines: every *.asl.json in it is one, loaded again when it changes
    #[arg(long, value_name = "DIR", default_value = ".")]
    workflows: PathBuf,
    /// Functions, substitutions, queues and more; countersign.toml among the workflows, if it is there, without
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Keep everything in this folder, so that the next start goes on; in memory without
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Port of the pages and the API on 127.0.0.1; 0 for a free one
    #[arg(long, default_value_t = 8085)]
    port: u16,
    /// Port of the embedded AWS on 127.0.0.1; 0 for a free one
    #[arg(long, default_value_t = 8086)]
    aws_port: u16,
    /// Let the clock be skipped forwards: by `countersign skip`, and on the page /clock of the embedded AWS
    #[arg(long)]
    time_travel: bool,
    /// Don't tell how executions move
    #[arg(long)]
    quiet: bool,
}

impl Local {
    /// Runs it until Ctrl-C.
    pub(crate) async fn run(self) -> Result<(), Failure> {
        if !self.workflows.is_dir() {
            return Err(Failure::usage(format!(
                "--workflows {}: there is no such folder",
                self.workflows.display()
            )));
        }
        let file = match &self.config {
            Some(file) => file.clone(),
            None => beside(&self.workflows, USUAL_FILE),
        };
        let mut loader = Loader::new(&self.workflows, &file, self.config.is_some())?;
        let start = Start {
            port: self.port,
            aws_port: self.aws_port,
            data: self.data.clone(),
            time_travel: self.time_travel,
            settings: loader.settings(),
        };
        let prepared = Embedded::prepare(start).await?;
        self.introduce(prepared.embedded());
        loader.introduce_ways();
        let progress = (!self.quiet).then(|| {
            let listener = prepared.embedded().aws.subscribe();
            let approvals = std::sync::Arc::clone(&prepared.embedded().approvals);
            tokio::spawn(progress::tell(listener, loader.time_zone(), approvals))
        });
        loader.load_all(prepared.embedded()).await;
        let embedded = prepared.run().await?;
        say(&styled(
            FAINT,
            "Files are read again when they change. Ctrl-C ends it.",
        ));
        say("");
        tokio::select! {
            () = loader.keep_loading(&embedded) => {}
            () = interrupted() => say(""),
        }
        embedded.stop().await;
        if let Some(progress) = progress {
            progress.abort();
        }
        Ok(())
    }

    /// Says what runs where, ready to be pasted.
    fn introduce(&self, embedded: &Embedded) {
        let Embedded { pages, endpoint, .. } = embedded;
        say(&format!("Pages       {}", styled(STRONG, pages)));
        say(&format!("AWS         {}", styled(STRONG, endpoint)));
        say(&format!(
            "Executions  {}",
            styled(STRONG, format!("{endpoint}/executions"))
        ));
        say(&format!(
            "Mailbox     {}",
            styled(STRONG, format!("{endpoint}/mailbox"))
        ));
        match &self.data {
            Some(folder) => say(&format!("Data        {}", folder.display())),
            None => say("Data        in memory; --data DIR keeps it"),
        }
        if self.time_travel {
            let clock = styled(STRONG, format!("{endpoint}/clock"));
            say(&format!("Clock       {clock}, or countersign skip --next"));
        }
        say("");
        say(&styled(
            FAINT,
            "For the AWS CLI and SDKs (or aws --endpoint-url, with any credentials):",
        ));
        say(&format!(
            "export AWS_ENDPOINT_URL={endpoint} AWS_REGION={0} AWS_DEFAULT_REGION={0}",
            aws_local::REGION
        ));
        say("export AWS_ACCESS_KEY_ID=local AWS_SECRET_ACCESS_KEY=local");
        say(&styled(
            FAINT,
            "For countersign start, pending, show, complete and the others:",
        ));
        say(&format!(
            "export COUNTERSIGN_URL={pages} COUNTERSIGN_API_KEY={}",
            embedded.api_key.expose()
        ));
        say("");
    }
}

/// A file in a folder. The folder where we are isn't written down: what is told of the file is short then.
fn beside(folder: &Path, name: &str) -> PathBuf {
    if folder == Path::new(".") {
        PathBuf::from(name)
    } else {
        folder.join(name)
    }
}
