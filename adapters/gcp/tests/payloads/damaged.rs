//! Damaged payloads: refused, never a panic.

use bytes::Bytes;
use nephos_conformance::payloads::{self, Codec as _};
use nephos_core::ErrorKind;
use proptest::prelude::{any, proptest};
use serde_json::{Value, json};

use crate::{ALL, FOLDERS, Requests, arrived, changed, index, read, source};

#[test]
fn cut_off_at_every_byte_nothing_panics() {
    // What nothing of ours stands for is not read.
    let read = Requests(&["auth", "bucket", "queue", "stream", "table", "topic", "voice"]);
    payloads::half_a_document_is_none(&read, 8_000).unwrap();
}

proptest! {
    /// The bodies of all forms that are read, any bytes.
    #[test]
    fn any_bytes_are_refused(bytes in any::<Vec<u8>>(), at in any::<proptest::sample::Index>(), pick in any::<proptest::sample::Index>()) {
        let all = ["bucket", "queue", "stream", "topic"];
        let index = index(pick.get::<&str>(&all));
        let pushed: Vec<_> = index.payload.iter().filter(|entry| source(entry).by == nephos_gcp::wiring::Form::Push).collect();
        let entry = at.get(&pushed);
        assert!(arrived(&source(entry), entry, &Bytes::from(bytes)).is_err());
    }

    #[test]
    fn no_bytes_are_a_panic(bytes in any::<Vec<u8>>(), at in any::<proptest::sample::Index>(), pick in any::<proptest::sample::Index>()) {
        let folder = pick.get::<&str>(&FOLDERS);
        let index = index(folder);
        if let Ok(decoded) = ALL.decode(folder, at.get(&index.payload), &Bytes::from(bytes)) {
            decoded.neutral().unwrap();
        }
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
        if let Ok(decoded) = ALL.decode(folder, entry, &Bytes::from(document.to_string())) {
            decoded.neutral().unwrap();
        }
    }
}

#[test]
fn what_is_damaged_as_a_whole_or_without_an_id_is_refused() {
    type Damage = fn(&mut Value);
    let cases: [(&str, &str, Damage); 6] = [
        ("queue", "push.json", |document| {
            document["message"].as_object_mut().unwrap().remove("messageId");
        }),
        ("queue", "push.json", |document| {
            document["message"]["messageId"] = "".into();
        }),
        ("stream", "push.json", |document| {
            document["message"]["data"] = "not base64!".into();
        }),
        ("bucket", "notification-delete.json", |document| {
            document["message"]["attributes"]
                .as_object_mut()
                .unwrap()
                .remove("objectId");
        }),
        ("table", "updated.json", |document| *document = json!({})),
        ("auth", "before-create.json", |document| {
            document.as_object_mut().unwrap().remove("event_type");
        }),
    ];
    for (folder, file, damage) in cases {
        let error = changed(folder, file, damage).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Decode, "{file}: {error}");
    }
}

#[test]
fn a_changed_item_that_cannot_be_read_fails_under_its_events_id() {
    let read = changed("table", "updated.json", |document| {
        document["value"]["fields"]["foo"] = json!({"newKind": 1});
    });
    let event = &read.unwrap()["events"][0];
    assert_eq!(event["data"], json!([]));
    assert_eq!(event["undecodable"][0]["id"], "f-1", "{event:#}");
    let keyless = changed("table", "updated.json", |document| {
        document["value"]["fields"]["foo"] = json!({"booleanValue": true});
    });
    assert_eq!(keyless.unwrap()["events"][0]["undecodable"][0]["kind"], "decode");
}

#[test]
fn a_form_in_which_such_events_do_not_come_says_to_deploy_again() {
    for (folder, file, by) in [
        ("schedule", "tick.txt", "push"),
        ("table", "updated.json", "scheduler"),
        ("stream", "push.json", "scheduler"),
        ("topic", "push.json", "scheduler"),
        ("bucket", "finalized.json", "scheduler"),
        ("queue", "push.json", "scheduler"),
    ] {
        let index = index(folder);
        let entry = index.payload.iter().find(|entry| entry.file == file).unwrap();
        let mut source = source(entry);
        source.by = serde_json::from_value(json!(by)).unwrap();
        let document = match by {
            "push" => crate::read("queue", "push.json"),
            _ => read(folder, file),
        };
        let error = arrived(&source, entry, &document).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidArgument, "{file}: {error}");
        assert!(error.to_string().contains("deploy the function again"), "{error}");
    }
}
