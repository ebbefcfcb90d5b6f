//! Executions from outside: driven in virtual time, and held against what AWS recorded.

#![allow(clippy::unwrap_used, reason = "a test")]

mod activities;
mod document_signing;
mod driver;
mod errors;
mod fuzz;
mod jsonata;
mod lambda_loop;
mod machines;
mod map_redrives;
mod map_runs;
mod map_runs_jsonata;
mod maps;
mod operators;
mod properties;
mod random_cases;
mod random_expressions;
mod recorded;
mod states;
mod tasks;
mod validation;
mod variables;
