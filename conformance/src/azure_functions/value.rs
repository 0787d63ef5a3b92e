//! What the host hands a custom handler: which values are JSON, which are JSON in a string, and which are Base64.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chrono::{DateTime, SecondsFormat, Utc};
use serde_json::{Map, Value};

/// A bound value, by the type that it has in the host.
#[derive(Debug, Clone)]
pub(super) enum Bound {
    /// Text: a JSON string, and that in a string.
    Text(String),
    /// Bytes: Base64.
    Bytes(Vec<u8>),
    /// An object: as it is.
    Object(Value),
    /// A number, a list: its JSON in a string.
    Json(Value),
    /// A time with its offset, in whole seconds.
    Moment(DateTime<Utc>),
    /// A time that does not say in which zone it is, in whole seconds.
    Unzoned(DateTime<Utc>),
}

impl Bound {
    /// The value in the document.
    pub(super) fn wire(&self) -> Value {
        match self {
            Self::Text(text) => Value::String(Value::String(text.clone()).to_string()),
            Self::Bytes(bytes) => Value::String(STANDARD.encode(bytes)),
            Self::Object(object) => object.clone(),
            Self::Json(json) => Value::String(json.to_string()),
            Self::Moment(time) => Value::String(time.format("%Y-%m-%dT%H:%M:%S+00:00").to_string()),
            Self::Unzoned(time) => Value::String(time.format("%Y-%m-%dT%H:%M:%S").to_string()),
        }
    }
}

/// Binding data by name, where case is no difference and a later value takes the place of an earlier one.
#[derive(Debug, Clone, Default)]
pub(super) struct BindingData(Vec<(String, Bound)>);

impl BindingData {
    pub(super) fn set(&mut self, name: &str, value: Bound) {
        match self
            .0
            .iter_mut()
            .find(|(other, _)| other.eq_ignore_ascii_case(name))
        {
            Some((_, old)) => *old = value,
            None => self.0.push((name.to_owned(), value)),
        }
    }

    /// Adds the properties of a text that is a JSON object, as the host does with the text of every trigger: they replace the trigger's own binding data of the same
    /// name, so that a message may say how often it was dequeued.
    pub(super) fn apply_text(&mut self, text: &str) {
        let Ok(Value::Object(properties)) = serde_json::from_str(text.trim()) else {
            return;
        };
        for (name, value) in properties {
            match value {
                Value::Null | Value::Array(_) => {}
                Value::Object(_) => self.set(&name, Bound::Object(value)),
                Value::String(text) => self.set(&name, Bound::Text(text)),
                Value::Bool(true) => self.set(&name, Bound::Text("True".to_owned())),
                Value::Bool(false) => self.set(&name, Bound::Text("False".to_owned())),
                number @ Value::Number(_) => self.set(&name, Bound::Text(number.to_string())),
            }
        }
    }

    /// The values by their names.
    pub(super) fn into_iter(self) -> impl Iterator<Item = (String, Bound)> {
        self.0.into_iter()
    }

    /// The invocation's metadata: all but what is named like a trigger, for that is in the data.
    pub(super) fn wire(&self) -> Map<String, Value> {
        self.0
            .iter()
            .filter(|(name, _)| !name.to_lowercase().ends_with("trigger"))
            .map(|(name, value)| (name.clone(), value.wire()))
            .collect()
    }
}

/// What the host knows of an invocation beside its trigger.
pub(super) fn system(function: &str) -> Bound {
    Bound::Object(serde_json::json!({
        "MethodName": function,
        "UtcNow": Utc::now().to_rfc3339_opts(SecondsFormat::Micros, true),
        "RandGuid": uuid::Uuid::new_v4().to_string(),
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn text_and_numbers_are_json_in_a_string_and_objects_are_not() {
        assert_eq!(Bound::Text("a \"b\"".to_owned()).wire(), json!("\"a \\\"b\\\"\""));
        assert_eq!(Bound::Json(json!(3)).wire(), json!("3"));
        assert_eq!(Bound::Json(json!(["a"])).wire(), json!("[\"a\"]"));
        assert_eq!(Bound::Object(json!({"a": 1})).wire(), json!({"a": 1}));
        assert_eq!(Bound::Bytes(vec![0xff]).wire(), json!("/w=="));
    }

    #[test]
    fn times_lose_their_fractions_and_some_their_zone() {
        let time: DateTime<Utc> = "2026-11-28T03:16:07.5Z".parse().unwrap();
        assert_eq!(Bound::Moment(time).wire(), json!("2026-11-28T03:16:07+00:00"));
        assert_eq!(Bound::Unzoned(time).wire(), json!("2026-11-28T03:16:07"));
    }

    #[test]
    fn properties_of_the_text_replace_binding_data_of_the_same_name() {
        let mut data = BindingData::default();
        data.set("DequeueCount", Bound::Json(json!(4)));
        data.set("QueueTrigger", Bound::Text("x".to_owned()));
        data.apply_text(r#"{"dequeuecount": 1, "list": [1], "nothing": null, "on": true, "deep": {"a": 1}}"#);
        assert_eq!(
            Value::Object(data.wire()),
            json!({"DequeueCount": "\"1\"", "on": "\"True\"", "deep": {"a": 1}})
        );
        let mut plain = BindingData::default();
        plain.apply_text("not json");
        plain.apply_text("[{\"a\": 1}]");
        assert!(plain.wire().is_empty());
    }
}
