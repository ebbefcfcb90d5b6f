//! `countersign serve`: the service against AWS. Keeps nothing of its own: run as many as wanted.

use super::Failure;
use super::configuration::{Aws, Place};
use super::system::{fill_random, interrupted, system_clock};
use super::terminal::{complain, say};
use crate::app::App;
use crate::config::Runs;
use crate::flow::Random;
use clap::Args;
use tokio::net::TcpListener;
use tokio::sync::watch;

/// The options of `countersign serve`.
#[derive(Debug, Args)]
pub(crate) struct Serve {
    #[command(flatten)]
    place: Place,
}

impl Serve {
    /// Runs it until SIGTERM or Ctrl-C.
    pub(crate) async fn run(self) -> Result<(), Failure> {
        let aws = Aws::default();
        let serve = (self.place.gather(&aws).await)
            .read(Runs::Service, &|path| std::fs::read(path))
            .map_err(|error| Failure::usage(error.to_string()))?;
        let aws = aws.get().await;
        if aws.region().is_none() {
            return Err(Failure::usage(
                "no AWS region: set AWS_REGION, or one in the AWS profile",
            ));
        }
        let listener = TcpListener::bind(serve.listen).await.map_err(|error| {
            Failure::usage(format!(
                "can't listen on {} ({error}); see listen in the configuration",
                serve.listen
            ))
        })?;
        let address = listener.local_addr().unwrap_or(serve.listen);
        let (public_url, table) = (serve.config.public_url.clone(), serve.config.table.clone());
        let app = App::new(serve.config, &aws, system_clock(), Random::new(fill_random));

        say(&format!("Listens  http://{address}"));
        say(&format!("Pages    {public_url}"));
        say(&format!("Table    {table}"));
        // Not fatal: the table may come later, and /readyz says no until then.
        if let Err(error) = app.flow().store.ping().await {
            complain(&format!(
                "the table doesn't answer yet ({error}); /readyz says when it does"
            ));
        }
        serve_until_stopped(app, listener).await
    }
}

/// Runs until a signal comes, then answers what was accepted and ends. A second signal ends at once.
async fn serve_until_stopped(app: App, listener: TcpListener) -> Result<(), Failure> {
    let (stop, stopped) = watch::channel(false);
    let last_answers = app.longest_stop();
    let mut running = tokio::spawn(app.run(listener, stopped));
    tokio::select! {
        ended = &mut running => return outcome(ended),
        () = interrupted() => {}
    }
    say("Stops    after answering what was asked");
    // Nobody listens any more when the service has ended by itself.
    let _ = stop.send(true);
    tokio::select! {
        ended = &mut running => outcome(ended),
        () = tokio::time::sleep(last_answers) => Ok(()),
        () = interrupted() => Ok(()),
    }
}

fn outcome(ended: Result<std::io::Result<()>, tokio::task::JoinError>) -> Result<(), Failure> {
    match ended {
        Ok(Ok(())) => Ok(()),
        Ok(Err(error)) => Err(Failure::failed(error.to_string())),
        Err(panicked) => Err(Failure::failed(panicked.to_string())),
    }
}
