//! The program: parses the command line and hands over.

use clap::Parser;
use std::process::ExitCode;

fn main() -> ExitCode {
    countersign::cli::Cli::parse().run()
}
