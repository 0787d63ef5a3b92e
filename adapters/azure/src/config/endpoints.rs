//! Where services are, if not at their own place: emulators, and private links.

use std::collections::BTreeMap;
use std::sync::Arc;

use azure_core::http::Url;
use nephos_core::env::Environment;
use nephos_core::{Error, ErrorKind, Result};

/// The variable with other places of services: a JSON object from the beginning of a resource's URL to what stands there instead, as in
/// `{"https://acct.blob.core.windows.net":"http://127.0.0.1:10000/acct"}`.
pub const ENDPOINTS: &str = "NEPHOS_AZURE_ENDPOINTS";

/// Beginnings of URLs, and what stands there instead.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Endpoints(Arc<BTreeMap<String, String>>);

impl Endpoints {
    /// Reads the variable [`ENDPOINTS`]; empty if it is not set.
    ///
    /// # Errors
    /// [`ErrorKind::Decode`] if it is no such object.
    pub fn of(environment: &Environment) -> Result<Self> {
        let Some(text) = environment.get(ENDPOINTS) else {
            return Ok(Self::default());
        };
        serde_json::from_str(text)
            .map(|map| Self(Arc::new(map)))
            .map_err(|error| {
                Error::new(
                    ErrorKind::Decode,
                    super::LOAD,
                    "it must be a JSON object from the beginning of a URL to what stands there instead",
                )
                .with("variable", ENDPOINTS)
                .caused_by(error)
            })
    }

    /// The URL at its other place, if it has one; the longest beginning counts. What is left of `sb:` is asked over HTTPS.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidArgument`] if it is no URL of HTTP.
    pub fn address(&self, physical: &str) -> Result<Url> {
        let moved = self
            .0
            .iter()
            .filter_map(|(beginning, other)| {
                let beginning = beginning.trim_end_matches('/');
                let rest = physical.strip_prefix(beginning)?;
                (rest.is_empty() || rest.starts_with('/')).then_some((beginning.len(), other, rest))
            })
            .max_by_key(|(length, ..)| *length)
            .map(|(_, other, rest)| format!("{}{rest}", other.trim_end_matches('/')));
        let mut text = moved.unwrap_or_else(|| physical.to_owned());
        if let Some(rest) = text.strip_prefix("sb://") {
            text = format!("https://{rest}");
        }
        let refused = || {
            Error::new(
                ErrorKind::InvalidArgument,
                "resource.open",
                "the resource's name is no URL of a service of Azure; deploy the function again, and check NEPHOS_AZURE_ENDPOINTS if it is set",
            )
            .with("url", &text)
        };
        let url = Url::parse(&text).map_err(|error| refused().caused_by(error))?;
        if matches!(url.scheme(), "http" | "https") && url.has_host() {
            Ok(url)
        } else {
            Err(refused())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn endpoints(text: &str) -> Result<Endpoints> {
        Endpoints::of(&[(ENDPOINTS, text)].into_iter().collect())
    }

    #[test]
    fn the_longest_beginning_counts_and_ends_with_a_part_of_the_url() {
        let endpoints = endpoints(
            r#"{"https://a.blob.core.windows.net/":"http://127.0.0.1:1/a/",
                "https://a.blob.core.windows.net/photos":"http://127.0.0.1:2/b",
                "sb://ns.servicebus.windows.net":"http://127.0.0.1:3"}"#,
        )
        .unwrap();
        for (physical, address) in [
            (
                "https://a.blob.core.windows.net/other",
                "http://127.0.0.1:1/a/other",
            ),
            ("https://a.blob.core.windows.net/photos", "http://127.0.0.1:2/b"),
            (
                "https://a.blob.core.windows.net/photos2",
                "http://127.0.0.1:1/a/photos2",
            ),
            (
                "https://b.blob.core.windows.net/photos",
                "https://b.blob.core.windows.net/photos",
            ),
            ("sb://ns.servicebus.windows.net/jobs", "http://127.0.0.1:3/jobs"),
            (
                "sb://other.servicebus.windows.net/jobs",
                "https://other.servicebus.windows.net/jobs",
            ),
        ] {
            assert_eq!(
                endpoints.address(physical).unwrap().as_str(),
                address,
                "{physical}"
            );
        }
    }

    #[test]
    fn what_is_no_url_is_refused_with_what_to_do() {
        let none = Endpoints::of(&std::iter::empty::<(&str, &str)>().collect()).unwrap();
        for physical in ["", "jobs", "ftp://a/b", "https://"] {
            let error = none.address(physical).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidArgument, "{physical}");
            assert!(error.message().contains("deploy"), "{error}");
        }
        let error = endpoints("[]").unwrap_err();
        assert!(error.to_string().contains(ENDPOINTS), "{error}");
    }
}
