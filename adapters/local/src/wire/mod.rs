//! What both sides of the local protocol agree on: environment, header names, paths, and JSON bodies.

mod error;
mod queue;
mod resources;

use std::time::Duration;

use http::{HeaderMap, HeaderName, HeaderValue};
use nephos_core::handler::PathParams;
use nephos_core::resource::ResourceKind;
use nephos_core::{Error, ErrorKind, Result, TraceContext};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

pub use self::error::{MAX_CAUSES, WireError, kind_of_status, problem, status_of_kind};
pub use self::queue::{
    AckBody, ExtendBody, NackBody, PeekBody, ReceiveBody, ReceiveReply, SendBody, WireMessage, WireOutgoing,
    WireReceived,
};
pub use self::resources::{
    AppendBody, GetBody, IdsReply, ItemReply, PublishBody, ReadBody, ReadReply, ScanBody, SecretBody,
    SecretReply, VersionsReply, WireAppend, WirePayload, WirePublication, WireRecord, WriteBody,
};

/// The variable with the resource API's URL (`http://127.0.0.1:4567`); that it is set tells that the embedded host started the process.
pub const ENV_API: &str = "NEPHOS_LOCAL_API";
/// The variable with the function's token for the resource API.
pub const ENV_TOKEN: &str = "NEPHOS_LOCAL_TOKEN";
/// The variable with the embedded host's process id; the function ends when its parent is another process.
pub const ENV_PARENT: &str = "NEPHOS_LOCAL_PARENT";

/// What a delivery is: [`KIND_HTTP`] or [`KIND_EVENT`].
pub const KIND: HeaderName = HeaderName::from_static("nephos-kind");
/// The delivery is the client's own HTTP request.
pub const KIND_HTTP: HeaderValue = HeaderValue::from_static("http");
/// The delivery is one CloudEvent or a batch of them.
pub const KIND_EVENT: HeaderValue = HeaderValue::from_static("event");
/// The invocation's id.
pub const INVOCATION_ID: HeaderName = HeaderName::from_static("nephos-invocation-id");
/// The time that the invocation has left, in milliseconds.
pub const TIMEOUT_MS: HeaderName = HeaderName::from_static("nephos-timeout-ms");
/// Which delivery of the event it is, from 1.
pub const ATTEMPT: HeaderName = HeaderName::from_static("nephos-attempt");
/// The route's parameters, a JSON object of texts.
pub const PATH_PARAMS: HeaderName = HeaderName::from_static("nephos-path-params");
/// What the answer to a delivery is: one of [`OutcomeKind`]'s names.
pub const OUTCOME: HeaderName = HeaderName::from_static("nephos-outcome");
/// W3C trace context.
pub const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");
/// W3C trace context, the vendors' part.
pub const TRACESTATE: HeaderName = HeaderName::from_static("tracestate");
/// What begins the names of all of the protocol's own headers; the gateway drops such headers of strangers.
pub const RESERVED_PREFIX: &str = "nephos-";
/// What begins the name of a header that carries one of an object's metadata.
pub const OBJECT_META_PREFIX: &str = "nephos-meta-";

/// One CloudEvent in JSON.
pub const EVENT_JSON: &str = "application/cloudevents+json";
/// A list of CloudEvents in JSON.
pub const EVENT_BATCH_JSON: &str = "application/cloudevents-batch+json";
/// Problem details.
pub const PROBLEM_JSON: &str = "application/problem+json";
/// JSON.
pub const JSON: &str = "application/json";

/// The largest event that is delivered, and the largest answer to one, in bytes.
pub const MAX_EVENT_BYTES: usize = 128 << 20;
/// The largest JSON body of a resource request, in bytes.
pub const MAX_RESOURCE_BYTES: usize = 64 << 20;

/// What the answer to a delivery is, as the header [`OUTCOME`] says it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OutcomeKind {
    /// An HTTP response.
    Http,
    /// Acknowledged.
    Ack,
    /// Some records failed.
    Batch,
    /// Failed as a whole.
    Failed,
    /// A decision on a sign-up or sign-in step.
    Auth,
    /// Something to say.
    Voice,
    /// The answer to a direct invocation.
    Data,
}

impl OutcomeKind {
    const ALL: [Self; 7] = [
        Self::Http,
        Self::Ack,
        Self::Batch,
        Self::Failed,
        Self::Auth,
        Self::Voice,
        Self::Data,
    ];

    /// The header's value.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Ack => "ack",
            Self::Batch => "batch",
            Self::Failed => "failed",
            Self::Auth => "auth",
            Self::Voice => "voice",
            Self::Data => "data",
        }
    }

    /// The header's value.
    #[must_use]
    pub const fn value(self) -> HeaderValue {
        HeaderValue::from_static(self.name())
    }

    /// What the answer's headers say it is; `None` if they do not, as when something else than a function answered.
    #[must_use]
    pub fn of(headers: &HeaderMap) -> Option<Self> {
        let name = headers.get(&OUTCOME)?.as_bytes();
        Self::ALL.into_iter().find(|kind| kind.name().as_bytes() == name)
    }
}

/// What a delivery tells besides the event itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Meta {
    /// The invocation's id.
    pub invocation_id: String,
    /// The time left.
    pub timeout: Duration,
    /// Which delivery of the event it is, from 1.
    pub attempt: u32,
    /// The trace that it belongs to.
    pub trace: TraceContext,
}

impl Meta {
    /// Writes it into the headers of a delivery of this kind, over what they said before.
    pub fn write(&self, kind: HeaderValue, headers: &mut HeaderMap) {
        headers.insert(KIND, kind);
        insert(headers, INVOCATION_ID, &self.invocation_id);
        headers.insert(TIMEOUT_MS, HeaderValue::from(millis(self.timeout)));
        headers.insert(ATTEMPT, HeaderValue::from(self.attempt));
        if let Some(parent) = &self.trace.parent {
            insert(headers, TRACEPARENT, parent);
        }
        if let Some(state) = &self.trace.state {
            insert(headers, TRACESTATE, state);
        }
    }

    /// Reads it from a delivery's headers.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidArgument`] if one that must be there is missing or not what it should be.
    pub fn read(headers: &HeaderMap) -> Result<Self> {
        let invocation_id = text(headers, &INVOCATION_ID).ok_or_else(|| bad_header(&INVOCATION_ID))?;
        let timeout = number(headers, &TIMEOUT_MS)?;
        let attempt = u32::try_from(number(headers, &ATTEMPT)?).map_err(|_| bad_header(&ATTEMPT))?;
        Ok(Self {
            invocation_id: invocation_id.to_owned(),
            timeout: Duration::from_millis(timeout),
            attempt,
            trace: TraceContext {
                parent: text(headers, &TRACEPARENT).map(str::to_owned),
                state: text(headers, &TRACESTATE).map(str::to_owned),
            },
        })
    }
}

/// A header that cannot hold its value is left out: ids and traces are made of visible ASCII, or are not ours.
fn insert(headers: &mut HeaderMap, name: HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        headers.insert(name, value);
    }
}

fn text<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

fn number(headers: &HeaderMap, name: &HeaderName) -> Result<u64> {
    text(headers, name)
        .and_then(|value| value.parse().ok())
        .ok_or_else(|| bad_header(name))
}

fn bad_header(name: &HeaderName) -> Error {
    Error::new(
        ErrorKind::InvalidArgument,
        "host.receive",
        "the delivery lacks a header, or it is not what it should be",
    )
    .with("header", name)
}

/// The route's parameters as a header's value.
///
/// # Errors
/// [`ErrorKind::InvalidArgument`] if they have no form that a header can hold; none is known.
pub fn encode_path_params(params: &PathParams) -> Result<HeaderValue> {
    let refuse = |error: String| {
        Error::new(
            ErrorKind::InvalidArgument,
            "http.route",
            "the path's parameters cannot be passed on",
        )
        .caused_by(error)
    };
    // JSON escapes all control characters but the one that a header may not hold either.
    let json = serde_json::to_string(&params.0)
        .map_err(|error| refuse(error.to_string()))?
        .replace('\u{7f}', "\\u007f");
    HeaderValue::from_bytes(json.as_bytes()).map_err(|error| refuse(error.to_string()))
}

/// The route's parameters of a delivery's headers; none if the header is not there.
///
/// # Errors
/// [`ErrorKind::InvalidArgument`] if the header is not what [`encode_path_params`] makes.
pub fn decode_path_params(headers: &HeaderMap) -> Result<PathParams> {
    let Some(value) = headers.get(&PATH_PARAMS) else {
        return Ok(PathParams::default());
    };
    serde_json::from_slice(value.as_bytes())
        .map(PathParams)
        .map_err(|error| bad_header(&PATH_PARAMS).caused_by(error))
}

/// Drops all of the protocol's own headers, so that nobody outside can speak for the embedded host, and no handler sees them.
pub fn strip_reserved(headers: &mut HeaderMap) {
    let reserved: Vec<HeaderName> = headers
        .keys()
        .filter(|name| name.as_str().starts_with(RESERVED_PREFIX))
        .cloned()
        .collect();
    for name in reserved {
        headers.remove(name);
    }
}

/// All but unreserved characters (RFC 3986).
const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');
/// The same, but slashes stay: an object's key is several segments.
const KEY: &AsciiSet = &SEGMENT.remove(b'/');

/// The path of an operation on a resource (`/v1/queue/orders/send`).
#[must_use]
pub fn resource_path(kind: ResourceKind, name: &str, operation: &str) -> String {
    format!(
        "/v1/{}/{}/{operation}",
        kind.name(),
        utf8_percent_encode(name, SEGMENT)
    )
}

/// The path of a bucket (`/v1/bucket/snapshots`).
#[must_use]
pub fn bucket_path(bucket: &str) -> String {
    format!("/v1/bucket/{}", utf8_percent_encode(bucket, SEGMENT))
}

/// The path of an object (`/v1/bucket/snapshots/2026/a%20b.jpg`).
#[must_use]
pub fn object_path(bucket: &str, key: &str) -> String {
    format!("{}/{}", bucket_path(bucket), utf8_percent_encode(key, KEY))
}

/// A value of a query (`prefix=…`).
#[must_use]
pub fn query_value(value: &str) -> String {
    utf8_percent_encode(value, SEGMENT).to_string()
}

/// Whole milliseconds, rounded up so that no time that was asked for is lost.
#[must_use]
pub fn millis(duration: Duration) -> u64 {
    let rounded = u128::from(!duration.subsec_nanos().is_multiple_of(1_000_000));
    u64::try_from(duration.as_millis() + rounded).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests;
