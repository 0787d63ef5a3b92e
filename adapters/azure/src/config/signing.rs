//! Requests that a shared key signs. Azure's crates sign by tokens only; keys are for emulators, and where deployment says so.

#[cfg(feature = "table")]
mod cosmos;
#[cfg(feature = "queue")]
mod storage;

use std::fmt::{self, Debug};
use std::sync::Arc;

#[cfg(any(
    feature = "bucket",
    feature = "queue",
    feature = "topic",
    feature = "stream",
    feature = "table"
))]
use azure_core::http::policies::{Policy, PolicyResult};
#[cfg(any(
    feature = "bucket",
    feature = "queue",
    feature = "topic",
    feature = "stream",
    feature = "table"
))]
use azure_core::http::{Context, Request};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
#[cfg(any(feature = "bucket", feature = "queue", feature = "table"))]
use chrono::Utc;
#[cfg(any(feature = "bucket", feature = "queue", feature = "table"))]
use hmac::{Hmac, KeyInit as _, Mac as _};
use nephos_core::{Error, ErrorKind, Result};
#[cfg(any(feature = "bucket", feature = "queue", feature = "table"))]
use sha2::Sha256;

#[cfg(feature = "table")]
pub(crate) use self::cosmos::{MasterKey, url_encode};
#[cfg(feature = "queue")]
pub(crate) use self::storage::SharedKey;

/// A shared key. `Debug` does not show it.
#[derive(Clone)]
pub(crate) struct Key(
    #[cfg_attr(
        not(any(feature = "bucket", feature = "queue", feature = "table")),
        allow(dead_code, reason = "of kinds that have shared keys")
    )]
    Arc<[u8]>,
);

impl Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Key").finish_non_exhaustive()
    }
}

impl Key {
    /// Reads the Base64 of the variable `name`.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidArgument`] if it is none. The error does not show it.
    pub(crate) fn read(name: &'static str, text: &str) -> Result<Self> {
        STANDARD
            .decode(text.trim())
            .map(|bytes| Self(bytes.into()))
            .map_err(|_| {
                Error::new(
                    ErrorKind::InvalidArgument,
                    super::LOAD,
                    "the shared key is not in Base64; take it as the Azure portal shows it",
                )
                .with("variable", name)
            })
    }

    /// The key in Base64, for clients that sign by themselves.
    #[cfg(feature = "bucket")]
    pub(crate) fn base64(&self) -> String {
        STANDARD.encode(&self.0)
    }

    #[cfg(any(feature = "bucket", feature = "queue", feature = "table"))]
    /// The signature of the text, in Base64.
    pub(crate) fn sign(&self, text: &str) -> azure_core::Result<String> {
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.0).map_err(|_| {
            azure_core::Error::with_message(
                azure_core::error::ErrorKind::Credential,
                "the shared key cannot be used",
            )
        })?;
        mac.update(text.as_bytes());
        Ok(STANDARD.encode(mac.finalize().into_bytes()))
    }
}

/// Now, as a header has it.
#[cfg(any(feature = "bucket", feature = "queue", feature = "table"))]
pub(crate) fn date() -> String {
    Utc::now().format("%a, %d %b %Y %H:%M:%S GMT").to_string()
}

#[cfg(any(
    feature = "bucket",
    feature = "queue",
    feature = "topic",
    feature = "stream",
    feature = "table"
))]
/// Sends the request on through the rest of the pipeline.
pub(crate) async fn pass_on(
    context: &Context<'_>,
    request: &mut Request,
    next: &[Arc<dyn Policy>],
) -> PolicyResult {
    match next.split_first() {
        Some((policy, rest)) => policy.send(context, request, rest).await,
        None => Err(azure_core::Error::with_message(
            azure_core::error::ErrorKind::Other,
            "the pipeline ends before the request was sent",
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_read_from_base64_and_never_shown() {
        let key = Key::read("K", "c2VjcmV0\n").unwrap();
        assert_eq!(&*key.0, b"secret");
        assert!(!format!("{key:?}").contains("secret"), "{key:?}");
        let error = Key::read("K", "no key!").unwrap_err();
        assert!(error.to_string().contains("variable=K"), "{error}");
        assert!(!format!("{error:?}").contains("no key!"), "{error:?}");
    }
}
