//! An event-sourced interpreter for the Amazon States Language.
