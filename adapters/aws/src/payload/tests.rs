//! Tests of payloads on the wire: what goes there comes back.

use proptest::prelude::*;

use super::*;

fn map(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect()
}

fn content(wire: Wire) -> Content {
    decode(wire).unwrap()
}

#[test]
fn text_and_plain_attributes_are_carried_as_they_are() {
    let attributes = map(&[("tenant", "blue"), ("note", "ünï \"quoted\"\n")]);
    let wire = encode(&Payload::text("hello"), &attributes, None);
    assert_eq!(wire.body, "hello");
    let mut expected = attributes.clone();
    expected.insert(CONTENT_TYPE.to_owned(), "text/plain; charset=utf-8".to_owned());
    assert_eq!(wire.attributes, expected);
    assert_eq!(content(wire).attributes, attributes);
}

#[test]
fn what_others_send_comes_as_it_is_and_of_no_known_type() {
    let wire = Wire {
        body: "{\"a\":1}".to_owned(),
        attributes: map(&[("a", "b")]),
    };
    let read = content(wire);
    assert_eq!(read.body.content_type, None);
    assert_eq!(read.body.bytes, "{\"a\":1}");
    assert_eq!(read.attributes, map(&[("a", "b")]));
    assert_eq!(read.subject, None);
}

#[test]
fn bytes_that_are_no_text_and_text_that_sqs_refuses_are_base64() {
    for bytes in [
        &b"\xff\x00"[..],
        b"a\0b",
        "\u{ffff}".as_bytes(),
        b"\x1b[0m",
        b"a\r\nb",
    ] {
        let body = Payload::bytes(bytes.to_vec());
        let wire = encode(&body, &BTreeMap::new(), None);
        assert_eq!(wire.attributes[ENCODING], "base64");
        assert_eq!(wire.body, STANDARD.encode(bytes));
        assert_eq!(content(wire).body, body);
    }
}

#[test]
fn an_empty_body_is_padding_alone_because_sqs_demands_a_character() {
    let body = Payload::text("");
    let wire = encode(&body, &BTreeMap::new(), None);
    assert_eq!(
        (wire.body.as_str(), wire.attributes[ENCODING].as_str()),
        ("=", BASE64)
    );
    assert_eq!(content(wire).body, body);
}

#[test]
fn attributes_that_aws_refuses_or_that_are_too_many_travel_together() {
    let attributes = map(&[
        ("", "no name"),
        ("a b", "space"),
        ("AWS.x", "reserved"),
        ("a..b", "dots"),
        ("empty", ""),
        ("control", "\u{0}\u{ffff}"),
        ("nephos-encoding", "the sender's own"),
        ("~tilde", "kept"),
        ("fits", "as it is"),
    ]);
    let wire = encode(&Payload::text("x"), &attributes, None);
    let names: Vec<&str> = wire.attributes.keys().map(String::as_str).collect();
    assert_eq!(names, ["fits", ATTRIBUTES, CONTENT_TYPE]);
    assert!(wire.attributes.values().all(|value| is_carried(value)));
    assert_eq!(content(wire).attributes, attributes);

    let many: BTreeMap<_, _> = (0..25).map(|n| (format!("a{n}"), n.to_string())).collect();
    let wire = encode(&Payload::bytes(vec![0xff]), &many, Some("ü"));
    assert_eq!(wire.attributes.len(), MAX_ATTRIBUTES);
    assert_eq!(content(wire.clone()).attributes, many);
    assert_eq!(content(wire).subject.as_deref(), Some("ü"));
}

#[test]
fn as_many_attributes_as_there_are_places_need_no_other_way() {
    let nine: BTreeMap<_, _> = (0..9).map(|n| (format!("a{n}"), n.to_string())).collect();
    let wire = encode(&Payload::text("x"), &nine, None);
    assert_eq!(wire.attributes.len(), 10);
    assert!(!wire.attributes.contains_key(ATTRIBUTES));
}

#[test]
fn the_size_counts_names_types_and_values() {
    let wire = Wire {
        body: "äb".to_owned(),
        attributes: map(&[("name", "value")]),
    };
    assert_eq!(wire.size(), 3 + 4 + 6 + 5);
}

#[test]
fn what_does_not_fit_its_attributes_is_an_error_and_not_another_body() {
    for (name, value) in [
        (ENCODING, "zip"),
        (ENCODING, "base64"),
        (ATTRIBUTES, "{"),
        (ATTRIBUTES, "[1]"),
    ] {
        let wire = Wire {
            body: "not base64!".to_owned(),
            attributes: map(&[(name, value)]),
        };
        let error = decode(wire).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Decode);
        assert!(error.to_string().contains(name), "{error}");
        assert!(!error.chain().contains("not base64!"), "{}", error.chain());
    }
}

#[test]
fn a_subject_that_sns_would_refuse_is_told_from_one_that_it_takes() {
    let longest = "x".repeat(100);
    for subject in ["a", "two words", longest.as_str(), "?!"] {
        assert!(subject_fits(subject), "{subject}");
    }
    let too_long = "x".repeat(101);
    for subject in ["", " a", "a ", "ü", "a\nb", "a\tb", too_long.as_str()] {
        assert!(!subject_fits(subject), "{subject:?}");
    }
}

#[test]
fn a_message_without_group_is_in_none() {
    assert_eq!(group(&ungrouped()), None);
    assert_ne!(ungrouped(), ungrouped());
    assert_eq!(group("orders"), Some("orders"));
}

#[test]
fn json_in_a_stream_is_json_and_nothing_else() {
    let body = Payload::json(&serde_json::json!({"a": 1})).unwrap();
    assert_eq!(frame(&body, &BTreeMap::new()), "{\"a\":1}");
    assert_eq!(
        unframe(Bytes::from_static(b"{\"a\":1}")).unwrap(),
        (body, BTreeMap::new())
    );
    let (payload, _) = unframe(Bytes::from_static(b"\xff\x00")).unwrap();
    assert_eq!((payload.content_type, payload.bytes.len()), (None, 2));
}

#[test]
fn text_in_a_stream_has_a_line_with_its_type_before_it() {
    let framed = frame(&Payload::text("hi"), &BTreeMap::new());
    assert_eq!(
        framed,
        "nephos/1 {\"content_type\":\"text/plain; charset=utf-8\"}\nhi"
    );
    assert_eq!(unframe(framed).unwrap().0, Payload::text("hi"));
}

#[test]
fn a_frame_that_is_damaged_is_an_error() {
    for data in ["nephos/1 ", "nephos/1 {}", "nephos/1 {\n", "nephos/1 []x\n"] {
        let error = unframe(Bytes::from_static(data.as_bytes())).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Decode, "{data}");
    }
}

fn any_payload() -> impl Strategy<Value = Payload> {
    let bytes = prop_oneof![
        any::<Vec<u8>>(),
        any::<String>().prop_map(String::into_bytes),
        Just(b"nephos/1 {}\n".to_vec()),
        Just(b"[1]".to_vec()),
    ];
    let content_type = prop_oneof![
        Just(None),
        Just(Some("application/json".to_owned())),
        any::<String>().prop_map(Some)
    ];
    (bytes, content_type).prop_map(|(bytes, content_type)| Payload {
        content_type,
        bytes: bytes.into(),
    })
}

fn any_attributes() -> impl Strategy<Value = BTreeMap<String, String>> {
    let name = prop_oneof![any::<String>(), "[a-z.~-]{0,8}", "nephos-[a-z]{0,4}"];
    proptest::collection::btree_map(name, any::<String>(), 0..14)
}

proptest! {
    #[test]
    fn whatever_is_sent_comes_back(body in any_payload(), attributes in any_attributes(), subject in any::<Option<String>>()) {
        let wire = encode(&body, &attributes, subject.as_deref());
        prop_assert!(wire.attributes.len() <= MAX_ATTRIBUTES);
        prop_assert!(!wire.body.is_empty() && is_carried(&wire.body));
        for (name, value) in &wire.attributes {
            prop_assert!(name.starts_with(OURS) || name_fits(name), "{name}");
            prop_assert!(!value.is_empty() && is_carried(value), "{value}");
        }
        prop_assert_eq!(content(wire), Content { body, attributes, subject });
    }

    #[test]
    fn whatever_is_appended_comes_back(body in any_payload(), attributes in any_attributes()) {
        let framed = frame(&body, &attributes);
        prop_assert_eq!(unframe(framed).unwrap(), (body, attributes));
    }

    #[test]
    fn whatever_others_send_is_read_or_refused(
        body in any::<String>(),
        attributes in any_attributes(),
        encoding in prop_oneof![Just(BASE64.to_owned()), any::<String>()],
        rest in prop_oneof![any::<String>(), Just("{\"a\":\"b\"}".to_owned())],
    ) {
        let mut attributes = attributes;
        attributes.insert(ENCODING.to_owned(), encoding);
        attributes.insert(ATTRIBUTES.to_owned(), rest);
        if let Err(error) = decode(Wire { body, attributes }) {
            prop_assert_eq!(error.kind(), ErrorKind::Decode);
        }
    }

    #[test]
    fn whatever_others_append_is_read_or_refused(head in any::<String>(), body in any::<Vec<u8>>()) {
        for data in [[FRAME, head.as_bytes(), b"\n", &body].concat(), [head.as_bytes(), &body].concat()] {
            if let Err(error) = unframe(data.into()) {
                prop_assert_eq!(error.kind(), ErrorKind::Decode);
            }
        }
    }
}
