//! Credentials, endpoints and HTTPS of all clients. Opening reads variables, and the file of a workload's
//! token where one names it; who they name is asked at the first request.
//!
//! | variable | what |
//! |---|---|
//! | [`ENDPOINTS`] | where services are, if not at their own place |
//! | `AZURE_CLIENT_ID` | the function's identity, or that of a service principal |
//! | `AZURE_TENANT_ID`, `AZURE_CLIENT_SECRET` | a service principal with a secret |
//! | `AZURE_FEDERATED_TOKEN_FILE` | a service principal that a workload's token stands for |
//! | `IDENTITY_ENDPOINT` | set by Azure where there is a managed identity |
//! | [`STORAGE_KEY`], [`COSMOS_KEY`] | shared keys, only where deployment says so |
//!
//! Where none of it is set, whoever is signed in to the Azure CLI is asked: those who deploy.

mod client;
mod endpoints;
#[cfg(all(test, feature = "harness"))]
pub(crate) mod fake;
pub(crate) mod signing;
#[cfg(any(
    feature = "bucket",
    feature = "queue",
    feature = "topic",
    feature = "stream",
    feature = "table"
))]
mod token;

use std::fmt::{self, Debug};
use std::sync::Arc;

use azure_core::credentials::{Secret, TokenCredential};
use azure_core::http::{ClientOptions, HttpClient, RetryOptions, Transport, Url};
use azure_identity::{
    AzureCliCredential, AzureCliCredentialOptions, ClientAssertionCredentialOptions, ClientSecretCredential,
    ClientSecretCredentialOptions, ManagedIdentityCredential, ManagedIdentityCredentialOptions,
    UserAssignedId, WorkloadIdentityCredential, WorkloadIdentityCredentialOptions,
};
use nephos_core::env::Environment;
use nephos_core::{Error, ErrorKind, Result};

use self::client::https;
pub use self::endpoints::{ENDPOINTS, Endpoints};
use self::signing::Key;
#[cfg(any(
    feature = "bucket",
    feature = "queue",
    feature = "topic",
    feature = "stream",
    feature = "table"
))]
pub(crate) use self::token::Tokens;

/// The variable with the key of the app's storage account, in Base64. Unset, the function's identity is what storage is asked with.
pub const STORAGE_KEY: &str = "NEPHOS_AZURE_STORAGE_KEY";

/// The variable with the key of the app's Cosmos DB account, in Base64. Unset, the function's identity is what tables are asked with.
pub const COSMOS_KEY: &str = "NEPHOS_AZURE_COSMOS_KEY";

const LOAD: &str = "config.load";

/// What all clients share. Cheap to clone.
#[derive(Clone)]
pub struct Config(Arc<Inner>);

struct Inner {
    endpoints: Endpoints,
    credential: Arc<dyn TokenCredential>,
    #[cfg_attr(
        not(any(feature = "bucket", feature = "queue")),
        allow(dead_code, reason = "of buckets and queues")
    )]
    storage_key: Option<Key>,
    #[cfg_attr(not(feature = "table"), allow(dead_code, reason = "of tables"))]
    cosmos_key: Option<Key>,
    http: Arc<dyn HttpClient>,
}

impl Debug for Config {
    /// Where services are; nothing of credentials.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Config")
            .field("endpoints", &self.0.endpoints)
            .finish_non_exhaustive()
    }
}

impl Config {
    /// Reads the configuration of a function, or of those who deploy. No I/O. The Azure CLI and a managed identity are found by the process's own variables.
    ///
    /// # Errors
    /// [`ErrorKind::Decode`] for endpoints that cannot be read, [`ErrorKind::InvalidArgument`] for a key that is no Base64,
    /// [`ErrorKind::Unauthenticated`] for variables that name no credentials that there can be.
    pub fn load(environment: &Environment) -> Result<Self> {
        let http = https();
        let credential = credential(environment, &options(&http))?;
        Self::with(environment, credential, http)
    }

    /// The same with these credentials: of a test, or of whoever was asked for theirs.
    ///
    /// # Errors
    /// As [`load`](Self::load).
    pub fn with_credential(environment: &Environment, credential: Arc<dyn TokenCredential>) -> Result<Self> {
        Self::with(environment, credential, https())
    }

    /// The same, by this client of HTTP.
    pub(crate) fn with(
        environment: &Environment,
        credential: Arc<dyn TokenCredential>,
        http: Arc<dyn HttpClient>,
    ) -> Result<Self> {
        choose_cryptography();
        let key = |name| {
            environment
                .get(name)
                .map(|text| Key::read(name, text))
                .transpose()
        };
        Ok(Self(Arc::new(Inner {
            endpoints: Endpoints::of(environment)?,
            credential,
            storage_key: key(STORAGE_KEY)?,
            cosmos_key: key(COSMOS_KEY)?,
            http,
        })))
    }

    /// Who asks.
    #[must_use]
    pub fn credential(&self) -> Arc<dyn TokenCredential> {
        Arc::clone(&self.0.credential)
    }

    /// The options of every client of Azure's crates: its retries are off, because the portable types retry.
    #[must_use]
    pub fn client_options(&self) -> ClientOptions {
        options(&self.0.http)
    }

    /// Where a resource is asked for, by what deployment calls it.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidArgument`] if it is no URL.
    pub fn address(&self, physical: &str) -> Result<Url> {
        self.0.endpoints.address(physical)
    }

    #[cfg(any(feature = "bucket", feature = "queue"))]
    pub(crate) fn storage_key(&self) -> Option<&Key> {
        self.0.storage_key.as_ref()
    }

    #[cfg(feature = "table")]
    pub(crate) fn cosmos_key(&self) -> Option<&Key> {
        self.0.cosmos_key.as_ref()
    }
}

/// Chooses who does the cryptography of TLS, also for the client of buckets.
pub(crate) fn choose_cryptography() {
    // An error says that the program has chosen already.
    let _ = rustls::crypto::ring::default_provider().install_default();
}

fn options(http: &Arc<dyn HttpClient>) -> ClientOptions {
    ClientOptions {
        retry: RetryOptions::none(),
        transport: Some(Transport::new(Arc::clone(http))),
        ..ClientOptions::default()
    }
}

/// Who asks, by what the variables name. The sources are not tried one after the other: a function must not act as somebody else because its own identity
/// failed for a moment.
fn credential(environment: &Environment, options: &ClientOptions) -> Result<Arc<dyn TokenCredential>> {
    let set = |name: &str| {
        environment
            .get(name)
            .filter(|value| !value.is_empty())
            .map(str::to_owned)
    };
    let (client, tenant) = (set("AZURE_CLIENT_ID"), set("AZURE_TENANT_ID"));
    let found: azure_core::Result<Arc<dyn TokenCredential>> =
        if let (Some(client), Some(tenant), Some(secret)) = (&client, &tenant, set("AZURE_CLIENT_SECRET")) {
            let options = ClientSecretCredentialOptions {
                client_options: options.clone(),
            };
            ClientSecretCredential::new(tenant, client.clone(), Secret::new(secret), Some(options))
                .map(|credential| credential as _)
        } else if let Some(file) = set("AZURE_FEDERATED_TOKEN_FILE") {
            let options = WorkloadIdentityCredentialOptions {
                credential_options: ClientAssertionCredentialOptions {
                    client_options: options.clone(),
                },
                client_id: client,
                tenant_id: tenant,
                token_file_path: Some(file.into()),
            };
            WorkloadIdentityCredential::new(Some(options)).map(|credential| credential as _)
        } else if set("IDENTITY_ENDPOINT").is_some() {
            let options = ManagedIdentityCredentialOptions {
                user_assigned_id: client.map(UserAssignedId::ClientId),
                client_options: options.clone(),
            };
            ManagedIdentityCredential::new(Some(options)).map(|credential| credential as _)
        } else {
            let options = AzureCliCredentialOptions {
                tenant_id: tenant,
                subscription: set("AZURE_SUBSCRIPTION_ID"),
                ..AzureCliCredentialOptions::default()
            };
            AzureCliCredential::new(Some(options)).map(|credential| credential as _)
        };
    found.map_err(|error| {
        Error::new(
            ErrorKind::Unauthenticated,
            LOAD,
            "the variables that begin with AZURE_ name no credentials that there can be; check AZURE_TENANT_ID, AZURE_CLIENT_ID and what belongs to them",
        )
        .caused_by(error.to_string())
    })
}

#[cfg(test)]
mod tests;
