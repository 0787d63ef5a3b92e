//! The codecs against payloads in the shape of the host's source and of its documentation: each becomes the neutral event that stands beside it; and each leaf of it is
//! mapped, or listed in its folder's `index.toml` as ignored, with a reason.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test that cannot go on fails"
)]

mod damaged;
mod wanted;

use std::path::{Path, PathBuf};

use bytes::Bytes;
use nephos_azure::events::{self, http::Routed};
use nephos_azure::payload;
use nephos_conformance::payloads::{self, Codec, Decoded, Entry, Index};
use nephos_core::app::Trigger;
use nephos_core::event::{Body, BufferedRequest, Data, Payload};
use nephos_core::route::{RouteSpec, Routes};
use nephos_core::wiring::{TableKeys, Wiring};
use nephos_core::{Event, Result};
use serde_json::{Value, json};

/// The folders, one a trigger.
const FOLDERS: [&str; 11] = [
    "auth", "bucket", "email", "http", "queue", "raw", "schedule", "stream", "table", "topic", "voice",
];

struct Functions;

impl Codec for Functions {
    fn root(&self) -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/payloads")
    }

    fn folders(&self) -> &[&'static str] {
        &FOLDERS
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
            "http" => requested(document),
            "email" => events::email::decode(&posted(&entry.file, document)).map(one),
            "raw" => events::raw(document).map(|decoded| Decoded {
                kind: "raw".to_owned(),
                refused: None,
                events: decoded.events,
            }),
            _ => match trigger(entry) {
                Trigger::Auth { stage } => events::auth::decode(&stage, document).map(one),
                Trigger::Voice { skill } => events::voice::decode(&skill, &wiring(), document).map(one),
                trigger => invoked(&trigger, document),
            },
        }
    }
}

/// By the host's own trigger.
fn invoked(trigger: &Trigger, document: &Bytes) -> Result<Decoded> {
    let decoded = events::decode(trigger, &wiring(), document)?;
    let attempt = decoded
        .attempt
        .map_or(String::new(), |attempt| format!(", attempt {attempt}"));
    Ok(Decoded {
        kind: format!("{}{attempt}", trigger.kind()),
        refused: None,
        events: decoded.events,
    })
}

fn requested(document: &Bytes) -> Result<Decoded> {
    let spec = RouteSpec {
        method: Some("POST".to_owned()),
        path: "/orders/{id}".to_owned(),
    };
    let routes = Routes::of("shop", [spec]).unwrap();
    let routed = events::http::decode_wrapped(document, Some("i-1".to_owned()), &routes)?;
    let (refused, events) = match routed {
        Routed::To(event) => (None, vec![event]),
        Routed::Refused(response) => (Some(response.status().as_u16()), Vec::new()),
    };
    Ok(Decoded {
        kind: "http".to_owned(),
        refused,
        events,
    })
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
    serde_json::from_value(entry.trigger.clone().unwrap()).unwrap()
}

/// What deployment would have told.
fn wiring() -> Wiring {
    let sources = [("snapshots", "photos"), ("amzn1.ask.skill.kitchen-id", "kitchen")];
    let keys = TableKeys {
        key: "account".to_owned(),
        sort: Some("at".to_owned()),
    };
    Wiring {
        sources: sources
            .into_iter()
            .map(|(physical, name)| (physical.to_owned(), name.to_owned()))
            .collect(),
        table_keys: [("orders".to_owned(), keys)].into(),
        ..Wiring::default()
    }
}

fn index(folder: &str) -> Index {
    payloads::index(&Functions, folder).unwrap()
}

fn read(folder: &str, file: &str) -> Bytes {
    payloads::read(&Functions, folder, file).unwrap()
}

/// The events of a changed document of a folder.
fn neutral(folder: &str, file: &str, change: impl FnOnce(&mut Value)) -> Value {
    let index = index(folder);
    let entry = index.payload.iter().find(|entry| entry.file == file).unwrap();
    let mut document: Value = serde_json::from_slice(&read(folder, file)).unwrap();
    change(&mut document);
    let decoded = Functions.decode(folder, entry, &document.to_string().into());
    decoded.unwrap().neutral().unwrap()
}

#[test]
fn every_payload_becomes_the_neutral_event_beside_it() {
    if let Err(differ) = payloads::every_payload_becomes_the_event_beside_it(&Functions) {
        panic!("{differ}");
    }
}

#[test]
fn every_leaf_is_mapped_or_ignored_with_a_reason() {
    if let Err(lost) = payloads::every_leaf_is_mapped(&Functions) {
        panic!("{lost}");
    }
}

#[test]
fn every_file_is_in_its_index_and_says_where_its_shape_is_from() {
    payloads::every_file_is_listed(&Functions).unwrap();
}

#[test]
fn raw_bytes_stay_reachable_for_every_kind() {
    payloads::raw_bytes_stay_reachable(&Functions).unwrap();
}

#[test]
fn every_event_is_a_lawful_cloudevent_and_comes_back_as_one() {
    // Requests travel as themselves.
    payloads::every_event_is_a_cloudevent(&Functions, &["http"], 20).unwrap();
}

#[test]
fn a_message_cannot_say_how_often_it_was_delivered() {
    // As bytes, the host leaves it alone.
    let read = neutral("queue", "json-binary.json", |_| {});
    let message = &read["events"][0]["data"][0];
    assert_eq!(
        (&message["attempt"], &message["id"]),
        (&json!(3), &json!("0d1e2f3a-0000-4c08-badd-f08e5a34b865"))
    );
    // As text, its own fields have replaced what the host told: the count is not believed, and the id is the message's own.
    let read = neutral("queue", "json-string-merged.json", |_| {});
    let message = &read["events"][0]["data"][0];
    assert_eq!(
        (&message["attempt"], &message["id"]),
        (&json!(1), &json!("order-7"))
    );
    assert_eq!(read["kind"], "queue");
}

#[test]
fn what_our_own_drivers_will_write_is_read_as_it_was() {
    use base64::Engine as _;
    let base64 = |bytes: &[u8]| base64::engine::general_purpose::STANDARD.encode(bytes);
    let attributes: std::collections::BTreeMap<String, String> = [("empty", ""), ("nephos-own", "1")]
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect();
    let body = Payload {
        content_type: Some("image/png".to_owned()),
        bytes: Bytes::from_static(&[0x89, 0x50, 0]),
    };
    let decoded = |folder: &str, file: &str, document: Value| {
        let index = index(folder);
        let entry = index.payload.iter().find(|entry| entry.file == file).unwrap();
        let document = Bytes::from(document.to_string());
        Functions
            .decode(folder, entry, &document)
            .unwrap()
            .events
            .remove(0)
            .data
    };
    let of = |folder: &str, file: &str| serde_json::from_slice::<Value>(&read(folder, file)).unwrap();

    let mut document = of("queue", "text-binary.json");
    let text = payload::to_text(&body, &attributes).unwrap();
    document["Data"]["message"] = base64(text.as_bytes()).into();
    let Data::Queue(messages) = decoded("queue", "text-binary.json", document) else {
        panic!("another kind");
    };
    assert_eq!((&messages[0].body, &messages[0].attributes), (&body, &attributes));

    let mut document = of("queue", "service-bus-batch.json");
    document["Data"]["message"] = json!([base64(&body.bytes)]).to_string().into();
    let metadata = &mut document["Metadata"];
    metadata["ContentTypeArray"] = json!(["image/png"]).to_string().into();
    metadata["ApplicationPropertiesArray"] = json!([attributes]).to_string().into();
    metadata["SessionIdArray"] = json!([payload::ungrouped()]).to_string().into();
    let Data::Queue(messages) = decoded("queue", "service-bus-batch.json", document) else {
        panic!("another kind");
    };
    assert_eq!((&messages[0].body, &messages[0].attributes), (&body, &attributes));
    assert_eq!(messages[0].group, None);

    let mut document = of("stream", "batch.json");
    document["Data"]["record"] = json!([base64(&body.bytes)]).to_string().into();
    let properties = payload::to_properties(body.content_type.as_deref(), &attributes);
    document["Metadata"]["PropertiesArray"] = json!([properties]).to_string().into();
    let Data::Stream(records) = decoded("stream", "batch.json", document) else {
        panic!("another kind");
    };
    assert_eq!((&records[0].body, &records[0].attributes), (&body, &attributes));
}
