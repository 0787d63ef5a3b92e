//! Expressions of Azure Resource Manager as values, and text that is none.

use serde_json::Value;

/// What is between the brackets of an expression, as the manager evaluates it.
pub(super) fn expression(inside: impl AsRef<str>) -> Value {
    Value::String(format!("[{}]", inside.as_ref()))
}

/// A text within an expression.
pub(super) fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

/// A call of a function with texts.
pub(super) fn call(function: &str, texts: &[&str]) -> String {
    let texts: Vec<String> = texts.iter().map(|text| quoted(text)).collect();
    format!("{function}({})", texts.join(", "))
}

/// The id of a resource of this type and name, each part of it a text; what is between the brackets.
pub(super) fn resource_id(ty: &str, names: &[&str]) -> String {
    let mut texts = vec![ty];
    texts.extend(names);
    call("resourceId", &texts)
}

/// A text that stays as it is: one in brackets would be an expression.
pub(super) fn literal(text: &str) -> String {
    if text.starts_with('[') && text.ends_with(']') {
        format!("[{text}")
    } else {
        text.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn expressions_have_brackets_and_quotes_are_doubled() {
        assert_eq!(
            expression(resource_id("A.B/c", &["it's"])),
            json!("[resourceId('A.B/c', 'it''s')]")
        );
    }

    #[test]
    fn a_text_in_brackets_is_kept_from_being_one() {
        assert_eq!(literal("[1, 2]"), "[[1, 2]");
        assert_eq!(literal("[half"), "[half");
        assert_eq!(literal("plain"), "plain");
    }
}
