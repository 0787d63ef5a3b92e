//! Which events a subscription takes: types, the subject's ends, and conditions on fields.

use nephos_core::Result;
use serde_json::Value;

use crate::azure_functions::refused;

/// Which events a subscription takes. All conditions must hold.
#[derive(Debug, Clone, Default)]
pub(super) struct Filter {
    types: Vec<String>,
    begins: String,
    ends: String,
    case_sensitive: bool,
    conditions: Vec<Condition>,
}

#[derive(Debug, Clone)]
struct Condition {
    key: String,
    operator: Operator,
    negated: bool,
    values: Vec<Value>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Operator {
    StringIn,
    StringBeginsWith,
    StringEndsWith,
    StringContains,
    NumberIn,
    NumberGreaterThan,
    NumberGreaterThanOrEquals,
    NumberLessThan,
    NumberLessThanOrEquals,
    BoolEquals,
    IsNullOrUndefined,
}

/// The most conditions, and the most values of all of them.
const MOST: usize = 25;

impl Filter {
    /// What a template's `filter` says.
    pub(super) fn read(filter: &Value) -> Result<Self> {
        let text = |name: &str| {
            filter
                .get(name)
                .and_then(Value::as_str)
                .unwrap_or_default()
                .to_owned()
        };
        let list = |name: &str| {
            filter
                .get(name)
                .and_then(Value::as_array)
                .cloned()
                .unwrap_or_default()
        };
        let conditions: Vec<Condition> = list("advancedFilters")
            .iter()
            .map(Condition::read)
            .collect::<Result<_>>()?;
        let values: usize = conditions.iter().map(|condition| condition.values.len()).sum();
        if conditions.len() > MOST || values > MOST {
            return Err(refused(format!(
                "an event subscription has {} advanced filters with {values} values; at most {MOST} of each are allowed",
                conditions.len()
            )));
        }
        Ok(Self {
            types: list("includedEventTypes")
                .iter()
                .filter_map(|kind| kind.as_str().map(ToOwned::to_owned))
                .filter(|kind| kind != "All")
                .collect(),
            begins: text("subjectBeginsWith"),
            ends: text("subjectEndsWith"),
            case_sensitive: filter
                .get("isSubjectCaseSensitive")
                .and_then(Value::as_bool)
                .unwrap_or(false),
            conditions,
        })
    }

    /// Whether an event, in whichever schema, is taken.
    pub(super) fn takes(&self, event: &Value) -> bool {
        let kind = event
            .get("eventType")
            .or_else(|| event.get("type"))
            .and_then(Value::as_str);
        let folded = |text: &str| {
            if self.case_sensitive {
                text.to_owned()
            } else {
                text.to_lowercase()
            }
        };
        let subject = folded(event.get("subject").and_then(Value::as_str).unwrap_or_default());
        let has_type = self.types.is_empty()
            || kind.is_some_and(|kind| self.types.iter().any(|wanted| wanted.eq_ignore_ascii_case(kind)));
        has_type
            && subject.starts_with(&folded(&self.begins))
            && subject.ends_with(&folded(&self.ends))
            && self.conditions.iter().all(|condition| condition.holds(event))
    }
}

impl Condition {
    fn read(value: &Value) -> Result<Self> {
        let name = value
            .get("operatorType")
            .and_then(Value::as_str)
            .unwrap_or_default();
        let (plain, negated) = match (name, name.split_once("Not")) {
            ("IsNotNull", _) => ("IsNullOrUndefined".to_owned(), true),
            (_, Some((kind, rest))) => (format!("{kind}{rest}"), true),
            _ => (name.to_owned(), false),
        };
        let operator = match plain.as_str() {
            "StringIn" => Operator::StringIn,
            "StringBeginsWith" => Operator::StringBeginsWith,
            "StringEndsWith" => Operator::StringEndsWith,
            "StringContains" => Operator::StringContains,
            "NumberIn" => Operator::NumberIn,
            "NumberGreaterThan" => Operator::NumberGreaterThan,
            "NumberGreaterThanOrEquals" => Operator::NumberGreaterThanOrEquals,
            "NumberLessThan" => Operator::NumberLessThan,
            "NumberLessThanOrEquals" => Operator::NumberLessThanOrEquals,
            "BoolEquals" => Operator::BoolEquals,
            "IsNullOrUndefined" => Operator::IsNullOrUndefined,
            _ => {
                return Err(refused(format!(
                    "the operator `{name}` of an advanced filter is unknown here"
                )));
            }
        };
        let values = match (value.get("values"), value.get("value")) {
            (Some(Value::Array(values)), _) => values.clone(),
            (_, Some(value)) => vec![value.clone()],
            _ => Vec::new(),
        };
        Ok(Self {
            key: value
                .get("key")
                .and_then(Value::as_str)
                .unwrap_or_default()
                .to_owned(),
            operator,
            negated,
            values,
        })
    }

    fn holds(&self, event: &Value) -> bool {
        let found = self
            .key
            .split('.')
            .try_fold(event, |value, name| value.as_object()?.get(name))
            .filter(|value| !value.is_null());
        let Some(found) = found else {
            // What is not there is null, and in no list.
            return self.negated != (self.operator == Operator::IsNullOrUndefined);
        };
        if self.operator == Operator::IsNullOrUndefined {
            return self.negated;
        }
        let any = self
            .values
            .iter()
            .any(|wanted| self.operator.compares(found, wanted));
        any != self.negated
    }
}

impl Operator {
    fn compares(self, found: &Value, wanted: &Value) -> bool {
        let texts = || Some((found.as_str()?.to_lowercase(), wanted.as_str()?.to_lowercase()));
        let numbers = || Some((found.as_f64()?, wanted.as_f64()?));
        let text =
            |test: fn(&str, &str) -> bool| texts().is_some_and(|(found, wanted)| test(&found, &wanted));
        let number =
            |test: fn(&f64, &f64) -> bool| numbers().is_some_and(|(found, wanted)| test(&found, &wanted));
        match self {
            Self::StringIn => text(|found, wanted| found == wanted),
            Self::StringBeginsWith => text(|found, wanted| found.starts_with(wanted)),
            Self::StringEndsWith => text(|found, wanted| found.ends_with(wanted)),
            Self::StringContains => text(|found, wanted| found.contains(wanted)),
            Self::NumberIn => number(|found, wanted| (found - wanted).abs() < f64::EPSILON),
            Self::NumberGreaterThan => number(f64::gt),
            Self::NumberGreaterThanOrEquals => number(f64::ge),
            Self::NumberLessThan => number(f64::lt),
            Self::NumberLessThanOrEquals => number(f64::le),
            Self::BoolEquals => found.is_boolean() && found == wanted,
            Self::IsNullOrUndefined => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn takes(filter: Value) -> bool {
        Filter::read(&filter).unwrap().takes(&json!({
            "eventType": "Microsoft.Storage.BlobCreated",
            "subject": "/blobServices/default/containers/in/blobs/a/B.jpg",
            "data": {"contentLength": 10, "api": "PutBlob", "own": null, "ready": true},
        }))
    }

    #[test]
    fn types_and_ends_of_the_subject_are_compared() {
        assert!(takes(json!(null)));
        assert!(takes(
            json!({"includedEventTypes": ["Microsoft.Storage.BlobCreated"]})
        ));
        assert!(!takes(
            json!({"includedEventTypes": ["Microsoft.Storage.BlobDeleted"]})
        ));
        assert!(takes(
            json!({"subjectBeginsWith": "/blobServices/default/containers/in/blobs/a", "subjectEndsWith": ".JPG"})
        ));
        assert!(!takes(
            json!({"subjectEndsWith": ".JPG", "isSubjectCaseSensitive": true})
        ));
        assert!(!takes(
            json!({"subjectBeginsWith": "/blobServices/default/containers/out"})
        ));
    }

    #[test]
    fn conditions_on_fields_must_all_hold() {
        let condition = |operator: &str, key: &str, values: Value| {
            let name = if values.is_array() { "values" } else { "value" };
            takes(json!({"advancedFilters": [{"operatorType": operator, "key": key, name: values}]}))
        };
        assert!(condition("StringIn", "data.api", json!(["putblob", "x"])));
        assert!(!condition("StringNotIn", "data.api", json!(["PutBlob"])));
        assert!(condition("StringNotIn", "data.missing", json!(["PutBlob"])));
        assert!(!condition("StringBeginsWith", "data.api", json!(["Copy"])));
        assert!(condition("NumberGreaterThan", "data.contentLength", json!(9)));
        assert!(!condition(
            "NumberLessThanOrEquals",
            "data.contentLength",
            json!(9)
        ));
        assert!(condition("BoolEquals", "data.ready", json!(true)));
        assert!(condition("IsNullOrUndefined", "data.own", json!(null)));
        assert!(!condition("IsNotNull", "data.own", json!(null)));
        assert!(condition("IsNotNull", "data.api", json!(null)));
        assert!(!takes(json!({"advancedFilters": [
            {"operatorType": "StringIn", "key": "data.api", "values": ["PutBlob"]},
            {"operatorType": "NumberIn", "key": "data.contentLength", "values": [11]},
        ]})));
    }

    #[test]
    fn unknown_operators_and_too_many_values_are_refused() {
        assert!(Filter::read(&json!({"advancedFilters": [{"operatorType": "Sounds", "key": "a"}]})).is_err());
        let values: Vec<String> = (0..26).map(|n| n.to_string()).collect();
        let filter = json!({"advancedFilters": [{"operatorType": "StringIn", "key": "a", "values": values}]});
        assert!(Filter::read(&filter).is_err());
    }
}
