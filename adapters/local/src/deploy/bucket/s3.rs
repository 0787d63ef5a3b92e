//! An S3-compatible store over folders: what stands in for a third party's store on one machine.
//!
//! Path-style, Signature Version 4 (headers and pre-signed URLs), every bucket a folder below one root. It speaks S3 through the `s3s` crate; what
//! is done with the requests is in `ops`.

mod checksums;
mod convert;
mod ops;

use std::collections::BTreeMap;
use std::fmt;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use nephos_core::{Error, ErrorKind, Result};
use s3s::auth::SimpleAuth;
use s3s::service::{S3Service, S3ServiceBuilder};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{JoinHandle, JoinSet};
use tokio_util::sync::CancellationToken;

use super::FolderBucket;
use super::files::io_error;

/// The region that it says it is in; it takes requests signed for any.
pub(super) const REGION: &str = "us-east-1";

/// Who may use the store.
#[derive(Clone, PartialEq, Eq)]
pub struct S3Credentials {
    /// The access key's id.
    pub access_key_id: String,
    /// The secret key.
    pub secret_access_key: String,
}

impl fmt::Debug for S3Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("S3Credentials")
            .field("access_key_id", &self.access_key_id)
            .finish_non_exhaustive()
    }
}

/// The store, serving. It ends with [`stop`](Self::stop), or when it is dropped.
#[derive(Debug)]
pub struct S3Server {
    folders: Folders,
    address: SocketAddr,
    end: CancellationToken,
    serving: Option<JoinHandle<()>>,
}

impl S3Server {
    /// Serves the folders below `root` at `address` (port 0 takes any that is free).
    ///
    /// # Errors
    /// [`ErrorKind::AlreadyExists`] if the port is taken, [`ErrorKind::PermissionDenied`] if it may not be used, or what keeps `root` from being made.
    pub async fn start(address: SocketAddr, root: &Path, credentials: S3Credentials) -> Result<Self> {
        const OPERATION: &str = "s3.start";
        std::fs::create_dir_all(root)
            .map_err(|error| io_error(error, OPERATION).with("folder", root.display()))?;
        let folders = Folders {
            root: root.to_owned(),
            open: Arc::default(),
        };
        let failed = |error: std::io::Error| {
            let (kind, message) = match error.kind() {
                std::io::ErrorKind::AddrInUse => (
                    ErrorKind::AlreadyExists,
                    "the S3 store's port is taken; end who uses it, or choose another",
                ),
                std::io::ErrorKind::PermissionDenied => (
                    ErrorKind::PermissionDenied,
                    "the S3 store's port may not be used; choose one above 1023",
                ),
                _ => (ErrorKind::Unavailable, "the S3 store's address cannot be used"),
            };
            Error::new(kind, OPERATION, message)
                .with("address", address)
                .caused_by(error)
        };
        let listener = TcpListener::bind(address).await.map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        let mut builder = S3ServiceBuilder::new(ops::Ops::new(folders.clone()));
        builder.set_auth(SimpleAuth::from_single(
            credentials.access_key_id,
            credentials.secret_access_key,
        ));
        let service = builder.build();
        let end = CancellationToken::new();
        let serving = tokio::spawn(serve(listener, service, end.clone()));
        Ok(Self {
            folders,
            address,
            end,
            serving: Some(serving),
        })
    }

    /// Where it serves.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The endpoint for clients (`http://127.0.0.1:4568`).
    #[must_use]
    pub fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Makes a bucket if it is not there.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidArgument`] for a name that S3 does not allow, or what keeps the folder from being made.
    pub fn create_bucket(&self, name: &str) -> Result<FolderBucket> {
        self.folders.create(name)
    }

    /// Ends it, after the requests under way are answered.
    pub async fn stop(mut self) {
        self.end.cancel();
        if let Some(serving) = self.serving.take() {
            // It ends in no other way than by itself.
            let _ = serving.await;
        }
    }
}

impl Drop for S3Server {
    fn drop(&mut self) {
        self.end.cancel();
    }
}

async fn serve(listener: TcpListener, service: S3Service, end: CancellationToken) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => {
                    connections.spawn(connection(stream, service.clone(), end.clone()));
                }
                Err(error) => {
                    tracing::warn!(%error, "the S3 store could not accept a connection");
                    // Out of file descriptors, most likely: give those under way time to end.
                    tokio::time::sleep(std::time::Duration::from_millis(50)).await;
                }
            },
            Some(_) = connections.join_next() => {}
            () = end.cancelled() => break,
        }
    }
    while connections.join_next().await.is_some() {}
}

async fn connection(stream: TcpStream, service: S3Service, end: CancellationToken) {
    // Small answers must not wait for more to come.
    let _ = stream.set_nodelay(true);
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .serve_connection(TokioIo::new(stream), service);
    let mut connection = std::pin::pin!(connection);
    let mut ending = false;
    loop {
        tokio::select! {
            outcome = connection.as_mut() => {
                if let Err(error) = outcome {
                    tracing::debug!(%error, "a connection to the S3 store broke off");
                }
                return;
            }
            () = end.cancelled(), if !ending => {
                ending = true;
                connection.as_mut().graceful_shutdown();
            }
        }
    }
}

/// The buckets below the root, each opened once.
#[derive(Debug, Clone)]
pub(super) struct Folders {
    root: PathBuf,
    open: Arc<Mutex<BTreeMap<String, FolderBucket>>>,
}

impl Folders {
    fn open_buckets(&self) -> std::sync::MutexGuard<'_, BTreeMap<String, FolderBucket>> {
        // The map is whole at any time.
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The bucket, if it is there.
    pub(super) fn get(&self, name: &str) -> Result<Option<FolderBucket>> {
        let folder = self.root.join(name);
        let mut open = self.open_buckets();
        if !s3s::path::check_bucket_name(name) || !folder.is_dir() {
            open.remove(name);
            return Ok(None);
        }
        if let Some(bucket) = open.get(name) {
            return Ok(Some(bucket.clone()));
        }
        let bucket = FolderBucket::open(name, &folder)?;
        open.insert(name.to_owned(), bucket.clone());
        Ok(Some(bucket))
    }

    pub(super) fn create(&self, name: &str) -> Result<FolderBucket> {
        if !s3s::path::check_bucket_name(name) {
            return Err(Error::new(
                ErrorKind::InvalidArgument,
                "s3.create_bucket",
                "an S3 bucket's name has 3 to 63 lower-case letters, digits, hyphens and dots",
            )
            .with("bucket", name));
        }
        let folder = self.root.join(name);
        std::fs::create_dir_all(&folder)
            .map_err(|error| io_error(error, "s3.create_bucket").with("folder", folder.display()))?;
        self.get(name)?.ok_or_else(|| {
            Error::new(
                ErrorKind::NotFound,
                "s3.create_bucket",
                "the bucket was removed at the same moment",
            )
            .with("bucket", name)
        })
    }

    /// Removes an empty bucket; says whether it was empty.
    pub(super) fn remove(&self, name: &str) -> Result<bool> {
        let mut open = self.open_buckets();
        match std::fs::remove_dir(self.root.join(name)) {
            Ok(()) => {
                open.remove(name);
                Ok(true)
            }
            Err(error) if error.kind() == std::io::ErrorKind::DirectoryNotEmpty => Ok(false),
            Err(error) => Err(io_error(error, "s3.delete_bucket").with("bucket", name)),
        }
    }

    /// The names of the buckets, in order.
    pub(super) fn names(&self) -> Result<Vec<String>> {
        let failed = |error| io_error(error, "s3.list_buckets").with("folder", self.root.display());
        let mut names = Vec::new();
        for entry in std::fs::read_dir(&self.root).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            if let Ok(name) = entry.file_name().into_string()
                && s3s::path::check_bucket_name(&name)
                && entry.file_type().map_err(failed)?.is_dir()
            {
                names.push(name);
            }
        }
        names.sort();
        Ok(names)
    }
}
