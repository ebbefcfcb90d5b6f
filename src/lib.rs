//! Countersign: human approvals for AWS Step Functions.
//!
//! A workflow pauses at a task with a task token. Countersign keeps the token in DynamoDB, mails the people who must
//! decide, shows each a page, and calls the workflow back with what they decided.
//!
//! Read the modules in the order in which an approval meets them:
//!
//! 1. [`cli`] parses a command and starts an [`app`], which gives everything its AWS clients, its clock and its keys;
//! 2. [`intake`] takes requests in, [`web`] shows the pages, [`worker`] does what is due;
//! 3. all call [`flow`], one file for each step of an approval's life;
//! 4. which speaks to AWS through [`store`], [`mail`], [`step_functions`],
//!    [`queues`] and [`state_data`];
//! 5. and asks [`domain`], which knows the rules and does no I/O.
//!
//! Beside that way stands [`lint`], which reads state machines before anything of them runs.
//!
//! Imports point only downwards in that list; `docs/ARCHITECTURE.md` walks one approval through the code.

pub mod app;
pub mod cli;
pub mod config;
pub mod domain;
pub mod flow;
pub mod intake;
pub mod lambda;
pub mod lint;
pub mod mail;
pub mod queues;
#[cfg(feature = "local")]
pub mod samples;
pub mod state_data;
pub mod step_functions;
pub mod store;
pub mod web;
pub mod worker;
