//! JSON as DynamoDB's attribute values, and back.
//!
//! DynamoDB keeps a number's value with up to 38 digits, not how it was written: `1.0` comes back as `1`
//! (<https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/HowItWorks.NamingRulesDataTypes.html>).

use std::collections::HashMap;

use aws_sdk_dynamodb::types::AttributeValue;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Number, Value};

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
        AttributeValue::N(digits) => number(digits),
        AttributeValue::S(text) => Value::String(text),
        AttributeValue::L(list) => Value::Array(list.into_iter().map(to_json).collect()),
        AttributeValue::M(map) => Value::Object(to_object(map)),
        AttributeValue::Ss(set) => Value::Array(set.into_iter().map(Value::String).collect()),
        AttributeValue::Ns(set) => Value::Array(set.into_iter().map(number).collect()),
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

/// A number that fits none of JSON's in Rust stays what it is, as text: an altered one would be worse.
fn number(digits: String) -> Value {
    let whole = digits
        .parse::<i64>()
        .map(Number::from)
        .or_else(|_| digits.parse::<u64>().map(Number::from));
    match whole {
        Ok(whole) => Value::Number(whole),
        Err(_) => match digits.parse::<f64>().ok().and_then(Number::from_f64) {
            Some(float) if is_exact(&digits) => Value::Number(float),
            _ => Value::String(digits),
        },
    }
}

/// Whether a binary floating point number tells the digits apart from their neighbours: 17 significant digits at most, as many as JSON writes of one.
fn is_exact(digits: &str) -> bool {
    let mantissa = digits.split(['e', 'E']).next().unwrap_or(digits);
    let mut significant: Vec<u8> = mantissa
        .bytes()
        .filter(u8::is_ascii_digit)
        .skip_while(|digit| *digit == b'0')
        .collect();
    while significant.last() == Some(&b'0') {
        significant.pop();
    }
    significant.len() <= 17
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
    fn a_number_is_what_dynamodb_writes_for_it() {
        for (digits, expected) in [
            ("42", json!(42)),
            ("-7", json!(-7)),
            ("18446744073709551615", json!(u64::MAX)),
            ("0.00000000015", json!(1.5e-10)),
            ("0.1", json!(0.1)),
            ("100000000000000000000000000", json!(1e26)),
        ] {
            assert_eq!(number(digits.to_owned()), expected, "{digits}");
        }
    }

    #[test]
    fn a_number_that_would_lose_digits_stays_text() {
        let digits = "12345678901234567890123456789012345678";
        assert_eq!(number(digits.to_owned()), json!(digits));
        assert_eq!(
            number("0.1234567890123456789".to_owned()),
            json!("0.1234567890123456789")
        );
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
