//! A clock that can be moved forwards: the real one, and so much ahead of it. How much is kept in a file, so that a
//! restart doesn't fall back behind times that were given out.

use std::io::{Error, ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Mutex, PoisonError};

use jiff::{SignedDuration, Timestamp};

use crate::source::Clock;

/// The file's name in its folder. It holds a number: milliseconds.
const FILE: &str = "clock";

/// So far ahead a clock can be moved: times beyond the year 9999 can't be written.
const FARTHEST: SignedDuration = SignedDuration::from_hours(100 * 365 * 24);

/// The time of day, which can be moved forwards and never falls back.
pub struct TravelClock {
    real: Clock,
    /// By how many milliseconds it is ahead.
    ahead: AtomicI64,
    file: Option<PathBuf>,
    moving: Mutex<()>,
}

impl TravelClock {
    /// The clock `real`, ahead of it by as much as the file in `folder` says. Without a folder it begins with none and
    /// keeps nothing. An error where the file can't be read, or holds something else.
    pub fn open(real: Clock, folder: Option<&Path>) -> std::io::Result<TravelClock> {
        let file = folder.map(|folder| folder.join(FILE));
        let ahead = match file.as_deref().map(std::fs::read_to_string) {
            None => 0,
            Some(Err(error)) if error.kind() == ErrorKind::NotFound => 0,
            Some(text) => {
                let ahead = text?.trim().parse::<i64>().ok();
                let ahead = ahead.filter(|ahead| (0..=milliseconds(FARTHEST)).contains(ahead));
                ahead.ok_or_else(|| {
                    Error::new(
                        ErrorKind::InvalidData,
                        format!("the file `{FILE}` holds no number of milliseconds"),
                    )
                })?
            }
        };
        Ok(TravelClock {
            real,
            ahead: AtomicI64::new(ahead),
            file,
            moving: Mutex::default(),
        })
    }

    /// The time of day here.
    pub fn now(&self) -> Timestamp {
        let real = (self.real)();
        real.checked_add(self.ahead()).unwrap_or(Timestamp::MAX)
    }

    /// How far it is ahead of the real time.
    pub fn ahead(&self) -> SignedDuration {
        SignedDuration::from_millis(self.ahead.load(Ordering::SeqCst))
    }

    /// Whether it can be moved to `to`: at most a hundred years ahead of the real time.
    pub(super) fn reaches(&self, to: Timestamp) -> bool {
        to.duration_since((self.real)()) <= FARTHEST
    }

    /// Moves it to `to`, where that isn't past. It is kept first: what was given out once isn't taken back.
    pub(super) fn move_to(&self, to: Timestamp) -> std::io::Result<()> {
        let _moving = self.moving.lock().unwrap_or_else(PoisonError::into_inner);
        let ahead = to.duration_since((self.real)()).min(FARTHEST);
        if ahead <= self.ahead() {
            return Ok(());
        }
        // Whole milliseconds, rounded up, so that `to` has come.
        let ahead = i64::try_from((ahead.as_nanos() + 999_999) / 1_000_000).unwrap_or(i64::MAX);
        if let Some(file) = &self.file {
            keep(file, ahead)?;
        }
        self.ahead.store(ahead, Ordering::SeqCst);
        Ok(())
    }
}

impl std::fmt::Debug for TravelClock {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TravelClock")
            .field("ahead", &self.ahead())
            .finish_non_exhaustive()
    }
}

fn milliseconds(duration: SignedDuration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

/// Writes the file whole or not at all.
fn keep(file: &Path, ahead: i64) -> std::io::Result<()> {
    let fresh = file.with_extension("new");
    let mut written = std::fs::File::create(&fresh)?;
    writeln!(written, "{ahead}")?;
    written.sync_all()?;
    std::fs::rename(&fresh, file)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    fn real() -> Clock {
        Arc::new(|| "2026-11-21T09:00:00Z".parse().expect("a time"))
    }

    fn time(text: &str) -> Timestamp {
        text.parse().expect("a time")
    }

    #[test]
    fn it_only_goes_forwards_and_stays_there() {
        let folder = crate::testing::folder("clock");
        std::fs::create_dir_all(folder.path()).expect("a folder");
        let clock = TravelClock::open(real(), Some(folder.path())).expect("it opens");
        assert_eq!(clock.ahead(), SignedDuration::ZERO);
        clock
            .move_to(time("2026-11-24T09:00:00.0005Z"))
            .expect("it moves");
        assert_eq!(clock.now(), time("2026-11-24T09:00:00.001Z"));
        clock.move_to(time("2026-11-22T09:00:00Z")).expect("it stays");
        assert_eq!(clock.now(), time("2026-11-24T09:00:00.001Z"));
        drop(clock);
        let clock = TravelClock::open(real(), Some(folder.path())).expect("it opens again");
        assert_eq!(clock.now(), time("2026-11-24T09:00:00.001Z"));
        assert!(clock.reaches(time("2126-01-01T00:00:00Z")));
        assert!(!clock.reaches(time("2127-01-01T00:00:00Z")));
    }

    #[test]
    fn a_damaged_file_is_no_clock() {
        let folder = crate::testing::folder("damaged-clock");
        std::fs::create_dir_all(folder.path()).expect("a folder");
        for text in ["", "soon", "-1", "9223372036854775807"] {
            std::fs::write(folder.path().join(FILE), text).expect("a file");
            let opened = TravelClock::open(real(), Some(folder.path()));
            assert_eq!(opened.expect_err(text).kind(), ErrorKind::InvalidData, "{text}");
        }
    }
}
