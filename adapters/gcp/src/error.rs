//! Google's errors as ours: what kind by the reason and the status of `google.rpc.Status`, whether trying again can help, and what to do. In one place, for all services.
//! <https://cloud.google.com/apis/design/errors>, <https://google.aip.dev/193>

mod codes;
pub(crate) mod credentials;

use std::error::Error as StdError;
use std::fmt;

use http::HeaderMap;
use nephos_core::{Error, ErrorKind};
use serde::Deserialize;
use serde_json::Value;

/// The fact of an error that holds Google's status of it (`PERMISSION_DENIED`).
pub const STATUS: &str = "google_status";

/// The fact of an error that holds Google's reason for it (`SERVICE_DISABLED`).
pub const REASON: &str = "google_reason";

/// The fact of an error that holds after how many seconds the service wants to be asked again.
pub const RETRY_AFTER: &str = "retry_after_s";

/// The fields of an error's body that are looked at: <https://cloud.google.com/apis/design/errors#http_mapping>.
#[derive(Debug, Default, Deserialize)]
struct Status {
    #[serde(default)]
    message: String,
    #[serde(default)]
    status: String,
    #[serde(default)]
    details: Vec<Value>,
}

impl Status {
    /// Of an answer's body; a stream of answers has it in a list.
    fn of(body: &[u8]) -> Self {
        let Ok(value) = serde_json::from_slice::<Value>(body) else {
            return Self::default();
        };
        let error = value.get("error").or_else(|| value.get(0)?.get("error"));
        error
            .and_then(|error| Self::deserialize(error).ok())
            .unwrap_or_default()
    }

    fn detail(&self, kind: &str) -> Option<&Value> {
        let found = |detail: &&Value| {
            let ty = detail.get("@type").and_then(Value::as_str);
            ty.is_some_and(|ty| ty.ends_with(kind))
        };
        self.details.iter().find(found)
    }

    fn info<'a>(&'a self, pointer: &str) -> Option<&'a str> {
        self.detail("google.rpc.ErrorInfo")?.pointer(pointer)?.as_str()
    }

    /// Whether a number of things is used up, which does not pass. What is asked too often says so by a reason, or when to ask again.
    fn is_of_a_quota(&self) -> bool {
        let names = |kind: &str| self.detail(kind).is_some();
        self.status == "RESOURCE_EXHAUSTED"
            && names("google.rpc.QuotaFailure")
            && !names("google.rpc.RetryInfo")
            && !names("google.rpc.ErrorInfo")
    }

    /// `3s`, `0.5s`: the whole seconds that cover it.
    fn retry_after(&self) -> Option<u64> {
        let delay = self.detail("google.rpc.RetryInfo")?.get("retryDelay")?.as_str()?;
        let seconds: f64 = delay.strip_suffix('s')?.parse().ok()?;
        (0.0..1e9).contains(&seconds).then(|| seconds.ceil() as u64)
    }
}

/// The error of an answer that is no success. `operation` is `resource.verb`. Google's sentence is the cause, without what proves who asks.
pub(crate) fn answered(operation: &'static str, status: u16, headers: &HeaderMap, body: &[u8]) -> Error {
    let told = Status::of(body);
    let reason = told.info("/reason");
    let meaning = reason
        .and_then(codes::of_reason)
        .or_else(|| told.is_of_a_quota().then_some(codes::FULL))
        .or_else(|| codes::of_status(&told.status))
        .unwrap_or_else(|| codes::of_http(status));
    let mut error = meaning.error(operation);
    error = match told.status.as_str() {
        "" => error.with("status", status),
        name => error.with(STATUS, name),
    };
    if let Some(reason) = reason {
        error = error.with(REASON, reason);
    }
    for (name, pointer) in [
        ("service", "/metadata/service"),
        ("project", "/metadata/consumer"),
        ("permission", "/metadata/permission"),
        ("resource", "/metadata/resource"),
    ] {
        if let Some(value) = told.info(pointer) {
            error = error.with(name, value);
        }
    }
    let header = headers
        .get(http::header::RETRY_AFTER)
        .and_then(|value| value.to_str().ok()?.parse().ok());
    if let Some(seconds) = header.or_else(|| told.retry_after()) {
        error = error.with(RETRY_AFTER, seconds);
    }
    error.caused_by(Told(without_secrets(&told.message)))
}

/// Google's status of the error, if it has one.
#[must_use]
pub fn status(error: &Error) -> Option<&str> {
    error
        .context()
        .find_map(|(name, value)| (name == STATUS).then_some(value))
}

/// A request that did not leave this machine, or whose answer did not come.
pub(crate) fn unsent(operation: &'static str, error: &reqwest::Error) -> Error {
    let (kind, message) = if error.is_timeout() {
        (
            ErrorKind::DeadlineExceeded,
            "Google Cloud did not answer in time; check the network, and raise the function's timeout if it is short",
        )
    } else {
        (
            ErrorKind::Unavailable,
            "Google Cloud cannot be reached; check the network, and NEPHOS_GCP_ENDPOINTS if it is set",
        )
    };
    Error::new(kind, operation, message).caused_by(chain(error))
}

/// An answer that is a success and yet none that Google gives.
pub(crate) fn unreadable(operation: &'static str, error: impl fmt::Display) -> Error {
    Error::new(
        ErrorKind::Unavailable,
        operation,
        "the answer is not one of Google Cloud; check what lies between here and the endpoint",
    )
    .caused_by(without_secrets(&error.to_string()))
}

/// The error and its causes on one line, without what nobody may see.
fn chain(error: &(dyn StdError + 'static)) -> String {
    let mut line = String::new();
    let causes = std::iter::successors(Some(error), |error: &&(dyn StdError + 'static)| (*error).source());
    for cause in causes {
        let text = without_secrets(&cause.to_string());
        if line.contains(&text) {
            continue;
        }
        if !line.is_empty() {
            line.push_str(": ");
        }
        line.push_str(&text);
    }
    line
}

/// How much of Google's sentence is told.
const LONGEST: usize = 400;

/// The first line of a text, without what proves who asks: tokens, and the query of a URL, which may be a signature.
pub(crate) fn without_secrets(text: &str) -> String {
    let line = text.lines().next().unwrap_or_default();
    let words: Vec<String> = line.split(' ').map(clean_word).collect();
    let clean = words.join(" ");
    match clean.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", &clean[..end]),
        None => clean,
    }
}

fn clean_word(word: &str) -> String {
    if let Some((address, _)) = word.split_once('?')
        && address.contains("://")
    {
        return format!("{address}?…");
    }
    // Access tokens, refresh tokens and signed assertions.
    for secret in ["ya29.", "1//", "eyJ", "X-Goog-Signature="] {
        if let Some((before, _)) = word.split_once(secret)
            && !before.ends_with(|c: char| c.is_ascii_alphanumeric())
        {
            return format!("{before}…");
        }
    }
    word.to_owned()
}

/// What Google said.
#[derive(Debug)]
struct Told(String);

impl fmt::Display for Told {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_empty() {
            "Google Cloud said nothing more"
        } else {
            &self.0
        })
    }
}

impl StdError for Told {}

#[cfg(test)]
mod tests;
