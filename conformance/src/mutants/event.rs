//! Events made wrong between the host's decoder and whoever looks at them.

use bytes::Bytes;
use chrono::{DateTime, Utc};
use http::header::{COOKIE, HeaderName};
use nephos_core::event::{
    Body, ChangeKind, Data, ObjectCreated, ObjectDeleted, ObjectEvent, Payload, Raw, Request,
    VoiceRequestKind,
};
use nephos_core::{Error, ErrorKind, Event, Result};
use serde_json::Value;

use super::{Fault, queue};
use crate::happening::{Delivered, Happening, Native, What};

/// Payloads of what the provider has none of.
pub(super) fn natives(
    native: Result<Vec<Native>>,
    happening: &Happening,
    fault: Fault,
) -> Result<Vec<Native>> {
    if fault == Fault::Lacking
        && let What::Table(changes) = &happening.what
        && changes.iter().any(|change| change.kind == ChangeKind::Removed)
    {
        return Err(Error::new(
            ErrorKind::Unsupported,
            "harness.native",
            "removals are not told",
        ));
    }
    let made_up = matches!(
        fault,
        Fault::PretendsCapability | Fault::KindConfused | Fault::QueryHidden
    );
    if !made_up {
        return native;
    }
    native.or_else(|_| {
        Ok(vec![Native {
            form: happening.kind().name(),
            message: http::Request::new(Bytes::from_static(b"{}")),
            is_document: true,
        }])
    })
}

/// What was decoded, made wrong.
///
/// # Panics
/// As [`Fault::DecoderPanics`].
pub(super) async fn decoded(
    native: &Native,
    decoded: Result<Vec<Delivered>>,
    fault: Fault,
) -> Result<Vec<Delivered>> {
    let mut events = match decoded {
        Err(error) => return broken(native, error, fault),
        Ok(events) => events,
    };
    for delivered in &mut events {
        match fault {
            Fault::AttemptAlwaysOne => delivered.attempt = 1,
            Fault::PretendsCapability => delivered.attempt += 1,
            _ => {}
        }
        event(&mut delivered.event, fault).await;
    }
    Ok(events)
}

fn broken(native: &Native, error: Error, fault: Fault) -> Result<Vec<Delivered>> {
    match fault {
        // Without the panic hook's report: it is expected, thousands of times over.
        Fault::DecoderPanics => std::panic::resume_unwind(Box::new(error.to_string())),
        Fault::HalfTaken => Ok(vec![Delivered {
            event: Event::of(Data::Bucket(ObjectEvent::Created(ObjectCreated(
                nephos_core::event::ObjectInfo::new("photos", native.form),
            )))),
            attempt: 1,
        }]),
        _ => Err(error),
    }
}

async fn event(event: &mut Event, fault: Fault) {
    match fault {
        Fault::RawLost => event.raw = None,
        Fault::IdChanges => change_ids(event),
        Fault::TimeLost => {
            event.attributes.time = Some(DateTime::<Utc>::UNIX_EPOCH);
            if let Data::Schedule(tick) = &mut event.data {
                tick.due_at = DateTime::<Utc>::UNIX_EPOCH;
            }
        }
        _ => {}
    }
    match &mut event.data {
        Data::Http(request) => {
            let taken = std::mem::replace(request, http::Request::new(Body::empty()));
            *request = asked(taken, fault).await;
        }
        Data::Bucket(object) => *object = stored(object.clone(), fault),
        Data::Queue(messages) => {
            for message in messages.iter_mut() {
                payload(&mut message.body, fault);
                match fault {
                    Fault::AttemptAlwaysOne => message.attempt = 1,
                    Fault::GroupIgnored => message.group = None,
                    Fault::AttributesDropped => message.attributes.clear(),
                    _ => {}
                }
            }
            if fault == Fault::OrderReversed {
                messages.reverse();
            }
        }
        Data::Topic(notification) => {
            payload(&mut notification.body, fault);
            if fault == Fault::AttributesDropped {
                notification.attributes.clear();
            }
        }
        Data::Stream(records) => {
            for record in records.iter_mut() {
                payload(&mut record.body, fault);
            }
            if fault == Fault::OrderReversed {
                records.reverse();
            }
        }
        Data::Table(changes) => {
            for change in changes {
                match fault {
                    Fault::ImagesSwapped => std::mem::swap(&mut change.old, &mut change.new),
                    Fault::OldLost => change.old = None,
                    Fault::Lacking => {
                        change.old = None;
                        change.kind = ChangeKind::Modified;
                    }
                    Fault::PretendsCapability if change.old.is_none() => change.old.clone_from(&change.new),
                    Fault::KindConfused => {
                        change.kind = match change.kind {
                            ChangeKind::Inserted => ChangeKind::Modified,
                            ChangeKind::Modified => ChangeKind::Removed,
                            ChangeKind::Removed => ChangeKind::Inserted,
                        };
                    }
                    Fault::NumbersAsFloats => {
                        change
                            .old
                            .iter_mut()
                            .chain(&mut change.new)
                            .for_each(super::table::as_float);
                    }
                    _ => {}
                }
            }
        }
        Data::Email(email) if fault == Fault::PartLost => email.attachments.clear(),
        Data::Auth(step) if fault == Fault::PartLost => {
            step.client_data.clear();
            step.attributes.clear();
            step.client = None;
        }
        Data::Voice(voice) if fault == Fault::PartLost => {
            if let VoiceRequestKind::Intent { slots, .. } = &mut voice.request {
                slots.clear();
            }
        }
        Data::Raw(raw) => {
            let mut body = Payload {
                content_type: raw.content_type.take().map(Into::into),
                bytes: std::mem::take(&mut raw.bytes),
            };
            queue::body(&mut body, fault);
            *raw = Raw::from(body);
        }
        _ => {}
    }
}

fn change_ids(event: &mut Event) {
    let id = uuid::Uuid::new_v4().to_string();
    event.attributes.id.clone_from(&id);
    match &mut event.data {
        Data::Queue(messages) => messages.iter_mut().for_each(|message| message.id.clone_from(&id)),
        Data::Stream(records) => records
            .iter_mut()
            .for_each(|record| record.sequence.clone_from(&id)),
        Data::Table(changes) => changes
            .iter_mut()
            .for_each(|change| change.sequence.clone_from(&id)),
        _ => {}
    }
}

fn stored(event: ObjectEvent, fault: Fault) -> ObjectEvent {
    match (event, fault) {
        (ObjectEvent::Created(ObjectCreated(object)), Fault::KindConfused) => {
            ObjectEvent::Deleted(ObjectDeleted(object))
        }
        (ObjectEvent::Deleted(ObjectDeleted(object)), Fault::KindConfused) => {
            ObjectEvent::Created(ObjectCreated(object))
        }
        (ObjectEvent::Created(ObjectCreated(mut object)), Fault::DecodedTwice) => {
            object.key = percent_decoded(&object.key);
            ObjectEvent::Created(ObjectCreated(object))
        }
        (event, _) => event,
    }
}

fn percent_decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, behind)) = rest.split_first() {
        let hex = (*first == b'%').then(|| behind.get(..2)).flatten();
        let byte = hex.and_then(|hex| u8::from_str_radix(std::str::from_utf8(hex).ok()?, 16).ok());
        rest = match byte {
            Some(_) => &behind[2..],
            None => behind,
        };
        bytes.push(byte.unwrap_or(*first));
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

fn payload(body: &mut Payload, fault: Fault) {
    match fault {
        Fault::DecodedTwice if body.is_json() => {
            if let Ok(text) = serde_json::from_slice::<String>(&body.bytes) {
                body.bytes = text.into();
            }
        }
        Fault::DoubleWrapped => {
            let text = String::from_utf8_lossy(&body.bytes).into_owned();
            body.bytes = Value::String(text).to_string().into();
        }
        fault => queue::body(body, fault),
    }
}

async fn asked(request: Request, fault: Fault) -> Request {
    let (mut parts, mut body) = request.into_parts();
    match fault {
        Fault::QueryHidden => {
            if let Ok(path) = parts.uri.path().parse() {
                parts.uri = path;
            }
        }
        Fault::ValuesLost => {
            let names: Vec<HeaderName> = parts.headers.keys().cloned().collect();
            for name in names {
                let separator = if name == COOKIE { ';' } else { ',' };
                let first = parts.headers.get(&name).and_then(|value| value.to_str().ok());
                let first = first.and_then(|text| text.split(separator).next()?.parse().ok());
                if let Some(first) = first {
                    parts.headers.insert(name, first);
                }
            }
        }
        Fault::BodyUtf8Lossy => {
            if let Ok(read) = http_body_util::BodyExt::collect(body).await {
                let mut payload = Payload::bytes(read.to_bytes());
                queue::body(&mut payload, fault);
                body = Body::from(payload.bytes);
            } else {
                body = Body::empty();
            }
        }
        _ => {}
    }
    http::Request::from_parts(parts, body)
}
