//! Deployments made wrong: their resources are.

use std::sync::Arc;

use async_trait::async_trait;
use nephos_core::Result;
use nephos_core::resource::bucket::{Bucket, BucketDriver};
use nephos_core::resource::queue::{Queue, QueueDriver};
use nephos_core::resource::secret::{Secret, SecretDriver};
use nephos_core::resource::stream::{Stream, StreamDriver};
use nephos_core::resource::table::{Table, TableDriver};
use nephos_core::resource::topic::{Topic, TopicDriver};
use nephos_core::resource::{Binding, Drivers, Resources};

use super::{Fault, bucket, queue, secret, stream, table, topic};
use crate::harness::Deployment;

#[derive(Debug)]
pub(super) struct Wrong {
    inner: Arc<dyn Deployment>,
    fault: Fault,
}

impl Wrong {
    pub(super) fn new(inner: Arc<dyn Deployment>, fault: Fault) -> Self {
        Self { inner, fault }
    }
}

#[async_trait]
impl Deployment for Wrong {
    fn resources(&self) -> Arc<Resources> {
        let original = self.inner.resources();
        let bindings: Vec<Binding> = original.bindings().cloned().collect();
        Arc::new(Resources::new(
            Arc::new(WrongDrivers {
                original,
                fault: self.fault,
            }),
            bindings,
        ))
    }

    fn gateway(&self) -> Option<String> {
        self.inner.gateway()
    }

    async fn crash_and_restart(&self) -> Result<()> {
        self.inner.crash_and_restart().await
    }

    async fn remove(&self) -> Result<()> {
        self.inner.remove().await
    }
}

#[derive(Debug)]
struct WrongDrivers {
    original: Arc<Resources>,
    fault: Fault,
}

/// A driver that passes everything on to a portable type: what `Drivers` asks for, and what a wrong resource already is.
macro_rules! open {
    ($($method:ident, $module:ident, $handle:ident, $driver:ident;)*) => {$(
        fn $method(&self, binding: &Binding) -> Result<Arc<dyn $driver>> {
            let original: $handle = self.original.$method(&binding.name)?;
            Ok($module::driver(original, self.fault))
        }
    )*};
}

impl Drivers for WrongDrivers {
    open! {
        bucket, bucket, Bucket, BucketDriver;
        queue, queue, Queue, QueueDriver;
        topic, topic, Topic, TopicDriver;
        stream, stream, Stream, StreamDriver;
        table, table, Table, TableDriver;
        secret, secret, Secret, SecretDriver;
    }
}
