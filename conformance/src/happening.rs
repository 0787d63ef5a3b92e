//! What happened, in nobody's words: what a rule tells an adapter's harness, and what the function must be told in the end.

use std::collections::BTreeMap;

use bytes::Bytes;
use chrono::{DateTime, Utc};
use http::request::Parts;
use nephos_core::event::{
    AuthEvent, Body, Change, Data, Email, Message, Notification, ObjectEvent, Payload, Raw, Record, Tick,
    VoiceRequest,
};
use nephos_core::handler::PathParams;
use nephos_core::{Event, TriggerKind};
use serde_json::Value;

/// The names of all that the happenings are of, as a manifest would have them: a harness whose provider has names of its own knows from here what they stand for.
pub const NAMES: [&str; 7] = [
    "photos",
    "jobs",
    "news",
    "readings",
    "items",
    "kitchen",
    EVERY_MORNING,
];

/// The schedule.
pub const EVERY_MORNING: &str = "every day at 06:00";

/// The key attributes of the table `items`.
pub const ITEM_KEYS: (&str, &str) = ("id", "at");

/// The route that requests fit.
pub const ROUTE: (&str, &str) = ("POST", "/items/{id}");

/// Something that happened, once, and is told for the nth time.
#[derive(Debug, Clone)]
pub struct Happening {
    /// What tells it from every other: a provider's own id is made of it. Records have their own.
    pub id: String,
    /// When, to the second.
    pub at: DateTime<Utc>,
    /// Which time it is told, from 1. Messages of a queue have their own.
    pub attempt: u32,
    /// What.
    pub what: What,
}

/// What happened, by kind of trigger: the neutral content, of which nothing streams.
#[derive(Debug, Clone)]
#[allow(missing_docs, reason = "each is the neutral type of its kind")]
pub enum What {
    Http(Box<Asked>),
    Bucket(ObjectEvent),
    Queue(Vec<Message<Payload>>),
    Topic(Notification<Payload>),
    Stream(Vec<Record<Payload>>),
    Table(Vec<Change<Value>>),
    Schedule(Tick),
    Email(Box<Email>),
    Auth(Box<AuthEvent>),
    Voice(Box<VoiceRequest>),
    /// A direct call, with a body that is no event of the provider's.
    Raw(Raw),
}

/// A request over HTTP.
#[derive(Debug, Clone)]
pub struct Asked {
    /// Method, path and query, headers; the route's parameters are an extension ([`PathParams`]).
    pub parts: Parts,
    /// The body.
    pub body: Bytes,
}

impl Happening {
    /// The kind of trigger.
    #[must_use]
    pub const fn kind(&self) -> TriggerKind {
        match self.what {
            What::Http(_) => TriggerKind::Http,
            What::Bucket(_) => TriggerKind::Bucket,
            What::Queue(_) => TriggerKind::Queue,
            What::Topic(_) => TriggerKind::Topic,
            What::Stream(_) => TriggerKind::Stream,
            What::Table(_) => TriggerKind::Table,
            What::Schedule(_) => TriggerKind::Schedule,
            What::Email(_) => TriggerKind::Email,
            What::Auth(_) => TriggerKind::Auth,
            What::Voice(_) => TriggerKind::Voice,
            What::Raw(_) => TriggerKind::Raw,
        }
    }

    /// The neutral event that it is: what a provider that speaks CloudEvents sends, and what the decoder of any other must come to.
    #[must_use]
    pub fn event(&self) -> Event {
        let data = match self.what.clone() {
            What::Http(asked) => Data::Http(http::Request::from_parts(asked.parts, Body::from(asked.body))),
            What::Bucket(object) => Data::Bucket(object),
            What::Queue(messages) => Data::Queue(messages),
            What::Topic(notification) => Data::Topic(notification),
            What::Stream(records) => Data::Stream(records),
            What::Table(changes) => Data::Table(changes),
            What::Schedule(tick) => Data::Schedule(tick),
            What::Email(email) => Data::Email(email),
            What::Auth(step) => Data::Auth(step),
            What::Voice(request) => Data::Voice(request),
            What::Raw(raw) => Data::Raw(raw),
        };
        let mut event = Event::of(data);
        if !matches!(
            self.what,
            What::Queue(_) | What::Topic(_) | What::Stream(_) | What::Table(_)
        ) {
            event.attributes.id.clone_from(&self.id);
            event.attributes.time = Some(self.at);
        }
        event
    }
}

impl Asked {
    /// The parameters of the route.
    #[must_use]
    pub fn params(&self) -> BTreeMap<String, String> {
        self.parts
            .extensions
            .get::<PathParams>()
            .cloned()
            .unwrap_or_default()
            .0
    }
}

/// A provider's own payload, as the host of a function receives it.
#[derive(Debug, Clone)]
pub struct Native {
    /// Which of the provider's forms it is, where it has several (`function URL`): for the sentence of a violation.
    pub form: &'static str,
    /// Head and body. A host that is not called over HTTP has its head, if any, in the headers.
    pub message: http::Request<Bytes>,
    /// Whether the body is a document that tells its own end. `false` where it is a request's own body, of which only the transport knows whether it is whole.
    pub is_document: bool,
}

/// What a host makes of a payload before it calls the handler.
#[derive(Debug)]
pub struct Delivered {
    /// The event.
    pub event: Event,
    /// The attempt in its context.
    pub attempt: u32,
}
