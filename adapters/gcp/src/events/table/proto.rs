//! The messages of protobuf in which a change comes, by the numbers of
//! <https://github.com/googleapis/google-cloudevents/blob/main/proto/google/events/cloud/firestore/v1/data.proto>, and their form in Firestore's JSON, which `document` reads.

use std::collections::HashMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use chrono::{DateTime, SecondsFormat};
use serde_json::{Map, Value as Json, json};

#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct DocumentEventData {
    #[prost(message, optional, tag = "1")]
    pub(super) value: Option<Document>,
    #[prost(message, optional, tag = "2")]
    pub(super) old_value: Option<Document>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct Document {
    #[prost(string, tag = "1")]
    pub(super) name: String,
    #[prost(map = "string, message", tag = "2")]
    pub(super) fields: HashMap<String, Value>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct Value {
    #[prost(oneof = "Kind", tags = "11, 1, 2, 3, 10, 17, 18, 5, 8, 9, 6")]
    pub(super) kind: Option<Kind>,
}

#[derive(Clone, PartialEq, prost::Oneof)]
pub(super) enum Kind {
    /// An enumeration of one value.
    #[prost(int32, tag = "11")]
    Null(i32),
    #[prost(bool, tag = "1")]
    Boolean(bool),
    #[prost(int64, tag = "2")]
    Integer(i64),
    #[prost(double, tag = "3")]
    Double(f64),
    #[prost(message, tag = "10")]
    Timestamp(Timestamp),
    #[prost(string, tag = "17")]
    Text(String),
    #[prost(bytes = "bytes", tag = "18")]
    Bytes(Bytes),
    #[prost(string, tag = "5")]
    Reference(String),
    #[prost(message, tag = "8")]
    GeoPoint(LatLng),
    #[prost(message, tag = "9")]
    Array(ArrayValue),
    #[prost(message, tag = "6")]
    Map(MapValue),
}

/// `google.protobuf.Timestamp`
#[derive(Clone, Copy, PartialEq, prost::Message)]
pub(super) struct Timestamp {
    #[prost(int64, tag = "1")]
    pub(super) seconds: i64,
    #[prost(int32, tag = "2")]
    pub(super) nanos: i32,
}

/// `google.type.LatLng`
#[derive(Clone, Copy, PartialEq, prost::Message)]
pub(super) struct LatLng {
    #[prost(double, tag = "1")]
    pub(super) latitude: f64,
    #[prost(double, tag = "2")]
    pub(super) longitude: f64,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct ArrayValue {
    #[prost(message, repeated, tag = "1")]
    pub(super) values: Vec<Value>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct MapValue {
    #[prost(map = "string, message", tag = "1")]
    pub(super) fields: HashMap<String, Value>,
}

/// Fields in Firestore's JSON.
pub(super) fn fields(fields: HashMap<String, Value>) -> Map<String, Json> {
    fields
        .into_iter()
        .map(|(name, value)| (name, to_json(value)))
        .collect()
}

fn to_json(value: Value) -> Json {
    match value.kind {
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
            let values: Vec<Json> = list.values.into_iter().map(to_json).collect();
            json!({"arrayValue": {"values": values}})
        }
        Some(Kind::Map(map)) => json!({"mapValue": {"fields": fields(map.fields)}}),
    }
}

/// A number; what JSON has not as the text that the JSON of protobuf has for it.
fn double(float: f64) -> Json {
    if float.is_finite() {
        json!(float)
    } else if float.is_nan() {
        json!("NaN")
    } else if float.is_sign_negative() {
        json!("-Infinity")
    } else {
        json!("Infinity")
    }
}

fn time(at: Timestamp) -> Json {
    let nanos = u32::try_from(at.nanos).unwrap_or_default();
    DateTime::from_timestamp(at.seconds, nanos).map_or(Json::Null, |at| {
        at.to_rfc3339_opts(SecondsFormat::AutoSi, true).into()
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{any, proptest};
    use prost::Message as _;

    use super::*;

    #[test]
    fn the_numbers_of_fields_are_those_of_the_protocol() {
        // Written by hand from the protocol's file: value { name: "d", fields { "a": integer 3, "b": string "x" } }.
        let bytes: &[u8] = &[
            0x0a, 0x15, // value
            0x0a, 0x01, b'd', // name
            0x12, 0x07, 0x0a, 0x01, b'a', 0x12, 0x02, 0x10, 0x03, // a
            0x12, 0x07, 0x0a, 0x01, b'b', 0x12, 0x02, 0x58, 0x00, // b: null
        ];
        let read = DocumentEventData::decode(bytes).unwrap();
        let document = read.value.unwrap();
        assert_eq!((document.name.as_str(), read.old_value), ("d", None));
        assert_eq!(
            Json::Object(fields(document.fields)),
            json!({"a": {"integerValue": "3"}, "b": {"nullValue": null}})
        );
        let text = Value::decode(&[0x8a, 0x01, 0x01, b'x'][..]).unwrap();
        assert_eq!(to_json(text), json!({"stringValue": "x"}));
        let bytes = Value::decode(&[0x92, 0x01, 0x01, 0xff][..]).unwrap();
        assert_eq!(to_json(bytes), json!({"bytesValue": "/w=="}));
        let at = Value::decode(&[0x52, 0x04, 0x08, 0x01, 0x10, 0x00][..]).unwrap();
        assert_eq!(to_json(at), json!({"timestampValue": "1970-01-01T00:00:01Z"}));
        let list = Value::decode(&[0x4a, 0x04, 0x0a, 0x02, 0x08, 0x01][..]).unwrap();
        assert_eq!(
            to_json(list),
            json!({"arrayValue": {"values": [{"booleanValue": true}]}})
        );
        for (float, told) in [
            (f64::NAN, "NaN"),
            (f64::INFINITY, "Infinity"),
            (f64::NEG_INFINITY, "-Infinity"),
        ] {
            assert_eq!(double(float), told);
        }
    }

    proptest! {
        #[test]
        fn no_bytes_are_a_panic(bytes in any::<Vec<u8>>()) {
            if let Ok(data) = DocumentEventData::decode(bytes.as_slice()) {
                for document in data.value.into_iter().chain(data.old_value) {
                    let _ = crate::document::from_fields(&fields(document.fields));
                }
            }
        }
    }
}
