//! Signed URLs: the right to one method on one object until a certain second, proven by HMAC-SHA256.

use std::fmt::{self, Debug};
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use hmac::{Hmac, KeyInit as _, Mac as _};
use nephos_core::resource::bucket::SignedMethod;
use nephos_core::{Error, ErrorKind, Result};
use sha2::Sha256;

use super::attributes::hex;
use crate::resources::bucket::method_name;
use crate::wire::object_path;

/// Makes and checks signed URLs of the resource API. Cheap to clone.
#[derive(Clone)]
pub struct UrlSigner {
    keyed: Hmac<Sha256>,
    api: Arc<str>,
}

impl Debug for UrlSigner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UrlSigner")
            .field("api", &self.api)
            .finish_non_exhaustive()
    }
}

impl UrlSigner {
    /// Signs with `key`, a secret of at least 32 random bytes that must stay the same as long as signed URLs are to hold. `api` is where the
    /// resource API is reached (`http://127.0.0.1:4567`).
    ///
    /// # Errors
    /// [`ErrorKind::InvalidArgument`] if the key is shorter.
    pub fn new(key: &[u8], api: &str) -> Result<Self> {
        let refuse = || {
            Error::new(
                ErrorKind::InvalidArgument,
                "bucket.signed_url",
                "the signing key must have at least 32 bytes",
            )
        };
        if key.len() < 32 {
            return Err(refuse());
        }
        Ok(Self {
            keyed: Hmac::new_from_slice(key).map_err(|_| refuse())?,
            api: api.trim_end_matches('/').into(),
        })
    }

    /// A URL that allows `method` on `key` of `bucket` until `expires_in` from `now`.
    #[must_use]
    pub fn sign(
        &self,
        bucket: &str,
        method: SignedMethod,
        key: &str,
        now: DateTime<Utc>,
        expires_in: Duration,
    ) -> String {
        let life = i64::try_from(expires_in.as_secs()).unwrap_or(i64::MAX);
        let expires = now.timestamp().saturating_add(life);
        let signature = hex(&self.mac(bucket, method, key, expires).finalize().into_bytes());
        format!(
            "{}{}?expires={expires}&method={}&signature={signature}",
            self.api,
            object_path(bucket, key),
            method_name(method),
        )
    }

    /// Checks the signature of a URL.
    ///
    /// # Errors
    /// [`ErrorKind::PermissionDenied`] if it is not this signer's, for another method, bucket or key, or has expired.
    pub fn check(
        &self,
        bucket: &str,
        method: SignedMethod,
        key: &str,
        now: DateTime<Utc>,
        expires: i64,
        signature: &str,
    ) -> Result<()> {
        let refuse = |message: &'static str| {
            Error::new(ErrorKind::PermissionDenied, "bucket.signed_url", message)
                .with("bucket", bucket)
                .with("key", key)
        };
        let signature = unhex(signature).ok_or_else(|| refuse("the signature is not hexadecimal"))?;
        // Compares in constant time.
        self.mac(bucket, method, key, expires)
            .verify_slice(&signature)
            .map_err(|_| refuse("the signature is not for this method, bucket, key and expiry"))?;
        if now.timestamp() >= expires {
            return Err(refuse("the signed URL has expired; ask for a new one").with("expired", expires));
        }
        Ok(())
    }

    fn mac(&self, bucket: &str, method: SignedMethod, key: &str, expires: i64) -> Hmac<Sha256> {
        let mut mac = self.keyed.clone();
        for part in ["nephos signed url 1", method_name(method), bucket, key] {
            mac.update(part.as_bytes());
            // A byte that none of them holds keeps the parts apart.
            mac.update(&[0]);
        }
        mac.update(&expires.to_be_bytes());
        mac
    }
}

/// The method of a name in a URL.
pub(crate) fn method_of(name: &str) -> Option<SignedMethod> {
    match name {
        "GET" => Some(SignedMethod::Get),
        "PUT" => Some(SignedMethod::Put),
        "DELETE" => Some(SignedMethod::Delete),
        _ => None,
    }
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    if !text.len().is_multiple_of(2) || !text.is_ascii() {
        return None;
    }
    (0..text.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(&text[at..at + 2], 16).ok())
        .collect()
}
