//! Messages of a Storage queue: <https://learn.microsoft.com/azure/azure-functions/functions-bindings-storage-queue-trigger#message-metadata>.

use nephos_core::event::{Attributes, Data, Message};
use nephos_core::{Event, Result};

use super::wrapped::{Content, Invocation, refused};
use crate::payload;

/// The host calls the function for one message at a time.
pub(super) fn decode(queue: &str, invocation: &Invocation<'_>) -> Result<Event> {
    let metadata = &invocation.metadata;
    // A message that was never in the queue, of a function that is run by hand, has none: then the invocation's own stands for it.
    let id = metadata
        .text("Id")
        .or_else(|| metadata.has("Id").then(|| metadata.invocation())?)
        .ok_or_else(|| refused("the message has no id under which it could fail"))?;
    let read = Content::read(invocation.value)
        .map(Content::into_bytes)
        .and_then(payload::from_text);
    let (messages, undecodable) = match read {
        Ok((body, attributes)) => {
            let message = Message {
                id,
                queue: queue.to_owned(),
                body,
                attributes,
                group: None,
                attempt: metadata.number("DequeueCount").unwrap_or(1).max(1),
                sent_at: metadata.time("InsertionTime"),
            };
            (vec![message], Vec::new())
        }
        Err(error) => (Vec::new(), vec![super::failure(&id, error)]),
    };
    let data = Data::Queue(messages);
    let facts = [
        ("azureexpires", metadata.text("ExpirationTime")),
        ("azurevisible", metadata.text("NextVisibleTime")),
    ];
    Ok(super::event(Attributes::of(&data), data, facts, undecodable))
}
