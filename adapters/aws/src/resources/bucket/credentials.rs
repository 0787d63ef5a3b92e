//! The SDK's credentials, as `object_store` asks for them: before each request, so they are kept until they are about to expire.

use std::fmt::{self, Debug};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use aws_credential_types::provider::error::CredentialsError;
use aws_credential_types::provider::{ProvideCredentials as _, SharedCredentialsProvider};
use object_store::CredentialProvider;
use object_store::aws::AwsCredential;
use tokio::sync::Mutex;

use crate::error::credentials;

/// How long before their end credentials are replaced: a request that is under way must not lose them.
const BEFORE_EXPIRY: Duration = Duration::from_secs(60);

/// Credentials by the SDK's chain.
pub(super) struct SdkCredentials {
    provider: Option<SharedCredentialsProvider>,
    kept: Mutex<Option<Kept>>,
}

#[derive(Clone)]
struct Kept {
    credential: Arc<AwsCredential>,
    /// `None`: they do not expire, as far as is known.
    expiry: Option<SystemTime>,
}

impl Debug for SdkCredentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SdkCredentials").finish_non_exhaustive()
    }
}

impl SdkCredentials {
    pub(super) fn new(provider: Option<SharedCredentialsProvider>) -> Self {
        Self {
            provider,
            kept: Mutex::default(),
        }
    }

    /// How long the credentials live on; `None` if they do not expire, as far as is known.
    pub(super) async fn lifetime(&self) -> object_store::Result<Option<Duration>> {
        let expiry = self.current().await?.expiry;
        Ok(expiry.map(|expiry| expiry.duration_since(SystemTime::now()).unwrap_or_default()))
    }

    async fn current(&self) -> object_store::Result<Kept> {
        // Held over the wait, so that many requests at once ask for credentials once.
        let mut kept = self.kept.lock().await;
        let now = SystemTime::now();
        if let Some(kept) = &*kept
            && kept.expiry.is_none_or(|expiry| expiry > now + BEFORE_EXPIRY)
        {
            return Ok(kept.clone());
        }
        let provider = self.provider.as_ref().ok_or_else(|| {
            refused(&CredentialsError::not_loaded(
                "the configuration names no source of credentials",
            ))
        })?;
        let found = provider
            .provide_credentials()
            .await
            .map_err(|error| refused(&error))?;
        let fresh = Kept {
            credential: Arc::new(AwsCredential {
                key_id: found.access_key_id().to_owned(),
                secret_key: found.secret_access_key().to_owned(),
                token: found.session_token().map(str::to_owned),
            }),
            expiry: found.expiry(),
        };
        Ok(kept.insert(fresh).clone())
    }
}

#[async_trait]
impl CredentialProvider for SdkCredentials {
    type Credential = AwsCredential;

    async fn get_credential(&self) -> object_store::Result<Arc<AwsCredential>> {
        Ok(self.current().await?.credential)
    }
}

/// `object_store`'s error, of which the core takes ours out again.
fn refused(error: &CredentialsError) -> object_store::Error {
    object_store::Error::Unauthenticated {
        path: String::new(),
        source: credentials::failed("bucket.credentials", error).into(),
    }
}
