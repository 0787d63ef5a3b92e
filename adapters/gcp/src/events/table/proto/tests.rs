//! Documents in protobuf: the protocol's numbers, and that an item is the same as by Firestore's JSON.

use std::collections::BTreeSet;

use proptest::prelude::*;
use prost::Message as _;

use super::*;

/// A value in Firestore's JSON.
fn to_json(value: Option<Value>) -> Json {
    match value.and_then(|value| value.kind) {
        None | Some(Kind::Null(_)) => json!({"nullValue": null}),
        Some(Kind::Boolean(is)) => json!({"booleanValue": is}),
        Some(Kind::Integer(whole)) => json!({"integerValue": whole.to_string()}),
        Some(Kind::Double(float)) => json!({"doubleValue": double(float)}),
        Some(Kind::Timestamp(at)) => json!({"timestampValue": time(at)}),
        Some(Kind::Text(text)) => json!({"stringValue": text}),
        Some(Kind::Bytes(bytes)) => json!({"bytesValue": STANDARD.encode(bytes)}),
        Some(Kind::Reference(name)) => json!({"referenceValue": name}),
        Some(Kind::GeoPoint(place)) => json!({
            "geoPointValue": {"latitude": place.latitude, "longitude": place.longitude}
        }),
        Some(Kind::Array(list)) => {
            let values: Vec<Json> = list
                .values
                .into_iter()
                .map(|value| to_json(Some(value)))
                .collect();
            json!({"arrayValue": {"values": values}})
        }
        Some(Kind::Map(map)) => json!({"mapValue": {"fields": fields(map.fields)}}),
    }
}

fn fields(fields: Vec<Field>) -> Map<String, Json> {
    fields
        .into_iter()
        .map(|field| (field.name, to_json(field.value)))
        .collect()
}

#[test]
fn the_numbers_of_fields_are_those_of_the_protocol() {
    // Written by hand from the protocol's file: value { name: "d", fields { "a": integer 3, "b": null } }.
    let bytes: &[u8] = &[
        0x0a, 0x15, // value
        0x0a, 0x01, b'd', // name
        0x12, 0x07, 0x0a, 0x01, b'a', 0x12, 0x02, 0x10, 0x03, // a
        0x12, 0x07, 0x0a, 0x01, b'b', 0x12, 0x02, 0x58, 0x00, // b
    ];
    let read = DocumentEventData::decode(bytes).unwrap();
    let document = read.value.unwrap();
    assert_eq!((document.name.as_str(), read.old_value), ("d", None));
    assert_eq!(
        Json::Object(item(document.fields).unwrap()),
        json!({"a": 3, "b": null})
    );
    let read = |bytes: &[u8]| from_value(Value::decode(bytes).unwrap()).unwrap();
    assert_eq!(read(&[0x8a, 0x01, 0x01, b'x']), json!("x"));
    assert_eq!(read(&[0x92, 0x01, 0x01, 0xff]), json!("/w=="));
    assert_eq!(
        read(&[0x52, 0x04, 0x08, 0x01, 0x10, 0x00]),
        json!("1970-01-01T00:00:01Z")
    );
    assert_eq!(read(&[0x4a, 0x04, 0x0a, 0x02, 0x08, 0x01]), json!([true]));
    for (float, told) in [
        (f64::NAN, "NaN"),
        (f64::INFINITY, "Infinity"),
        (f64::NEG_INFINITY, "-Infinity"),
    ] {
        assert_eq!(double(float), told);
    }
}

/// A map has each name once, also as an item's.
fn distinct(fields: Vec<Field>) -> Vec<Field> {
    let mut seen = BTreeSet::new();
    (fields.into_iter())
        .filter(|field| seen.insert(document::unescape(&field.name).to_owned()))
        .collect()
}

fn value() -> impl Strategy<Value = Value> {
    let name = || {
        prop_oneof![
            "~?[a-z_]{0,9}",
            Just("~list".to_owned()),
            Just("~number".to_owned()),
            Just("~json".to_owned())
        ]
    };
    let text = prop_oneof!["[0-9]{1,30}", "\\PC{0,6}", Just("{\"a\":[1]}".to_owned())];
    let plain = prop_oneof![
        Just(None),
        any::<bool>().prop_map(|is| Some(Kind::Boolean(is))),
        any::<i64>().prop_map(|whole| Some(Kind::Integer(whole))),
        any::<f64>().prop_map(|float| Some(Kind::Double(float))),
        any::<i32>().prop_map(|seconds| Some(Kind::Timestamp(Timestamp {
            seconds: seconds.into(),
            nanos: 5_000_000
        }))),
        text.prop_map(|text| Some(Kind::Text(text))),
        any::<Vec<u8>>().prop_map(|bytes| Some(Kind::Bytes(bytes.into()))),
        Just(Some(Kind::GeoPoint(LatLng {
            latitude: 1.5,
            longitude: -2.0
        }))),
    ];
    let plain = plain.prop_map(|kind| Value { kind });
    plain.prop_recursive(4, 16, 3, move |inner| {
        let field = (name(), prop::option::of(inner.clone())).prop_map(|(name, value)| Field { name, value });
        prop_oneof![
            prop::collection::vec(inner, 0..3).prop_map(|values| Kind::Array(ArrayValue { values })),
            prop::collection::vec(field, 0..3).prop_map(|fields| Kind::Map(MapValue {
                fields: distinct(fields)
            })),
        ]
        .prop_map(|kind| Value { kind: Some(kind) })
    })
}

proptest! {
    #[test]
    fn no_bytes_are_a_panic(bytes in any::<Vec<u8>>()) {
        if let Ok(data) = DocumentEventData::decode(bytes.as_slice()) {
            for document in data.value.into_iter().chain(data.old_value) {
                let _ = item(document.fields);
            }
        }
    }

    #[test]
    fn an_item_is_the_same_by_protobuf_and_by_json(
        values in prop::collection::vec(("_nephos_[a-z]|~?[a-z]{0,3}", prop::option::of(value())), 0..4),
    ) {
        let told = distinct(values.into_iter().map(|(name, value)| Field { name, value }).collect());
        let (direct, by_json) = (item(told.clone()), document::from_fields(&fields(told)));
        match (direct, by_json) {
            (Ok(direct), Ok(by_json)) => prop_assert_eq!(direct, by_json),
            (direct, by_json) => prop_assert_eq!(direct.is_err(), by_json.is_err()),
        }
    }
}
