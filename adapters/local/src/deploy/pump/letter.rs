//! Dead letters: what is kept of an event or record that was given up.

use std::collections::BTreeMap;

use nephos_core::event::{Attributes, Data, Event, Payload};
use nephos_core::resource::queue::Outgoing;
use nephos_core::{Error, Result};

use crate::events::encode_event;

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

/// The longest reason that is kept, in bytes: attributes count against a message's size.
const MAX_REASON: usize = 4096;

/// What a dead letter says of what it holds.
#[derive(Debug, Clone, Copy)]
pub(super) struct Given<'a> {
    pub(super) function: &'a str,
    pub(super) id: &'a str,
    pub(super) ty: &'a str,
    pub(super) source: &'a str,
    pub(super) attempts: u32,
    pub(super) error: &'a Error,
}

/// A dead letter with the record's own body and attributes.
pub(super) fn of_record(
    body: Payload,
    mut attributes: BTreeMap<String, String>,
    given: Given<'_>,
) -> Outgoing {
    let mut set = |name: &str, value: String| attributes.insert(name.to_owned(), value);
    let mut reason = given.error.chain();
    if reason.len() > MAX_REASON {
        let end = (0..=MAX_REASON)
            .rev()
            .find(|end| reason.is_char_boundary(*end))
            .unwrap_or_default();
        reason.truncate(end);
    }
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

/// A dead letter with the event as CloudEvents JSON.
///
/// # Errors
/// The event has no such form.
pub(super) fn of_event(event: &Event, function: &str, attempts: u32, error: &Error) -> Result<Outgoing> {
    let (content_type, bytes) = encode_event(event)?;
    let body = Payload {
        content_type: Some(content_type.to_owned()),
        bytes,
    };
    let Attributes { id, source, ty, .. } = &event.attributes;
    Ok(of_record(
        body,
        BTreeMap::new(),
        Given {
            function,
            id,
            ty,
            source,
            attempts,
            error,
        },
    ))
}

/// A dead letter with one of the event's records as CloudEvents JSON: for changes of a table, which have no body of their own.
///
/// # Errors
/// The record has no such form.
pub(super) fn of_change(event: Event, given: Given<'_>) -> Result<Outgoing> {
    debug_assert!(matches!(event.data, Data::Table(_)), "only changes have no body");
    let (content_type, bytes) = encode_event(&event)?;
    let body = Payload {
        content_type: Some(content_type.to_owned()),
        bytes,
    };
    Ok(of_record(body, BTreeMap::new(), given))
}
