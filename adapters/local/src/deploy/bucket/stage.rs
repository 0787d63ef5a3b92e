//! Objects being written: in a hidden folder of their own until they are whole, then renamed into the bucket in one step.

use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use nephos_core::{Error, ErrorKind, Result};
use object_store::{Attributes, PutMode};
use rustix::fs::{AtFlags, CWD, RenameFlags, renameat, renameat_with, unlinkat};
use rustix::io::Errno;

use super::events::Occurrence;
use super::files::{self, FileInfo, Found, check_key, find_at, io_error, not_found};
use super::journal::Reported;
use super::{FolderBucket, attributes};

/// How often a step is tried that others may undo at the same moment.
const TRIES: usize = 16;

/// The folder of what is not finished yet. Each process has its own, held by a lock, so that what a killed one left can be told apart and removed.
#[derive(Debug)]
pub(super) struct Stage {
    folder: PathBuf,
    _lock: File,
}

impl Stage {
    pub(super) fn open(hidden: &Path) -> Result<Self> {
        const OPERATION: &str = "bucket.open";
        let all = hidden.join("staging");
        let failed = |error| io_error(error, OPERATION).with("folder", all.display());
        fs::create_dir_all(&all).map_err(failed)?;
        for entry in fs::read_dir(&all).map_err(failed)? {
            let path = entry.map_err(failed)?.path();
            let abandoned = match File::open(path.join(LOCK)) {
                Ok(lock) => lock.try_lock().is_ok(),
                Err(error) => error.kind() == std::io::ErrorKind::NotFound,
            };
            if abandoned {
                fs::remove_dir_all(&path).map_err(failed)?;
            }
        }
        let folder = all.join(uuid::Uuid::now_v7().to_string());
        // Under another name until it is locked: without its lock it would look abandoned to a process that opens the bucket at this moment.
        let lock_path = hidden.join(format!("lock-{}", uuid::Uuid::now_v7()));
        let lock = File::create(&lock_path).map_err(failed)?;
        lock.lock().map_err(failed)?;
        let nursery = hidden.join(format!("stage-{}", uuid::Uuid::now_v7()));
        fs::create_dir(&nursery).map_err(failed)?;
        fs::rename(&lock_path, nursery.join(LOCK)).map_err(failed)?;
        fs::rename(&nursery, &folder).map_err(failed)?;
        Ok(Self { folder, _lock: lock })
    }

    /// A new, empty file.
    pub(super) fn create(&self) -> Result<Staged> {
        let path = self.folder.join(uuid::Uuid::now_v7().to_string());
        let file = File::options()
            .read(true)
            .write(true)
            .create_new(true)
            .open(&path)
            .map_err(|error| io_error(error, "bucket.put").with("file", path.display()))?;
        Ok(Staged {
            file,
            path,
            placed: false,
        })
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        // What cannot be removed now is removed when the bucket is opened next.
        let _ = fs::remove_dir_all(&self.folder);
    }
}

const LOCK: &str = ".lock";

/// A file that is not an object yet. Removed when dropped.
#[derive(Debug)]
pub(super) struct Staged {
    file: File,
    path: PathBuf,
    placed: bool,
}

impl Staged {
    pub(super) fn write(&mut self, bytes: &[u8]) -> Result<()> {
        self.file
            .write_all(bytes)
            .map_err(|error| io_error(error, "bucket.put"))
    }

    pub(super) fn file(&mut self) -> &mut File {
        &mut self.file
    }
}

impl Drop for Staged {
    fn drop(&mut self) {
        if !self.placed {
            // What cannot be removed now is removed when the bucket is opened next.
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// An object that has just become visible; its report to the watch may still be under way.
#[derive(Debug)]
pub(super) struct Placed {
    pub(super) info: FileInfo,
    pub(super) reported: Reported,
}

impl FolderBucket {
    /// Makes a staged file the object `key`, in one step. Blocks.
    pub(super) fn place(
        &self,
        mut staged: Staged,
        key: &str,
        mode: &PutMode,
        attributes: &Attributes,
        operation: &'static str,
    ) -> Result<Placed> {
        check_key(key, operation)?;
        let hidden = &self.inner.hidden;
        let failed = |error: std::io::Error| io_error(error, operation).with("key", key);
        let info = self.stamp(&mut staged).map_err(failed)?;
        let _turn = self.lock(key);
        let before = match self.rename_in(&staged, &info, key, mode, attributes, operation) {
            Ok(before) => before,
            Err(error) => {
                attributes::remove(hidden, key, &info.etag);
                return Err(error);
            }
        };
        staged.placed = true;
        if let Some(before) = before
            && before != info.etag
        {
            attributes::remove(hidden, key, &before);
        }
        let reported = self.inner.journal.changed(key, Some(&info.etag), || {
            Occurrence::created(self.name(), key, &info, content_type(attributes, key))
        });
        Ok(Placed { info, reported })
    }

    /// Renames a staged file into the bucket; returns the etag of what it replaced.
    fn rename_in(
        &self,
        staged: &Staged,
        info: &FileInfo,
        key: &str,
        mode: &PutMode,
        attributes: &Attributes,
        operation: &'static str,
    ) -> Result<Option<String>> {
        let failed = |errno: Errno| io_error(errno.into(), operation).with("key", key);
        let mut tries = 0;
        loop {
            tries += 1;
            let (at, name) = self.inner.folder.make_parent(key, operation)?;
            let found = find_at(&at, name).map_err(failed)?;
            check_mode(mode, &found, key, operation)?;
            if tries == 1 {
                attributes::write(&self.inner.hidden, key, &info.etag, attributes)?;
            }
            let outcome = match (&found, mode) {
                // Somebody who copies a file in by hand takes no turns: the file system itself must refuse.
                (Found::Nothing, PutMode::Create) => rename_new(&staged.path, &at, name),
                (Found::Folder, _) => unlinkat(&at, name, AtFlags::REMOVEDIR)
                    .and_then(|()| renameat(CWD, &staged.path, &at, name)),
                _ => renameat(CWD, &staged.path, &at, name),
            };
            match (outcome, found) {
                (Ok(()), Found::Object(replaced)) => return Ok(Some(replaced.etag)),
                (Ok(()), _) => return Ok(None),
                // The folder was pruned by a deletion, or the object came or went by hand, at this very moment.
                (Err(Errno::NOENT | Errno::EXIST), _) if tries < TRIES => {}
                (Err(errno), _) => return Err(failed(errno)),
            }
        }
    }

    /// Deletes an object; says whether there was one. Blocks.
    pub(super) fn remove(&self, key: &str) -> Result<Option<Reported>> {
        const OPERATION: &str = "bucket.delete";
        check_key(key, OPERATION)?;
        let failed = |errno: Errno| io_error(errno.into(), OPERATION).with("key", key);
        let _turn = self.lock(key);
        let Some((at, name)) = self.inner.folder.parent(key).map_err(failed)? else {
            return Ok(None);
        };
        let Found::Object(info) = find_at(&at, name).map_err(failed)? else {
            return Ok(None);
        };
        match unlinkat(&at, name, AtFlags::empty()) {
            Ok(()) => {}
            Err(Errno::NOENT) => return Ok(None),
            Err(errno) => return Err(failed(errno)),
        }
        attributes::remove(&self.inner.hidden, key, &info.etag);
        self.inner.folder.prune(key);
        Ok(Some(self.inner.journal.changed(key, None, || {
            Occurrence::deleted(self.name(), key, &info.etag)
        })))
    }

    /// Gives a staged file a time of its own, later than that of any write before it, and with that its etag.
    fn stamp(&self, staged: &mut Staged) -> std::io::Result<FileInfo> {
        let now = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .map_or(0, |since| u64::try_from(since.as_nanos()).unwrap_or(u64::MAX - 1));
        let last = self
            .inner
            .last_write
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |last| {
                Some(now.max(last.saturating_add(1)))
            })
            .unwrap_or(now);
        let own = now.max(last.saturating_add(1));
        staged.file.set_modified(UNIX_EPOCH + Duration::from_nanos(own))?;
        Ok(files::info(&rustix::fs::fstat(&staged.file)?))
    }
}

fn check_mode(mode: &PutMode, found: &Found, key: &str, operation: &'static str) -> Result<()> {
    match (mode, found) {
        (PutMode::Create, Found::Object(_)) => {
            Err(Error::new(ErrorKind::AlreadyExists, operation, "the object exists already").with("key", key))
        }
        (PutMode::Update(version), found) => {
            let Some(asked) = version.e_tag.as_deref() else {
                return Err(Error::new(
                    ErrorKind::InvalidArgument,
                    operation,
                    "a conditional write needs the etag to match; this bucket keeps no versions",
                )
                .with("key", key));
            };
            match found {
                Found::Object(now) if asked == "*" || now.etag == asked => Ok(()),
                Found::Object(now) => Err(Error::new(
                    ErrorKind::Conflict,
                    operation,
                    "the object is another version by now; read it again",
                )
                .with("key", key)
                .with("etag", &now.etag)
                .with("if_match", asked)),
                _ => Err(Error::new(
                    ErrorKind::Conflict,
                    operation,
                    "the object that was to be replaced is not there any more",
                )
                .with("key", key)
                .caused_by(not_found(operation, key))),
            }
        }
        _ => Ok(()),
    }
}

/// Renames only if there is nothing of that name.
fn rename_new(from: &Path, at: impl std::os::fd::AsFd, name: &str) -> rustix::io::Result<()> {
    match renameat_with(CWD, from, &at, name, RenameFlags::NOREPLACE) {
        // File systems without it have hard links, which never replace.
        Err(Errno::INVAL | Errno::NOSYS | Errno::NOTSUP) => {
            rustix::fs::linkat(CWD, from, &at, name, AtFlags::empty())?;
            unlinkat(CWD, from, AtFlags::empty())
        }
        other => other,
    }
}

pub(super) fn content_type(attributes: &Attributes, key: &str) -> Option<String> {
    attributes
        .get(&object_store::Attribute::ContentType)
        .map(|value| value.as_ref().to_owned())
        .or_else(|| mime_guess::from_path(key).first_raw().map(str::to_owned))
}
