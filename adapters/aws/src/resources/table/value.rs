//! JSON as DynamoDB's attribute values, and back.
//!
//! DynamoDB keeps a number's value with up to 38 digits, not how it was written: `1.0` comes back as `1`
//! (<https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/HowItWorks.NamingRulesDataTypes.html>).

use std::collections::HashMap;

use aws_sdk_dynamodb::types::AttributeValue;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value};

use crate::number;
use crate::payload::{item_name, stored_name};

/// An item's attributes.
pub(super) type Attributes = HashMap<String, AttributeValue>;

/// JSON as DynamoDB stores it.
pub(super) fn to_attribute(value: &Value) -> AttributeValue {
    match value {
        Value::Null => AttributeValue::Null(true),
        Value::Bool(truth) => AttributeValue::Bool(*truth),
        Value::Number(number) => AttributeValue::N(number.to_string()),
        Value::String(text) => AttributeValue::S(text.clone()),
        Value::Array(list) => AttributeValue::L(list.iter().map(to_attribute).collect()),
        Value::Object(map) => AttributeValue::M(to_attributes(map)),
    }
}

/// An object as DynamoDB stores it.
pub(super) fn to_attributes(map: &Map<String, Value>) -> Attributes {
    map.iter()
        .map(|(name, value)| (stored_name(name).into_owned(), to_attribute(value)))
        .collect()
}

/// What DynamoDB stores, as JSON: sets, which others may have written, as lists, and bytes as Base64.
pub(super) fn to_json(value: AttributeValue) -> Value {
    let text = |bytes: &aws_sdk_dynamodb::primitives::Blob| Value::String(STANDARD.encode(bytes));
    match value {
        AttributeValue::Bool(truth) => Value::Bool(truth),
        AttributeValue::N(digits) => number::to_json(digits),
        AttributeValue::S(text) => Value::String(text),
        AttributeValue::L(list) => Value::Array(list.into_iter().map(to_json).collect()),
        AttributeValue::M(map) => Value::Object(to_object(map)),
        AttributeValue::Ss(set) => Value::Array(set.into_iter().map(Value::String).collect()),
        AttributeValue::Ns(set) => Value::Array(set.into_iter().map(number::to_json).collect()),
        AttributeValue::B(bytes) => text(&bytes),
        AttributeValue::Bs(set) => Value::Array(set.iter().map(text).collect()),
        _ => Value::Null,
    }
}

/// An item as JSON.
pub(super) fn to_object(attributes: Attributes) -> Map<String, Value> {
    attributes
        .into_iter()
        .map(|(name, value)| (item_name(name), to_json(value)))
        .collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn json_comes_back_as_it_went() {
        let item = json!({
            "largest": u64::MAX, "least": i64::MIN, "exact": 9_007_199_254_740_993_i64, "float": 0.1, "tiny": 1.5e-10,
            "true": true, "null": null, "text": "\u{0}é", "empty": "", "list": [1, "two", [3.5], {}, []], "map": {"": {"a.b": null}},
        });
        assert_eq!(to_json(to_attribute(&item)), item);
    }

    #[test]
    fn what_others_wrote_is_readable() {
        let bytes = aws_sdk_dynamodb::primitives::Blob::new([0xff]);
        assert_eq!(to_json(AttributeValue::B(bytes.clone())), json!("/w=="));
        assert_eq!(to_json(AttributeValue::Bs(vec![bytes])), json!(["/w=="]));
        assert_eq!(
            to_json(AttributeValue::Ns(vec!["1".into(), "2.5".into()])),
            json!([1, 2.5])
        );
        assert_eq!(to_json(AttributeValue::Ss(vec!["a".into()])), json!(["a"]));
    }
}
