//! Numbers. Cosmos DB keeps all of them as binary floating point numbers of 64 bits (<https://learn.microsoft.com/azure/cosmos-db/nosql/query/constants>), and writes a whole one without a point.
//! What would come back as another number is kept as text too.

use std::collections::BTreeMap;

use serde_json::{Number, Value};

/// Up to this every whole number has a floating point number of its own.
const EXACT: u64 = (1 << 53) - 1;

/// The numbers of `value` that would not come back as they are, by their [JSON pointer](https://www.rfc-editor.org/rfc/rfc6901) behind `path`.
pub(super) fn inexact(value: &Value, path: &str, found: &mut BTreeMap<String, Number>) {
    match value {
        Value::Number(number) if !comes_back(number) => {
            found.insert(path.to_owned(), number.clone());
        }
        Value::Array(list) => {
            for (index, value) in list.iter().enumerate() {
                inexact(value, &format!("{path}/{index}"), found);
            }
        }
        Value::Object(fields) => {
            for (name, value) in fields {
                // Most values are no numbers, and need no path.
                if value.is_number() || value.is_array() || value.is_object() {
                    let name = name.replace('~', "~0").replace('/', "~1");
                    inexact(value, &format!("{path}/{name}"), found);
                }
            }
        }
        _ => {}
    }
}

fn comes_back(number: &Number) -> bool {
    if let Some(whole) = number.as_i64() {
        return whole.unsigned_abs() <= EXACT;
    }
    if number.is_u64() {
        return false;
    }
    // Written without a point, it would be a whole number.
    number
        .as_f64()
        .is_some_and(|float| float.fract() != 0.0 || float.abs() >= 1.9e19)
}

/// Puts the numbers back in their places. A place that another program has changed meanwhile keeps its number.
pub(super) fn restore(item: &mut Value, numbers: &BTreeMap<String, String>) {
    for (path, digits) in numbers {
        let Some(place) = item.pointer_mut(path) else {
            continue;
        };
        let (Ok(exact), Some(there)) = (digits.parse::<Number>(), place.as_f64()) else {
            continue;
        };
        if exact.as_f64().is_some_and(|exact| exact == there) {
            *place = Value::Number(exact);
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// As Cosmos DB does: every number becomes a floating point number, and a whole one is written without a point.
    fn as_kept(value: &Value) -> Value {
        match value {
            Value::Number(number) => {
                let float = number.as_f64().unwrap();
                let text = if float.fract() == 0.0 && float.abs() < 1e21 {
                    format!("{float:.0}")
                } else {
                    format!("{float:e}")
                };
                serde_json::from_str(&text).unwrap()
            }
            Value::Array(list) => list.iter().map(as_kept).collect(),
            Value::Object(fields) => fields
                .iter()
                .map(|(name, value)| (name.clone(), as_kept(value)))
                .collect(),
            other => other.clone(),
        }
    }

    #[test]
    fn every_number_comes_back() {
        let item = json!({
            "large": 9_007_199_254_740_993_i64, "min": i64::MIN, "max": u64::MAX, "edge": 9_007_199_254_740_991_i64,
            "whole": 1.0, "negative": -0.0, "half": 0.5, "tiny": 1.5e-10, "sum": 0.1 + 0.2, "huge": 1e300, "small": 42,
            "a/b~c": [1.0, {"": 2.0, "n": [u64::MAX]}],
        });
        let mut numbers = BTreeMap::new();
        inexact(&item, "", &mut numbers);
        assert!(
            !numbers.contains_key("/half")
                && !numbers.contains_key("/small")
                && !numbers.contains_key("/edge")
        );
        let numbers = numbers
            .into_iter()
            .map(|(path, number)| (path, number.to_string()))
            .collect();
        let mut kept = as_kept(&item);
        restore(&mut kept, &numbers);
        assert_eq!(kept, item);
    }

    #[test]
    fn a_number_that_another_program_wrote_since_stays() {
        let mut item = json!({"n": 7, "other": "text"});
        let numbers = [("/n", "9007199254740993"), ("/other", "1.0"), ("/gone", "1.0")];
        restore(
            &mut item,
            &numbers
                .map(|(path, digits)| (path.to_owned(), digits.to_owned()))
                .into(),
        );
        assert_eq!(item, json!({"n": 7, "other": "text"}));
    }
}
