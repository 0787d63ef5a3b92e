//! Which version of each object has been reported: in memory while the bucket is watched, and in a log beside the bucket between watches.
//!
//! The log has one line for each reported change, `["key","etag"]` or `["key",null]`, appended after the sink has taken the change. A line that was
//! cut off is worth nothing, and its change is reported again.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{BufRead as _, BufReader, BufWriter, Write as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use nephos_core::{Error, ErrorKind, Result};
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;

use super::blocking::blocking;
use super::events::{EventSink, Occurrence};
use super::files::io_error;

/// The most changes that are handed over at once.
const BATCH: usize = 512;
/// The first wait after a refusal by the sink; doubles up to the last.
const FIRST_WAIT: Duration = Duration::from_millis(50);
const LAST_WAIT: Duration = Duration::from_secs(5);
/// The log is written anew when it has this many lines more than there are objects.
const SPARE_LINES: usize = 100_000;

/// One reported change, on its way to the sink.
#[derive(Debug)]
pub(super) struct Item {
    etag: Option<String>,
    occurrence: Occurrence,
    done: Option<oneshot::Sender<()>>,
}

#[derive(Debug)]
struct Active {
    known: BTreeMap<String, String>,
    queue: mpsc::UnboundedSender<Item>,
}

#[derive(Debug)]
pub(super) struct Journal {
    bucket: String,
    log: PathBuf,
    active: Mutex<Option<Active>>,
}

/// A report under way.
#[derive(Debug, Default)]
pub(super) struct Reported(Option<oneshot::Receiver<()>>);

impl Reported {
    /// Waits until the sink has taken it, or has refused it for the first time; it is tried again then.
    pub(super) async fn wait(self) {
        if let Some(done) = self.0 {
            // The sender is gone when the watch ended meanwhile: the next watch reports the change.
            let _ = done.await;
        }
    }
}

impl Journal {
    pub(super) fn new(bucket: &str, hidden: &Path) -> Self {
        Self {
            bucket: bucket.to_owned(),
            log: hidden.join("seen.jsonl"),
            active: Mutex::new(None),
        }
    }

    fn active(&self) -> MutexGuard<'_, Option<Active>> {
        // No code between two states of the map can panic.
        self.active.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// An object was written or deleted through the bucket. To be called while its key's turn is held.
    pub(super) fn changed(
        &self,
        key: &str,
        etag: Option<&str>,
        occurrence: impl FnOnce() -> Occurrence,
    ) -> Reported {
        let mut active = self.active();
        let Some(active) = active.as_mut() else {
            return Reported::default();
        };
        match etag {
            Some(etag) => active.known.insert(key.to_owned(), etag.to_owned()),
            None => active.known.remove(key),
        };
        let (done, reported) = oneshot::channel();
        let item = Item {
            etag: etag.map(str::to_owned),
            occurrence: occurrence(),
            done: Some(done),
        };
        // Without a receiver the watch has ended: the next one reports the change.
        match active.queue.send(item) {
            Ok(()) => Reported(Some(reported)),
            Err(_) => Reported::default(),
        }
    }

    /// An object was found to be in this version, or not to be there: reported if that is news. To be called while its key's turn is held.
    pub(super) fn found(
        &self,
        key: &str,
        etag: Option<&str>,
        occurrence: impl FnOnce(Option<&str>) -> Occurrence,
    ) {
        let mut active = self.active();
        let Some(active) = active.as_mut() else { return };
        let before = active.known.get(key).map(String::as_str);
        if before == etag {
            return;
        }
        let occurrence = occurrence(before);
        match etag {
            Some(etag) => active.known.insert(key.to_owned(), etag.to_owned()),
            None => active.known.remove(key),
        };
        let item = Item {
            etag: etag.map(str::to_owned),
            occurrence,
            done: None,
        };
        // As above.
        let _ = active.queue.send(item);
    }

    /// The version in which the object was reported last.
    pub(super) fn known(&self, key: &str) -> Option<String> {
        self.active().as_ref()?.known.get(key).cloned()
    }

    /// The reported keys that are `path` or below it.
    pub(super) fn known_below(&self, path: &str) -> Vec<String> {
        let active = self.active();
        let Some(active) = active.as_ref() else {
            return Vec::new();
        };
        if path.is_empty() {
            return active.known.keys().cloned().collect();
        }
        let folder = format!("{path}/");
        active
            .known
            .range(path.to_owned()..=path.to_owned())
            .chain(
                active
                    .known
                    .range(folder.clone()..)
                    .take_while(|(key, _)| key.starts_with(&folder)),
            )
            .map(|(key, _)| key.clone())
            .collect()
    }

    /// Begins to report; blocks. What comes out is for [`run`].
    pub(super) fn begin(&self) -> Result<Reports> {
        let mut active = self.active();
        if active.is_some() {
            return Err(Error::new(
                ErrorKind::InvalidArgument,
                "bucket.watch",
                "the bucket is watched already; end that watch first",
            )
            .with("bucket", &self.bucket));
        }
        let known = read_log(&self.log)?;
        let log = Log::rewrite(&self.log, &known)?;
        let (queue, items) = mpsc::unbounded_channel();
        *active = Some(Active { known, queue });
        Ok(Reports { items, log })
    }

    /// Reports no more. What is on its way still arrives.
    pub(super) fn end(&self) {
        *self.active() = None;
    }
}

/// What is to be reported, and the log of what was.
#[derive(Debug)]
pub(super) struct Reports {
    items: mpsc::UnboundedReceiver<Item>,
    log: Log,
}

/// Hands changes to the sink until the watch has ended and all are handed over, or `quit` says that the sink will take no more.
pub(super) async fn run(
    bucket: String,
    reports: Reports,
    sink: Arc<dyn EventSink>,
    quit: CancellationToken,
    pending: Arc<std::sync::atomic::AtomicUsize>,
) {
    let Reports { mut items, mut log } = reports;
    let mut batch = Vec::new();
    let mut held_back = Vec::new();
    loop {
        batch.append(&mut held_back);
        if batch.is_empty() && items.recv_many(&mut batch, BATCH).await == 0 {
            return;
        }
        pending.store(batch.len() + items.len(), std::sync::atomic::Ordering::Release);
        let mut occurrences = Vec::with_capacity(batch.len());
        let mut lines = Vec::with_capacity(batch.len());
        let mut waiting = Vec::new();
        for item in batch.drain(..) {
            lines.push((item.occurrence.key().to_owned(), item.etag));
            occurrences.push(item.occurrence);
            waiting.extend(item.done);
        }
        let mut wait = FIRST_WAIT;
        while let Err(error) = sink.deliver(&occurrences).await {
            tracing::warn!(bucket, count = occurrences.len(), error = %error.chain(), "a bucket's events could not be stored; trying again");
            // A writer need not wait for a disk to be freed: its object is stored, and its event is not forgotten.
            waiting.clear();
            let again = tokio::time::sleep(wait);
            let mut again = std::pin::pin!(again);
            loop {
                tokio::select! {
                    () = &mut again => break,
                    () = quit.cancelled() => return,
                    // Nor need those that write meanwhile.
                    Some(mut item) = items.recv() => {
                        item.done = None;
                        held_back.push(item);
                    }
                }
            }
            wait = (wait * 2).min(LAST_WAIT);
        }
        log = match blocking(move || Ok(log.append(&lines))).await {
            Ok((log, Ok(()))) => log,
            Ok((log, Err(error))) => {
                tracing::warn!(bucket, error = %error.chain(), "a bucket's log of reported changes cannot be written; after a restart they are reported again");
                log
            }
            Err(_) => return,
        };
        for done in waiting {
            // Whoever wrote may have gone away.
            let _ = done.send(());
        }
        pending.store(
            held_back.len() + items.len(),
            std::sync::atomic::Ordering::Release,
        );
    }
}

#[derive(Debug)]
struct Log {
    path: PathBuf,
    file: File,
    lines: usize,
    limit: usize,
}

impl Log {
    /// Writes the log anew, with one line for each object.
    fn rewrite(path: &Path, known: &BTreeMap<String, String>) -> Result<Self> {
        let failed = |error| io_error(error, "bucket.watch").with("file", path.display());
        let fresh = path.with_extension("new");
        let mut out = BufWriter::new(File::create(&fresh).map_err(failed)?);
        for (key, etag) in known {
            serde_json::to_writer(&mut out, &(key, Some(etag)))
                .map_err(std::io::Error::from)
                .and_then(|()| out.write_all(b"\n"))
                .map_err(failed)?;
        }
        out.into_inner()
            .map_err(std::io::IntoInnerError::into_error)
            .map_err(failed)?;
        fs::rename(&fresh, path).map_err(failed)?;
        let file = File::options().append(true).open(path).map_err(failed)?;
        Ok(Self {
            path: path.to_owned(),
            file,
            lines: known.len(),
            limit: known.len() * 2 + SPARE_LINES,
        })
    }

    fn append(mut self, lines: &[(String, Option<String>)]) -> (Self, Result<()>) {
        let mut text = Vec::new();
        for line in lines {
            // Two strings always have a JSON form.
            if serde_json::to_writer(&mut text, line).is_ok() {
                text.push(b'\n');
            }
        }
        if let Err(error) = self.file.write_all(&text) {
            let error = io_error(error, "bucket.watch").with("file", self.path.display());
            return (self, Err(error));
        }
        self.lines += lines.len();
        if self.lines > self.limit {
            match read_log(&self.path).and_then(|known| Self::rewrite(&self.path, &known)) {
                Ok(fresh) => return (fresh, Ok(())),
                Err(error) => return (self, Err(error)),
            }
        }
        (self, Ok(()))
    }
}

fn read_log(path: &Path) -> Result<BTreeMap<String, String>> {
    let failed = |error| io_error(error, "bucket.watch").with("file", path.display());
    let mut known = BTreeMap::new();
    let mut file = match File::open(path) {
        Ok(file) => BufReader::new(file),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(known),
        Err(error) => return Err(failed(error)),
    };
    let mut line = Vec::new();
    loop {
        line.clear();
        if file.read_until(b'\n', &mut line).map_err(failed)? == 0 {
            return Ok(known);
        }
        match serde_json::from_slice::<(String, Option<String>)>(&line) {
            Ok((key, Some(etag))) => {
                known.insert(key, etag);
            }
            Ok((key, None)) => {
                known.remove(&key);
            }
            Err(_) => {
                tracing::warn!(file = %path.display(), "a line of a bucket's log of reported changes is damaged; its change is reported again");
            }
        }
    }
}
