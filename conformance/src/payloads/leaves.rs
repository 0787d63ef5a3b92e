//! Nothing of a payload is lost unnoticed: each leaf changes the neutral event, or is listed as ignored.

use std::collections::BTreeSet;

use bytes::Bytes;
use serde_json::Value;

use super::{Codec, Entry, index, read};

/// The JSON that a string holds, if it holds an object, a list or another string.
fn held(value: &Value) -> Option<Value> {
    let text = value.as_str()?;
    if !text.trim_start().starts_with(['{', '[', '"']) {
        return None;
    }
    serde_json::from_str(text).ok()
}

/// Calls `each` with every leaf and its path; what `each` changes stays changed. With `nested`, a string that holds JSON is no leaf: its own leaves are, below `$`.
fn visit(value: &mut Value, path: &str, nested: bool, each: &mut dyn FnMut(&str, &mut Value)) {
    if nested && let Some(mut inner) = held(value) {
        visit(&mut inner, &format!("{path}$"), nested, each);
        *value = inner.to_string().into();
        return;
    }
    match value {
        Value::Object(fields) => {
            for (name, field) in fields {
                let path = if path.is_empty() {
                    name.clone()
                } else {
                    format!("{path}.{name}")
                };
                visit(field, &path, nested, each);
            }
        }
        Value::Array(items) => {
            for item in items {
                visit(item, &format!("{path}[]"), nested, each);
            }
        }
        leaf => each(path, leaf),
    }
}

/// Another value of the same type.
fn other(value: &Value) -> Value {
    match value {
        Value::String(text) => format!("{text}7").into(),
        Value::Bool(value) => (!value).into(),
        Value::Number(number) => match number.as_i64() {
            Some(whole) => whole.wrapping_add(1).into(),
            None => (number.as_f64().unwrap_or_default() + 1.0).into(),
        },
        _ => "x".into(),
    }
}

/// Whether a pattern names this path: `?` stands for any one name, and a last `*` for all below.
fn covers(pattern: &str, path: &str) -> bool {
    let (mut pattern, mut path) = (pattern.split('.'), path.split('.'));
    loop {
        match (pattern.next(), path.next()) {
            (None, None) => return true,
            (Some("*"), Some(_)) => return true,
            (Some("?"), Some(_)) => {}
            (Some(wanted), Some(name)) if wanted == name => {}
            _ => return false,
        }
    }
}

/// Every leaf of every JSON payload is mapped to something neutral, or ignored with a reason.
///
/// # Errors
/// All that are lost, and all reasons that nothing needs.
pub fn every_leaf_is_mapped(codec: &dyn Codec) -> Result<(), String> {
    let mut lost = BTreeSet::new();
    for folder in codec.folders().iter().filter(|folder| **folder != "raw") {
        let index = index(codec, folder)?;
        let mut used = BTreeSet::new();
        for entry in &index.payload {
            let Ok(document) = serde_json::from_slice::<Value>(&read(codec, folder, &entry.file)?) else {
                continue;
            };
            let before = neutral(codec, folder, entry, &document);
            if before.is_none() {
                return Err(format!("{folder}/{} cannot be read", entry.file));
            }
            for (path, changed) in changed(&document, codec.is_nested()) {
                // An error is an effect as well.
                let is_mapped = neutral(codec, folder, entry, &changed) != before;
                let pattern = index.ignored.keys().find(|pattern| covers(pattern, &path));
                match pattern {
                    Some(pattern) if !is_mapped => {
                        used.insert(pattern.clone());
                    }
                    None if !is_mapped => {
                        lost.insert(format!("{folder}: {path} is lost ({})", entry.file));
                    }
                    _ => {}
                }
            }
        }
        for (pattern, reason) in &index.ignored {
            if reason.len() <= 10 {
                lost.insert(format!("{folder}: {pattern} has no reason"));
            }
            if !used.contains(pattern) {
                lost.insert(format!(
                    "{folder}: {pattern} is listed as ignored, and nothing of it is"
                ));
            }
        }
    }
    let lost: Vec<String> = lost.into_iter().collect();
    super::none(&lost, "\n")
}

/// The document once for each leaf, with that leaf changed.
fn changed(document: &Value, nested: bool) -> Vec<(String, Value)> {
    let mut paths = Vec::new();
    visit(&mut document.clone(), "", nested, &mut |path, _| {
        paths.push(path.to_owned());
    });
    let each = paths.into_iter().enumerate().map(|(wanted, path)| {
        let mut changed = document.clone();
        let mut at = 0;
        visit(&mut changed, "", nested, &mut |_, leaf| {
            if at == wanted {
                *leaf = other(leaf);
            }
            at += 1;
        });
        (path, changed)
    });
    each.collect()
}

fn neutral(codec: &dyn Codec, folder: &str, entry: &Entry, document: &Value) -> Option<Value> {
    let bytes = Bytes::from(document.to_string());
    codec.decode(folder, entry, &bytes).ok()?.neutral().ok()
}

/// Pointers to all values of a document, for tests that put others in their place.
#[must_use]
pub fn nodes(document: &Value) -> Vec<String> {
    fn add(value: &Value, pointer: &str, found: &mut Vec<String>) {
        found.push(pointer.to_owned());
        match value {
            Value::Object(fields) => {
                for (name, field) in fields {
                    let step = name.replace('~', "~0").replace('/', "~1");
                    add(field, &format!("{pointer}/{step}"), found);
                }
            }
            Value::Array(items) => {
                for (index, item) in items.iter().enumerate() {
                    add(item, &format!("{pointer}/{index}"), found);
                }
            }
            _ => {}
        }
    }
    let mut found = Vec::new();
    add(document, "", &mut found);
    found
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn leaves_in_strings_are_leaves_where_strings_hold_json() {
        let document = json!({"a": "[\"x\",{\"b\":1}]", "c": ["\"quoted\"", null]});
        let paths = |nested| {
            let all = changed(&document, nested);
            all.into_iter().map(|(path, _)| path).collect::<Vec<_>>()
        };
        assert_eq!(paths(true), ["a$[]", "a$[].b", "c[]$", "c[]"]);
        assert_eq!(paths(false), ["a", "c[]", "c[]"]);
        let (_, second) = changed(&document, true).remove(1);
        assert_eq!(
            second,
            json!({"a": "[\"x\",{\"b\":2}]", "c": ["\"quoted\"", null]})
        );
    }

    #[test]
    fn a_pattern_names_a_path_one_name_or_all_below() {
        assert!(covers("a.?.c", "a.b.c") && covers("a.*", "a.b.c") && covers("a", "a"));
        assert!(!covers("a", "a.b") && !covers("a.b", "a") && !covers("a.?", "a"));
    }

    #[test]
    fn every_value_has_a_pointer() {
        assert_eq!(nodes(&json!({"a/b": [1]})), ["", "/a~1b", "/a~1b/0"]);
    }
}
