//! Neutral ↔ [CloudEvents 1.0](https://github.com/cloudevents/spec): the one form in which events travel between processes.
//!
//! An event of a queue, stream or table becomes one CloudEvent for each record; every other event becomes one. Nothing is lost on the way
//! there and back, bodies to the byte, with two exceptions: [`Event::raw`] is the provider's own form and stays behind, and so do the
//! records in [`Event::undecodable`], which have no content to write.
//!
//! | type | source | id | data |
//! |---|---|---|---|
//! | [`BUCKET_CREATED`], [`BUCKET_DELETED`] | `bucket/<name>` | event | JSON [`ObjectInfo`](crate::event::ObjectInfo) |
//! | [`QUEUE_MESSAGE`] | `queue/<name>` | message | its body |
//! | [`TOPIC_NOTIFICATION`] | `topic/<name>` | notification | its body |
//! | [`STREAM_RECORD`] | `stream/<name>` | sequence | its body |
//! | [`TABLE_INSERTED`], [`TABLE_MODIFIED`], [`TABLE_REMOVED`] | `table/<name>` | sequence | JSON `key`, `old`, `new` |
//! | [`SCHEDULE_TICK`] | `schedule` | event | JSON [`Tick`](crate::event::Tick) |
//! | [`EMAIL_RECEIVED`] | `email` | event | the message, `message/rfc822` |
//! | [`AUTH_PREFIX`] and the stage | `auth` | event | JSON [`AuthEvent`](crate::event::AuthEvent) |
//! | [`VOICE_REQUEST`] | `voice` | event | JSON [`VoiceRequest`](crate::event::VoiceRequest) |
//! | [`HTTP_REQUEST`] | `http` | event | the body |
//! | any other | any | event | [`Raw`](crate::event::Raw) bytes |

mod body;
mod http;
mod records;
mod single;
#[cfg(test)]
mod tests;

use std::borrow::Cow;

use cloudevents::{AttributesReader as _, AttributesWriter as _, EventBuilder as _, EventBuilderV10};

pub use self::http::request_to_cloudevent;
use crate::error::{Error, ErrorKind, Result};
use crate::event::{Attributes, ChangeKind, Data, Event, ObjectEvent, TriggerKind};

pub use cloudevents::Event as CloudEvent;

/// An object was created or replaced.
pub const BUCKET_CREATED: &str = "dev.nephos.bucket.object.created";
/// An object was deleted.
pub const BUCKET_DELETED: &str = "dev.nephos.bucket.object.deleted";
/// A message of a queue.
pub const QUEUE_MESSAGE: &str = "dev.nephos.queue.message";
/// A notification of a topic.
pub const TOPIC_NOTIFICATION: &str = "dev.nephos.topic.notification";
/// A record of a stream.
pub const STREAM_RECORD: &str = "dev.nephos.stream.record";
/// An item was inserted into a table.
pub const TABLE_INSERTED: &str = "dev.nephos.table.item.inserted";
/// An item of a table was modified.
pub const TABLE_MODIFIED: &str = "dev.nephos.table.item.modified";
/// An item was removed from a table.
pub const TABLE_REMOVED: &str = "dev.nephos.table.item.removed";
/// A tick of a schedule.
pub const SCHEDULE_TICK: &str = "dev.nephos.schedule.tick";
/// An e-mail was received.
pub const EMAIL_RECEIVED: &str = "dev.nephos.email.received";
/// A step of a sign-up or sign-in; the [stage's name](crate::event::AuthStage::name) follows.
pub const AUTH_PREFIX: &str = "dev.nephos.auth.";
/// A request of a voice assistant.
pub const VOICE_REQUEST: &str = "dev.nephos.voice.request";
/// An HTTP request whose body was read whole.
pub const HTTP_REQUEST: &str = "dev.nephos.http.request";

/// The kind of trigger that a CloudEvents type stands for; [`TriggerKind::Raw`] for a type that is not ours.
#[must_use]
pub fn kind_of(ty: &str) -> TriggerKind {
    match ty {
        BUCKET_CREATED | BUCKET_DELETED => TriggerKind::Bucket,
        QUEUE_MESSAGE => TriggerKind::Queue,
        TOPIC_NOTIFICATION => TriggerKind::Topic,
        STREAM_RECORD => TriggerKind::Stream,
        TABLE_INSERTED | TABLE_MODIFIED | TABLE_REMOVED => TriggerKind::Table,
        SCHEDULE_TICK => TriggerKind::Schedule,
        EMAIL_RECEIVED => TriggerKind::Email,
        VOICE_REQUEST => TriggerKind::Voice,
        HTTP_REQUEST => TriggerKind::Http,
        auth if auth.starts_with(AUTH_PREFIX) => TriggerKind::Auth,
        _ => TriggerKind::Raw,
    }
}

/// The CloudEvents type of `data`; `None` for [`Data::Raw`], whose type is its sender's. For changes of a table it is the first one's.
#[must_use]
pub fn type_of(data: &Data) -> Option<Cow<'static, str>> {
    let ty = match data {
        Data::Http(_) => HTTP_REQUEST,
        Data::Bucket(ObjectEvent::Created(_)) => BUCKET_CREATED,
        Data::Bucket(ObjectEvent::Deleted(_)) => BUCKET_DELETED,
        Data::Queue(_) => QUEUE_MESSAGE,
        Data::Topic(_) => TOPIC_NOTIFICATION,
        Data::Stream(_) => STREAM_RECORD,
        Data::Table(changes) => {
            change_type(changes.first().map_or(ChangeKind::Modified, |change| change.kind))
        }
        Data::Schedule(_) => SCHEDULE_TICK,
        Data::Email(_) => EMAIL_RECEIVED,
        Data::Auth(auth) => return Some([AUTH_PREFIX, auth.stage.name()].concat().into()),
        Data::Voice(_) => VOICE_REQUEST,
        Data::Raw(_) => return None,
    };
    Some(Cow::Borrowed(ty))
}

const fn change_type(kind: ChangeKind) -> &'static str {
    match kind {
        ChangeKind::Inserted => TABLE_INSERTED,
        ChangeKind::Modified => TABLE_MODIFIED,
        ChangeKind::Removed => TABLE_REMOVED,
    }
}

/// Writes `event` as CloudEvents, one for each record where it has records.
///
/// # Errors
/// [`ErrorKind::Unsupported`] for an HTTP request, whose body streams (see [`request_to_cloudevent`]);
/// [`ErrorKind::InvalidArgument`] if an attribute is not what CloudEvents allow, or the type is another than that of the data.
///
/// ```
/// use nephos_core::event::cloudevents::{from_cloudevents, to_cloudevents};
/// use nephos_core::event::{Data, Event, ObjectCreated, ObjectEvent, ObjectInfo};
///
/// let photo = ObjectEvent::Created(ObjectCreated(ObjectInfo::new("snapshots", "a b.jpg")));
/// let event = Event::of(Data::Bucket(photo));
/// let sent = serde_json::to_string(&to_cloudevents(&event)?).unwrap();
///
/// let received = from_cloudevents(serde_json::from_str(&sent).unwrap())?;
/// assert_eq!(received.attributes, event.attributes);
/// # Ok::<(), nephos_core::Error>(())
/// ```
pub fn to_cloudevents(event: &Event) -> Result<Vec<CloudEvent>> {
    match &event.data {
        Data::Queue(messages) => records::encode(&event.attributes, messages, records::message),
        Data::Stream(entries) => records::encode(&event.attributes, entries, records::record),
        Data::Table(changes) => records::encode(&event.attributes, changes, records::change),
        Data::Http(_) => Err(Error::new(
            ErrorKind::Unsupported,
            "cloudevents.encode",
            "the body of an HTTP request streams; read it whole first and use `request_to_cloudevent`",
        )),
        data => {
            check_type(&event.attributes, data)?;
            Ok(vec![single::encode(&event.attributes, data)?])
        }
    }
}

/// The media type of one event in [JSON](https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/formats/json-format.md).
pub const EVENT_JSON: &str = "application/cloudevents+json";
/// The media type of several.
pub const EVENT_BATCH_JSON: &str = "application/cloudevents-batch+json";

/// Writes `event` as CloudEvents in JSON: one, or a batch for kinds that have records. The media type says which.
///
/// # Errors
/// As [`to_cloudevents`].
pub fn to_json(event: &Event) -> Result<(&'static str, bytes::Bytes)> {
    let events = to_cloudevents(event)?;
    let written = match events.as_slice() {
        [only] if !event.kind().has_records() => serde_json::to_vec(only).map(|json| (EVENT_JSON, json)),
        batch => serde_json::to_vec(batch).map(|json| (EVENT_BATCH_JSON, json)),
    };
    let (content_type, json) = written.map_err(|error| {
        Error::new(
            ErrorKind::InvalidArgument,
            "event.encode",
            "the event cannot be written as JSON",
        )
        .with("kind", event.kind())
        .caused_by(error)
    })?;
    Ok((content_type, json.into()))
}

/// Reads CloudEvents that were delivered together: several records of one source, or one event of any other kind.
///
/// A record that cannot be read goes to [`Event::undecodable`] under its id, and the others go on.
///
/// # Errors
/// [`ErrorKind::Decode`] if there is none, if there are several of a kind that has no records, or if the only one cannot be read;
/// [`ErrorKind::Unsupported`] for an e-mail in a build without the feature `email`.
pub fn from_cloudevents(mut events: Vec<CloudEvent>) -> Result<Event> {
    let Some(first) = events.first() else {
        return Err(Error::new(
            ErrorKind::Decode,
            "cloudevents.decode",
            "there is no event in the batch",
        ));
    };
    let kind = kind_of(first.ty());
    match kind {
        TriggerKind::Queue => Ok(records::decode(events, kind, records::read_message, Data::Queue)),
        TriggerKind::Stream => Ok(records::decode(events, kind, records::read_record, Data::Stream)),
        TriggerKind::Table => Ok(records::decode(events, kind, records::read_change, Data::Table)),
        _ => match (events.pop(), events.is_empty()) {
            (Some(event), true) if kind == TriggerKind::Http => http::decode(event),
            (Some(event), true) => single::decode(event, kind),
            _ => Err(Error::new(
                ErrorKind::Decode,
                "cloudevents.decode",
                "events of this kind come one at a time",
            )
            .with("kind", kind)
            .with("events", events.len() + 1)),
        },
    }
}

/// An event of one kind under the type of another would come back as that other.
fn check_type(attributes: &Attributes, data: &Data) -> Result<()> {
    let fits = match type_of(data) {
        Some(ty) => ty == attributes.ty,
        None => kind_of(&attributes.ty) == TriggerKind::Raw,
    };
    if fits {
        return Ok(());
    }
    let error = Error::new(
        ErrorKind::InvalidArgument,
        "cloudevents.encode",
        "the event's type is another than that of its data; make it with `Event::of`",
    )
    .with("type", &attributes.ty);
    Err(match type_of(data) {
        Some(expected) => error.with("expected", expected),
        None => error,
    })
}

/// Names that the standard uses, which no extension may take.
const STANDARD: [&str; 8] = [
    "specversion",
    "id",
    "source",
    "type",
    "datacontenttype",
    "subject",
    "time",
    "data",
];

/// The standard's attribute that the neutral form keeps among the extensions, as nothing reads it.
const DATA_SCHEMA: &str = "dataschema";

/// Starts a CloudEvent with `attributes`; `own` are the extensions that the caller is going to set.
fn builder(attributes: &Attributes, own: &[&str]) -> Result<EventBuilderV10> {
    let mut builder = EventBuilderV10::new()
        .id(&attributes.id)
        .source(attributes.source.as_ref())
        .ty(attributes.ty.as_ref());
    if let Some(subject) = &attributes.subject {
        builder = builder.subject(subject);
    }
    if let Some(time) = attributes.time {
        builder = builder.time(time);
    }
    for (name, value) in &attributes.extensions {
        if name == DATA_SCHEMA {
            continue;
        }
        let lawful = !name.is_empty()
            && name
                .bytes()
                .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit());
        if !lawful || STANDARD.contains(&name.as_ref()) || own.contains(&name.as_ref()) {
            return Err(Error::new(
                ErrorKind::InvalidArgument,
                "cloudevents.encode",
                "an extension's name must be lower-case letters and digits, and not one that is taken",
            )
            .with("extension", name));
        }
        builder = builder.extension(name, value.as_str());
    }
    Ok(builder)
}

/// Ends a CloudEvent that [`builder`] began.
fn build(builder: EventBuilderV10, attributes: &Attributes) -> Result<CloudEvent> {
    let mut event = builder.build().map_err(|error| {
        Error::new(
            ErrorKind::InvalidArgument,
            "cloudevents.encode",
            "the event's attributes are not what CloudEvents allow",
        )
        .caused_by(error)
    })?;
    if let Some(schema) = attributes.extensions.get(DATA_SCHEMA) {
        let schema = url::Url::parse(schema).map_err(|error| {
            Error::new(
                ErrorKind::InvalidArgument,
                "cloudevents.encode",
                "the data schema must be an absolute URI",
            )
            .caused_by(error)
        })?;
        event.set_dataschema(Some(schema));
    }
    check_writable(&event)?;
    Ok(event)
}

/// RFC 3339 has years of four digits, and the standard wants attributes that are not empty.
fn check_writable(event: &CloudEvent) -> Result<()> {
    use chrono::Datelike as _;
    if event
        .time()
        .is_some_and(|time| !(0..=9999).contains(&time.year()))
    {
        return Err(Error::new(
            ErrorKind::InvalidArgument,
            "cloudevents.encode",
            "the event's time is outside the years 0 to 9999",
        ));
    }
    Ok(())
}

/// The attributes of `event`; extensions in `own` were written by the codec and are left out.
fn attributes(event: &CloudEvent, own: &[&str]) -> Attributes {
    let mut extensions: std::collections::BTreeMap<Cow<'static, str>, String> = event
        .iter_extensions()
        .filter(|(name, _)| !own.contains(name))
        .map(|(name, value)| (Cow::Owned(name.to_owned()), value.to_string()))
        .collect();
    if let Some(schema) = event.dataschema() {
        extensions.insert(Cow::Borrowed(DATA_SCHEMA), schema.to_string());
    }
    Attributes {
        id: event.id().to_owned(),
        source: Cow::Owned(event.source().clone()),
        ty: Cow::Owned(event.ty().to_owned()),
        subject: event.subject().map(str::to_owned),
        time: event.time().copied(),
        extensions,
    }
}

/// The text of an extension.
fn extension(event: &CloudEvent, name: &str) -> Option<String> {
    event.extension(name).map(ToString::to_string)
}

/// What comes after the resource kind in a source (`orders` of `queue/orders`); a source of another form as it is.
fn resource_name(source: &str, kind: TriggerKind) -> &str {
    source
        .strip_prefix(kind.name())
        .and_then(|rest| rest.strip_prefix('/'))
        .unwrap_or(source)
}

/// JSON that an extension holds.
fn json_extension<T: serde::de::DeserializeOwned>(
    event: &CloudEvent,
    name: &'static str,
) -> Result<Option<T>> {
    let Some(text) = extension(event, name) else {
        return Ok(None);
    };
    serde_json::from_str(&text).map(Some).map_err(|error| {
        Error::new(
            ErrorKind::Decode,
            "cloudevents.decode",
            "the extension does not hold the JSON that it should",
        )
        .with("extension", name)
        .caused_by(error)
    })
}

fn json_text<T: serde::Serialize + ?Sized>(value: &T) -> Result<String> {
    serde_json::to_string(value).map_err(|error| {
        Error::new(
            ErrorKind::Internal,
            "cloudevents.encode",
            "an extension cannot be written as JSON",
        )
        .caused_by(error)
    })
}
