//! What feeds the inboxes: bucket events, ticks, e-mails and emitted events, each to every trigger that it fits.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use async_trait::async_trait;
use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderValue};
use nephos_core::app::{App, ObjectEventKind, Trigger};
use nephos_core::event::cloudevents::to_json;
use nephos_core::event::{Change, Data, Event, ObjectEvent, Payload};
use nephos_core::resource::ResourceKind;
use nephos_core::resource::queue::Outgoing;
use nephos_core::{Error, ErrorKind, Result};

use crate::deploy::bucket::{EventSink, Occurrence};
use crate::deploy::store::Store;
use crate::events::decode_delivery;
use crate::wire::EVENT_JSON;

/// What the names of all inboxes begin with; no queue of an app can have such a name.
pub const INBOXES: &str = "inbox/";

/// The inbox of a function's trigger: kept by the trigger's content, so that a manifest whose triggers change order keeps its events.
#[must_use]
pub fn inbox(function: &str, trigger: &Trigger) -> String {
    let name = match trigger {
        Trigger::Bucket {
            bucket,
            event,
            prefix,
            suffix,
        } => format!("bucket/{bucket}/{event:?}/{prefix}/{suffix}"),
        Trigger::Topic { topic, filter } => {
            let filter: Vec<_> = filter
                .iter()
                .map(|(name, value)| format!("{name}={value}"))
                .collect();
            format!("topic/{topic}/{}", filter.join("&"))
        }
        Trigger::Schedule {
            schedule, timezone, ..
        } => format!("schedule/{schedule}/{timezone}"),
        Trigger::Email { address } => format!("email/{address}"),
        Trigger::Auth { stage } => format!("auth/{}", stage.name()),
        Trigger::Voice { skill } => format!("voice/{skill}"),
        Trigger::Queue { queue, .. } => format!("queue/{queue}"),
        Trigger::Stream { stream, .. } => format!("stream/{stream}"),
        // Two triggers for other kinds of change each go through all changes, at their own pace.
        Trigger::Table { table, events, .. } => {
            let events: Vec<_> = events.iter().map(|kind| format!("{kind:?}")).collect();
            format!("table/{table}/{}", events.join("+"))
        }
        Trigger::Http { path, .. } => format!("http/{path}"),
    };
    format!("{INBOXES}{function}/{name}")
}

/// The inboxes of all triggers of the app.
#[must_use]
pub fn all_inboxes(app: &App) -> BTreeSet<String> {
    let triggers = app
        .functions
        .iter()
        .flat_map(|(function, spec)| spec.on.iter().map(move |trigger| (function, trigger)));
    triggers
        .map(|(function, trigger)| inbox(function, trigger))
        .collect()
}

/// The trigger of an inbox, in words.
#[must_use]
pub fn trigger_of(inbox: &str) -> String {
    let name = inbox.strip_prefix(INBOXES).unwrap_or(inbox);
    match name.split_once('/') {
        Some((function, trigger)) => {
            format!(
                "the trigger {} of function `{function}`",
                trigger.trim_end_matches('/')
            )
        }
        None => format!("the trigger {name}"),
    }
}

/// An event as an inbox keeps it.
///
/// # Errors
/// It has no CloudEvents form.
pub fn write(event: &Event) -> Result<Outgoing> {
    let (content_type, bytes) = to_json(event)?;
    Ok(Outgoing::new(Payload {
        content_type: Some(content_type.to_owned()),
        bytes,
    }))
}

/// The event that an inbox kept.
///
/// # Errors
/// [`ErrorKind::Decode`] if it is none.
pub fn read(body: &Payload) -> Result<Event> {
    let content_type = body.content_type.as_deref().unwrap_or(EVENT_JSON);
    let mut headers = HeaderMap::new();
    if let Ok(value) = HeaderValue::from_str(content_type) {
        headers.insert(CONTENT_TYPE, value);
    }
    decode_delivery(&headers, body.bytes.clone())
}

/// Which triggers an event fits, and where it goes for each.
#[derive(Debug, Clone)]
pub struct Router {
    app: Arc<App>,
    store: Store,
}

impl Router {
    /// A router of the app's triggers.
    #[must_use]
    pub fn new(app: Arc<App>, store: Store) -> Self {
        Self { app, store }
    }

    fn triggers(&self) -> impl Iterator<Item = (&str, &Trigger)> {
        self.app
            .functions
            .iter()
            .flat_map(|(name, spec)| spec.on.iter().map(move |trigger| (name.as_str(), trigger)))
    }

    /// The inboxes of all triggers that the event fits.
    #[must_use]
    pub fn inboxes(&self, event: &Event) -> Vec<String> {
        self.triggers()
            .filter(|(function, trigger)| fits(function, trigger, event))
            .map(|(function, trigger)| inbox(function, trigger))
            .collect()
    }

    /// Refuses what the app does not have: nobody would ever read what lies there.
    fn declared(&self, kind: ResourceKind, name: &str) -> Result<()> {
        match self.app.resources.get(name) {
            Some(resource) if resource.kind() == kind => Ok(()),
            _ => Err(Error::new(
                ErrorKind::NotFound,
                "engine.emit",
                "the app has no such resource; declare it in nephos.toml",
            )
            .with(kind.name(), name)),
        }
    }

    /// Makes the event durable for every trigger that it fits, all or none; returns how many there are.
    ///
    /// Messages go into their queue, records into their stream, notifications to their topic: to all who read there. Changes of a table go to its
    /// triggers' inboxes, as the table itself is left alone.
    ///
    /// # Errors
    /// [`ErrorKind::Unsupported`] for HTTP, which the gateway takes; [`ErrorKind::NotFound`] for a queue, topic or stream that the app has not; the
    /// store's.
    pub async fn emit(&self, event: Event) -> Result<usize> {
        let fitting = self
            .triggers()
            .filter(|(function, trigger)| fits(function, trigger, &event))
            .count();
        match event.data {
            Data::Http(_) => Err(Error::new(
                ErrorKind::Unsupported,
                "engine.emit",
                "an HTTP request is not emitted; send it to the gateway's address",
            )),
            Data::Queue(messages) => {
                for message in &messages {
                    self.declared(ResourceKind::Queue, &message.queue)?;
                }
                let sent = messages.into_iter().map(|message| {
                    let outgoing = Outgoing {
                        body: message.body,
                        attributes: message.attributes,
                        group: message.group,
                        ..Outgoing::default()
                    };
                    (message.queue, outgoing)
                });
                self.store.enqueue(sent.collect()).await?;
                Ok(fitting)
            }
            Data::Topic(notification) => {
                use nephos_core::resource::topic::{Publication, TopicDriver as _};
                self.declared(ResourceKind::Topic, &notification.topic)?;
                let publication = Publication {
                    body: notification.body,
                    subject: notification.subject,
                    attributes: notification.attributes,
                };
                self.store
                    .topic(&notification.topic)
                    .publish_batch(&[publication])
                    .await?;
                Ok(fitting)
            }
            Data::Stream(records) => {
                use nephos_core::app::Resource;
                use nephos_core::resource::stream::{Append, StreamDriver as _};
                for record in records {
                    let Some(Resource::Stream(spec)) = self.app.resources.get(&record.stream) else {
                        return Err(Error::new(
                            ErrorKind::NotFound,
                            "engine.emit",
                            "the app has no such stream",
                        )
                        .with("stream", record.stream));
                    };
                    let append = Append {
                        partition_key: record.partition_key,
                        body: record.body,
                        attributes: record.attributes,
                    };
                    self.store
                        .stream(&record.stream, spec)
                        .append_batch(&[append])
                        .await?;
                }
                Ok(fitting)
            }
            _ => {
                let outgoing = write(&event)?;
                let inboxes = self.inboxes(&event);
                let count = inboxes.len();
                self.store
                    .enqueue(
                        inboxes
                            .into_iter()
                            .map(|inbox| (inbox, outgoing.clone()))
                            .collect(),
                    )
                    .await?;
                Ok(count)
            }
        }
    }
}

#[async_trait]
impl EventSink for Router {
    async fn deliver(&self, occurrences: &[Occurrence]) -> Result<()> {
        let mut messages = Vec::new();
        for occurrence in occurrences {
            let event = occurrence.to_event();
            let inboxes = self.inboxes(&event);
            if !inboxes.is_empty() {
                let outgoing = write(&event)?;
                messages.extend(inboxes.into_iter().map(|inbox| (inbox, outgoing.clone())));
            }
        }
        if messages.is_empty() {
            return Ok(());
        }
        self.store.enqueue(messages).await.map(|_| ())
    }
}

/// Whether the trigger is for this event.
fn fits(function: &str, trigger: &Trigger, event: &Event) -> bool {
    match (trigger, &event.data) {
        (
            Trigger::Bucket {
                bucket,
                event: wanted,
                prefix,
                suffix,
            },
            Data::Bucket(happened),
        ) => {
            let object = happened.object();
            let kind = matches!(
                (wanted, happened),
                (ObjectEventKind::Any, _)
                    | (ObjectEventKind::Created, ObjectEvent::Created(_))
                    | (ObjectEventKind::Deleted, ObjectEvent::Deleted(_))
            );
            kind && object.bucket == *bucket
                && object.key.starts_with(prefix.as_str())
                && object.key.ends_with(suffix.as_str())
        }
        (Trigger::Queue { queue, .. }, Data::Queue(messages)) => {
            messages.iter().any(|message| message.queue == *queue)
        }
        (Trigger::Topic { topic, filter }, Data::Topic(notification)) => {
            notification.topic == *topic && has_all(&notification.attributes, filter)
        }
        (Trigger::Stream { stream, .. }, Data::Stream(records)) => {
            records.iter().any(|record| record.stream == *stream)
        }
        (Trigger::Table { table, events, .. }, Data::Table(changes)) => changes.iter().any(
            |Change {
                 table: changed, kind, ..
             }| changed == table && events.contains(kind),
        ),
        // Two functions may have the same schedule: the tick's subject says for which one the clock struck.
        (Trigger::Schedule { schedule, .. }, Data::Schedule(tick)) => {
            tick.schedule == *schedule
                && event
                    .attributes
                    .subject
                    .as_deref()
                    .is_none_or(|subject| subject == function)
        }
        (Trigger::Email { address }, Data::Email(email)) => email
            .envelope
            .to
            .iter()
            .any(|recipient| address_fits(address, recipient)),
        (Trigger::Auth { stage }, Data::Auth(auth)) => auth.stage == *stage,
        (Trigger::Voice { skill }, Data::Voice(voice)) => voice.skill == *skill,
        _ => false,
    }
}

fn has_all(attributes: &BTreeMap<String, String>, filter: &BTreeMap<String, String>) -> bool {
    filter
        .iter()
        .all(|(name, value)| attributes.get(name) == Some(value))
}

/// Whether mail to `recipient` is for an address of the manifest: itself, `*@domain`, or `*`. Case does not matter.
#[must_use]
pub fn address_fits(address: &str, recipient: &str) -> bool {
    if address == "*" {
        return true;
    }
    match address.strip_prefix("*@") {
        Some(domain) => recipient
            .rsplit_once('@')
            .is_some_and(|(_, host)| host.eq_ignore_ascii_case(domain)),
        None => recipient.eq_ignore_ascii_case(address),
    }
}
