//! Fetches what a caller's proof needs, over HTTPS, by the roots that the machine trusts: keys of tokens, and chains of certificates.

use std::sync::OnceLock;
use std::time::Duration;

use bytes::Bytes;
use nephos_core::{Error, ErrorKind, Result};
use rustls::pki_types::CertificateDer;
use url::Url;

const OPERATION: &str = "https.get";
/// Who is to be verified waits: a voice service eight seconds for the whole answer.
const TIMEOUT: Duration = Duration::from_secs(3);

/// What is at `url`, at most `limit` bytes.
///
/// # Errors
/// [`ErrorKind::Unavailable`] if it cannot be had.
pub(super) async fn get(url: &Url, limit: usize) -> Result<Bytes> {
    let unavailable =
        |what: &'static str| Error::new(ErrorKind::Unavailable, OPERATION, what).with("url", url);
    let failed = |error: reqwest::Error| {
        unavailable("what proves a caller cannot be fetched").caused_by(error.without_url())
    };
    let mut response = client()?.get(url.clone()).send().await.map_err(failed)?;
    if !response.status().is_success() {
        return Err(unavailable("what proves a caller cannot be fetched").with("status", response.status()));
    }
    let mut bytes = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(failed)? {
        if bytes.len() + chunk.len() > limit {
            return Err(unavailable("what proves a caller is too long"));
        }
        bytes.extend_from_slice(&chunk);
    }
    Ok(bytes.into())
}

fn client() -> Result<&'static reqwest::Client> {
    static CLIENT: OnceLock<reqwest::Client> = OnceLock::new();
    if let Some(client) = CLIENT.get() {
        return Ok(client);
    }
    let unusable = |error: &dyn std::fmt::Display| {
        Error::new(ErrorKind::Internal, OPERATION, "HTTPS cannot be used").with("reason", error)
    };
    let mut roots = rustls::RootCertStore::empty();
    roots.add_parsable_certificates(self::roots()?.iter().cloned());
    let provider = rustls::crypto::ring::default_provider();
    let tls = rustls::ClientConfig::builder_with_provider(provider.into())
        .with_safe_default_protocol_versions()
        .map_err(|error| unusable(&error))?
        .with_root_certificates(roots)
        .with_no_client_auth();
    let client = reqwest::Client::builder()
        .use_preconfigured_tls(tls)
        .https_only(true)
        .redirect(reqwest::redirect::Policy::none())
        .timeout(TIMEOUT)
        .build()
        .map_err(|error| unusable(&error))?;
    Ok(CLIENT.get_or_init(|| client))
}

/// The roots that the machine trusts, read once.
///
/// # Errors
/// [`ErrorKind::Unavailable`] if there are none: the machine has no certificates installed.
pub(super) fn roots() -> Result<&'static [CertificateDer<'static>]> {
    static ROOTS: OnceLock<Vec<CertificateDer<'static>>> = OnceLock::new();
    let roots = ROOTS.get_or_init(|| rustls_native_certs::load_native_certs().certs);
    if roots.is_empty() {
        return Err(Error::new(
            ErrorKind::Unavailable,
            OPERATION,
            "the machine has no root certificates; install them, or name a file of them in SSL_CERT_FILE",
        ));
    }
    Ok(roots)
}
