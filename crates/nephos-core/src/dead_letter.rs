//! Dead letters: what is kept of an event or record that was given up, the same on every target.
//!
//! A message or a stream's record keeps its own body and attributes, everything else is CloudEvents in JSON. The attributes below say why.

use std::collections::BTreeMap;

use crate::error::{Error, Result};
use crate::event::cloudevents::to_json;
use crate::event::{Attributes, Event, Payload};
use crate::resource::queue::Outgoing;

/// Why it was given up: the error in a sentence, with its causes.
pub const REASON: &str = "nephos-reason";
/// The kind of error.
pub const KIND: &str = "nephos-kind";
/// The function that gave it up.
pub const FUNCTION: &str = "nephos-function";
/// How often it had been tried.
pub const ATTEMPTS: &str = "nephos-attempts";
/// The event's or record's id.
pub const EVENT_ID: &str = "nephos-event-id";
/// The event's type.
pub const EVENT_TYPE: &str = "nephos-event-type";
/// The event's source.
pub const SOURCE: &str = "nephos-source";

/// The longest reason that is kept, in bytes: attributes count against a message's size, and the strictest target takes no longer ones.
const MAX_REASON: usize = 1024;

/// What a dead letter says of what it holds.
#[derive(Debug, Clone, Copy)]
pub struct Given<'a> {
    /// The function that gave it up.
    pub function: &'a str,
    /// The event's or record's id.
    pub id: &'a str,
    /// The event's type.
    pub ty: &'a str,
    /// The event's source.
    pub source: &'a str,
    /// How often it was tried.
    pub attempts: u32,
    /// Why it was given up.
    pub error: &'a Error,
}

/// A dead letter with the record's own body and attributes.
#[must_use]
pub fn of_record(body: Payload, mut attributes: BTreeMap<String, String>, given: Given<'_>) -> Outgoing {
    let mut set = |name: &str, value: String| attributes.insert(name.to_owned(), value);
    let mut reason = given.error.chain();
    reason.truncate(reason.floor_char_boundary(MAX_REASON));
    set(REASON, reason);
    set(KIND, given.error.kind().name().to_owned());
    set(FUNCTION, given.function.to_owned());
    set(ATTEMPTS, given.attempts.to_string());
    set(EVENT_ID, given.id.to_owned());
    set(EVENT_TYPE, given.ty.to_owned());
    set(SOURCE, given.source.to_owned());
    Outgoing {
        body,
        attributes,
        ..Outgoing::default()
    }
}

/// A dead letter with the event as CloudEvents in JSON.
///
/// # Errors
/// The event has no such form, see [`to_cloudevents`](crate::event::cloudevents::to_cloudevents).
pub fn of_event(event: &Event, function: &str, attempts: u32, error: &Error) -> Result<Outgoing> {
    let Attributes { id, source, ty, .. } = &event.attributes;
    let given = Given {
        function,
        id,
        ty,
        source,
        attempts,
        error,
    };
    Ok(of_record(body(event)?, BTreeMap::new(), given))
}

/// What a dead letter holds of an event that has no body of its own: CloudEvents in JSON.
///
/// # Errors
/// As [`of_event`].
pub fn body(event: &Event) -> Result<Payload> {
    let (content_type, bytes) = to_json(event)?;
    Ok(Payload {
        content_type: Some(content_type.to_owned()),
        bytes,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{Data, Tick};

    #[test]
    fn a_letter_holds_the_event_and_says_why() {
        let event = Event::of(Data::Schedule(Tick {
            schedule: "every 5 minutes".to_owned(),
            due_at: chrono::DateTime::UNIX_EPOCH,
            past_due: false,
        }));
        let long = Error::reject("ü".repeat(MAX_REASON));
        let letter = of_event(&event, "clean", 3, &long).unwrap();
        let content_type = letter.body.content_type.as_deref();
        assert_eq!(content_type, Some(crate::event::cloudevents::EVENT_JSON));
        let kept: serde_json::Value = letter.body.decode().unwrap();
        assert_eq!(kept["id"], event.attributes.id);
        let fact = |name: &str| letter.attributes[name].as_str();
        assert_eq!(
            [
                fact(KIND),
                fact(FUNCTION),
                fact(ATTEMPTS),
                fact(EVENT_ID),
                fact(EVENT_TYPE),
                fact(SOURCE)
            ],
            [
                "rejected",
                "clean",
                "3",
                &event.attributes.id,
                "dev.nephos.schedule.tick",
                "schedule"
            ]
        );
        assert!(fact(REASON).len() <= MAX_REASON && fact(REASON).len() > MAX_REASON - 2);
    }
}
