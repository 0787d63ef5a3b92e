//! One happening of each kind, with all that every provider can tell of it.

use std::collections::BTreeMap;

use bytes::Bytes;
use chrono::{DateTime, TimeZone as _, Utc};
use nephos_core::event::{
    Attachment, AuthEvent, AuthStage, Change, ChangeKind, Email, Envelope, Mailbox, Message, Notification,
    ObjectCreated, ObjectDeleted, ObjectEvent, ObjectInfo, Payload, Raw, Record, Tick, VoiceRequest,
    VoiceRequestKind,
};
use nephos_core::handler::PathParams;
use nephos_core::resource::table::Key;
use serde_json::{Value, json};

use crate::happening::{Asked, EVERY_MORNING, Happening, What};

/// Noon of a day.
pub(super) fn noon() -> DateTime<Utc> {
    Utc.with_ymd_and_hms(2026, 11, 25, 12, 0, 0)
        .single()
        .unwrap_or_default()
}

/// Told for the first time.
pub(super) fn happening(what: What) -> Happening {
    Happening {
        id: "5a6f1c2e-8f3b-4f57-9d0a-1b2c3d4e5f60".to_owned(),
        at: noon(),
        attempt: 1,
        what,
    }
}

/// One of each kind.
pub(super) fn all() -> Vec<Happening> {
    vec![
        request(b"the body"),
        created("in/a b.jpg"),
        deleted("in/a b.jpg"),
        queue(&[message("1", json_body())]),
        topic(notification(json_body())),
        stream(&[record("1", json_body())]),
        table(&[change(ChangeKind::Modified, item(1), item(2))]),
        tick(),
        email(),
        auth(AuthStage::BeforeSignUp),
        voice(intent()),
        raw(),
    ]
}

fn texts(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect()
}

pub(super) fn json_body() -> Payload {
    Payload {
        content_type: Some("application/json".to_owned()),
        bytes: Bytes::from_static(b"{\"order\": 7,  \"for\": \"Zo\xc3\xab\"}"),
    }
}

fn object(key: &str) -> ObjectInfo {
    ObjectInfo::new("photos", key)
}

pub(super) fn created(key: &str) -> Happening {
    let object = ObjectInfo {
        size: Some(1_234_567_890_123),
        etag: Some("d41d8cd98f00b204e9800998ecf8427e".to_owned()),
        ..object(key)
    };
    happening(What::Bucket(ObjectEvent::Created(ObjectCreated(object))))
}

pub(super) fn deleted(key: &str) -> Happening {
    happening(What::Bucket(ObjectEvent::Deleted(ObjectDeleted(object(key)))))
}

pub(super) fn message(id: &str, body: Payload) -> Message<Payload> {
    Message {
        id: format!("0190b1d2-0000-7000-8000-00000000000{id}"),
        queue: "jobs".to_owned(),
        body,
        attributes: texts(&[("tenant", "blue"), ("note", "grün & \"quoted\"")]),
        group: None,
        attempt: 1,
        sent_at: Some(noon()),
    }
}

pub(super) fn queue(messages: &[Message<Payload>]) -> Happening {
    happening(What::Queue(messages.to_vec()))
}

pub(super) fn notification(body: Payload) -> Notification<Payload> {
    Notification {
        id: "0190b1d2-0000-7000-8000-0000000000aa".to_owned(),
        topic: "news".to_owned(),
        body,
        subject: Some("An order".to_owned()),
        attributes: texts(&[("tenant", "blue")]),
        published_at: Some(noon()),
    }
}

pub(super) fn topic(notification: Notification<Payload>) -> Happening {
    happening(What::Topic(notification))
}

/// The first of its shard, partition or whatever else a provider has: some count in each.
pub(super) fn record(sequence: &str, body: Payload) -> Record<Payload> {
    Record {
        sequence: format!("0/4959033827149025{sequence}"),
        stream: "readings".to_owned(),
        partition_key: "device/1 ü".to_owned(),
        body,
        attributes: texts(&[("unit", "°C")]),
        appended_at: Some(noon()),
    }
}

pub(super) fn stream(records: &[Record<Payload>]) -> Happening {
    happening(What::Stream(records.to_vec()))
}

pub(super) fn item(n: u32) -> Value {
    json!({"id": "a", "at": "1", "n": n, "tags": ["x", "y"], "deep": {"list": [1, {"b": true}], "none": null}})
}

pub(super) fn change(kind: ChangeKind, old: Value, new: Value) -> Change<Value> {
    Change {
        sequence: "1111000001/a".to_owned(),
        table: "items".to_owned(),
        kind,
        key: Key::sorted("a", "1"),
        old: Some(old).filter(|_| kind != ChangeKind::Inserted),
        new: Some(new).filter(|_| kind != ChangeKind::Removed),
        at: Some(noon()),
    }
}

pub(super) fn table(changes: &[Change<Value>]) -> Happening {
    happening(What::Table(changes.to_vec()))
}

pub(super) fn tick() -> Happening {
    happening(What::Schedule(Tick {
        schedule: EVERY_MORNING.to_owned(),
        due_at: noon(),
        past_due: false,
    }))
}

const MAIL: &str = "From: Ann <ann@example.net>\r\nTo: orders@example.com\r\nCc: \"B. Cee\" <bee@example.net>\r\n\
Subject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=\r\nDate: Wed, 25 Nov 2026 12:00:00 +0000\r\nMessage-ID: <1@example.net>\r\nMIME-Version: 1.0\r\n\
Content-Type: multipart/mixed; boundary=cut\r\n\r\n--cut\r\nContent-Type: text/plain; charset=utf-8\r\n\r\nhello\r\n--cut\r\n\
Content-Type: application/octet-stream\r\nContent-Disposition: attachment; filename=a.bin\r\nContent-Transfer-Encoding: base64\r\n\r\nAP8=\r\n--cut--\r\n";

pub(super) fn email() -> Happening {
    let mailbox = |name: Option<&str>, address: &str| Mailbox {
        name: name.map(str::to_owned),
        address: address.to_owned(),
    };
    let headers = [
        ("from", "Ann <ann@example.net>"),
        ("to", "orders@example.com"),
        ("cc", "\"B. Cee\" <bee@example.net>"),
        ("subject", "=?utf-8?q?Gr=C3=BC=C3=9Fe?="),
        ("date", "Wed, 25 Nov 2026 12:00:00 +0000"),
        ("message-id", "<1@example.net>"),
        ("mime-version", "1.0"),
        ("content-type", "multipart/mixed; boundary=cut"),
    ];
    happening(What::Email(Box::new(Email {
        envelope: Envelope {
            from: "bounces@example.net".to_owned(),
            to: vec!["orders@example.com".to_owned()],
        },
        message_id: Some("1@example.net".to_owned()),
        from: vec![mailbox(Some("Ann"), "ann@example.net")],
        to: vec![mailbox(None, "orders@example.com")],
        cc: vec![mailbox(Some("B. Cee"), "bee@example.net")],
        reply_to: Vec::new(),
        subject: "Grüße".to_owned(),
        date: Some(noon()),
        text: Some("hello".to_owned()),
        html: None,
        headers: headers
            .into_iter()
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect(),
        attachments: vec![Attachment {
            name: Some("a.bin".to_owned()),
            content_type: "application/octet-stream".to_owned(),
            content: Bytes::from_static(&[0, 0xff]),
        }],
        source: Bytes::from_static(MAIL.as_bytes()),
    })))
}

/// Gives a message another id.
pub(super) fn rename(email: &mut Email, id: &str) {
    let source = String::from_utf8_lossy(&email.source).replace("<1@example.net>", &format!("<{id}>"));
    email.source = source.into();
    email.message_id = Some(id.to_owned());
    for (name, value) in &mut email.headers {
        if name == "message-id" {
            *value = format!("<{id}>");
        }
    }
}

pub(super) fn auth(stage: AuthStage) -> Happening {
    happening(What::Auth(Box::new(AuthEvent {
        stage,
        directory: "eu-west-1_aBcD".to_owned(),
        client: Some("an-app".to_owned()),
        user: Some("ann".to_owned()),
        email: Some("ann@example.net".to_owned()),
        attributes: texts(&[("email", "ann@example.net"), ("custom:plan", "blue")]),
        client_data: texts(&[("invitation", "42")]),
    })))
}

pub(super) fn intent() -> VoiceRequestKind {
    VoiceRequestKind::Intent {
        name: "Brew".to_owned(),
        slots: texts(&[("cups", "2"), ("kind", "Grüntee")]),
    }
}

pub(super) fn voice(request: VoiceRequestKind) -> Happening {
    let id = happening(What::Raw(Raw::default())).id;
    happening(What::Voice(Box::new(VoiceRequest {
        id,
        skill: "kitchen".to_owned(),
        request,
        locale: "de-DE".to_owned(),
        user: Some("user-1".to_owned()),
        session: Some("session-1".to_owned()),
        new_session: true,
        attributes: BTreeMap::from([("step".to_owned(), json!({"n": 1}))]),
    })))
}

pub(super) fn raw() -> Happening {
    happening(What::Raw(Raw::json(Bytes::from_static(
        b"{\"what\": \"nobody knows\",  \"n\": 1.0}",
    ))))
}

/// A request whose query has two values of one name.
pub(super) fn repeated() -> Happening {
    let mut happening = request(b"");
    if let What::Http(asked) = &mut happening.what {
        asked.parts.uri = http::Uri::from_static("/items/a%20b%2Fc?x=1&x=2&y=%C3%A9");
    }
    happening
}

/// A request on the [route](crate::happening::ROUTE).
pub(super) fn request(body: &[u8]) -> Happening {
    let mut parts = http::Request::new(()).into_parts().0;
    parts.method = http::Method::POST;
    parts.uri = http::Uri::from_static("/items/a%20b%2Fc?x=1&y=%C3%A9");
    parts.extensions.insert(PathParams(texts(&[("id", "a b/c")])));
    // What there is none of has no type.
    let content_type = (!body.is_empty()).then_some(("content-type", "application/octet-stream"));
    for (name, value) in content_type.into_iter().chain([
        ("x-single", "one"),
        ("x-several", "one"),
        ("x-several", "two"),
        ("cookie", "session=abc; theme=dark"),
    ]) {
        parts.headers.append(
            http::HeaderName::from_static(name),
            http::HeaderValue::from_static(value),
        );
    }
    happening(What::Http(Box::new(Asked {
        parts,
        body: Bytes::copy_from_slice(body),
    })))
}
