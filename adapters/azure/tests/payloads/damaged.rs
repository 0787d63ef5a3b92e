//! Damaged payloads: refused, never a panic, and a bad record never takes the others along.

use bytes::Bytes;
use nephos_azure::events;
use nephos_conformance::payloads::{self, Codec as _};
use nephos_core::ErrorKind;
use proptest::prelude::{any, proptest};
use serde_json::{Value, json};

use crate::{FOLDERS, Functions, index, neutral, read, trigger, wiring};

#[test]
fn cut_off_at_every_byte_nothing_panics() {
    payloads::half_a_document_is_none(&Functions, 20_000).unwrap();
}

proptest! {
    #[test]
    fn any_bytes_are_refused(bytes in any::<Vec<u8>>(), pick in any::<proptest::sample::Index>()) {
        let all = ["bucket", "queue", "schedule", "stream", "table", "topic"];
        let trigger = trigger(&index(pick.get::<&str>(&all)).payload[0]);
        assert!(events::decode(&trigger, &wiring(), &Bytes::from(bytes)).is_err());
    }

    /// Any one value of any payload replaced by one of any other type.
    #[test]
    fn a_value_of_another_type_never_panics(pick in any::<proptest::sample::Index>(), at in any::<proptest::sample::Index>(), with in 0..8_usize) {
        let folder = pick.get(&FOLDERS);
        let index = index(folder);
        let entry = at.get(&index.payload);
        let Ok(mut document) = serde_json::from_slice::<Value>(&read(folder, &entry.file)) else {
            return Ok(());
        };
        let pointers = payloads::nodes(&document);
        let other = [json!(null), json!(-1), json!("\u{0}é%"), json!([]), json!({}), json!(1e300), json!("[1]"), json!("\"x\"")];
        *document.pointer_mut(at.get::<String>(&pointers)).unwrap() = other[with].clone();
        if let Ok(decoded) = Functions.decode(folder, entry, &Bytes::from(document.to_string())) {
            decoded.neutral().unwrap();
        }
    }
}

fn list(value: &Value) -> Value {
    serde_json::from_str(value.as_str().unwrap()).unwrap()
}

/// Sets one value of a list that a string holds.
fn set(document: &mut Value, pointer: &str, at: usize, to: Value) {
    let held = document.pointer_mut(pointer).unwrap();
    let mut values = list(held);
    values[at] = to;
    *held = values.to_string().into();
}

#[test]
fn one_record_that_cannot_be_read_fails_alone() {
    let cases = [
        (
            "queue",
            "service-bus-batch.json",
            "/Data/message",
            json!("not base64!"),
            "m-1",
        ),
        (
            "queue",
            "service-bus-batch.json",
            "/Metadata/ApplicationPropertiesArray",
            json!("x"),
            "m-1",
        ),
        ("stream", "batch.json", "/Data/record", json!(7), "3/7"),
        (
            "stream",
            "batch.json",
            "/Metadata/PropertiesArray",
            json!([1]),
            "3/7",
        ),
        (
            "table",
            "changes-array.json",
            "/Data/changes",
            json!({"_lsn": 41, "_rid": "r", "account": true}),
            "41/r",
        ),
    ];
    for (folder, file, pointer, broken, id) in cases {
        let read = neutral(folder, file, |document| set(document, pointer, 0, broken));
        let event = &read["events"][0];
        let records = event["data"].as_array().unwrap().len();
        assert_eq!(records, usize::from(folder != "table"), "{pointer}: {event:#}");
        assert_eq!(
            event["undecodable"].as_array().unwrap().len(),
            1,
            "{pointer}: {event:#}"
        );
        assert_eq!(event["undecodable"][0]["id"], id, "{pointer}: {event:#}");
        assert_eq!(event["undecodable"][0]["kind"], "decode", "{pointer}: {event:#}");
    }
}

#[test]
fn a_damaged_message_of_ours_fails_under_its_id() {
    let read = neutral("queue", "text-binary.json", |document| {
        // {"specversion":"1.0","type":"dev.nephos.queue.message"}: nothing of a message is in it.
        document["Data"]["message"] =
            "eyJzcGVjdmVyc2lvbiI6IjEuMCIsInR5cGUiOiJkZXYubmVwaG9zLnF1ZXVlLm1lc3NhZ2UifQ==".into();
    });
    let event = &read["events"][0];
    assert_eq!(event["data"], json!([]));
    assert_eq!(
        event["undecodable"][0]["id"],
        "800ae4b3-bdd2-4c08-badd-f08e5a34b865"
    );
}

#[test]
fn what_is_damaged_as_a_whole_or_without_an_id_is_refused() {
    type Damage = fn(&mut Value);
    let cases: [(&str, &str, Damage); 8] = [
        ("queue", "text-binary.json", |document| {
            document["Metadata"].as_object_mut().unwrap().remove("Id");
        }),
        ("queue", "service-bus-batch.json", |document| {
            set(document, "/Metadata/MessageIdArray", 0, Value::Null);
            set(document, "/Metadata/SequenceNumberArray", 0, Value::Null);
        }),
        ("queue", "service-bus-batch.json", |document| {
            document["Metadata"]["ApplicationPropertiesArray"] = "{".into();
        }),
        ("queue", "service-bus-single.json", |document| {
            document["Metadata"]
                .as_object_mut()
                .unwrap()
                .remove("DeliveryCount");
        }),
        ("stream", "batch.json", |document| {
            document["Metadata"]
                .as_object_mut()
                .unwrap()
                .remove("SequenceNumberArray");
        }),
        ("table", "changes-array.json", |document| {
            document["Data"]["changes"] = "[{}]".into();
        }),
        ("bucket", "created-trigger.json", |document| {
            document["Data"]["event"]["subject"] = "/elsewhere".into();
        }),
        ("topic", "foreign-inbox.json", |document| {
            document["Data"]["event"] = "bm90aGluZw==".into();
        }),
    ];
    for (folder, file, damage) in cases {
        let index = index(folder);
        let entry = index.payload.iter().find(|entry| entry.file == file).unwrap();
        let mut document: Value = serde_json::from_slice(&read(folder, file)).unwrap();
        damage(&mut document);
        let error = Functions
            .decode(folder, entry, &document.to_string().into())
            .expect_err(file);
        assert_eq!(error.kind(), ErrorKind::Decode, "{file}: {error}");
    }
}

#[test]
fn metadata_that_are_missing_have_defaults_where_they_can() {
    let read = neutral("queue", "service-bus-batch.json", |document| {
        document["Metadata"] = json!({"MessageIdArray": "[\"a\",\"b\"]", "DeliveryCountArray": "[1]"});
    });
    let messages = read["events"][0]["data"].as_array().unwrap();
    assert_eq!(messages.len(), 2);
    assert_eq!(
        (&messages[1]["attempt"], &messages[1]["sent_at"]),
        (&json!(1), &Value::Null)
    );
}

#[test]
fn a_table_that_the_package_does_not_describe_is_refused_with_what_to_do() {
    let index = index("table");
    let mut trigger = trigger(&index.payload[0]);
    if let nephos_core::app::Trigger::Table { table, .. } = &mut trigger {
        *table = "strangers".to_owned();
    }
    let error = events::decode(&trigger, &wiring(), &read("table", "changes-array.json")).unwrap_err();
    assert!(error.to_string().contains("deploy the function again"), "{error}");
}
