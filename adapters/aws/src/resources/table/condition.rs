//! What must hold for a write, as DynamoDB's condition expressions.

use std::collections::HashMap;

use aws_sdk_dynamodb::types::AttributeValue;
use nephos_core::resource::table::{Condition, TableSchema};

use super::UNVERSIONED;
use super::value::Attributes;
use crate::payload::VERSION;

/// An expression, and what its placeholders stand for.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Expression {
    pub(super) text: Option<String>,
    pub(super) names: Option<HashMap<String, String>>,
    pub(super) values: Option<Attributes>,
}

/// The condition of a write at `now`, in seconds since 1970-01-01 UTC: an expired item counts as absent, also while DynamoDB, which takes days for it, has not
/// removed it (<https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/TTL.html>).
pub(super) fn of(schema: &TableSchema, condition: &Condition, now: i64) -> Expression {
    let mut names = HashMap::new();
    let mut values = Attributes::new();
    // Each placeholder must be used: DynamoDB refuses what is not.
    let mut expiry = || {
        schema.ttl.as_ref().map(|ttl| {
            names.insert("#t".to_owned(), ttl.clone());
            values.insert(":now".to_owned(), AttributeValue::N(now.to_string()));
        })
    };
    let text = match condition {
        Condition::Always => return Expression::default(),
        Condition::Absent => {
            let text = match expiry() {
                Some(()) => "attribute_not_exists(#k) OR #t <= :now",
                None => "attribute_not_exists(#k)",
            };
            names.insert("#k".to_owned(), schema.key.clone());
            text.to_owned()
        }
        Condition::Version(version) => {
            // A time to live of another type, `null` too, is none: comparing it is false.
            let alive = match expiry() {
                Some(()) => " AND (attribute_not_exists(#t) OR NOT #t <= :now)",
                None => "",
            };
            names.insert("#v".to_owned(), VERSION.to_owned());
            let same = if version.0 == UNVERSIONED {
                names.insert("#k".to_owned(), schema.key.clone());
                "attribute_exists(#k) AND attribute_not_exists(#v)"
            } else {
                values.insert(":v".to_owned(), AttributeValue::S(version.0.clone()));
                "#v = :v"
            };
            format!("{same}{alive}")
        }
    };
    Expression {
        text: Some(text),
        names: Some(names),
        values: (!values.is_empty()).then_some(values),
    }
}

#[cfg(test)]
mod tests {
    use nephos_core::resource::table::Version;

    use super::*;

    fn schema(ttl: Option<&str>) -> TableSchema {
        TableSchema {
            key: "id".to_owned(),
            sort: Some("sort".to_owned()),
            ttl: ttl.map(str::to_owned),
        }
    }

    /// Each placeholder of the text stands for something, and nothing else does.
    fn is_complete(expression: &Expression) -> bool {
        let text = expression.text.as_deref().unwrap_or_default();
        let mut used: Vec<&str> = text
            .split(|c: char| !(c.is_alphanumeric() || c == '#' || c == ':'))
            .filter(|word| word.starts_with(['#', ':']))
            .collect();
        used.sort_unstable();
        used.dedup();
        let mut known: Vec<&str> = expression
            .names
            .iter()
            .flat_map(HashMap::keys)
            .chain(expression.values.iter().flat_map(HashMap::keys))
            .map(String::as_str)
            .collect();
        known.sort_unstable();
        used == known
    }

    #[test]
    fn every_condition_names_what_it_uses_and_nothing_more() {
        for ttl in [None, Some("expires")] {
            for condition in [
                Condition::Always,
                Condition::Absent,
                Condition::Version(Version("v1".to_owned())),
                Condition::Version(Version(UNVERSIONED.to_owned())),
            ] {
                let expression = of(&schema(ttl), &condition, 7);
                assert!(is_complete(&expression), "{condition:?}: {expression:?}");
                let text = expression.text.unwrap_or_default();
                let looks_at_expiry = ttl.is_some() && condition != Condition::Always;
                assert_eq!(text.contains("#t <= :now"), looks_at_expiry, "{text}");
            }
        }
    }
}
