//! Lambda's event documents and neutral events: both directions, pure, one file a trigger.
//!
//! [`decode`] first asks [`classify`] what a document is, by two or three documented fields, and then the one codec of that kind. What no field tells is
//! [raw](Kind::Raw): handlers get it as it came. [`encode`] turns an outcome into what Lambda expects of the kind.
//!
//! A build has the codecs of the triggers that it was made for, one feature each (`on-queue`): to it, documents of the other kinds are raw.

pub mod answer;
#[cfg(feature = "on-auth")]
pub mod auth;
mod base64;
#[cfg(feature = "on-bucket")]
mod bucket;
mod classify;
#[cfg(feature = "on-email")]
pub mod email;
mod guess;
#[cfg(feature = "on-http")]
pub mod http;
#[cfg(feature = "on-queue")]
mod queue;
mod records;
#[cfg(feature = "on-schedule")]
mod schedule;
#[cfg(feature = "on-stream")]
mod stream;
#[cfg(feature = "on-table")]
mod table;
mod text;
mod time;
#[cfg(feature = "on-topic")]
mod topic;
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
#[cfg_attr(
    not(feature = "on-all"),
    allow(unused_mut, unused_assignments, reason = "each is for some codecs only")
)]
fn read(kind: Kind, text: &str, wiring: &Wiring) -> Result<Decoded> {
    let (mut refusal, mut read_as) = (None, kind);
    let one = |event: Event| vec![event];
    let events = match kind {
        #[cfg(feature = "on-bucket")]
        Kind::Bucket => bucket::decode(text, wiring)?,
        #[cfg(feature = "on-queue")]
        Kind::Queue => queue::decode(text, wiring).map(one)?,
        #[cfg(feature = "on-topic")]
        Kind::Topic => topic::decode(text, wiring)?,
        #[cfg(feature = "on-stream")]
        Kind::Stream => stream::decode(text, wiring).map(one)?,
        #[cfg(feature = "on-table")]
        Kind::Table => table::decode(text, wiring).map(one)?,
        #[cfg(feature = "on-schedule")]
        Kind::Schedule => schedule::decode(text).map(one)?,
        #[cfg(feature = "on-schedule")]
        Kind::Rule => schedule::decode_rule(text, wiring).map(one)?,
        #[cfg(feature = "on-email")]
        Kind::Email => email::decode(text, wiring)?,
        #[cfg(feature = "on-auth")]
        Kind::Auth => auth::decode(text).map(one)?,
        #[cfg(feature = "on-voice")]
        Kind::Voice => {
            nephos_alexa::decode(text.as_bytes(), |id| Ok(wiring.source(id).to_owned())).map(one)?
        }
        #[cfg(feature = "on-http")]
        Kind::Http => match http::decode(text, wiring)? {
            http::Routed::To(event) => one(event),
            http::Routed::Refused(response) => {
                refusal = Some(response);
                Vec::new()
            }
        },
        unread => {
            if unread != Kind::Raw {
                tracing::warn!(kind = ?unread, "no trigger in nephos.toml has events of this kind, so the function was built without their codec, and gets the document as it came; name the trigger, or turn on its feature (`on-queue`, …) of the crate `nephos`");
            }
            read_as = Kind::Raw;
            one(Event::of(Data::Raw(Raw::default())))
        }
    };
    Ok(Decoded {
        kind: read_as,
        events,
        refusal,
    })
}

/// The document is of a known kind, and not as that kind is documented.
fn malformed(what: &'static str, error: serde_json::Error) -> Error {
    Error::new(ErrorKind::Decode, DECODE, what).caused_by(error)
}

#[cfg(test)]
#[cfg(all(feature = "on-http", not(feature = "on-queue")))]
mod tests {
    use super::*;

    #[test]
    fn without_its_codec_a_document_is_raw_and_nothing_of_it_is_lost() {
        let document = Bytes::from_static(include_bytes!(
            "../../tests/payloads/queue/example-sqs-event-obj.json"
        ));
        let decoded = decode(&document, &Wiring::default()).unwrap();
        assert_eq!(decoded.kind, Kind::Raw);
        let [event] = decoded.events.try_into().unwrap();
        let Data::Raw(raw) = event.data else {
            panic!("it is read after all: {:?}", event.data);
        };
        assert_eq!(raw.bytes, document);
        // What is built in is read as ever.
        let document = Bytes::from_static(include_bytes!("../../tests/payloads/http/function-url.json"));
        assert_eq!(decode(&document, &Wiring::default()).unwrap().kind, Kind::Http);
    }
}
