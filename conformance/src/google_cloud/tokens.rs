//! Tokens: access tokens, which are known by what was given, and identity tokens, which are signed. The key is that of tests
//! ([`PRIVATE_KEY`](crate::gcs::PRIVATE_KEY)), for every account.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, Duration, Utc};
use nephos_core::{Error, ErrorKind, Result};
use pki_types::PrivatePkcs8KeyDer;
use pki_types::pem::PemObject as _;
use ring::rand::SystemRandom;
use ring::rsa::PublicKeyComponents;
use ring::signature::{KeyPair as _, RSA_PKCS1_SHA256, RsaKeyPair};
use serde_json::{Value, json};

use crate::gcs::PRIVATE_KEY;

/// The key's id, in the headers of what is signed.
pub(super) const KEY_ID: &str = "nephos-tests-1";
/// Who says who somebody is: <https://cloud.google.com/docs/authentication/token-types#id-contents>.
pub(super) const ISSUER: &str = "https://accounts.google.com";

/// An access token that was given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Token {
    /// Whether a test still lets it count.
    pub(super) counts: bool,
    /// When it expires by itself.
    pub(super) until: Option<DateTime<Utc>>,
    /// The service account that it is of; whoever has another may do everything.
    pub(super) account: Option<String>,
}

impl Token {
    pub(super) fn counts(&self) -> bool {
        self.counts && self.until.is_none_or(|until| Utc::now() < until)
    }
}

fn failed(what: &'static str) -> Error {
    Error::new(ErrorKind::Internal, "google-cloud.sign", what)
}

fn pair() -> Result<RsaKeyPair> {
    let refused = || failed("the key of tests is no RSA key");
    let key = PrivatePkcs8KeyDer::from_pem_slice(PRIVATE_KEY.as_bytes()).map_err(|_| refused())?;
    RsaKeyPair::from_pkcs8(key.secret_pkcs8_der()).map_err(|_| refused())
}

/// A signature with SHA-256.
pub(super) fn sign(bytes: &[u8]) -> Result<Vec<u8>> {
    let pair = pair()?;
    let mut signature = vec![0; pair.public().modulus_len()];
    pair.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), bytes, &mut signature)
        .map_err(|_| failed("the key of tests does not sign"))?;
    Ok(signature)
}

/// The public key, as PKCS #1 has it.
pub(super) fn public_key() -> Result<Vec<u8>> {
    Ok(pair()?.public_key().as_ref().to_vec())
}

/// What verifies signatures, as Google publishes it: <https://www.googleapis.com/oauth2/v3/certs>.
pub(super) fn key_set() -> Result<Value> {
    let parts = PublicKeyComponents::<Vec<u8>>::from(pair()?.public());
    Ok(json!({"keys": [{
        "kty": "RSA",
        "alg": "RS256",
        "use": "sig",
        "kid": KEY_ID,
        "n": URL_SAFE_NO_PAD.encode(parts.n),
        "e": URL_SAFE_NO_PAD.encode(parts.e),
    }]}))
}

/// Claims with their signature.
pub(super) fn signed(claims: &Value) -> Result<String> {
    let header = json!({"alg": "RS256", "kid": KEY_ID, "typ": "JWT"});
    let encode = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let text = format!("{}.{}", encode(&header), encode(claims));
    let signature = sign(text.as_bytes())?;
    Ok(format!("{text}.{}", URL_SAFE_NO_PAD.encode(signature)))
}

/// The identity token of a service account, for an hour.
pub(super) fn identity(account: &Value, audience: &str, has_email: bool) -> Result<String> {
    let now = Utc::now();
    let mut claims = json!({
        "aud": audience,
        "azp": account["uniqueId"],
        "sub": account["uniqueId"],
        "iss": ISSUER,
        "iat": now.timestamp(),
        "exp": (now + Duration::hours(1)).timestamp(),
    });
    if has_email {
        claims["email"] = account["email"].clone();
        claims["email_verified"] = true.into();
    }
    signed(&claims)
}
