//! Credentials of a store outside: read from the secret on first use, kept, and read anew after the store has refused them.

use std::fmt::{self, Debug, Display};
use std::sync::Arc;

use async_trait::async_trait;
use futures::stream::{BoxStream, StreamExt as _};
use nephos_core::resource::secret::Secret;
use nephos_core::{Error, ErrorKind, Result};
use object_store::aws::AwsCredential;
use object_store::path::Path;
use object_store::{
    CopyOptions, CredentialProvider, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta,
    ObjectStore, PutMultipartOptions, PutOptions, PutPayload, PutResult, RenameOptions,
};
use serde::Deserialize;
use tokio::sync::Mutex;

/// The secret's JSON.
#[derive(Deserialize)]
struct Keys {
    access_key_id: String,
    secret_access_key: String,
    #[serde(default)]
    session_token: Option<String>,
}

/// Credentials out of a secret.
pub(super) struct SecretCredentials {
    secret: Secret,
    kept: Mutex<Option<Arc<AwsCredential>>>,
}

impl Debug for SecretCredentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SecretCredentials")
            .field("secret", &self.secret.name())
            .finish_non_exhaustive()
    }
}

impl SecretCredentials {
    pub(super) fn new(secret: Secret) -> Self {
        Self {
            secret,
            kept: Mutex::default(),
        }
    }

    async fn read(&self) -> Result<AwsCredential> {
        let value = self.secret.get().await?;
        // The parser's own message could quote the secret.
        let keys: Keys = serde_json::from_slice(value.expose()).map_err(|_| {
            Error::new(
                ErrorKind::InvalidArgument,
                "bucket.credentials",
                "the secret must be JSON with the texts access_key_id and secret_access_key, and session_token if there is one",
            )
            .with("secret", self.secret.name())
        })?;
        Ok(AwsCredential {
            key_id: keys.access_key_id,
            secret_key: keys.secret_access_key,
            token: keys.session_token,
        })
    }

    /// Forgets the credentials, so that the next request reads the secret again.
    pub(super) async fn forget(&self) {
        *self.kept.lock().await = None;
    }

    /// A store that forgets the credentials when it is refused.
    pub(super) fn watch(self: &Arc<Self>, store: Arc<dyn ObjectStore>) -> Arc<dyn ObjectStore> {
        Arc::new(Watched {
            store,
            credentials: Arc::clone(self),
        })
    }
}

#[async_trait]
impl CredentialProvider for SecretCredentials {
    type Credential = AwsCredential;

    async fn get_credential(&self) -> object_store::Result<Arc<AwsCredential>> {
        let mut kept = self.kept.lock().await;
        if let Some(credential) = &*kept {
            return Ok(Arc::clone(credential));
        }
        let fresh = self.read().await.map_err(|error| object_store::Error::Generic {
            store: "S3",
            source: Box::new(error),
        })?;
        let fresh = Arc::new(fresh);
        *kept = Some(Arc::clone(&fresh));
        Ok(fresh)
    }
}

/// A store whose refusals of the credentials are noticed.
#[derive(Debug)]
struct Watched {
    store: Arc<dyn ObjectStore>,
    credentials: Arc<SecretCredentials>,
}

impl Display for Watched {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Display::fmt(&self.store, f)
    }
}

fn is_refusal(error: &object_store::Error) -> bool {
    matches!(
        error,
        object_store::Error::Unauthenticated { .. } | object_store::Error::PermissionDenied { .. }
    )
}

impl Watched {
    async fn note<T>(&self, outcome: object_store::Result<T>) -> object_store::Result<T> {
        if outcome.as_ref().is_err_and(is_refusal) {
            self.credentials.forget().await;
        }
        outcome
    }

    fn note_all<T: Send + 'static>(
        &self,
        stream: BoxStream<'static, object_store::Result<T>>,
    ) -> BoxStream<'static, object_store::Result<T>> {
        let credentials = Arc::clone(&self.credentials);
        stream
            .then(move |outcome| {
                let credentials = Arc::clone(&credentials);
                async move {
                    if outcome.as_ref().is_err_and(is_refusal) {
                        credentials.forget().await;
                    }
                    outcome
                }
            })
            .boxed()
    }
}

// Every method is written out: a default one would lose what the store underneath does better.
#[async_trait]
impl ObjectStore for Watched {
    async fn put_opts(
        &self,
        location: &Path,
        payload: PutPayload,
        options: PutOptions,
    ) -> object_store::Result<PutResult> {
        self.note(self.store.put_opts(location, payload, options).await)
            .await
    }

    async fn put_multipart_opts(
        &self,
        location: &Path,
        options: PutMultipartOptions,
    ) -> object_store::Result<Box<dyn MultipartUpload>> {
        self.note(self.store.put_multipart_opts(location, options).await)
            .await
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> object_store::Result<GetResult> {
        self.note(self.store.get_opts(location, options).await).await
    }

    async fn get_ranges(
        &self,
        location: &Path,
        ranges: &[std::ops::Range<u64>],
    ) -> object_store::Result<Vec<bytes::Bytes>> {
        self.note(self.store.get_ranges(location, ranges).await).await
    }

    fn delete_stream(
        &self,
        locations: BoxStream<'static, object_store::Result<Path>>,
    ) -> BoxStream<'static, object_store::Result<Path>> {
        self.note_all(self.store.delete_stream(locations))
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, object_store::Result<ObjectMeta>> {
        self.note_all(self.store.list(prefix))
    }

    fn list_with_offset(
        &self,
        prefix: Option<&Path>,
        offset: &Path,
    ) -> BoxStream<'static, object_store::Result<ObjectMeta>> {
        self.note_all(self.store.list_with_offset(prefix, offset))
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> object_store::Result<ListResult> {
        self.note(self.store.list_with_delimiter(prefix).await).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> object_store::Result<()> {
        self.note(self.store.copy_opts(from, to, options).await).await
    }

    async fn rename_opts(&self, from: &Path, to: &Path, options: RenameOptions) -> object_store::Result<()> {
        self.note(self.store.rename_opts(from, to, options).await).await
    }
}
