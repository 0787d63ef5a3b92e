//! The durable store: queues, topics, streams and tables of an app in one SQLite file.
//!
//! One thread writes. Operations reach it over a channel; it runs all that wait in one transaction, each in a savepoint of its own, flushes
//! once, and only then answers them: what a caller was told is on disk, and survives `kill -9` and a power cut. Reads run beside it.

mod abandoned;
mod clock;
mod connect;
mod db;
mod failure;
mod item;
mod log;
mod message;
mod queue;
mod schema;
mod stream;
mod sweep;
mod table;
#[cfg(test)]
mod tests;
mod token;
mod topic;
mod wake;
mod writer;

use std::collections::HashMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use nephos_core::app::{QueueSpec, StreamSpec, TableSpec};
use nephos_core::{Error, ErrorKind, Result};

pub use self::abandoned::Abandoned;
pub use self::clock::{Clock, ManualClock, SystemClock};
pub use self::log::Checkpoint;
pub use self::queue::EmbeddedQueue;
pub use self::stream::EmbeddedStream;
pub use self::sweep::Swept;
pub use self::table::EmbeddedTable;
pub use self::topic::{EmbeddedTopic, notification};
pub use self::wake::Wake;

use self::db::Db;
use self::failure::Failure;
use self::wake::Wakes;

/// The store of an app. Cheap to clone; the file is closed by [`close`](Self::close), or when the last clone and the last handle of a
/// resource are gone.
#[derive(Clone)]
pub struct Store {
    inner: Arc<Inner>,
}

impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Store")
            .field("path", &self.inner.path)
            .finish_non_exhaustive()
    }
}

struct Inner {
    path: PathBuf,
    db: Db,
    wakes: Arc<Wakes>,
    clock: Arc<dyn Clock>,
    /// Tells this file from one that was at its place before.
    id: Arc<str>,
    declared: Mutex<Declared>,
}

/// What was asked for by name in this run: what a message that the store itself sends, and the sweep, go by.
#[derive(Debug, Default)]
struct Declared {
    queues: HashMap<String, QueueSpec>,
    streams: HashMap<String, StreamSpec>,
}

impl Inner {
    fn declared(&self) -> MutexGuard<'_, Declared> {
        // A panic between two map operations leaves the maps whole.
        self.declared.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The queue's declaration, or the defaults for one that was not asked for in this run.
    fn queue_spec(&self, name: &str) -> QueueSpec {
        self.declared().queues.get(name).cloned().unwrap_or_default()
    }
}

impl Store {
    /// Opens the store at `path`, a file; it and its folder are made if they are missing.
    ///
    /// # Errors
    /// [`ErrorKind::DataLoss`] if the file is damaged (it is left as it is), [`ErrorKind::InvalidArgument`] if it is another program's or
    /// its folder cannot be made, [`ErrorKind::Unsupported`] if a newer Nephos wrote it, [`ErrorKind::PermissionDenied`] if it cannot be
    /// written, [`ErrorKind::ResourceExhausted`] if the disk is full, [`ErrorKind::Unavailable`] if another process holds it.
    pub async fn open(path: &Path) -> Result<Self> {
        Self::open_with(path, Arc::new(SystemClock)).await
    }

    /// As [`open`](Self::open), with another clock.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub async fn open_with(path: &Path, clock: Arc<dyn Clock>) -> Result<Self> {
        let path = path.to_owned();
        tokio::task::spawn_blocking(move || Self::open_blocking(path, clock))
            .await
            .map_err(|error| {
                Error::new(
                    ErrorKind::Internal,
                    "store.open",
                    "opening the store was called off",
                )
                .caused_by(error)
            })?
    }

    fn open_blocking(path: PathBuf, clock: Arc<dyn Clock>) -> Result<Self> {
        let conn = connect::writer(&path)?;
        let id: String = conn
            .query_row("SELECT value FROM meta WHERE name = 'id'", [], |row| row.get(0))
            .map_err(|error| Failure::from(error).into_error("store.open", &path))?;
        let wakes = Arc::new(Wakes::default());
        let db = Db::start(path.as_path().into(), conn, &clock, &wakes)?;
        Ok(Self {
            inner: Arc::new(Inner {
                path,
                db,
                wakes,
                clock,
                id: id.into(),
                declared: Mutex::default(),
            }),
        })
    }

    /// The file.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.inner.path
    }

    /// The queue of this name. Its messages are kept by the name: a queue that is opened again has what it had.
    #[must_use]
    pub fn queue(&self, name: &str, spec: &QueueSpec) -> EmbeddedQueue {
        self.inner.declared().queues.insert(name.to_owned(), spec.clone());
        EmbeddedQueue::new(self.clone(), name, spec)
    }

    /// The topic of this name.
    #[must_use]
    pub fn topic(&self, name: &str) -> EmbeddedTopic {
        EmbeddedTopic::new(self.clone(), name)
    }

    /// The stream of this name.
    #[must_use]
    pub fn stream(&self, name: &str, spec: &StreamSpec) -> EmbeddedStream {
        self.inner
            .declared()
            .streams
            .insert(name.to_owned(), spec.clone());
        EmbeddedStream::new(self.clone(), name, spec)
    }

    /// The table of this name.
    #[must_use]
    pub fn table(&self, name: &str, spec: &TableSpec) -> EmbeddedTable {
        EmbeddedTable::new(self.clone(), name, spec)
    }

    /// A handle that fires when something becomes available in the queue, stream or table of this name. Take it before you look, so that
    /// nothing comes in between unseen. A message that was delayed or leased becomes visible without a wake: see
    /// [`next_due`](Self::next_due).
    #[must_use]
    pub fn wake(&self, name: &str) -> Wake {
        self.inner.wakes.listen(name)
    }

    /// Finishes what is under way and closes the file. Whoever still holds a handle gets [`ErrorKind::Unavailable`] from then on.
    pub async fn close(self) {
        self.inner.db.stop().await;
    }
}
