//! Events and outcomes on the way between the embedded host and a function: both directions of both, pure, shared by the two sides.
//!
//! Every kind but HTTP travels as CloudEvents, so there is no file for each kind here: `nephos_core::event::cloudevents` maps them all.

mod http;
mod outcome;

use ::http::header::CONTENT_TYPE;
use ::http::{HeaderMap, HeaderValue, Method, Request, Uri};
use bytes::Bytes;
use nephos_core::event::cloudevents::{CloudEvent, EVENT_BATCH_JSON, EVENT_JSON, from_cloudevents, to_json};
use nephos_core::event::{Raw, RecordFailure};
use nephos_core::{Error, ErrorKind, Event, Result};

pub use self::http::{decode_http, encode_http};
pub use self::outcome::{decode_outcome, encode_outcome};
use crate::wire::{DeliveryKind, Meta};

const DECODE: &str = "event.decode";

/// Writes `event` as the request that delivers it: one CloudEvent, or a batch for kinds that have records.
///
/// # Errors
/// As `to_cloudevents`: HTTP requests travel as themselves (see [`encode_http`]), and attributes must be what CloudEvents allow.
pub fn encode_delivery(event: &Event, meta: &Meta) -> Result<Request<Bytes>> {
    let (content_type, body) = to_json(event)?;
    let mut request = Request::new(body);
    *request.method_mut() = Method::POST;
    *request.uri_mut() = Uri::from_static("/");
    let headers = request.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    meta.write(DeliveryKind::Event, headers);
    Ok(request)
}

/// Reads the event of a delivery; keeps its bytes, so that the handler can have them raw.
///
/// A record of a batch that is no CloudEvent, but has an id, fails alone; the others go on.
///
/// # Errors
/// [`ErrorKind::Decode`] if it is no event at all.
pub fn decode_delivery(headers: &HeaderMap, body: Bytes) -> Result<Event> {
    let content_type = headers
        .get(CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default();
    let event = match essence(content_type) {
        essence if essence.eq_ignore_ascii_case(EVENT_JSON) => one(&body)?,
        essence if essence.eq_ignore_ascii_case(EVENT_BATCH_JSON) => batch(&body)?,
        other => {
            return Err(Error::new(
                ErrorKind::Decode,
                DECODE,
                "events are delivered as CloudEvents in JSON; set the content type",
            )
            .with("content_type", other));
        }
    };
    Ok(event.with_raw(Raw {
        content_type: Some(content_type.to_owned().into()),
        bytes: body,
    }))
}

/// A media type without its parameters.
fn essence(content_type: &str) -> &str {
    content_type.split(';').next().unwrap_or_default().trim()
}

fn one(body: &[u8]) -> Result<Event> {
    let event = serde_json::from_slice::<CloudEvent>(body).map_err(not_cloudevents)?;
    from_cloudevents(vec![event])
}

fn batch(body: &[u8]) -> Result<Event> {
    match serde_json::from_slice::<Vec<CloudEvent>>(body) {
        Ok(events) => from_cloudevents(events),
        Err(error) => salvage(body).unwrap_or_else(|| Err(not_cloudevents(error))),
    }
}

/// What can be read of a batch in which not all can: `None` if that is nothing, or if a record has no id under which it could fail alone.
fn salvage(body: &[u8]) -> Option<Result<Event>> {
    let values = serde_json::from_slice::<Vec<serde_json::Value>>(body).ok()?;
    let mut events = Vec::with_capacity(values.len());
    let mut undecodable = Vec::new();
    for value in values {
        let id = ["sequence", "id"]
            .into_iter()
            .find_map(|name| match value.get(name)? {
                serde_json::Value::String(id) if !id.is_empty() => Some(id.clone()),
                _ => None,
            });
        match serde_json::from_value::<CloudEvent>(value) {
            Ok(event) => events.push(event),
            Err(error) => undecodable.push(RecordFailure {
                id: id?,
                error: not_cloudevents(error),
            }),
        }
    }
    if events.is_empty() {
        return None;
    }
    Some(from_cloudevents(events).map(|mut event| {
        event.undecodable.extend(undecodable);
        event
    }))
}

fn not_cloudevents(error: serde_json::Error) -> Error {
    Error::new(
        ErrorKind::Decode,
        DECODE,
        "the delivery is not CloudEvents in JSON",
    )
    .caused_by(error)
}

#[cfg(test)]
mod tests;
