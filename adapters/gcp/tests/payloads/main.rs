//! The codecs against payloads in the shape of Google's documentation and examples: each becomes the neutral event that stands beside it; and each leaf of it is mapped, or listed in its
//! folder's `index.toml` as ignored, with a reason.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test that cannot go on fails"
)]

mod damaged;
mod wanted;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use nephos_conformance::payloads::{self, Codec, Decoded, Entry, Index};
use nephos_core::app::Trigger;
use nephos_core::event::{Body, BufferedRequest};
use nephos_core::wiring::{TableKeys, Wiring};
use nephos_core::{Error, ErrorKind, Event, Result};
use nephos_gcp::events;
use nephos_gcp::wiring::Source;
use serde_json::{Value, json};

/// The folders, one a trigger.
const FOLDERS: [&str; 10] = [
    "auth", "bucket", "email", "queue", "raw", "schedule", "stream", "table", "topic", "voice",
];

struct Requests(&'static [&'static str]);

const ALL: Requests = Requests(&FOLDERS);

impl Codec for Requests {
    fn root(&self) -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/payloads")
    }

    fn folders(&self) -> &[&'static str] {
        self.0
    }

    fn is_nested(&self) -> bool {
        true
    }

    fn decode(&self, folder: &str, entry: &Entry, document: &Bytes) -> Result<Decoded> {
        let one = |event: Event| Decoded {
            kind: folder.to_owned(),
            refused: None,
            events: vec![event],
        };
        match folder {
            "email" => events::email::decode(&posted(&entry.file, document)).map(one),
            "auth" => {
                let Trigger::Auth { stage } = trigger(entry) else {
                    panic!("another kind")
                };
                let claims: Value = serde_json::from_slice(document)
                    .map_err(|error| Error::new(ErrorKind::Decode, "test", "no JSON").caused_by(error))?;
                events::auth::decode(&stage, claims, document).map(one)
            }
            "voice" => events::voice::decode("kitchen", &wiring(), document).map(one),
            _ => arrived(&source(entry), entry, document),
        }
    }
}

/// By a request of Google's.
fn arrived(source: &Source, entry: &Entry, document: &Bytes) -> Result<Decoded> {
    let request = request(entry, document);
    let decoded = events::decode(source, &wiring(), &request.parts.headers, &request.body)?;
    let attempt = decoded
        .attempt
        .map_or(String::new(), |attempt| format!(", attempt {attempt}"));
    Ok(Decoded {
        kind: format!("{}{attempt}", source.trigger.kind()),
        refused: None,
        events: decoded.event.into_iter().collect(),
    })
}

/// The request that brings the document, with the headers that its index tells.
fn request(entry: &Entry, document: &Bytes) -> BufferedRequest {
    let headers: BTreeMap<String, String> = entry
        .trigger
        .as_ref()
        .and_then(|told| serde_json::from_value(told["headers"].clone()).ok())
        .unwrap_or_default();
    let mut request = http::Request::post("/.nephos/kind/name");
    for (name, value) in headers {
        request = request.header(name, value);
    }
    let (parts, _) = request.body(Body::empty()).unwrap().into_parts();
    BufferedRequest {
        parts,
        body: document.clone(),
    }
}

fn posted(file: &str, body: &Bytes) -> BufferedRequest {
    let content_type = if file.ends_with(".form") {
        "multipart/form-data; boundary=xYzZY"
    } else {
        "message/rfc822"
    };
    let request = http::Request::post("/.nephos/mail").header("content-type", content_type);
    let (parts, _) = request.body(Body::empty()).unwrap().into_parts();
    BufferedRequest {
        parts,
        body: body.clone(),
    }
}

fn trigger(entry: &Entry) -> Trigger {
    serde_json::from_value(entry.trigger.as_ref().unwrap()["trigger"].clone()).unwrap()
}

fn source(entry: &Entry) -> Source {
    serde_json::from_value(entry.trigger.clone().unwrap()).unwrap()
}

/// What deployment would have told.
fn wiring() -> Wiring {
    let sources = [
        ("some-bucket", "photos"),
        ("amzn1.ask.skill.kitchen-id", "kitchen"),
    ];
    let keys = TableKeys {
        key: "foo".to_owned(),
        sort: Some("count".to_owned()),
    };
    Wiring {
        sources: sources
            .into_iter()
            .map(|(physical, name)| (physical.to_owned(), name.to_owned()))
            .collect(),
        table_keys: [("things".to_owned(), keys)].into(),
        ..Wiring::default()
    }
}

fn index(folder: &str) -> Index {
    payloads::index(&ALL, folder).unwrap()
}

fn read(folder: &str, file: &str) -> Bytes {
    payloads::read(&ALL, folder, file).unwrap()
}

/// What a changed document of a folder becomes.
fn changed(folder: &str, file: &str, change: impl FnOnce(&mut Value)) -> Result<Value> {
    let index = index(folder);
    let entry = index.payload.iter().find(|entry| entry.file == file).unwrap();
    let mut document: Value = serde_json::from_slice(&read(folder, file)).unwrap();
    change(&mut document);
    let decoded = ALL.decode(folder, entry, &document.to_string().into())?;
    Ok(decoded.neutral().unwrap())
}

#[test]
fn every_payload_becomes_the_neutral_event_beside_it() {
    if let Err(differ) = payloads::every_payload_becomes_the_event_beside_it(&ALL) {
        panic!("{differ}");
    }
}

#[test]
fn every_leaf_is_mapped_or_ignored_with_a_reason() {
    if let Err(lost) = payloads::every_leaf_is_mapped(&ALL) {
        panic!("{lost}");
    }
}

#[test]
fn every_file_is_in_its_index_and_says_where_its_shape_is_from() {
    payloads::every_file_is_listed(&ALL).unwrap();
}

#[test]
fn raw_bytes_stay_reachable_for_every_kind() {
    payloads::raw_bytes_stay_reachable(&ALL).unwrap();
}

#[test]
fn every_event_is_a_lawful_cloudevent_and_comes_back_as_one() {
    payloads::every_event_is_a_cloudevent(&ALL, &[], 20).unwrap();
}

#[test]
fn events_that_nothing_of_ours_stands_for_keep_their_type_and_bytes() {
    for entry in index("raw").payload {
        let document = read("raw", &entry.file);
        let event = ALL.decode("raw", &entry, &document).unwrap().events.remove(0);
        assert_eq!(
            event.attributes.ty,
            entry.trigger.unwrap()["headers"]["ce-type"].as_str().unwrap()
        );
        let nephos_core::event::Data::Raw(raw) = event.data else {
            panic!("it is read after all")
        };
        assert_eq!(raw.bytes, document);
    }
}

#[test]
fn what_our_own_driver_sends_is_read_as_it_was() {
    use base64::Engine as _;
    let attributes: BTreeMap<String, String> =
        [("empty", ""), ("nephos-own", "1"), ("goog-own", "2"), ("~", "3")]
            .into_iter()
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect();
    let bytes = [0x89, 0x50, 0];
    let sent = nephos_gcp::payload::to_attributes(Some("image/png"), None, &attributes);
    let read = changed("queue", "push.json", |document| {
        let message = &mut document["message"];
        message["data"] = base64::engine::general_purpose::STANDARD.encode(bytes).into();
        message["attributes"] = json!(sent);
    });
    let message = &read.unwrap()["events"][0]["data"][0];
    assert_eq!(message["attributes"], json!(attributes));
    assert_eq!(message["body"]["content_type"], "image/png");
}
