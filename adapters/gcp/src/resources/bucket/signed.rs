//! Signed URLs, version 4: <https://cloud.google.com/storage/docs/authentication/canonical-requests>, <https://cloud.google.com/storage/docs/authentication/signatures>.
//!
//! `object_store` signs too, but takes a key as it is for the path of a URL, so that another object is meant if it has a `?`, `#` or `%`.

use std::fmt::Write as _;
use std::time::Duration;

use chrono::{DateTime, Utc};
use google_cloud_auth::signer::Signer;
use nephos_core::Result;
use nephos_core::resource::bucket::SignedMethod;
use object_store::path::Path;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use sha2::{Digest as _, Sha256};
use url::Url;

use super::SIGN;
use crate::error::credentials::unsigned;

const ALGORITHM: &str = "GOOG4-RSA-SHA256";

/// All but what is never encoded: <https://cloud.google.com/storage/docs/authentication/canonical-requests#about-query-strings>
const STRICT: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

/// The same for the path of an object, whose slashes stay.
const PATH: &AsciiSet = &STRICT.remove(b'/');

/// A URL of the bucket at `address` that allows `method` on the object.
pub(super) async fn sign(
    signer: &Signer,
    address: &Url,
    method: SignedMethod,
    path: &Path,
    lifetime: Duration,
) -> Result<String> {
    let email = signer
        .client_email()
        .await
        .map_err(|error| unsigned(SIGN, &error))?;
    let request = Request::new(&email, address, method, path, lifetime, Utc::now());
    let signature = signer
        .sign(request.to_sign())
        .await
        .map_err(|error| unsigned(SIGN, &error))?;
    Ok(request.url(&signature))
}

/// A request that is to be signed.
struct Request {
    /// `https://storage.googleapis.com`
    origin: String,
    host: String,
    method: http::Method,
    /// Encoded.
    path: String,
    /// Encoded, and in order.
    query: String,
    date: String,
    scope: String,
}

impl Request {
    fn new(
        email: &str,
        address: &Url,
        method: SignedMethod,
        path: &Path,
        lifetime: Duration,
        now: DateTime<Utc>,
    ) -> Self {
        let strict = |text: &str| utf8_percent_encode(text, STRICT).to_string();
        let date = now.format("%Y%m%dT%H%M%SZ").to_string();
        let scope = format!("{}/auto/storage/goog4_request", now.format("%Y%m%d"));
        // A part of a second would be none.
        let seconds = lifetime.as_secs() + u64::from(lifetime.subsec_nanos() > 0);
        let query = [
            ("X-Goog-Algorithm", ALGORITHM.to_owned()),
            ("X-Goog-Credential", format!("{email}/{scope}")),
            ("X-Goog-Date", date.clone()),
            ("X-Goog-Expires", seconds.to_string()),
            ("X-Goog-SignedHeaders", "host".to_owned()),
        ]
        .map(|(name, value)| format!("{name}={}", strict(&value)))
        .join("&");
        let origin = address.origin().ascii_serialization();
        Self {
            host: origin.split_once("://").map_or("", |(_, host)| host).to_owned(),
            origin,
            method: method.into(),
            path: format!(
                "{}/{}",
                address.path().trim_end_matches('/'),
                utf8_percent_encode(path.as_ref(), PATH)
            ),
            query,
            date,
            scope,
        }
    }

    fn to_sign(&self) -> String {
        let canonical = format!(
            "{}\n{}\n{}\nhost:{}\n\nhost\nUNSIGNED-PAYLOAD",
            self.method, self.path, self.query, self.host
        );
        let sum = hex(&Sha256::digest(canonical.as_bytes()));
        format!("{ALGORITHM}\n{}\n{}\n{sum}", self.date, self.scope)
    }

    fn url(&self, signature: &[u8]) -> String {
        format!(
            "{}{}?{}&X-Goog-Signature={}",
            self.origin,
            self.path,
            self.query,
            hex(signature)
        )
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing to a string does not fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_signed_is_the_request_as_google_writes_it() {
        let address = Url::parse("https://storage.googleapis.com/photos-1").unwrap();
        let path = Path::parse("sp ace/ü%20+&=?#.txt").unwrap();
        let now = DateTime::from_timestamp(1_549_015_200, 0).unwrap();
        let request = Request::new(
            "app@p.iam.gserviceaccount.com",
            &address,
            SignedMethod::Get,
            &path,
            Duration::from_millis(59_001),
            now,
        );
        let url = request.url(&[0, 255]);
        assert_eq!(
            url,
            "https://storage.googleapis.com/photos-1/sp%20ace/%C3%BC%2520%2B%26%3D%3F%23.txt?X-Goog-Algorithm=GOOG4-RSA-SHA256&X-Goog-Credential=app%40p.iam.gserviceaccount.com%2F20190201%2Fauto%2Fstorage%2Fgoog4_request&X-Goog-Date=20190201T100000Z&X-Goog-Expires=60&X-Goog-SignedHeaders=host&X-Goog-Signature=00ff"
        );
        // What the sum is of, written out once more.
        let canonical = "GET\n/photos-1/sp%20ace/%C3%BC%2520%2B%26%3D%3F%23.txt\nX-Goog-Algorithm=GOOG4-RSA-SHA256&X-Goog-Credential=app%40p.iam.gserviceaccount.com%2F20190201%2Fauto%2Fstorage%2Fgoog4_request&X-Goog-Date=20190201T100000Z&X-Goog-Expires=60&X-Goog-SignedHeaders=host\nhost:storage.googleapis.com\n\nhost\nUNSIGNED-PAYLOAD";
        assert_eq!(
            request.to_sign(),
            format!(
                "GOOG4-RSA-SHA256\n20190201T100000Z\n20190201/auto/storage/goog4_request\n{}",
                hex(&Sha256::digest(canonical.as_bytes()))
            )
        );
    }
}
