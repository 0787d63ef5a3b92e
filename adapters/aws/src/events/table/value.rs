//! DynamoDB's typed values and the JSON of neutral items:
//! <https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_streams_AttributeValue.html>.

use std::collections::BTreeMap;
use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, Error as _, MapAccess, Visitor};
use serde_json::Value;

use crate::number;
use crate::payload::item_name;

/// A typed value: `{"S": "text"}`.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Typed {
    Text(String),
    Number(String),
    /// Base64, as it came.
    Bytes(String),
    Bool(bool),
    Null,
    List(Vec<Self>),
    Map(BTreeMap<String, Self>),
    Texts(Vec<String>),
    Numbers(Vec<String>),
}

impl Typed {
    /// The value as JSON. Bytes are base64, sets are lists in the order of the document.
    ///
    /// A number that none of Rust's JSON numbers holds stays text, as the driver reads it too: DynamoDB keeps
    /// [38 digits](https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/HowItWorks.NamingRulesDataTypes.html), a double 17.
    pub(super) fn into_json(self) -> Value {
        match self {
            Self::Text(text) | Self::Bytes(text) => Value::String(text),
            Self::Number(text) => number::to_json(text),
            Self::Bool(value) => Value::Bool(value),
            Self::Null => Value::Null,
            Self::List(items) => items.into_iter().map(Self::into_json).collect(),
            Self::Map(fields) => Value::Object(
                fields
                    .into_iter()
                    .map(|(name, value)| (item_name(name), value.into_json()))
                    .collect(),
            ),
            Self::Texts(texts) => texts.into_iter().map(Value::String).collect(),
            Self::Numbers(texts) => texts.into_iter().map(number::to_json).collect(),
        }
    }

    /// The text of a key attribute, which is text, a number or bytes.
    pub(super) fn into_key(self) -> Option<String> {
        match self {
            Self::Text(text) | Self::Number(text) | Self::Bytes(text) => Some(text),
            _ => None,
        }
    }
}

impl<'de> Deserialize<'de> for Typed {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(TypedVisitor)
    }
}

#[derive(Deserialize)]
enum Tag {
    S,
    N,
    B,
    #[serde(rename = "BOOL")]
    Bool,
    #[serde(rename = "NULL")]
    Null,
    L,
    M,
    #[serde(rename = "SS")]
    Texts,
    #[serde(rename = "NS")]
    Numbers,
    #[serde(rename = "BS")]
    Bytes,
}

struct TypedVisitor;

impl<'de> Visitor<'de> for TypedVisitor {
    type Value = Typed;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value with its type (`S`, `N`, `B`, `BOOL`, `NULL`, `L`, `M`, `SS`, `NS`, `BS`)")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<Typed, A::Error> {
        let Some(tag) = fields.next_key::<Tag>()? else {
            return Err(A::Error::custom("a value without its type"));
        };
        let typed = match tag {
            Tag::S => Typed::Text(fields.next_value()?),
            Tag::N => Typed::Number(fields.next_value()?),
            Tag::B => Typed::Bytes(fields.next_value()?),
            Tag::Bool => Typed::Bool(fields.next_value()?),
            Tag::Null => {
                fields.next_value::<bool>()?;
                Typed::Null
            }
            Tag::L => Typed::List(fields.next_value()?),
            Tag::M => Typed::Map(fields.next_value()?),
            Tag::Texts | Tag::Bytes => Typed::Texts(fields.next_value()?),
            Tag::Numbers => Typed::Numbers(fields.next_value()?),
        };
        if fields.next_key::<Tag>()?.is_some() {
            return Err(A::Error::custom("a value of two types"));
        }
        Ok(typed)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{BoxedStrategy, Just, Strategy, any, prop_oneof, proptest};
    use serde_json::{Value, json};

    use super::Typed;
    use crate::payload::stored_name;

    /// A neutral value with the form that DynamoDB has of it.
    fn pairs() -> BoxedStrategy<(Value, Value)> {
        let leaf = prop_oneof![
            any::<String>().prop_map(|text| (json!(text), json!({"S": text}))),
            any::<i64>().prop_map(|number| (json!(number), json!({"N": number.to_string()}))),
            any::<u64>().prop_map(|number| (json!(number), json!({"N": number.to_string()}))),
            // DynamoDB writes a whole number without its point.
            any::<f64>()
                .prop_filter("not whole", |number| number.fract() != 0.0 && number.is_finite())
                .prop_map(|number| (json!(number), json!({"N": number.to_string()}))),
            any::<bool>().prop_map(|value| (json!(value), json!({"BOOL": value}))),
            Just((Value::Null, json!({"NULL": true}))),
            proptest::collection::vec(any::<String>(), 1..4)
                .prop_map(|texts| (json!(texts), json!({"SS": texts}))),
            proptest::collection::vec(any::<i32>(), 1..4).prop_map(|numbers| {
                let texts: Vec<String> = numbers.iter().map(ToString::to_string).collect();
                (json!(numbers), json!({"NS": texts}))
            }),
        ];
        leaf.prop_recursive(4, 32, 4, |inner| {
            prop_oneof![
                proptest::collection::vec(inner.clone(), 0..4).prop_map(|items| {
                    let (plain, typed): (Vec<Value>, Vec<Value>) = items.into_iter().unzip();
                    (Value::Array(plain), json!({"L": typed}))
                }),
                proptest::collection::btree_map(any::<String>(), inner, 0..4).prop_map(|fields| {
                    let plain = fields
                        .iter()
                        .map(|(name, (plain, _))| (name.clone(), plain.clone()));
                    let typed: serde_json::Map<String, Value> = fields
                        .iter()
                        .map(|(name, (_, typed))| (stored_name(name).into_owned(), typed.clone()))
                        .collect();
                    (Value::Object(plain.collect()), json!({"M": typed}))
                }),
            ]
        })
        .boxed()
    }

    proptest! {
        #[test]
        fn every_typed_value_is_the_json_that_it_stands_for((plain, typed) in pairs()) {
            let text = typed.to_string();
            let read: Typed = serde_json::from_str(&text).unwrap();
            assert_eq!(read.into_json(), plain, "{text}");
        }
    }

    #[test]
    fn values_of_no_or_two_types_are_refused() {
        for text in [r#"{}"#, r#"{"S":"a","N":"1"}"#, r#"{"X":"a"}"#, r#"{"S":1}"#, "7"] {
            assert!(serde_json::from_str::<Typed>(text).is_err(), "{text}");
        }
    }

    #[test]
    fn numbers_that_would_lose_digits_stay_text_and_bytes_stay_base64() {
        let json = |text: &str| serde_json::from_str::<Typed>(text).unwrap().into_json();
        assert_eq!(json(r#"{"N":"18446744073709551615"}"#), json!(u64::MAX));
        assert_eq!(
            json(r#"{"N":"12345678901234567890123"}"#),
            json!("12345678901234567890123")
        );
        assert_eq!(json(r#"{"N":"1E+2"}"#), json!(100.0));
        assert_eq!(json(r#"{"B":"AAE="}"#), json!("AAE="));
        assert_eq!(json(r#"{"BS":["AAE=","Ag=="]}"#), json!(["AAE=", "Ag=="]));
    }
}
