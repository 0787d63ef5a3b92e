//! An invocation as the Functions host wraps it for a custom handler, `{"Data": {…}, "Metadata": {…}}`:
//! <https://learn.microsoft.com/azure/azure-functions/functions-custom-handlers#request-payload>.
//!
//! What the page shows is not all. [The host](https://github.com/Azure/azure-functions-host) (`ScriptInvocationContextExtensions.cs`) writes each value, of
//! `Data` and of `Metadata`, in one of four forms:
//!
//! | the value is | it is written as |
//! |---|---|
//! | bytes, as of a trigger with `"dataType": "binary"` | a string of Base64 |
//! | a time | a string, without fractions of a second; of some kinds without a zone |
//! | an object | that object |
//! | anything else: text, a number, a list | a string that holds its JSON, so that text has quotation marks twice |
//!
//! And it does more to a value that is text and holds a JSON object: each of the object's fields becomes a field of `Metadata`, and *replaces* one of the same
//! name. Whoever sends such a message could say how often it had been delivered. Deployment therefore asks for bytes, which the host leaves alone; and of a
//! number that came as text nothing is believed.

use std::borrow::Cow;
use std::fmt;

use bytes::Bytes;
use chrono::{DateTime, Utc};
use nephos_core::{Error, ErrorKind, Result, json};
use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::Value;
use serde_json::value::RawValue;

use super::{base64, malformed, time};

#[derive(Deserialize)]
struct Document<'a> {
    #[serde(borrow, rename = "Data")]
    data: Entries<'a>,
    #[serde(default, borrow, rename = "Metadata")]
    metadata: Option<Entries<'a>>,
}

/// An object's fields as they are written, in order. They are few, and found by looking through them.
#[derive(Default)]
struct Entries<'a>(Vec<(Cow<'a, str>, &'a RawValue)>);

impl<'de: 'a, 'a> Deserialize<'de> for Entries<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        deserializer.deserialize_map(EntriesVisitor)
    }
}

struct EntriesVisitor;

impl<'de> Visitor<'de> for EntriesVisitor {
    type Value = Entries<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> std::result::Result<Self::Value, A::Error> {
        let mut entries = Vec::with_capacity(8);
        while let Some(Name(name)) = map.next_key()? {
            entries.push((name, map.next_value()?));
        }
        Ok(Entries(entries))
    }
}

#[derive(Deserialize)]
struct Name<'a>(#[serde(borrow)] Cow<'a, str>);

/// One invocation.
pub(super) struct Invocation<'a> {
    /// The trigger's value.
    pub(super) value: &'a RawValue,
    /// What the host tells besides.
    pub(super) metadata: Metadata<'a>,
}

impl<'a> Invocation<'a> {
    /// # Errors
    /// [`ErrorKind::Decode`] if it is no such document, or does not hold the trigger's value alone.
    pub(super) fn read(document: &'a [u8]) -> Result<Self> {
        let read: Document<'a> = json::from_slice(document)
            .map_err(|error| malformed("the invocation is not as the Functions host writes it", error))?;
        let [(_, value)] = read.data.0.as_slice() else {
            return Err(refused(
                "the invocation must have the trigger's value as its one entry of `Data`; deploy the function again",
            ));
        };
        Ok(Self {
            value,
            metadata: Metadata(read.metadata.unwrap_or_default()),
        })
    }
}

/// A value of `Data`, as far as its form tells what it is.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Content<'a> {
    /// Text.
    Text(String),
    /// Bytes.
    Bytes(Bytes),
    /// JSON, an object or a list.
    Json(Cow<'a, str>),
}

impl<'a> Content<'a> {
    /// # Errors
    /// [`ErrorKind::Decode`] if it is of no form in which the host writes values.
    pub(super) fn read(value: &'a RawValue) -> Result<Self> {
        let text = value.get();
        if text.starts_with(['{', '[']) {
            return Ok(Self::Json(Cow::Borrowed(text)));
        }
        let held: String = serde_json::from_str(text)
            .map_err(|error| malformed("the trigger's value is neither a string nor an object", error))?;
        match held.as_bytes().first() {
            Some(b'"') => serde_json::from_str(&held).map(Self::Text).map_err(|error| {
                malformed(
                    "the trigger's value begins as a string in a string, and is none",
                    error,
                )
            }),
            Some(b'{' | b'[') => Ok(Self::Json(Cow::Owned(held))),
            _ => base64::decode(&held, "the trigger's value is neither JSON nor Base64")
                .map(|bytes| Self::Bytes(bytes.into())),
        }
    }

    /// The bytes that it stands for.
    pub(super) fn into_bytes(self) -> Bytes {
        match self {
            Self::Text(text) => text.into(),
            Self::Bytes(bytes) => bytes,
            Self::Json(json) => json.into_owned().into(),
        }
    }

    /// The values of a batch, each by itself; `None` if it is a single one.
    ///
    /// A list of texts and one of bytes look the same, so they are taken for bytes: deployment asks for these.
    pub(super) fn batch(&self) -> Result<Option<Vec<Result<Bytes>>>> {
        let Self::Json(json) = self else { return Ok(None) };
        if !json.starts_with('[') {
            return Ok(None);
        }
        let values: Vec<&RawValue> = serde_json::from_str(json)
            .map_err(|error| malformed("the trigger's value begins as a list, and is none", error))?;
        let read = |value: &RawValue| {
            if value.get().starts_with(['{', '[']) {
                return Ok(Bytes::copy_from_slice(value.get().as_bytes()));
            }
            let text: String = serde_json::from_str(value.get()).map_err(|error| {
                malformed("a value of the batch is neither a string nor an object", error)
            })?;
            base64::decode(
                &text,
                "a value of the batch is not Base64: the trigger must have `\"dataType\": \"binary\"`; deploy the function again",
            )
            .map(Bytes::from)
        };
        Ok(Some(values.into_iter().map(read).collect()))
    }
}

/// What the host tells besides the value, by name in any case.
pub(super) struct Metadata<'a>(Entries<'a>);

impl<'a> Metadata<'a> {
    fn get(&self, name: &str) -> Option<&'a RawValue> {
        // Of several of one name, the last counts, as of JSON's fields anywhere.
        let mut entries = self.0.0.iter().rev();
        let (_, value) = entries.find(|(known, _)| known.eq_ignore_ascii_case(name))?;
        Some(value)
    }

    pub(super) fn has(&self, name: &str) -> bool {
        self.get(name).is_some()
    }

    /// The text of an entry: of a string in a string the inner one; of any other string, and of a number, as it is written.
    pub(super) fn text(&self, name: &str) -> Option<String> {
        let raw = self.get(name)?.get();
        if raw.starts_with(['{', '[']) || raw == "null" {
            return None;
        }
        let Ok(held) = serde_json::from_str::<String>(raw) else {
            return Some(raw.to_owned());
        };
        if held.starts_with('"') {
            return serde_json::from_str(&held).ok();
        }
        Some(held).filter(|text| text != "null")
    }

    /// A number, if the host wrote it: one that came as text was put there by the message (see the top of this module).
    pub(super) fn number<T: std::str::FromStr>(&self, name: &str) -> Option<T> {
        let raw = self.get(name)?.get();
        match serde_json::from_str::<String>(raw) {
            Ok(held) => held.parse().ok(),
            Err(_) => raw.parse().ok(),
        }
    }

    pub(super) fn time(&self, name: &str) -> Option<DateTime<Utc>> {
        time::read(&self.text(name)?)
    }

    /// An object or a list, be it written as such or in a string.
    ///
    /// # Errors
    /// [`ErrorKind::Decode`] if it is there and is of another form: what it should tell would be lost.
    pub(super) fn json<T: serde::de::DeserializeOwned>(&self, name: &str) -> Result<Option<T>> {
        let Some(raw) = self.get(name) else {
            return Ok(None);
        };
        let held = serde_json::from_str::<String>(raw.get());
        let text = held.as_deref().unwrap_or(raw.get());
        serde_json::from_str(text).map_err(|error| {
            malformed(
                "the host's metadata is not of the form that it has for this trigger",
                error,
            )
            .with("entry", name)
        })
    }

    /// What the host tells this invocation from all others by.
    pub(super) fn invocation(&self) -> Option<String> {
        let system: Value = self.json("sys").ok()??;
        system.get("RandGuid")?.as_str().map(str::to_owned)
    }

    /// Which try it is, where the host itself tries again by the function's retry policy.
    pub(super) fn tries(&self) -> Option<u32> {
        let context: Value = self.json("RetryContext").ok()??;
        let count = context.get("RetryCount")?.as_u64()?;
        Some(u32::try_from(count).unwrap_or(u32::MAX).saturating_add(1))
    }
}

/// The invocation is not what it must be.
pub(super) fn refused(what: &'static str) -> Error {
    Error::new(ErrorKind::Decode, super::DECODE, what)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{any, proptest};
    use serde_json::json;

    use super::*;

    fn content(value: &Value) -> Result<Content<'static>> {
        let raw: Box<RawValue> = serde_json::value::to_raw_value(value).unwrap();
        Content::read(Box::leak(raw))
    }

    #[test]
    fn the_form_of_a_value_tells_what_it_is() {
        let text = |text: &str| Content::Text(text.to_owned());
        assert_eq!(content(&json!("\"hi\"")).unwrap(), text("hi"));
        assert_eq!(content(&json!("\"say \\\"hi\\\"\"")).unwrap(), text("say \"hi\""));
        assert_eq!(content(&json!("\"{\\\"a\\\":1}\"")).unwrap(), text("{\"a\":1}"));
        assert_eq!(content(&json!("aGk=")).unwrap(), Content::Bytes("hi".into()));
        assert_eq!(content(&json!("")).unwrap(), Content::Bytes(Bytes::new()));
        assert_eq!(
            content(&json!({"a": 1})).unwrap(),
            Content::Json("{\"a\":1}".into())
        );
        assert_eq!(content(&json!("[1]")).unwrap(), Content::Json("[1]".into()));
        for damaged in [json!("\"hi"), json!("hi!"), json!(7), Value::Null, json!(true)] {
            assert_eq!(
                content(&damaged).unwrap_err().kind(),
                ErrorKind::Decode,
                "{damaged}"
            );
        }
    }

    #[test]
    fn a_batch_is_bytes_and_one_that_is_damaged_is_told_alone() {
        let read = content(&json!("[\"aGk=\", \"hi!\", {\"a\":1}]")).unwrap();
        let batch = read.batch().unwrap().unwrap();
        assert_eq!(batch[0].as_ref().unwrap(), "hi");
        assert!(batch[1].as_ref().unwrap_err().to_string().contains("dataType"));
        assert_eq!(batch[2].as_ref().unwrap(), "{\"a\":1}");
        assert!(content(&json!("\"hi\"")).unwrap().batch().unwrap().is_none());
        assert!(content(&json!("[1")).unwrap().batch().is_err());
    }

    #[test]
    fn metadata_are_read_in_every_form_that_the_host_or_its_documentation_has() {
        let document = json!({"Data": {"x": ""}, "Metadata": {
            "Id": "\"a\"", "PlainId": "a", "Count": "3", "Real": 3, "Forged": "\"3\"", "At": "2026-02-03T12:00:00", "Null": "null",
            "List": "[1,null]", "Object": {"a": 1}, "RetryContext": {"RetryCount": 2, "MaxRetryCount": 4},
        }})
        .to_string();
        let Invocation { metadata, .. } = Invocation::read(document.as_bytes()).unwrap();
        assert_eq!(metadata.text("id").as_deref(), Some("a"));
        assert_eq!(metadata.text("PlainId").as_deref(), Some("a"));
        assert_eq!(
            (metadata.number("Count"), metadata.number("Real")),
            (Some(3), Some(3))
        );
        assert_eq!(
            metadata.number::<u32>("Forged"),
            None,
            "a message's own field is no number of the host's"
        );
        assert!(metadata.time("At").is_some());
        assert_eq!(metadata.text("Null"), None);
        assert_eq!(
            metadata.json::<Vec<Value>>("List").unwrap(),
            Some(vec![json!(1), Value::Null])
        );
        assert_eq!(metadata.json::<Value>("Object").unwrap(), Some(json!({"a": 1})));
        assert!(metadata.json::<Vec<Value>>("Id").is_err());
        assert_eq!(metadata.tries(), Some(3));
    }

    #[test]
    fn an_invocation_has_one_value() {
        for document in [
            "",
            "{}",
            r#"{"Data":{}}"#,
            r#"{"Data":{"a":1,"b":2}}"#,
            r#"{"Data":[]}"#,
            r#"{"Metadata":{}}"#,
        ] {
            assert!(Invocation::read(document.as_bytes()).is_err(), "{document}");
        }
        assert!(Invocation::read(br#"{"Data":{"a":1},"Metadata":null}"#).is_ok());
    }

    proptest! {
        #[test]
        fn text_and_bytes_come_as_they_were(text in any::<String>(), bytes in any::<Vec<u8>>()) {
            use ::base64::Engine as _;
            let held = serde_json::to_string(&text).unwrap();
            assert_eq!(content(&json!(held)).unwrap(), Content::Text(text));
            let held = ::base64::engine::general_purpose::STANDARD.encode(&bytes);
            assert_eq!(content(&json!(held)).unwrap(), Content::Bytes(bytes.into()));
        }

        #[test]
        fn no_bytes_are_a_panic(bytes in any::<Vec<u8>>()) {
            let _ = Invocation::read(&bytes);
        }
    }
}
