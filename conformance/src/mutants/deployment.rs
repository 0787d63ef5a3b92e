//! Deployments made wrong: their resources are.

use std::sync::{Arc, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use nephos_core::Result;
use nephos_core::resource::bucket::{Bucket, BucketDriver};
use nephos_core::resource::queue::{Queue, QueueDriver};
use nephos_core::resource::secret::{Secret, SecretDriver};
use nephos_core::resource::stream::{Stream, StreamDriver};
use nephos_core::resource::table::{Table, TableDriver};
use nephos_core::resource::topic::{Topic, TopicDriver};
use nephos_core::resource::{Binding, Drivers, ResourceKind, Resources};

use super::queue::Journal;
use super::{Fault, bucket, queue, secret, stream, table, topic};
use crate::harness::Deployment;
use crate::probe::{DEAD, OBSERVED};

#[derive(Debug)]
pub(super) struct Wrong {
    inner: Arc<dyn Deployment>,
    fault: Fault,
    sent: Journal,
}

impl Wrong {
    pub(super) fn new(inner: Arc<dyn Deployment>, fault: Fault) -> Self {
        Self {
            inner,
            fault,
            sent: Journal::default(),
        }
    }

    /// Takes what waits in the app's queues.
    async fn lose(&self) -> Result<()> {
        let resources = self.inner.resources();
        for binding in resources.bindings() {
            if binding.kind != ResourceKind::Queue || [OBSERVED, DEAD].contains(&binding.name.as_str()) {
                continue;
            }
            let queue = resources.queue(&binding.name)?;
            loop {
                let waiting = queue.receive(10, Duration::from_secs(60), Duration::ZERO).await?;
                if waiting.is_empty() {
                    break;
                }
                for received in waiting {
                    queue.ack(&received.receipt).await?;
                }
            }
        }
        Ok(())
    }

    /// Puts back what was sent to the app's queues, done with or not.
    async fn forget_acks(&self) -> Result<()> {
        let sent = std::mem::take(&mut *self.sent.lock().unwrap_or_else(PoisonError::into_inner));
        let resources = self.inner.resources();
        for (queue, messages) in sent {
            resources.queue(&queue)?.send_batch(messages).await?;
        }
        Ok(())
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
                sent: Arc::clone(&self.sent),
            }),
            bindings,
        ))
    }

    fn gateway(&self) -> Option<String> {
        self.inner.gateway()
    }

    async fn crash_and_restart(&self) -> Result<()> {
        if self.fault == Fault::CrashLosesQueue {
            self.lose().await?;
        }
        self.inner.crash_and_restart().await?;
        if self.fault == Fault::CrashForgetsAcks {
            self.forget_acks().await?;
        }
        Ok(())
    }

    async fn stop_and_restart(&self) -> Result<()> {
        if self.fault == Fault::StopKills {
            return self.inner.crash_and_restart().await;
        }
        self.inner.stop_and_restart().await
    }

    async fn remove(&self) -> Result<()> {
        self.inner.remove().await
    }
}

#[derive(Debug)]
struct WrongDrivers {
    original: Arc<Resources>,
    fault: Fault,
    sent: Journal,
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
    fn queue(&self, binding: &Binding) -> Result<Arc<dyn QueueDriver>> {
        let original: Queue = self.original.queue(&binding.name)?;
        Ok(queue::journaled(original, self.fault, Arc::clone(&self.sent)))
    }

    open! {
        bucket, bucket, Bucket, BucketDriver;
        topic, topic, Topic, TopicDriver;
        stream, stream, Stream, StreamDriver;
        table, table, Table, TableDriver;
        secret, secret, Secret, SecretDriver;
    }
}
