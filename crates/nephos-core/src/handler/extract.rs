//! From an event to a handler's argument.

use serde::de::DeserializeOwned;

use super::Shape;
use crate::error::{Error, ErrorKind, Result};
use crate::event::cloudevents::type_of;
use crate::event::{
    AuthEvent, Batch, Change, Data, Email, Event, Message, Notification, ObjectCreated, ObjectDeleted,
    ObjectEvent, Payload, Raw, Record, RecordFailure, Request, Tick, TriggerKind, VoiceRequest,
};
use crate::outcome::answer;

/// What an event type made of an [`Event`], and the records that did not fit it.
#[derive(Debug)]
pub struct Extracted<T> {
    /// The handler's argument.
    pub value: T,
    /// Records that did not decode: they fail alone.
    pub failures: Vec<RecordFailure>,
}

impl<T> From<T> for Extracted<T> {
    fn from(value: T) -> Self {
        Self {
            value,
            failures: Vec::new(),
        }
    }
}

/// A type that a handler can take as its event.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be the event of a function",
    note = "take `http::Request`, `ObjectCreated`, `ObjectDeleted`, `Message<T>`, `Notification<T>`, `Record<T>`, `Change<T>`, \
            `Batch<…>` of the last four but notifications, `Tick`, `Email`, `AuthEvent`, `VoiceRequest`, `Raw` or `Event`",
    note = "`T` must implement `serde::Deserialize` for any lifetime (`DeserializeOwned`)"
)]
pub trait FromEvent: Sized + Send + 'static {
    /// The answer that it expects, one of [`answer`]'s types.
    type Answer;
    /// The kind of trigger that it fits; `None` fits all.
    const TRIGGER: Option<TriggerKind>;
    /// How much of an event it takes.
    const SHAPE: Shape;

    /// The argument.
    ///
    /// # Errors
    /// [`ErrorKind::Decode`] if the event is of another kind, or its content does not fit.
    fn from_event(event: Event) -> Result<Extracted<Self>>;
}

fn other_kind<T: FromEvent>(data: &Data) -> Error {
    let kind = data.kind();
    Error::new(
        ErrorKind::Decode,
        "event.extract",
        "the event is of another kind than the handler takes; its trigger in nephos.toml does not fit",
    )
    .with("event", type_of(data).unwrap_or(kind.name().into()))
    .with("handler", std::any::type_name::<T>())
}

macro_rules! whole {
    ($($type:ty: $kind:ident, $answer:ident, $pattern:pat => $value:expr;)*) => {$(
        impl FromEvent for $type {
            type Answer = answer::$answer;
            const TRIGGER: Option<TriggerKind> = Some(TriggerKind::$kind);
            const SHAPE: Shape = Shape::Whole;

            fn from_event(event: Event) -> Result<Extracted<Self>> {
                match event.data {
                    $pattern => Ok(Extracted::from($value)),
                    other => Err(other_kind::<Self>(&other)),
                }
            }
        }
    )*};
}

whole! {
    Request: Http, Http, Data::Http(request) => request;
    ObjectEvent: Bucket, Ack, Data::Bucket(event) => event;
    ObjectCreated: Bucket, Ack, Data::Bucket(ObjectEvent::Created(created)) => created;
    ObjectDeleted: Bucket, Ack, Data::Bucket(ObjectEvent::Deleted(deleted)) => deleted;
    Tick: Schedule, Ack, Data::Schedule(tick) => tick;
    Email: Email, Ack, Data::Email(email) => *email;
    AuthEvent: Auth, Auth, Data::Auth(auth) => *auth;
    VoiceRequest: Voice, Voice, Data::Voice(voice) => *voice;
}

impl<T: DeserializeOwned + Send + 'static> FromEvent for Notification<T> {
    type Answer = answer::Ack;
    const TRIGGER: Option<TriggerKind> = Some(TriggerKind::Topic);
    const SHAPE: Shape = Shape::Whole;

    fn from_event(event: Event) -> Result<Extracted<Self>> {
        match event.data {
            Data::Topic(notification) => {
                let body = notification.body.decode()?;
                Ok(Extracted::from(notification.with_body(body)))
            }
            other => Err(other_kind::<Self>(&other)),
        }
    }
}

impl FromEvent for Raw {
    type Answer = answer::Data;
    const TRIGGER: Option<TriggerKind> = None;
    const SHAPE: Shape = Shape::Whole;

    /// The provider's bytes; for an event that has none, its neutral form is of no use to a handler of raw bytes, so that is an error.
    fn from_event(event: Event) -> Result<Extracted<Self>> {
        match (event.raw, event.data) {
            (_, Data::Raw(raw)) | (Some(raw), _) => Ok(Extracted::from(raw)),
            (None, other) => Err(other_kind::<Self>(&other)),
        }
    }
}

impl FromEvent for Event {
    type Answer = answer::Data;
    const TRIGGER: Option<TriggerKind> = None;
    const SHAPE: Shape = Shape::Whole;

    fn from_event(event: Event) -> Result<Extracted<Self>> {
        Ok(Extracted::from(event))
    }
}

/// A type that is one record of an event, taken one by one or as a [`Batch`].
pub trait FromRecord: Sized + Send + 'static {
    /// The kind of trigger.
    const TRIGGER: TriggerKind;

    /// The records of `data`, each decoded or failed alone.
    ///
    /// # Errors
    /// [`ErrorKind::Decode`] if the event is of another kind.
    fn records(data: Data) -> Result<Vec<std::result::Result<Self, RecordFailure>>>;
}

macro_rules! record {
    ($($type:ident: $kind:ident, $id:ident, $decode:ident;)*) => {$(
        impl<T: DeserializeOwned + Send + 'static> FromRecord for $type<T> {
            const TRIGGER: TriggerKind = TriggerKind::$kind;

            fn records(data: Data) -> Result<Vec<std::result::Result<Self, RecordFailure>>> {
                let Data::$kind(records) = data else {
                    return Err(other_kind::<Self>(&data));
                };
                let decoded = records.into_iter().map(|record| {
                    let id = record.$id.clone();
                    $decode(record).map_err(|error| RecordFailure { id, error })
                });
                Ok(decoded.collect())
            }
        }

        impl<T: DeserializeOwned + Send + 'static> FromEvent for $type<T> {
            type Answer = answer::Ack;
            const TRIGGER: Option<TriggerKind> = Some(TriggerKind::$kind);
            const SHAPE: Shape = Shape::EachRecord;

            fn from_event(event: Event) -> Result<Extracted<Self>> {
                let mut records = Self::records(event.data)?;
                match (records.pop(), records.is_empty()) {
                    (Some(Ok(record)), true) => Ok(Extracted::from(record)),
                    (Some(Err(failure)), true) => Err(failure.error),
                    _ => Err(Error::new(ErrorKind::Internal, "event.extract", "the dispatcher passed more or fewer than one record")),
                }
            }
        }

        impl<T: DeserializeOwned + Send + 'static> FromEvent for Batch<$type<T>> {
            type Answer = answer::Records;
            const TRIGGER: Option<TriggerKind> = Some(TriggerKind::$kind);
            const SHAPE: Shape = Shape::Batch;

            fn from_event(event: Event) -> Result<Extracted<Self>> {
                let mut value = Vec::new();
                let mut failures = Vec::new();
                for record in $type::<T>::records(event.data)? {
                    match record {
                        Ok(record) => value.push(record),
                        Err(failure) => failures.push(failure),
                    }
                }
                Ok(Extracted { value: Batch(value), failures })
            }
        }
    )*};
}

record! {
    Message: Queue, id, decode_message;
    Record: Stream, sequence, decode_record;
    Change: Table, sequence, decode_change;
}

fn decode_message<T: DeserializeOwned>(message: Message<Payload>) -> Result<Message<T>> {
    let body = message.body.decode()?;
    Ok(message.with_body(body))
}

fn decode_record<T: DeserializeOwned>(record: Record<Payload>) -> Result<Record<T>> {
    let body = record.body.decode()?;
    Ok(record.with_body(body))
}

fn decode_change<T: DeserializeOwned>(change: Change<serde_json::Value>) -> Result<Change<T>> {
    let decode = |image: Option<serde_json::Value>, which: &'static str| {
        image
            .map(|image| {
                serde_path_to_error::deserialize(image).map_err(|error| {
                    Error::new(
                        ErrorKind::Decode,
                        "event.extract",
                        "the changed item does not fit the handler's type",
                    )
                    .with("type", std::any::type_name::<T>())
                    .with("image", which)
                    .with("field", error.path().to_string())
                    .caused_by(error.into_inner())
                })
            })
            .transpose()
    };
    Ok(Change {
        old: decode(change.old, "old")?,
        new: decode(change.new, "new")?,
        sequence: change.sequence,
        table: change.table,
        kind: change.kind,
        key: change.key,
        at: change.at,
    })
}
