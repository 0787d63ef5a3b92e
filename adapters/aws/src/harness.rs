//! The conformance suite's harness over an emulator: every resource is made by the official SDK, and reached through the drivers that functions have.

pub mod emulator;
mod resources;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use nephos_conformance::{Deployment, Harness, Mode};
use nephos_core::app::{App, QueueSpec, StreamSpec};
use nephos_core::resource::bucket::Bucket;
use nephos_core::resource::queue::Queue;
use nephos_core::resource::secret::Secret;
use nephos_core::resource::stream::Stream;
use nephos_core::resource::table::{Table, TableSchema};
use nephos_core::resource::topic::Topic;
use nephos_core::{Error, ErrorKind, Result};
use tokio::sync::Mutex;

use self::emulator::Emulator;

/// AWS under test. The emulator starts when the first resource is asked for, and ends with [`finish`](Harness::finish).
#[derive(Debug, Default)]
pub struct AwsHarness {
    emulator: Mutex<Option<Arc<Emulator>>>,
}

impl AwsHarness {
    /// A harness; nothing is started before it is asked for.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    async fn emulator(&self) -> Result<Arc<Emulator>> {
        let mut emulator = self.emulator.lock().await;
        if let Some(running) = &*emulator {
            return Ok(Arc::clone(running));
        }
        let started = Arc::new(Emulator::start_enforcing().await?);
        *emulator = Some(Arc::clone(&started));
        Ok(started)
    }
}

#[async_trait]
impl Harness for AwsHarness {
    fn adapter(&self) -> &'static str {
        "aws"
    }

    fn mode(&self) -> Mode {
        Mode::Emulator
    }

    async fn bucket(&self) -> Result<Bucket> {
        resources::bucket(&*self.emulator().await?).await
    }

    async fn queue(&self, spec: QueueSpec) -> Result<Queue> {
        resources::queue(&*self.emulator().await?, &spec).await
    }

    async fn missing_queue(&self) -> Result<Queue> {
        resources::missing_queue(&*self.emulator().await?)
    }

    async fn topic(&self) -> Result<Topic> {
        resources::topic(&*self.emulator().await?).await
    }

    async fn stream(&self, spec: StreamSpec) -> Result<Stream> {
        resources::stream(&*self.emulator().await?, &spec).await
    }

    async fn table(&self, schema: TableSchema) -> Result<Table> {
        resources::table(&*self.emulator().await?, schema).await
    }

    async fn secret(&self, value: Option<&[u8]>) -> Result<Secret> {
        resources::secret(&*self.emulator().await?, value).await
    }

    async fn rotate(&self, secret: &Secret, value: &[u8]) -> Result<()> {
        resources::rotate(&*self.emulator().await?, secret.name(), value).await
    }

    fn now(&self) -> DateTime<Utc> {
        Utc::now()
    }

    /// Really waits: the emulator's clock is the machine's.
    async fn pass(&self, time: Duration) {
        tokio::time::sleep(time).await;
    }

    async fn deploy(&self, _app: App) -> Result<Arc<dyn Deployment>> {
        Err(Error::new(
            ErrorKind::Unsupported,
            "harness.deploy",
            "this harness opens resources and deploys no apps",
        ))
    }

    async fn finish(&self) -> Result<()> {
        // Ends with the last handle, which is this one: all rules have run.
        drop(self.emulator.lock().await.take());
        Ok(())
    }
}
