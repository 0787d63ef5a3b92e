//! CloudEvents over HTTP, as Eventarc sends them: <https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/bindings/http-protocol-binding.md>. In binary mode, in which Eventarc
//! sends, the attributes are headers and the data are the body; in structured mode all is JSON.

use std::borrow::Cow;

use bytes::Bytes;
use http::HeaderMap;
use http::header::CONTENT_TYPE;
use nephos_core::event::cloudevents::{CloudEvent, EVENT_JSON, from_cloudevents};
use nephos_core::event::{Attributes, Data, Raw};
use nephos_core::{Event, Result};
use percent_encoding::percent_decode_str;

use super::push::{Pushed, time};
use super::{malformed, refused};

/// The type of an event that holds a message of Pub/Sub.
pub const MESSAGE_PUBLISHED: &str = "google.cloud.pubsub.topic.v1.messagePublished";

const PREFIX: &str = "ce-";

/// An event as it came.
#[derive(Debug)]
pub struct Received {
    /// Its attributes.
    pub attributes: Attributes,
    /// Its data, and their media type.
    pub raw: Raw,
    /// The event itself, if it came in JSON.
    structured: Option<Box<CloudEvent>>,
}

impl Received {
    /// Reads a request.
    ///
    /// # Errors
    /// [`ErrorKind::Decode`](nephos_core::ErrorKind::Decode) if it is no CloudEvent of version 1.
    pub fn read(headers: &HeaderMap, body: &Bytes) -> Result<Self> {
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
        self.message().ok()?.attempt
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
        Event::new(self.attributes, Data::Raw(self.raw))
    }
}

fn structured(body: &Bytes) -> Result<Received> {
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

fn binary(headers: &HeaderMap, content_type: Option<&str>, body: &Bytes) -> Result<Received> {
    let mut attributes = Attributes::known(&Data::Raw(Raw::default()), Some(String::new()), None);
    attributes.time = None;
    let (mut version, mut source, mut ty) = (None, None, None);
    for (name, value) in headers {
        let Some(name) = name.as_str().strip_prefix(PREFIX) else {
            continue;
        };
        let Some(value) = decoded(value.as_bytes()) else {
            return Err(refused("an attribute of the event is not UTF-8 text").with("attribute", name));
        };
        match name {
            "specversion" => version = Some(value),
            "id" => attributes.id = value,
            "source" => source = Some(value),
            "type" => ty = Some(value),
            "subject" => attributes.subject = Some(value),
            "time" => attributes.time = time(&value),
            other => {
                attributes.extensions.insert(Cow::Owned(other.to_owned()), value);
            }
        }
    }
    if !version.is_some_and(|version| version.starts_with("1.")) || attributes.id.is_empty() {
        return Err(refused(
            "the request is not a CloudEvent of version 1: it lacks the headers `ce-specversion` or `ce-id`",
        ));
    }
    let (Some(source), Some(ty)) = (source, ty) else {
        return Err(refused("the event tells no source or no type"));
    };
    attributes.source = source.into();
    attributes.ty = ty.into();
    Ok(Received {
        attributes,
        raw: Raw {
            content_type: content_type.map(|ty| ty.to_owned().into()),
            bytes: body.clone(),
        },
        structured: None,
    })
}

/// A header's value: what is not printable ASCII is written with percent signs. Some senders write UTF-8 as it is.
fn decoded(value: &[u8]) -> Option<String> {
    let text = std::str::from_utf8(value).ok()?;
    let decoded = percent_decode_str(text).decode_utf8().ok()?;
    Some(decoded.into_owned())
}

#[cfg(test)]
mod tests {
    use http::{HeaderName, HeaderValue};

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
        let binary = Received::read(&headers(&BINARY), &body).unwrap();
        let json = r#"{"specversion":"1.0","id":"7","source":"//x/y","type":"t","subject":"grüße%","shade":"dark","datacontenttype":"text/plain","data":"hi"}"#;
        let structured = Received::read(
            &headers(&[("content-type", "application/cloudevents+json; charset=utf-8")]),
            &Bytes::from_static(json.as_bytes()),
        )
        .unwrap();
        assert_eq!(binary.attributes, structured.attributes);
        assert_eq!(binary.raw, structured.raw);
        assert_eq!(binary.attributes.subject.as_deref(), Some("grüße%"));
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
