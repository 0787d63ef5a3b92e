//! Events of Event Grid, in [its own schema](https://learn.microsoft.com/azure/event-grid/event-schema) or as
//! [CloudEvents](https://learn.microsoft.com/azure/event-grid/cloud-event-schema), as a Storage queue or the host's own trigger brings them; and the handshakes
//! of a webhook ([`handshake`]).

pub mod handshake;

use std::borrow::Cow;
use std::collections::BTreeMap;

use bytes::Bytes;
use chrono::{DateTime, Utc};
use nephos_core::Result;
use serde_json::value::RawValue;

use super::wrapped::{Content, Invocation, refused};
use super::{base64, malformed, time};

/// One event, of either schema.
#[derive(Debug)]
pub(super) struct GridEvent<'a> {
    pub(super) id: String,
    /// The topic that it was published to, or the CloudEvent's source.
    pub(super) source: String,
    pub(super) ty: String,
    pub(super) subject: Option<String>,
    pub(super) time: Option<DateTime<Utc>>,
    pub(super) data: Option<GridData<'a>>,
    pub(super) content_type: Option<String>,
    /// Extensions of a CloudEvent; of Event Grid's own schema the version of the data.
    pub(super) extensions: BTreeMap<String, String>,
}

#[derive(Debug)]
pub(super) enum GridData<'a> {
    Json(&'a RawValue),
    Bytes(Bytes),
}

impl GridEvent<'_> {
    /// The data's bytes: text without its quotation marks where the media type says that it is not JSON.
    pub(super) fn bytes(&self) -> Result<Bytes> {
        match &self.data {
            None => Ok(Bytes::new()),
            Some(GridData::Bytes(bytes)) => Ok(bytes.clone()),
            Some(GridData::Json(raw)) => {
                let is_text = self.content_type.as_deref().is_some_and(|ty| !is_json(ty));
                if is_text && raw.get().starts_with('"') {
                    return serde_json::from_str::<String>(raw.get())
                        .map(Bytes::from)
                        .map_err(|error| malformed("the event's data are no string", error));
                }
                Ok(Bytes::copy_from_slice(raw.get().as_bytes()))
            }
        }
    }

    /// The data as JSON.
    pub(super) fn json(&self) -> Option<&str> {
        match &self.data {
            Some(GridData::Json(raw)) => Some(raw.get()),
            _ => None,
        }
    }
}

fn is_json(content_type: &str) -> bool {
    let essence = content_type.split(';').next().unwrap_or_default().trim();
    essence.eq_ignore_ascii_case("application/json") || essence.to_ascii_lowercase().ends_with("+json")
}

/// The JSON of the events that an invocation holds. A message of a queue holds it in Base64 or as it is: no Base64 begins like JSON.
pub(super) fn json(invocation: &Invocation<'_>) -> Result<String> {
    let bytes = match Content::read(invocation.value)? {
        Content::Json(json) => return Ok(json.into_owned()),
        Content::Text(text) => Bytes::from(text),
        Content::Bytes(bytes) => bytes,
    };
    let text = std::str::from_utf8(&bytes)
        .map_err(|error| refused("the event is not UTF-8 text").caused_by(error))?
        .trim();
    if text.starts_with(['{', '[']) {
        return Ok(text.to_owned());
    }
    let decoded = base64::decode(text, "the message is neither an event's JSON nor that in Base64")?;
    String::from_utf8(decoded).map_err(|error| refused("the event is not UTF-8 text").caused_by(error))
}

/// The events in `json`: one, or a list.
///
/// # Errors
/// [`ErrorKind::Decode`](nephos_core::ErrorKind::Decode) if one is of neither schema: none has a place in the answer in which it could fail alone.
pub(super) fn events(json: &str) -> Result<Vec<GridEvent<'_>>> {
    let not_json = |error| malformed("the event is not JSON", error);
    let each: Vec<&RawValue> = if json.trim_start().starts_with('[') {
        serde_json::from_str(json).map_err(not_json)?
    } else {
        vec![serde_json::from_str(json).map_err(not_json)?]
    };
    each.into_iter().map(event).collect()
}

fn event(raw: &RawValue) -> Result<GridEvent<'_>> {
    let mut fields: BTreeMap<Cow<'_, str>, &RawValue> =
        serde_json::from_str(raw.get()).map_err(|error| malformed("the event is no object", error))?;
    let is_cloud_event = fields.contains_key("specversion");
    if !is_cloud_event && !fields.contains_key("eventType") {
        return Err(refused(
            "the event is neither a CloudEvent nor of Event Grid's own schema: it has no `specversion` and no `eventType`",
        ));
    }
    let mut take = |name: &str| fields.remove(name).and_then(text);
    let lacks = |name: &'static str| refused("the event lacks what every one has").with("field", name);
    let (names, version) = if is_cloud_event {
        (["source", "type", "time"], "specversion")
    } else {
        (["topic", "eventType", "eventTime"], "metadataVersion")
    };
    let id = take("id")
        .filter(|id| !id.is_empty())
        .ok_or_else(|| lacks("id"))?;
    let [source, ty, at] = names.map(&mut take);
    let (subject, content_type) = (take("subject"), take("datacontenttype"));
    take(version);
    let ty = ty.ok_or_else(|| lacks(names[1]))?;
    let encoded = take("data_base64");
    let data = match (fields.remove("data"), encoded) {
        (_, Some(encoded)) => Some(GridData::Bytes(
            base64::decode(&encoded, "the event's `data_base64` is not Base64")?.into(),
        )),
        (Some(data), None) if data.get() != "null" => Some(GridData::Json(data)),
        _ => None,
    };
    Ok(GridEvent {
        id,
        source: source.unwrap_or_default(),
        ty,
        subject: subject.filter(|subject| !subject.is_empty()),
        time: at.as_deref().and_then(time::read),
        data,
        content_type,
        extensions: fields
            .into_iter()
            .filter_map(|(name, value)| Some((name.into_owned(), text(value)?)))
            .filter(|(_, value)| !value.is_empty())
            .collect(),
    })
}

/// A value as text: a string without its quotation marks, everything else as its JSON; of null nothing.
fn text(raw: &RawValue) -> Option<String> {
    if raw.get() == "null" {
        return None;
    }
    Some(serde_json::from_str::<String>(raw.get()).unwrap_or_else(|_| raw.get().to_owned()))
}

#[cfg(test)]
mod tests {
    use nephos_core::ErrorKind;
    use proptest::prelude::{any, proptest};

    use super::*;

    #[test]
    fn both_schemas_tell_the_same() {
        let own = r#"[{"id":"1","topic":"/t","subject":"s","eventType":"x","eventTime":"2026-02-03T12:00:00Z","data":{"a":1},"dataVersion":"2","metadataVersion":"1"}]"#;
        let cloud = r#"{"specversion":"1.0","id":"1","source":"/t","subject":"s","type":"x","time":"2026-02-03T12:00:00Z","data":{"a":1},"tenant":"acme"}"#;
        for (json, extension) in [(own, ("dataVersion", "2")), (cloud, ("tenant", "acme"))] {
            let read = events(json).unwrap().remove(0);
            assert_eq!(
                (read.id.as_str(), read.source.as_str(), read.ty.as_str()),
                ("1", "/t", "x")
            );
            assert_eq!(read.subject.as_deref(), Some("s"));
            assert!(read.time.is_some());
            assert_eq!(read.bytes().unwrap(), r#"{"a":1}"#);
            assert_eq!(read.extensions[extension.0], extension.1);
        }
    }

    #[test]
    fn data_are_what_their_media_type_says() {
        let with = |rest: &str| {
            let json = format!(r#"{{"specversion":"1.0","id":"1","source":"/t","type":"x",{rest}}}"#);
            events(&json).and_then(|events| events[0].bytes())
        };
        assert_eq!(
            with(r#""datacontenttype":"text/plain","data":"hi""#).unwrap(),
            "hi"
        );
        assert_eq!(
            with(r#""datacontenttype":"application/json","data":"hi""#).unwrap(),
            "\"hi\""
        );
        assert_eq!(with(r#""data":"hi""#).unwrap(), "\"hi\"");
        assert_eq!(with(r#""data_base64":"AP8=""#).unwrap(), vec![0, 255]);
        assert_eq!(with(r#""data":null"#).unwrap(), Bytes::new());
        assert!(with(r#""data_base64":"!""#).is_err());
    }

    #[test]
    fn what_is_no_event_says_what_it_lacks() {
        for (json, named) in [
            ("7", "no object"),
            ("{}", "specversion"),
            (r#"{"specversion":"1.0","type":"x"}"#, "field=id"),
            (r#"{"eventType":null,"id":"1"}"#, "field=eventType"),
            ("[{}", "not JSON"),
        ] {
            let error = events(json).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Decode);
            assert!(error.to_string().contains(named), "{json}: {error}");
        }
    }

    proptest! {
        #[test]
        fn no_text_is_a_panic(text in any::<String>()) {
            let _ = events(&text);
        }
    }
}
