//! The handles of one function, opened by name.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::{
    Access, Binding, Drivers, ExternalBuckets, Grant, NoExternalBuckets, ResourceKind, bucket, queue, secret,
    stream, table, topic,
};
use crate::error::{Error, ErrorKind, Result};

/// The handles of one function: opened on first use, then shared by all its invocations.
#[derive(Debug)]
pub struct Resources {
    drivers: Arc<dyn Drivers>,
    external: Arc<dyn ExternalBuckets>,
    bindings: BTreeMap<String, Binding>,
    opened: std::sync::Mutex<BTreeMap<String, Handle>>,
}

#[derive(Debug, Clone)]
enum Handle {
    Bucket(bucket::Bucket),
    Queue(queue::Queue),
    Topic(topic::Topic),
    Stream(stream::Stream),
    Table(table::Table),
    Secret(secret::Secret),
}

macro_rules! open {
    ($($(#[$doc:meta])* $method:ident, $kind:ident, $type:ty;)*) => {$(
        $(#[$doc])*
        pub fn $method(&self, name: &str) -> Result<$type> {
            match self.open(ResourceKind::$kind, name)? {
                Handle::$kind(handle) => Ok(handle),
                other => Err(Error::new(ErrorKind::Internal, "context.open", "the resource opened as another kind")
                    .with("name", name).with("handle", format!("{other:?}"))),
            }
        }
    )*};
}

impl Resources {
    /// The handles of a function with these bindings.
    pub fn new(drivers: Arc<dyn Drivers>, bindings: impl IntoIterator<Item = Binding>) -> Self {
        Self {
            drivers,
            external: Arc::new(NoExternalBuckets),
            bindings: bindings
                .into_iter()
                .map(|binding| (binding.name.clone(), binding))
                .collect(),
            opened: std::sync::Mutex::default(),
        }
    }

    /// Opens buckets that have a URL with `external` instead of the target's drivers.
    #[must_use]
    pub fn with_external(mut self, external: Arc<dyn ExternalBuckets>) -> Self {
        self.external = external;
        self
    }

    fn external_bucket(&self, binding: &Binding) -> Result<Arc<dyn bucket::BucketDriver>> {
        let credentials = match binding.properties.get("credentials") {
            None => None,
            Some(name) => {
                let grant = Grant::full(ResourceKind::Secret, name);
                // Its own binding says what it is called on the target. What the function itself may do with it is another matter.
                let properties = match self.bindings.get(name) {
                    Some(binding) if binding.kind == ResourceKind::Secret => binding.properties.clone(),
                    _ => BTreeMap::new(),
                };
                let secret = Binding {
                    name: name.clone(),
                    kind: ResourceKind::Secret,
                    access: [Access::Read].into(),
                    url: None,
                    properties,
                };
                Some(secret::Secret::granted(grant, self.drivers.secret(&secret)?))
            }
        };
        self.external.open(binding, credentials)
    }

    /// No resources at all.
    #[must_use]
    pub fn none() -> Self {
        Self::new(Arc::new(NoDrivers), [])
    }

    /// What the function may use.
    pub fn bindings(&self) -> impl Iterator<Item = &Binding> {
        self.bindings.values()
    }

    open! {
        /// The bucket of this name.
        ///
        /// # Errors
        /// [`ErrorKind::PermissionDenied`] if the function's `uses` does not name it, [`ErrorKind::InvalidArgument`] if it is of
        /// another kind, or the driver's own error.
        bucket, Bucket, bucket::Bucket;
        /// The queue of this name.
        ///
        /// # Errors
        /// As [`bucket`](Self::bucket).
        queue, Queue, queue::Queue;
        /// The topic of this name.
        ///
        /// # Errors
        /// As [`bucket`](Self::bucket).
        topic, Topic, topic::Topic;
        /// The stream of this name.
        ///
        /// # Errors
        /// As [`bucket`](Self::bucket).
        stream, Stream, stream::Stream;
        /// The table of this name.
        ///
        /// # Errors
        /// As [`bucket`](Self::bucket).
        table, Table, table::Table;
        /// The secret of this name.
        ///
        /// # Errors
        /// As [`bucket`](Self::bucket).
        secret, Secret, secret::Secret;
    }

    fn open(&self, kind: ResourceKind, name: &str) -> Result<Handle> {
        let binding = self.bindings.get(name).ok_or_else(|| {
            Error::new(
                ErrorKind::PermissionDenied,
                "context.open",
                "the function's `uses` in nephos.toml does not name this resource",
            )
            .with(kind.name(), name)
        })?;
        if binding.kind != kind {
            return Err(Error::new(
                ErrorKind::InvalidArgument,
                "context.open",
                "nephos.toml declares the resource as another kind",
            )
            .with("name", name)
            .with("asked", kind)
            .with("declared", binding.kind));
        }
        // A poisoned lock only means that another thread panicked between two map operations: the map is whole.
        let mut opened = self
            .opened
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        if let Some(handle) = opened.get(name) {
            return Ok(handle.clone());
        }
        let grant = Grant::new(kind, name, binding.access.clone());
        let handle = match kind {
            ResourceKind::Bucket => {
                let driver = if binding.url.is_some() {
                    self.external_bucket(binding)?
                } else {
                    self.drivers.bucket(binding)?
                };
                Handle::Bucket(bucket::Bucket::granted(grant, driver))
            }

            ResourceKind::Queue => Handle::Queue(queue::Queue::granted(grant, self.drivers.queue(binding)?)),
            ResourceKind::Topic => Handle::Topic(topic::Topic::granted(grant, self.drivers.topic(binding)?)),
            ResourceKind::Stream => {
                Handle::Stream(stream::Stream::granted(grant, self.drivers.stream(binding)?))
            }
            ResourceKind::Table => Handle::Table(table::Table::granted(grant, self.drivers.table(binding)?)),
            ResourceKind::Secret => {
                Handle::Secret(secret::Secret::granted(grant, self.drivers.secret(binding)?))
            }
        };
        opened.insert(name.to_owned(), handle.clone());
        Ok(handle)
    }
}

/// Opens nothing: the drivers of a function that uses no resources, and the refusal for those kinds that a build left out.
#[derive(Debug, Clone, Copy)]
pub struct NotBuilt {
    /// The provider's name, as messages have it.
    pub provider: &'static str,
}

impl NotBuilt {
    /// Refuses to open what the binding names, with the feature to turn on.
    ///
    /// # Errors
    /// Always: [`ErrorKind::Unsupported`].
    pub fn refuse<T>(self, binding: &Binding) -> Result<T> {
        let (kind, provider) = (binding.kind.name(), self.provider);
        Err(Error::new(
            ErrorKind::Unsupported,
            "context.open",
            format!(
                "this function was built without {kind}s on {provider}; turn on the feature `{kind}` of the crate `nephos`"
            ),
        )
        .with(kind, &binding.name))
    }
}

macro_rules! not_built {
    ($($method:ident -> $driver:ty;)*) => {$(
        fn $method(&self, binding: &Binding) -> Result<Arc<$driver>> {
            self.refuse(binding)
        }
    )*};
}

impl Drivers for NotBuilt {
    not_built! {
        bucket -> dyn bucket::BucketDriver;
        queue -> dyn queue::QueueDriver;
        topic -> dyn topic::TopicDriver;
        stream -> dyn stream::StreamDriver;
        table -> dyn table::TableDriver;
        secret -> dyn secret::SecretDriver;
    }
}

/// Opens nothing.
#[derive(Debug)]
struct NoDrivers;

macro_rules! refuse {
    ($($method:ident -> $driver:ty;)*) => {$(
        fn $method(&self, binding: &Binding) -> Result<Arc<$driver>> {
            Err(Error::new(ErrorKind::Unsupported, "context.open", "this host offers no resources")
                .with(binding.kind.name(), &binding.name))
        }
    )*};
}

impl Drivers for NoDrivers {
    refuse! {
        bucket -> dyn bucket::BucketDriver;
        queue -> dyn queue::QueueDriver;
        topic -> dyn topic::TopicDriver;
        stream -> dyn stream::StreamDriver;
        table -> dyn table::TableDriver;
        secret -> dyn secret::SecretDriver;
    }
}

#[cfg(test)]
mod tests;
