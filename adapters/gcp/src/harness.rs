//! The conformance suite's harness over Google's own emulators of Pub/Sub and Firestore, or stand-ins where they are not installed, and the suite's stand-ins of Cloud Storage and of the control plane, which has secrets.
//! Every resource is made as an operator makes it, and reached through the drivers that functions have.
//!
//! Events are requests as Google's services send them. Apps are rendered by deployment, and run in the suite's own Cloud Run, to which Google's emulators and the stand-ins send their events.

mod account;
mod applier;
mod apps;
mod deploy;
pub mod emulators;
mod events;
pub mod operator;
mod resources;
mod suite;

pub use self::suite::suite;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use nephos_conformance::google_cloud::emulators::Choice;
use nephos_conformance::probe::binary;
use nephos_conformance::{
    Account, AuthCapabilities, Delivered, DeployCapabilities, Deployment, Happening, Harness,
    HostCapabilities, Mode, Native,
};
use nephos_core::app::{App, QueueSpec, StreamSpec};
use nephos_core::event::AuthStage;
use nephos_core::resource::bucket::Bucket;
use nephos_core::resource::queue::Queue;
use nephos_core::resource::secret::Secret;
use nephos_core::resource::stream::Stream;
use nephos_core::resource::table::{Table, TableSchema};
use nephos_core::resource::topic::Topic;
use nephos_core::{Result, TriggerKind};
use tokio::sync::{Mutex, OnceCell};

use self::account::GcpAccount;
use self::apps::Apps;
use self::deploy::GcpDeployment;
use self::emulators::{Emulators, Processes};

/// Names a binary of the probe that is there already, built with [`FEATURES`].
const PROBE: &str = "NEPHOS_GCP_PROBE";

/// What the probe needs on Google Cloud.
const FEATURES: &str = "nephos/gcp,nephos/all";

async fn build() -> Result<PathBuf> {
    binary::build(PROBE, FEATURES).await
}

/// Google Cloud under test. The emulators start when the first resource is asked for, and end with [`finish`](Harness::finish).
#[derive(Debug, Default)]
pub struct GcpHarness {
    processes: Mutex<Option<Arc<Processes>>>,
    emulators: Mutex<Option<Arc<Emulators>>>,
    /// For apps.
    apps: Mutex<Option<Arc<Apps>>>,
    /// For the rules of deployment, in which nothing runs.
    account: Mutex<Option<Arc<GcpAccount>>>,
    probe: OnceCell<PathBuf>,
}

impl GcpHarness {
    /// A harness; nothing is started before it is asked for.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    async fn emulators(&self) -> Result<Arc<Emulators>> {
        let mut emulators = self.emulators.lock().await;
        if let Some(running) = &*emulators {
            return Ok(Arc::clone(running));
        }
        let started = Arc::new(Emulators::over(self.processes().await?).await?);
        *emulators = Some(Arc::clone(&started));
        Ok(started)
    }

    async fn processes(&self) -> Result<Arc<Processes>> {
        let mut processes = self.processes.lock().await;
        if let Some(running) = &*processes {
            return Ok(Arc::clone(running));
        }
        let started = Arc::new(Processes::start().await?);
        *processes = Some(Arc::clone(&started));
        Ok(started)
    }

    async fn apps(&self) -> Result<Arc<Apps>> {
        let mut apps = self.apps.lock().await;
        if let Some(running) = &*apps {
            return Ok(Arc::clone(running));
        }
        let binary = self.probe.get_or_try_init(build).await?;
        let started = Arc::new(Apps::over(self.processes().await?, binary).await?);
        *apps = Some(Arc::clone(&started));
        Ok(started)
    }
}

#[async_trait]
impl Harness for GcpHarness {
    fn adapter(&self) -> &'static str {
        "gcp"
    }

    fn mode(&self) -> Mode {
        Mode::Emulator
    }

    fn beneath(&self) -> Option<String> {
        // A choice that is none is told by the first resource.
        Choice::find().ok().map(|choice| choice.told())
    }

    fn host(&self) -> HostCapabilities {
        HostCapabilities {
            // A service is called by its clients and its triggers, and by nothing else.
            kinds: (TriggerKind::ALL.into_iter())
                .filter(|kind| *kind != TriggerKind::Raw)
                .collect(),
            // Pub/Sub tells, where the subscription has a dead-letter policy; Eventarc, Cloud Scheduler and mail services do not:
            // <https://cloud.google.com/pubsub/docs/handling-failures#track_delivery_attempts>.
            tells_tries: [TriggerKind::Bucket, TriggerKind::Topic, TriggerKind::Stream].into(),
            // Cloud Run passes a request on as it is: <https://cloud.google.com/run/docs/container-contract>.
            query_values: true,
            // A user has an id before it is made; what a client sent along is not told:
            // <https://cloud.google.com/identity-platform/docs/blocking-functions>.
            auth: AuthCapabilities {
                stages: vec![AuthStage::BeforeSignUp, AuthStage::BeforeSignIn],
                user_before_sign_up: true,
                client_data: false,
            },
            // An event has the document before and after: <https://cloud.google.com/firestore/docs/extend-with-functions-2nd-gen>.
            changes_removed: true,
            changes_old: true,
            changes_kinds_told: true,
            // Eventarc sends an event of each write: <https://cloud.google.com/firestore/native/docs/extend-with-eventarc>.
            changes_each: true,
            // Our host counts what Pub/Sub does not tell, and sends the letter before Pub/Sub has given anything up.
            counts_tries: true,
            dead_letter_facts: true,
            stream_letters: true,
            // An instance stays for the next requests, and takes several at once: <https://cloud.google.com/run/docs/about-concurrency>.
            isolation: false,
            shared_process: true,
            // An answer is passed on as it is written: <https://cloud.google.com/run/docs/triggering/https-request>.
            streams_answers: true,
        }
    }

    async fn prepare(&self, apps: bool) -> Result<()> {
        // A tool that is missing is told before cargo builds anything.
        self.emulators().await?;
        if apps {
            self.probe.get_or_try_init(build).await?;
        }
        Ok(())
    }

    async fn alive(&self) -> Result<()> {
        // What starts just now is not gone.
        let processes = self.processes.try_lock().ok().and_then(|held| held.clone());
        match processes {
            Some(processes) => processes.alive().await,
            None => Ok(()),
        }
    }

    async fn native(&self, happening: &Happening) -> Result<Vec<Native>> {
        events::native(happening)
    }

    async fn decode(&self, native: &Native) -> Result<Vec<Delivered>> {
        events::decode(native)
    }

    async fn bucket(&self) -> Result<Bucket> {
        resources::bucket(&*self.emulators().await?)
    }

    async fn queue(&self, spec: QueueSpec) -> Result<Queue> {
        resources::queue(&*self.emulators().await?, &spec).await
    }

    async fn missing_queue(&self) -> Result<Queue> {
        resources::missing_queue(&*self.emulators().await?)
    }

    async fn topic(&self) -> Result<Topic> {
        resources::topic(&*self.emulators().await?).await
    }

    async fn stream(&self, _spec: StreamSpec) -> Result<Stream> {
        resources::stream(&*self.emulators().await?).await
    }

    async fn table(&self, schema: TableSchema) -> Result<Table> {
        resources::table(&*self.emulators().await?, schema)
    }

    async fn secret(&self, value: Option<&[u8]>) -> Result<Secret> {
        resources::secret(&*self.emulators().await?, value).await
    }

    async fn rotate(&self, secret: &Secret, value: &[u8]) -> Result<()> {
        resources::add_version(&*self.emulators().await?, secret.name(), value).await
    }

    fn now(&self) -> DateTime<Utc> {
        Utc::now()
    }

    /// Really waits: the emulators' clock is the machine's.
    async fn pass(&self, time: Duration) {
        tokio::time::sleep(time).await;
    }

    async fn deploy(&self, app: App) -> Result<Arc<dyn Deployment>> {
        Ok(Arc::new(GcpDeployment::start(self.apps().await?, app).await?))
    }

    fn deploys(&self) -> Option<DeployCapabilities> {
        // Our own engine compares each field with what there is.
        Some(DeployCapabilities {
            drift_of_code: true,
            drift_of_settings: true,
        })
    }

    async fn account(&self) -> Result<Arc<dyn Account>> {
        let mut account = self.account.lock().await;
        if let Some(running) = &*account {
            return Ok(Arc::clone(running) as Arc<dyn Account>);
        }
        let started = Arc::new(GcpAccount::start().await?);
        *account = Some(Arc::clone(&started));
        Ok(started)
    }

    async fn finish(&self) -> Result<()> {
        // Ends with the last handle, which is this one: all rules have run.
        drop(self.emulators.lock().await.take());
        drop(self.apps.lock().await.take());
        drop(self.processes.lock().await.take());
        drop(self.account.lock().await.take());
        Ok(())
    }
}
