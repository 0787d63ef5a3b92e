//! CloudEvents over HTTP, as Eventarc sends them: <https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/bindings/http-protocol-binding.md>. In binary mode, in which Eventarc
//! sends, the attributes are headers and the data are the body; in structured mode all is JSON.

use std::borrow::Cow;
use std::collections::BTreeMap;

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderName};
use nephos_core::event::cloudevents::{CloudEvent, EVENT_JSON, from_cloudevents};
use nephos_core::event::{Attributes, Data, Raw};
use nephos_core::{Event, Result};
use percent_encoding::percent_decode_str;

use super::push::{Pushed, time};
use super::{malformed, refused};

/// The type of an event that holds a message of Pub/Sub.
pub const MESSAGE_PUBLISHED: &str = "google.cloud.pubsub.topic.v1.messagePublished";

const PREFIX: &str = "ce-";
const SUBJECT: HeaderName = HeaderName::from_static("ce-subject");

/// The attributes of the standard: <https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/spec.md#context-attributes>. The media type of the data has a header of its own.
const STANDARD: [&str; 6] = ["specversion", "id", "source", "type", "subject", "time"];

/// An event as it came.
#[derive(Debug)]
pub struct Received<'a> {
    /// Its attributes; subject and extensions only if it came in JSON: most events have many, of which most decoders ask for none.
    pub(super) attributes: Attributes,
    /// Its data, and their media type.
    pub(super) raw: Raw,
    /// The headers with its extensions, if it came in binary mode.
    headers: Option<&'a HeaderMap>,
    /// The event itself, if it came in JSON.
    structured: Option<Box<CloudEvent>>,
}

impl<'a> Received<'a> {
    /// Reads a request.
    ///
    /// # Errors
    /// [`ErrorKind::Decode`](nephos_core::ErrorKind::Decode) if it is no CloudEvent of version 1.
    pub fn read(headers: &'a HeaderMap, body: &Bytes) -> Result<Self> {
        let content_type = headers.get(CONTENT_TYPE).and_then(|ty| ty.to_str().ok());
        let essence = content_type
            .unwrap_or_default()
            .split(';')
            .next()
            .unwrap_or_default();
        if essence.trim().eq_ignore_ascii_case(EVENT_JSON) {
            return structured(body);
        }
        binary(headers, content_type, body)
    }

    /// The message of Pub/Sub that it holds.
    ///
    /// # Errors
    /// [`ErrorKind::Decode`](nephos_core::ErrorKind::Decode) if it holds none.
    pub(super) fn message(&self) -> Result<Pushed> {
        if self.attributes.ty != MESSAGE_PUBLISHED {
            return Err(
                refused("the event is not of a message that was published to Pub/Sub")
                    .with("type", &self.attributes.ty),
            );
        }
        Pushed::wrapped(&self.raw.bytes)
    }

    /// Which delivery it is, where the data tell it.
    pub(super) fn attempt(&self) -> Option<u32> {
        if self.attributes.ty != MESSAGE_PUBLISHED {
            return None;
        }
        self.message().ok()?.attempt
    }

    /// What it is of.
    pub(super) fn subject(&self) -> Option<String> {
        let Some(headers) = self.headers else {
            return self.attributes.subject.clone();
        };
        Some(decoded(headers.get(SUBJECT)?.as_bytes())?.into_owned())
    }

    /// An extension of its attributes.
    pub(super) fn extension(&self, name: &str) -> Option<String> {
        let Some(headers) = self.headers else {
            return self.attributes.extensions.get(name).cloned();
        };
        let told = extensions(headers).filter(|(known, _)| *known == name);
        told.last().map(|(_, value)| value.into_owned())
    }

    /// Its attributes, extensions among them, and its data.
    #[must_use]
    pub fn into_parts(mut self) -> (Attributes, Raw) {
        if let Some(headers) = self.headers {
            self.attributes.subject = self.subject();
            let told =
                extensions(headers).map(|(name, value)| (Cow::Owned(name.to_owned()), value.into_owned()));
            self.attributes.extensions.extend(told);
        }
        (self.attributes, self.raw)
    }

    /// An event of Nephos's own, save that what it is of has its name from the trigger that it came by.
    pub(super) fn into_ours(self, name: &str) -> Result<Event> {
        let Some(event) = self.structured else {
            return Err(refused(
                "an event of Nephos's own must come as JSON (`application/cloudevents+json`)",
            ));
        };
        let mut event = from_cloudevents(vec![*event])?;
        match &mut event.data {
            Data::Topic(notification) => name.clone_into(&mut notification.topic),
            Data::Queue(messages) => messages.iter_mut().for_each(|m| name.clone_into(&mut m.queue)),
            Data::Stream(records) => records.iter_mut().for_each(|r| name.clone_into(&mut r.stream)),
            _ => {}
        }
        event.attributes.source = format!("{}/{name}", event.kind()).into();
        Ok(event)
    }

    /// As an event that nothing else is known of.
    pub(super) fn into_raw(self) -> Event {
        let (attributes, raw) = self.into_parts();
        Event::new(attributes, Data::Raw(raw))
    }
}

fn structured(body: &Bytes) -> Result<Received<'static>> {
    let event: CloudEvent =
        serde_json::from_slice(body).map_err(|error| malformed("the request is not a CloudEvent", error))?;
    // Under a type that is none of ours, what the event is stands in its attributes, and its data are kept as they are.
    let (mut other, ty) = (event.clone(), type_of(&event));
    set_type(&mut other, "raw".to_owned());
    let read = from_cloudevents(vec![other])?;
    let mut attributes = read.attributes;
    attributes.ty = ty.into();
    let Data::Raw(raw) = read.data else {
        return Err(refused("the request is not a CloudEvent"));
    };
    Ok(Received {
        attributes,
        raw,
        headers: None,
        structured: Some(Box::new(event)),
    })
}

fn type_of(event: &CloudEvent) -> String {
    use cloudevents::AttributesReader as _;
    event.ty().to_owned()
}

fn set_type(event: &mut CloudEvent, ty: String) {
    use cloudevents::AttributesWriter as _;
    event.set_type(ty);
}

fn binary<'a>(headers: &'a HeaderMap, content_type: Option<&str>, body: &Bytes) -> Result<Received<'a>> {
    let (mut is_known, mut id, mut source, mut ty) = (false, None, None, None);
    let mut at = None;
    for (name, value) in attributes(headers) {
        let Some(value) = value else {
            return Err(refused("an attribute of the event is not UTF-8 text").with("attribute", name));
        };
        match name {
            "specversion" => is_known = value.starts_with("1."),
            "id" => id = Some(value.into_owned()),
            "source" => source = Some(value.into_owned()),
            "type" => ty = Some(value.into_owned()),
            "time" => at = time(&value),
            _ => {}
        }
    }
    let Some(id) = id.filter(|id| is_known && !id.is_empty()) else {
        return Err(refused(
            "the request is not a CloudEvent of version 1: it lacks the headers `ce-specversion` or `ce-id`",
        ));
    };
    let (Some(source), Some(ty)) = (source, ty) else {
        return Err(refused("the event tells no source or no type"));
    };
    Ok(Received {
        attributes: Attributes {
            id,
            source: source.into(),
            ty: ty.into(),
            subject: None,
            time: at,
            extensions: BTreeMap::new(),
        },
        raw: Raw::of(content_type, body.clone()),
        headers: Some(headers),
        structured: None,
    })
}

/// The attributes among the headers, each with its value, if that is text.
fn attributes(headers: &HeaderMap) -> impl Iterator<Item = (&str, Option<Cow<'_, str>>)> {
    headers.iter().filter_map(|(name, value)| {
        let name = name.as_str().strip_prefix(PREFIX)?;
        Some((name, decoded(value.as_bytes())))
    })
}

/// Those that are none of the standard's.
fn extensions(headers: &HeaderMap) -> impl Iterator<Item = (&str, Cow<'_, str>)> {
    attributes(headers)
        .filter(|(name, _)| !STANDARD.contains(name))
        .filter_map(|(name, value)| Some((name, value?)))
}

/// A header's value: what is not printable ASCII is written with percent signs. Some senders write UTF-8 as it is.
fn decoded(value: &[u8]) -> Option<Cow<'_, str>> {
    let text = std::str::from_utf8(value).ok()?;
    if !text.as_bytes().contains(&b'%') {
        return Some(Cow::Borrowed(text));
    }
    percent_decode_str(text).decode_utf8().ok()
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        let pairs = pairs.iter();
        pairs
            .map(|(name, value)| {
                (
                    HeaderName::from_static(name),
                    HeaderValue::from_str(value).unwrap(),
                )
            })
            .collect()
    }

    const BINARY: [(&str, &str); 7] = [
        ("ce-specversion", "1.0"),
        ("ce-id", "7"),
        ("ce-source", "//x/y"),
        ("ce-type", "t"),
        ("ce-subject", "gr%C3%BC%C3%9Fe%25"),
        ("ce-shade", "dark"),
        ("content-type", "text/plain"),
    ];

    #[test]
    fn both_modes_say_the_same() {
        let body = Bytes::from_static(b"hi");
        let binary_headers = headers(&BINARY);
        let binary = Received::read(&binary_headers, &body).unwrap();
        let json = r#"{"specversion":"1.0","id":"7","source":"//x/y","type":"t","subject":"grüße%","shade":"dark","datacontenttype":"text/plain","data":"hi"}"#;
        let json_headers = headers(&[("content-type", "application/cloudevents+json; charset=utf-8")]);
        let structured = Received::read(&json_headers, &Bytes::from_static(json.as_bytes())).unwrap();
        assert_eq!(binary.extension("shade").as_deref(), Some("dark"));
        assert_eq!(structured.extension("shade").as_deref(), Some("dark"));
        let (binary, structured) = (binary.into_parts(), structured.into_parts());
        assert_eq!(binary, structured);
        assert_eq!(binary.0.subject.as_deref(), Some("grüße%"));
    }

    #[test]
    fn what_is_no_cloudevent_is_refused() {
        for missing in ["ce-specversion", "ce-id", "ce-source", "ce-type"] {
            let mut headers = headers(&BINARY);
            headers.remove(missing);
            assert!(Received::read(&headers, &Bytes::new()).is_err(), "{missing}");
        }
        let mut old = headers(&BINARY);
        old.insert("ce-specversion", HeaderValue::from_static("0.3"));
        assert!(Received::read(&old, &Bytes::new()).is_err());
    }
}
