//! Group commit: many writes, one flush to the disk. The database commits into its write-ahead log without flushing it
//! (`synchronous = NORMAL`); an answer leaves only when the log has been flushed after all that was committed before,
//! and one flush serves everybody who waits. So what was answered survives a power cut, as with a flush for each
//! write, and what was read by an answer does too.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::Mutex;

/// The flushes of one database's log.
#[derive(Clone)]
pub(crate) struct Flush(Arc<Inner>);

struct Inner {
    log: PathBuf,
    /// How many writes were committed.
    committed: AtomicU64,
    /// How many of them are on the disk. Locked while a flush is under way.
    flushed: Arc<Mutex<u64>>,
}

impl Flush {
    /// For the database at `path`, which is in WAL mode.
    pub(crate) fn of(database: &Path) -> Flush {
        let mut log = database.as_os_str().to_owned();
        log.push("-wal");
        Flush(Arc::new(Inner {
            log: log.into(),
            committed: AtomicU64::new(0),
            flushed: Arc::default(),
        }))
    }

    /// A write was committed. Call it before others may see the write.
    pub(crate) fn committed(&self) {
        self.0.committed.fetch_add(1, Ordering::SeqCst);
    }

    /// Waits until all that was committed before this call is on the disk.
    pub(crate) async fn flushed(&self) -> io::Result<()> {
        let before = self.0.committed.load(Ordering::SeqCst);
        let mut flushed = Arc::clone(&self.0.flushed).lock_owned().await;
        if *flushed >= before {
            return Ok(());
        }
        let inner = Arc::clone(&self.0);
        // On a thread of its own even when nobody waits for it any more: the lock goes with it.
        let flush = tokio::task::spawn_blocking(move || {
            let all = inner.committed.load(Ordering::SeqCst);
            // Opened anew each time: the database may have made a new log. SQLite's locks are on other files, so
            // closing this one takes none away.
            File::open(&inner.log)?.sync_data()?;
            *flushed = all;
            Ok(())
        });
        flush.await.map_err(io::Error::other)?
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn one_flush_serves_all_who_wait_and_none_is_made_for_nothing() {
        let folder = std::env::temp_dir().join(format!("aws-local-flush-{}", std::process::id()));
        std::fs::create_dir_all(&folder).expect("a folder");
        let flush = Flush::of(&folder.join("some.sqlite"));
        // Nothing was committed: the log isn't even looked for.
        flush.flushed().await.expect("flushed");
        flush.committed();
        assert_eq!(
            flush.flushed().await.expect_err("no log").kind(),
            io::ErrorKind::NotFound
        );
        std::fs::write(folder.join("some.sqlite-wal"), "log").expect("a folder");
        flush.committed();
        flush.flushed().await.expect("flushed");
        std::fs::remove_dir_all(&folder).expect("a folder");
        // Both are on the disk; a third isn't.
        flush.flushed().await.expect("flushed");
        flush.committed();
        assert!(flush.flushed().await.is_err());
    }
}
