//! The embedded queue: the driver, and settling a whole batch at once.

use std::any::Any;
use std::fmt;
use std::mem;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use nephos_core::app::QueueSpec;
use nephos_core::event::{Message, Payload};
use nephos_core::resource::queue::{Depth, Outgoing, QueueCapabilities, QueueDriver, Receipt, Received};
use nephos_core::{Error, ErrorKind, Result};
use rusqlite::params;
use tokio::time::{Instant, sleep_until, timeout_at};

use super::clock::millis;
use super::db::WriterHandle;
use super::failure::Sql;
use super::message::{self, Held, Lease};
use super::writer::{Durability, Tx};
use super::{Inner, Store};
use crate::resources::capabilities;

/// A queue of the store.
#[derive(Clone)]
pub struct EmbeddedQueue {
    store: Store,
    name: Arc<str>,
    spec: Arc<QueueSpec>,
}

impl fmt::Debug for EmbeddedQueue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EmbeddedQueue")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

/// Messages that were leased for a caller. If the caller is gone before it gets them, they go back as if nothing had happened.
pub(super) struct Leased {
    queue: Arc<str>,
    leases: Vec<Lease>,
    received: Vec<Received>,
    /// When the next hidden message becomes visible, if none was received.
    next_due: Option<i64>,
    writer: WriterHandle,
}

impl Leased {
    fn take(mut self) -> (Vec<Received>, Option<i64>) {
        self.leases.clear();
        (mem::take(&mut self.received), self.next_due)
    }
}

impl Drop for Leased {
    fn drop(&mut self) {
        if self.leases.is_empty() {
            return;
        }
        let (queue, leases) = (Arc::clone(&self.queue), mem::take(&mut self.leases));
        self.writer.post("queue.receive", move |tx| {
            leases
                .iter()
                .try_for_each(|lease| message::unlease(tx, &queue, *lease))
        });
    }
}

impl EmbeddedQueue {
    pub(super) fn new(store: Store, name: &str, spec: &QueueSpec) -> Self {
        Self {
            store,
            name: name.into(),
            spec: Arc::new(spec.clone()),
        }
    }

    /// Its messages in the order of their sending, at most `max`, without receiving them.
    ///
    /// # Errors
    /// The file's.
    pub async fn peek(&self, max: usize) -> Result<Vec<Message<Payload>>> {
        self.store.peek(&self.name, max).await
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What it was declared with.
    #[must_use]
    pub fn spec(&self) -> &QueueSpec {
        &self.spec
    }

    fn inner(&self) -> &Inner {
        &self.store.inner
    }

    /// One try to receive.
    pub(super) async fn lease(&self, max: usize, visibility_timeout: Duration) -> Result<Leased> {
        let (queue, spec, inner) = (Arc::clone(&self.name), Arc::clone(&self.spec), self.inner());
        let lease = move |tx: &mut Tx<'_>| {
            let leased = message::lease(tx, &queue, &spec, max, visibility_timeout)?;
            let next_due = if leased.is_empty() {
                message::next_due(tx.conn, &queue, tx.now)?
            } else {
                None
            };
            Ok((leased, next_due))
        };
        let (queue, id, writer) = (Arc::clone(&self.name), Arc::clone(&inner.id), inner.db.writer());
        // Only what is durable is wrapped: an attempt that was rolled back has no lease to give back.
        let wrap = move |(leased, next_due): (Vec<(Lease, _)>, _)| Leased {
            queue,
            leases: leased.iter().map(|(lease, _)| *lease).collect(),
            received: leased
                .into_iter()
                .map(|(lease, message)| message::received(&id, lease, message))
                .collect(),
            next_due,
            writer,
        };
        inner
            .db
            .write_then("queue.receive", Durability::Process, lease, wrap)
            .await
    }

    async fn with_held<T, F>(&self, operation: &'static str, receipt: &Receipt, mut then: F) -> Result<T>
    where
        T: Send + 'static,
        F: FnMut(&mut Tx<'_>, &str, Held) -> Sql<T> + Send + 'static,
    {
        let (queue, id, receipt) = (
            Arc::clone(&self.name),
            Arc::clone(&self.inner().id),
            receipt.clone(),
        );
        self.inner()
            .db
            .write(operation, move |tx| {
                let held = message::held(tx, &id, &queue, &receipt)?;
                then(tx, &queue, held)
            })
            .await
            .map_err(|error| error.with("queue", &self.name))
    }
}

fn stale(operation: &'static str) -> Error {
    Error::new(
        ErrorKind::Conflict,
        operation,
        "the lease is over and the message was given back or went to another receiver; receive it again",
    )
}

#[async_trait]
impl QueueDriver for EmbeddedQueue {
    fn capabilities(&self) -> QueueCapabilities {
        capabilities::QUEUE
    }

    async fn send_batch(&self, batch: &[Outgoing]) -> Result<Vec<String>> {
        let (queue, spec, batch) = (Arc::clone(&self.name), Arc::clone(&self.spec), batch.to_vec());
        self.inner()
            .db
            .write("queue.send", move |tx| {
                batch
                    .iter()
                    .map(|outgoing| {
                        let id = message::new_id();
                        message::insert(tx, &queue, &spec, &id, outgoing)?;
                        Ok(id)
                    })
                    .collect()
            })
            .await
    }

    async fn receive(
        &self,
        max: usize,
        visibility_timeout: Duration,
        wait: Duration,
    ) -> Result<Vec<Received>> {
        let max = max.min(capabilities::QUEUE.max_receive);
        // A wait without end in practice; the sum must stay an instant.
        let deadline = Instant::now() + wait.min(Duration::from_secs(24 * 3600));
        let mut wake = self.store.wake(&self.name);
        loop {
            let (received, next_due) = self.lease(max, visibility_timeout).await?.take();
            if !received.is_empty() || Instant::now() >= deadline {
                return Ok(received);
            }
            match next_due {
                None => {
                    timeout_at(deadline, wake.changed()).await.ok();
                }
                Some(due) => {
                    let hidden = due.saturating_sub(self.inner().clock.now()).max(0);
                    let due = Instant::now() + Duration::from_millis(hidden.unsigned_abs());
                    tokio::select! {
                        () = wake.changed() => {}
                        () = sleep_until(due.min(deadline)) => {}
                    }
                }
            }
        }
    }

    async fn ack(&self, receipts: &[Receipt]) -> Result<()> {
        let settled = self
            .store
            .settle(&self.name, receipts.to_vec(), Vec::new(), Vec::new());
        settled.await
    }

    async fn nack(&self, receipt: &Receipt, delay: Duration) -> Result<()> {
        self.with_held("queue.nack", receipt, move |tx, queue, held| match held {
            Held::Yes(lease) => {
                let at = tx.now.saturating_add(millis(delay));
                message::give_back(tx, queue, lease, at)
            }
            Held::GivenBack | Held::Gone => Ok(()),
            Held::Passed => Err(stale("queue.nack").into()),
        })
        .await
    }

    async fn extend(&self, receipt: &Receipt, visibility_timeout: Duration) -> Result<Receipt> {
        let same = receipt.clone();
        self.with_held("queue.extend", receipt, move |tx, _, held| match held {
            Held::Yes(lease) => {
                message::extend(tx, lease, tx.now.saturating_add(millis(visibility_timeout)))?;
                Ok(same.clone())
            }
            Held::Gone => Err(Error::new(
                ErrorKind::Conflict,
                "queue.extend",
                "the message is gone: it was acknowledged, or its retention ended",
            )
            .into()),
            Held::GivenBack | Held::Passed => Err(stale("queue.extend").into()),
        })
        .await
    }

    async fn depth(&self) -> Result<Depth> {
        let queue = Arc::clone(&self.name);
        self.inner()
            .db
            .read("queue.depth", move |conn, now| {
                let mut statement = conn.prepare_cached(
                    "SELECT
                        count(*) FILTER (WHERE visible_at <= ?2),
                        count(*) FILTER (WHERE visible_at > ?2 AND leased = 1),
                        count(*) FILTER (WHERE visible_at > ?2 AND leased = 0),
                        count(*) FILTER (WHERE visible_at IS NULL)
                     FROM message WHERE queue = ?1",
                )?;
                let counts = statement.query_row(params![&*queue, now], |row| {
                    let count = |index| row.get::<_, i64>(index).map(i64::unsigned_abs);
                    Ok((count(0)?, count(1)?, count(2)?, count(3)?))
                })?;
                let (ready, leased, delayed, behind) = counts;
                // What waits for its turn in a group is not hidden, only not first.
                Ok(Depth::apart(ready + behind, leased, delayed))
            })
            .await
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

impl Store {
    /// Settles a batch of `queue` in one transaction: `acks` are deleted, `nacks` become visible again after their delay, and each of
    /// `dead` is deleted and its message sent to the dead-letter queue named with it. What another receiver has by now, or what is
    /// gone, is left alone (and not dead-lettered); all others are settled.
    ///
    /// # Errors
    /// [`ErrorKind::Conflict`] if one of the leases has passed to another receiver (the rest is settled),
    /// [`ErrorKind::InvalidArgument`] for what is no receipt (then nothing is settled), or the file's error (nothing is settled).
    pub async fn settle(
        &self,
        queue: &str,
        acks: Vec<Receipt>,
        nacks: Vec<(Receipt, Duration)>,
        dead: Vec<(Receipt, String, Outgoing)>,
    ) -> Result<()> {
        let operation = "queue.ack";
        let (name, id) = (queue.to_owned(), Arc::clone(&self.inner.id));
        let dead: Vec<_> = dead
            .into_iter()
            .map(|(receipt, to, outgoing)| {
                let spec = self.inner.queue_spec(&to);
                (receipt, to, spec, outgoing)
            })
            .collect();
        let settle = move |tx: &mut Tx<'_>| {
            let mut passed = 0_usize;
            let mut lease_of = |tx: &Tx<'_>, receipt: &Receipt| -> Sql<Option<Lease>> {
                Ok(match message::held(tx, &id, &name, receipt)? {
                    Held::Yes(lease) => Some(lease),
                    Held::Gone => None,
                    Held::GivenBack | Held::Passed => {
                        passed += 1;
                        None
                    }
                })
            };
            for receipt in &acks {
                if let Some(lease) = lease_of(tx, receipt)? {
                    message::remove(tx, &name, lease.seq)?;
                }
            }
            for (receipt, delay) in &nacks {
                if let Some(lease) = lease_of(tx, receipt)? {
                    let at = tx.now.saturating_add(millis(*delay));
                    message::give_back(tx, &name, lease, at)?;
                }
            }
            for (receipt, to, spec, outgoing) in &dead {
                if let Some(lease) = lease_of(tx, receipt)? {
                    message::insert(tx, to, spec, &message::new_id(), outgoing)?;
                    message::remove(tx, &name, lease.seq)?;
                }
            }
            Ok(passed)
        };
        match self.inner.db.write(operation, settle).await? {
            0 => Ok(()),
            passed => Err(stale(operation).with("queue", queue).with("stale", passed)),
        }
    }

    /// Sends each message to the queue named with it, all or none; returns the ids in the same order. For what happens to several
    /// functions at once.
    ///
    /// # Errors
    /// The file's.
    pub async fn enqueue(&self, messages: Vec<(String, Outgoing)>) -> Result<Vec<String>> {
        let messages: Vec<_> = messages
            .into_iter()
            .map(|(queue, outgoing)| (self.inner.queue_spec(&queue), queue, outgoing))
            .collect();
        let send = move |tx: &mut Tx<'_>| {
            messages
                .iter()
                .map(|(spec, queue, outgoing)| {
                    let id = message::new_id();
                    message::insert(tx, queue, spec, &id, outgoing)?;
                    Ok(id)
                })
                .collect()
        };
        self.inner.db.write("queue.send", send).await
    }

    /// Ends every lease: for a start, when whoever held one is gone. The deliveries count as attempts, as they may have been seen.
    ///
    /// # Errors
    /// The file's.
    pub async fn release_leases(&self) -> Result<()> {
        self.inner
            .db
            .write("queue.release", |tx| {
                tx.conn.execute(
                    "UPDATE message SET leased = 0, visible_at = ?1 WHERE leased = 1",
                    params![tx.now],
                )?;
                Ok(())
            })
            .await
    }

    /// The messages of `queue` in the order of their sending, at most `max`, without receiving them.
    ///
    /// # Errors
    /// The file's.
    pub async fn peek(&self, queue: &str, max: usize) -> Result<Vec<Message<Payload>>> {
        let queue = queue.to_owned();
        self.inner
            .db
            .read("queue.peek", move |conn, _| message::peek(conn, &queue, max))
            .await
    }

    /// How long until a message of `queue` that is hidden now (delayed, given back, leased) becomes visible by itself; `None` if none is.
    ///
    /// # Errors
    /// The file's.
    pub async fn next_due(&self, queue: &str) -> Result<Option<Duration>> {
        let queue = queue.to_owned();
        self.inner
            .db
            .read("queue.next_due", move |conn, now| {
                let due = message::next_due(conn, &queue, now)?;
                Ok(due.map(|due| Duration::from_millis(due.saturating_sub(now).unsigned_abs())))
            })
            .await
    }
}
