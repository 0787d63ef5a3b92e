//! What is written is read as it was, for any body and any attributes.

use proptest::prelude::*;
use serde_json::json;

use super::*;

fn attributes(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect()
}

#[test]
fn plain_text_and_json_travel_as_they_are() {
    for (body, text) in [
        (Payload::text("grüße, \"you\""), "grüße, \"you\""),
        (Payload::json(&json!({"a": 1})).unwrap(), r#"{"a":1}"#),
    ] {
        let written = to_text(&body, &BTreeMap::new()).unwrap();
        assert_eq!(written, text);
        assert_eq!(from_text(written.into()).unwrap(), (body, BTreeMap::new()));
    }
}

#[test]
fn what_plain_text_cannot_tell_is_a_cloudevent_of_others_to_read() {
    let written = to_text(&Payload::text("hi"), &attributes(&[("to", "Ann")])).unwrap();
    let event: Value = serde_json::from_str(&written).unwrap();
    assert_eq!(event["specversion"], "1.0");
    assert_eq!(event["type"], QUEUE_MESSAGE);
    assert_eq!(event["data"], "hi");
    assert_eq!(event["attributes"], r#"{"to":"Ann"}"#);
    let bytes = to_text(&Payload::bytes(vec![0xff, 0]), &BTreeMap::new()).unwrap();
    assert_eq!(
        serde_json::from_str::<Value>(&bytes).unwrap()["data_base64"],
        "/wA="
    );
}

#[test]
fn what_others_sent_is_text_json_or_bytes() {
    let read = |bytes: &'static [u8]| from_text(Bytes::from_static(bytes)).unwrap().0;
    assert_eq!(read(b"hi").content_type.as_deref(), Some(TEXT));
    assert_eq!(read(b" [1]").content_type.as_deref(), Some("application/json"));
    assert_eq!(
        read(b"\xff").content_type.as_deref(),
        Some("application/octet-stream")
    );
    // A CloudEvent of another type is its sender's own.
    let foreign = br#"{"specversion":"1.0","type":"com.example","id":"1","source":"/x","data":"dev.nephos.queue.message"}"#;
    assert_eq!(read(foreign).bytes, &foreign[..]);
}

#[test]
fn what_says_that_it_is_ours_and_is_damaged_is_refused() {
    for text in [
        r#"{"specversion":"1.0","type":"dev.nephos.queue.message"}"#,
        r#"{"specversion":"1.0","type":"dev.nephos.queue.message","id":"1","source":"queue/-","attributes":"{"}"#,
    ] {
        let error = from_text(text.into()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Decode, "{text}");
    }
}

#[test]
fn a_body_that_looks_like_our_own_message_stays_what_it_is() {
    let inner = to_text(&Payload::bytes(vec![1]), &BTreeMap::new()).unwrap();
    let body = Payload {
        content_type: Some("application/json".to_owned()),
        bytes: inner.into(),
    };
    let written = to_text(&body, &BTreeMap::new()).unwrap();
    assert_eq!(from_text(written.into()).unwrap().0, body);
}

#[test]
fn a_message_of_its_own_session_is_in_no_group() {
    assert_eq!(group(&ungrouped()), None);
    assert_eq!(group(""), None);
    assert_eq!(group("a"), Some("a"));
}

#[test]
fn bookkeeping_is_small() {
    let removed = Bookkeeping {
        change: Some(ChangeKind::Removed),
        id: None,
    };
    assert_eq!(
        serde_json::to_value(&removed).unwrap(),
        json!({"change": "removed"})
    );
}

fn payloads() -> impl Strategy<Value = Payload> {
    let bytes = prop_oneof![
        any::<Vec<u8>>(),
        any::<String>().prop_map(String::into_bytes),
        Just(b"{\"a\": [1.0, null]}".to_vec()),
    ];
    let types = prop_oneof![
        Just(None),
        Just(Some(TEXT.to_owned())),
        Just(Some("application/json".to_owned())),
        Just(Some("image/png".to_owned())),
    ];
    (types, bytes).prop_map(|(content_type, bytes)| Payload {
        content_type,
        bytes: bytes.into(),
    })
}

proptest! {
    // Attributes are many and long: fewer of them say as much.
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_message_comes_back(body in payloads(), attributes in any::<BTreeMap<String, String>>()) {
        let written = to_text(&body, &attributes).unwrap();
        prop_assert!(written.chars().all(is_carried), "{written:?}");
        prop_assert_eq!(from_text(written.into()).unwrap(), (body, attributes));
    }

}

proptest! {
    #[test]
    fn any_properties_come_back(content_type in any::<Option<String>>(), attributes in any::<BTreeMap<String, String>>()) {
        let written = to_properties(content_type.as_deref(), &attributes);
        let sent = written.into_iter().map(|(name, value)| (name, Value::String(value))).collect();
        prop_assert_eq!(from_properties(sent), (content_type, attributes));
    }

    #[test]
    fn no_bytes_are_a_panic(bytes in any::<Vec<u8>>()) {
        let _ = from_text(bytes.into());
    }
}
