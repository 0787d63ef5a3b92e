//! The state folder: who holds it, and how the command finds a running engine.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::Write as _;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use nephos_core::app::App;
use nephos_core::resource::Binding;
use nephos_core::{Error, ErrorKind, Result};
use rustix::process::{Pid, test_kill_process};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::Addresses;
use super::holdings::stand_in;

/// The longest path of a run folder: a socket's whole path may have about a hundred bytes.
const MAX_RUN_PATH: usize = 80;
/// How a run folder's name begins.
const RUN_PREFIX: &str = "nephos-";
/// How many bytes sign URLs.
const KEY_BYTES: usize = 64;

/// What a running engine tells in its state folder, readable by its user alone.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct EngineFile {
    /// The engine's process.
    pub pid: u32,
    /// Where it is reached.
    #[serde(flatten)]
    pub addresses: Addresses,
}

impl EngineFile {
    /// What the engine on this state folder tells; `None` if none is running.
    ///
    /// # Errors
    /// [`ErrorKind::PermissionDenied`] if the file cannot be read, [`ErrorKind::Decode`] if it is not an engine's.
    pub fn read(state: &Path) -> Result<Option<Self>> {
        let path = engine_file(state);
        let text = match std::fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(refused(UNREADABLE, &path, error)),
        };
        let file: Self = serde_json::from_str(&text).map_err(|error| {
            Error::new(
                ErrorKind::Decode,
                "engine.find",
                "the engine's file is damaged; remove it",
            )
            .with("file", path.display())
            .caused_by(error)
        })?;
        let pid = i32::try_from(file.pid).ok().and_then(Pid::from_raw);
        // One that was killed leaves its file behind, and its id may be another process's by now: the lock is what tells.
        Ok(pid
            .filter(|pid| test_kill_process(*pid).is_ok() && is_locked(state))
            .map(|_| file))
    }

    /// All resources of the app with every access, as this engine serves them: buckets that its S3 store stands in for are found there.
    #[must_use]
    pub fn bindings(&self, app: &App) -> Vec<Binding> {
        let mut app = app.clone();
        if let Some(s3) = self.addresses.s3 {
            stand_in(&mut app, &format!("http://{s3}"));
        }
        app.all_bindings()
    }
}

/// Whether an engine holds the state folder.
fn is_locked(state: &Path) -> bool {
    let Ok(lock) = File::open(state.join("lock")) else {
        return false;
    };
    matches!(lock.try_lock_shared(), Err(TryLockError::WouldBlock))
}

fn engine_file(state: &Path) -> PathBuf {
    state.join("engine.json")
}

fn refused(message: &'static str, path: &Path, error: std::io::Error) -> Error {
    let kind = match error.kind() {
        std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded => ErrorKind::ResourceExhausted,
        std::io::ErrorKind::NotADirectory | std::io::ErrorKind::AlreadyExists => ErrorKind::InvalidArgument,
        _ => ErrorKind::PermissionDenied,
    };
    Error::new(kind, "engine.start", message)
        .with("path", path.display())
        .caused_by(error)
}

const UNREADABLE: &str =
    "the engine's file in the state folder cannot be read; make the folder readable, or choose another";
const UNWRITABLE: &str =
    "the state folder cannot be written; make it writable, free space, or choose another folder";

/// The state folder, held by this process.
#[derive(Debug)]
pub(super) struct StateFolder {
    path: PathBuf,
    /// Locked as long as it is open; the system unlocks it when the process dies, however that happens.
    lock: File,
}

impl StateFolder {
    /// Makes the folder if it is missing, and takes it.
    pub(super) fn lock(path: &Path) -> Result<Self> {
        std::fs::create_dir_all(path).map_err(|error| refused(UNWRITABLE, path, error))?;
        // The run folder's sockets and the API's answers name it: it must mean the same everywhere.
        let path = path
            .canonicalize()
            .map_err(|error| refused(UNWRITABLE, path, error))?;
        let lock = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .open(path.join("lock"))
            .map_err(|error| refused(UNWRITABLE, &path, error))?;
        match lock.try_lock() {
            Ok(()) => Ok(Self { path, lock }),
            Err(TryLockError::WouldBlock) => {
                let mut error = Error::new(
                    ErrorKind::Conflict,
                    "engine.start",
                    "another engine runs on this state folder; stop it, or choose another folder",
                )
                .with("folder", path.display());
                if let Ok(Some(file)) = EngineFile::read(&path) {
                    error = error.with("pid", file.pid);
                }
                Err(error)
            }
            Err(TryLockError::Error(error)) => {
                Err(refused("the state folder cannot be locked", &path, error))
            }
        }
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// The store's file.
    pub(super) fn store(&self) -> PathBuf {
        self.path.join("store.db")
    }

    /// The folder of the app's buckets.
    pub(super) fn buckets(&self) -> PathBuf {
        self.path.join("buckets")
    }

    /// The folder of the embedded S3 store's buckets.
    pub(super) fn s3(&self) -> PathBuf {
        self.path.join("s3")
    }

    /// Tells the command where the engine is.
    pub(super) fn tell(&self, addresses: &Addresses) -> Result<()> {
        let file = EngineFile {
            pid: std::process::id(),
            addresses: addresses.clone(),
        };
        let json = serde_json::to_vec_pretty(&file).map_err(|error| {
            Error::new(
                ErrorKind::Internal,
                "engine.start",
                "the engine's file cannot be written",
            )
            .caused_by(error)
        })?;
        self.write(&engine_file(&self.path), &json)
    }

    /// Writes a file for this user's eyes only, whole or not at all.
    fn write(&self, path: &Path, bytes: &[u8]) -> Result<()> {
        let failed = |error| refused(UNWRITABLE, path, error);
        let temporary = path.with_extension("new");
        let mut file = OpenOptions::new()
            .create(true)
            .truncate(true)
            .write(true)
            .mode(0o600)
            .open(&temporary)
            .map_err(failed)?;
        file.write_all(bytes)
            .and_then(|()| file.sync_all())
            .map_err(failed)?;
        std::fs::rename(&temporary, path).map_err(failed)
    }

    /// The key that signs URLs: the same in every run, or the URLs that were given out would end with the run.
    pub(super) fn signing_key(&self) -> Result<Vec<u8>> {
        let path = self.path.join("signing.key");
        match std::fs::read(&path) {
            Ok(key) if key.len() == KEY_BYTES => return Ok(key),
            Ok(_) => {}
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(error) => return Err(refused("the signing key cannot be read", &path, error)),
        }
        let mut key = Vec::with_capacity(KEY_BYTES);
        while key.len() < KEY_BYTES {
            key.extend_from_slice(Uuid::new_v4().as_bytes());
        }
        self.write(&path, &key)?;
        Ok(key)
    }

    /// Gives the folder free.
    pub(super) fn release(self) {
        if let Err(error) = std::fs::remove_file(engine_file(&self.path)) {
            tracing::debug!(%error, "the engine's file could not be removed");
        }
    }
}

impl Drop for StateFolder {
    fn drop(&mut self) {
        // Closing alone is not enough: a process that is just being started holds the file, too, until it runs its own program.
        if let Err(error) = self.lock.unlock() {
            tracing::debug!(%error, "the state folder could not be unlocked");
        }
    }
}

/// The folder of one run's sockets and temporary folders: its path is short.
#[derive(Debug)]
pub(super) struct RunFolder(PathBuf);

impl RunFolder {
    /// Makes one, and removes what an engine left that was killed on the same state folder.
    pub(super) fn make(state: &StateFolder) -> Result<Self> {
        let note = state.path.join("run");
        if let Ok(left) = std::fs::read_to_string(&note) {
            remove_left(Path::new(left.trim()));
        }
        let name = format!("{RUN_PREFIX}{}", &Uuid::new_v4().simple().to_string()[..12]);
        let mut path = std::env::temp_dir().join(&name);
        if path.as_os_str().len() > MAX_RUN_PATH {
            path = Path::new("/tmp").join(name);
        }
        std::fs::DirBuilder::new()
            .mode(0o700)
            .create(&path)
            .map_err(|error| {
                refused(
                    "the folder for the functions' sockets cannot be made; set TMPDIR",
                    &path,
                    error,
                )
            })?;
        state.write(&note, path.as_os_str().as_encoded_bytes())?;
        Ok(Self(path))
    }

    pub(super) fn path(&self) -> &Path {
        &self.0
    }

    pub(super) fn remove(self) {
        if let Err(error) = std::fs::remove_dir_all(&self.0) {
            tracing::debug!(%error, "the run folder could not be removed");
        }
    }
}

fn remove_left(path: &Path) {
    let is_ours = path
        .file_name()
        .and_then(|name| name.to_str())
        .and_then(|name| name.strip_prefix(RUN_PREFIX))
        .is_some_and(|rest| rest.len() == 12 && rest.bytes().all(|byte| byte.is_ascii_hexdigit()));
    if is_ours
        && path.is_dir()
        && let Err(error) = std::fs::remove_dir_all(path)
    {
        tracing::debug!(%error, "the last run's folder could not be removed");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn addresses() -> Addresses {
        let any = "127.0.0.1:1".parse().unwrap();
        Addresses {
            gateway: any,
            api: any,
            smtp: None,
            s3: None,
            token: "secret".to_owned(),
        }
    }

    #[test]
    fn the_folder_is_one_engines_and_its_file_is_the_users() {
        let folder = tempfile::tempdir().unwrap();
        let state = StateFolder::lock(folder.path()).unwrap();
        state.tell(&addresses()).unwrap();
        let error = StateFolder::lock(folder.path()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Conflict);
        assert!(
            error.to_string().contains(&std::process::id().to_string()),
            "{error}"
        );
        let file = EngineFile::read(folder.path()).unwrap().unwrap();
        assert_eq!(file.addresses, addresses());
        let mode = std::os::unix::fs::PermissionsExt::mode(
            &std::fs::metadata(engine_file(folder.path()))
                .unwrap()
                .permissions(),
        );
        assert_eq!(mode & 0o777, 0o600);
        state.release();
        assert!(EngineFile::read(folder.path()).unwrap().is_none());
        StateFolder::lock(folder.path()).unwrap();
    }

    #[test]
    fn what_a_dead_engine_left_is_no_engine() {
        let folder = tempfile::tempdir().unwrap();
        let mut child = std::process::Command::new("true").spawn().unwrap();
        child.wait().unwrap();
        let file = EngineFile {
            pid: child.id(),
            addresses: addresses(),
        };
        std::fs::write(engine_file(folder.path()), serde_json::to_string(&file).unwrap()).unwrap();
        assert!(EngineFile::read(folder.path()).unwrap().is_none());
    }

    #[test]
    fn a_folder_that_is_a_file_is_named() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let error = StateFolder::lock(file.path()).unwrap_err();
        assert!(
            error.to_string().contains(&file.path().display().to_string()),
            "{error}"
        );
        assert!(error.to_string().contains("choose another folder"), "{error}");
    }

    #[test]
    fn urls_are_signed_with_the_same_key_in_every_run() {
        let folder = tempfile::tempdir().unwrap();
        let state = StateFolder::lock(folder.path()).unwrap();
        assert_eq!(state.signing_key().unwrap(), state.signing_key().unwrap());
    }
}
