//! The HTTP side: pages for signers, the API, and what guards them.

pub mod assets;
pub mod intake;
pub mod markdown;
pub mod views;
