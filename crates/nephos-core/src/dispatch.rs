//! From event to outcome: arguments, deadline, panics, and records one by one.

use std::collections::BTreeSet;
use std::panic::AssertUnwindSafe;

use futures::FutureExt as _;
use tokio::time::Instant;

use crate::context::Context;
use crate::error::{Error, ErrorKind, Result};
use crate::event::{Data, Event, RecordFailure, TriggerKind};
use crate::handler::{Function, OutcomeFuture, Shape};
use crate::outcome::{BatchOutcome, Outcome};

impl Function {
    /// Handles one event: never panics, never runs past the context's deadline, and gives each record its own outcome.
    pub async fn dispatch(&self, mut event: Event, cx: Context) -> Outcome {
        let undecodable = std::mem::take(&mut event.undecodable);
        let cx = cx.with_raw(event.raw.clone());
        let outcome = if event.kind().has_records() && event.record_ids().is_empty() {
            // Not one record could be decoded: there is nothing to call the handler with.
            Outcome::Ack
        } else if self.info().shape == Shape::EachRecord && event.kind().has_records() {
            self.dispatch_records(event, &cx).await
        } else {
            self.dispatch_whole(event, cx).await
        };
        with_failures(outcome, undecodable)
    }

    async fn dispatch_whole(&self, event: Event, cx: Context) -> Outcome {
        let ids: Vec<String> = event.record_ids().into_iter().map(str::to_owned).collect();
        let outcome = self.run(event, cx).await;
        match outcome {
            // An id that is not in the batch is the handler's mistake; acknowledging the rest could lose what it meant.
            Outcome::Batch(batch) => match batch.failures().iter().find(|failure| !ids.contains(&failure.id)) {
                Some(unknown) => Outcome::Failed(
                    Error::new(
                        ErrorKind::Handler,
                        "handler",
                        "the handler reported a failure of a record that is not in its batch; all are retried",
                    )
                    .with("id", &unknown.id),
                ),
                None => Outcome::Batch(without_repeats(batch)),
            },
            outcome => outcome,
        }
    }

    async fn dispatch_records(&self, event: Event, cx: &Context) -> Outcome {
        let kind = event.kind();
        let mut failures = BatchOutcome::new();
        let mut blocked = Blocked::default();
        let mut begun = false;
        for record in event.into_records() {
            let place = Place::of(&record);
            if blocked.holds(kind, &place) {
                failures.fail(
                    place.id,
                    Error::new(
                        ErrorKind::Cancelled,
                        "handler",
                        "a record before it failed, and order must be kept",
                    ),
                );
                continue;
            }
            if begun && cx.deadline().is_some_and(|deadline| deadline <= Instant::now()) {
                failures.fail(
                    place.id,
                    Error::new(
                        ErrorKind::Cancelled,
                        "handler",
                        "a record before it took all of the time, and it was not begun",
                    ),
                );
                continue;
            }
            begun = true;
            let outcome = self.run(record, cx.for_record(place.attempt)).await;
            if let Outcome::Failed(error) = outcome {
                // A record that is dead-lettered no longer stands in the way of those behind it.
                if error.disposition() == crate::error::Disposition::Retry {
                    blocked.add(&place);
                }
                failures.fail(place.id, error);
            }
        }
        failures.into()
    }

    /// Runs the handler on one event under deadline and panic guard.
    async fn run(&self, event: Event, cx: Context) -> Outcome {
        let deadline = cx.deadline();
        if deadline.is_some_and(|deadline| deadline <= Instant::now()) {
            return Outcome::Failed(deadline_exceeded());
        }
        let records = event.record_ids().len();
        let called = std::panic::catch_unwind(AssertUnwindSafe(|| self.call(event, cx)));
        let (future, failures) = match called {
            Ok(Ok(called)) => called,
            Ok(Err(error)) => return Outcome::Failed(error),
            Err(panic) => return Outcome::Failed(panicked(&*panic)),
        };
        if records > 0 && failures.len() == records {
            // The handler would be called with an empty batch; its future was not polled, so it has done nothing.
            return with_failures(Outcome::Ack, failures);
        }
        let outcome = guarded(future, deadline).await.unwrap_or_else(Outcome::Failed);
        with_failures(outcome, failures)
    }
}

/// Awaits the handler until the deadline; a panic becomes an error, also one in what it drops when its time is over.
async fn guarded(future: OutcomeFuture, deadline: Option<Instant>) -> Result<Outcome> {
    let timed = async move {
        match deadline {
            Some(deadline) => tokio::time::timeout_at(deadline, future)
                .await
                .map_err(|_| deadline_exceeded()),
            None => Ok(future.await),
        }
    };
    match AssertUnwindSafe(timed).catch_unwind().await {
        Ok(finished) => finished,
        Err(panic) => Err(panicked(&*panic)),
    }
}

/// A record that the handler reported twice counts once, with its first error.
fn without_repeats(batch: BatchOutcome) -> BatchOutcome {
    let mut seen = BTreeSet::new();
    let mut once = BatchOutcome::new();
    once.extend(
        batch
            .into_failures()
            .into_iter()
            .filter(|failure| seen.insert(failure.id.clone())),
    );
    once
}

fn deadline_exceeded() -> Error {
    Error::new(
        ErrorKind::DeadlineExceeded,
        "handler",
        "the function did not finish in time; raise its `timeout` in nephos.toml or do less at once",
    )
}

fn panicked(panic: &(dyn std::any::Any + Send)) -> Error {
    let text = panic
        .downcast_ref::<&str>()
        .map(|text| (*text).to_owned())
        .or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "a panic without text".to_owned());
    Error::new(
        ErrorKind::Panicked,
        "handler",
        format!("the handler panicked: {text}"),
    )
}

/// Adds records that failed before the handler saw them to what it made of the others.
fn with_failures(outcome: Outcome, failures: Vec<RecordFailure>) -> Outcome {
    if failures.is_empty() {
        return outcome;
    }
    match outcome {
        // All are delivered again, those that do not decode among them: they fail alone then.
        Outcome::Failed(error) => Outcome::Failed(error),
        Outcome::Batch(mut batch) => {
            batch.extend(failures);
            Outcome::Batch(batch)
        }
        // Nobody hears an answer to records.
        _ => {
            let mut batch = BatchOutcome::new();
            batch.extend(failures);
            Outcome::Batch(batch)
        }
    }
}

/// What tells a record's place: its id, and what it must stay in order with.
struct Place {
    id: String,
    attempt: Option<u32>,
    order: Option<String>,
}

impl Place {
    fn of(event: &Event) -> Self {
        match &event.data {
            Data::Queue(records) => records.first().map(|message| Self {
                id: message.id.clone(),
                attempt: Some(message.attempt),
                order: message.group.clone(),
            }),
            Data::Stream(records) => records.first().map(|record| Self {
                id: record.sequence.clone(),
                attempt: None,
                order: Some(record.partition_key.clone()),
            }),
            Data::Table(records) => records.first().map(|change| Self {
                id: change.sequence.clone(),
                attempt: None,
                order: Some(change.key.to_string()),
            }),
            _ => None,
        }
        .unwrap_or_else(|| Self {
            id: event.attributes.id.clone(),
            attempt: None,
            order: None,
        })
    }
}

/// What stands still behind a failed record: in a stream everything, in a queue its group.
#[derive(Default)]
struct Blocked {
    orders: Vec<String>,
    any: bool,
}

impl Blocked {
    fn add(&mut self, place: &Place) {
        self.any = true;
        if let Some(order) = &place.order {
            self.orders.push(order.clone());
        }
    }

    fn holds(&self, kind: TriggerKind, place: &Place) -> bool {
        if kind.is_ordered() {
            // A shard's checkpoint is one number: what lies behind the first failure is delivered again in any case.
            return self.any;
        }
        place
            .order
            .as_ref()
            .is_some_and(|order| self.orders.contains(order))
    }
}

#[cfg(test)]
mod tests;
