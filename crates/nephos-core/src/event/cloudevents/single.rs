//! Events of one CloudEvent: all kinds but records and HTTP requests.

use chrono::{DateTime, Utc};
use cloudevents::AttributesReader as _;
use serde::{Deserialize, Serialize};

use super::{CloudEvent, attributes, body, build, builder, json_extension, json_text, resource_name};
use crate::error::{Error, ErrorKind, Result};
use crate::event::{
    Attributes, AuthEvent, Data, Email, Envelope, Event, Notification, ObjectCreated, ObjectDeleted,
    ObjectEvent, Payload, Raw, TriggerKind,
};

/// The attributes that a notification's publisher set, a JSON object of text.
const ATTRIBUTES: &str = "attributes";
/// What a notification says of itself, where the event's attributes say otherwise.
const NOTIFICATION: &str = "notification";
/// The transport's sender and recipients, a JSON object.
const ENVELOPE: &str = "envelope";

const TOPIC_OWN: [&str; 3] = [ATTRIBUTES, NOTIFICATION, body::BODY_TYPE];
const EMAIL_OWN: [&str; 2] = [ENVELOPE, body::BODY_TYPE];
const RAW_OWN: [&str; 1] = [body::BODY_TYPE];

pub(super) fn encode(attributes: &Attributes, data: &Data) -> Result<CloudEvent> {
    match data {
        Data::Bucket(event) => json(attributes, event.object()),
        Data::Topic(notification) => topic(attributes, notification),
        Data::Schedule(tick) => json(attributes, tick),
        Data::Email(email) => self::email(attributes, email),
        Data::Auth(auth) => json(attributes, &**auth),
        Data::Voice(voice) => json(attributes, &**voice),
        Data::Raw(raw) => {
            let builder = builder(attributes, &RAW_OWN)?;
            build(
                body::put(builder, raw.content_type.as_deref(), &raw.bytes),
                attributes,
            )
        }
        other => Err(Error::new(
            ErrorKind::Internal,
            "cloudevents.encode",
            "events of this kind are not one CloudEvent",
        )
        .with("kind", other.kind())),
    }
}

pub(super) fn decode(mut event: CloudEvent, kind: TriggerKind) -> Result<Event> {
    let (own, data) = match kind {
        TriggerKind::Bucket => {
            let object = body::json(&mut event)?;
            let event = if event.ty() == super::BUCKET_DELETED {
                ObjectEvent::Deleted(ObjectDeleted(object))
            } else {
                ObjectEvent::Created(ObjectCreated(object))
            };
            (&[][..], Data::Bucket(event))
        }
        TriggerKind::Topic => (&TOPIC_OWN[..], Data::Topic(read_topic(&mut event)?)),
        TriggerKind::Schedule => (&[][..], Data::Schedule(body::json(&mut event)?)),
        TriggerKind::Email => (&EMAIL_OWN[..], Data::Email(Box::new(read_email(&mut event)?))),
        TriggerKind::Auth => (&[][..], Data::Auth(Box::new(read_auth(&mut event)?))),
        TriggerKind::Voice => (&[][..], Data::Voice(body::json(&mut event)?)),
        _ => {
            let schema = event.dataschema().cloned();
            let (content_type, bytes) = body::take(&mut event)?;
            let content_type = content_type.map(Into::into);
            // Taking the data took its schema along, which is one of the attributes.
            cloudevents::AttributesWriter::set_dataschema(&mut event, schema);
            (&RAW_OWN[..], Data::Raw(Raw { content_type, bytes }))
        }
    };
    Ok(Event::new(attributes(&event, own), data))
}

fn json<T: Serialize>(attributes: &Attributes, value: &T) -> Result<CloudEvent> {
    let value = serde_json::to_value(value).map_err(|error| {
        Error::new(
            ErrorKind::Internal,
            "cloudevents.encode",
            "the event cannot be written as JSON",
        )
        .caused_by(error)
    })?;
    build(
        builder(attributes, &[])?.data("application/json", value),
        attributes,
    )
}

/// A notification without body and attributes.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Heading {
    id: String,
    topic: String,
    subject: Option<String>,
    published_at: Option<DateTime<Utc>>,
}

impl Heading {
    /// What the event's attributes say.
    fn implied(attributes: &Attributes) -> Self {
        Self {
            id: attributes.id.clone(),
            topic: resource_name(&attributes.source, TriggerKind::Topic).to_owned(),
            subject: attributes.subject.clone(),
            published_at: attributes.time,
        }
    }
}

fn topic(attributes: &Attributes, notification: &Notification<Payload>) -> Result<CloudEvent> {
    let mut builder = builder(attributes, &TOPIC_OWN)?;
    let heading = Heading {
        id: notification.id.clone(),
        topic: notification.topic.clone(),
        subject: notification.subject.clone(),
        published_at: notification.published_at,
    };
    if heading != Heading::implied(attributes) {
        builder = builder.extension(NOTIFICATION, json_text(&heading)?);
    }
    if !notification.attributes.is_empty() {
        builder = builder.extension(ATTRIBUTES, json_text(&notification.attributes)?);
    }
    let body = &notification.body;
    build(
        body::put(builder, body.content_type.as_deref(), &body.bytes),
        attributes,
    )
}

fn read_topic(event: &mut CloudEvent) -> Result<Notification<Payload>> {
    let (content_type, bytes) = body::take(event)?;
    let heading =
        json_extension(event, NOTIFICATION)?.unwrap_or_else(|| Heading::implied(&attributes(event, &[])));
    Ok(Notification {
        id: heading.id,
        topic: heading.topic,
        body: Payload { content_type, bytes },
        subject: heading.subject,
        attributes: json_extension(event, ATTRIBUTES)?.unwrap_or_default(),
        published_at: heading.published_at,
    })
}

fn email(attributes: &Attributes, email: &Email) -> Result<CloudEvent> {
    let builder = builder(attributes, &EMAIL_OWN)?.extension(ENVELOPE, json_text(&email.envelope)?);
    build(
        body::put(builder, Some("message/rfc822"), &email.source),
        attributes,
    )
}

fn read_email(event: &mut CloudEvent) -> Result<Email> {
    let envelope: Envelope = json_extension(event, ENVELOPE)?.unwrap_or_default();
    let (_, source) = body::take(event)?;
    parse(envelope, source)
}

/// The step stands in the type, by which senders and routers go, and in the data, by which handlers go.
fn read_auth(event: &mut CloudEvent) -> Result<AuthEvent> {
    let auth: AuthEvent = body::json(event)?;
    if event.ty().strip_prefix(super::AUTH_PREFIX) == Some(auth.stage.name()) {
        return Ok(auth);
    }
    Err(Error::new(
        ErrorKind::Decode,
        "cloudevents.decode",
        "the event's type names another step than its data",
    )
    .with("type", event.ty())
    .with("stage", auth.stage.name()))
}

#[cfg(feature = "email")]
fn parse(envelope: Envelope, source: bytes::Bytes) -> Result<Email> {
    Email::parse(envelope, source)
}

#[cfg(not(feature = "email"))]
fn parse(_envelope: Envelope, _source: bytes::Bytes) -> Result<Email> {
    Err(Error::new(
        ErrorKind::Unsupported,
        "cloudevents.decode",
        "this build cannot read e-mail; build the function with the feature `email` of `nephos`",
    ))
}
