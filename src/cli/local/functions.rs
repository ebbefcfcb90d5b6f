//! The author's functions, as the configuration describes them, in the embedded Lambda.

use crate::config::local::Function;
use crate::samples;
use aws_local::AwsLocal;
use std::collections::BTreeMap;

/// The functions that are registered.
#[derive(Default)]
pub(super) struct Functions(BTreeMap<String, Function>);

impl Functions {
    /// Their names.
    pub(super) fn names(&self) -> Vec<&str> {
        self.0.keys().map(String::as_str).collect()
    }
}

impl Functions {
    /// Lets the functions be these; tells what can't be one.
    pub(super) fn register(&mut self, aws: &AwsLocal, wanted: &BTreeMap<String, Function>) -> Vec<String> {
        let mut problems = Vec::new();
        for (name, function) in wanted {
            if self.0.get(name) == Some(function) {
                continue;
            }
            let Function::Builtin(sample) = function else {
                problems.push(format!("functions.{name}: only samples can be functions yet"));
                continue;
            };
            if let Some(function) = samples::builtin(sample) {
                aws.register_function(name, function);
            }
        }
        self.0.clone_from(wanted);
        problems
    }
}
