//! Tokens of Google: [those of OpenID Connect](https://cloud.google.com/pubsub/docs/authenticate-push-subscriptions), by which its services say who calls, and the events of sign-in, which are
//! tokens themselves. Pure: the keys are brought by the caller.

use std::fmt::Debug;

use jsonwebtoken::jwk::{Jwk, JwkSet};
use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode, decode_header};
use nephos_core::{Error, ErrorKind, Result};
use serde::Deserialize;
use serde::de::DeserializeOwned;

/// Where the keys of tokens are that say who calls: <https://accounts.google.com/.well-known/openid-configuration>.
pub const CALLERS_KEYS: &str = "https://www.googleapis.com/oauth2/v3/certs";
/// Where the keys of Identity Platform's events are.
pub const AUTH_KEYS: &str =
    "https://www.googleapis.com/service_accounts/v1/jwk/securetoken@system.gserviceaccount.com";

/// Who issues tokens that say who calls.
const ISSUERS: [&str; 2] = ["https://accounts.google.com", "accounts.google.com"];

const OPERATION: &str = "token.verify";

/// Keys, by their ids.
pub trait Keys: Debug {
    /// The key of this id.
    fn key(&self, id: &str) -> Option<&Jwk>;
}

impl Keys for JwkSet {
    fn key(&self, id: &str) -> Option<&Jwk> {
        self.find(id)
    }
}

/// What a token must say.
#[derive(Debug, Clone, Copy)]
pub struct Expected<'a> {
    /// Who has issued it, one of these.
    pub issuers: &'a [&'a str],
    /// Whom it is for, one of these.
    pub audiences: &'a [&'a str],
}

fn refused(why: &'static str) -> Error {
    Error::new(ErrorKind::Unauthenticated, OPERATION, why)
}

/// The id of the key that a token says it was signed with.
///
/// # Errors
/// [`ErrorKind::Unauthenticated`] if it is no token.
pub fn key_id(token: &str) -> Result<String> {
    let header = decode_header(token)
        .map_err(|error| refused("the request brings no token of Google").caused_by(error))?;
    header
        .kid
        .ok_or_else(|| refused("the token does not say which key it was signed with"))
}

/// The claims of a token, if one of `keys` signed it, it has not expired, and it says what is `expected`.
///
/// # Errors
/// [`ErrorKind::Unauthenticated`] if not.
pub fn verify<T: DeserializeOwned>(token: &str, keys: &dyn Keys, expected: Expected<'_>) -> Result<T> {
    let id = key_id(token)?;
    let key = keys
        .key(&id)
        .ok_or_else(|| refused("the token was signed with a key that is none of Google's"))?;
    let key = DecodingKey::from_jwk(key)
        .map_err(|error| refused("the token's key cannot be used").caused_by(error))?;
    let mut validation = Validation::new(Algorithm::RS256);
    validation.set_issuer(expected.issuers);
    validation.set_audience(expected.audiences);
    validation.set_required_spec_claims(&["exp", "iss", "aud"]);
    decode(token, &key, &validation)
        .map(|token| token.claims)
        .map_err(|error| {
            refused("the token is not Google's for this function, or has expired").caused_by(error)
        })
}

#[derive(Deserialize)]
struct Caller {
    #[serde(default)]
    email: Option<String>,
    #[serde(default)]
    email_verified: bool,
}

/// Holds that a token says that the service account `email` calls, for `audience`.
///
/// # Errors
/// As [`verify`].
pub fn verify_caller(token: &str, keys: &dyn Keys, audience: &str, email: &str) -> Result<()> {
    let expected = Expected {
        issuers: &ISSUERS,
        audiences: &[audience],
    };
    let caller: Caller = verify(token, keys, expected)?;
    if caller.email_verified && caller.email.as_deref() == Some(email) {
        return Ok(());
    }
    Err(refused("the token is of another service account"))
}

#[cfg(test)]
pub(crate) mod tests;
