//! Pure types and rules: no I/O, no clock.

pub mod display_text;
pub mod when;
