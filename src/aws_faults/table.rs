//! The table of AWS's errors. From the services' API models and from AWS's "Common Errors"; docs/OPERATIONS.md shows it,
//! and a test holds the two together.

mod any;
mod running;
mod starting;

use super::{Class, Fault, Service};

/// Every error that the program has an answer of its own to. Those of one service come after those of all.
pub fn faults() -> impl Iterator<Item = &'static Fault> {
    [any::FAULTS, running::FAULTS, starting::FAULTS]
        .into_iter()
        .flatten()
}

const fn common(
    status: u16,
    codes: &'static [&'static str],
    class: Class,
    means: &'static str,
    advice: &'static str,
) -> Fault {
    Fault {
        service: None,
        status,
        codes,
        says: None,
        class,
        means,
        advice,
    }
}

const fn of(
    service: Service,
    status: u16,
    codes: &'static [&'static str],
    class: Class,
    means: &'static str,
    advice: &'static str,
) -> Fault {
    Fault {
        service: Some(service),
        ..common(status, codes, class, means, advice)
    }
}
