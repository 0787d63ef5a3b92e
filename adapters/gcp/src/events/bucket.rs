//! Events of a bucket of Cloud Storage: its own [notifications](https://cloud.google.com/storage/docs/pubsub-notifications) by Pub/Sub, or those of
//! [Eventarc](https://googleapis.github.io/google-cloudevents/examples/structured/storage/).
//!
//! | notification | Eventarc's type | event |
//! |---|---|---|
//! | `OBJECT_FINALIZE` | `google.cloud.storage.object.v1.finalized` | created |
//! | `OBJECT_DELETE` | `….deleted` | deleted; a notification of an object that was only replaced is left out, which Eventarc's does not tell |
//! | `OBJECT_ARCHIVE` | `….archived` | deleted, in a bucket that keeps versions; by Eventarc raw, as it may have been replaced |
//! | `OBJECT_METADATA_UPDATE` | `….metadataUpdated` | raw |

use std::fmt;

use nephos_core::app::ObjectEventKind;
use nephos_core::event::{Attributes, Data, ObjectCreated, ObjectDeleted, ObjectEvent, ObjectInfo, Raw};
use nephos_core::wiring::Wiring;
use nephos_core::{Event, Result, json};
use serde::de::Visitor;
use serde::{Deserialize, Deserializer};

use super::asynchronous::{Carried, Read, event, misfit};
use super::cloudevent::Received;
use super::push::{Pushed, time};
use super::{malformed, refused};

const TYPES: &str = "google.cloud.storage.object.v1.";

/// What the trigger wants. A notification is filtered by kind and prefix before it comes; Eventarc filters by kind.
pub(super) struct Wanted<'a> {
    pub(super) bucket: &'a str,
    pub(super) event: ObjectEventKind,
    pub(super) prefix: &'a str,
    pub(super) suffix: &'a str,
}

impl Wanted<'_> {
    fn fits(&self, data: &Data) -> bool {
        let Data::Bucket(event) = data else { return true };
        let kind = match event {
            ObjectEvent::Created(_) => ObjectEventKind::Created,
            ObjectEvent::Deleted(_) => ObjectEventKind::Deleted,
        };
        let key = &event.object().key;
        (self.event == ObjectEventKind::Any || self.event == kind)
            && key.starts_with(self.prefix)
            && key.ends_with(self.suffix)
    }
}

/// An object as the JSON API tells it: <https://cloud.google.com/storage/docs/json_api/v1/objects#resource>. Numbers of 64 bits are text there.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Object {
    #[serde(default)]
    bucket: Option<String>,
    #[serde(default)]
    name: Option<String>,
    #[serde(default)]
    size: Option<Size>,
    #[serde(default)]
    etag: Option<String>,
    #[serde(default)]
    generation: Option<Whole>,
    #[serde(default)]
    metageneration: Option<Whole>,
    #[serde(default)]
    content_type: Option<String>,
    #[serde(default)]
    storage_class: Option<String>,
}

/// A size, as text or as a number; none if it is no size.
struct Size(Option<u64>);

impl<'de> Deserialize<'de> for Size {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        deserializer.deserialize_any(Either(
            |text| Self(text.parse().ok()),
            |number| Self(Some(number)),
        ))
    }
}

/// A number as text, which may be told as a number.
struct Whole(String);

/// What is made of text, and of a number.
struct Either<T>(fn(&str) -> T, fn(u64) -> T);

impl<'de> Deserialize<'de> for Whole {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        deserializer.deserialize_any(Either(
            |text| Self(text.to_owned()),
            |number| Self(number.to_string()),
        ))
    }
}

impl<T> Visitor<'_> for Either<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a whole number, as text or as a number")
    }

    fn visit_str<E>(self, text: &str) -> std::result::Result<T, E> {
        Ok(self.0(text))
    }

    fn visit_u64<E>(self, number: u64) -> std::result::Result<T, E> {
        Ok(self.1(number))
    }
}

enum What {
    Created,
    Deleted,
    Other,
    /// It goes on under the same key.
    Replaced,
}

pub(super) fn decode(wanted: &Wanted<'_>, wiring: &Wiring, carried: Carried<'_>) -> Result<Read> {
    match carried {
        Carried::Message(message) => notification(wanted, wiring, message),
        Carried::Event(received) => eventarc(wanted, wiring, received),
        _ => Err(misfit("events of a bucket come by Pub/Sub or Eventarc")),
    }
}

fn notification(wanted: &Wanted<'_>, wiring: &Wiring, message: Pushed) -> Result<Read> {
    let text = |name: &str| message.attributes.get(name).map(String::as_str);
    let (Some(kind), Some(bucket), Some(key)) = (text("eventType"), text("bucketId"), text("objectId"))
    else {
        return Err(refused(
            "the message is no notification of a bucket: it lacks the attributes `eventType`, `bucketId` or `objectId`",
        ));
    };
    let replaced = message.attributes.contains_key("overwrittenByGeneration");
    let what = match kind {
        "OBJECT_FINALIZE" => What::Created,
        "OBJECT_DELETE" | "OBJECT_ARCHIVE" if replaced => What::Replaced,
        "OBJECT_DELETE" | "OBJECT_ARCHIVE" => What::Deleted,
        _ => What::Other,
    };
    let mut object = Object::default();
    if text("payloadFormat") != Some("NONE") && !message.data.is_empty() {
        object = read(&message.data)?;
    }
    if let Some(generation) = text("objectGeneration") {
        object.generation = Some(Whole(generation.to_owned()));
    }
    let of = (bucket.to_owned(), key.to_owned());
    let told = Told {
        kind: kind.to_owned(),
        source: None,
        time: text("eventTime").and_then(time).or(message.published_at),
        id: message.id,
        subscription: message.subscription,
    };
    finish(wanted, wiring, what, of, object, told)
}

fn eventarc(wanted: &Wanted<'_>, wiring: &Wiring, received: Received<'_>) -> Result<Read> {
    let what = match received.attributes.ty.strip_prefix(TYPES) {
        Some("finalized") => What::Created,
        Some("deleted") => What::Deleted,
        Some(_) => What::Other,
        None => return Ok(received.into_raw().into()),
    };
    let mut object = read(&received.raw.bytes)?;
    let told = received.attributes;
    // The attributes name them too, but data that do not are none of an object.
    let (Some(bucket), Some(key)) = (object.bucket.take(), object.name.take()) else {
        return Err(refused("the event's data name no bucket or no object"));
    };
    let told = Told {
        id: told.id,
        kind: told.ty.into_owned(),
        source: Some(told.source.into_owned()),
        time: told.time,
        subscription: None,
    };
    finish(wanted, wiring, what, (bucket, key), object, told)
}

fn read(data: &[u8]) -> Result<Object> {
    json::from_slice(data).map_err(|error| {
        malformed(
            "the event's data are not an object as Cloud Storage tells one",
            error,
        )
    })
}

struct Told {
    id: String,
    kind: String,
    source: Option<String>,
    time: Option<chrono::DateTime<chrono::Utc>>,
    subscription: Option<String>,
}

fn finish(
    wanted: &Wanted<'_>,
    wiring: &Wiring,
    what: What,
    (bucket, key): (String, String),
    object: Object,
    told: Told,
) -> Result<Read> {
    let info = ObjectInfo {
        bucket: (wiring.sources.get(&bucket).map_or(wanted.bucket, String::as_str)).to_owned(),
        key,
        size: object.size.and_then(|Size(size)| size),
        etag: object.etag.filter(|etag| !etag.is_empty()),
        version: object.generation.map(|generation| generation.0),
        content_type: object.content_type.filter(|ty| !ty.is_empty()),
    };
    let mut of_raw = None;
    let data = match what {
        What::Created => Data::Bucket(ObjectEvent::Created(ObjectCreated(info))),
        What::Deleted => Data::Bucket(ObjectEvent::Deleted(ObjectDeleted(info))),
        What::Other => {
            of_raw = Some((format!("bucket/{}", info.bucket), info.key));
            Data::Raw(Raw::default())
        }
        What::Replaced => return Ok(Read::Unwanted),
    };
    if !wanted.fits(&data) {
        return Ok(Read::Unwanted);
    }
    let mut attributes = Attributes::known(&data, Some(told.id), told.time);
    if let Some((source, subject)) = of_raw {
        attributes.source = source.into();
        attributes.subject = Some(subject);
    }
    let facts = [
        ("gcpevent", Some(told.kind)),
        ("gcpsource", told.source),
        ("gcpsubscription", told.subscription),
        ("gcpbucket", Some(bucket)),
        ("gcpmetageneration", object.metageneration.map(|number| number.0)),
        ("gcpstorageclass", object.storage_class),
    ];
    let read: Event = event(attributes, data, facts);
    Ok(read.into())
}
