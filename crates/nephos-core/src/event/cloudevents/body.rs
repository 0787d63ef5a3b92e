//! Bodies in a CloudEvent's data, exact to the byte.
//!
//! The SDK reads data whose content type is JSON, or that has none, into a JSON value and writes it anew: spaces, the order of keys and
//! numbers' forms would not survive. Such a body travels as text or bytes, and its own content type in an extension.

use bytes::Bytes;
use cloudevents::EventBuilderV10;

use super::CloudEvent;

use crate::error::{Error, ErrorKind, Result};

/// The content type of a body that travels under another; empty if the body has none.
pub(super) const BODY_TYPE: &str = "bodytype";

/// Sets the data.
pub(super) fn put(builder: EventBuilderV10, content_type: Option<&str>, bytes: &[u8]) -> EventBuilderV10 {
    use cloudevents::Data;
    let (data, carrier) = match std::str::from_utf8(bytes) {
        Ok(text) => (Data::String(text.to_owned()), "text/plain; charset=utf-8"),
        Err(_) => (Data::Binary(bytes.to_vec()), "application/octet-stream"),
    };
    match content_type {
        Some(content_type) if !sdk_takes_for_json(content_type) => builder.data(content_type, data),
        own => builder
            .data(carrier, data)
            .extension(BODY_TYPE, own.unwrap_or_default()),
    }
}

/// Takes the data out, with its content type.
pub(super) fn take(event: &mut CloudEvent) -> Result<(Option<String>, Bytes)> {
    let own = super::extension(event, BODY_TYPE);
    let (content_type, _, data) = event.take_data();
    let (bytes, implied) = match data {
        None => (Bytes::new(), None),
        Some(cloudevents::Data::Binary(bytes)) => (bytes.into(), None),
        Some(cloudevents::Data::String(text)) => (text.into(), None),
        Some(cloudevents::Data::Json(value)) => {
            let bytes = serde_json::to_vec(&value).map_err(|error| {
                Error::new(ErrorKind::Decode, "cloudevents.decode", "the data cannot be read")
                    .caused_by(error)
            })?;
            (bytes.into(), Some("application/json".to_owned()))
        }
    };
    let content_type = match own {
        Some(own) => Some(own).filter(|own| !own.is_empty()),
        None => content_type.or(implied),
    };
    Ok((content_type, bytes))
}

/// Reads JSON data into `T`.
pub(super) fn json<T: serde::de::DeserializeOwned>(event: &mut CloudEvent) -> Result<T> {
    let read = match event.take_data().2 {
        Some(cloudevents::Data::Json(value)) => serde_json::from_value(value),
        Some(cloudevents::Data::String(text)) => serde_json::from_str(&text),
        Some(cloudevents::Data::Binary(bytes)) => serde_json::from_slice(&bytes),
        None => serde_json::from_value(serde_json::Value::Null),
    };
    read.map_err(|error| {
        Error::new(
            ErrorKind::Decode,
            "cloudevents.decode",
            "the data is not what the event's type says",
        )
        .caused_by(error)
    })
}

/// The SDK's own rule (0.9), to which this must keep.
fn sdk_takes_for_json(content_type: &str) -> bool {
    content_type.starts_with("application/json")
        || content_type.starts_with("text/json")
        || content_type.ends_with("+json")
}
