//! Requests, which the host forwards as they are, or wraps, and their answers:
//! <https://learn.microsoft.com/azure/azure-functions/functions-custom-handlers#http-only-function>.
//!
//! The host's one HTTP trigger takes every path and method, so the function's own routes are matched here. What the two forms cost:
//!
//! | | forwarded | wrapped |
//! |---|---|---|
//! | values of one name in the query | joined by commas | as they were |
//! | the request's body | as it was | text, if its media type is not `application/octet-stream` or `multipart/…`: other bytes are damaged, which is refused (see below) |
//! | a body of no told length (`chunked`) | missing | missing: refused |
//! | the answer's body | as it is, streamed | text, see [`answer`] |
//! | several cookies | as they are | one |
//!
//! # What is refused
//!
//! A wrapped request whose body the host could not carry: 415 if its length is not the one that the request told, 411 if it told none. Neither reaches the handler.

pub mod answer;

use std::borrow::Cow;
use std::collections::BTreeMap;

use bytes::Bytes;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE, TRANSFER_ENCODING, USER_AGENT};
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri};
use memchr::memrchr;
use nephos_core::event::{Attributes, Body, Data, Raw, Request, Response};
use nephos_core::outcome::problem;
use nephos_core::route::Routes;
use nephos_core::{Event, Result, TraceContext};
use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};
use serde::Deserialize;
use serde_json::Value;

use super::wrapped::{Content, Invocation, refused};
use super::{base64, malformed};

/// The header in which the host tells an invocation's id.
pub const INVOCATION_ID: HeaderName = HeaderName::from_static("x-azure-functions-invocationid");
/// The header in which the host tells its version.
pub const HOST_VERSION: HeaderName = HeaderName::from_static("x-azure-functions-hostversion");

/// What the host adds to a request's user agent.
const HOST_AGENT: &str = "Azure-Functions-Host/";

/// Where a request goes.
#[derive(Debug)]
#[expect(
    clippy::large_enum_variant,
    reason = "it is taken apart at once, and most are of the large one"
)]
pub enum Routed {
    /// To the handler.
    To(Event),
    /// Nowhere: this is the answer.
    Refused(Response),
}

/// What a path or query must not hold as it is: a client may have sent it unencoded.
const NOT_IN_QUERY: &AsciiSet = &CONTROLS
    .add(b' ')
    .add(b'"')
    .add(b'#')
    .add(b'<')
    .add(b'>')
    .add(b'\\')
    .add(b'^')
    .add(b'`')
    .add(b'{')
    .add(b'|')
    .add(b'}');

/// What the host tells of a request that it forwards.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Told {
    /// The invocation's id; `None` if it is none of the host's.
    pub id: Option<String>,
    /// The trace that the request belongs to.
    pub trace: TraceContext,
}

impl Told {
    /// Reads what the host tells, and takes away what it added: the headers are the client's then.
    #[must_use]
    pub fn take(headers: &mut HeaderMap) -> Self {
        let (mut id, mut parent, mut state, mut agent) = (None, None, None, None);
        let mut has_version = false;
        // Each is looked at once: to look a name up is to read it letter by letter, and most are not there.
        for (name, value) in &*headers {
            match name.as_str() {
                // A client may have sent it too, before the host.
                "x-azure-functions-invocationid" => id = Some(value),
                "x-azure-functions-hostversion" => has_version = true,
                "user-agent" => agent = agent.or(Some(value)),
                "traceparent" => parent = parent.or(Some(value)),
                "tracestate" => state = state.or(Some(value)),
                _ => {}
            }
        }
        let has_id = id.is_some();
        let id = id.and_then(id_of);
        let agent = agent.map_or(Own::All, clients_own);
        let text = |value: Option<&HeaderValue>| Some(value?.to_str().ok()?.to_owned());
        let trace = TraceContext::new(text(parent), || text(state));
        if has_id {
            headers.remove(INVOCATION_ID);
        }
        if has_version {
            headers.remove(HOST_VERSION);
        }
        match agent {
            Own::All => {}
            Own::Part(own) => {
                headers.insert(USER_AGENT, own);
            }
            Own::Nothing => {
                headers.remove(USER_AGENT);
            }
        }
        Self { id, trace }
    }
}

/// Reads a request that the host forwarded, once what the host added was [taken](Told::take). `id` is the invocation's.
#[must_use]
#[inline]
pub fn decode_forwarded(request: Request, id: Option<String>, routes: &Routes<()>) -> Routed {
    routed(request, routes, id)
}

/// The id that the host gives the invocation.
#[must_use]
pub fn invocation_id(headers: &HeaderMap) -> Option<String> {
    id_of(headers.get_all(INVOCATION_ID).iter().next_back()?)
}

/// The id of its header. Where a client sent the header too, .NET joins the two, the host's last.
fn id_of(value: &HeaderValue) -> Option<String> {
    let bytes = value.as_bytes();
    let at = memrchr(b',', bytes).map_or(0, |comma| comma + 1);
    let id = std::str::from_utf8(bytes[at..].trim_ascii()).ok()?;
    (!id.is_empty()).then(|| id.to_owned())
}

/// What of a user agent is the client's.
#[derive(Debug, PartialEq, Eq)]
enum Own {
    All,
    Part(HeaderValue),
    Nothing,
}

/// The user agent without the host's own, which the host appends as a product of its own.
fn clients_own(agent: &HeaderValue) -> Own {
    let bytes = agent.as_bytes();
    let at = memrchr(b' ', bytes).map_or(0, |space| space + 1);
    if !bytes[at..].starts_with(HOST_AGENT.as_bytes()) {
        return Own::All;
    }
    match HeaderValue::from_bytes(bytes[..at].trim_ascii_end()) {
        Ok(own) if !own.is_empty() => Own::Part(own),
        _ => Own::Nothing,
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Wrapped<'a> {
    #[serde(borrow)]
    url: Cow<'a, str>,
    #[serde(borrow)]
    method: Cow<'a, str>,
    #[serde(default)]
    headers: BTreeMap<String, Values>,
    #[serde(default)]
    identities: Option<Value>,
    #[serde(default)]
    body: Option<String>,
}

/// The values of a header: a list, as the host writes them, or one, as its documentation has it.
#[derive(Deserialize)]
#[serde(untagged)]
enum Values {
    Several(Vec<String>),
    One(String),
}

/// Reads a request that the host wrapped, `{"Data": {"<name>": {"Url", "Method", "Headers", …}}}`. `id` is the invocation's, from
/// [the header](invocation_id) of the host's own request.
///
/// # Errors
/// [`ErrorKind::Decode`](nephos_core::ErrorKind::Decode) if the document holds no request.
pub fn decode_wrapped(document: &Bytes, id: Option<String>, routes: &Routes<()>) -> Result<Routed> {
    let invocation = Invocation::read(document)?;
    let Content::Json(json) = Content::read(invocation.value)? else {
        return Err(refused("the invocation of an HTTP trigger holds no request"));
    };
    let read: Wrapped<'_> = serde_json::from_str(&json)
        .map_err(|error| malformed("the request is not as the Functions host wraps it", error))?;
    let headers = headers(read.headers)?;
    let body = match body(read.body, &headers)? {
        Carried::Whole(body) => body,
        Carried::Not(status, detail) => return Ok(Routed::Refused(problem(status, Some(detail)))),
    };
    let mut request = Request::new(Body::from(body));
    *request.method_mut() = Method::from_bytes(read.method.as_bytes())
        .map_err(|error| refused("the request's method is none").caused_by(error))?;
    *request.uri_mut() = target(&read.url)?;
    *request.headers_mut() = headers;
    let routed = routed(request, routes, id);
    let Routed::To(mut event) = routed else {
        return Ok(routed);
    };
    if let Some(Value::Array(identities)) = read.identities
        && identities
            .iter()
            .any(|identity| identity["IsAuthenticated"] == true)
    {
        let extensions = &mut event.attributes.extensions;
        extensions.insert("azureidentities".into(), Value::Array(identities).to_string());
    }
    event.raw = Some(Raw::json(document.clone()));
    Ok(Routed::To(event))
}

// Requests are large: each function that is not taken into its caller moves them twice.
#[inline(always)]
fn routed(mut request: Request, routes: &Routes<()>, id: Option<String>) -> Routed {
    let params = match routes.find(request.uri().path(), request.method()) {
        Ok((_, params)) => params,
        Err(refusal) => return Routed::Refused(refusal.response()),
    };
    if !params.0.is_empty() {
        request.extensions_mut().insert(params);
    }
    let data = Data::Http(request);
    Routed::To(Event::new(Attributes::known(&data, id, None), data))
}

fn headers(read: BTreeMap<String, Values>) -> Result<HeaderMap> {
    let mut headers = HeaderMap::new();
    for (name, values) in read {
        let name = HeaderName::from_bytes(name.as_bytes())
            .map_err(|error| refused("a header's name is none").caused_by(error))?;
        let values = match values {
            Values::Several(values) => values,
            Values::One(value) => vec![value],
        };
        for value in values {
            let value = HeaderValue::from_bytes(value.as_bytes()).map_err(|error| {
                refused("a header's value is none")
                    .with("header", &name)
                    .caused_by(error)
            })?;
            headers.append(&name, value);
        }
    }
    Ok(headers)
}

/// Path and query of a URL; whose host it names is told by a header too.
fn target(url: &str) -> Result<Uri> {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let at = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let rest = rest.get(at..).unwrap_or_default();
    let mut target = String::with_capacity(rest.len() + 1);
    if !rest.starts_with('/') {
        target.push('/');
    }
    target.extend(utf8_percent_encode(rest, NOT_IN_QUERY));
    Uri::from_maybe_shared(Bytes::from(target))
        .map_err(|error| refused("the request's path and query are none").caused_by(error))
}

/// A body as far as the host carried it.
enum Carried {
    Whole(Bytes),
    Not(StatusCode, &'static str),
}

fn body(read: Option<String>, headers: &HeaderMap) -> Result<Carried> {
    let text = |name| {
        headers
            .get(name)
            .and_then(|value: &HeaderValue| value.to_str().ok())
    };
    let length: Option<usize> = text(CONTENT_LENGTH).and_then(|length| length.trim().parse().ok());
    let Some(body) = read else {
        // The host reads a body only if its length was told.
        if length.is_none() && text(TRANSFER_ENCODING).is_some() {
            return Ok(Carried::Not(
                StatusCode::LENGTH_REQUIRED,
                "this function takes no body whose length is not told",
            ));
        }
        return Ok(Carried::Whole(Bytes::new()));
    };
    if is_kept(text(CONTENT_TYPE)) {
        let bytes = base64::decode(
            &body,
            "the request's body is not Base64, as it must be of its media type",
        )?;
        return Ok(Carried::Whole(bytes.into()));
    }
    match length {
        // The host has read a byte order mark and left it out.
        Some(length) if length == body.len() + 3 && !body.contains('\u{fffd}') => {
            Ok(Carried::Whole(["\u{feff}", &body].concat().into()))
        }
        Some(length) if length != body.len() => Ok(Carried::Not(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "this function takes a body that is not UTF-8 text only as application/octet-stream or multipart/form-data",
        )),
        _ => Ok(Carried::Whole(body.into())),
    }
}

/// Whether the host keeps the bytes of a body of this media type; of every other it makes text.
fn is_kept(content_type: Option<&str>) -> bool {
    let essence = content_type
        .unwrap_or_default()
        .split(';')
        .next()
        .unwrap_or_default();
    let essence = essence.trim().to_ascii_lowercase();
    essence == "application/octet-stream" || essence.contains("multipart/")
}

#[cfg(test)]
mod tests;
