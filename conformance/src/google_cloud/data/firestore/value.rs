//! Values: what they may be, how large they are, and their order. <https://cloud.google.com/firestore/docs/reference/rest/v1/Value>,
//! <https://cloud.google.com/firestore/docs/concepts/data-types#value_type_ordering>, <https://cloud.google.com/firestore/docs/storage-size>.

use std::cmp::Ordering;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chrono::{DateTime, Datelike as _, SecondsFormat, Utc};
use serde_json::{Map, Value, json};

use super::super::{invalid, unimplemented};
use super::{field, name};
use crate::google_cloud::error::Outcome;

/// How deep maps and lists may be in each other.
const DEEPEST: usize = 20;
/// The largest value of a field: 1 MiB without 89 bytes.
const LARGEST: usize = 1_048_487;

/// Fields, checked, as they are kept.
pub(super) fn fields(sent: &Map<String, Value>) -> Outcome<Map<String, Value>> {
    inner(sent, 0)
}

fn inner(sent: &Map<String, Value>, depth: usize) -> Outcome<Map<String, Value>> {
    sent.iter()
        .map(|(name, value)| {
            field::is_name(name)?;
            let value = checked(value, depth, false)?;
            if size(&value) > LARGEST {
                let message = format!("The value of property \"{name}\" is longer than {LARGEST} bytes.");
                return Err(invalid(message));
            }
            Ok((name.clone(), value))
        })
        .collect()
}

/// One value that stands in a query.
pub(super) fn alone(sent: &Value) -> Outcome<Value> {
    checked(sent, 0, false)
}

fn checked(sent: &Value, depth: usize, in_list: bool) -> Outcome<Value> {
    let empty = Map::new();
    let mut kinds = sent.as_object().unwrap_or(&empty).iter();
    let (kind, value) = match (kinds.next(), kinds.next()) {
        (Some(one), None) => one,
        (None, _) => {
            return Err(invalid("Cannot convert firestore.v1.Value with type unset."));
        }
        (Some(_), Some(_)) => return Err(invalid("A value has exactly one of its fields.")),
    };
    let wrong = || invalid(format!("Invalid {kind}: {value}"));
    let text = || value.as_str().ok_or_else(wrong);
    let kept = match kind.as_str() {
        "nullValue" if value.is_null() || value == "NULL_VALUE" => Value::Null,
        "booleanValue" if value.is_boolean() => value.clone(),
        "integerValue" => {
            let whole = value.as_i64().or_else(|| value.as_str()?.parse().ok());
            whole.ok_or_else(wrong)?.to_string().into()
        }
        "doubleValue" => match value.as_str() {
            Some("NaN" | "Infinity" | "-Infinity") => value.clone(),
            _ => value.as_f64().ok_or_else(wrong)?.into(),
        },
        "timestampValue" => {
            let at = DateTime::parse_from_rfc3339(text()?).map_err(|_| wrong())?;
            let at = at.with_timezone(&Utc);
            if !(1..=9999).contains(&at.year()) {
                return Err(wrong());
            }
            written(at).into()
        }
        "stringValue" => text()?.into(),
        "bytesValue" => {
            let bytes = STANDARD.decode(text()?).map_err(|_| wrong())?;
            STANDARD.encode(bytes).into()
        }
        "referenceValue" => {
            let text = text()?;
            name::document(text, name::database(text))?;
            text.into()
        }
        "geoPointValue" => {
            let of = |name: &str, most: f64| {
                let number = value.get(name).map_or(Some(0.0), Value::as_f64);
                number.filter(|number| number.abs() <= most).ok_or_else(wrong)
            };
            json!({"latitude": of("latitude", 90.0)?, "longitude": of("longitude", 180.0)?})
        }
        "arrayValue" | "mapValue" if depth >= DEEPEST => {
            return Err(invalid("Property contains an invalid nested entity."));
        }
        "arrayValue" if in_list => {
            return Err(invalid("Cannot convert an array value in an array value."));
        }
        "arrayValue" => {
            let values = value["values"].as_array().into_iter().flatten();
            let values: Vec<Value> = values
                .map(|value| checked(value, depth + 1, true))
                .collect::<Outcome<_>>()?;
            if values.is_empty() {
                json!({})
            } else {
                json!({"values": values})
            }
        }
        "mapValue" => match inner(value["fields"].as_object().unwrap_or(&empty), depth + 1)? {
            fields if fields.is_empty() => json!({}),
            fields => json!({"fields": fields}),
        },
        "nullValue" | "booleanValue" => return Err(wrong()),
        other => return Err(unimplemented(&format!("values of the kind {other}"))),
    };
    Ok(Value::Object(Map::from_iter([(kind.clone(), kept)])))
}

/// Firestore keeps microseconds, and writes them in groups of three.
pub(super) fn written(at: DateTime<Utc>) -> String {
    let micros = at.timestamp_subsec_micros();
    let form = match micros {
        0 => SecondsFormat::Secs,
        micros if micros % 1000 == 0 => SecondsFormat::Millis,
        _ => SecondsFormat::Micros,
    };
    at.to_rfc3339_opts(form, true)
}

/// The bytes that a value takes.
pub(super) fn size(value: &Value) -> usize {
    match parts(value) {
        (0 | 1, _) => 1,
        (2 | 3, _) => 8,
        (4, value) => value.as_str().map_or(0, str::len) + 1,
        (5, value) => value.as_str().map_or(0, |text| text.len() / 4 * 3),
        (6, value) => name_size(value.as_str().unwrap_or_default()),
        (7, _) => 16,
        (8, value) => listed(value).map(size).sum(),
        (_, value) => value["fields"].as_object().map_or(0, fields_size),
    }
}

/// The bytes that fields take, with their names.
pub(super) fn fields_size(fields: &Map<String, Value>) -> usize {
    let sizes = fields.iter().map(|(name, value)| name.len() + 1 + size(value));
    sizes.sum()
}

/// The bytes that a document's name takes.
pub(super) fn name_size(name: &str) -> usize {
    name::path(name)
        .split('/')
        .map(|part| part.len() + 1)
        .sum::<usize>()
        + 16
}

fn listed(value: &Value) -> impl Iterator<Item = &Value> {
    value["values"].as_array().into_iter().flatten()
}

/// The values of a list; none of anything else.
pub(super) fn members(value: &Value) -> Option<Vec<&Value>> {
    value.get("arrayValue").map(|list| listed(list).collect())
}

/// The place of its type in the order of types, and what it has.
fn parts(value: &Value) -> (u8, &Value) {
    let (kind, value) = match value.as_object().and_then(|fields| fields.iter().next()) {
        Some((kind, value)) => (kind.as_str(), value),
        None => ("nullValue", &Value::Null),
    };
    let rank = match kind {
        "booleanValue" => 1,
        "integerValue" | "doubleValue" => 2,
        "timestampValue" => 3,
        "stringValue" => 4,
        "bytesValue" => 5,
        "referenceValue" => 6,
        "geoPointValue" => 7,
        "arrayValue" => 8,
        "mapValue" => 9,
        _ => 0,
    };
    (rank, value)
}

/// Whether both are of one type, as far as comparisons of a query go.
pub(super) fn is_alike(one: &Value, other: &Value) -> bool {
    parts(one).0 == parts(other).0
}

pub(super) fn is_null(value: &Value) -> bool {
    parts(value).0 == 0
}

pub(super) fn is_nan(value: &Value) -> bool {
    value.get("doubleValue").is_some_and(|value| value == "NaN")
}

/// The order of values.
pub(super) fn compare(one: &Value, other: &Value) -> Ordering {
    let ((rank, a), (other_rank, b)) = (parts(one), parts(other));
    if rank != other_rank {
        return rank.cmp(&other_rank);
    }
    let texts = || (a.as_str().unwrap_or_default(), b.as_str().unwrap_or_default());
    match rank {
        0 => Ordering::Equal,
        1 => a.as_bool().cmp(&b.as_bool()),
        2 => numbers(a, b),
        3 => {
            let (a, b) = texts();
            let at = |text| DateTime::parse_from_rfc3339(text).ok();
            at(a).cmp(&at(b))
        }
        4 => {
            let (a, b) = texts();
            a.cmp(b)
        }
        5 => {
            let (a, b) = texts();
            STANDARD
                .decode(a)
                .unwrap_or_default()
                .cmp(&STANDARD.decode(b).unwrap_or_default())
        }
        6 => {
            let (a, b) = texts();
            name::compare(a, b)
        }
        7 => {
            let place = |value: &Value, name: &str| value[name].as_f64().unwrap_or_default();
            let of = |name| place(a, name).total_cmp(&place(b, name));
            of("latitude").then_with(|| of("longitude"))
        }
        8 => row(listed(a), listed(b), compare),
        _ => {
            let empty = Map::new();
            let sorted = |value: &Value| {
                let fields = value["fields"].as_object().unwrap_or(&empty);
                let mut fields: Vec<(String, Value)> =
                    fields.iter().map(|(n, v)| (n.clone(), v.clone())).collect();
                fields.sort_by(|one, other| one.0.cmp(&other.0));
                fields
            };
            row(sorted(a).iter(), sorted(b).iter(), |one, other| {
                one.0.cmp(&other.0).then_with(|| compare(&one.1, &other.1))
            })
        }
    }
}

fn row<T>(
    mut one: impl Iterator<Item = T>,
    mut other: impl Iterator<Item = T>,
    compare: impl Fn(T, T) -> Ordering,
) -> Ordering {
    loop {
        match (one.next(), other.next()) {
            (None, None) => return Ordering::Equal,
            (None, Some(_)) => return Ordering::Less,
            (Some(_), None) => return Ordering::Greater,
            (Some(a), Some(b)) => match compare(a, b) {
                Ordering::Equal => {}
                different => return different,
            },
        }
    }
}

/// Not a number is before all numbers; both noughts are the same; whole numbers and others are compared by what they are.
fn numbers(a: &Value, b: &Value) -> Ordering {
    #[derive(Clone, Copy)]
    enum Number {
        Whole(i64),
        Float(f64),
    }
    let read = |value: &Value| match value {
        Value::String(text) => match text.parse() {
            Ok(whole) => Number::Whole(whole),
            Err(_) => Number::Float(text.parse().unwrap_or(f64::NAN)),
        },
        value => Number::Float(value.as_f64().unwrap_or(f64::NAN)),
    };
    let mixed = |whole: i64, float: f64| {
        // Beyond 64 bits there is no whole number that could be the same.
        if float.is_nan() || float < -9_223_372_036_854_775_808.0 {
            Ordering::Greater
        } else if float >= 9_223_372_036_854_775_808.0 {
            Ordering::Less
        } else {
            let floor = float.floor();
            whole.cmp(&(floor as i64)).then(if floor < float {
                Ordering::Less
            } else {
                Ordering::Equal
            })
        }
    };
    match (read(a), read(b)) {
        (Number::Whole(a), Number::Whole(b)) => a.cmp(&b),
        (Number::Whole(a), Number::Float(b)) => mixed(a, b),
        (Number::Float(a), Number::Whole(b)) => mixed(b, a).reverse(),
        (Number::Float(a), Number::Float(b)) => match a.partial_cmp(&b) {
            Some(order) => order,
            None => b.is_nan().cmp(&a.is_nan()),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_in_firestores_order() {
        let reference =
            |id: &str| json!({"referenceValue": format!("projects/p/databases/d/documents/c/{id}")});
        let ordered = [
            json!({"nullValue": null}),
            json!({"booleanValue": false}),
            json!({"booleanValue": true}),
            json!({"doubleValue": "NaN"}),
            json!({"doubleValue": "-Infinity"}),
            json!({"integerValue": "-9223372036854775808"}),
            json!({"doubleValue": -0.5}),
            json!({"integerValue": "0"}),
            json!({"doubleValue": 0.5}),
            json!({"integerValue": "9007199254740993"}),
            json!({"doubleValue": 1e300}),
            json!({"timestampValue": "2026-01-01T00:00:00Z"}),
            json!({"timestampValue": "2026-01-01T00:00:00.000001Z"}),
            json!({"stringValue": "B"}),
            json!({"stringValue": "a"}),
            json!({"bytesValue": "AQ=="}),
            json!({"bytesValue": "/w=="}),
            reference("a"),
            reference("a/b/c"),
            reference("a!"),
            json!({"geoPointValue": {"latitude": 1.0, "longitude": 2.0}}),
            json!({"arrayValue": {}}),
            json!({"arrayValue": {"values": [{"integerValue": "1"}]}}),
            json!({"mapValue": {}}),
            json!({"mapValue": {"fields": {"a": {"integerValue": "1"}}}}),
        ];
        for (at, one) in ordered.iter().enumerate() {
            for (other_at, other) in ordered.iter().enumerate() {
                assert_eq!(compare(one, other), at.cmp(&other_at), "{one} {other}");
            }
        }
        let (whole, float) = (json!({"integerValue": "7"}), json!({"doubleValue": 7.0}));
        assert_eq!(compare(&whole, &float), Ordering::Equal);
    }
}
