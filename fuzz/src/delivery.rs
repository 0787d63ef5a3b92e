//! Deliveries of events to a function: no record of a batch is lost, the bytes stay as they came, and what was read can be delivered on.

use std::time::Duration;

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderValue};
use nephos_core::event::Data;
use nephos_core::{ErrorKind, TraceContext};
use nephos_local::events::{decode_delivery, encode_delivery};
use nephos_local::wire::{EVENT_BATCH_JSON, EVENT_JSON, Meta};

/// Reads `data` as the body of a delivery: a batch if it begins with a bracket.
pub fn check(data: &[u8]) {
    let is_batch = data.trim_ascii_start().starts_with(b"[");
    let content_type = if is_batch { EVENT_BATCH_JSON } else { EVENT_JSON };
    let mut headers = HeaderMap::new();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    let body = Bytes::copy_from_slice(data);
    let mut event = match decode_delivery(&headers, body.clone()) {
        Ok(event) => event,
        Err(error) => {
            assert_eq!(error.kind(), ErrorKind::Decode, "{error}");
            return crate::check_error(&error);
        }
    };
    let raw = event.raw.take().expect("a delivery keeps its bytes");
    assert_eq!(
        (raw.bytes, raw.content_type.as_deref()),
        (body, Some(content_type))
    );
    if is_batch && event.kind().has_records() {
        let entries = serde_json::from_slice::<Vec<serde_json::Value>>(data).expect("it was read before");
        let read = event.record_ids().len() + event.undecodable.len();
        assert_eq!(read, entries.len(), "a record was lost or doubled");
    }
    let meta = Meta {
        invocation_id: "i-1".to_owned(),
        timeout: Duration::from_secs(3),
        attempt: 1,
        trace: TraceContext::default(),
    };
    if !matches!(event.data, Data::Http(_))
        && let Ok(request) = encode_delivery(&event, &meta)
        && !(event.kind().has_records() && event.record_ids().is_empty())
    {
        let (parts, body) = request.into_parts();
        assert_eq!(
            Meta::read(&parts.headers).expect("our own headers are read"),
            meta
        );
        let read = decode_delivery(&parts.headers, body).expect("our own delivery is read");
        assert_eq!(read.attributes, event.attributes);
        assert_eq!(format!("{:?}", read.data), format!("{:?}", event.data));
    }
    crate::cloudevents::comes_back(event);
}
