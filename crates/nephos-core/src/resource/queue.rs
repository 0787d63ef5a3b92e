//! Queues: each message goes to one receiver, who acknowledges it or gets it again.

use std::any::Any;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Debug;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use crate::error::{Error, ErrorKind, Result};
use crate::event::{Message, Payload};
use crate::resource::{Access, Grant, ResourceKind};

/// A message on its way into a queue.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Outgoing {
    /// The body.
    pub body: Payload,
    /// Attributes, delivered as they are.
    pub attributes: BTreeMap<String, String>,
    /// The ordering group: messages of one group are delivered in order, one after the other.
    pub group: Option<String>,
    /// How long it stays hidden before its first delivery.
    pub delay: Duration,
}

impl Outgoing {
    /// A message with this body: text, bytes, or [`Payload::json`].
    pub fn new(body: impl Into<Payload>) -> Self {
        Self {
            body: body.into(),
            ..Self::default()
        }
    }

    /// A message whose body is `value` as JSON.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidArgument`] if `value` has no JSON form.
    pub fn json<T: Serialize + ?Sized>(value: &T) -> Result<Self> {
        Ok(Self {
            body: Payload::json(value)?,
            ..Self::default()
        })
    }

    /// Adds an attribute.
    #[must_use]
    pub fn attribute(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.attributes.insert(name.into(), value.into());
        self
    }

    /// Sets the ordering group.
    #[must_use]
    pub fn group(mut self, group: impl Into<String>) -> Self {
        self.group = Some(group.into());
        self
    }

    /// Sets the delay.
    #[must_use]
    pub fn delay(mut self, delay: Duration) -> Self {
        self.delay = delay;
        self
    }
}

/// The right to acknowledge one delivery of a message; opaque, the driver's own.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Receipt(pub String);

/// A message as received, leased until its visibility timeout.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Received {
    /// The message.
    pub message: Message<Payload>,
    /// What [`Queue::ack`] and its siblings take.
    pub receipt: Receipt,
}

/// How many messages a queue holds. Some targets only estimate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Depth {
    /// Ready to be received, and whatever is not counted apart below.
    pub visible: u64,
    /// Leased, not yet acknowledged; `None` where the target does not tell them from others.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub leased: Option<u64>,
    /// Hidden until their delay or back-off is over; `None` where the target does not tell them from others.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delayed: Option<u64>,
}

impl Depth {
    /// All three, counted apart.
    #[must_use]
    pub const fn apart(visible: u64, leased: u64, delayed: u64) -> Self {
        Self {
            visible,
            leased: Some(leased),
            delayed: Some(delayed),
        }
    }

    /// How many messages it is in all.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.visible + self.leased.unwrap_or_default() + self.delayed.unwrap_or_default()
    }
}

/// What a queue can do. A request beyond it is [`ErrorKind::Unsupported`] before any I/O.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct QueueCapabilities {
    /// The longest delay of a message; zero where there is none.
    pub max_delay: Duration,
    /// The longest visibility timeout.
    pub max_visibility_timeout: Duration,
    /// The largest body with its attributes, in bytes.
    pub max_message_bytes: usize,
    /// The most messages that one receive returns.
    pub max_receive: usize,
    /// Whether ordering groups are kept.
    pub ordered_groups: bool,
    /// Whether attributes are carried.
    pub attributes: bool,
    /// Whether [`Depth`] is exact at rest.
    pub exact_depth: bool,
    /// Whether [`Depth`] counts leased messages apart.
    pub counts_leased: bool,
    /// Whether [`Depth`] counts delayed messages apart.
    pub counts_delayed: bool,
}

/// One provider's queue. Implement the least: [`Queue`] checks limits, retries and traces.
///
/// Must not retry. May be called concurrently. Must not keep what it borrows.
#[async_trait]
pub trait QueueDriver: Debug + Send + Sync + 'static {
    /// What it can do; constant for the driver's life.
    fn capabilities(&self) -> QueueCapabilities;
    /// Sends all of `batch`, in order, splitting it as the provider demands; returns the ids in the same order. On an error
    /// some may have been sent (delivery is at least once).
    async fn send_batch(&self, batch: &[Outgoing]) -> Result<Vec<String>>;
    /// Leases up to `max` messages for `visibility_timeout`, waiting up to `wait` for the first.
    async fn receive(
        &self,
        max: usize,
        visibility_timeout: Duration,
        wait: Duration,
    ) -> Result<Vec<Received>>;
    /// Deletes the messages for good. A receipt whose lease has passed to another receiver is [`ErrorKind::Conflict`]; one whose
    /// message is gone already is not an error.
    async fn ack(&self, receipts: &[Receipt]) -> Result<()>;
    /// Gives the message back, to be delivered again after `delay`. Errors as `ack`.
    async fn nack(&self, receipt: &Receipt, delay: Duration) -> Result<()>;
    /// Starts the lease anew, for `visibility_timeout` from now; returns the receipt that counts from then on, as some providers give another one with each
    /// change. Errors as `ack`, and [`ErrorKind::Conflict`] if the message is gone.
    async fn extend(&self, receipt: &Receipt, visibility_timeout: Duration) -> Result<Receipt>;
    /// Counts.
    async fn depth(&self) -> Result<Depth>;
    /// The provider's own client, for what the portable type cannot do.
    fn as_any(&self) -> &dyn Any;
}

/// A queue.
#[derive(Debug, Clone)]
pub struct Queue {
    grant: Grant,
    driver: Arc<dyn QueueDriver>,
}

impl Queue {
    /// A queue over `driver`, with every access: for hosts, tools and tests. Functions get theirs from the context.
    #[must_use]
    pub fn new(name: &str, driver: Arc<dyn QueueDriver>) -> Self {
        Self {
            grant: Grant::full(ResourceKind::Queue, name),
            driver,
        }
    }

    /// The same with only this access.
    #[must_use]
    pub fn with_access(name: &str, driver: Arc<dyn QueueDriver>, access: BTreeSet<Access>) -> Self {
        Self {
            grant: Grant::new(ResourceKind::Queue, name, access),
            driver,
        }
    }

    pub(crate) fn granted(grant: Grant, driver: Arc<dyn QueueDriver>) -> Self {
        Self { grant, driver }
    }

    /// Its name in the manifest.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.grant.name
    }

    /// What it can do on this target.
    #[must_use]
    pub fn capabilities(&self) -> QueueCapabilities {
        self.driver.capabilities()
    }

    /// Sends one message; returns its id.
    ///
    /// # Errors
    /// [`ErrorKind::Unsupported`] beyond the capabilities, [`ErrorKind::PermissionDenied`] without `send`,
    /// [`ErrorKind::ResourceExhausted`] if it is too large, or the driver's. After an error the message may have been sent all the same.
    pub async fn send(&self, message: impl Into<Outgoing>) -> Result<String> {
        let mut ids = self.send_batch(vec![message.into()]).await?;
        ids.pop()
            .ok_or_else(|| self.error(ErrorKind::Internal, "queue.send", "the driver returned no id"))
    }

    /// Sends `value` as JSON; returns the message's id.
    ///
    /// # Errors
    /// As [`send`](Self::send).
    pub async fn send_json<T: Serialize + ?Sized>(&self, value: &T) -> Result<String> {
        self.send(Outgoing::json(value)?).await
    }

    /// Sends several, any number, in order; returns their ids in the same order.
    ///
    /// # Errors
    /// As [`send`](Self::send); nothing is sent if one of them is beyond the capabilities.
    pub async fn send_batch(&self, batch: Vec<Outgoing>) -> Result<Vec<String>> {
        const OPERATION: &str = "queue.send";
        self.grant.require(Access::Send, OPERATION)?;
        let limits = self.driver.capabilities();
        for message in &batch {
            self.check(message, &limits)?;
        }
        if batch.is_empty() {
            return Ok(Vec::new());
        }
        self.grant.retry.run(|| self.driver.send_batch(&batch)).await
    }

    fn check(&self, message: &Outgoing, limits: &QueueCapabilities) -> Result<()> {
        const OPERATION: &str = "queue.send";
        if message.delay > limits.max_delay {
            return Err(self
                .error(
                    ErrorKind::Unsupported,
                    OPERATION,
                    "delay is longer than this target allows",
                )
                .with("delay_s", message.delay.as_secs_f64())
                .with("max_delay_s", limits.max_delay.as_secs_f64()));
        }
        if message.group.is_some() && !limits.ordered_groups {
            return Err(self.error(
                ErrorKind::Unsupported,
                OPERATION,
                "this queue keeps no order in groups",
            ));
        }
        if !message.attributes.is_empty() && !limits.attributes {
            return Err(self.error(
                ErrorKind::Unsupported,
                OPERATION,
                "this queue carries no attributes",
            ));
        }
        let attributes: usize = message
            .attributes
            .iter()
            .map(|(name, value)| name.len() + value.len())
            .sum();
        let size = message.body.bytes.len() + attributes;
        if size > limits.max_message_bytes {
            return Err(self
                .error(
                    ErrorKind::ResourceExhausted,
                    OPERATION,
                    "the message is larger than this target allows; put the content into a bucket and send its key",
                )
                .with("bytes", size)
                .with("max_bytes", limits.max_message_bytes));
        }
        Ok(())
    }

    /// Leases up to `max` messages for `visibility_timeout`, waiting up to `wait` for the first. None is an empty list.
    ///
    /// # Errors
    /// [`ErrorKind::PermissionDenied`] without `receive`, [`ErrorKind::InvalidArgument`] for a `max` of 0,
    /// [`ErrorKind::Unsupported`] beyond the capabilities, or the driver's.
    pub async fn receive(
        &self,
        max: usize,
        visibility_timeout: Duration,
        wait: Duration,
    ) -> Result<Vec<Received>> {
        const OPERATION: &str = "queue.receive";
        self.grant.require(Access::Receive, OPERATION)?;
        self.check_visibility(OPERATION, visibility_timeout)?;
        if max == 0 {
            return Err(self.error(ErrorKind::InvalidArgument, OPERATION, "`max` must be at least 1"));
        }
        let max = max.min(self.driver.capabilities().max_receive);
        self.grant
            .retry
            .run(|| self.driver.receive(max, visibility_timeout, wait))
            .await
    }

    fn check_visibility(&self, operation: &'static str, timeout: Duration) -> Result<()> {
        let longest = self.driver.capabilities().max_visibility_timeout;
        if timeout > longest {
            return Err(self
                .error(
                    ErrorKind::Unsupported,
                    operation,
                    "the visibility timeout is longer than this target allows",
                )
                .with("timeout_s", timeout.as_secs_f64())
                .with("max_timeout_s", longest.as_secs_f64()));
        }
        Ok(())
    }

    /// Acknowledges: the message is done with, and deleted. Acknowledging twice is not an error.
    ///
    /// # Errors
    /// [`ErrorKind::Conflict`] if the lease ran out and another receiver has the message, [`ErrorKind::PermissionDenied`]
    /// without `receive`, or the driver's.
    pub async fn ack(&self, receipt: &Receipt) -> Result<()> {
        self.ack_batch(std::slice::from_ref(receipt)).await
    }

    /// Acknowledges several.
    ///
    /// # Errors
    /// As [`ack`](Self::ack).
    pub async fn ack_batch(&self, receipts: &[Receipt]) -> Result<()> {
        self.grant.require(Access::Receive, "queue.ack")?;
        if receipts.is_empty() {
            return Ok(());
        }
        self.grant.retry.run(|| self.driver.ack(receipts)).await
    }

    /// Gives a message back, to be delivered again after `delay`.
    ///
    /// # Errors
    /// As [`ack`](Self::ack), and [`ErrorKind::Unsupported`] if `delay` is beyond the longest visibility timeout.
    pub async fn nack(&self, receipt: &Receipt, delay: Duration) -> Result<()> {
        self.grant.require(Access::Receive, "queue.nack")?;
        self.check_visibility("queue.nack", delay)?;
        self.grant.retry.run(|| self.driver.nack(receipt, delay)).await
    }

    /// Starts the lease anew, for `visibility_timeout` from now. The receipt that it returns takes the place of the old one, which may be void.
    ///
    /// # Errors
    /// As [`ack`](Self::ack), and [`ErrorKind::Unsupported`] beyond the longest visibility timeout.
    pub async fn extend(&self, receipt: &Receipt, visibility_timeout: Duration) -> Result<Receipt> {
        self.grant.require(Access::Receive, "queue.extend")?;
        self.check_visibility("queue.extend", visibility_timeout)?;
        self.grant
            .retry
            .run(|| self.driver.extend(receipt, visibility_timeout))
            .await
    }

    /// How many messages it holds.
    ///
    /// # Errors
    /// [`ErrorKind::PermissionDenied`] without `receive`, or the driver's.
    pub async fn depth(&self) -> Result<Depth> {
        self.grant.require(Access::Receive, "queue.depth")?;
        self.grant.retry.run(|| self.driver.depth()).await
    }

    /// The driver, for what only this provider can do: `queue.driver().as_any().downcast_ref::<…>()`.
    #[must_use]
    pub fn driver(&self) -> &dyn QueueDriver {
        &*self.driver
    }

    fn error(&self, kind: ErrorKind, operation: &'static str, message: &'static str) -> Error {
        Error::new(kind, operation, message).with("queue", &self.grant.name)
    }
}

impl<T: Into<Payload>> From<T> for Outgoing {
    fn from(body: T) -> Self {
        Self::new(body)
    }
}
