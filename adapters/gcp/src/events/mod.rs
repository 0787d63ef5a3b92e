//! Requests of Google's services and neutral events: both directions, pure, one file a trigger.
//!
//! The path of a request names its trigger, and the wiring the form in which its events come, so nothing is guessed: [`decode`] takes both. Clients' requests have functions of their
//! own in `http`; what comes by HTTP from those who wait is made of a request that was read whole: `email`, `auth` and `voice`.
//!
//! A build has the codecs of the triggers that it was made for, one feature each (`on-queue`): to it, events of the other kinds are raw.

#[cfg(feature = "asynchronous")]
pub mod answer;
#[cfg(feature = "on-auth")]
pub mod auth;
#[cfg(feature = "on-bucket")]
mod bucket;
#[cfg(feature = "asynchronous")]
pub mod cloudevent;
#[cfg(feature = "on-http")]
pub mod http;
#[cfg(feature = "asynchronous")]
pub mod push;
#[cfg(feature = "on-queue")]
mod queue;
#[cfg(feature = "on-schedule")]
mod schedule;
#[cfg(feature = "on-stream")]
mod stream;
#[cfg(feature = "on-table")]
mod table;
#[cfg(feature = "asynchronous")]
mod task;
#[cfg(feature = "token")]
pub mod token;
#[cfg(feature = "on-topic")]
mod topic;
#[cfg(feature = "on-voice")]
pub mod voice;

#[cfg(feature = "on-email")]
pub use nephos_core::event::posted as email;
use nephos_core::{Error, ErrorKind};

#[cfg(feature = "asynchronous")]
pub use self::asynchronous::{Decoded, decode};

const DECODE: &str = "event.decode";

/// The document is not as its kind is documented.
fn malformed(what: &'static str, error: serde_json::Error) -> Error {
    refused(what).caused_by(error)
}

fn refused(what: &'static str) -> Error {
    Error::new(ErrorKind::Decode, DECODE, what)
}

/// Events that nobody waits for the outcome of.
#[cfg(feature = "asynchronous")]
mod asynchronous {
    use ::http::HeaderMap;
    use ::http::header::CONTENT_TYPE;
    use bytes::Bytes;
    use nephos_core::app::Trigger;
    use nephos_core::event::{Attributes, Data, Raw};
    use nephos_core::wiring::Wiring;
    use nephos_core::{Error, ErrorKind, Event, Result};

    use super::cloudevent::Received;
    use super::push::Pushed;
    use super::task::Task;
    use crate::wiring::{Form, Source};

    /// What a request holds.
    #[derive(Debug)]
    pub struct Decoded {
        /// The event. None if the trigger does not want what came.
        pub event: Option<Event>,
        /// Which delivery it is, from 1, where the service tells it.
        pub attempt: Option<u32>,
    }

    /// What came, by its form.
    pub(super) enum Carried<'a> {
        Message(Pushed),
        Event(Received<'a>),
        Tick,
        Task(Task),
    }

    /// Reads a request to the path of `source`; keeps its body, so that handlers can have it raw.
    ///
    /// # Errors
    /// [`ErrorKind::Decode`] if it is not of the form that the wiring tells, or lacks what its kind always has; [`ErrorKind::InvalidArgument`] for a trigger whose callers wait, or
    /// whose events do not come in this form.
    pub fn decode(source: &Source, wiring: &Wiring, headers: &HeaderMap, body: &Bytes) -> Result<Decoded> {
        let carried = match source.by {
            Form::Push => Carried::Message(Pushed::wrapped(body)?),
            Form::Unwrapped => Carried::Message(Pushed::unwrapped(headers, body)?),
            Form::CloudEvent => Carried::Event(Received::read(headers, body)?),
            Form::Scheduler => Carried::Tick,
            Form::Task => Carried::Task(Task::read(headers, body)?),
        };
        let attempt = match &carried {
            Carried::Message(message) => message.attempt,
            Carried::Event(event) => event.attempt(),
            Carried::Tick => None,
            Carried::Task(task) => Some(task.attempt),
        };
        let content_type = headers.get(CONTENT_TYPE).and_then(|ty| ty.to_str().ok());
        let raw = Raw::of(content_type, body.clone());
        let event = match read(source, wiring, headers, carried)? {
            Read::Event(event) => Some(event.with_raw(raw)),
            Read::Unwanted => None,
            Read::NotBuilt(id) => {
                tracing::warn!(trigger = %source.trigger.kind(), "the function was built without the codec of this trigger, and gets the request's body as it came; turn on its feature (`on-queue`, …) of the crate `nephos`");
                let data = Data::Raw(raw.clone());
                Some(Event::new(Attributes::known(&data, id, None), data).with_raw(raw))
            }
        };
        Ok(Decoded { event, attempt })
    }

    #[expect(
        clippy::large_enum_variant,
        reason = "it is taken apart at once, and most are of the large one"
    )]
    pub(super) enum Read {
        Event(Event),
        Unwanted,
        /// With the id of what came.
        NotBuilt(Option<String>),
    }

    impl From<Event> for Read {
        fn from(event: Event) -> Self {
            Self::Event(event)
        }
    }

    fn read(source: &Source, wiring: &Wiring, headers: &HeaderMap, carried: Carried<'_>) -> Result<Read> {
        match (&source.trigger, carried) {
            #[cfg(feature = "on-queue")]
            (Trigger::Queue { queue, .. }, carried) => super::queue::decode(queue, carried),
            #[cfg(feature = "on-topic")]
            (Trigger::Topic { topic, filter }, carried) => super::topic::decode(topic, filter, carried),
            #[cfg(feature = "on-stream")]
            (Trigger::Stream { stream, .. }, carried) => super::stream::decode(stream, carried),
            #[cfg(feature = "on-bucket")]
            (
                Trigger::Bucket {
                    bucket,
                    event,
                    prefix,
                    suffix,
                },
                carried,
            ) => {
                let wanted = super::bucket::Wanted {
                    bucket,
                    event: *event,
                    prefix,
                    suffix,
                };
                super::bucket::decode(&wanted, wiring, carried)
            }
            #[cfg(feature = "on-table")]
            (Trigger::Table { table, events, .. }, Carried::Event(event)) => {
                super::table::decode(table, events, wiring, event)
            }
            #[cfg(feature = "on-schedule")]
            (Trigger::Schedule { schedule, .. }, Carried::Tick) => super::schedule::decode(schedule, headers),
            (
                Trigger::Http { .. } | Trigger::Email { .. } | Trigger::Auth { .. } | Trigger::Voice { .. },
                _,
            ) => Err(unfit(
                source,
                "whoever calls by this trigger waits for the answer",
            )),
            #[cfg(feature = "on-table")]
            (Trigger::Table { .. }, _) => Err(unfit(source, "changes of a table come by Eventarc")),
            #[cfg(feature = "on-schedule")]
            (Trigger::Schedule { .. }, _) => Err(unfit(source, "ticks come by Cloud Scheduler")),
            #[allow(
                unreachable_patterns,
                reason = "a build that reads all kinds, be it one by one, has none left"
            )]
            (_, carried) => Ok(Read::NotBuilt(match carried {
                Carried::Message(message) => Some(message.id),
                Carried::Event(event) => Some(event.attributes.id),
                Carried::Task(task) => Some(task.name),
                Carried::Tick => None,
            })),
        }
    }

    /// The wiring tells a form in which such events do not come.
    pub(super) fn unfit(source: &Source, why: &'static str) -> Error {
        misfit(why).with("trigger", source.trigger.kind())
    }

    pub(super) fn misfit(why: &'static str) -> Error {
        Error::new(
            ErrorKind::InvalidArgument,
            super::DECODE,
            format!("{why}; what deployment told of the trigger is wrong, so deploy the function again"),
        )
    }

    /// The event of `data`, with what only Google tells.
    pub(super) fn event<const N: usize>(
        attributes: Attributes,
        data: Data,
        facts: [(&'static str, Option<String>); N],
    ) -> Event {
        let mut event = Event::new(attributes, data);
        for (name, value) in facts {
            if let Some(value) = value {
                event.attributes.extensions.insert(name.into(), value);
            }
        }
        event
    }
}
