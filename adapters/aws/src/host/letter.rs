//! Dead letters: what a handler rejects goes to the dead-letter queue at once, which Lambda's answers have no word for.
//!
//! The host sends it itself (`nephos_core::letters`), and tells Lambda that the record is done with. Where it cannot (no queue in the function's wiring, the feature
//! `queue` off, see `no_letter.rs`, or SQS refuses), the record or event fails like any other: it comes again, until the limit of the queue, mapping or asynchronous
//! invocation dead-letters it.

use std::sync::Arc;

use nephos_core::event::Payload;
use nephos_core::resource::queue::Queue;
use nephos_core::resource::{Access, Binding, Drivers, ResourceKind};
use nephos_core::wiring::PHYSICAL;
use nephos_core::{Error, ErrorKind, Event, Result};

pub(super) use nephos_core::letters::Letters;

/// Letters to the queue with this URL, if this build can send to it.
pub(super) fn letters(url: Option<&str>, drivers: &Arc<dyn Drivers>, function: Arc<str>) -> Letters {
    let queue = url.and_then(|url| {
        let name = url.rsplit('/').next().unwrap_or(url);
        let binding = Binding {
            name: name.to_owned(),
            kind: ResourceKind::Queue,
            access: [Access::Send].into(),
            url: None,
            properties: [(PHYSICAL.to_owned(), url.to_owned())].into(),
        };
        match drivers.queue(&binding) {
            Ok(driver) => Some(Queue::with_access(name, driver, binding.access)),
            Err(error) => {
                tracing::warn!(error = %error.chain(), "what the handler rejects is tried again until Lambda gives it up");
                None
            }
        }
    });
    Letters::new(queue, function, undecodable)
}

/// A record that could not be decoded, as Lambda delivered it.
fn undecodable(event: &Event, id: Option<&str>) -> Result<Payload> {
    let unknown = || {
        Error::new(
            ErrorKind::Internal,
            "host.dead_letter",
            "the record is not in its batch",
        )
    };
    let document = event.raw.as_ref().ok_or_else(unknown)?;
    let document: serde_json::Value = document.decode()?;
    let ids = [
        "/messageId",
        "/kinesis/sequenceNumber",
        "/dynamodb/SequenceNumber",
    ];
    let record = document
        .get("Records")
        .and_then(|records| records.as_array())
        .into_iter()
        .flatten()
        .find(|record| {
            ids.iter()
                .any(|pointer| record.pointer(pointer).is_some_and(|found| found.as_str() == id))
        })
        .ok_or_else(unknown)?;
    Payload::json(record)
}
