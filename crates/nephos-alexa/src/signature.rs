//! Whether Alexa sent a request, as
//! [Amazon demands it of every skill of one's own](https://developer.amazon.com/en-US/docs/alexa/custom-skills/host-a-custom-skill-as-a-web-service.html#verify-request-sent-by-alexa).
//!
//! The header [`CHAIN_URL`] says where the certificate chain is: [`check_url`] tells whether it may be fetched from there. The header [`SIGNATURE`] holds the signature, which
//! [`verify`] checks with that chain. Fetching, and keeping what was fetched, is the host's; a request that fails is answered with 400.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chrono::{DateTime, TimeDelta, Utc};
use nephos_core::{Error, ErrorKind, Result};
use pki_types::pem::PemObject as _;
use pki_types::{CertificateDer, ServerName, UnixTime};
use serde::Deserialize;
use url::Url;
use webpki::ring::RSA_PKCS1_2048_8192_SHA256;
use webpki::{ALL_VERIFICATION_ALGS, EndEntityCert, KeyUsage, anchor_from_trusted_cert};

/// The header with the address of the certificate chain.
pub const CHAIN_URL: &str = "signaturecertchainurl";
/// The header with the signature over the body, SHA-256 and RSA, in Base64. The header `Signature` has one with SHA-1, which is not asked.
pub const SIGNATURE: &str = "signature-256";

/// The longest that a request may have been on its way, or may be ahead of this clock.
const TOLERANCE: TimeDelta = TimeDelta::seconds(150);

/// The name that the signing certificate must be for.
const SIGNER: &str = "echo-api.amazon.com";

const OPERATION: &str = "voice.verify";

/// The address of a certificate chain, if it is Amazon's.
///
/// # Errors
/// [`ErrorKind::Unauthenticated`] if it is not: whoever sent the request named a chain of their own.
pub fn check_url(text: &str) -> Result<Url> {
    let refused = || refused("the certificate chain's address is not Amazon's").with("url", text);
    // Parsing lowers scheme and host, and resolves `..`, as the rule wants it before it is compared.
    let mut url = Url::parse(text).map_err(|error| refused().caused_by(error))?;
    let is_amazons = url.scheme() == "https"
        && url.host_str() == Some("s3.amazonaws.com")
        && url.port_or_known_default() == Some(443)
        && url.path().starts_with("/echo.api/")
        && url.username().is_empty()
        && url.password().is_none();
    if !is_amazons {
        return Err(refused());
    }
    url.set_fragment(None);
    Ok(url)
}

/// A request with what it brings as proof.
#[derive(Debug, Clone, Copy)]
pub struct Signed<'a> {
    /// The body, to the byte.
    pub body: &'a [u8],
    /// The value of the header [`SIGNATURE`].
    pub signature: &'a str,
    /// The certificate chain that was fetched: PEM, the signing certificate first.
    pub chain: &'a [u8],
}

/// Verifies a request: that the chain leads to one of `roots`, holds at `now` and is for Alexa, that the body is signed by it, and that the request is no older than
/// 150 seconds.
///
/// # Errors
/// [`ErrorKind::Unauthenticated`] with what does not hold.
pub fn verify(request: Signed<'_>, roots: &[CertificateDer<'_>], now: DateTime<Utc>) -> Result<()> {
    let chain: Vec<CertificateDer<'static>> = CertificateDer::pem_slice_iter(request.chain)
        .collect::<Result<_, _>>()
        .map_err(|error| refused("the certificate chain is not PEM").caused_by(error.to_string()))?;
    let Some((signer, others)) = chain.split_first() else {
        return Err(refused("the certificate chain is empty"));
    };
    let untrusted =
        |what: &'static str| move |error: webpki::Error| refused(what).caused_by(error.to_string());
    let signer =
        EndEntityCert::try_from(signer).map_err(untrusted("the signing certificate cannot be read"))?;
    let anchors: Vec<_> = roots
        .iter()
        .map(anchor_from_trusted_cert)
        .collect::<Result<_, _>>()
        .map_err(untrusted("a trusted authority's certificate cannot be read"))?;
    let seconds = u64::try_from(now.timestamp()).unwrap_or_default();
    let at = UnixTime::since_unix_epoch(std::time::Duration::from_secs(seconds));
    signer
        .verify_for_usage(
            ALL_VERIFICATION_ALGS,
            &anchors,
            others,
            at,
            KeyUsage::server_auth(),
            None,
            None,
        )
        .map_err(untrusted(
            "the certificate chain does not lead to a trusted authority, or has run out",
        ))?;
    let name = ServerName::try_from(SIGNER)
        .map_err(|error| refused("the signer's name is none").caused_by(error.to_string()))?;
    signer
        .verify_is_valid_for_subject_name(&name)
        .map_err(untrusted("the signing certificate is not Alexa's"))?;
    let signature = STANDARD
        .decode(request.signature.trim())
        .map_err(|error| refused("the signature is not Base64").caused_by(error))?;
    signer
        .verify_signature(RSA_PKCS1_2048_8192_SHA256, request.body, &signature)
        .map_err(untrusted(
            "the request was not signed by this certificate, or was changed",
        ))?;
    check_age(request.body, now)
}

#[derive(Deserialize)]
struct Document {
    request: Stamped,
}

#[derive(Deserialize)]
struct Stamped {
    timestamp: DateTime<Utc>,
}

/// A recorded request must not be sent again later.
fn check_age(body: &[u8], now: DateTime<Utc>) -> Result<()> {
    let read: Document = serde_json::from_slice(body)
        .map_err(|error| refused("the request does not tell its time").caused_by(error))?;
    let sent = read.request.timestamp;
    if (now - sent).abs() > TOLERANCE {
        return Err(refused("the request is older than 150 seconds, or of the future; if this machine's clock is right, it was sent again")
            .with("sent", sent.to_rfc3339()));
    }
    Ok(())
}

fn refused(what: &'static str) -> Error {
    Error::new(ErrorKind::Unauthenticated, OPERATION, what)
}

#[cfg(test)]
mod tests;
