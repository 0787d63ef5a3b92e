//! The messages of protobuf in which a change comes, by the numbers of
//! <https://github.com/googleapis/google-cloudevents/blob/main/proto/google/events/cloud/firestore/v1/data.proto>, and the items that they hold: what `document` reads of Firestore's JSON, without a
//! detour by it.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use chrono::{DateTime, SecondsFormat};
use nephos_core::Result;
use serde_json::{Map, Number, Value as Json, json};

use crate::document;

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
    #[prost(message, repeated, tag = "2")]
    pub(super) fields: Vec<Field>,
}

/// An entry of a map, which is [the same on the wire](https://protobuf.dev/programming-guides/proto3/#backwards) as a list of these.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct Field {
    #[prost(string, tag = "1")]
    pub(super) name: String,
    #[prost(message, optional, tag = "2")]
    pub(super) value: Option<Value>,
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
    #[prost(message, repeated, tag = "1")]
    pub(super) fields: Vec<Field>,
}

/// The item that a document's fields are, without ours.
///
/// # Errors
/// Those of [`document::from_fields`].
pub(super) fn item(fields: Vec<Field>) -> Result<Map<String, Json>> {
    (fields.into_iter())
        .filter(|field| !document::is_ours(&field.name))
        .map(entry)
        .collect()
}

fn entry(field: Field) -> Result<(String, Json)> {
    let name = match document::unescape(&field.name) {
        own if own.len() == field.name.len() => field.name,
        own => own.to_owned(),
    };
    Ok((name, field.value.map_or(Ok(Json::Null), from_value)?))
}

fn from_value(value: Value) -> Result<Json> {
    Ok(match value.kind {
        None | Some(Kind::Null(_)) => Json::Null,
        Some(Kind::Boolean(is)) => Json::Bool(is),
        Some(Kind::Integer(whole)) => whole.into(),
        Some(Kind::Double(float)) => double(float),
        Some(Kind::Timestamp(at)) => time(at),
        Some(Kind::Text(text)) => Json::String(text),
        Some(Kind::Bytes(bytes)) => Json::String(STANDARD.encode(bytes)),
        Some(Kind::Reference(name)) => Json::String(name),
        Some(Kind::GeoPoint(place)) => json!({"latitude": place.latitude, "longitude": place.longitude}),
        Some(Kind::Array(list)) => {
            Json::Array(list.values.into_iter().map(from_value).collect::<Result<_>>()?)
        }
        Some(Kind::Map(map)) => from_map(map.fields)?,
    })
}

fn from_map(mut fields: Vec<Field>) -> Result<Json> {
    if let [field] = fields.as_mut_slice() {
        if field.name == document::LIST {
            return field.value.take().map_or(Ok(Json::Null), from_value);
        }
        if let Some(Kind::Text(text)) = field.value.as_ref().and_then(|value| value.kind.as_ref())
            && let Some(read) = document::from_text(&field.name, text)
        {
            return read;
        }
    }
    let item: Result<Map<String, Json>> = fields.into_iter().map(entry).collect();
    item.map(Json::Object)
}

/// A number; what JSON has not as the text that the JSON of protobuf has for it.
fn double(float: f64) -> Json {
    if let Some(number) = Number::from_f64(float) {
        Json::Number(number)
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
mod tests;
