//! Requests signed with the account's key.

use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use nephos_core::{Error, ErrorKind, Result};
use sha2::Sha256;

use super::Account;

impl Account {
    /// The scheme `SharedKey` of blobs and queues.
    pub(super) fn sign(
        &self,
        method: &str,
        url: &str,
        headers: &[(&str, &str)],
        length: usize,
    ) -> Result<String> {
        let broken = |error: &dyn std::fmt::Display| {
            Error::new(
                ErrorKind::InvalidArgument,
                "storage.sign",
                "a request cannot be signed",
            )
            .with("account", &self.name)
            .caused_by(error.to_string())
        };
        let url = url::Url::parse(url).map_err(|error| broken(&error))?;
        let content_type = headers
            .iter()
            .find(|(name, _)| *name == "content-type")
            .map_or("", |(_, value)| value);
        let length = if length == 0 {
            String::new()
        } else {
            length.to_string()
        };
        let mut text = format!("{method}\n\n\n{length}\n\n{content_type}\n\n\n\n\n\n\n");
        let mut own: Vec<_> = headers
            .iter()
            .filter(|(name, _)| name.starts_with("x-ms-"))
            .collect();
        own.sort();
        for (name, value) in own {
            // Writing to a String does not fail.
            let _ = writeln!(text, "{name}:{value}");
        }
        let _ = write!(text, "/{}{}", self.name, url.path());
        let mut query: Vec<(String, String)> = url.query_pairs().into_owned().collect();
        query.sort();
        for (name, value) in query {
            let _ = write!(text, "\n{}:{value}", name.to_lowercase());
        }
        let key = STANDARD.decode(&self.key).map_err(|error| broken(&error))?;
        let mut mac = Hmac::<Sha256>::new_from_slice(&key).map_err(|error| broken(&error))?;
        mac.update(text.as_bytes());
        Ok(format!(
            "SharedKey {}:{}",
            self.name,
            STANDARD.encode(mac.finalize().into_bytes())
        ))
    }
}
