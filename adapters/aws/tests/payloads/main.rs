//! The codecs against real payloads: each becomes the neutral event that stands beside it (`x.json`, `x.neutral.json`), or is raw for the reason that
//! its folder's `index.toml` gives; and each leaf of it is mapped, or listed there as ignored, with a reason.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test that cannot go on fails"
)]

mod answers;
mod damaged;

use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use nephos_aws::events::{self, Kind, TableKeys, Wiring, decode, email};
use nephos_aws::payload;
use nephos_conformance::payloads::{self, Codec, Decoded, Entry, Index};
use nephos_core::event::{Data, Payload};
use nephos_core::route::{RouteSpec, Routes};
use serde_json::Value;

/// The folders, one a trigger.
const FOLDERS: [&str; 11] = [
    "auth", "bucket", "email", "http", "queue", "raw", "schedule", "stream", "table", "topic", "voice",
];

struct Lambda;

impl Codec for Lambda {
    fn root(&self) -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/payloads")
    }

    fn folders(&self) -> &[&'static str] {
        &FOLDERS
    }

    fn is_nested(&self) -> bool {
        false
    }

    fn decode(&self, _folder: &str, _entry: &Entry, document: &Bytes) -> nephos_core::Result<Decoded> {
        decode(document, &wiring()).map(described)
    }
}

/// In the words of the suite.
fn described(decoded: events::Decoded) -> Decoded {
    Decoded {
        kind: format!("{:?}", decoded.kind),
        refused: decoded.refusal.map(|response| response.status().as_u16()),
        events: decoded.events,
    }
}

fn index(folder: &str) -> Index {
    payloads::index(&Lambda, folder).unwrap()
}

fn read(folder: &str, file: &str) -> Bytes {
    payloads::read(&Lambda, folder, file).unwrap()
}

fn neutral(decoded: events::Decoded) -> Value {
    described(decoded).neutral().unwrap()
}

/// What deployment would have told, of one thing of each kind: so that both the manifest's names and AWS's own appear.
fn wiring() -> Wiring {
    let sources = [
        ("arn:aws:sqs:us-west-2:123456789012:SQSQueue", "orders"),
        ("arn:aws:sns:us-east-1:246796806071:snsNetTest", "news"),
        (
            "arn:aws:kinesis:us-east-1:123456789012:stream/simple-stream",
            "clicks",
        ),
        ("arn:aws:dynamodb:us-east-1:000000000000:table/faces", "people"),
        ("sourcebucket", "snapshots"),
        (
            "arn:aws:events:us-east-1:123456789012:rule/my-schedule",
            "every 5 minutes",
        ),
        ("amzn1.ask.skill.5ecfcbb2-2a37-4d4e-9f6c-example", "kitchen"),
    ];
    let keys = TableKeys {
        key: "id".to_owned(),
        sort: Some("at".to_owned()),
    };
    Wiring {
        sources: sources
            .into_iter()
            .map(|(physical, name)| (physical.to_owned(), name.to_owned()))
            .collect(),
        keys: [("people".to_owned(), keys)].into(),
        ..Wiring::default()
    }
}

fn routed(path: &str) -> Wiring {
    let spec = RouteSpec {
        method: Some("POST".to_owned()),
        path: path.to_owned(),
    };
    Wiring {
        routes: Some(Routes::of("place", [spec]).unwrap()),
        ..wiring()
    }
}

#[test]
fn every_payload_becomes_the_neutral_event_beside_it() {
    if let Err(differ) = payloads::every_payload_becomes_the_event_beside_it(&Lambda) {
        panic!("{differ}");
    }
}

#[test]
fn every_leaf_is_mapped_or_ignored_with_a_reason() {
    if let Err(lost) = payloads::every_leaf_is_mapped(&Lambda) {
        panic!("{lost}");
    }
}

#[test]
fn what_is_raw_has_its_reason_and_its_bytes() {
    for entry in index("raw").payload {
        let document = read("raw", &entry.file);
        let decoded = decode(&document, &wiring()).unwrap();
        assert_eq!(decoded.kind, Kind::Raw, "{}", entry.file);
        assert!(
            entry.reason.is_some_and(|reason| reason.len() > 20),
            "{}",
            entry.file
        );
        let [event] = decoded.events.as_slice() else {
            panic!("{}", entry.file);
        };
        let Data::Raw(raw) = &event.data else {
            panic!("{}", entry.file);
        };
        assert_eq!(raw.bytes, document, "{}", entry.file);
    }
}

#[test]
fn every_file_is_in_its_index_and_says_where_it_is_from() {
    payloads::every_file_is_listed(&Lambda).unwrap();
}

#[test]
fn raw_bytes_stay_reachable_for_every_kind() {
    payloads::raw_bytes_stay_reachable(&Lambda).unwrap();
}

#[test]
fn a_url_of_ones_own_matches_the_functions_routes() {
    let document = read("http", "ministack-function-url.json");
    let found = neutral(decode(&document, &routed("/hello/{who}")).unwrap());
    assert_eq!(found["events"][0]["data"]["params"]["who"], "w x", "{found:#}");
    let lost = neutral(decode(&document, &routed("/bye/{who}")).unwrap());
    assert_eq!(
        (&lost["refused"], &lost["events"]),
        (&404.into(), &Value::Array(Vec::new()))
    );
    // The gateway of an HTTP API has matched the route: that it is another of the app's functions is its affair.
    let gateway = read("http", "ministack-http-api.json");
    let found = neutral(decode(&gateway, &routed("/bye/{who}")).unwrap());
    assert_eq!(found["events"][0]["data"]["params"]["name"], "w x", "{found:#}");
}

#[test]
fn a_mail_that_a_rule_stored_before_is_where_deployment_says() {
    let document = read("email", "lambda-own-rule.json");
    let wiring = Wiring {
        mail: Some(("mails".to_owned(), "in/".to_owned())),
        ..wiring()
    };
    let decoded = decode(&document, &wiring).unwrap();
    let place = email::location(&decoded.events[0]).unwrap();
    assert_eq!(place.bucket, "mails");
    assert_eq!(
        place.key,
        "in/EXAMPLE7c191be45-e9aedb9a-02f9-4d12-a87d-dd0099a07f8a-000000"
    );
    let stored = decode(&read("email", "example-ses-s3-event.json"), &wiring).unwrap();
    let place = email::location(&stored.events[0]).unwrap();
    assert_eq!(
        (place.bucket.as_str(), place.key.as_str()),
        ("my-S3-bucket", "email")
    );
    let nowhere = decode(&document, &crate::wiring()).unwrap();
    assert_eq!(email::location(&nowhere.events[0]), None);
}

#[test]
fn what_our_own_drivers_wrote_is_read_as_it_was() {
    let attributes: std::collections::BTreeMap<String, String> = [("empty", ""), ("nephos-own", "1")]
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect();
    let body = Payload {
        content_type: Some("image/png".to_owned()),
        bytes: Bytes::from_static(&[0x89, 0x50, 0]),
    };
    let wire = payload::encode(&body, &attributes, None);
    let mut document: Value = serde_json::from_slice(&read("queue", "ministack-sqs.json")).unwrap();
    let record = &mut document["Records"][0];
    record["body"] = wire.body.into();
    record["attributes"]["MessageGroupId"] = payload::ungrouped().into();
    record["messageAttributes"] = wire
        .attributes
        .into_iter()
        .map(|(name, value)| {
            (
                name,
                serde_json::json!({"dataType": "String", "stringValue": value}),
            )
        })
        .collect::<serde_json::Map<String, Value>>()
        .into();
    let decoded = decode(&Bytes::from(document.to_string()), &wiring()).unwrap();
    let Data::Queue(messages) = &decoded.events[0].data else {
        panic!("{decoded:?}");
    };
    assert_eq!((&messages[0].body, &messages[0].attributes), (&body, &attributes));
    assert_eq!(messages[0].group, None);

    let mut document: Value = serde_json::from_slice(&read("stream", "ministack-kinesis.json")).unwrap();
    let framed = payload::frame(&body, &attributes);
    document["Records"][0]["kinesis"]["data"] = STANDARD.encode(framed).into();
    let decoded = decode(&Bytes::from(document.to_string()), &wiring()).unwrap();
    let Data::Stream(records) = &decoded.events[0].data else {
        panic!("{decoded:?}");
    };
    assert_eq!((&records[0].body, &records[0].attributes), (&body, &attributes));

    let mut document: Value = serde_json::from_slice(&read("table", "ministack-insert.json")).unwrap();
    document["Records"][0]["dynamodb"]["NewImage"][payload::VERSION] = serde_json::json!({"S": "v"});
    let decoded = decode(&Bytes::from(document.to_string()), &wiring()).unwrap();
    let Data::Table(changes) = &decoded.events[0].data else {
        panic!("{decoded:?}");
    };
    assert_eq!(changes[0].new.as_ref().unwrap().get(payload::VERSION), None);
}

#[test]
fn every_event_is_a_lawful_cloudevent_and_comes_back_as_one() {
    // Requests travel as themselves, and a receipt has no message to travel.
    payloads::every_event_is_a_cloudevent(&Lambda, &["http", "email"], 40).unwrap();
}
