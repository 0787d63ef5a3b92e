//! Streams: records stay in order by partition key, and can be read again from any position.

use std::any::Any;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Debug;
use std::sync::Arc;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use crate::error::{Error, ErrorKind, Result};
use crate::event::{Payload, Record};
use crate::resource::{Access, Grant, ResourceKind};

/// A record on its way into a stream.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Append {
    /// What orders it: records of one key stay in order. Not empty.
    pub partition_key: String,
    /// The body.
    pub body: Payload,
    /// Attributes, delivered as they are, where the target carries any.
    pub attributes: BTreeMap<String, String>,
}

impl Append {
    /// A record with this key and body.
    pub fn new(partition_key: impl Into<String>, body: impl Into<Payload>) -> Self {
        Self {
            partition_key: partition_key.into(),
            body: body.into(),
            attributes: BTreeMap::new(),
        }
    }
}

/// A place in a stream to read from.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Position {
    /// The oldest record that the stream still holds.
    #[default]
    Oldest,
    /// Behind what an earlier page held; opaque, the driver's own.
    After(String),
}

/// Some records, and where to go on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StreamPage {
    /// The records, in order.
    pub records: Vec<Record<Payload>>,
    /// Where the next page begins, also when this one is empty.
    pub next: Position,
}

/// What a stream can do. A request beyond it is [`ErrorKind::Unsupported`] before any I/O.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StreamCapabilities {
    /// The largest record, in bytes.
    pub max_record_bytes: usize,
    /// Whether attributes are carried.
    pub attributes: bool,
    /// Whether a function can read it by itself, besides being triggered.
    pub read: bool,
    /// Whether appending tells the sequence of each record. Where it does not, a record's sequence is known to those who read it only.
    pub sequences: bool,
}

/// One provider's stream. Must not retry. May be called concurrently. Must not keep what it borrows.
#[async_trait]
pub trait StreamDriver: Debug + Send + Sync + 'static {
    /// What it can do; constant for the driver's life.
    fn capabilities(&self) -> StreamCapabilities;
    /// Appends all of `batch`, in order, splitting it as the provider demands; returns the sequences in the same order, `None` for each record where the
    /// provider tells none.
    async fn append_batch(&self, batch: &[Append]) -> Result<Vec<Option<String>>>;
    /// Up to `max` records from `position` on; an empty page when there are none yet.
    async fn read(&self, position: &Position, max: usize) -> Result<StreamPage>;
    /// The provider's own client, for what the portable type cannot do.
    fn as_any(&self) -> &dyn Any;
}

/// A stream.
#[derive(Debug, Clone)]
pub struct Stream {
    grant: Grant,
    driver: Arc<dyn StreamDriver>,
}

impl Stream {
    /// A stream over `driver`, with every access: for hosts, tools and tests.
    #[must_use]
    pub fn new(name: &str, driver: Arc<dyn StreamDriver>) -> Self {
        Self {
            grant: Grant::full(ResourceKind::Stream, name),
            driver,
        }
    }

    /// The same with only this access.
    #[must_use]
    pub fn with_access(name: &str, driver: Arc<dyn StreamDriver>, access: BTreeSet<Access>) -> Self {
        Self {
            grant: Grant::new(ResourceKind::Stream, name, access),
            driver,
        }
    }

    pub(crate) fn granted(grant: Grant, driver: Arc<dyn StreamDriver>) -> Self {
        Self { grant, driver }
    }

    /// Its name in the manifest.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.grant.name
    }

    /// What it can do on this target.
    #[must_use]
    pub fn capabilities(&self) -> StreamCapabilities {
        self.driver.capabilities()
    }

    /// Appends one record; returns its sequence, `None` where the target does not tell it ([`StreamCapabilities::sequences`]). The record has one all the same,
    /// for those who read it.
    ///
    /// # Errors
    /// [`ErrorKind::PermissionDenied`] without `write`, [`ErrorKind::InvalidArgument`] for an empty partition key,
    /// [`ErrorKind::ResourceExhausted`] if it is too large, or the driver's. After an error it may have been appended all the same.
    pub async fn append(&self, record: Append) -> Result<Option<String>> {
        let mut sequences = self.append_batch(vec![record]).await?;
        sequences.pop().ok_or_else(|| {
            self.error(
                ErrorKind::Internal,
                "stream.append",
                "the driver did not answer for the record",
            )
        })
    }

    /// Appends `value` as JSON; returns what [`append`](Self::append) does.
    ///
    /// # Errors
    /// As [`append`](Self::append).
    pub async fn append_json<T: Serialize + ?Sized>(
        &self,
        partition_key: &str,
        value: &T,
    ) -> Result<Option<String>> {
        self.append(Append::new(partition_key, Payload::json(value)?))
            .await
    }

    /// Appends several, any number, in order; returns their sequences in the same order, as [`append`](Self::append) does.
    ///
    /// # Errors
    /// As [`append`](Self::append); nothing is appended if one of them is beyond the capabilities.
    pub async fn append_batch(&self, batch: Vec<Append>) -> Result<Vec<Option<String>>> {
        const OPERATION: &str = "stream.append";
        self.grant.require(Access::Write, OPERATION)?;
        let limits = self.driver.capabilities();
        for record in &batch {
            if record.partition_key.is_empty() {
                return Err(self.error(
                    ErrorKind::InvalidArgument,
                    OPERATION,
                    "the partition key is empty",
                ));
            }
            if !record.attributes.is_empty() && !limits.attributes {
                return Err(self.error(
                    ErrorKind::Unsupported,
                    OPERATION,
                    "this stream carries no attributes",
                ));
            }
            let attributes: usize = record
                .attributes
                .iter()
                .map(|(name, value)| name.len() + value.len())
                .sum();
            let size = record.body.bytes.len() + attributes + record.partition_key.len();
            if size > limits.max_record_bytes {
                return Err(self
                    .error(
                        ErrorKind::ResourceExhausted,
                        OPERATION,
                        "the record is larger than this target allows",
                    )
                    .with("bytes", size)
                    .with("max_bytes", limits.max_record_bytes));
            }
        }
        if batch.is_empty() {
            return Ok(Vec::new());
        }
        self.grant.retry.run(|| self.driver.append_batch(&batch)).await
    }

    /// Reads up to `max` records from `position` on.
    ///
    /// # Errors
    /// [`ErrorKind::PermissionDenied`] without `read`, [`ErrorKind::Unsupported`] where a stream can only trigger,
    /// [`ErrorKind::InvalidArgument`] for a `max` of 0 or a position that is not this stream's, or the driver's.
    pub async fn read(&self, position: &Position, max: usize) -> Result<StreamPage> {
        const OPERATION: &str = "stream.read";
        self.grant.require(Access::Read, OPERATION)?;
        if !self.driver.capabilities().read {
            return Err(self.error(
                ErrorKind::Unsupported,
                OPERATION,
                "this stream can only trigger functions",
            ));
        }
        if max == 0 {
            return Err(self.error(ErrorKind::InvalidArgument, OPERATION, "`max` must be at least 1"));
        }
        self.grant.retry.run(|| self.driver.read(position, max)).await
    }

    /// The driver, for what only this provider can do.
    #[must_use]
    pub fn driver(&self) -> &dyn StreamDriver {
        &*self.driver
    }

    fn error(&self, kind: ErrorKind, operation: &'static str, message: &'static str) -> Error {
        Error::new(kind, operation, message).with("stream", &self.grant.name)
    }
}
