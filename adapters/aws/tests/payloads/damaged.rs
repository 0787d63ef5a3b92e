//! Damaged payloads: refused or raw, never a panic, and a bad record never takes the others along.

use bytes::Bytes;
use nephos_aws::events::{decode, encode};
use nephos_conformance::payloads;
use nephos_core::{ErrorKind, Outcome};
use proptest::prelude::{any, proptest};
use serde_json::{Value, json};

use crate::{FOLDERS, Lambda, index, neutral, read, wiring};

#[test]
fn truncated_at_every_byte_nothing_panics() {
    payloads::half_a_document_is_none(&Lambda, 40_000).unwrap();
}

proptest! {
    #[test]
    fn any_bytes_are_refused_or_raw(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = decode(&Bytes::from(bytes), &wiring());
    }

    /// Any one value of any payload replaced by one of any other type.
    #[test]
    fn a_value_of_another_type_never_panics(pick in any::<proptest::sample::Index>(), at in any::<proptest::sample::Index>(), with in 0..6_usize) {
        let all: Vec<(&str, String)> = FOLDERS
            .into_iter()
            .flat_map(|name| index(name).payload.into_iter().map(move |entry| (name, entry.file)))
            .collect();
        let (name, file) = pick.get(&all);
        let mut document: Value = serde_json::from_slice(&read(name, file)).unwrap();
        let pointers = payloads::nodes(&document);
        let pointer = at.get(&pointers);
        let other = [json!(null), json!(-1), json!("\u{0}é%"), json!([]), json!({}), json!(1e300)];
        *document.pointer_mut(pointer).unwrap() = other[with].clone();
        let bytes = Bytes::from(document.to_string());
        if let Ok(decoded) = decode(&bytes, &wiring()) {
            let _ = encode(decoded.kind, &bytes, Outcome::Ack);
            let _ = neutral(decoded);
        }
    }
}

#[test]
fn what_is_not_utf_8_is_refused_also_where_nobody_reads_it() {
    let document = read("queue", "ministack-sqs.json");
    let name = b"\"receiptHandle\": \"";
    let at = document
        .windows(name.len())
        .position(|window| window == name)
        .unwrap();
    let mut bytes = document.to_vec();
    bytes[at + name.len()] = 0xff;
    let error = decode(&Bytes::from(bytes), &wiring()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Decode, "{error}");
}

/// Doubles the records of a payload and breaks the second one.
fn with_broken_twin(name: &str, file: &str, id: &str, new_id: &str, broken: &str) -> Value {
    let mut document: Value = serde_json::from_slice(&read(name, file)).unwrap();
    let mut twin = document["Records"][0].clone();
    *twin.pointer_mut(id).unwrap() = json!(new_id);
    *twin.pointer_mut(broken).unwrap() = json!({"not": ["what", "it", "was"]});
    document["Records"] = json!([twin, document["Records"][0]]);
    neutral(decode(&Bytes::from(document.to_string()), &wiring()).unwrap())
}

#[test]
fn one_record_that_cannot_be_read_fails_alone() {
    let cases = [
        ("queue", "ministack-sqs.json", "/messageId", "/body"),
        (
            "stream",
            "ministack-kinesis.json",
            "/kinesis/sequenceNumber",
            "/kinesis/data",
        ),
        (
            "table",
            "ministack-insert.json",
            "/dynamodb/SequenceNumber",
            "/dynamodb/NewImage/n",
        ),
    ];
    for (name, file, id, broken) in cases {
        let read = with_broken_twin(name, file, id, "other", broken);
        let event = &read["events"][0];
        assert_eq!(event["data"].as_array().unwrap().len(), 1, "{event:#}");
        assert_eq!(event["undecodable"][0]["id"], "other", "{event:#}");
        assert_eq!(event["undecodable"][0]["kind"], "decode", "{event:#}");
    }
}

#[test]
fn a_body_that_is_not_what_it_says_fails_alone() {
    let mut document: Value = serde_json::from_slice(&read("stream", "ministack-kinesis.json")).unwrap();
    document["Records"][0]["kinesis"]["data"] = json!("not base64!");
    let read = neutral(decode(&Bytes::from(document.to_string()), &wiring()).unwrap());
    assert_eq!(
        read["events"][0]["undecodable"].as_array().unwrap().len(),
        1,
        "{read:#}"
    );
    assert_eq!(read["events"][0]["data"], json!([]));
}

#[test]
fn a_bad_record_without_an_id_fails_the_whole() {
    for (name, file) in [
        ("queue", "ministack-sqs.json"),
        ("table", "ministack-insert.json"),
    ] {
        let mut document: Value = serde_json::from_slice(&read(name, file)).unwrap();
        let record = document["Records"][0].as_object_mut().unwrap();
        record.retain(|name, _| name == "eventSource");
        let error = decode(&Bytes::from(document.to_string()), &wiring()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Decode);
    }
}

#[test]
fn what_looks_like_a_service_and_says_it_is_another_is_raw() {
    for (folder, file) in [
        ("stream", "ministack-kinesis.json"),
        ("email", "example-ses-event.json"),
    ] {
        let mut document: Value = serde_json::from_slice(&read(folder, file)).unwrap();
        for record in document["Records"].as_array_mut().unwrap() {
            record["eventSource"] = "com.example.mine".into();
        }
        let decoded = decode(&Bytes::from(document.to_string()), &wiring()).unwrap();
        assert_eq!(decoded.kind, nephos_aws::events::Kind::Raw, "{file}");
    }
}
