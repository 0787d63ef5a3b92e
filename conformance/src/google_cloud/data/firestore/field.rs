//! Paths of fields: <https://cloud.google.com/firestore/docs/reference/rest/v1/StructuredQuery#FieldReference>.

use serde_json::{Map, Value, json};

use super::super::invalid;
use super::name::is_reserved;
use crate::google_cloud::error::Outcome;

/// The longest name of a field, and path, in bytes.
const LONGEST: usize = 1_500;

/// What stands for a document's name.
const NAME: &str = "__name__";

/// The names on the way to a field.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Path(Vec<String>);

impl Path {
    pub(super) fn read(text: &str) -> Outcome<Self> {
        let wrong = || {
            invalid(format!(
                "Invalid property path \"{text}\". Unquoted property paths must match regex ([a-zA-Z_][a-zA-Z_0-9]*), and quoted property paths must match regex (`(?:[^`\\\\]|(?:\\\\.))+`)"
            ))
        };
        let mut names = Vec::new();
        let mut rest = text;
        loop {
            let (name, behind) = first(rest).ok_or_else(wrong)?;
            if name != NAME || !names.is_empty() {
                is_name(&name)?;
            }
            names.push(name);
            match behind.strip_prefix('.') {
                Some(behind) => rest = behind,
                None if behind.is_empty() => break,
                None => return Err(wrong()),
            }
        }
        if text.len() > LONGEST || (names[0] == NAME && names.len() > 1) {
            return Err(wrong());
        }
        Ok(Self(names))
    }

    /// That of a document's name.
    pub(super) fn name() -> Self {
        Self(vec![NAME.to_owned()])
    }

    pub(super) fn is_name(&self) -> bool {
        self.0 == [NAME]
    }

    /// What is there.
    pub(super) fn get<'a>(&self, fields: &'a Map<String, Value>) -> Option<&'a Value> {
        let (first, rest) = self.0.split_first()?;
        rest.iter().try_fold(fields.get(first)?, |value, name| {
            value.get("mapValue")?.get("fields")?.get(name)
        })
    }

    /// Puts a value there, or takes away what is there. Maps are made on the way to a value.
    pub(super) fn set(&self, fields: &mut Map<String, Value>, value: Option<&Value>) {
        set(&self.0, fields, value);
    }
}

fn set(names: &[String], fields: &mut Map<String, Value>, value: Option<&Value>) {
    match (names, value) {
        ([], _) => {}
        ([name], Some(value)) => {
            fields.insert(name.clone(), value.clone());
        }
        ([name], None) => {
            fields.remove(name);
        }
        ([name, rest @ ..], value) => {
            let is_map = |value: &Value| value.get("mapValue").is_some();
            if !fields.get(name).is_some_and(is_map) {
                if value.is_none() {
                    return;
                }
                fields.insert(name.clone(), json!({"mapValue": {"fields": {}}}));
            }
            let Some(map) = fields.get_mut(name).and_then(|value| value.get_mut("mapValue")) else {
                return;
            };
            if map.get("fields").is_none() {
                map["fields"] = json!({});
            }
            if let Some(fields) = map["fields"].as_object_mut() {
                set(rest, fields, value);
            }
        }
    }
}

/// The first name, and what is behind it.
fn first(text: &str) -> Option<(String, &str)> {
    let Some(quoted) = text.strip_prefix('`') else {
        let end = text.find('.').unwrap_or(text.len());
        let name = &text[..end];
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
        let is_named = name.bytes().all(is_plain) && !name.starts_with(|c: char| c.is_ascii_digit());
        return (is_named && !name.is_empty()).then(|| (name.to_owned(), &text[end..]));
    };
    let mut name = String::new();
    let mut signs = quoted.char_indices();
    while let Some((at, sign)) = signs.next() {
        match sign {
            '`' => return (!name.is_empty()).then(|| (name, &quoted[at + 1..])),
            '\\' => name.push(signs.next()?.1),
            sign => name.push(sign),
        }
    }
    None
}

/// Whether a field may be called so.
pub(super) fn is_name(name: &str) -> Outcome<()> {
    if name.is_empty() {
        return Err(invalid("The property.name is the empty string."));
    }
    if is_reserved(name) {
        return Err(invalid(format!("field name {name} is reserved")));
    }
    if name.len() > LONGEST {
        return Err(invalid("A field's name has at most 1500 bytes."));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_read_and_leads_to_its_field() {
        let mut fields = json!({"a": {"mapValue": {"fields": {"b-c": {"integerValue": "1"}}}}});
        let fields = fields.as_object_mut().unwrap();
        let path = Path::read("a.`b-c`").unwrap();
        assert_eq!(path.get(fields), Some(&json!({"integerValue": "1"})));
        path.set(fields, None);
        assert_eq!(path.get(fields), None);
        let deeper = Path::read("x.`y.\\``.z").unwrap();
        deeper.set(fields, None);
        assert!(fields.get("x").is_none());
        deeper.set(fields, Some(&json!({"nullValue": null})));
        assert_eq!(
            fields["x"]["mapValue"]["fields"]["y.`"]["mapValue"]["fields"]["z"],
            json!({"nullValue": null})
        );
        assert!(Path::read("__name__").unwrap().is_name());
        for wrong in [
            "",
            "a.",
            ".a",
            "a-b",
            "9a",
            "`a",
            "``",
            "__id__",
            "a.__x__",
            "__name__.a",
            "a`b`",
        ] {
            assert!(Path::read(wrong).is_err(), "{wrong}");
        }
    }
}
