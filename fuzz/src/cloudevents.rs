//! CloudEvents, one or a batch: whatever decodes can be written again, and comes back as the same neutral event.

use chrono::Datelike as _;
use futures::FutureExt as _;
use nephos_core::event::cloudevents::{
    CloudEvent, from_cloudevents, kind_of, request_to_cloudevent, to_cloudevents,
};
use nephos_core::event::{Attributes, BufferedRequest, Data, Event, Request};
use nephos_core::{ErrorKind, TriggerKind};

/// Reads `data` as the JSON of one CloudEvent or of a list of them.
pub fn check(data: &[u8]) {
    let is_batch = data.trim_ascii_start().starts_with(b"[");
    let events = if is_batch {
        serde_json::from_slice::<Vec<CloudEvent>>(data)
    } else {
        serde_json::from_slice::<CloudEvent>(data).map(|event| vec![event])
    };
    let Ok(events) = events else { return };
    let count = events.len();
    match from_cloudevents(events) {
        Ok(event) => {
            if event.kind().has_records() {
                let read = event.record_ids().len() + event.undecodable.len();
                assert_eq!(read, count, "a record was lost or doubled");
            } else {
                assert_eq!(count, 1, "an event of a kind without records came from several");
            }
            comes_back(event);
        }
        Err(error) => {
            assert_eq!(error.kind(), ErrorKind::Decode, "{error}");
            crate::check_error(&error);
        }
    }
}

/// Writes `event`, reads that, and compares.
pub(crate) fn comes_back(event: Event) {
    let lawful = is_lawful(&event);
    let Event {
        attributes,
        data,
        undecodable,
        ..
    } = event;
    for failure in &undecodable {
        crate::check_error(&failure.error);
    }
    if let Data::Http(request) = data {
        return request_comes_back(&attributes, request, lawful);
    }
    let event = Event::new(attributes, data);
    let written = match to_cloudevents(&event) {
        Ok(written) => written,
        Err(error) => {
            assert_eq!(error.kind(), ErrorKind::InvalidArgument, "{error}");
            assert!(!lawful, "what was read cannot be written: {error}: {event:?}");
            return;
        }
    };
    if written.is_empty() {
        // No record of the batch could be read, so there is nothing to write.
        assert!(event.kind().has_records() && event.record_ids().is_empty());
        return;
    }
    if !has_settled_schema(&event.attributes) {
        return;
    }
    let read = sent(&written);
    assert_eq!(read.attributes, event.attributes);
    assert_eq!(format!("{:?}", read.data), format!("{:?}", event.data));
    assert!(read.undecodable.is_empty(), "{:?}", read.undecodable);
}

fn request_comes_back(attributes: &Attributes, request: Request, lawful: bool) {
    let request = buffered(request);
    let written = match request_to_cloudevent(attributes, &request) {
        Ok(written) => written,
        Err(error) => {
            assert!(!lawful, "what was read cannot be written: {error}: {request:?}");
            return;
        }
    };
    let read = sent(&[written]);
    assert_eq!(read.attributes, *attributes);
    let Data::Http(received) = read.data else {
        panic!("a request came back as {:?}", read.data.kind());
    };
    let received = buffered(received);
    assert_eq!(received.body, request.body);
    assert_eq!(format!("{:?}", received.parts), format!("{:?}", request.parts));
    assert_eq!(
        received
            .parts
            .extensions
            .get::<nephos_core::handler::PathParams>(),
        request.parts.extensions.get()
    );
}

/// The body is in memory, so that reading it never waits.
pub(crate) fn buffered(request: Request) -> BufferedRequest {
    let read = BufferedRequest::read(request, usize::MAX).now_or_never();
    read.expect("a body in memory is there at once")
        .expect("a body in memory does not break off")
}

fn sent(events: &[CloudEvent]) -> Event {
    let json = serde_json::to_vec(events).expect("CloudEvents have a JSON form");
    let read: Vec<CloudEvent> = serde_json::from_slice(&json).expect("our own JSON is CloudEvents");
    from_cloudevents(read).expect("our own CloudEvents decode")
}

/// Whether the data schema is a URI as the SDK writes it. An extension of this name, in version 0.3, is any text.
fn has_settled_schema(attributes: &Attributes) -> bool {
    attributes.extensions.get("dataschema").is_none_or(|schema| {
        let written = url::Url::parse(schema).map(String::from);
        written.is_ok_and(|written| written == *schema)
    })
}

/// Whether the sender kept to the standard. What is read leniently from one who did not need not be writable.
fn is_lawful(event: &Event) -> bool {
    let attributes = &event.attributes;
    let names = attributes.extensions.keys().all(|name| {
        // Each kind of event writes some extensions of its own, which must not be overwritten.
        const OURS: [&str; 11] = [
            "attempt",
            "attributes",
            "batch",
            "bodytype",
            "envelope",
            "headers",
            "httpversion",
            "method",
            "notification",
            "partitionkey",
            "pathparams",
        ];
        const STANDARD: [&str; 9] = [
            "specversion",
            "id",
            "source",
            "type",
            "datacontenttype",
            "subject",
            "time",
            "data",
            "sequence",
        ];
        let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
        !name.is_empty()
            && name.bytes().all(plain)
            && !OURS.contains(&name.as_ref())
            && !STANDARD.contains(&name.as_ref())
            && name != "uri"
    });
    let schema = attributes
        .extensions
        .get("dataschema")
        .is_none_or(|_| kind_of(&attributes.ty) == TriggerKind::Raw && has_settled_schema(attributes));
    let year = |time: chrono::DateTime<chrono::Utc>| (0..=9999).contains(&time.year());
    let times = attributes.time.is_none_or(year)
        && match &event.data {
            Data::Queue(records) => records.iter().all(|record| record.sent_at.is_none_or(year)),
            Data::Stream(records) => records.iter().all(|record| record.appended_at.is_none_or(year)),
            Data::Table(records) => records.iter().all(|record| record.at.is_none_or(year)),
            _ => true,
        };
    names && schema && times && !attributes.id.is_empty() && !attributes.source.is_empty()
}
