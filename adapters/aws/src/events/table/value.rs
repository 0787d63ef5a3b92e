//! DynamoDB's typed values and the JSON of neutral items:
//! <https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_streams_AttributeValue.html>.

use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, Error as _, IgnoredAny, MapAccess, Visitor};
use serde_json::{Map, Value};

use crate::number;
use crate::payload::item_name;

/// A typed value (`{"S": "text"}`) as JSON. Bytes are base64, sets are lists in the order of the document.
///
/// A number that none of Rust's JSON numbers holds stays text, as the driver reads it too: DynamoDB keeps
/// [38 digits](https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/HowItWorks.NamingRulesDataTypes.html), a double 17.
#[derive(Debug)]
pub(super) struct Plain(pub(super) Value);

/// The text of a key attribute, which is text, a number or bytes; `None` for a value of any other type.
#[derive(Debug)]
pub(super) struct KeyText(pub(super) Option<String>);

/// Attributes by name.
#[derive(Debug)]
pub(super) struct Fields(pub(super) Map<String, Value>);

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

/// The tag and, by `read`, the value of the one entry that a typed value has.
fn typed<'de, A: MapAccess<'de>, T>(
    mut fields: A,
    read: impl FnOnce(Tag, &mut A) -> Result<T, A::Error>,
) -> Result<T, A::Error> {
    let Some(tag) = fields.next_key::<Tag>()? else {
        return Err(A::Error::custom("a value without its type"));
    };
    let value = read(tag, &mut fields)?;
    if fields.next_key::<Tag>()?.is_some() {
        return Err(A::Error::custom("a value of two types"));
    }
    Ok(value)
}

const EXPECTED: &str = "a value with its type (`S`, `N`, `B`, `BOOL`, `NULL`, `L`, `M`, `SS`, `NS`, `BS`)";

impl<'de> Deserialize<'de> for Plain {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Typed;

        impl<'de> Visitor<'de> for Typed {
            type Value = Plain;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(EXPECTED)
            }

            fn visit_map<A: MapAccess<'de>>(self, fields: A) -> Result<Plain, A::Error> {
                typed(fields, |tag, fields| {
                    Ok(match tag {
                        Tag::S | Tag::B => Value::String(fields.next_value()?),
                        Tag::N => number::to_json(fields.next_value()?),
                        Tag::Bool => Value::Bool(fields.next_value()?),
                        Tag::Null => {
                            fields.next_value::<bool>()?;
                            Value::Null
                        }
                        Tag::L => {
                            let items: Vec<Plain> = fields.next_value()?;
                            items.into_iter().map(|Plain(item)| item).collect()
                        }
                        Tag::M => Value::Object(fields.next_value::<Fields>()?.0),
                        Tag::Texts | Tag::Bytes => fields.next_value::<Vec<String>>()?.into(),
                        Tag::Numbers => {
                            let numbers: Vec<String> = fields.next_value()?;
                            numbers.into_iter().map(number::to_json).collect()
                        }
                    })
                })
                .map(Plain)
            }
        }

        deserializer.deserialize_map(Typed)
    }
}

impl<'de> Deserialize<'de> for KeyText {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Typed;

        impl<'de> Visitor<'de> for Typed {
            type Value = KeyText;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(EXPECTED)
            }

            fn visit_map<A: MapAccess<'de>>(self, fields: A) -> Result<KeyText, A::Error> {
                typed(fields, |tag, fields| match tag {
                    Tag::S | Tag::N | Tag::B => fields.next_value().map(Some),
                    _ => fields.next_value::<IgnoredAny>().map(|_| None),
                })
                .map(KeyText)
            }
        }

        deserializer.deserialize_map(Typed)
    }
}

impl<'de> Deserialize<'de> for Fields {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct ByName;

        impl<'de> Visitor<'de> for ByName {
            type Value = Fields;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("attributes by name")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Fields, A::Error> {
                let mut fields = Map::new();
                while let Some((name, Plain(value))) = entries.next_entry()? {
                    fields.insert(item_name(name), value);
                }
                Ok(Fields(fields))
            }
        }

        deserializer.deserialize_map(ByName)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{BoxedStrategy, Just, Strategy, any, prop_oneof, proptest};
    use serde_json::{Value, json};

    use super::{KeyText, Plain};
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
            let Plain(read) = serde_json::from_str(&text).unwrap();
            assert_eq!(read, plain, "{text}");
        }
    }

    #[test]
    fn values_of_no_or_two_types_are_refused() {
        for text in [r#"{}"#, r#"{"S":"a","N":"1"}"#, r#"{"X":"a"}"#, r#"{"S":1}"#, "7"] {
            assert!(serde_json::from_str::<Plain>(text).is_err(), "{text}");
            assert!(serde_json::from_str::<KeyText>(text).is_err(), "{text}");
        }
    }

    #[test]
    fn numbers_that_would_lose_digits_stay_text_and_bytes_stay_base64() {
        let json = |text: &str| serde_json::from_str::<Plain>(text).unwrap().0;
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
