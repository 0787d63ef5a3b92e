//! Arbitrary events.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use proptest::prelude::*;
use serde_json::Value;

use crate::event::{
    Attributes, AuthEvent, AuthStage, BufferedRequest, Change, ChangeKind, Data, Message, Notification,
    ObjectCreated, ObjectDeleted, ObjectEvent, ObjectInfo, Payload, Record, Tick, VoiceRequest,
    VoiceRequestKind,
};
use crate::handler::PathParams;
use crate::resource::table::Key;

/// Any text, control characters and all.
fn text() -> impl Strategy<Value = String> {
    prop_oneof![any::<String>(), "[a-z]{1,8}", Just("queue/x".to_owned())]
}

fn name() -> impl Strategy<Value = String> {
    "[a-z][a-z0-9-]{0,12}"
}

fn time() -> impl Strategy<Value = DateTime<Utc>> {
    // The years 0 to 9999, to the nanosecond.
    (-62_000_000_000_i64..250_000_000_000, 0..1_000_000_000_u32)
        .prop_map(|(seconds, nanoseconds)| DateTime::from_timestamp(seconds, nanoseconds).unwrap())
}

fn map() -> impl Strategy<Value = BTreeMap<String, String>> {
    prop::collection::btree_map(text(), text(), 0..3)
}

fn json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<f64>()
            .prop_filter("JSON has finite numbers", |number| number.is_finite())
            .prop_map(Value::from),
        text().prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 12, 3, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..3).prop_map(Value::from),
            prop::collection::btree_map(text(), inner, 0..3).prop_map(|map| map.into_iter().collect()),
        ]
    })
}

pub(super) fn payload() -> impl Strategy<Value = Payload> {
    let content_type = prop_oneof![
        Just(None),
        Just(Some(String::new())),
        text().prop_map(Some),
        Just(Some("application/json".to_owned())),
        Just(Some("application/json; charset=utf-8".to_owned())),
        Just(Some("application/problem+json".to_owned())),
        Just(Some("text/plain".to_owned())),
    ];
    let bytes = prop_oneof![
        prop::collection::vec(any::<u8>(), 0..32),
        text().prop_map(String::into_bytes),
        json().prop_map(|json| json.to_string().into_bytes()),
        Just(b"{ \"b\": 1.0, \"a\": 1e2 }".to_vec()),
    ];
    (content_type, bytes).prop_map(|(content_type, bytes)| Payload {
        // A content type that is empty says what none says.
        content_type: content_type.filter(|content_type| !content_type.is_empty()),
        bytes: bytes.into(),
    })
}

pub(super) fn attributes(ty: &'static str) -> impl Strategy<Value = Attributes> {
    let extensions = prop::collection::btree_map("x[a-z0-9]{1,8}", text(), 0..3);
    (
        text(),
        "[a-z/]{1,12}",
        prop::option::of(text()),
        prop::option::of(time()),
        extensions,
    )
        .prop_map(move |(id, source, subject, time, extensions)| Attributes {
            id,
            source: source.into(),
            ty: ty.into(),
            subject,
            time,
            extensions: (extensions.into_iter())
                .map(|(name, value)| (name.into(), value))
                .collect(),
        })
}

pub(super) fn message() -> impl Strategy<Value = Message<Payload>> {
    (
        text(),
        name(),
        payload(),
        map(),
        prop::option::of(text()),
        1..u32::MAX,
        prop::option::of(time()),
    )
        .prop_map(|(id, queue, body, attributes, group, attempt, sent_at)| Message {
            id,
            queue,
            body,
            attributes,
            group,
            attempt,
            sent_at,
        })
}

pub(super) fn record() -> impl Strategy<Value = Record<Payload>> {
    (text(), name(), text(), payload(), map(), prop::option::of(time())).prop_map(
        |(sequence, stream, partition_key, body, attributes, appended_at)| Record {
            sequence,
            stream,
            partition_key,
            body,
            attributes,
            appended_at,
        },
    )
}

pub(super) fn change() -> impl Strategy<Value = Change<Value>> {
    let kind = prop_oneof![
        Just(ChangeKind::Inserted),
        Just(ChangeKind::Modified),
        Just(ChangeKind::Removed)
    ];
    let key = (text(), prop::option::of(text())).prop_map(|(partition, sort)| Key { partition, sort });
    (
        text(),
        name(),
        kind,
        key,
        prop::option::of(json()),
        prop::option::of(json()),
        prop::option::of(time()),
    )
        .prop_map(|(sequence, table, kind, key, old, new, at)| Change {
            sequence,
            table,
            kind,
            key,
            old,
            new,
            at,
        })
}

pub(super) fn notification() -> impl Strategy<Value = Notification<Payload>> {
    (
        text(),
        name(),
        payload(),
        prop::option::of(text()),
        map(),
        prop::option::of(time()),
    )
        .prop_map(
            |(id, topic, body, subject, attributes, published_at)| Notification {
                id,
                topic,
                body,
                subject,
                attributes,
                published_at,
            },
        )
}

/// The kinds whose data is one JSON document.
pub(super) fn structured() -> impl Strategy<Value = Data> {
    prop_oneof![object(), tick(), auth(), voice()]
}

fn object() -> impl Strategy<Value = Data> {
    (
        name(),
        text(),
        prop::option::of(any::<u64>()),
        prop::option::of(text()),
        any::<bool>(),
    )
        .prop_map(|(bucket, key, size, etag, created)| {
            let object = ObjectInfo {
                size,
                content_type: etag.clone(),
                version: etag.clone(),
                etag,
                ..ObjectInfo::new(bucket, key)
            };
            Data::Bucket(if created {
                ObjectEvent::Created(ObjectCreated(object))
            } else {
                ObjectEvent::Deleted(ObjectDeleted(object))
            })
        })
}

fn tick() -> impl Strategy<Value = Data> {
    (text(), time(), any::<bool>()).prop_map(|(schedule, due_at, past_due)| {
        Data::Schedule(Tick {
            schedule,
            due_at,
            past_due,
        })
    })
}

fn auth() -> impl Strategy<Value = Data> {
    let stage = prop_oneof![
        Just(AuthStage::BeforeSignUp),
        Just(AuthStage::AfterSignIn),
        "[A-Z][a-zA-Z_]{0,12}".prop_map(AuthStage::Other),
    ];
    (stage, text(), prop::option::of(text()), map(), map()).prop_map(
        |(stage, directory, user, attributes, client_data)| {
            Data::Auth(Box::new(AuthEvent {
                stage,
                directory,
                client: user.clone(),
                email: user.clone(),
                user,
                attributes,
                client_data,
            }))
        },
    )
}

fn voice() -> impl Strategy<Value = Data> {
    let request = prop_oneof![
        Just(VoiceRequestKind::Launch),
        (text(), map()).prop_map(|(name, slots)| VoiceRequestKind::Intent { name, slots }),
        text().prop_map(|reason| VoiceRequestKind::SessionEnded { reason }),
        text().prop_map(|name| VoiceRequestKind::Other { name }),
    ];
    let attributes = prop::collection::btree_map(text(), json(), 0..3);
    (
        text(),
        request,
        prop::option::of(text()),
        any::<bool>(),
        attributes,
    )
        .prop_map(|(id, request, user, new_session, attributes)| {
            Data::Voice(Box::new(VoiceRequest {
                skill: id.clone(),
                locale: id.clone(),
                id,
                request,
                session: user.clone(),
                user,
                new_session,
                attributes,
            }))
        })
}

pub(super) fn request() -> impl Strategy<Value = BufferedRequest> {
    let header = (
        "x-[a-z]{1,8}",
        // What a field value may hold: visible ASCII, blanks inside, and bytes that are no UTF-8.
        prop::collection::vec(prop_oneof![0x21..0x7f_u8, 0x80..=0xff_u8], 0..8),
    );
    (
        "(GET|POST|PURGE)",
        "/[a-z0-9%/]{0,8}(\\?[a-z=&]{0,6})?",
        prop::collection::vec(header, 0..4),
        prop::collection::vec(any::<u8>(), 0..32),
        prop::option::of(map()),
    )
        .prop_map(|(method, uri, headers, body, params)| {
            let mut request = ::http::Request::builder()
                .method(method.as_str())
                .uri(uri)
                .version(::http::Version::HTTP_10);
            for (name, value) in headers {
                request = request.header(name, value);
            }
            if let Some(params) = params {
                request = request.extension(PathParams(params));
            }
            let (parts, ()) = request.body(()).unwrap().into_parts();
            BufferedRequest {
                parts,
                body: body.into(),
            }
        })
}
