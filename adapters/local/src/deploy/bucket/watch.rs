//! Watching the folder: what is done to it by hand becomes events, once it is complete.
//!
//! On Linux the system says when a writer has closed its file. Elsewhere, and for files that were there before the system could be asked, a file
//! counts as complete when it has not changed for a second.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use chrono::Utc;
use nephos_core::{Error, ErrorKind, Result};
use notify::event::{AccessKind, AccessMode, CreateKind, ModifyKind};
use notify::{Event as Notice, EventKind, RecommendedWatcher, RecursiveMode, Watcher as _};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::FolderBucket;
use super::blocking::blocking;
use super::events::{EventSink, Occurrence};
use super::files::{FileInfo, Found, io_error, path_to_key};
use super::journal;
use super::list::{After, Walk};
use super::stage::content_type;

/// Whether the system says when a file that was written to is closed.
const CLOSES: bool = cfg!(target_os = "linux");
/// How long a file must be left alone where the system does not say that it is complete.
const SETTLED: Duration = Duration::from_secs(1);
/// Notices are gathered this long: one change makes several.
const GATHER: Duration = Duration::from_millis(25);
/// How often the whole folder is compared after the system has said that it cannot watch all of it.
const COMPARE: Duration = Duration::from_secs(2);

/// A watch under way. It ends with [`stop`](Self::stop), or when it is dropped; what is not reported by then is reported by the next one.
#[derive(Debug)]
pub struct Watch {
    bucket: FolderBucket,
    end: CancellationToken,
    quit: CancellationToken,
    looking: Option<JoinHandle<()>>,
    reporting: Option<JoinHandle<()>>,
    pending: Arc<AtomicUsize>,
    unsettled: Arc<AtomicUsize>,
}

impl Watch {
    /// How many changes have been noticed and are not with the sink yet, files still being copied in included.
    #[must_use]
    pub fn pending(&self) -> usize {
        self.pending.load(Ordering::Acquire) + self.unsettled.load(Ordering::Acquire)
    }

    /// Ends the watch, after what has been noticed is with the sink, or the sink has refused it.
    pub async fn stop(mut self) {
        self.end.cancel();
        if let Some(looking) = self.looking.take() {
            // It ends in no other way than by itself.
            let _ = looking.await;
        }
        self.bucket.inner.journal.end();
        self.quit.cancel();
        if let Some(reporting) = self.reporting.take() {
            // As above.
            let _ = reporting.await;
        }
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.end.cancel();
        self.quit.cancel();
        self.bucket.inner.journal.end();
    }
}

pub(super) async fn start(bucket: &FolderBucket, sink: Arc<dyn EventSink>) -> Result<Watch> {
    let this = bucket.clone();
    let reports = blocking(move || this.inner.journal.begin()).await?;
    let (end, quit) = (CancellationToken::new(), CancellationToken::new());
    let (pending, unsettled) = (Arc::<AtomicUsize>::default(), Arc::<AtomicUsize>::default());
    let reporting = tokio::spawn(journal::run(
        bucket.name().to_owned(),
        reports,
        sink,
        quit.clone(),
        Arc::clone(&pending),
    ));
    let mut watch = Watch {
        bucket: bucket.clone(),
        end: end.clone(),
        quit,
        looking: None,
        reporting: Some(reporting),
        pending,
        unsettled: Arc::clone(&unsettled),
    };
    let (notices, inbox) = mpsc::unbounded_channel();
    let root = bucket.root().to_owned();
    // Before the first look: what changes during it is noticed, too.
    let watcher = blocking(move || watch_folder(&root, notices)).await?;
    let mut look = Look {
        bucket: bucket.clone(),
        inbox,
        unsettled: BTreeMap::new(),
        count: unsettled,
        compare: None,
        blind: false,
        _watcher: watcher,
    };
    look.compare_all().await?;
    watch.looking = Some(tokio::spawn(look.run(end)));
    Ok(watch)
}

fn watch_folder(
    root: &Path,
    notices: mpsc::UnboundedSender<notify::Result<Notice>>,
) -> Result<RecommendedWatcher> {
    let failed = |error: notify::Error| {
        Error::new(
            ErrorKind::ResourceExhausted,
            "bucket.watch",
            "the system cannot watch the bucket's folder; on Linux, raise fs.inotify.max_user_watches and fs.inotify.max_user_instances",
        )
        .with("folder", root.display())
        .caused_by(error)
    };
    let handler = move |notice| {
        // Without a receiver the watch has ended.
        let _ = notices.send(notice);
    };
    let config = notify::Config::default().with_follow_symlinks(false);
    let mut watcher = RecommendedWatcher::new(handler, config).map_err(failed)?;
    watcher.watch(root, RecursiveMode::Recursive).map_err(failed)?;
    Ok(watcher)
}

/// A file that may still be being written: how it looked last, and since when.
#[derive(Debug)]
struct Unsettled {
    info: Option<FileInfo>,
    until: Instant,
}

#[derive(Debug)]
struct Look {
    bucket: FolderBucket,
    inbox: mpsc::UnboundedReceiver<notify::Result<Notice>>,
    unsettled: BTreeMap<String, Unsettled>,
    count: Arc<AtomicUsize>,
    /// When the whole folder is compared next.
    compare: Option<Instant>,
    /// Whether the system has said that it cannot watch all of it.
    blind: bool,
    _watcher: RecommendedWatcher,
}

/// What some notices ask for.
#[derive(Debug, Default)]
struct Asked {
    /// Files that are complete, or gone; folders that came or went.
    changed: BTreeSet<PathBuf>,
    /// Files that may still be being written.
    touched: BTreeSet<PathBuf>,
    /// Files whose times may have been set.
    stamped: BTreeSet<PathBuf>,
    /// The whole folder.
    all: bool,
    /// The whole folder, again and again.
    blind: bool,
    /// Folders are new: the system may have begun to watch them after something was put there.
    folders: bool,
}

impl Asked {
    fn add(&mut self, notice: notify::Result<Notice>) {
        let notice = match notice {
            Ok(notice) => notice,
            Err(error) => {
                tracing::warn!(%error, "a bucket's folder cannot be watched as a whole; comparing it every 2 s instead");
                self.all = true;
                self.blind = true;
                return;
            }
        };
        if notice.need_rescan() {
            self.all = true;
            return;
        }
        let paths = notice.paths;
        self.folders |= match notice.kind {
            EventKind::Create(CreateKind::Folder) => true,
            EventKind::Modify(ModifyKind::Name(_)) => paths.iter().any(|path| path.is_dir()),
            _ => false,
        };
        match notice.kind {
            EventKind::Access(AccessKind::Close(AccessMode::Write))
            | EventKind::Modify(ModifyKind::Name(_))
            | EventKind::Remove(_)
            | EventKind::Create(CreateKind::Folder) => self.changed.extend(paths),
            EventKind::Modify(ModifyKind::Metadata(_)) => self.stamped.extend(paths),
            EventKind::Access(_) => {}
            _ => self.touched.extend(paths),
        }
    }
}

impl Look {
    async fn run(mut self, end: CancellationToken) {
        loop {
            let next = self
                .unsettled
                .values()
                .map(|file| file.until)
                .chain(self.compare)
                .min();
            let asked = tokio::select! {
                notice = self.inbox.recv() => {
                    let Some(notice) = notice else { return };
                    self.gather(notice, &end).await
                }
                () = sleep_until(next) => Asked::default(),
                () = end.cancelled() => {
                    // What has been noticed by now is still looked at.
                    let mut asked = Asked::default();
                    while let Ok(notice) = self.inbox.try_recv() {
                        asked.add(notice);
                    }
                    self.answer(asked).await;
                    return;
                }
            };
            self.answer(asked).await;
        }
    }

    async fn gather(&mut self, first: notify::Result<Notice>, end: &CancellationToken) -> Asked {
        let mut asked = Asked::default();
        asked.add(first);
        self.count.fetch_add(1, Ordering::AcqRel);
        let until = tokio::time::sleep(GATHER);
        tokio::pin!(until);
        loop {
            tokio::select! {
                () = &mut until => break,
                () = end.cancelled() => break,
                notice = self.inbox.recv() => match notice {
                    Some(notice) => asked.add(notice),
                    None => break,
                },
            }
        }
        asked
    }

    async fn answer(&mut self, asked: Asked) {
        if let Err(error) = self.try_answer(asked).await {
            tracing::warn!(bucket = self.bucket.name(), error = %error.chain(), "a bucket's folder cannot be looked at; trying again");
            self.compare = Some(Instant::now() + COMPARE);
        }
        self.count.store(self.unsettled.len(), Ordering::Release);
    }

    async fn try_answer(&mut self, asked: Asked) -> Result<()> {
        self.blind |= asked.blind;
        if asked.all || self.compare.is_some_and(|at| at <= Instant::now()) {
            self.compare = None;
            self.compare_all().await?;
        }
        if asked.folders || self.blind {
            self.compare.get_or_insert_with(|| Instant::now() + COMPARE);
        }
        let root = self.bucket.root().to_owned();
        let keys = |paths: BTreeSet<PathBuf>| -> Vec<String> {
            paths.iter().filter_map(|path| path_to_key(&root, path)).collect()
        };
        let (changed, touched, stamped) = (keys(asked.changed), keys(asked.touched), keys(asked.stamped));
        let this = self.bucket.clone();
        let fresh = blocking(move || {
            let mut fresh = BTreeSet::new();
            for key in &changed {
                this.look_at(key, &mut fresh)?;
            }
            for key in touched {
                this.look_at_touched(&key, &mut fresh)?;
            }
            for key in &stamped {
                this.look_at_stamped(key)?;
            }
            Ok(fresh)
        })
        .await?;
        for key in fresh {
            self.unsettled.insert(
                key,
                Unsettled {
                    info: None,
                    until: Instant::now(),
                },
            );
        }
        self.settle().await
    }

    /// Reports the files that have been left alone long enough.
    async fn settle(&mut self) -> Result<()> {
        let now = Instant::now();
        let due: Vec<(String, Option<FileInfo>)> = self
            .unsettled
            .iter()
            .filter(|(_, file)| file.until <= now)
            .map(|(key, file)| (key.clone(), file.info.clone()))
            .collect();
        if due.is_empty() {
            return Ok(());
        }
        let this = self.bucket.clone();
        let looked = blocking(move || {
            due.into_iter()
                .map(|(key, before)| this.look_again(key, before))
                .collect::<Result<Vec<_>>>()
        })
        .await?;
        for (key, info) in looked {
            match info {
                Some(info) => {
                    let until = now + SETTLED;
                    self.unsettled.insert(
                        key,
                        Unsettled {
                            info: Some(info),
                            until,
                        },
                    );
                }
                None => {
                    self.unsettled.remove(&key);
                }
            }
        }
        Ok(())
    }

    /// Compares the whole folder with what has been reported.
    async fn compare_all(&mut self) -> Result<()> {
        let this = self.bucket.clone();
        let fresh = blocking(move || {
            let mut fresh = BTreeSet::new();
            this.compare_below("", &mut fresh)?;
            Ok(fresh)
        })
        .await?;
        for key in fresh {
            let file = Unsettled {
                info: None,
                until: Instant::now(),
            };
            self.unsettled.entry(key).or_insert(file);
        }
        self.count.store(self.unsettled.len(), Ordering::Release);
        Ok(())
    }
}

async fn sleep_until(at: Option<Instant>) {
    match at {
        Some(at) => tokio::time::sleep_until(at).await,
        None => std::future::pending().await,
    }
}

impl FolderBucket {
    /// Something complete came, changed or went at `key`, or a folder of that name. Adds what may not be complete to `fresh`.
    fn look_at(&self, key: &str, fresh: &mut BTreeSet<String>) -> Result<()> {
        match self.found(key)? {
            Found::Folder => self.compare_below(key, fresh),
            Found::Object(_) => {
                self.report(key)?;
                // A folder that a file has replaced.
                self.report_gone_below(key)
            }
            Found::Nothing | Found::Other => self.report_gone_below(key),
        }
    }

    /// A file was made or written to: it is complete when its writer closes it, or, where the system does not say, when it is left alone.
    fn look_at_touched(&self, key: &str, fresh: &mut BTreeSet<String>) -> Result<()> {
        match self.found(key)? {
            // The other name of a file that was there before: nobody will close it.
            Found::Object(info) if CLOSES && info.links > 1 => self.report(key),
            Found::Object(_) if CLOSES => Ok(()),
            Found::Object(_) => {
                fresh.insert(key.to_owned());
                Ok(())
            }
            Found::Folder => self.compare_below(key, fresh),
            Found::Nothing | Found::Other => self.report_gone_below(key),
        }
    }

    /// A file's times, owner or mode were set. One that is known, and as long as it was, is not being written.
    fn look_at_stamped(&self, key: &str) -> Result<()> {
        let Found::Object(now) = self.found(key)? else {
            return Ok(());
        };
        let known = self.inner.journal.known(key);
        let size = |etag: &str| etag.rsplit_once('-').map(|(_, size)| size.to_owned());
        match known {
            Some(known) if size(&known) == size(&now.etag) => self.report(key),
            _ => Ok(()),
        }
    }

    /// A file that may not have been complete: reported and `None` if it looks as it did before, or has not changed for long.
    fn look_again(&self, key: String, before: Option<FileInfo>) -> Result<(String, Option<FileInfo>)> {
        let Found::Object(now) = self.found(&key)? else {
            self.report(&key)?;
            return Ok((key, None));
        };
        if self.inner.journal.known(&key).as_ref() == Some(&now.etag) {
            return Ok((key, None));
        }
        let age = Utc::now()
            .signed_duration_since(now.modified)
            .to_std()
            .unwrap_or_default();
        if age >= SETTLED || before.as_ref() == Some(&now) {
            self.report(&key)?;
            return Ok((key, None));
        }
        Ok((key, Some(now)))
    }

    /// Compares what is in a folder with what has been reported of it.
    fn compare_below(&self, folder: &str, fresh: &mut BTreeSet<String>) -> Result<()> {
        let prefix = if folder.is_empty() {
            String::new()
        } else {
            format!("{folder}/")
        };
        let mut there = BTreeSet::new();
        let mut walk = Walk::new(self, &prefix, After::Start);
        while let Some((key, info)) = walk.next()? {
            if self.inner.journal.known(&key).as_ref() != Some(&info.etag) {
                fresh.insert(key.clone());
            }
            there.insert(key);
        }
        for key in self.inner.journal.known_below(folder) {
            if !there.contains(&key) {
                self.report(&key)?;
            }
        }
        Ok(())
    }

    fn report_gone_below(&self, key: &str) -> Result<()> {
        for key in self.inner.journal.known_below(key) {
            self.report(&key)?;
        }
        Ok(())
    }

    /// Reports what `key` stands for now, if that is news.
    fn report(&self, key: &str) -> Result<()> {
        let _turn = self.lock(key);
        let journal = &self.inner.journal;
        match self.found(key)? {
            Found::Object(info) => journal.found(key, Some(&info.etag), |_| {
                let attributes = super::attributes::read(&self.inner.hidden, key, &info.etag);
                Occurrence::created(self.name(), key, &info, content_type(&attributes, key))
            }),
            _ => journal.found(key, None, |before| {
                Occurrence::deleted(self.name(), key, before.unwrap_or_default())
            }),
        }
        Ok(())
    }

    fn found(&self, key: &str) -> Result<Found> {
        self.inner
            .folder
            .find(key)
            .map_err(|errno| io_error(errno.into(), "bucket.watch").with("key", key))
    }
}
