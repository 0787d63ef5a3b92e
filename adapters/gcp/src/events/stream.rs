//! Records of a stream, which is a topic of Pub/Sub with ordering keys: <https://cloud.google.com/pubsub/docs/ordering>.
//!
//! A record has no number in a log: its place is its message's id, which is unique and the same on each delivery. Those of one key come one after the other.

use nephos_core::event::cloudevents::STREAM_RECORD;
use nephos_core::event::{Attributes, Data, Record};
use nephos_core::{Event, Result};

use super::asynchronous::{Carried, Read, event, misfit};

pub(super) fn decode(stream: &str, carried: Carried<'_>) -> Result<Read> {
    let message = match carried {
        Carried::Message(message) => message,
        Carried::Event(received) if received.attributes.ty == STREAM_RECORD => {
            return Ok(received.into_ours(stream)?.into());
        }
        Carried::Event(received) => received.message()?,
        _ => return Err(misfit("records of a stream come by Pub/Sub")),
    };
    let (sequence, appended_at) = (message.id.clone(), message.published_at);
    let facts = [("gcpsubscription", message.subscription.clone())];
    let partition_key = message.ordering_key.clone().unwrap_or_default();
    let (body, _, attributes) = message.content();
    let data = Data::Stream(vec![Record {
        sequence,
        stream: stream.to_owned(),
        partition_key,
        body,
        attributes,
        appended_at,
    }]);
    let read: Event = event(Attributes::of(&data), data, facts);
    Ok(read.into())
}
