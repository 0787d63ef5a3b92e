//! What both sides of the local protocol agree on: environment, header names, paths, and JSON bodies.

mod delivery;
mod error;
#[cfg(feature = "host")]
pub mod pipes;
mod queue;
mod resources;

use std::time::Duration;

use http::{HeaderMap, HeaderName, HeaderValue};
use nephos_core::handler::PathParams;
use nephos_core::resource::ResourceKind;
use nephos_core::{Error, ErrorKind, Result};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

pub use self::delivery::{DELIVERY, DeliveryKind, Meta};
pub use self::error::{MAX_CAUSES, WireError, kind_of_status, problem, status_of_kind};
pub use self::queue::{
    AckBody, ExtendBody, NackBody, PeekBody, ReceiveBody, ReceiveReply, SendBody, WireMessage, WireOutgoing,
    WireReceived,
};
pub use self::resources::{
    AppendBody, GetBody, IdsReply, ItemReply, PublishBody, ReadBody, ReadReply, ScanBody, SecretBody,
    SecretReply, SequencesReply, VersionsReply, WireAppend, WirePayload, WirePublication, WireRecord,
    WriteBody,
};

/// The variable with the resource API's URL (`http://127.0.0.1:4567`); that it is set tells that the embedded host started the process.
pub const ENV_API: &str = "NEPHOS_LOCAL_API";
/// The variable with the function's token for the resource API.
pub const ENV_TOKEN: &str = "NEPHOS_LOCAL_TOKEN";
/// The variable with the embedded host's process id; the function ends when its parent is another process.
pub const ENV_PARENT: &str = "NEPHOS_LOCAL_PARENT";

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

pub use nephos_core::event::cloudevents::{EVENT_BATCH_JSON, EVENT_JSON};
pub use nephos_core::outcome::PROBLEM_JSON;
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

fn bad_header(name: &HeaderName) -> Error {
    Error::new(
        ErrorKind::InvalidArgument,
        "host.receive",
        "the delivery has a header that is not what it should be",
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
    let is_reserved = |name: &&HeaderName| name.as_str().starts_with(RESERVED_PREFIX);
    while let Some(name) = headers.keys().find(is_reserved).cloned() {
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
