//! Events that nobody waits for the answer of, and what becomes of them.
//!
//! Google's services know two answers: done with, and again. So the tries are counted here, where the service does not tell them, and what is given up is sent to the function's dead-letter
//! queue first; then it is done with. The services' own limits must lie higher, for processes that end in the middle.

use std::sync::Arc;

use bytes::Bytes;
use http::HeaderMap;
use nephos_core::dispatch::Dispatch;
use nephos_core::event::{Data, Payload, Response};
use nephos_core::letters::Letters;
use nephos_core::outcome::problem;
use nephos_core::resource::queue::Queue;
use nephos_core::resource::{Access, Binding, Drivers, ResourceKind};
use nephos_core::wiring::PHYSICAL;
use nephos_core::{Error, ErrorKind, Event, Outcome, Result};

use super::site::Site;
use super::tries::Tries;
use crate::events::{self, Decoded, answer};
use crate::wiring::{Service, Source};

/// What is needed to settle events.
#[derive(Debug)]
pub(super) struct Events {
    letters: Letters,
    attempts: u32,
    tries: Tries,
}

impl Events {
    pub(super) fn new(service: &Service, drivers: &Arc<dyn Drivers>, function: Arc<str>) -> Self {
        let wiring = &service.wiring;
        let attempts = wiring.retry.as_ref().map_or(1, |retry| retry.attempts.max(1));
        let queue = wiring.dead_letter.as_deref().and_then(|physical| {
            let name = physical.rsplit('/').next().unwrap_or(physical);
            let binding = Binding {
                name: name.to_owned(),
                kind: ResourceKind::Queue,
                access: [Access::Send].into(),
                url: None,
                properties: [(PHYSICAL.to_owned(), physical.to_owned())].into(),
            };
            match drivers.queue(&binding) {
                Ok(driver) => Some(Queue::with_access(name, driver, binding.access)),
                Err(error) => {
                    tracing::warn!(error = %error.chain(), "what fails for good comes again until its service gives up");
                    None
                }
            }
        });
        Self {
            letters: Letters::new(queue, function, undecodable).after(attempts),
            attempts,
            tries: Tries::default(),
        }
    }

    /// Sends the dead letters that follow from `outcome`, and takes what they are about out of it. `again` gives the event once more; `attempt` is which try it was.
    pub(super) async fn settle(
        &self,
        outcome: Outcome,
        again: impl FnOnce() -> Option<Event>,
        attempt: u32,
    ) -> Outcome {
        if !self.letters.concern(&outcome) {
            return outcome;
        }
        // Reading it again costs only those events of which something failed.
        let Some(event) = again() else { return outcome };
        let planned = self.letters.plan(&event, outcome, attempt);
        drop(event);
        self.letters.settle(planned).await
    }
}

/// A record that could not be decoded: what it came in.
fn undecodable(event: &Event, _id: Option<&str>) -> Result<Payload> {
    let raw = event.raw.as_ref().ok_or_else(|| {
        Error::new(
            ErrorKind::Internal,
            "host.dead_letter",
            "the record is not in its event",
        )
    })?;
    Ok(Payload {
        content_type: raw.content_type.clone().map(std::borrow::Cow::into_owned),
        bytes: raw.bytes.clone(),
    })
}

/// The event with its try, where its record does not know.
fn numbered(mut event: Event, attempt: u32) -> Event {
    if let Data::Queue(messages) = &mut event.data {
        for message in messages {
            message.attempt = attempt;
        }
    }
    event
}

/// An event whose handler was called.
struct Begun {
    id: String,
    /// Which try it is.
    attempt: u32,
    /// Whether the service told that.
    is_told: bool,
    /// None if it had all its tries already.
    dispatch: Option<Dispatch>,
}

impl Site {
    /// The answer to an event of this trigger. What only failures need is in a box of its own: each request has room for all that this holds.
    pub(super) async fn event(
        &self,
        name: &str,
        source: &Source,
        headers: &HeaderMap,
        body: &Bytes,
    ) -> Response {
        let begun = match self.begin_event(name, source, headers, body) {
            Ok(begun) => begun,
            Err(answer) => return *answer,
        };
        let mut outcome = match begun.dispatch {
            Some(dispatch) => dispatch.await,
            // The process ended in the last try, so that nobody settled it.
            None => Outcome::Failed(Error::new(
                ErrorKind::Crashed,
                "function.invoke",
                "the function's process ended in the middle of each try",
            )),
        };
        let attempt = begun.attempt;
        if self.events.letters.concern(&outcome) {
            let again = || {
                let decoded = events::decode(source, &self.service.wiring, headers, body);
                Some(numbered(decoded.ok()?.event?, attempt))
            };
            outcome = Box::pin(self.events.settle(outcome, again, attempt)).await;
        }
        let has_failed = tell(name, &outcome);
        match (begun.is_told, has_failed) {
            (true, _) => {}
            (false, true) => self.events.tries.failed(&begun.id, attempt),
            (false, false) => self.events.tries.done(&begun.id),
        }
        answer::encode(outcome)
    }

    /// Reads an event, and calls the handler. The error is an answer that can be given at once.
    fn begin_event(
        &self,
        name: &str,
        source: &Source,
        headers: &HeaderMap,
        body: &Bytes,
    ) -> std::result::Result<Begun, Box<Response>> {
        let Decoded { event, attempt: told } = match events::decode(
            source,
            &self.service.wiring,
            headers,
            body,
        ) {
            Ok(decoded) => decoded,
            Err(error) => {
                tracing::error!(error = %error.chain(), trigger = name, "an event could not be read, and comes again");
                let status = match error.kind() {
                    ErrorKind::Decode => http::StatusCode::BAD_REQUEST,
                    _ => http::StatusCode::INTERNAL_SERVER_ERROR,
                };
                return Err(Box::new(problem(status, Some(error.message()))));
            }
        };
        let Some(event) = event else {
            // What the trigger does not want is done with.
            return Err(Box::new(answer::encode(Outcome::Ack)));
        };
        let id = event.attributes.id.clone();
        let attempt = told.unwrap_or_else(|| self.events.tries.next(&id));
        let is_spent =
            self.events.letters.can_send() && told.is_some_and(|attempt| attempt > self.events.attempts);
        let dispatch = (!is_spent).then(|| {
            let context = self.context(headers, attempt);
            self.function.dispatch(numbered(event, attempt), context)
        });
        Ok(Begun {
            id,
            attempt,
            is_told: told.is_some(),
            dispatch,
        })
    }
}

/// Logs what was not handled; whether anything was not.
fn tell(trigger: &str, outcome: &Outcome) -> bool {
    match outcome {
        Outcome::Failed(error) => {
            tracing::error!(error = %error.chain(), trigger, "an event was not handled, and comes again");
            true
        }
        Outcome::Batch(batch) => {
            for failure in batch.failures() {
                tracing::error!(error = %failure.error.chain(), trigger, "an event was not handled, and comes again");
            }
            !batch.failures().is_empty()
        }
        _ => false,
    }
}
