//! The pump of streams and tables: reads on from its checkpoint, in order, and stops at the first failure.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use nephos_core::dead_letter::{self, Given};
use nephos_core::event::{Attributes, Change, ChangeKind, Data, Event, Payload, Record, cloudevents as wire};
use nephos_core::{Disposition, Error, ErrorKind, Outcome, Result};
use tokio_util::sync::CancellationToken;

use super::{Feed, Running, backoff};
use crate::deploy::activity::Activity;
use crate::deploy::store::Checkpoint;

/// The wait after the store failed.
const TROUBLE: Duration = Duration::from_secs(1);

/// Which log it follows.
#[derive(Debug, Clone)]
enum Log {
    Stream(String),
    Table(String, BTreeSet<ChangeKind>),
}

impl Log {
    fn name(&self) -> &str {
        match self {
            Self::Stream(name) | Self::Table(name, _) => name,
        }
    }
}

/// One entry, with its position in the log.
#[derive(Debug, Clone)]
enum Entry {
    Record(Record<Payload>),
    Change(Change<serde_json::Value>),
}

impl Entry {
    fn id(&self) -> &str {
        match self {
            Self::Record(record) => &record.sequence,
            Self::Change(change) => &change.sequence,
        }
    }
}

/// Feeds a function from a stream, or from the changes of a table.
#[derive(Debug)]
pub struct LogPump {
    feed: Feed,
    log: Log,
    batch: usize,
    consumer: String,
    /// Up to here entries go one by one: a batch with them failed as a whole, and which of them is to blame is not known.
    alone_until: AtomicI64,
}

/// What came of a delivery.
enum Step {
    /// All of it is done with.
    Forward,
    /// The entry at the checkpoint failed: deliver again after this wait.
    Again(Duration),
}

impl LogPump {
    /// A pump from a stream. `consumer` is the name of its checkpoint.
    #[must_use]
    pub fn stream(feed: Feed, stream: &str, batch: usize, consumer: String) -> Self {
        Self {
            feed,
            log: Log::Stream(stream.to_owned()),
            batch: batch.max(1),
            consumer,
            alone_until: AtomicI64::new(i64::MIN),
        }
    }

    /// A pump from a table's changes of these kinds.
    #[must_use]
    pub fn table(
        feed: Feed,
        table: &str,
        events: BTreeSet<ChangeKind>,
        batch: usize,
        consumer: String,
    ) -> Self {
        Self {
            feed,
            log: Log::Table(table.to_owned(), events),
            batch: batch.max(1),
            consumer,
            alone_until: AtomicI64::new(i64::MIN),
        }
    }

    /// Starts it.
    #[must_use]
    pub fn start(self) -> Running {
        Running::spawn(|cancel| async move { self.run(cancel).await })
    }

    async fn run(self, cancel: CancellationToken) {
        // Taken before the first look, so that nothing comes in between unseen.
        let mut wake = self.feed.store.wake(self.log.name());
        loop {
            let wait = match self.step(&cancel).await {
                Ok(Some(Step::Forward)) => continue,
                Ok(Some(Step::Again(wait))) => wait,
                Ok(None) => {
                    tokio::select! {
                        () = cancel.cancelled() => return,
                        () = wake.changed() => continue,
                    }
                }
                Err(error) => {
                    self.trouble(&error);
                    TROUBLE
                }
            };
            tokio::select! {
                () = cancel.cancelled() => return,
                () = tokio::time::sleep(wait) => {}
            }
        }
    }

    /// Delivers the next batch; `None` when there is nothing to deliver.
    async fn step(&self, cancel: &CancellationToken) -> Result<Option<Step>> {
        if cancel.is_cancelled() {
            return Ok(Some(Step::Again(Duration::ZERO)));
        }
        let store = &self.feed.store;
        let checkpoint = store.checkpoint(&self.consumer, self.log.name()).await?;
        // After a failure the head goes alone: which of a batch is to blame may not be known otherwise, and the others should not wait for it.
        let alone = checkpoint.attempts > 0 || checkpoint.position < self.alone_until.load(Ordering::Relaxed);
        let most = if alone { 1 } else { self.batch };
        let (entries, passed) = self.next(checkpoint.position, most).await?;
        if entries.is_empty() {
            if passed > checkpoint.position {
                self.advance(passed, 0).await?;
                return Ok(Some(Step::Forward));
            }
            return Ok(None);
        }
        let event = self.event(entries.iter().map(|(_, entry)| entry.clone()));
        let attempt = checkpoint.attempts + 1;
        let outcome = match self
            .feed
            .invoker
            .invoke(&self.feed.function, &event, attempt)
            .await
        {
            Ok(outcome) => outcome,
            Err(error) => Outcome::Failed(error),
        };
        self.settle(checkpoint, entries, passed, outcome).await.map(Some)
    }

    /// The next entries behind a position that the trigger is for, and the position behind all that was looked at.
    async fn next(&self, after: i64, most: usize) -> Result<(Vec<(i64, Entry)>, i64)> {
        let store = &self.feed.store;
        match &self.log {
            Log::Stream(name) => {
                let records = store.records(name, after, most).await?;
                let passed = records.last().map_or(after, |(position, _)| *position);
                Ok((
                    records
                        .into_iter()
                        .map(|(position, record)| (position, Entry::Record(record)))
                        .collect(),
                    passed,
                ))
            }
            Log::Table(name, kinds) => {
                // Looks at a batch even when one entry is wanted: most may be of kinds that the trigger is not for.
                let changes = store.changes(name, after, self.batch).await?;
                let mut passed = after;
                let mut entries = Vec::new();
                for (position, change) in changes {
                    if kinds.contains(&change.kind) {
                        if entries.len() == most {
                            break;
                        }
                        entries.push((position, Entry::Change(change)));
                    }
                    passed = position;
                }
                Ok((entries, passed))
            }
        }
    }

    fn event(&self, entries: impl Iterator<Item = Entry>) -> Event {
        let (mut records, mut changes) = (Vec::new(), Vec::new());
        for entry in entries {
            match entry {
                Entry::Record(record) => records.push(record),
                Entry::Change(change) => changes.push(change),
            }
        }
        let name = self.log.name();
        match self.log {
            Log::Stream(_) => Event::new(
                Attributes::new(format!("stream/{name}"), wire::STREAM_RECORD),
                Data::Stream(records),
            ),
            Log::Table(..) => {
                let ty = changes
                    .first()
                    .map_or(wire::TABLE_MODIFIED, |change| type_of(change.kind));
                Event::new(Attributes::new(format!("table/{name}"), ty), Data::Table(changes))
            }
        }
    }

    /// Goes through the entries in order: past those that are done, past those that are given up, up to the first that must come again.
    async fn settle(
        &self,
        checkpoint: Checkpoint,
        entries: Vec<(i64, Entry)>,
        passed: i64,
        outcome: Outcome,
    ) -> Result<Step> {
        let alone = entries.len() == 1;
        let mut failures: HashMap<String, Arc<Error>> = HashMap::new();
        match outcome {
            Outcome::Failed(error) if !alone && error.disposition() == Disposition::Retry => {
                // Nothing is done, and nothing is given up before it has failed alone.
                if let Some((last, _)) = entries.last() {
                    self.alone_until.store(*last, Ordering::Relaxed);
                }
                let tried = checkpoint.attempts + 1;
                self.advance(checkpoint.position, tried).await?;
                return Ok(Step::Again(backoff(&self.feed.spec.retry, tried)));
            }
            Outcome::Failed(error) => {
                // A refusal of the whole batch refuses each entry.
                let error = Arc::new(error);
                failures.extend(
                    entries
                        .iter()
                        .map(|(_, entry)| (entry.id().to_owned(), Arc::clone(&error))),
                );
            }
            Outcome::Batch(batch) => {
                failures.extend(
                    batch
                        .into_failures()
                        .into_iter()
                        .map(|failure| (failure.id, Arc::new(failure.error))),
                );
            }
            _ => {}
        }
        let head = entries.first().map(|(position, _)| *position);
        let mut done = checkpoint.position;
        for (position, entry) in entries {
            let Some(error) = failures.get(entry.id()) else {
                done = position;
                continue;
            };
            if error.kind() == ErrorKind::Cancelled && Some(position) != head {
                // It only waited behind one that failed: it was not tried. The head waits for none, so there the error is the handler's own.
                self.advance(done, 0).await?;
                return Ok(Step::Again(Duration::ZERO));
            }
            let tried = if Some(position) == head {
                checkpoint.attempts + 1
            } else {
                1
            };
            let given_up = error.disposition() == Disposition::Reject
                // In a batch another entry may be to blame: nothing is given up before it has failed alone.
                || (tried >= self.feed.spec.retry.attempts && (alone || self.feed.spec.retry.attempts == 1));
            if given_up {
                self.give_up(position, entry, tried, error).await?;
                done = position;
                continue;
            }
            self.advance(done, tried).await?;
            return Ok(Step::Again(backoff(&self.feed.spec.retry, tried)));
        }
        self.advance(passed, 0).await?;
        Ok(Step::Forward)
    }

    async fn advance(&self, position: i64, attempts: u32) -> Result<()> {
        self.feed
            .store
            .advance(&self.consumer, self.log.name(), Checkpoint { position, attempts })
            .await
    }

    async fn give_up(&self, position: i64, entry: Entry, attempts: u32, error: &Error) -> Result<()> {
        let id = entry.id().to_owned();
        let (ty, source) = match (&entry, &self.log) {
            (Entry::Change(change), _) => (type_of(change.kind), format!("table/{}", self.log.name())),
            (Entry::Record(_), _) => (wire::STREAM_RECORD, format!("stream/{}", self.log.name())),
        };
        let given = Given {
            function: &self.feed.function,
            id: &id,
            ty,
            source: &source,
            attempts,
            error,
        };
        let dead = match entry {
            Entry::Record(record) => dead_letter::of_record(record.body, record.attributes, given),
            // A change has no body of its own.
            change @ Entry::Change(_) => {
                let body = dead_letter::body(&self.event(std::iter::once(change)))?;
                dead_letter::of_record(body, BTreeMap::new(), given)
            }
        };
        let queue = &self.feed.spec.dead_letter;
        let to = Checkpoint {
            position,
            attempts: 0,
        };
        self.feed
            .store
            .advance_dead(&self.consumer, self.log.name(), to, queue, dead)
            .await?;
        self.feed.activities.tell(Activity::DeadLettered {
            function: self.feed.function.to_string(),
            id,
            reason: error.chain(),
            queue: queue.clone(),
            attempts,
        });
        Ok(())
    }

    fn trouble(&self, error: &Error) {
        let message = format!(
            "{} ({}): could not read on: {}",
            self.feed.function,
            self.log.name(),
            error.chain()
        );
        self.feed.activities.trouble(message);
    }
}

fn type_of(kind: ChangeKind) -> &'static str {
    match kind {
        ChangeKind::Inserted => wire::TABLE_INSERTED,
        ChangeKind::Modified => wire::TABLE_MODIFIED,
        ChangeKind::Removed => wire::TABLE_REMOVED,
    }
}
