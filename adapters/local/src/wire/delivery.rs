//! What a delivery says besides the event itself: one header of our own, and the trace's.
//!
//! `nephos-delivery: http;attempt=1;timeout-ms=30000;id=0199a…`: its kind, and what [`Meta`] holds. One header and not four, because every
//! header of a request is hashed, written, parsed and removed again on its way.

use std::fmt::Write as _;
use std::time::Duration;

use http::{HeaderMap, HeaderName, HeaderValue};
use nephos_core::{Error, ErrorKind, Result, TraceContext};

use super::{TRACEPARENT, TRACESTATE, millis};

/// What a delivery is, and what it tells of its invocation.
pub const DELIVERY: HeaderName = HeaderName::from_static("nephos-delivery");

/// What a delivery is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeliveryKind {
    /// The client's own HTTP request.
    Http,
    /// One CloudEvent or a batch of them.
    Event,
}

impl DeliveryKind {
    const fn name(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Event => "event",
        }
    }

    /// What a request's headers say it is; `None` if it is no delivery.
    #[must_use]
    pub fn of(headers: &HeaderMap) -> Option<Self> {
        let value = headers.get(&DELIVERY)?.to_str().ok()?;
        let kind = value.split(';').next()?;
        [Self::Http, Self::Event]
            .into_iter()
            .find(|known| known.name() == kind)
    }
}

/// What a delivery tells besides the event itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Meta {
    /// The invocation's id, in visible ASCII.
    pub invocation_id: String,
    /// The time left, in whole milliseconds.
    pub timeout: Duration,
    /// Which delivery of the event it is, from 1.
    pub attempt: u32,
    /// The trace that it belongs to.
    pub trace: TraceContext,
}

impl Meta {
    /// Writes it into the headers of a delivery of this kind, over what they said before.
    pub fn write(&self, kind: DeliveryKind, headers: &mut HeaderMap) {
        let mut value = String::with_capacity(96);
        // Writing into a text cannot fail.
        let _ = write!(
            value,
            "{};attempt={};timeout-ms={};id={}",
            kind.name(),
            self.attempt,
            millis(self.timeout),
            self.invocation_id
        );
        insert(headers, DELIVERY, value);
        if let Some(parent) = &self.trace.parent {
            insert(headers, TRACEPARENT, parent.as_str());
        }
        if let Some(state) = &self.trace.state {
            insert(headers, TRACESTATE, state.as_str());
        }
    }

    /// Reads it from a delivery's headers.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidArgument`] if what must be there is missing or not what it should be.
    pub fn read(headers: &HeaderMap) -> Result<Self> {
        let value = text(headers, &DELIVERY).ok_or_else(|| bad("nothing", "all of it"))?;
        let mut fields = value.splitn(4, ';').skip(1);
        let mut field = |name: &'static str| {
            fields
                .next()
                .and_then(|field| field.strip_prefix(name)?.strip_prefix('='))
                .ok_or_else(|| bad(value, name))
        };
        let attempt = number(value, "attempt", field("attempt")?)?;
        let timeout = number(value, "timeout-ms", field("timeout-ms")?)?;
        let invocation_id = field("id")?.to_owned();
        Ok(Self {
            invocation_id,
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
fn insert(headers: &mut HeaderMap, name: HeaderName, value: impl TryInto<HeaderValue>) {
    if let Ok(value) = value.try_into() {
        headers.insert(name, value);
    }
}

fn text<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

fn number<N: std::str::FromStr>(value: &str, name: &'static str, text: &str) -> Result<N> {
    text.parse().map_err(|_| bad(value, name))
}

fn bad(value: &str, field: &'static str) -> Error {
    Error::new(
        ErrorKind::InvalidArgument,
        "host.receive",
        "the delivery's header lacks something, or it is not what it should be",
    )
    .with("header", DELIVERY)
    .with("field", field)
    .with("value", value)
}
