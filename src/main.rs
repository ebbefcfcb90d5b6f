//! Countersign: human approvals for AWS Step Functions.

fn main() {}
