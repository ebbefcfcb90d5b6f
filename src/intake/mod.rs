//! The ways in for workflows. Each takes what its carrier delivers and ends in `flow::open`; a request that is refused
//! is answered as that carrier expects.

pub mod invoke;
