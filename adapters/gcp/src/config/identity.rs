//! Who asks: Application Default Credentials by Google's own crate, found at the first request. It renews tokens by itself.

use std::fmt::{self, Debug};
use std::sync::OnceLock;

use google_cloud_auth::credentials::{
    AccessTokenCredentials, Builder, CacheableResource, CredentialsProvider as _,
};
use google_cloud_auth::signer::Signer;
use http::{Extensions, HeaderMap};
use nephos_core::{Error, ErrorKind, Result};

use crate::error::credentials;

/// What may be asked for with a token; what it may do is up to the roles of whoever asks.
const SCOPE: &str = "https://www.googleapis.com/auth/cloud-platform";

/// Who asks, and whose signature URLs have.
#[derive(Default)]
pub(crate) struct Identity {
    credentials: OnceLock<AccessTokenCredentials>,
    /// `None` inside: there is none, and none is looked for.
    signer: OnceLock<Option<Signer>>,
}

impl Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Identity").finish_non_exhaustive()
    }
}

impl Identity {
    /// These.
    pub(crate) fn known(credentials: AccessTokenCredentials, signer: Option<Signer>) -> Self {
        Self {
            credentials: credentials.into(),
            signer: signer.into(),
        }
    }

    /// Made within the runtime, because they renew themselves in a task of it.
    fn credentials(&self, operation: &'static str) -> Result<&AccessTokenCredentials> {
        if let Some(credentials) = self.credentials.get() {
            return Ok(credentials);
        }
        super::choose_cryptography();
        let found = Builder::default()
            .with_scopes([SCOPE])
            .build_access_token_credentials()
            .map_err(|error| credentials::unusable(operation, &error))?;
        Ok(self.credentials.get_or_init(|| found))
    }

    /// What a request says of who asks. Its values belong in no log.
    pub(crate) async fn headers(&self, operation: &'static str) -> Result<HeaderMap> {
        let answer = self.credentials(operation)?.headers(Extensions::new()).await;
        match answer.map_err(|error| credentials::failed(operation, &error))? {
            CacheableResource::New { data, .. } => Ok(data),
            // Only what was given before is not given again, and nothing was.
            CacheableResource::NotModified => Err(Error::new(
                ErrorKind::Internal,
                operation,
                "the source of the credentials gave none",
            )),
        }
    }

    /// A token that lives on for a while. Its text belongs in no log.
    #[cfg(any(feature = "bucket", feature = "deploy"))]
    pub(crate) async fn token(&self, operation: &'static str) -> Result<String> {
        let token = self.credentials(operation)?.access_token().await;
        token
            .map(|token| token.token)
            .map_err(|error| credentials::failed(operation, &error))
    }

    /// Who signs: a service account, with its own key, or by the IAM service that holds it.
    ///
    /// # Errors
    /// [`ErrorKind::Unsupported`] if those who ask cannot sign, as a person cannot.
    #[cfg(feature = "bucket")]
    pub(crate) fn signer(&self, operation: &'static str) -> Result<&Signer> {
        let known = match self.signer.get() {
            Some(known) => known,
            None => {
                super::choose_cryptography();
                let found = Builder::default()
                    .with_scopes([SCOPE])
                    .build_signer()
                    .map_err(|error| credentials::cannot_sign(operation, &error))?;
                self.signer.get_or_init(|| Some(found))
            }
        };
        known.as_ref().ok_or_else(|| {
            Error::new(
                ErrorKind::Unsupported,
                operation,
                "there is nobody whose signature a URL could have",
            )
        })
    }
}
