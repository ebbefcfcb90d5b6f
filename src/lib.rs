//! Countersign: human approvals for AWS Step Functions.

pub mod domain;
pub mod mail;
pub mod web;
