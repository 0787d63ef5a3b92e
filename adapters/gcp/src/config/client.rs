//! The client of HTTPS that all services are asked by.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use nephos_core::{Error, ErrorKind, Result};

/// How long it may take to connect. An answer may take as long as the function has: uploads are large, and a pull waits.
const CONNECT: Duration = Duration::from_secs(10);

/// HTTPS by rustls on ring. It is made at the first request: it reads all certificates that the machine trusts, which takes longer than the rest of a function's start,
/// and many functions ask nobody unless something fails. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub(crate) struct Https {
    client: Arc<OnceLock<reqwest::Client>>,
    /// How registries are reached, whose client has a client of HTTPS of its own.
    #[cfg(feature = "deploy")]
    registries: nephos_oci::Way,
}

impl Https {
    /// This client, and the same way to registries.
    #[cfg(feature = "harness")]
    pub(crate) fn known(client: reqwest::Client, registries: nephos_oci::Way) -> Self {
        Self {
            client: Arc::new(client.into()),
            registries,
        }
    }

    /// How registries are reached.
    #[cfg(feature = "deploy")]
    pub(crate) fn registries(&self) -> &nephos_oci::Way {
        &self.registries
    }

    pub(crate) fn client(&self) -> Result<&reqwest::Client> {
        if let Some(client) = self.client.get() {
            return Ok(client);
        }
        super::choose_cryptography();
        let client = builder().build().map_err(|error| {
            Error::new(
                ErrorKind::Unavailable,
                "config.https",
                "there can be no client of HTTPS; check that the machine has certificates of authorities",
            )
            .caused_by(error)
        })?;
        Ok(self.client.get_or_init(|| client))
    }
}

/// What every client has: objects come as they are stored, and never unpacked.
pub(crate) fn builder() -> reqwest::ClientBuilder {
    reqwest::Client::builder()
        .connect_timeout(CONNECT)
        .no_gzip()
        .no_brotli()
        .no_zstd()
        .no_deflate()
}
