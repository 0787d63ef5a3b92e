//! Credentials, endpoints and HTTPS of all clients. Opening reads variables and nothing else; who asks is looked for at the first request.
//!
//! | variable | what |
//! |---|---|
//! | [`ENDPOINTS`] | where services are, if not at their own place |
//! | [`EMULATOR_TOKEN`] | what emulators are asked with, if they want a token |
//! | [`PROJECT`] | the project of resources that are named without one |
//! | `GOOGLE_APPLICATION_CREDENTIALS` | the file of whoever asks: a service account, a person, or a workload's federation |
//! | `GOOGLE_CLOUD_QUOTA_PROJECT` | the project that requests are counted for, of those who deploy |
//! | `GCE_METADATA_HOST` | another metadata server |
//!
//! These are [Application Default Credentials](https://cloud.google.com/docs/authentication/application-default-credentials): where no file is named, the one of
//! `gcloud auth application-default login` counts, and where there is none, the service account that Cloud Run's metadata server tells.

mod client;
mod endpoints;
mod identity;

use std::fmt::{self, Debug};
use std::sync::Arc;

use google_cloud_auth::credentials::AccessTokenCredentials;
use google_cloud_auth::signer::Signer;
use nephos_core::env::Environment;
use nephos_core::{Error, ErrorKind, Result};
use url::Url;

pub(crate) use self::client::Https;
#[cfg(feature = "harness")]
pub(crate) use self::client::builder;
pub use self::endpoints::{ENDPOINTS, Endpoints};
pub(crate) use self::identity::Identity;

/// The variable with the token that is sent over plain HTTP, which only emulators are asked by; unset, none is sent. Whoever the configuration's credentials are of, their tokens
/// go over TLS alone.
pub const EMULATOR_TOKEN: &str = "NEPHOS_GCP_EMULATOR_TOKEN";

/// The variable with the id of the project.
pub const PROJECT: &str = "GOOGLE_CLOUD_PROJECT";

const LOAD: &str = "config.load";

/// What all clients share. Cheap to clone.
#[derive(Clone)]
pub struct Config(Arc<Inner>);

struct Inner {
    endpoints: Endpoints,
    project: Option<String>,
    emulator_token: Option<String>,
    identity: Identity,
    https: Https,
}

impl Debug for Config {
    /// Where services are; nothing of credentials.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Config")
            .field("endpoints", &self.0.endpoints)
            .field("project", &self.0.project)
            .finish_non_exhaustive()
    }
}

impl Config {
    /// Reads the configuration of a function, or of those who deploy. No I/O. Credentials are found by the process's own variables.
    ///
    /// # Errors
    /// [`ErrorKind::Decode`] for endpoints that cannot be read.
    pub fn load(environment: &Environment) -> Result<Self> {
        Self::with(environment, Identity::default(), Https::default())
    }

    /// The same with these credentials: of a test, or of whoever was asked for theirs. Without a signer no URL can be signed.
    ///
    /// # Errors
    /// As [`load`](Self::load).
    pub fn with_credentials(
        environment: &Environment,
        credentials: AccessTokenCredentials,
        signer: Option<Signer>,
    ) -> Result<Self> {
        let identity = Identity::known(credentials, signer);
        Self::with(environment, identity, Https::default())
    }

    /// The same, by this client of HTTPS.
    pub(crate) fn with(environment: &Environment, identity: Identity, https: Https) -> Result<Self> {
        Ok(Self(Arc::new(Inner {
            endpoints: Endpoints::of(environment)?,
            project: environment.get(PROJECT).map(str::to_owned),
            emulator_token: environment.get(EMULATOR_TOKEN).map(str::to_owned),
            identity,
            https,
        })))
    }

    /// The project's id.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidArgument`] if it is not set.
    pub fn project(&self) -> Result<&str> {
        self.0.project.as_deref().ok_or_else(|| {
            Error::new(
                ErrorKind::InvalidArgument,
                LOAD,
                "no project is chosen; set `project` of the target in nephos.toml, or GOOGLE_CLOUD_PROJECT",
            )
        })
    }

    /// Where a service is asked, by its own URL.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidArgument`] if it is no URL.
    pub fn address(&self, url: &str) -> Result<Url> {
        self.0.endpoints.address(url)
    }

    /// A resource's full name: `projects/p/secrets/s` as it is, and of `s` alone the one in the configuration's project.
    ///
    /// # Errors
    /// As [`project`](Self::project), if it is needed.
    pub(crate) fn full_name(&self, collection: &str, name: &str) -> Result<String> {
        if name.contains('/') {
            return Ok(name.to_owned());
        }
        Ok(format!("projects/{}/{collection}/{name}", self.project()?))
    }

    /// What is sent over plain HTTP.
    pub(crate) fn emulator_token(&self) -> Option<&str> {
        self.0.emulator_token.as_deref()
    }

    pub(crate) fn identity(&self) -> &Identity {
        &self.0.identity
    }

    pub(crate) fn https(&self) -> &Https {
        &self.0.https
    }
}

/// Chooses who does the cryptography of TLS, also for the client of buckets and for credentials.
pub(crate) fn choose_cryptography() {
    // An error says that the program has chosen already.
    let _ = rustls::crypto::ring::default_provider().install_default();
}

#[cfg(test)]
mod tests;
