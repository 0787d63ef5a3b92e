//! The client of HTTPS that all services are asked by.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use nephos_core::{Error, ErrorKind, Result};

/// How long it may take to connect. An answer may take as long as the function has: uploads are large, and a pull waits.
const CONNECT: Duration = Duration::from_secs(10);

/// HTTPS by rustls on ring. It is made at the first request: it reads all certificates that the machine trusts, which takes longer than the rest of a function's start,
/// and many functions ask nobody unless something fails. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub(crate) struct Https(Arc<OnceLock<reqwest::Client>>);

impl Https {
    /// This client.
    #[cfg(feature = "harness")]
    pub(crate) fn known(client: reqwest::Client) -> Self {
        Self(Arc::new(client.into()))
    }

    pub(crate) fn client(&self) -> Result<&reqwest::Client> {
        if let Some(client) = self.0.get() {
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
        Ok(self.0.get_or_init(|| client))
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
