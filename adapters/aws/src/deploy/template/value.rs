//! CloudFormation's own functions as values, and text within them.

use serde_json::{Value, json};

/// `Ref`.
pub(super) fn reference(id: &str) -> Value {
    json!({ "Ref": id })
}

/// `Fn::GetAtt`.
pub(super) fn attribute(id: &str, name: &str) -> Value {
    json!({ "Fn::GetAtt": [id, name] })
}

/// A text with `${…}` to be filled in; plain where there is nothing to fill in.
pub(super) fn sub(text: impl AsRef<str>) -> Value {
    let text = text.as_ref();
    let variable = text
        .match_indices("${")
        .any(|(at, _)| text.as_bytes().get(at + 2) != Some(&b'!'));
    if variable {
        json!({ "Fn::Sub": text })
    } else {
        Value::String(text.replace("${!", "${"))
    }
}

/// A text that stays as it is inside [`sub`].
pub(super) fn literal(text: &str) -> String {
    text.replace("${", "${!")
}

/// The same for every text and key of a value.
pub(super) fn literal_json(value: &mut Value) {
    match value {
        Value::String(text) => *text = literal(text),
        Value::Array(items) => items.iter_mut().for_each(literal_json),
        Value::Object(table) => {
            let escaped = std::mem::take(table).into_iter().map(|(key, mut value)| {
                literal_json(&mut value);
                (literal(&key), value)
            });
            *table = escaped.collect();
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_without_a_variable_is_plain_and_one_with_is_a_sub() {
        assert_eq!(sub("plain"), json!("plain"));
        assert_eq!(sub("${AWS::Region}"), json!({"Fn::Sub": "${AWS::Region}"}));
        assert_eq!(sub(literal("cost ${X}")), json!("cost ${X}"));
        assert_eq!(
            sub(format!("{}${{Y}}", literal("${X}"))),
            json!({"Fn::Sub": "${!X}${Y}"})
        );
    }

    #[test]
    fn every_text_and_key_of_a_value_is_kept_from_being_filled_in() {
        let mut value = json!({"a${K}": ["${V}", 1, {"b": "$ {x}"}]});
        literal_json(&mut value);
        assert_eq!(value, json!({"a${!K}": ["${!V}", 1, {"b": "$ {x}"}]}));
    }
}
