//! Messages of a queue, which is a topic of Pub/Sub with one subscription; an ordering key is the group.

use nephos_core::event::cloudevents::QUEUE_MESSAGE;
use nephos_core::event::{Attributes, Data, Message, Payload};
use nephos_core::{Event, Result};

use super::asynchronous::{Carried, Read, event, misfit};
use super::push::Pushed;

pub(super) fn decode(queue: &str, carried: Carried<'_>) -> Result<Read> {
    let (message, facts) = match carried {
        Carried::Message(message) => of_push(queue, message),
        Carried::Event(received) if received.attributes.ty == QUEUE_MESSAGE => {
            return Ok(received.into_ours(queue)?.into());
        }
        Carried::Event(received) => of_push(queue, received.message()?),
        Carried::Task(task) => {
            let message = Message {
                id: task.name,
                queue: queue.to_owned(),
                body: Payload {
                    content_type: task.content_type,
                    bytes: task.body,
                },
                attributes: Default::default(),
                group: None,
                attempt: task.attempt,
                sent_at: None,
            };
            (
                message,
                [("gcpsubscription", None), ("gcptaskqueue", Some(task.queue))],
            )
        }
        Carried::Tick => return Err(misfit("messages of a queue come by Pub/Sub or Cloud Tasks")),
    };
    let data = Data::Queue(vec![message]);
    let read: Event = event(Attributes::of(&data), data, facts);
    Ok(read.into())
}

type Told = (Message<Payload>, [(&'static str, Option<String>); 2]);

fn of_push(queue: &str, message: Pushed) -> Told {
    let (id, group, sent_at) = (
        message.id.clone(),
        message.ordering_key.clone(),
        message.published_at,
    );
    let (attempt, subscription) = (message.attempt.unwrap_or(1), message.subscription.clone());
    let (body, _, attributes) = message.content();
    let message = Message {
        id,
        queue: queue.to_owned(),
        body,
        attributes,
        group,
        attempt,
        sent_at,
    };
    (
        message,
        [("gcpsubscription", subscription), ("gcptaskqueue", None)],
    )
}
