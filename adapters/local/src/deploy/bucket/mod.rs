//! Buckets in folders: the store itself, its events, its part of the resource API, and an S3-compatible store over the same.
//!
//! An object is a plain file: the key `a/b.txt` is the file `a/b.txt` in the bucket's folder, to the letter. What a file cannot hold (content type,
//! metadata) and what is not finished yet lies in a hidden folder *beside* the bucket's (`.nephos/<bucket>/`), so no key can reach it.

pub mod api;
mod attributes;
mod blocking;
mod content;
pub mod events;
mod files;
mod journal;
mod list;
mod multipart;
pub mod s3;
pub mod sign;
mod stage;
mod store;
mod watch;

#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use nephos_core::Result;
use nephos_core::resource::bucket::BucketCapabilities;

pub use self::api::{Authorize, router};
pub use self::events::{EventSink, Occurrence};
pub use self::list::{After, Entry, Page};
pub use self::multipart::PartInfo;
pub use self::s3::{S3Credentials, S3Server};
pub use self::sign::UrlSigner;
pub use self::store::Incoming;
pub use self::watch::Watch;

use self::files::Folder;
use self::journal::Journal;
use self::multipart::Uploads;
use self::stage::Stage;
use crate::resources::bucket::CAPABILITIES;

/// How many keys can be written at once: writers of one key take turns, and keys share this many turnstiles.
const LOCKS: usize = 64;

/// A bucket in a folder. Cheap to clone; all clones are one bucket.
///
/// Open a folder once and clone: conditional writes and events are only sound among clones. Files put into the folder by hand are objects too.
#[derive(Debug, Clone)]
pub struct FolderBucket {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    name: String,
    folder: Folder,
    hidden: PathBuf,
    stage: Stage,
    locks: Vec<Mutex<()>>,
    last_write: AtomicU64,
    journal: Journal,
    uploads: Uploads,
    signer: Option<UrlSigner>,
}

impl FolderBucket {
    /// Opens the bucket `name` in `root`, which is made if it is not there. What writers left unfinished when they were killed is removed.
    ///
    /// # Errors
    /// [`PermissionDenied`](nephos_core::ErrorKind::PermissionDenied) or [`ResourceExhausted`](nephos_core::ErrorKind::ResourceExhausted) naming
    /// the folder if it, or the hidden one beside it, cannot be made or written.
    pub fn open(name: &str, root: &Path) -> Result<Self> {
        Self::open_signed(name, root, None)
    }

    /// The same, with signed URLs.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub fn with_signer(name: &str, root: &Path, signer: UrlSigner) -> Result<Self> {
        Self::open_signed(name, root, Some(signer))
    }

    fn open_signed(name: &str, root: &Path, signer: Option<UrlSigner>) -> Result<Self> {
        let folder = Folder::open(root)?;
        let hidden = folder.hidden(name)?;
        let stage = Stage::open(&hidden)?;
        Ok(Self {
            inner: Arc::new(Inner {
                name: name.to_owned(),
                journal: Journal::new(name, &hidden),
                folder,
                hidden,
                stage,
                locks: (0..LOCKS).map(|_| Mutex::default()).collect(),
                last_write: AtomicU64::default(),
                uploads: Uploads::default(),
                signer,
            }),
        })
    }

    /// Its name in the manifest.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.inner.name
    }

    /// Its folder.
    #[must_use]
    pub fn root(&self) -> &Path {
        self.inner.folder.root()
    }

    /// What it can do. Without a signer there are no signed URLs.
    #[must_use]
    pub fn capabilities(&self) -> BucketCapabilities {
        let mut capabilities = CAPABILITIES;
        if self.inner.signer.is_none() {
            capabilities.max_signed_url = std::time::Duration::ZERO;
        }
        capabilities
    }

    /// Reports every object written or deleted from now on, and whatever changed since the last watch ended, to `sink`: what is written through
    /// this bucket once per write, and what is done to the folder by hand once it is complete.
    ///
    /// A change is remembered as reported only after `sink` has taken it, so one whose report was cut off is reported again by the next watch. On
    /// the very first watch all objects that are there count as created.
    ///
    /// # Errors
    /// [`InvalidArgument`](nephos_core::ErrorKind::InvalidArgument) if it is watched already, or what keeps the folder from being read.
    pub async fn watch(&self, sink: Arc<dyn EventSink>) -> Result<Watch> {
        watch::start(self, sink).await
    }

    /// The turnstile of a key.
    fn lock(&self, key: &str) -> MutexGuard<'_, ()> {
        // FNV-1a: any spread will do.
        let hash = key.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        });
        let index = usize::try_from(hash % self.inner.locks.len() as u64).unwrap_or_default();
        // The lock guards no data of its own: one that is poisoned is as good as any.
        self.inner.locks[index]
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}
