//! The tools over the embedded AWS, in memory and in virtual time, with faults between them and it.

mod batches;
mod faults;
mod items;
mod stopping;
mod world;
