//! Handlers: async functions of an event, with or without a context; and [`Function`], a handler under its name.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use axum_core::response::IntoResponse;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use tower_service::Service;

use crate::context::Context;
use crate::error::{Error, ErrorKind, Result};
use crate::event::{
    AuthEvent, Batch, Change, Data, Email, Event, Message, Notification, ObjectCreated, ObjectDeleted,
    ObjectEvent, Payload, Raw, Record, RecordFailure, Request, Tick, TriggerKind, VoiceRequest,
};
use crate::outcome::{IntoOutcome, Outcome, answer};

/// How much of an event a handler takes at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Shape {
    /// The event as a whole.
    Whole,
    /// One record; an event of several calls the handler for each.
    EachRecord,
    /// All records of an event together.
    Batch,
}

/// The parameters of the matched route (`/orders/{id}`), in a request's extensions.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PathParams(pub BTreeMap<String, String>);

impl PathParams {
    /// The parameter of this name in the request's route, decoded.
    #[must_use]
    pub fn of<'request>(request: &'request Request, name: &str) -> Option<&'request str> {
        let Self(params) = request.extensions().get()?;
        params.get(name).map(String::as_str)
    }
}

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
    Error::new(
        ErrorKind::Decode,
        "event.extract",
        "the event is of another kind than the handler takes",
    )
    .with("event", data.kind())
    .with("handler", T::TRIGGER.map_or("any", TriggerKind::name))
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

/// A future of an outcome.
pub type OutcomeFuture = Pin<Box<dyn Future<Output = Outcome> + Send>>;

/// An async function of an event, with or without a [`Context`]. `Args` only tells the forms apart.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a function that Nephos can call",
    note = "write `async fn name(event: E) -> R` or `async fn name(event: E, cx: Context) -> R`"
)]
pub trait Handler<Args>: Clone + Send + Sync + 'static {
    /// The event's type.
    type Event: FromEvent;

    /// Calls it.
    fn call(&self, event: Self::Event, cx: Context) -> OutcomeFuture;
}

impl<F, Fut, E, R> Handler<(E,)> for F
where
    F: Fn(E) -> Fut + Clone + Send + Sync + 'static,
    Fut: Future<Output = R> + Send + 'static,
    E: FromEvent,
    R: IntoOutcome<E::Answer>,
{
    type Event = E;

    fn call(&self, event: E, _cx: Context) -> OutcomeFuture {
        let future = self(event);
        Box::pin(async move { future.await.into_outcome() })
    }
}

impl<F, Fut, E, R> Handler<(E, Context)> for F
where
    F: Fn(E, Context) -> Fut + Clone + Send + Sync + 'static,
    Fut: Future<Output = R> + Send + 'static,
    E: FromEvent,
    R: IntoOutcome<E::Answer>,
{
    type Event = E;

    fn call(&self, event: E, cx: Context) -> OutcomeFuture {
        let future = self(event, cx);
        Box::pin(async move { future.await.into_outcome() })
    }
}

/// What a function says of itself: `nephos check` holds it against the manifest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FunctionInfo {
    /// The name, which the manifest uses too.
    pub name: String,
    /// The kind of trigger that its event type fits; `None` fits all.
    pub trigger: Option<TriggerKind>,
    /// How much of an event it takes.
    pub shape: Shape,
    /// The event's type, as Rust names it.
    pub event_type: String,
    /// Where it is written (`src/main.rs:12`), if the attribute told.
    #[serde(default)]
    pub location: Option<String>,
}

type Call = dyn Fn(Event, Context) -> Result<(OutcomeFuture, Vec<RecordFailure>)> + Send + Sync;

/// A handler under its name.
///
/// ```
/// use nephos_core::{Function, Result, event::Message};
///
/// async fn fulfil(order: Message<String>) -> Result<()> {
///     println!("{}", order.body);
///     Ok(())
/// }
///
/// let function = Function::new("fulfil", fulfil);
/// assert_eq!(function.info().name, "fulfil");
/// ```
#[derive(Clone)]
pub struct Function {
    info: Arc<FunctionInfo>,
    call: Arc<Call>,
}

impl fmt::Debug for Function {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Function")
            .field("info", &self.info)
            .finish_non_exhaustive()
    }
}

impl Function {
    /// A function of this name, which the manifest uses too.
    pub fn new<Args, H: Handler<Args>>(name: &str, handler: H) -> Self {
        let info = FunctionInfo {
            name: name.to_owned(),
            trigger: H::Event::TRIGGER,
            shape: H::Event::SHAPE,
            event_type: std::any::type_name::<H::Event>().to_owned(),
            location: None,
        };
        let call = move |event: Event, cx: Context| {
            let extracted = H::Event::from_event(event)?;
            Ok((handler.call(extracted.value, cx), extracted.failures))
        };
        Self {
            info: Arc::new(info),
            call: Arc::new(call),
        }
    }

    /// A whole HTTP service as a function, such as an `axum::Router`.
    pub fn service<S, R>(name: &str, service: S) -> Self
    where
        S: Service<Request, Response = R, Error = Infallible> + Clone + Send + Sync + 'static,
        S::Future: Send + 'static,
        R: IntoResponse + 'static,
    {
        Self::new(name, move |mut request: Request, cx: Context| {
            // A clone per request, as a service may hold one request's state while it is busy.
            let mut service = service.clone();
            request.extensions_mut().insert(cx);
            async move {
                let ready = std::future::poll_fn(|task| service.poll_ready(task)).await;
                let response = match ready {
                    Ok(()) => service.call(request).await,
                    Err(never) => match never {},
                };
                match response {
                    Ok(response) => response.into_response(),
                    Err(never) => match never {},
                }
            }
        })
    }

    /// Says where it is written (`src/main.rs:12`).
    #[must_use]
    pub fn at(mut self, location: &str) -> Self {
        Arc::make_mut(&mut self.info).location = Some(location.to_owned());
        self
    }

    /// What it says of itself.
    #[must_use]
    pub fn info(&self) -> &FunctionInfo {
        &self.info
    }

    /// Extracts the argument and calls the handler; the failures are records that did not decode.
    pub(crate) fn call(&self, event: Event, cx: Context) -> Result<(OutcomeFuture, Vec<RecordFailure>)> {
        (self.call)(event, cx)
    }
}
