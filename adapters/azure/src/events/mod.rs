//! The invocations of the Functions host and neutral events: both directions, pure, one file a trigger.
//!
//! The path of an invocation names its trigger, so nothing is guessed: [`decode`] takes that trigger and the host's document of it. Requests have functions of
//! their own in `http`, because the host forwards them as they are, or wraps them; what comes by HTTP and is more than a request is made of one that was
//! read whole: `email`, `auth` and `voice`.
//!
//! A build has the codecs of the triggers that it was made for, one feature each (`on-queue`): to it, events of the other kinds are raw.

#[cfg(feature = "asynchronous")]
pub mod answer;
#[cfg(feature = "on-auth")]
pub mod auth;
mod base64;
#[cfg(feature = "on-bucket")]
mod bucket;
#[cfg(any(feature = "on-queue", feature = "on-stream"))]
mod column;
#[cfg(any(feature = "on-bucket", feature = "on-topic"))]
pub mod grid;
#[cfg(feature = "on-http")]
pub mod http;
#[cfg(feature = "on-queue")]
mod queue;
#[cfg(feature = "on-schedule")]
mod schedule;
#[cfg(feature = "on-queue")]
mod service_bus;
#[cfg(feature = "on-stream")]
mod stream;
#[cfg(feature = "on-table")]
mod table;
mod time;
#[cfg(feature = "on-topic")]
mod topic;
#[cfg(feature = "on-voice")]
pub mod voice;
mod wrapped;

use bytes::Bytes;
use nephos_core::app::Trigger;
#[cfg(feature = "on-email")]
pub use nephos_core::event::posted as email;
use nephos_core::event::{Data, Raw};
use nephos_core::wiring::Wiring;
use nephos_core::{Error, ErrorKind, Event, Result};

use self::wrapped::Invocation;

const DECODE: &str = "event.decode";

/// What an invocation holds.
#[derive(Debug)]
pub struct Decoded {
    /// The events. One, save for Event Grid, which may deliver several at once: each is handled as an event of its own, and if one fails, all come again. None
    /// if the trigger does not want what came.
    pub events: Vec<Event>,
    /// Which delivery it is, from 1, where the host tells one for the whole. A queue's messages tell their own.
    pub attempt: Option<u32>,
}

/// Reads the document with which the host calls the function of `trigger`; keeps its bytes, so that handlers can have them raw.
///
/// A record that cannot be read, but has an id, fails alone; the others go on.
///
/// # Errors
/// [`ErrorKind::Decode`] if it is no invocation, or lacks what the trigger's always have; [`ErrorKind::InvalidArgument`] for a trigger whose events come as
/// requests.
pub fn decode(trigger: &Trigger, wiring: &Wiring, document: &Bytes) -> Result<Decoded> {
    if matches!(
        trigger,
        Trigger::Http { .. } | Trigger::Email { .. } | Trigger::Auth { .. } | Trigger::Voice { .. }
    ) {
        return Err(Error::new(
            ErrorKind::InvalidArgument,
            DECODE,
            "events of this trigger come as HTTP requests; the function's package names it a trigger of the host's own, so deploy it again",
        )
        .with("trigger", trigger.kind()));
    }
    let invocation = Invocation::read(document)?;
    let attempt = invocation
        .metadata
        .number("DequeueCount")
        .or_else(|| invocation.metadata.tries())
        .map(|attempt: u32| attempt.max(1));
    let events = match read(trigger, wiring, &invocation)? {
        Some(events) => events,
        None => {
            tracing::warn!(trigger = %trigger.kind(), "the function was built without the codec of this trigger, and gets the document as it came; turn on its feature (`on-queue`, …) of the crate `nephos`");
            vec![Event::of(Data::Raw(Raw::default()))]
        }
    };
    Ok(with_raw(Decoded { events, attempt }, document))
}

/// An invocation of a trigger that the package does not describe: its document as it came.
///
/// # Errors
/// [`ErrorKind::Decode`] if it is no invocation.
pub fn raw(document: &Bytes) -> Result<Decoded> {
    let attempt = Invocation::read(document)?.metadata.tries();
    let events = vec![Event::of(Data::Raw(Raw::default()))];
    Ok(with_raw(Decoded { events, attempt }, document))
}

fn with_raw(mut decoded: Decoded, document: &Bytes) -> Decoded {
    for event in &mut decoded.events {
        if let Data::Raw(raw) = &mut event.data {
            *raw = Raw::json(document.clone());
        }
        event.raw = Some(Raw::json(document.clone()));
    }
    decoded
}

/// The events of an invocation; `None` if this build has no codec for them.
#[cfg_attr(
    not(feature = "on-all"),
    allow(clippy::unnecessary_wraps, reason = "each is for some codecs only")
)]
fn read(trigger: &Trigger, wiring: &Wiring, invocation: &Invocation<'_>) -> Result<Option<Vec<Event>>> {
    Ok(match trigger {
        #[cfg(feature = "on-bucket")]
        Trigger::Bucket {
            bucket,
            event,
            prefix,
            suffix,
        } => {
            let wanted = bucket::Wanted {
                bucket,
                event: *event,
                prefix,
                suffix,
            };
            Some(bucket::decode(&wanted, wiring, invocation)?)
        }
        #[cfg(feature = "on-queue")]
        Trigger::Queue { queue, .. } if invocation.metadata.has("DequeueCount") => {
            Some(vec![queue::decode(queue, invocation)?])
        }
        #[cfg(feature = "on-queue")]
        Trigger::Queue { queue, .. } => Some(vec![service_bus::decode(queue, invocation)?]),
        #[cfg(feature = "on-topic")]
        Trigger::Topic { topic, filter } => Some(topic::decode(topic, filter, invocation)?),
        #[cfg(feature = "on-stream")]
        Trigger::Stream { stream, .. } => Some(vec![stream::decode(stream, invocation)?]),
        #[cfg(feature = "on-table")]
        Trigger::Table { table, events, .. } => Some(vec![table::decode(table, events, wiring, invocation)?]),
        #[cfg(feature = "on-schedule")]
        Trigger::Schedule { schedule, .. } => Some(vec![schedule::decode(schedule, invocation)?]),
        _ => None,
    })
}

/// The document is not as its kind is documented.
fn malformed(what: &'static str, error: serde_json::Error) -> Error {
    Error::new(ErrorKind::Decode, DECODE, what).caused_by(error)
}

/// One record cannot be read.
#[cfg(any(feature = "on-queue", feature = "on-stream", feature = "on-table"))]
fn failure(id: &str, error: Error) -> nephos_core::event::RecordFailure {
    nephos_core::event::RecordFailure {
        id: id.to_owned(),
        error,
    }
}

/// The event of `data`, with what only Azure tells.
#[cfg(feature = "asynchronous")]
fn event<const N: usize>(
    attributes: nephos_core::event::Attributes,
    data: Data,
    facts: [(&'static str, Option<String>); N],
    undecodable: Vec<nephos_core::event::RecordFailure>,
) -> Event {
    let mut event = Event::new(attributes, data);
    for (name, value) in facts {
        if let Some(value) = value {
            event.attributes.extensions.insert(name.into(), value);
        }
    }
    event.undecodable = undecodable;
    event
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_comes_as_a_request_is_no_invocation_of_its_own() {
        let document = Bytes::from_static(br#"{"Data":{"x":""}}"#);
        for trigger in [
            Trigger::Http {
                method: None,
                path: "/".to_owned(),
            },
            Trigger::Email {
                address: "*".to_owned(),
            },
        ] {
            let error = decode(&trigger, &Wiring::default(), &document).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidArgument, "{error}");
        }
    }

    #[test]
    fn an_unknown_trigger_is_raw_and_nothing_of_it_is_lost() {
        let document =
            Bytes::from_static(br#"{"Data":{"x":"AAE="},"Metadata":{"RetryContext":{"RetryCount":1}}}"#);
        let Decoded { mut events, attempt } = raw(&document).unwrap();
        assert_eq!((events.len(), attempt), (1, Some(2)));
        let Data::Raw(raw) = events.remove(0).data else {
            panic!("it is read after all");
        };
        assert_eq!(raw.bytes, document);
        assert!(super::raw(&Bytes::from_static(b"[]")).is_err());
    }

    #[test]
    #[cfg(not(feature = "on-schedule"))]
    fn without_its_codec_an_event_is_raw() {
        let document = Bytes::from_static(br#"{"Data":{"x":{}}}"#);
        let trigger = Trigger::Schedule {
            schedule: "every minute".to_owned(),
            every: None,
            timezone: "UTC".to_owned(),
        };
        let decoded = decode(&trigger, &Wiring::default(), &document).unwrap();
        assert!(matches!(decoded.events[0].data, Data::Raw(_)));
    }
}
