//! Lambda's event documents and neutral events: both directions, pure, one file a trigger.
//!
//! [`decode`] first asks [`classify`] what a document is, by two or three documented fields, and then the one codec of that kind. What no field tells is
//! [raw](Kind::Raw): handlers get it as it came. [`encode`] turns an outcome into what Lambda expects of the kind.

pub mod answer;
pub mod auth;
mod base64;
mod bucket;
mod classify;
pub mod email;
mod guess;
pub mod http;
mod queue;
mod records;
mod schedule;
mod stream;
mod table;
mod text;
mod topic;
mod voice;
mod wiring;

use bytes::Bytes;
use nephos_core::event::{Data, Raw, Response};
use nephos_core::{Error, ErrorKind, Event, Result};

pub use self::answer::{Reply, encode};
pub use self::classify::{Kind, classify};
pub use self::wiring::{TableKeys, Wiring};

const DECODE: &str = "event.decode";

/// What a document holds.
#[derive(Debug)]
pub struct Decoded {
    /// What it is.
    pub kind: Kind,
    /// The events. One, save for a notification of several records: services send one in each today, and promise it nowhere. Each is handled as an
    /// event of its own, and if one fails, all come again.
    pub events: Vec<Event>,
    /// The answer to a request that no route of the function fits: the handler is not called.
    pub refusal: Option<Response>,
}

/// Reads a document as Lambda delivers it; keeps its bytes, so that handlers can have them raw.
///
/// A record that cannot be read, but has an id, fails alone; the others go on.
///
/// # Errors
/// [`ErrorKind::Decode`] if it is no JSON, or lacks what its kind always has.
pub fn decode(document: &Bytes, wiring: &Wiring) -> Result<Decoded> {
    let text = text(document)?;
    let guess = match guess::guess(text) {
        Some(kind) => kind,
        None => classify(document)?,
    };
    let mut decoded = match read(guess, text, wiring) {
        Ok(decoded) => decoded,
        // It may be of another kind after all.
        Err(error) => match classify(document)? {
            kind if kind == guess => return Err(error),
            kind => read(kind, text, wiring)?,
        },
    };
    for event in &mut decoded.events {
        if let Data::Raw(raw) = &mut event.data {
            *raw = Raw::json(document.clone());
        }
        event.raw = Some(Raw::json(document.clone()));
    }
    Ok(decoded)
}

fn text(document: &[u8]) -> Result<&str> {
    std::str::from_utf8(document).map_err(|error| {
        Error::new(ErrorKind::Decode, DECODE, "the document is not UTF-8 text").caused_by(error)
    })
}

/// Reads a document of this kind.
fn read(kind: Kind, text: &str, wiring: &Wiring) -> Result<Decoded> {
    let mut refusal = None;
    let one = |event: Event| vec![event];
    let events = match kind {
        Kind::Bucket => bucket::decode(text, wiring)?,
        Kind::Queue => queue::decode(text, wiring).map(one)?,
        Kind::Topic => topic::decode(text, wiring)?,
        Kind::Stream => stream::decode(text, wiring).map(one)?,
        Kind::Table => table::decode(text, wiring).map(one)?,
        Kind::Schedule => schedule::decode(text).map(one)?,
        Kind::Rule => schedule::decode_rule(text, wiring).map(one)?,
        Kind::Email => email::decode(text, wiring)?,
        Kind::Auth => auth::decode(text).map(one)?,
        Kind::Voice => voice::decode(text, wiring).map(one)?,
        Kind::Http => match http::decode(text, wiring)? {
            http::Routed::To(event) => vec![*event],
            http::Routed::Refused(response) => {
                refusal = Some(response);
                Vec::new()
            }
        },
        Kind::Raw => vec![Event::of(Data::Raw(Raw::default()))],
    };
    Ok(Decoded {
        kind,
        events,
        refusal,
    })
}

/// The document is of a known kind, and not as that kind is documented.
fn malformed(what: &'static str, error: serde_json::Error) -> Error {
    Error::new(ErrorKind::Decode, DECODE, what).caused_by(error)
}
