//! The conformance suite's harness over the embedded host: every resource is reached as a function reaches it, through the resource API.

mod deploy;
mod events;
mod resources;
mod suite;

pub use self::deploy::host;
pub use self::suite::suite;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use nephos_conformance::probe::binary;
use nephos_conformance::{
    AuthCapabilities, Delivered, Deployment, Happening, Harness, HostCapabilities, Mode, Native,
};
use nephos_core::app::{App, QueueSpec, StreamSpec};
use nephos_core::resource::bucket::Bucket;
use nephos_core::resource::queue::Queue;
use nephos_core::resource::secret::Secret;
use nephos_core::resource::stream::Stream;
use nephos_core::resource::table::{Table, TableSchema};
use nephos_core::resource::topic::Topic;
use nephos_core::{Error, ErrorKind, Result, TriggerKind};
use tokio::sync::OnceCell;
use tokio_util::sync::CancellationToken;

use crate::deploy::store::Store;

/// Names a binary of the probe that is there already.
const PROBE: &str = "NEPHOS_PROBE";

async fn build() -> Result<PathBuf> {
    // The host here is the one that every function has.
    binary::build(PROBE, "").await
}

/// The embedded host under test. All that it makes lies in one temporary folder, which [`finish`](Harness::finish) removes.
#[derive(Debug)]
pub struct LocalHarness {
    folder: PathBuf,
    probe: OnceCell<PathBuf>,
    store: OnceCell<Store>,
    stop: CancellationToken,
}

impl Default for LocalHarness {
    fn default() -> Self {
        Self {
            probe: OnceCell::new(),
            folder: std::env::temp_dir()
                .join(format!("nephos-conformance-{}", uuid::Uuid::new_v4().simple())),
            store: OnceCell::new(),
            stop: CancellationToken::new(),
        }
    }
}

impl LocalHarness {
    /// A harness; nothing is made before it is asked for.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    async fn store(&self) -> Result<&Store> {
        self.store
            .get_or_try_init(|| async {
                std::fs::create_dir_all(&self.folder).map_err(|error| self.unusable(error))?;
                Store::open(&self.folder.join("store.sqlite")).await
            })
            .await
    }

    fn unusable(&self, error: std::io::Error) -> Error {
        Error::new(
            ErrorKind::Unavailable,
            "harness.open",
            "the temporary folder cannot be used",
        )
        .with("folder", self.folder.display())
        .caused_by(error)
    }
}

#[async_trait]
impl Harness for LocalHarness {
    fn adapter(&self) -> &'static str {
        "local"
    }

    fn mode(&self) -> Mode {
        Mode::Embedded
    }

    fn host(&self) -> HostCapabilities {
        HostCapabilities {
            kinds: TriggerKind::ALL.into(),
            counts_tries: true,
            tells_tries: TriggerKind::ALL.into(),
            query_values: true,
            dead_letter_facts: true,
            stream_letters: true,
            auth: AuthCapabilities::all(),
            isolation: true,
            shared_process: true,
            streams_answers: true,
            changes_each: true,
            changes_removed: true,
            changes_old: true,
            changes_kinds_told: true,
        }
    }

    async fn prepare(&self, apps: bool) -> Result<()> {
        if apps {
            self.probe.get_or_try_init(build).await?;
        }
        Ok(())
    }

    async fn native(&self, happening: &Happening) -> Result<Vec<Native>> {
        Ok(vec![events::native(happening)?])
    }

    async fn decode(&self, native: &Native) -> Result<Vec<Delivered>> {
        Ok(vec![events::decode(native)?])
    }

    async fn bucket(&self) -> Result<Bucket> {
        resources::bucket(self).await
    }

    async fn queue(&self, spec: QueueSpec) -> Result<Queue> {
        resources::queue(self, &spec).await
    }

    async fn missing_queue(&self) -> Result<Queue> {
        resources::missing_queue(self).await
    }

    async fn topic(&self) -> Result<Topic> {
        resources::topic(self).await
    }

    async fn stream(&self, spec: StreamSpec) -> Result<Stream> {
        resources::stream(self, &spec).await
    }

    async fn table(&self, schema: TableSchema) -> Result<Table> {
        resources::table(self, schema).await
    }

    async fn secret(&self, value: Option<&[u8]>) -> Result<Secret> {
        resources::secret(self, value).await
    }

    async fn rotate(&self, secret: &Secret, value: &[u8]) -> Result<()> {
        resources::set_secret(self, secret.name(), value)
    }

    fn now(&self) -> DateTime<Utc> {
        Utc::now()
    }

    /// Really waits: the embedded host's clock is the machine's.
    async fn pass(&self, time: Duration) {
        tokio::time::sleep(time).await;
    }

    async fn deploy(&self, app: App) -> Result<Arc<dyn Deployment>> {
        let folder = self.folder.join("apps").join(&app.name);
        std::fs::create_dir_all(&folder).map_err(|error| self.unusable(error))?;
        let binary = self.probe.get_or_try_init(build).await?;
        Ok(Arc::new(
            deploy::LocalDeployment::start(app, binary, folder).await?,
        ))
    }

    async fn finish(&self) -> Result<()> {
        self.stop.cancel();
        match std::fs::remove_dir_all(&self.folder) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(self.unusable(error)),
            _ => Ok(()),
        }
    }
}
