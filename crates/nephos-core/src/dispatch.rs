//! From event to outcome: arguments, deadline, panics, and records one by one.

use std::collections::BTreeSet;
use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::pin::{Pin, pin};
use std::task::{Poll, ready};

use tokio::task::unconstrained;
use tokio::time::{Instant, Sleep};

use crate::context::Context;
use crate::error::{Error, ErrorKind};
use crate::event::{Data, Event, RecordFailure, TriggerKind};
use crate::handler::{Function, OutcomeFuture, Shape};
use crate::outcome::{BatchOutcome, Outcome};

/// A dispatch under way. It is small, whatever the handler's own state is: hosts put it into futures of theirs, which are moved.
#[derive(Debug)]
#[must_use = "a handler does nothing unless it is awaited"]
pub struct Dispatch {
    begun: Begun,
    undecodable: Vec<RecordFailure>,
}

/// What a dispatch has come to before it is awaited.
enum Begun {
    /// It has ended; `None` once that was told.
    Done(Option<Box<Outcome>>),
    /// The handler was called; with the ids of the records that it was called with.
    Running(Running, Vec<String>),
    /// The handler was called with the one record that there is, which has this id.
    One(Running, String),
    /// Records one by one.
    Records(OutcomeFuture),
}

impl std::fmt::Debug for Begun {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Done(_) => "Done",
            Self::Running(..) => "Running",
            Self::One(..) => "One",
            Self::Records(_) => "Records",
        })
    }
}

impl Future for Dispatch {
    type Output = Outcome;

    fn poll(mut self: Pin<&mut Self>, task: &mut std::task::Context<'_>) -> Poll<Outcome> {
        let outcome = match &mut self.begun {
            Begun::Done(outcome) => match outcome.take() {
                Some(outcome) => *outcome,
                None => return Poll::Pending,
            },
            Begun::Running(running, ids) => of_known(ready!(Pin::new(running).poll(task)), ids),
            Begun::One(running, id) => of_one(ready!(Pin::new(running).poll(task)), id),
            Begun::Records(outcome) => ready!(outcome.as_mut().poll(task)),
        };
        let undecodable = std::mem::take(&mut self.undecodable);
        self.begun = Begun::Done(None);
        Poll::Ready(with_failures(outcome, undecodable))
    }
}

impl Function {
    /// Handles one event: never panics, never runs past the context's deadline, and gives each record its own outcome. The handler is called at once, and runs as what
    /// is returned is awaited.
    pub fn dispatch(&self, mut event: Event, cx: Context) -> Dispatch {
        let undecodable = std::mem::take(&mut event.undecodable);
        let cx = cx.with_raw(event.raw.clone());
        Dispatch {
            begun: self.begin(event, cx),
            undecodable,
        }
    }

    #[inline(always)]
    fn begin(&self, event: Event, cx: Context) -> Begun {
        let ids = event.record_ids();
        if event.kind().has_records() {
            if ids.is_empty() {
                // Not one record could be decoded: there is nothing to call the handler with.
                return Begun::Done(Some(Box::new(Outcome::Ack)));
            }
            if self.info().shape == Shape::EachRecord {
                // Most queues hand over one message at a time: it needs no place among others.
                if ids.len() == 1 {
                    let Place { id, attempt, .. } = Place::of(&event);
                    return match self.run(event, cx.for_record(attempt)) {
                        Ok(running) => Begun::One(running, id),
                        Err(outcome) => Begun::Done(Some(Box::new(of_one(*outcome, &id)))),
                    };
                }
                let function = self.clone();
                return Begun::Records(Box::pin(
                    async move { function.dispatch_records(event, &cx).await },
                ));
            }
        }
        let ids = ids.into_iter().map(str::to_owned).collect();
        match self.run(event, cx) {
            Ok(running) => Begun::Running(running, ids),
            Err(outcome) => Begun::Done(Some(outcome)),
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
            let outcome = match self.run(record, cx.for_record(place.attempt)) {
                Ok(running) => running.await,
                Err(outcome) => *outcome,
            };
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

    /// Calls the handler with one event, under deadline and panic guard. The error is an outcome that is there already.
    #[inline]
    fn run(&self, event: Event, cx: Context) -> std::result::Result<Running, Box<Outcome>> {
        let failed = |error| Box::new(Outcome::Failed(error));
        let deadline = cx.deadline();
        if deadline.is_some_and(|deadline| deadline <= Instant::now()) {
            return Err(failed(deadline_exceeded()));
        }
        let records = event.record_ids().len();
        let called = std::panic::catch_unwind(AssertUnwindSafe(|| self.call(event, cx)));
        let (future, failures) = match called {
            Ok(Ok(called)) => called,
            Ok(Err(error)) => return Err(failed(error)),
            Err(panic) => return Err(failed(panicked(&*panic))),
        };
        if records > 0 && failures.len() == records {
            // The handler would be called with an empty batch; its future was not polled, so it has done nothing.
            return Err(Box::new(with_failures(Outcome::Ack, failures)));
        }
        Ok(Running {
            future: Some(future),
            deadline,
            timer: None,
            failures,
        })
    }
}

/// A handler that was called and has not answered: awaited until its deadline, and a panic becomes an error, also one in what it drops when its time is over.
struct Running {
    /// None once it has answered.
    future: Option<OutcomeFuture>,
    deadline: Option<Instant>,
    /// Set once the handler waits for something: many answer at once.
    timer: Option<Pin<Box<Sleep>>>,
    /// Records that did not decode.
    failures: Vec<RecordFailure>,
}

impl Future for Running {
    type Output = Outcome;

    fn poll(mut self: Pin<&mut Self>, task: &mut std::task::Context<'_>) -> Poll<Outcome> {
        let this = &mut *self;
        let Some(future) = &mut this.future else {
            return Poll::Pending;
        };
        let polled = std::panic::catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(task)));
        let outcome = match polled {
            Ok(Poll::Ready(outcome)) => outcome,
            Ok(Poll::Pending) => {
                let Some(deadline) = this.deadline else {
                    return Poll::Pending;
                };
                let timer = this
                    .timer
                    .get_or_insert_with(|| Box::pin(tokio::time::sleep_until(deadline)));
                // A handler that uses up its task's turn each time must not keep its timer from being looked at.
                ready!(pin!(unconstrained(timer)).poll(task));
                Outcome::Failed(deadline_exceeded())
            }
            Err(panic) => Outcome::Failed(panicked(&*panic)),
        };
        let dropped = std::panic::catch_unwind(AssertUnwindSafe(|| this.future = None));
        let outcome = match dropped {
            Ok(()) => outcome,
            Err(panic) => Outcome::Failed(panicked(&*panic)),
        };
        Poll::Ready(with_failures(outcome, std::mem::take(&mut this.failures)))
    }
}

/// What a handler of single records made of the only one, which has this id.
fn of_one(outcome: Outcome, id: &str) -> Outcome {
    let mut failures = BatchOutcome::new();
    if let Outcome::Failed(error) = outcome {
        failures.fail(id, error);
    }
    failures.into()
}

/// What a handler of whole events made of the records with these ids.
fn of_known(outcome: Outcome, ids: &[String]) -> Outcome {
    let Outcome::Batch(batch) = outcome else {
        return outcome;
    };
    // An id that is not in the batch is the handler's mistake; acknowledging the rest could lose what it meant.
    match batch.failures().iter().find(|failure| !ids.contains(&failure.id)) {
        Some(unknown) => Outcome::Failed(
            Error::new(
                ErrorKind::Handler,
                "handler",
                "the handler reported a failure of a record that is not in its batch; all are retried",
            )
            .with("id", &unknown.id),
        ),
        None => Outcome::Batch(without_repeats(batch)),
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
