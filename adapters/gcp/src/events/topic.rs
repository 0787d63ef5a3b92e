//! Notifications of a topic of Pub/Sub, or of an Eventarc channel: CloudEvents of others, whose extensions are the attributes.

use std::collections::BTreeMap;

use nephos_core::event::cloudevents::TOPIC_NOTIFICATION;
use nephos_core::event::{Attributes, Data, Notification, Payload};
use nephos_core::{Event, Result};

use super::asynchronous::{Carried, Read, event, misfit};
use super::cloudevent::{MESSAGE_PUBLISHED, Received};
use super::push::Pushed;

pub(super) fn decode(topic: &str, filter: &BTreeMap<String, String>, carried: Carried<'_>) -> Result<Read> {
    let read = match carried {
        Carried::Message(message) => of_push(topic, message),
        Carried::Event(received) if received.attributes.ty == TOPIC_NOTIFICATION => {
            received.into_ours(topic)?
        }
        Carried::Event(received) if received.attributes.ty == MESSAGE_PUBLISHED => {
            of_push(topic, received.message()?)
        }
        Carried::Event(received) => foreign(topic, received),
        _ => return Err(misfit("notifications come by Pub/Sub or Eventarc")),
    };
    // A subscription filters too; but not by attributes that have another name there, and anybody may change its filter.
    let fits = match &read.data {
        Data::Topic(notification) => {
            (filter.iter()).all(|(name, value)| notification.attributes.get(name) == Some(value))
        }
        _ => true,
    };
    Ok(if fits { read.into() } else { Read::Unwanted })
}

fn of_push(topic: &str, message: Pushed) -> Event {
    let (id, published_at) = (message.id.clone(), message.published_at);
    let facts = [
        ("gcpsubscription", message.subscription.clone()),
        ("gcporderingkey", message.ordering_key.clone()),
    ];
    let (body, subject, attributes) = message.content();
    let data = Data::Topic(Notification {
        id,
        topic: topic.to_owned(),
        body,
        subject,
        attributes,
        published_at,
    });
    event(Attributes::of(&data), data, facts)
}

fn foreign(topic: &str, received: Received<'_>) -> Event {
    let (told, raw) = received.into_parts();
    let facts = [
        ("gcpevent", Some(told.ty.into_owned())),
        ("gcpsource", Some(told.source.into_owned())),
    ];
    let data = Data::Topic(Notification {
        id: told.id,
        topic: topic.to_owned(),
        body: Payload {
            content_type: raw.content_type.map(std::borrow::Cow::into_owned),
            bytes: raw.bytes,
        },
        subject: told.subject,
        attributes: (told.extensions.into_iter())
            .map(|(name, value)| (name.into_owned(), value))
            .collect(),
        published_at: told.time,
    });
    event(Attributes::of(&data), data, facts)
}
