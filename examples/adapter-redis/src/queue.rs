//! Queues: messages in hashes, and two sorted sets of when they are due, ready or leased. Each step is a script, so that two receivers never lease one message.
//!
//! The clock is the server's. A receipt is the message's id and the attempt that it was leased for: who lost the lease to another receiver has a former attempt's.

use std::any::Any;
use std::sync::LazyLock;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use chrono::DateTime;
use nephos_core::event::Message;
use nephos_core::resource::Binding;
use nephos_core::resource::parts::{PartLimits, parts};
use nephos_core::resource::queue::{Depth, Outgoing, QueueCapabilities, QueueDriver, Receipt, Received};
use nephos_core::{Error, ErrorKind, Result};
use redis::{FromRedisValue, Script, ScriptInvocation};

use crate::connection::{Connection, key};
use crate::head::Head;

/// The property of a binding whose queue keeps ordering groups.
pub const ORDERED: &str = "ordered";

/// The longest delay and lease. Redis has no limit of it.
const LONGEST: Duration = Duration::from_secs(7 * 24 * 3600);

/// The largest message. Redis takes 512 MB, but does nothing else while it takes it.
const MAX_MESSAGE: usize = 1 << 20;

/// What one script sends.
const AT_ONCE: PartLimits = PartLimits {
    entries: 500,
    bytes: 8 << 20,
};

/// How often a receiver that waits asks again, from the first time to the last. A command that blocks would hold up all others on the connection.
const SOONEST: Duration = Duration::from_millis(20);
const LATEST: Duration = Duration::from_millis(200);

static SEND: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("scripts/queue_send.lua")));
static RECEIVE: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("scripts/queue_receive.lua")));
static ACK: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("scripts/queue_ack.lua")));
static GIVE: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("scripts/queue_give.lua")));
static DEPTH: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("scripts/queue_depth.lua")));

/// A message as the script tells it: id, attempt, moment of sending, head, body, group.
type Told = (String, u32, i64, Vec<u8>, Vec<u8>, String);

/// A queue.
#[derive(Debug)]
pub struct RedisQueue {
    connection: Connection,
    name: String,
    key: String,
    is_ordered: bool,
}

impl RedisQueue {
    /// Opens the queue that the binding names. [`make_queue`](crate::operator::make_queue) makes it.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidArgument`] if the binding does not say what Redis calls it.
    pub fn open(connection: &Connection, binding: &Binding) -> Result<Self> {
        Ok(Self {
            connection: connection.clone(),
            name: binding.name.clone(),
            key: key(binding)?,
            is_ordered: binding
                .properties
                .get(ORDERED)
                .is_some_and(|value| value == "true"),
        })
    }

    async fn run<T: FromRedisValue>(
        &self,
        operation: &'static str,
        script: &ScriptInvocation<'_>,
    ) -> Result<T> {
        self.connection
            .run(operation, script)
            .await
            .map_err(|error| error.with("queue", &self.name))
    }

    fn received(&self, (id, attempt, sent, head, body, group): Told) -> Result<Received> {
        let head = Head::read(&head, "queue.receive")?;
        Ok(Received {
            receipt: Receipt(format!("{id}:{attempt}")),
            message: Message {
                id,
                queue: self.name.clone(),
                body: head.body(body),
                attributes: head.attributes,
                group: Some(group).filter(|group| !group.is_empty()),
                attempt,
                sent_at: DateTime::from_timestamp_millis(sent),
            },
        })
    }

    /// The id and the attempt of a receipt.
    fn leased<'a>(&self, operation: &'static str, receipt: &'a Receipt) -> Result<(&'a str, &'a str)> {
        receipt.0.split_once(':').ok_or_else(|| {
            Error::new(
                ErrorKind::InvalidArgument,
                operation,
                "the receipt is none of this queue's",
            )
            .with("queue", &self.name)
        })
    }

    async fn give(
        &self,
        operation: &'static str,
        receipt: &Receipt,
        to: &'static str,
        hidden: Duration,
    ) -> Result<()> {
        let (id, attempt) = self.leased(operation, receipt)?;
        let mut script = GIVE.key(&self.key);
        script.arg(id).arg(attempt).arg(to).arg(milliseconds(hidden));
        let _done: i64 = self.run(operation, &script).await?;
        Ok(())
    }
}

#[async_trait]
impl QueueDriver for RedisQueue {
    fn capabilities(&self) -> QueueCapabilities {
        QueueCapabilities {
            max_delay: LONGEST,
            max_visibility_timeout: LONGEST,
            max_message_bytes: MAX_MESSAGE,
            max_receive: 100,
            ordered_groups: self.is_ordered,
            attributes: true,
            exact_depth: true,
            counts_leased: true,
            counts_delayed: true,
        }
    }

    async fn send_batch(&self, batch: &[Outgoing]) -> Result<Vec<String>> {
        let mut ids = Vec::with_capacity(batch.len());
        for part in parts(batch, AT_ONCE, |message| message.body.bytes.len()) {
            let mut script = SEND.key(&self.key);
            for message in part {
                script
                    .arg(Head::text(&message.body, &message.attributes))
                    .arg(&message.body.bytes[..])
                    .arg(message.group.as_deref().unwrap_or_default())
                    .arg(milliseconds(message.delay));
            }
            let sent: Vec<String> = self.run("queue.send", &script).await?;
            ids.extend(sent);
        }
        Ok(ids)
    }

    async fn receive(
        &self,
        max: usize,
        visibility_timeout: Duration,
        wait: Duration,
    ) -> Result<Vec<Received>> {
        let begun = Instant::now();
        let mut pause = SOONEST;
        loop {
            let mut script = RECEIVE.key(&self.key);
            script.arg(max).arg(milliseconds(visibility_timeout));
            let (told, due): (Vec<Told>, i64) = self.run("queue.receive", &script).await?;
            let left = wait.saturating_sub(begun.elapsed());
            if !told.is_empty() || left.is_zero() {
                return told.into_iter().map(|told| self.received(told)).collect();
            }
            // One that is due soon is waited for as long as it takes; one that is sent meanwhile, at most for the pause.
            let due = u64::try_from(due).map_or(pause, Duration::from_millis);
            tokio::time::sleep(pause.min(due.max(Duration::from_millis(1))).min(left)).await;
            pause = (pause * 2).min(LATEST);
        }
    }

    async fn ack(&self, receipts: &[Receipt]) -> Result<()> {
        const OPERATION: &str = "queue.ack";
        let mut script = ACK.key(&self.key);
        for receipt in receipts {
            let (id, attempt) = self.leased(OPERATION, receipt)?;
            script.arg(id).arg(attempt);
        }
        let _done: i64 = self.run(OPERATION, &script).await?;
        Ok(())
    }

    async fn nack(&self, receipt: &Receipt, delay: Duration) -> Result<()> {
        self.give("queue.nack", receipt, "ready", delay).await
    }

    async fn extend(&self, receipt: &Receipt, visibility_timeout: Duration) -> Result<Receipt> {
        self.give("queue.extend", receipt, "leased", visibility_timeout)
            .await?;
        Ok(receipt.clone())
    }

    async fn depth(&self) -> Result<Depth> {
        let (visible, leased, delayed): (u64, u64, u64) =
            self.run("queue.depth", &DEPTH.key(&self.key)).await?;
        Ok(Depth::apart(visible, leased, delayed))
    }

    fn as_any(&self) -> &dyn Any {
        &self.connection
    }
}

fn milliseconds(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
