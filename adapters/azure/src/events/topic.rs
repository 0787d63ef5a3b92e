//! Notifications of an Event Grid topic: CloudEvents of ours, or of others, in either schema.

use std::collections::BTreeMap;

use nephos_core::event::cloudevents::{CloudEvent, TOPIC_NOTIFICATION, from_cloudevents};
use nephos_core::event::{Data, Notification, Payload};
use nephos_core::{Event, Result};
use serde_json::value::RawValue;

use super::grid::{self, GridEvent};
use super::malformed;
use super::wrapped::Invocation;

pub(super) fn decode(
    topic: &str,
    filter: &BTreeMap<String, String>,
    invocation: &Invocation<'_>,
) -> Result<Vec<Event>> {
    let json = grid::json(invocation)?;
    let texts: Vec<&RawValue> = match serde_json::from_str(&json) {
        Ok(texts) => texts,
        Err(_) => {
            vec![serde_json::from_str(&json).map_err(|error| malformed("the event is not JSON", error))?]
        }
    };
    let mut events = Vec::new();
    for (event, text) in grid::events(&json)?.into_iter().zip(texts) {
        let is_ours = event.ty == TOPIC_NOTIFICATION;
        let event = if is_ours {
            ours(topic, text)?
        } else {
            foreign(topic, event)?
        };
        // Event Grid cannot filter by attributes that are not its own.
        let fits = match &event.data {
            Data::Topic(notification) => filter
                .iter()
                .all(|(name, value)| notification.attributes.get(name) == Some(value)),
            _ => true,
        };
        if fits {
            events.push(event);
        }
    }
    Ok(events)
}

/// As the core wrote it, save that the topic has its name from the trigger that it came by.
fn ours(topic: &str, text: &RawValue) -> Result<Event> {
    let event: CloudEvent = serde_json::from_str(text.get())
        .map_err(|error| malformed("the notification is not a CloudEvent", error))?;
    let mut event = from_cloudevents(vec![event])?;
    if let Data::Topic(notification) = &mut event.data {
        topic.clone_into(&mut notification.topic);
        event.attributes.source = format!("topic/{topic}").into();
    }
    Ok(event)
}

/// Of another program: its extensions are the attributes.
fn foreign(topic: &str, event: GridEvent<'_>) -> Result<Event> {
    let bytes = event.bytes()?;
    let implied = event
        .data
        .as_ref()
        .and(event.json())
        .map(|_| "application/json".to_owned());
    let facts = [
        ("azureevent", Some(event.ty)),
        (
            "azuresource",
            Some(event.source).filter(|source| !source.is_empty()),
        ),
    ];
    let data = Data::Topic(Notification {
        id: event.id,
        topic: topic.to_owned(),
        body: Payload {
            content_type: event.content_type.or(implied),
            bytes,
        },
        subject: event.subject,
        attributes: event.extensions,
        published_at: event.time,
    });
    Ok(super::event(
        nephos_core::event::Attributes::of(&data),
        data,
        facts,
        Vec::new(),
    ))
}
