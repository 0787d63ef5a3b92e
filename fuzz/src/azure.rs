//! Invocations of the Functions host, and what comes as requests: whatever is read keeps its bytes, loses no record, and can be written as CloudEvents; whatever
//! is answered is JSON.

use bytes::Bytes;
use nephos_azure::events::http::{Routed, answer, decode_wrapped};
use nephos_azure::events::{self, auth, email, grid::handshake, voice};
use nephos_azure::payload;
use nephos_core::app::{ObjectEventKind, Trigger};
use nephos_core::event::{AuthDecision, AuthStage, Body, BufferedRequest, ChangeKind, Data, Event};
use nephos_core::route::{RouteSpec, Routes};
use nephos_core::wiring::{TableKeys, Wiring};
use nephos_core::{Error, ErrorKind, Outcome};

/// Reads `data` as the name of a trigger's kind on one line, and what calls it on those that follow.
pub fn check(data: &[u8]) {
    let Some((kind, rest)) = crate::first_line(data) else {
        return;
    };
    let document = Bytes::copy_from_slice(rest);
    match kind {
        "http" => request(&document),
        "auth" => step(&document),
        "voice" => match voice::decode("kitchen", &Wiring::default(), &document) {
            Ok(event) => kept(event, &document),
            Err(error) => refused(&error),
        },
        "email" => mail(&document),
        "grid" => match handshake::answer_post(&document) {
            Ok(answer) => assert!(answer.is_none_or(|answer| is_json(&answer))),
            Err(error) => refused(&error),
        },
        "text" => text(document),
        _ => {
            if let Some(trigger) = trigger(kind) {
                invocation(&trigger, &document);
            }
        }
    }
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

fn invocation(trigger: &Trigger, document: &Bytes) {
    let keys = TableKeys {
        key: "id".to_owned(),
        sort: None,
    };
    let wiring = Wiring {
        table_keys: [("x".to_owned(), keys)].into(),
        ..Wiring::default()
    };
    let decoded = match events::decode(trigger, &wiring, document) {
        Ok(decoded) => decoded,
        Err(error) => return refused(&error),
    };
    assert_ne!(decoded.attempt, Some(0), "a delivery before the first");
    for event in decoded.events {
        if let Data::Queue(messages) = &event.data {
            assert!(messages.iter().all(|message| message.attempt > 0));
        }
        kept(event, document);
    }
    let answer = events::answer::encode(Outcome::Ack).expect("success can be told");
    assert!(is_json(&answer.body));
}

fn request(document: &Bytes) {
    let spec = RouteSpec {
        method: None,
        path: "/{*rest}".to_owned(),
    };
    let routes = Routes::of("f", [spec]).expect("the route is one");
    match decode_wrapped(document, None, &routes) {
        Ok(Routed::To(event)) => kept(event, document),
        Ok(Routed::Refused(response)) => assert!(response.status().is_client_error()),
        Err(error) => refused(&error),
    }
    let (parts, ()) = http::Response::new(()).into_parts();
    match answer::encode(&parts, document) {
        Ok(answer) => assert!(is_json(&answer)),
        Err(error) => assert_eq!(error.kind(), ErrorKind::Unsupported, "{error}"),
    }
}

fn step(document: &Bytes) {
    for stage in [AuthStage::BeforeSignUp, AuthStage::BeforeToken] {
        match auth::decode(&stage, document) {
            Ok(event) => kept(event, document),
            Err(error) => refused(&error),
        }
    }
    for decision in [AuthDecision::allow(), AuthDecision::allow().attribute("a", "1")] {
        match auth::encode(document, &decision) {
            Ok(answer) => assert!(is_json(&answer)),
            Err(error) => crate::check_error(&error),
        }
    }
}

fn mail(body: &Bytes) {
    for content_type in ["message/rfc822", "multipart/form-data; boundary=b"] {
        let request = http::Request::post("/").header("content-type", content_type);
        let request = request.body(Body::empty()).expect("the request is one");
        let (parts, _) = request.into_parts();
        let request = BufferedRequest {
            parts,
            body: body.clone(),
        };
        match email::decode(&request) {
            Ok(event) => {
                let raw = event.raw.expect("an event keeps its document");
                assert_eq!(&raw.bytes, body);
            }
            Err(error) => refused(&error),
        }
    }
}

fn text(text: Bytes) {
    let (body, attributes) = match payload::from_text(text) {
        Ok(read) => read,
        Err(error) => return refused(&error),
    };
    let written = payload::to_text(&body, &attributes).expect("what was read can be written");
    let again = payload::from_text(written.into()).expect("what we write we read");
    assert_eq!(again, (body, attributes));
}

fn kept(mut event: Event, document: &Bytes) {
    let raw = event.raw.take().expect("an event keeps its document");
    assert_eq!(&raw.bytes, document);
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
    serde_json::from_slice::<serde_json::Value>(bytes).is_ok()
}
