//! The codecs against real payloads: each becomes the neutral event that stands beside it (`x.json`, `x.neutral.json`), or is raw for the reason that
//! its folder's `index.toml` gives; and each leaf of it is mapped, or listed there as ignored, with a reason.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test that cannot go on fails"
)]

mod answers;
mod damaged;
mod leaves;
mod neutral;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use nephos_aws::events::{Kind, TableKeys, Wiring, decode, email};
use nephos_aws::payload;
use nephos_core::event::cloudevents::{from_cloudevents, to_cloudevents};
use nephos_core::event::{Data, Payload};
use nephos_core::route::{RouteSpec, Routes};
use serde::Deserialize;
use serde_json::Value;

/// The folders, one a trigger.
const FOLDERS: [&str; 11] = [
    "auth", "bucket", "email", "http", "queue", "raw", "schedule", "stream", "table", "topic", "voice",
];

/// What a folder's `index.toml` says.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Index {
    payload: Vec<Entry>,
    /// Leaves that no neutral field holds, by their path (`Records[].receiptHandle`, or `a.*` for all below), each with its reason.
    #[serde(default)]
    ignored: BTreeMap<String, String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    file: String,
    /// Where it is from.
    source: String,
    /// When it was taken from there.
    date: String,
    /// Why it is raw, if it is.
    reason: Option<String>,
}

fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/payloads")
        .join(name)
}

fn index(name: &str) -> Index {
    let path = folder(name).join("index.toml");
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    toml::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn read(folder_name: &str, file: &str) -> Bytes {
    let path = folder(folder_name).join(file);
    std::fs::read(&path)
        .unwrap_or_else(|error| panic!("{}: {error}", path.display()))
        .into()
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

fn neutral_of(document: &Bytes) -> Value {
    neutral::decoded(decode(document, &wiring()).unwrap())
}

#[test]
fn every_payload_becomes_the_neutral_event_beside_it() {
    let mut differ = Vec::new();
    for name in FOLDERS {
        for Entry { file, .. } in index(name).payload {
            if name == "raw" {
                continue;
            }
            let actual = neutral_of(&read(name, &file));
            let beside = file.replace(".json", ".neutral.json");
            let expected = std::fs::read(folder(name).join(&beside)).unwrap_or_default();
            let expected: Value = serde_json::from_slice(&expected).unwrap_or_default();
            if actual != expected {
                differ.push(format!("{name}/{beside} is not:\n{actual:#}"));
            }
        }
    }
    assert!(differ.is_empty(), "{}", differ.join("\n\n"));
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
    for name in FOLDERS {
        let index = index(name);
        let listed: BTreeSet<String> = index.payload.iter().map(|entry| entry.file.clone()).collect();
        assert_eq!(
            listed.len(),
            index.payload.len(),
            "{name}: a file is listed twice"
        );
        let found: BTreeSet<String> = std::fs::read_dir(folder(name))
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .filter(|file| file.ends_with(".json") && !file.ends_with(".neutral.json"))
            .collect();
        assert_eq!(listed, found, "{name}");
        for entry in index.payload {
            assert!(entry.source.len() > 10, "{}", entry.file);
            assert!(entry.date.parse::<chrono::NaiveDate>().is_ok(), "{}", entry.file);
        }
    }
}

#[test]
fn raw_bytes_stay_reachable_for_every_kind() {
    for name in FOLDERS {
        for Entry { file, .. } in index(name).payload {
            let document = read(name, &file);
            for event in decode(&document, &wiring()).unwrap().events {
                assert_eq!(event.raw.map(|raw| raw.bytes), Some(document.clone()), "{file}");
            }
        }
    }
}

#[test]
fn a_url_of_ones_own_matches_the_functions_routes() {
    let document = read("http", "ministack-function-url.json");
    let found = neutral::decoded(decode(&document, &routed("/hello/{who}")).unwrap());
    assert_eq!(found["events"][0]["data"]["params"]["who"], "w x", "{found:#}");
    let lost = neutral::decoded(decode(&document, &routed("/bye/{who}")).unwrap());
    assert_eq!(
        (&lost["refused"], &lost["events"]),
        (&404.into(), &Value::Array(Vec::new()))
    );
    // The gateway of an HTTP API has matched the route: that it is another of the app's functions is its affair.
    let gateway = read("http", "ministack-http-api.json");
    let found = neutral::decoded(decode(&gateway, &routed("/bye/{who}")).unwrap());
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
    let mut seen = 0;
    for name in FOLDERS {
        // Requests travel as themselves, and a receipt has no message to travel.
        if ["http", "email"].contains(&name) {
            continue;
        }
        for Entry { file, .. } in index(name).payload {
            for event in decode(&read(name, &file), &wiring()).unwrap().events {
                let written = to_cloudevents(&event).unwrap_or_else(|error| panic!("{file}: {error}"));
                let again = from_cloudevents(written).unwrap();
                assert_eq!(again.attributes, event.attributes, "{file}");
                assert_eq!(format!("{:?}", again.data), format!("{:?}", event.data), "{file}");
                seen += 1;
            }
        }
    }
    assert!(seen > 40, "only {seen}");
}
