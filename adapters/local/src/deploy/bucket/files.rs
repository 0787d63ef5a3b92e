//! The bucket's folder: keys to files and back, by descriptors, so that no symbolic link is ever followed out of it.

use std::ffi::OsStr;
use std::fs::File;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use chrono::{DateTime, Utc};
use nephos_core::resource::bucket::key_to_path;
use nephos_core::{Error, ErrorKind, Result};
use rustix::fs::{AtFlags, FileType, Mode, OFlags, Stat, mkdirat, openat, statat, unlinkat};
use rustix::io::Errno;

/// The longest file name that common file systems hold.
const MAX_SEGMENT_BYTES: usize = 255;
/// A folder found missing was pruned by a deletion at the same moment: made again this often.
const FOLDER_TRIES: usize = 16;

/// What is known of a file, and its etag.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct FileInfo {
    pub(super) size: u64,
    pub(super) modified: DateTime<Utc>,
    pub(super) etag: String,
    /// More than one: a hard link, whose content was there before its name.
    pub(super) links: u64,
}

/// What a name in a folder stands for.
#[derive(Debug)]
pub(super) enum Found {
    Nothing,
    Object(FileInfo),
    Folder,
    /// A symbolic link, a socket, a device: never followed, never listed.
    Other,
}

/// The bucket's folder.
#[derive(Debug, Clone)]
pub(super) struct Folder {
    root: PathBuf,
}

impl Folder {
    pub(super) fn open(root: &Path) -> Result<Self> {
        const OPERATION: &str = "bucket.open";
        let failed = |error| io_error(error, OPERATION).with("folder", root.display());
        std::fs::create_dir_all(root).map_err(failed)?;
        let root = root.canonicalize().map_err(failed)?;
        Ok(Self { root })
    }

    pub(super) fn root(&self) -> &Path {
        &self.root
    }

    /// The hidden folder beside it.
    pub(super) fn hidden(&self, name: &str) -> Result<PathBuf> {
        let parent = self.root.parent().ok_or_else(|| {
            Error::new(
                ErrorKind::InvalidArgument,
                "bucket.open",
                "the root of a file system cannot be a bucket; choose a folder in it",
            )
            .with("bucket", name)
        })?;
        // Two buckets in folders of one parent have two folder names.
        let own = self.root.file_name().unwrap_or_else(|| OsStr::new(name));
        Ok(parent.join(".nephos").join(own))
    }

    fn descriptor(&self) -> rustix::io::Result<OwnedFd> {
        let open = || {
            rustix::fs::open(
                &self.root,
                OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC,
                Mode::empty(),
            )
        };
        open()
    }

    /// The folder at these segments, or `None` if there is none.
    pub(super) fn folder(&self, path: &str) -> rustix::io::Result<Option<OwnedFd>> {
        let mut at = match self.descriptor() {
            Err(Errno::NOENT) => return Ok(None),
            other => other?,
        };
        for segment in path.split('/').filter(|segment| !segment.is_empty()) {
            at = match open_folder(&at, segment) {
                Ok(next) => next,
                Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP | Errno::NAMETOOLONG) => return Ok(None),
                Err(error) => return Err(error),
            };
        }
        Ok(Some(at))
    }

    /// The folder that holds `key`, and the key's last segment; `None` if there is no such folder.
    pub(super) fn parent<'k>(&self, key: &'k str) -> rustix::io::Result<Option<(OwnedFd, &'k str)>> {
        let (folder, name) = split(key);
        Ok(self.folder(folder)?.map(|at| (at, name)))
    }

    /// The same, made if it is not there.
    pub(super) fn make_parent<'k>(
        &self,
        key: &'k str,
        operation: &'static str,
    ) -> Result<(OwnedFd, &'k str)> {
        let (folder, name) = split(key);
        let failed = |error: Errno| io_error(error.into(), operation).with("key", key);
        'again: for _ in 0..FOLDER_TRIES {
            let mut at = match self.descriptor() {
                Err(Errno::NOENT) => {
                    std::fs::create_dir_all(&self.root)
                        .map_err(|error| io_error(error, operation).with("folder", self.root.display()))?;
                    continue 'again;
                }
                other => other.map_err(failed)?,
            };
            for segment in folder.split('/').filter(|segment| !segment.is_empty()) {
                at = match open_folder(&at, segment) {
                    Ok(next) => next,
                    Err(Errno::NOENT) => {
                        match mkdirat(&at, segment, Mode::from_raw_mode(0o777)) {
                            Ok(()) | Err(Errno::EXIST) => {}
                            // The folder above was pruned by a deletion at this very moment.
                            Err(Errno::NOENT) => continue 'again,
                            Err(error) => return Err(failed(error)),
                        }
                        match open_folder(&at, segment) {
                            Ok(next) => next,
                            Err(Errno::NOENT) => continue 'again,
                            Err(error) => return Err(failed(error)),
                        }
                    }
                    Err(Errno::NOTDIR | Errno::LOOP) => {
                        return Err(Error::new(
                            ErrorKind::InvalidArgument,
                            operation,
                            "a part of the key is itself an object (or a link) in the bucket's folder; choose another key, or delete that object first",
                        )
                        .with("key", key)
                        .with("occupied", segment));
                    }
                    Err(error) => return Err(failed(error)),
                };
            }
            return Ok((at, name));
        }
        Err(Error::new(
            ErrorKind::Unavailable,
            operation,
            "the key's folder is removed again and again by others",
        )
        .with("key", key))
    }

    /// What `key` stands for.
    pub(super) fn find(&self, key: &str) -> rustix::io::Result<Found> {
        match self.parent(key)? {
            None => Ok(Found::Nothing),
            Some((at, name)) => find_at(&at, name),
        }
    }

    /// The object's file, opened for reading.
    pub(super) fn read(&self, key: &str) -> rustix::io::Result<Option<(File, FileInfo)>> {
        let Some((at, name)) = self.parent(key)? else {
            return Ok(None);
        };
        // Not blocking: a named pipe would otherwise wait for its writer.
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let file = match openat(&at, name, flags, Mode::empty()) {
            Ok(file) => file,
            Err(Errno::NOENT | Errno::LOOP | Errno::NXIO | Errno::NAMETOOLONG) => return Ok(None),
            Err(error) => return Err(error),
        };
        let stat = rustix::fs::fstat(&file)?;
        if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile {
            return Ok(None);
        }
        Ok(Some((File::from(file), info(&stat))))
    }

    /// Removes the empty folders that `key` leaves behind, from the innermost on, but never the bucket's own.
    pub(super) fn prune(&self, key: &str) {
        let mut folder = split(key).0;
        while !folder.is_empty() {
            let (above, name) = split(folder);
            let Ok(Some(at)) = self.folder(above) else { return };
            if unlinkat(&at, name, AtFlags::REMOVEDIR).is_err() {
                return;
            }
            folder = above;
        }
    }
}

/// What a name in an open folder stands for.
pub(super) fn find_at(at: impl AsFd, name: &str) -> rustix::io::Result<Found> {
    match statat(at, name, AtFlags::SYMLINK_NOFOLLOW) {
        Ok(stat) => Ok(match FileType::from_raw_mode(stat.st_mode) {
            FileType::RegularFile => Found::Object(info(&stat)),
            FileType::Directory => Found::Folder,
            _ => Found::Other,
        }),
        Err(Errno::NOENT | Errno::NAMETOOLONG) => Ok(Found::Nothing),
        Err(error) => Err(error),
    }
}

pub(super) fn open_folder(at: impl AsFd, name: &str) -> rustix::io::Result<OwnedFd> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    openat(at, name, flags, Mode::empty())
}

/// The etag is when and how long: every write through the bucket gets a time of its own (see `stage`), and a copy of the whole folder that keeps
/// times keeps etags and metadata.
#[allow(
    clippy::unnecessary_cast,
    clippy::useless_conversion,
    reason = "the fields' types differ between systems"
)]
pub(super) fn info(stat: &Stat) -> FileInfo {
    let seconds = i64::try_from(stat.st_mtime).unwrap_or_default();
    let nanos = u32::try_from(stat.st_mtime_nsec).unwrap_or_default();
    let size = u64::try_from(stat.st_size).unwrap_or_default();
    FileInfo {
        size,
        modified: DateTime::from_timestamp(seconds, nanos).unwrap_or_default(),
        etag: format!(
            "{:x}-{size:x}",
            i128::from(seconds) * 1_000_000_000 + i128::from(nanos)
        ),
        links: stat.st_nlink as u64,
    }
}

/// Refuses a key that no bucket, or no file system, can hold.
pub(super) fn check_key(key: &str, operation: &'static str) -> Result<()> {
    let longest = crate::resources::bucket::CAPABILITIES.max_key_bytes;
    let refuse = |message: &'static str| Error::new(ErrorKind::InvalidArgument, operation, message);
    if key.len() > longest {
        return Err(refuse("the key is longer than a bucket allows")
            .with("bytes", key.len())
            .with("max_bytes", longest));
    }
    if key_to_path(key).is_none() || key.is_empty() {
        return Err(refuse(
            "a key may not be empty, nor begin or end with a slash, and its segments may not be empty, `.` or `..`, or hold control characters",
        )
        .with("key", key));
    }
    match key.split('/').find(|segment| segment.len() > MAX_SEGMENT_BYTES) {
        None => Ok(()),
        Some(segment) => Err(refuse(
            "a segment of the key (the text between slashes) is longer than a file name can be",
        )
        .with("key", key)
        .with("segment_bytes", segment.len())
        .with("max_bytes", MAX_SEGMENT_BYTES)),
    }
}

/// The key of a path below the root, if it can be one.
pub(super) fn path_to_key(root: &Path, path: &Path) -> Option<String> {
    let relative = path.strip_prefix(root).ok()?;
    let key = std::str::from_utf8(relative.as_os_str().as_bytes()).ok()?;
    key_to_path(key).map(|_| key.to_owned())
}

/// Everything before the last slash, and everything behind it.
pub(super) fn split(key: &str) -> (&str, &str) {
    key.rsplit_once('/').unwrap_or(("", key))
}

/// What the file system said, as an error that tells what to do.
pub(super) fn io_error(error: std::io::Error, operation: &'static str) -> Error {
    use std::io::ErrorKind as Io;
    let (kind, message) = match error.kind() {
        Io::NotFound => (ErrorKind::NotFound, "the file or folder is not there (any more)"),
        Io::PermissionDenied | Io::ReadOnlyFilesystem => (
            ErrorKind::PermissionDenied,
            "the bucket's folder does not allow it; check its owner and permissions",
        ),
        Io::StorageFull | Io::QuotaExceeded => (
            ErrorKind::ResourceExhausted,
            "no space is left in the bucket's folder; free some and try again",
        ),
        Io::FileTooLarge => (
            ErrorKind::ResourceExhausted,
            "the object is larger than the bucket's file system, or the process's limit (`ulimit -f`), allows",
        ),
        Io::InvalidFilename => (
            ErrorKind::InvalidArgument,
            "the bucket's file system cannot hold such a name; choose another key",
        ),
        Io::CrossesDevices => (
            ErrorKind::InvalidArgument,
            "the bucket's folder is on another file system than the folder it lies in; give the bucket a folder of the state folder itself",
        ),
        Io::IsADirectory | Io::DirectoryNotEmpty => (
            ErrorKind::InvalidArgument,
            "the key is a folder that holds other objects; choose another key, or delete those first",
        ),
        _ => (ErrorKind::Unavailable, "the bucket's folder failed"),
    };
    Error::new(kind, operation, message).caused_by(error)
}

pub(super) fn not_found(operation: &'static str, key: &str) -> Error {
    Error::new(ErrorKind::NotFound, operation, "no such object").with("key", key)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_disk_and_a_closed_folder_say_what_to_do() {
        for (code, kind, said) in [
            (
                rustix::io::Errno::NOSPC,
                ErrorKind::ResourceExhausted,
                "no space is left in the bucket's folder; free some",
            ),
            (
                rustix::io::Errno::DQUOT,
                ErrorKind::ResourceExhausted,
                "no space is left in the bucket's folder; free some",
            ),
            (
                rustix::io::Errno::FBIG,
                ErrorKind::ResourceExhausted,
                "larger than the bucket's file system",
            ),
            (
                rustix::io::Errno::ACCESS,
                ErrorKind::PermissionDenied,
                "check its owner and permissions",
            ),
            (
                rustix::io::Errno::ROFS,
                ErrorKind::PermissionDenied,
                "check its owner and permissions",
            ),
            (
                rustix::io::Errno::IO,
                ErrorKind::Unavailable,
                "the bucket's folder failed",
            ),
        ] {
            let error = io_error(code.into(), "bucket.put");
            assert_eq!(error.kind(), kind, "{error}");
            assert!(error.to_string().contains(said), "{error}");
        }
    }
}
