//! The answer to a wrapped request, `{"Outputs": {"res": {"statusCode", "headers", "body"}}, …}`, in which the output's name is that of the trigger's output binding.
//!
//! It is JSON, and the host reads it into .NET's values and back twice (`HttpScriptInvocationResultExtensions.cs`, `HttpBinding.cs`, `RawScriptResult.cs`). So it
//! cannot carry all that a response may be, and what it cannot carry is an error here, instead of another response there:
//!
//! - a body that is not UTF-8: there is no form for bytes;
//! - a body that is a date and time alone (`2026-02-03T12:00:00Z`): it would come out as .NET writes one;
//! - several cookies: a header has one value, and cookies cannot be joined.
//!
//! All of it works where every trigger of a function is `http`: then requests are forwarded, and the host passes the response on.

use std::collections::BTreeMap;

use bytes::Bytes;
use http::header::SET_COOKIE;
use http::response::Parts;
use nephos_core::{Error, ErrorKind, Result};
use serde::Serialize;

/// The name of the output binding.
pub const OUTPUT: &str = "res";

/// The media type that the answer must have.
pub const CONTENT_TYPE: &str = "application/json";

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Answer<'a> {
    outputs: BTreeMap<&'static str, Output<'a>>,
    logs: [&'static str; 0],
    return_value: Option<&'static str>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Output<'a> {
    status_code: &'a str,
    headers: BTreeMap<&'a str, String>,
    body: &'a str,
}

/// Writes a response whose body was read whole.
///
/// # Errors
/// [`ErrorKind::Unsupported`] for what the host cannot be told.
pub fn encode(parts: &Parts, body: &Bytes) -> Result<Bytes> {
    let unsupported = |what: &'static str| Error::new(ErrorKind::Unsupported, "outcome.encode", what);
    let body = std::str::from_utf8(body).map_err(|error| {
        unsupported("a function that has other triggers than `http` cannot answer with bytes that are no UTF-8 text; give its HTTP triggers to a function of their own")
            .caused_by(error)
    })?;
    if is_taken_for_time(body) {
        return Err(unsupported(
            "a function that has other triggers than `http` cannot answer with a date and time alone; answer with JSON, or give its HTTP triggers to a function of their own",
        ));
    }
    if parts.headers.get_all(SET_COOKIE).iter().count() > 1 {
        return Err(unsupported(
            "a function that has other triggers than `http` can set one cookie only; give its HTTP triggers to a function of their own",
        ));
    }
    let mut headers: BTreeMap<&str, String> = BTreeMap::new();
    for (name, value) in &parts.headers {
        let value = std::str::from_utf8(value.as_bytes()).map_err(|error| {
            unsupported("a header of the answer is not UTF-8 text")
                .with("header", name)
                .caused_by(error)
        })?;
        headers
            .entry(name.as_str())
            .and_modify(|values| {
                values.push_str(", ");
                values.push_str(value);
            })
            .or_insert_with(|| value.to_owned());
    }
    for value in headers.values_mut() {
        // Who reads the header leaves the space out.
        if is_taken_for_time(value) {
            value.insert(0, ' ');
        }
    }
    let answer = Answer {
        outputs: [(
            OUTPUT,
            Output {
                status_code: parts.status.as_str(),
                headers,
                body,
            },
        )]
        .into(),
        logs: [],
        return_value: None,
    };
    serde_json::to_vec(&answer).map(Bytes::from).map_err(|error| {
        Error::new(
            ErrorKind::Internal,
            "outcome.encode",
            "the answer cannot be written as JSON",
        )
        .caused_by(error)
    })
}

/// Whether the host's JSON reader (Json.NET) may make a time of it. Wider than its own rule: what it takes begins like this.
fn is_taken_for_time(text: &str) -> bool {
    let bytes = text.as_bytes();
    let iso = (19..=40).contains(&bytes.len())
        && bytes[10] == b'T'
        && bytes[..10].iter().enumerate().all(|(at, byte)| match at {
            4 | 7 => *byte == b'-',
            _ => byte.is_ascii_digit(),
        });
    iso || (text.starts_with("/Date(") && text.ends_with(")/"))
}
