//! Where services are, if not at their own place: emulators, and private endpoints.

use std::collections::BTreeMap;
use std::sync::Arc;

use nephos_core::env::Environment;
use nephos_core::{Error, ErrorKind, Result};
use url::Url;

/// The variable with other places of services: a JSON object from the beginning of a service's URL to what stands there instead, as in
/// `{"https://pubsub.googleapis.com":"http://127.0.0.1:8085"}`. What is asked over plain HTTP is asked without credentials, or
/// with [`EMULATOR_TOKEN`](super::EMULATOR_TOKEN).
pub const ENDPOINTS: &str = "NEPHOS_GCP_ENDPOINTS";

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

    /// The URL at its other place, if it has one; the longest beginning counts.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidArgument`] if it is no URL of HTTP.
    pub fn address(&self, url: &str) -> Result<Url> {
        let moved = self
            .0
            .iter()
            .filter_map(|(beginning, other)| {
                let beginning = beginning.trim_end_matches('/');
                let rest = url.strip_prefix(beginning)?;
                (rest.is_empty() || rest.starts_with('/')).then_some((beginning.len(), other, rest))
            })
            .max_by_key(|(length, ..)| *length)
            .map(|(_, other, rest)| format!("{}{rest}", other.trim_end_matches('/')));
        let text = moved.unwrap_or_else(|| url.to_owned());
        let refused = || {
            Error::new(
                ErrorKind::InvalidArgument,
                "resource.open",
                "it is no URL of HTTP; deploy the function again, and check NEPHOS_GCP_ENDPOINTS if it is set",
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
            r#"{"https://pubsub.googleapis.com/":"http://127.0.0.1:1/a/",
                "https://pubsub.googleapis.com/v1/projects/p":"http://127.0.0.1:2/b"}"#,
        )
        .unwrap();
        for (url, address) in [
            ("https://pubsub.googleapis.com", "http://127.0.0.1:1/a"),
            ("https://pubsub.googleapis.com/v1", "http://127.0.0.1:1/a/v1"),
            (
                "https://pubsub.googleapis.com/v1/projects/p/topics",
                "http://127.0.0.1:2/b/topics",
            ),
            (
                "https://pubsub.googleapis.com/v1/projects/p2",
                "http://127.0.0.1:1/a/v1/projects/p2",
            ),
            ("https://run.googleapis.com/", "https://run.googleapis.com/"),
        ] {
            assert_eq!(endpoints.address(url).unwrap().as_str(), address, "{url}");
        }
    }

    #[test]
    fn what_is_no_url_is_refused_with_what_to_do() {
        let none = Endpoints::of(&std::iter::empty::<(&str, &str)>().collect()).unwrap();
        for url in ["", "jobs", "ftp://a/b", "https://"] {
            let error = none.address(url).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidArgument, "{url}");
            assert!(error.message().contains("deploy"), "{error}");
        }
        let error = endpoints("[]").unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Decode);
        assert!(error.to_string().contains(ENDPOINTS), "{error}");
    }
}
