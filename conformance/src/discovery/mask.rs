//! Field masks: which fields an update is about (<https://protobuf.dev/reference/protobuf/google.protobuf/#field-mask>).

use serde_json::Value;

use super::document::Call;
use super::prose::behaviour;
use super::{Finding, Level};

/// The fields that an update names, in the spelling of JSON.
#[derive(Debug, Clone, Default)]
pub(super) struct Mask(Vec<String>);

impl Mask {
    pub(super) fn read(text: &str) -> Self {
        let paths = text
            .split(',')
            .map(str::trim)
            .filter(|path| !path.is_empty())
            .map(|path| path.split('.').map(camel).collect::<Vec<_>>().join("."))
            .collect();
        Self(paths)
    }

    /// Whether it replaces the field at this path as a whole.
    pub(super) fn covers(&self, path: &str) -> bool {
        self.0.iter().any(|named| {
            named == "*"
                || path == named
                || path
                    .strip_prefix(named.as_str())
                    .is_some_and(|rest| rest.starts_with('.'))
        })
    }

    /// Holds it against the schema of the resource.
    pub(super) fn check(&self, call: &Call<'_>, schema: &Value, place: &str) -> Vec<Finding> {
        let wrong = |path: &str| match walk(call, schema, path) {
            Ok(()) => None,
            Err(what) => Some(call.finding(Level::Error, place, what)),
        };
        self.0.iter().filter_map(|path| wrong(path)).collect()
    }
}

/// `service_account` is `serviceAccount`.
pub(crate) fn camel(name: &str) -> String {
    let mut parts = name.split('_');
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |mut all, part| {
        let mut letters = part.chars();
        all.extend(letters.next().map(|letter| letter.to_ascii_uppercase()));
        all.push_str(letters.as_str());
        all
    })
}

fn walk(call: &Call<'_>, schema: &Value, path: &str) -> Result<(), String> {
    if path == "*" {
        return Ok(());
    }
    let mut schema = schema;
    for name in path.split('.') {
        if let Some(named) = schema["$ref"].as_str() {
            schema = call.schema(named).unwrap_or(&Value::Null);
        }
        // Below a map every key is one of its own.
        if schema.get("additionalProperties").is_some() {
            return Ok(());
        }
        let Some(field) = schema["properties"].get(name) else {
            return Err(format!("the mask names `{path}`, and there is no field `{name}`"));
        };
        if behaviour(field).output_only {
            return Err(format!("the mask names `{path}`, which only the service sets"));
        }
        schema = field;
    }
    Ok(())
}
