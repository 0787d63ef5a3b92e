//! Resources: what a function may hold besides its event.
//!
//! Users hold a concrete type ([`Queue`](queue::Queue)), which checks access and limits, retries and traces, over a small
//! driver trait ([`QueueDriver`](queue::QueueDriver)), which adapters implement. Driver traits have no default methods: a
//! wrapper that forgets one would silently lose what it wraps.

pub mod bucket;
#[cfg(test)]
pub(crate) mod fake;
mod open;
pub mod parts;
pub mod queue;
pub mod secret;
pub mod stream;
pub mod table;
#[cfg(test)]
mod tests;
pub mod topic;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

pub use self::open::{NotBuilt, Resources};
use crate::error::{Error, ErrorKind, Result};
use crate::retry::RetryPolicy;

/// The kinds of resource that an app declares.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ResourceKind {
    /// Objects by key.
    Bucket,
    /// Messages, each for one receiver.
    Queue,
    /// Notifications, each for every subscriber.
    Topic,
    /// Records in order.
    Stream,
    /// Items by key.
    Table,
    /// A value that is never shown.
    Secret,
}

impl ResourceKind {
    /// All kinds.
    pub const ALL: [Self; 6] = [
        Self::Bucket,
        Self::Queue,
        Self::Topic,
        Self::Stream,
        Self::Table,
        Self::Secret,
    ];

    /// The name, as in the manifest (`bucket`).
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Bucket => "bucket",
            Self::Queue => "queue",
            Self::Topic => "topic",
            Self::Stream => "stream",
            Self::Table => "table",
            Self::Secret => "secret",
        }
    }

    /// What a function's `uses` may ask of this kind.
    #[must_use]
    pub const fn access(self) -> &'static [Access] {
        match self {
            Self::Bucket | Self::Table => &[Access::Read, Access::Write, Access::Delete],
            Self::Queue => &[Access::Send, Access::Receive],
            Self::Topic => &[Access::Publish],
            Self::Stream => &[Access::Read, Access::Write],
            Self::Secret => &[Access::Read],
        }
    }
}

impl fmt::Display for ResourceKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// What a function may do with a resource.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Access {
    /// Read objects, items, records or the secret's value; list and query.
    Read,
    /// Create and replace objects or items; append records.
    Write,
    /// Delete objects or items.
    Delete,
    /// Send messages.
    Send,
    /// Receive, acknowledge and count messages.
    Receive,
    /// Publish notifications.
    Publish,
}

impl Access {
    /// The name, as in the manifest (`read`).
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Write => "write",
            Self::Delete => "delete",
            Self::Send => "send",
            Self::Receive => "receive",
            Self::Publish => "publish",
        }
    }
}

impl fmt::Display for Access {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// One resource as a function sees it: what the host hands to the function's process (in its [`Wiring`](crate::wiring::Wiring)).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Binding {
    /// Its name in the manifest.
    pub name: String,
    /// Its kind.
    pub kind: ResourceKind,
    /// What the function may do with it.
    pub access: BTreeSet<Access>,
    /// Where it is, for a resource outside the target (`s3://evidence`); `None` for the target's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// What else the driver needs: a physical name, an endpoint, a table's key attributes.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub properties: BTreeMap<String, String>,
}

/// Opens drivers for the bindings of one function. Implemented by each adapter; called once per resource.
///
/// Must not do I/O: connect on first use. What the adapter has no driver for is [`ErrorKind::Unsupported`].
pub trait Drivers: fmt::Debug + Send + Sync + 'static {
    /// Opens a bucket.
    ///
    /// # Errors
    /// [`ErrorKind::Unsupported`] or [`ErrorKind::InvalidArgument`] if the binding cannot be opened.
    fn bucket(&self, binding: &Binding) -> Result<Arc<dyn bucket::BucketDriver>>;
    /// Opens a queue.
    ///
    /// # Errors
    /// As [`bucket`](Self::bucket).
    fn queue(&self, binding: &Binding) -> Result<Arc<dyn queue::QueueDriver>>;
    /// Opens a topic.
    ///
    /// # Errors
    /// As [`bucket`](Self::bucket).
    fn topic(&self, binding: &Binding) -> Result<Arc<dyn topic::TopicDriver>>;
    /// Opens a stream.
    ///
    /// # Errors
    /// As [`bucket`](Self::bucket).
    fn stream(&self, binding: &Binding) -> Result<Arc<dyn stream::StreamDriver>>;
    /// Opens a table.
    ///
    /// # Errors
    /// As [`bucket`](Self::bucket).
    fn table(&self, binding: &Binding) -> Result<Arc<dyn table::TableDriver>>;
    /// Opens a secret.
    ///
    /// # Errors
    /// As [`bucket`](Self::bucket).
    fn secret(&self, binding: &Binding) -> Result<Arc<dyn secret::SecretDriver>>;
}

/// Opens buckets outside the target, by their URL (`s3://evidence`): the same on every target, so no adapter's work.
pub trait ExternalBuckets: fmt::Debug + Send + Sync + 'static {
    /// Opens the bucket of a binding that has a URL. `credentials` is the secret that the manifest names for it: JSON with `access_key_id` and
    /// `secret_access_key`. Must not do I/O: read the secret on first use.
    ///
    /// # Errors
    /// [`ErrorKind::Unsupported`] for a scheme that it does not know, [`ErrorKind::InvalidArgument`] for a URL or endpoint that is none.
    fn open(
        &self,
        binding: &Binding,
        credentials: Option<secret::Secret>,
    ) -> Result<Arc<dyn bucket::BucketDriver>>;
}

/// Opens no bucket: what a function without the feature for it has.
#[derive(Debug)]
pub struct NoExternalBuckets;

impl ExternalBuckets for NoExternalBuckets {
    fn open(
        &self,
        binding: &Binding,
        _credentials: Option<secret::Secret>,
    ) -> Result<Arc<dyn bucket::BucketDriver>> {
        Err(Error::new(
            ErrorKind::Unsupported,
            "context.open",
            "this function was built without support for buckets by URL; enable the feature of `nephos` for its scheme (`s3`)",
        )
        .with("bucket", &binding.name)
        .with("url", binding.url.as_deref().unwrap_or_default()))
    }
}

/// What every portable type has besides its driver: name, access and retry policy.
#[derive(Debug, Clone)]
pub(crate) struct Grant {
    pub(crate) kind: ResourceKind,
    pub(crate) name: Arc<str>,
    pub(crate) access: Arc<BTreeSet<Access>>,
    pub(crate) retry: RetryPolicy,
}

impl Grant {
    pub(crate) fn new(kind: ResourceKind, name: &str, access: BTreeSet<Access>) -> Self {
        Self {
            kind,
            name: name.into(),
            access: Arc::new(access),
            retry: RetryPolicy::default(),
        }
    }

    /// All that the kind allows, for hosts, tools and tests.
    pub(crate) fn full(kind: ResourceKind, name: &str) -> Self {
        Self::new(kind, name, kind.access().iter().copied().collect())
    }

    /// Refuses, before any I/O, what the function's `uses` does not declare.
    pub(crate) fn require(&self, access: Access, operation: &'static str) -> Result<()> {
        if self.access.contains(&access) {
            return Ok(());
        }
        Err(Error::new(
            ErrorKind::PermissionDenied,
            operation,
            "the function may not do this; add it to the function's `uses` in nephos.toml",
        )
        .with(self.kind.name(), &self.name)
        .with("missing", access))
    }
}
