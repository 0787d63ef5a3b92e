//! Invocations of events that nobody waits for the answer of, and what becomes of them.
//!
//! The Functions host knows two answers: done with, and failed. What failed comes again as a whole, and after the last try a message goes to its poison queue, and a
//! batch of a stream or table is passed over. So the tries are counted here, and what is given up is sent to the function's dead-letter queue first; then it is done
//! with. The host's own limits lie higher, for processes that end in the middle.

use std::sync::Arc;
use std::time::Duration;

use http::HeaderMap;
use nephos_core::event::{BufferedRequest, Data, Payload, Response};
use nephos_core::letters::Letters;
use nephos_core::resource::queue::Queue;
use nephos_core::resource::{Access, Binding, Drivers, ResourceKind};
use nephos_core::wiring::PHYSICAL;
use nephos_core::{BatchOutcome, Error, ErrorKind, Event, Outcome, Result};
use tokio::time::Instant;

use super::progress::{Batch, Key, Progress};
use super::requests::json;
use super::site::Site;
use crate::events::answer::{self, Answer};
use crate::events::{self, Decoded};
use crate::package::Package;

/// What is needed to settle events.
#[derive(Debug)]
pub(super) struct Events {
    letters: Letters,
    attempts: u32,
    progress: Progress,
}

impl Events {
    pub(super) fn new(package: &Package, drivers: &Arc<dyn Drivers>, function: Arc<str>) -> Self {
        let attempts = package
            .wiring
            .retry
            .as_ref()
            .map_or(1, |retry| retry.attempts.max(1));
        let queue = package.wiring.dead_letter.as_deref().and_then(|url| {
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
                    tracing::warn!(error = %error.chain(), "what fails for good is left to the Functions host, and its poison queue");
                    None
                }
            }
        });
        Self {
            letters: Letters::new(queue, function, undecodable).after(attempts),
            attempts,
            progress: Progress::default(),
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
        // Reading it again costs only those invocations in which something failed.
        let Some(event) = again() else { return outcome };
        let planned = self.letters.plan(&event, outcome, attempt);
        drop(event);
        // Most events never come here, and need no room for it.
        Box::pin(self.letters.settle(planned)).await
    }

    /// Whether an event had all its tries already: the process ended in the last one, so that nobody settled it.
    fn is_spent(&self, event: &Event, attempt: u32) -> bool {
        let attempt = match &event.data {
            Data::Queue(messages) => messages
                .iter()
                .map(|message| message.attempt)
                .min()
                .unwrap_or(attempt),
            _ => attempt,
        };
        self.letters.can_send() && attempt > self.attempts
    }
}

/// A record that could not be decoded: what the Functions host delivered it in.
fn undecodable(event: &Event, _id: Option<&str>) -> Result<Payload> {
    let raw = event.raw.as_ref().ok_or_else(|| {
        Error::new(
            ErrorKind::Internal,
            "host.dead_letter",
            "the record is not in its batch",
        )
    })?;
    Ok(Payload {
        content_type: Some("application/json".to_owned()),
        bytes: raw.bytes.clone(),
    })
}

impl Site {
    /// The answer to an invocation: `POST /<trigger>`.
    pub(super) async fn invoke(&self, invocation: BufferedRequest) -> Response {
        let name = invocation.parts.uri.path().trim_matches('/').to_owned();
        #[cfg(feature = "on-http")]
        if name == crate::package::HTTP {
            return self.wrapped(&invocation).await;
        }
        let outcome = self.handle_events(&name, &invocation).await;
        let answered = match outcome {
            Outcome::Failed(error) => {
                tracing::error!(error = %error.chain(), trigger = name, "an event was not handled, and comes again");
                answer::encode(Outcome::Failed(error))
            }
            outcome => answer::encode(outcome),
        };
        let Answer { status, body } = answered.unwrap_or_else(|error| {
            tracing::error!(error = %error.chain(), trigger = name, "an answer could not be given to the Functions host");
            Answer {
                status: http::StatusCode::INTERNAL_SERVER_ERROR,
                body: bytes::Bytes::new(),
            }
        });
        let mut response = json(body);
        *response.status_mut() = status;
        response
    }

    async fn handle_events(&self, name: &str, invocation: &BufferedRequest) -> Outcome {
        let trigger = self.package.triggers.get(name);
        let decoded = || match trigger {
            Some(trigger) => events::decode(trigger, &self.package.wiring, &invocation.body),
            None => events::raw(&invocation.body),
        };
        let Decoded { events, attempt } = match decoded() {
            Ok(decoded) => decoded,
            Err(error) => return Outcome::Failed(error),
        };
        let attempt = attempt.unwrap_or(1);
        let headers = &invocation.parts.headers;
        let mut all = Outcome::Ack;
        for (index, event) in (0..).zip(events) {
            let again = || decoded().ok()?.events.into_iter().nth(index);
            let outcome = if matches!(event.data, Data::Stream(_) | Data::Table(_)) {
                self.batch(name, event, headers, &again).await
            } else {
                self.once(event, headers, &again, attempt).await
            };
            all = match (all, outcome) {
                // The others are handled all the same; all come again.
                (Outcome::Failed(error), _) => Outcome::Failed(error),
                (_, outcome) => outcome,
            };
        }
        all
    }

    /// An event that comes again as it is.
    async fn once(
        &self,
        event: Event,
        headers: &HeaderMap,
        again: &impl Fn() -> Option<Event>,
        attempt: u32,
    ) -> Outcome {
        let outcome = if self.events.is_spent(&event, attempt) {
            Outcome::Failed(Error::new(
                ErrorKind::Crashed,
                "function.invoke",
                "the function's process ended in the middle of each try",
            ))
        } else {
            self.function
                .dispatch(event, self.context(headers, attempt))
                .await
        };
        self.events.settle(outcome, again, attempt).await
    }

    /// A batch in order: together at first, then what is left of it one by one, up to the first failure.
    async fn batch(
        &self,
        trigger: &str,
        event: Event,
        headers: &HeaderMap,
        again: &impl Fn() -> Option<Event>,
    ) -> Outcome {
        let ids = ids(&event);
        let Some(first) = ids.first() else {
            return self.once(event, headers, again, 1).await;
        };
        let key: Key = (trigger.to_owned(), first.clone());
        if let Some(before) = self.events.progress.of(&key) {
            return self.one_by_one(key, before, event, headers, again).await;
        }
        let outcome = self.function.dispatch(event, self.context(headers, 1)).await;
        let outcome = self.events.settle(outcome, again, 1).await;
        let mut batch = Batch::default();
        match &outcome {
            Outcome::Failed(_) => batch.tries = 1,
            Outcome::Batch(left) => {
                let left: Vec<&str> = left
                    .failures()
                    .iter()
                    .map(|failure| failure.id.as_str())
                    .collect();
                batch.failing = (ids.iter().find(|id| left.contains(&id.as_str()))).map(|id| (id.clone(), 1));
                batch.done = ids
                    .into_iter()
                    .filter(|id| !left.contains(&id.as_str()))
                    .collect();
            }
            _ => return outcome,
        }
        self.events.progress.keep(key, batch);
        outcome
    }

    async fn one_by_one(
        &self,
        key: Key,
        mut batch: Batch,
        event: Event,
        headers: &HeaderMap,
        again: &impl Fn() -> Option<Event>,
    ) -> Outcome {
        // The Functions host waits for the whole: what is not begun by half of the time comes again without having been tried.
        let half = self
            .package
            .wiring
            .timeout
            .map(|timeout: Duration| Instant::now() + timeout / 2);
        let mut begun = false;
        let mut event = event;
        let undecodable = std::mem::take(&mut event.undecodable);
        for (index, record) in (0..).zip(event.into_records()) {
            let ids = ids(&record);
            let Some(id) = ids.first().filter(|id| !batch.done.contains(*id)) else {
                continue;
            };
            if begun && half.is_some_and(|half| half <= Instant::now()) {
                self.events.progress.keep(key, batch);
                return Outcome::Failed(Error::new(
                    ErrorKind::Cancelled,
                    "host.batch",
                    "what is left of the batch was not begun for want of time",
                ));
            }
            begun = true;
            let attempt = batch.attempt(id);
            let alone = || again()?.into_records().into_iter().nth(index);
            let outcome = self
                .function
                .dispatch(record, self.context(headers, attempt))
                .await;
            let error = match self.events.settle(outcome, alone, attempt).await {
                Outcome::Failed(error) => Some(error),
                Outcome::Batch(left) => left
                    .into_failures()
                    .into_iter()
                    .next()
                    .map(|failure| failure.error),
                _ => None,
            };
            if let Some(error) = error {
                batch.failing = Some((id.clone(), attempt));
                self.events.progress.keep(key, batch);
                return Outcome::Failed(error);
            }
            batch.done.insert(id.clone());
        }
        let mut left = BatchOutcome::new();
        left.extend(
            undecodable
                .into_iter()
                .filter(|failure| !batch.done.contains(&failure.id)),
        );
        let outcome = self.events.settle(left.into(), again, batch.tries + 1).await;
        match outcome {
            Outcome::Ack => self.events.progress.forget(&key),
            _ => self.events.progress.keep(key, batch),
        }
        outcome
    }
}

/// The ids of all records, also of those that could not be decoded.
fn ids(event: &Event) -> Vec<String> {
    let undecodable = event.undecodable.iter().map(|failure| failure.id.clone());
    let decoded = event.record_ids().into_iter().map(str::to_owned);
    decoded.chain(undecodable).collect()
}
