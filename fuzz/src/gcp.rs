//! Requests of Google's services: whatever is read keeps its bytes, loses no record, and can be written as CloudEvents; whatever is answered is JSON; what a resource
//! holds comes back as it was put there.

use std::collections::BTreeMap;

use bytes::Bytes;
use http::Request;
use nephos_core::app::{ObjectEventKind, Trigger};
use nephos_core::event::{AuthDecision, AuthStage, BufferedRequest, ChangeKind, Data, Event};
use nephos_core::wiring::{TableKeys, Wiring};
use nephos_core::{Error, ErrorKind};
use nephos_gcp::events::{self, auth, email, token, voice};
use nephos_gcp::wiring::{Caller, Form, Service, Source};
use nephos_gcp::{document, payload};
use serde_json::Value;

/// Reads `data` as the kind of a trigger and the form of its requests on one line, headers on those that follow, an empty line, and the body.
pub fn check(data: &[u8]) {
    let Some((first, rest)) = crate::first_line(data) else {
        return;
    };
    let (kind, form) = first.split_once(' ').unwrap_or((first, ""));
    match kind {
        "auth" => step(rest),
        "voice" => {
            let body = Bytes::copy_from_slice(rest);
            match voice::decode("kitchen", &Wiring::default(), &body) {
                Ok(event) => kept(event, &body),
                Err(error) => refused(&error),
            }
        }
        "wiring" => wiring(rest),
        "item" => item(rest),
        "token" => {
            if let Err(error) = token::key_id(&String::from_utf8_lossy(rest)) {
                refused(&error);
            }
        }
        _ => {
            let Some(request) = request(rest) else { return };
            match (kind, trigger(kind), self::form(form)) {
                ("email", ..) => mail(&request),
                (_, Some(trigger), Some(by)) => event(trigger, by, &request),
                _ => {}
            }
        }
    }
}

/// Headers, an empty line and a body.
fn request(mut rest: &[u8]) -> Option<BufferedRequest> {
    let mut request = Request::post("/");
    loop {
        let (line, more) = crate::first_line(rest)?;
        rest = more;
        if line.is_empty() {
            break;
        }
        let (name, value) = line.split_once(": ")?;
        request = request.header(name, value);
    }
    let (parts, ()) = request.body(()).ok()?.into_parts();
    Some(BufferedRequest {
        parts,
        body: Bytes::copy_from_slice(rest),
    })
}

fn form(name: &str) -> Option<Form> {
    Some(match name {
        "push" => Form::Push,
        "unwrapped" => Form::Unwrapped,
        "cloud_event" => Form::CloudEvent,
        "scheduler" => Form::Scheduler,
        "task" => Form::Task,
        _ => return None,
    })
}

fn trigger(kind: &str) -> Option<Trigger> {
    let name = || "x".to_owned();
    Some(match kind {
        "bucket" => Trigger::Bucket {
            bucket: name(),
            event: ObjectEventKind::Any,
            prefix: String::new(),
            suffix: String::new(),
        },
        "queue" => Trigger::Queue {
            queue: name(),
            batch: 1,
        },
        "topic" => Trigger::Topic {
            topic: name(),
            filter: [].into(),
        },
        "stream" => Trigger::Stream {
            stream: name(),
            batch: 1,
        },
        "table" => Trigger::Table {
            table: name(),
            events: [ChangeKind::Inserted, ChangeKind::Modified, ChangeKind::Removed].into(),
            batch: 1,
        },
        "schedule" => Trigger::Schedule {
            schedule: name(),
            every: None,
            timezone: name(),
        },
        _ => return None,
    })
}

fn event(trigger: Trigger, by: Form, request: &BufferedRequest) {
    let keys = TableKeys {
        key: "id".to_owned(),
        sort: None,
    };
    let wiring = Wiring {
        table_keys: [("x".to_owned(), keys)].into(),
        ..Wiring::default()
    };
    let source = Source {
        trigger,
        by,
        caller: Caller::Platform,
    };
    let decoded = match events::decode(&source, &wiring, &request.parts.headers, &request.body) {
        Ok(decoded) => decoded,
        Err(error) => return refused(&error),
    };
    assert_ne!(decoded.attempt, Some(0), "a delivery before the first");
    let Some(event) = decoded.event else { return };
    if let Data::Queue(messages) = &event.data {
        assert!(messages.iter().all(|message| message.attempt > 0));
    }
    kept(event, &request.body);
}

fn step(body: &[u8]) {
    let token = auth::token(body);
    if let Err(error) = &token {
        refused(error);
    }
    let document = Bytes::copy_from_slice(body);
    for stage in [AuthStage::BeforeSignUp, AuthStage::BeforeSignIn] {
        if let Ok(claims) = serde_json::from_slice::<Value>(body) {
            match auth::decode(&stage, claims, &document) {
                Ok(event) => kept(event, &document),
                Err(error) => refused(&error),
            }
        }
        for decision in [AuthDecision::allow(), AuthDecision::allow().attribute("a", "1")] {
            match auth::encode(&stage, &decision) {
                Ok((status, answer)) => assert!(status.is_success() && is_json(&answer)),
                Err(error) => crate::check_error(&error),
            }
        }
    }
}

fn mail(request: &BufferedRequest) {
    match email::decode(request) {
        Ok(event) => {
            let raw = event.raw.expect("an event keeps its document");
            assert_eq!(raw.bytes, request.body);
        }
        Err(error) => refused(&error),
    }
}

/// What deployment writes is read as it was written.
fn wiring(text: &[u8]) {
    let Ok(text) = std::str::from_utf8(text) else {
        return;
    };
    match Service::read(text) {
        Ok(service) => {
            let written = serde_json::to_string(&service).expect("what was read can be written");
            assert_eq!(Service::read(&written).expect("what we write we read"), service);
        }
        Err(error) => refused(&error),
    }
}

/// An item of a table comes back as it was, and a sender's attributes too.
fn item(text: &[u8]) {
    let Ok(Value::Object(item)) = serde_json::from_slice(text) else {
        return;
    };
    let fields = document::to_fields(&item);
    let back = document::from_fields(&fields).expect("what we write we read");
    assert_eq!(back, item);
    // A stranger's document is read or refused.
    if let Err(error) = document::from_fields(&item) {
        refused(&error);
    }
    let attributes: BTreeMap<String, String> = (item.iter())
        .map(|(name, value)| (name.clone(), value.to_string()))
        .collect();
    let sent = payload::to_attributes(Some("text/plain"), Some("s"), &attributes);
    assert_eq!(
        payload::from_attributes(sent),
        (Some("text/plain".to_owned()), Some("s".to_owned()), attributes)
    );
}

fn kept(mut event: Event, body: &Bytes) {
    let raw = event.raw.take().expect("an event keeps its document");
    assert_eq!(&raw.bytes, body);
    crate::cloudevents::comes_back(event);
}

fn refused(error: &Error) {
    let known = [
        ErrorKind::Decode,
        ErrorKind::InvalidArgument,
        ErrorKind::Unauthenticated,
    ];
    assert!(known.contains(&error.kind()), "{error}");
    crate::check_error(error);
}

fn is_json(bytes: &[u8]) -> bool {
    serde_json::from_slice::<Value>(bytes).is_ok()
}
