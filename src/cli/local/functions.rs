//! The author's functions, as the configuration describes them, in the embedded Lambda.

use super::code::Code;
use crate::config::local::Function;
use crate::samples;
use aws_local::{AwsLocal, CommandFunction, UrlFunction};
use std::collections::BTreeMap;
use std::path::PathBuf;

/// The functions that are registered.
#[derive(Default)]
pub(super) struct Functions(BTreeMap<String, Function>);

impl Functions {
    /// Their names.
    pub(super) fn names(&self) -> Vec<&str> {
        self.0.keys().map(String::as_str).collect()
    }

    /// Where the code of those is that run as programs.
    pub(super) fn code(&self) -> BTreeMap<String, Code> {
        let code = |function: &Function| match function {
            Function::Command {
                command, directory, ..
            } => Some(Code {
                directory: directory.clone(),
                program: command.first().map(PathBuf::from).unwrap_or_default(),
            }),
            Function::Url { .. } | Function::Builtin(_) => None,
        };
        let functions = self.0.iter();
        functions
            .filter_map(|(name, function)| Some((name.clone(), code(function)?)))
            .collect()
    }

    /// Lets the functions be these. One that is as it was keeps its processes.
    pub(super) fn register(&mut self, aws: &AwsLocal, wanted: &BTreeMap<String, Function>) {
        for name in self.0.keys().filter(|name| !wanted.contains_key(*name)) {
            aws.remove_function(name);
        }
        for (name, function) in wanted {
            if self.0.get(name) != Some(function) {
                register(aws, name, function);
            }
        }
        self.0.clone_from(wanted);
    }

    /// Starts a function's processes afresh, as when its code is deployed. Those that are at work finish it.
    pub(super) fn renew(&self, aws: &AwsLocal, name: &str) {
        if let Some(function) = self.0.get(name) {
            register(aws, name, function);
        }
    }
}

fn register(aws: &AwsLocal, name: &str, function: &Function) {
    match function {
        Function::Command {
            command,
            directory,
            environment,
            timeout,
            concurrency,
        } => aws.register_command(
            name,
            CommandFunction {
                command: command.clone(),
                directory: directory.clone(),
                environment: environment.clone(),
                timeout: *timeout,
                concurrency: *concurrency,
            },
        ),
        Function::Url { url, timeout } => aws.register_url(
            name,
            UrlFunction {
                url: url.clone(),
                timeout: *timeout,
            },
        ),
        // The configuration takes no other names than those that there are.
        Function::Builtin(sample) => {
            if let Some(function) = samples::builtin(sample) {
                aws.register_function(name, function);
            }
        }
    }
}
