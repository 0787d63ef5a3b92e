//! Dead letters: what a handler rejects goes to the dead-letter queue at once, which Lambda's answers have no word for.
//!
//! The host sends it itself, and tells Lambda that the record is done with. Where it cannot (no queue in the function's wiring, the feature `queue` off, see
//! `no_letter.rs`, or SQS refuses), the record or event fails like any other: it comes again, until the limit of the queue, mapping or asynchronous invocation dead-letters it.

use std::collections::BTreeMap;
use std::sync::Arc;

use nephos_core::dead_letter::{self, Given};
use nephos_core::event::{Attributes, Data, Payload, RecordFailure};
use nephos_core::resource::queue::{Outgoing, Queue};
use nephos_core::resource::{Access, Binding, Drivers, ResourceKind};
use nephos_core::{BatchOutcome, Disposition, Error, ErrorKind, Event, Outcome, Result};

use nephos_core::wiring::PHYSICAL;

/// Where dead letters go.
#[derive(Debug)]
pub(super) struct Letters {
    queue: Option<Queue>,
    function: Arc<str>,
}

impl Letters {
    /// Letters to the queue with this URL, if this build can send to it.
    pub(super) fn new(url: Option<&str>, drivers: &Arc<dyn Drivers>, function: Arc<str>) -> Self {
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
        Self { queue, function }
    }

    /// Whether any can be sent.
    pub(super) fn can_send(&self) -> bool {
        self.queue.is_some()
    }

    /// What `outcome` rejects of `event`, with the letters that say so; `event` is what was dispatched, decoded again.
    pub(super) fn plan(&self, event: &Event, outcome: Outcome) -> Planned {
        let is_rejected = |error: &Error| self.can_send() && error.disposition() == Disposition::Reject;
        match outcome {
            Outcome::Batch(batch) => {
                let with_letter = |failure: RecordFailure| {
                    let letter = is_rejected(&failure.error)
                        .then(|| self.letter(event, Some(&failure.id), &failure.error));
                    (failure, letter)
                };
                Planned::Batch(batch.into_failures().into_iter().map(with_letter).collect())
            }
            Outcome::Failed(error) if is_rejected(&error) => {
                let letters = if event.kind().has_records() {
                    let ids = event.record_ids().into_iter();
                    ids.map(|id| self.letter(event, Some(id), &error)).collect()
                } else {
                    vec![self.letter(event, None, &error)]
                };
                Planned::Whole(error, letters)
            }
            outcome => Planned::Nothing(outcome),
        }
    }

    /// Sends the letters, and takes what they are about out of the outcome.
    pub(super) async fn settle(&self, planned: Planned) -> Outcome {
        match planned {
            Planned::Nothing(outcome) => outcome,
            Planned::Batch(failures) => {
                let mut left = BatchOutcome::new();
                for (RecordFailure { id, error }, letter) in failures {
                    let is_sent = match letter {
                        Some(letter) => self.send(letter, &error).await,
                        None => false,
                    };
                    if !is_sent {
                        left.fail(id, error);
                    }
                }
                left.into()
            }
            Planned::Whole(error, letters) => {
                let mut all_sent = true;
                for letter in letters {
                    all_sent &= self.send(letter, &error).await;
                }
                if all_sent {
                    Outcome::Ack
                } else {
                    Outcome::Failed(error)
                }
            }
        }
    }

    /// Whether the letter was sent. If not, what it is about is not done with.
    async fn send(&self, letter: Result<Outgoing>, error: &Error) -> bool {
        let sent = match (&self.queue, letter) {
            (Some(queue), Ok(letter)) => queue.send(letter).await,
            (None, _) => return false,
            (_, Err(unwritten)) => Err(unwritten),
        };
        match sent {
            Ok(letter) => {
                tracing::warn!(error = %error.chain(), letter, "rejected: sent to the dead-letter queue");
                true
            }
            Err(failed) => {
                tracing::error!(error = %failed.chain(), "a dead letter cannot be sent: what it is about is tried again");
                false
            }
        }
    }

    fn letter(&self, event: &Event, id: Option<&str>, error: &Error) -> Result<Outgoing> {
        let Held {
            body,
            attributes,
            group,
            attempt,
        } = held(event, id)?;
        let Attributes {
            id: event_id,
            ty,
            source,
            ..
        } = &event.attributes;
        let given = Given {
            function: &self.function,
            id: id.unwrap_or(event_id),
            ty,
            source,
            attempts: attempt,
            error,
        };
        // Only a queue that is ordered takes groups.
        let is_ordered = (self.queue.as_ref()).is_some_and(|queue| queue.capabilities().ordered_groups);
        Ok(Outgoing {
            group: group.filter(|_| is_ordered),
            ..dead_letter::of_record(body, attributes, given)
        })
    }
}

/// An outcome, and the letters that are to be sent before it is told.
#[derive(Debug)]
pub(super) enum Planned {
    /// None.
    Nothing(Outcome),
    /// Records that failed, those that were rejected with their letter.
    Batch(Vec<(RecordFailure, Option<Result<Outgoing>>)>),
    /// All was rejected.
    Whole(Error, Vec<Result<Outgoing>>),
}

/// What a letter holds.
struct Held {
    body: Payload,
    attributes: BTreeMap<String, String>,
    group: Option<String>,
    attempt: u32,
}

/// A message or record by its own body, everything else as CloudEvents.
fn held(event: &Event, id: Option<&str>) -> Result<Held> {
    let mut held = Held {
        body: Payload::default(),
        attributes: BTreeMap::new(),
        group: None,
        attempt: 1,
    };
    match (&event.data, id) {
        (Data::Queue(messages), Some(id)) => {
            if let Some(message) = messages.iter().find(|message| message.id == id) {
                held.body = message.body.clone();
                held.attributes = message.attributes.clone();
                held.group = message.group.clone();
                held.attempt = message.attempt;
                return Ok(held);
            }
        }
        (Data::Stream(records), Some(id)) => {
            if let Some(record) = records.iter().find(|record| record.sequence == id) {
                held.body = record.body.clone();
                held.attributes = record.attributes.clone();
                return Ok(held);
            }
        }
        (Data::Table(changes), Some(id)) => {
            if let Some(change) = changes.iter().find(|change| change.sequence == id) {
                let one = Event::of(Data::Table(vec![change.clone()]));
                held.body = dead_letter::body(&one)?;
                return Ok(held);
            }
        }
        // The receipt says where the message is; CloudEvents would carry the message itself, which was not read.
        (Data::Email(_), None) => {
            held.body.content_type = Some("application/json".to_owned());
            held.body.bytes = event
                .raw
                .as_ref()
                .map(|raw| raw.bytes.clone())
                .unwrap_or_default();
            return Ok(held);
        }
        (_, None) => {
            held.body = dead_letter::body(event)?;
            return Ok(held);
        }
        _ => {}
    }
    held.body = undecodable(event, id)?;
    Ok(held)
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
