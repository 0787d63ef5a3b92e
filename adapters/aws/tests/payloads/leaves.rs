//! Nothing of a payload is lost unnoticed: each leaf changes the neutral event, or is listed as ignored.

use std::collections::BTreeSet;

use bytes::Bytes;
use nephos_aws::events::decode;
use serde_json::Value;

use crate::{FOLDERS, index, neutral, read, wiring};

/// The paths of all leaves, with a pointer to each.
fn leaves(value: &Value, path: &str, pointer: &str, found: &mut Vec<(String, String)>) {
    match value {
        Value::Object(fields) => {
            for (name, field) in fields {
                let path = if path.is_empty() {
                    name.clone()
                } else {
                    format!("{path}.{name}")
                };
                let step = name.replace('~', "~0").replace('/', "~1");
                leaves(field, &path, &format!("{pointer}/{step}"), found);
            }
        }
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                leaves(item, &format!("{path}[]"), &format!("{pointer}/{index}"), found);
            }
        }
        _ => found.push((path.to_owned(), pointer.to_owned())),
    }
}

/// Another value of the same type.
fn other(value: &Value) -> Value {
    match value {
        Value::String(text) => format!("{text}7").into(),
        Value::Bool(value) => (!value).into(),
        Value::Number(number) => (number.as_f64().unwrap() + 1.0).into(),
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

fn neutral_of(document: &Value) -> Option<Value> {
    let bytes = Bytes::from(document.to_string());
    decode(&bytes, &wiring()).ok().map(neutral::decoded)
}

#[test]
fn every_leaf_is_mapped_or_ignored_with_a_reason() {
    let mut lost = BTreeSet::new();
    for name in FOLDERS.into_iter().filter(|name| *name != "raw") {
        let index = index(name);
        let mut used = BTreeSet::new();
        for entry in &index.payload {
            let document: Value = serde_json::from_slice(&read(name, &entry.file)).unwrap();
            let before = neutral_of(&document);
            assert!(before.is_some(), "{}", entry.file);
            let mut found = Vec::new();
            leaves(&document, "", "", &mut found);
            assert!(!found.is_empty(), "{}", entry.file);
            for (path, pointer) in found {
                let mut changed = document.clone();
                let leaf = changed.pointer_mut(&pointer).unwrap();
                *leaf = other(leaf);
                // An error is an effect as well.
                let is_mapped = neutral_of(&changed) != before;
                let pattern = index.ignored.keys().find(|pattern| covers(pattern, &path));
                match pattern {
                    Some(pattern) if !is_mapped => {
                        used.insert(pattern.clone());
                    }
                    None if !is_mapped => {
                        lost.insert(format!("{name}: {path} is lost ({})", entry.file));
                    }
                    _ => {}
                }
            }
        }
        for (pattern, reason) in &index.ignored {
            assert!(reason.len() > 10, "{name}: {pattern} has no reason");
            if !used.contains(pattern) {
                lost.insert(format!(
                    "{name}: {pattern} is listed as ignored, and nothing of it is"
                ));
            }
        }
    }
    let lost: Vec<String> = lost.into_iter().collect();
    assert!(lost.is_empty(), "{}", lost.join("\n"));
}
