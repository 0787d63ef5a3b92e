//! A request, read: its path, its query, its headers; whatever is not known of them is refused.

use bytes::Bytes;
use http::{HeaderMap, Method};
use percent_encoding::percent_decode_str;
use serde_json::{Map, Value};

use super::error::{Outcome, Refusal};
use super::signed::HOST;
use super::state::Shared;

/// Headers that each client may send without a meaning for what is done.
const HARMLESS: &[&str] = &[
    "x-goog-api-client",
    "x-goog-gcs-idempotency-token",
    "x-goog-request-reason",
    // Google's client for Python sends it with every transfer; it says something where a session begins.
    "x-upload-content-type",
];

/// Headers that mean something wherever they are documented, and are refused elsewhere; all with `x-` too.
const MEANINGFUL: &[&str] = &[
    "cache-control",
    "content-disposition",
    "content-encoding",
    "content-language",
    "content-md5",
    "content-range",
    "expires",
    "if-match",
    "if-modified-since",
    "if-none-match",
    "if-range",
    "if-unmodified-since",
    "range",
];

/// The parameters that every method of the JSON API has, but for `key`, `oauth_token`, `quotaUser` and `userIp`.
const STANDARD: &[&str] = &["alt", "fields", "prettyPrint", "uploadType"];

/// The parameter that may be there more than once.
const REPEATED: &str = "permissions";

/// The query of a request.
#[derive(Debug, Clone, Default)]
pub(super) struct Query(pub(super) Vec<(String, String)>);

impl Query {
    pub(super) fn read(text: &str) -> Outcome<Self> {
        let mut pairs: Vec<(String, String)> = Vec::new();
        for pair in text.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let (name, value) = (form(name)?, form(value)?);
            if name != REPEATED && pairs.iter().any(|(other, _)| *other == name) {
                return Err(Refusal::parameter(&name, "it is there twice"));
            }
            pairs.push((name, value));
        }
        Ok(Self(pairs))
    }

    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.0
            .iter()
            .find(|(other, _)| other == name)
            .map(|(_, value)| value.as_str())
    }

    /// All values of a parameter that may be there more than once.
    pub(super) fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        let fits = self.0.iter().filter(move |(other, _)| other == name);
        fits.map(|(_, value)| value.as_str())
    }

    pub(super) fn has(&self, name: &str) -> bool {
        self.get(name).is_some()
    }

    pub(super) fn number(&self, name: &str) -> Outcome<Option<u64>> {
        self.get(name)
            .map(|value| {
                value
                    .parse()
                    .map_err(|_| Refusal::parameter(name, format!("'{value}' is no number")))
            })
            .transpose()
    }

    pub(super) fn flag(&self, name: &str) -> Outcome<bool> {
        match self.get(name) {
            None => Ok(false),
            // Google's client for Python writes them with a capital letter.
            Some(value) if value.eq_ignore_ascii_case("false") => Ok(false),
            Some(value) if value.eq_ignore_ascii_case("true") => Ok(true),
            Some(value) => Err(Refusal::parameter(
                name,
                format!("'{value}' is neither true nor false"),
            )),
        }
    }

    /// Refuses whatever is not one of those.
    pub(super) fn only(&self, known: &[&str]) -> Outcome<()> {
        match self.0.iter().find(|(name, _)| !known.contains(&name.as_str())) {
            Some((name, _)) => Err(Refusal::not_built(format!("the parameter '{name}' here"))),
            None => Ok(()),
        }
    }

    /// The same for a method of the JSON API, with what all of them have. Ours have uniform access, so that `projection` says nothing.
    pub(super) fn only_json(&self, known: &[&str]) -> Outcome<()> {
        let all: Vec<&str> = known.iter().chain(STANDARD).copied().collect();
        self.only(&all)?;
        if let Some(projection) = self
            .get("projection")
            .filter(|one| !["full", "noAcl"].contains(one))
        {
            return Err(Refusal::parameter(
                "projection",
                format!("'{projection}' is none of them"),
            ));
        }
        match self.get("alt") {
            None | Some("json") => Ok(()),
            Some("media") if known.contains(&"alt") => Ok(()),
            Some(other) => Err(Refusal::parameter(
                "alt",
                format!("'{other}' is not possible here"),
            )),
        }
    }
}

fn form(text: &str) -> Outcome<String> {
    decode(&text.replace('+', " "))
}

/// Percent-decoded, and UTF-8.
pub(super) fn decode(text: &str) -> Outcome<String> {
    percent_decode_str(text)
        .decode_utf8()
        .map(std::borrow::Cow::into_owned)
        .map_err(|_| Refusal::invalid(format!("'{text}' is not UTF-8 when decoded.")))
}

/// A request to one of the interfaces.
#[derive(Debug)]
pub(super) struct Asked {
    pub(super) method: Method,
    /// As it came.
    pub(super) path: String,
    pub(super) query: Query,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
}

impl Asked {
    /// A header's text.
    pub(super) fn header(&self, name: &str) -> Outcome<Option<&str>> {
        let mut all = self.headers.get_all(name).iter();
        let Some(value) = all.next() else {
            return Ok(None);
        };
        if all.next().is_some() {
            return Err(Refusal::invalid(format!("The header '{name}' is there twice.")));
        }
        std::str::from_utf8(value.as_bytes())
            .map(Some)
            .map_err(|_| Refusal::invalid(format!("The header '{name}' is not UTF-8.")))
    }

    /// Where it was asked, as URLs begin.
    pub(super) fn origin(&self, shared: &Shared) -> String {
        match self.header("host") {
            Ok(Some(HOST)) => format!("https://{HOST}"),
            _ => format!("http://{}", shared.authority),
        }
    }

    pub(super) fn owned(&self, name: &str) -> Outcome<Option<String>> {
        Ok(self.header(name)?.map(str::to_owned))
    }

    /// Refuses headers that mean something, but not here. `x-goog-meta-` stands for all that begin so.
    pub(super) fn only_headers(&self, known: &[&str]) -> Outcome<()> {
        for name in self.headers.keys().map(http::HeaderName::as_str) {
            let means = name.starts_with("x-") || MEANINGFUL.contains(&name);
            let is_known = HARMLESS.contains(&name)
                || known.contains(&name)
                || (name.starts_with("x-goog-meta-") && known.contains(&"x-goog-meta-"));
            if means && !is_known {
                return Err(Refusal::not_built(format!("the header '{name}' here")));
            }
        }
        Ok(())
    }

    /// Refuses a body where none is documented.
    pub(super) fn no_body(&self) -> Outcome<()> {
        if self.body.is_empty() {
            Ok(())
        } else {
            Err(Refusal::invalid("This request has no body."))
        }
    }

    /// The body as a JSON object; an empty one if there is none.
    pub(super) fn object(&self) -> Outcome<Map<String, Value>> {
        if self.body.is_empty() {
            return Ok(Map::new());
        }
        let kind = self.header("content-type")?.unwrap_or_default();
        if !kind.to_ascii_lowercase().starts_with("application/json") {
            return Err(Refusal::invalid(format!(
                "The content type of a resource is application/json, not '{kind}'."
            )));
        }
        object(&self.body)
    }
}

/// Bytes as a JSON object.
pub(super) fn object(bytes: &[u8]) -> Outcome<Map<String, Value>> {
    match serde_json::from_slice(bytes) {
        Ok(Value::Object(map)) => Ok(map),
        Ok(_) => Err(Refusal::new(400, "parseError", "InvalidArgument", "Parse Error")),
        Err(error) => Err(Refusal::new(
            400,
            "parseError",
            "InvalidArgument",
            format!("Parse Error: {error}"),
        )),
    }
}
