//! A request, read: its path in parts, its query, its body.

use bytes::Bytes;
use http::{HeaderMap, Method};
use percent_encoding::percent_decode_str;
use serde_json::Value;

use super::error::{Outcome, Refusal};

/// The query of a request; names are compared without regard to case.
#[derive(Debug, Clone, Default)]
pub(super) struct Query(Vec<(String, String)>);

impl Query {
    pub(super) fn read(text: &str) -> Self {
        Self(
            url::form_urlencoded::parse(text.as_bytes())
                .map(|(name, value)| (name.into_owned(), value.into_owned()))
                .collect(),
        )
    }

    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.0
            .iter()
            .find(|(other, _)| other.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
    }
}

/// A request to one of the interfaces.
#[derive(Debug)]
pub(super) struct Asked {
    pub(super) method: Method,
    /// Decoded.
    pub(super) path: String,
    pub(super) query: Query,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
}

impl Asked {
    pub(super) fn new(method: Method, uri: &http::Uri, headers: HeaderMap, body: Bytes) -> Self {
        Self {
            method,
            path: percent_decode_str(uri.path()).decode_utf8_lossy().into_owned(),
            query: Query::read(uri.query().unwrap_or_default()),
            headers,
            body,
        }
    }

    /// The parts of the path, and the same in lower case to compare.
    pub(super) fn parts(&self) -> (Vec<String>, Vec<String>) {
        let parts: Vec<String> = self
            .path
            .split('/')
            .filter(|part| !part.is_empty())
            .map(str::to_owned)
            .collect();
        let lower = parts.iter().map(|part| part.to_ascii_lowercase()).collect();
        (parts, lower)
    }

    /// The body as JSON.
    pub(super) fn json(&self) -> Outcome<Value> {
        serde_json::from_slice(&self.body).map_err(Refusal::content)
    }

    pub(super) fn api_version(&self) -> Outcome<&str> {
        self.query
            .get("api-version")
            .filter(|version| !version.is_empty())
            .ok_or_else(|| {
                Refusal::new(
                    400,
                    "MissingApiVersionParameter",
                    "The api-version query parameter (?api-version=) is required for all requests.",
                )
            })
    }

    /// The version, if it is one of those.
    pub(super) fn version_of(&self, known: &[&str]) -> Outcome<()> {
        let version = self.api_version()?;
        if known.contains(&version) {
            return Ok(());
        }
        Err(Refusal::new(
            400,
            "InvalidApiVersionParameter",
            format!(
                "The api-version '{version}' is invalid. The supported versions are '{}'.",
                known.join(",")
            ),
        ))
    }
}
