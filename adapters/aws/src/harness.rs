//! The conformance suite's harness over an emulator: every resource is made by the official SDK, every app is deployed by the deployer, and both are
//! reached through the drivers that functions have.

mod account;
mod deploy;
pub mod emulator;
mod events;
mod gateway;
mod recorded;
mod resources;
mod suite;

pub use self::suite::suite;

pub use self::recorded::{record, replay};

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use nephos_conformance::probe::binary;
use nephos_conformance::{
    Account, AuthCapabilities, Delivered, DeployCapabilities, Deployment, Happening, Harness,
    HostCapabilities, Mode, Native,
};
use nephos_core::app::{App, QueueSpec, StreamSpec};
use nephos_core::resource::bucket::Bucket;
use nephos_core::resource::queue::Queue;
use nephos_core::resource::secret::Secret;
use nephos_core::resource::stream::Stream;
use nephos_core::resource::table::{Table, TableSchema};
use nephos_core::resource::topic::Topic;
use nephos_core::{Result, TriggerKind};
use tokio::sync::{Mutex, OnceCell};

use self::account::AwsAccount;
use self::deploy::AwsDeployment;
use self::emulator::Emulator;
use self::events::Events;

/// Names a binary of the probe that is there already, built with [`FEATURES`].
const PROBE: &str = "NEPHOS_AWS_PROBE";

/// What the probe needs on AWS.
const FEATURES: &str = "nephos/aws,nephos/all";

async fn build() -> Result<PathBuf> {
    binary::build(PROBE, FEATURES).await
}

/// What AWS tells a function, whatever runs beneath.
fn host() -> HostCapabilities {
    HostCapabilities {
        kinds: TriggerKind::ALL.into(),
        // The Runtime API has no header for it: <https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html>.
        counts_tries: false,
        tells_tries: BTreeSet::new(),
        query_values: true,
        // SQS moves what was received too often by itself, as it is:
        // <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-dead-letter-queues.html>.
        dead_letter_facts: false,
        // A mapping's destination is told where in the stream the record is:
        // <https://docs.aws.amazon.com/lambda/latest/dg/kinesis-on-failure-destination.html>.
        stream_letters: false,
        auth: AuthCapabilities::all(),
        // Lambda keeps a process for the next event, and gives it one at a time:
        // <https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtime-environment.html>.
        isolation: false,
        shared_process: false,
        // A function URL buffers unless the target's `response_streaming` says otherwise, which the suite's apps do not:
        // <https://docs.aws.amazon.com/lambda/latest/dg/configuration-response-streaming.html>.
        streams_answers: false,
        changes_each: true,
        changes_removed: true,
        changes_old: true,
        changes_kinds_told: true,
    }
}

/// AWS under test. An emulator for resources starts when the first is asked for, another for apps when the first is deployed; both end with
/// [`finish`](Harness::finish).
#[derive(Debug, Default)]
pub struct AwsHarness {
    /// For resources; policies are held.
    emulator: Mutex<Option<Arc<Emulator>>>,
    /// For apps. Policies are not held: the emulator asks for actions that AWS does not have (`sqs:SendMessageBatch`), which no role allows. That a
    /// role allows what its function needs is held by the tests of the template.
    apps: Mutex<Option<Arc<Emulator>>>,
    /// For the rules of deployment, beside whose many stacks no function is to wait.
    account: Mutex<Option<Arc<AwsAccount>>>,
    probe: OnceCell<PathBuf>,
    events: Events,
}

impl AwsHarness {
    /// A harness; nothing is started before it is asked for.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    async fn apps(&self) -> Result<Arc<Emulator>> {
        let mut apps = self.apps.lock().await;
        if let Some(running) = &*apps {
            return Ok(Arc::clone(running));
        }
        let started = Arc::new(Emulator::start().await?);
        *apps = Some(Arc::clone(&started));
        Ok(started)
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

    fn beneath(&self) -> Option<String> {
        Some(Emulator::told())
    }

    fn host(&self) -> HostCapabilities {
        host()
    }

    async fn prepare(&self, apps: bool) -> Result<()> {
        // A tool that is missing is told before cargo builds anything.
        self.emulator().await?;
        if apps {
            self.probe.get_or_try_init(build).await?;
        }
        Ok(())
    }

    async fn alive(&self) -> Result<()> {
        for emulator in [&self.emulator, &self.apps] {
            // One that starts just now is not gone.
            let running = emulator.try_lock().ok().and_then(|held| held.clone());
            if let Some(running) = running {
                running.alive().await?;
            }
        }
        Ok(())
    }

    async fn native(&self, happening: &Happening) -> Result<Vec<Native>> {
        self.events
            .native(self.emulator().await?.service(), happening)
            .await
    }

    async fn decode(&self, native: &Native) -> Result<Vec<Delivered>> {
        self.events.decode(native).await
    }

    async fn bucket(&self) -> Result<Bucket> {
        resources::bucket(self.emulator().await?.service()).await
    }

    async fn queue(&self, spec: QueueSpec) -> Result<Queue> {
        resources::queue(self.emulator().await?.service(), &spec).await
    }

    async fn missing_queue(&self) -> Result<Queue> {
        resources::missing_queue(self.emulator().await?.service())
    }

    async fn topic(&self) -> Result<Topic> {
        resources::topic(self.emulator().await?.service()).await
    }

    async fn stream(&self, spec: StreamSpec) -> Result<Stream> {
        resources::stream(self.emulator().await?.service(), &spec).await
    }

    async fn table(&self, schema: TableSchema) -> Result<Table> {
        resources::table(self.emulator().await?.service(), schema).await
    }

    async fn secret(&self, value: Option<&[u8]>) -> Result<Secret> {
        resources::secret(self.emulator().await?.service(), value).await
    }

    async fn rotate(&self, secret: &Secret, value: &[u8]) -> Result<()> {
        resources::rotate(self.emulator().await?.service(), secret.name(), value).await
    }

    fn now(&self) -> DateTime<Utc> {
        Utc::now()
    }

    /// Really waits: the emulator's clock is the machine's.
    async fn pass(&self, time: Duration) {
        tokio::time::sleep(time).await;
    }

    async fn deploy(&self, app: App) -> Result<Arc<dyn Deployment>> {
        let binary = self.probe.get_or_try_init(build).await?.clone();
        let emulator = self.apps().await?;
        Ok(Arc::new(AwsDeployment::start(emulator, app, binary).await?))
    }

    fn deploys(&self) -> Option<DeployCapabilities> {
        Some(DeployCapabilities {
            // What takes events is compared with the artifact at each plan.
            drift_of_code: true,
            // A change set compares templates with each other, not with what there is:
            // <https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/using-cfn-updating-stacks-changesets.html>.
            drift_of_settings: false,
        })
    }

    async fn account(&self) -> Result<Arc<dyn Account>> {
        let mut account = self.account.lock().await;
        if let Some(running) = &*account {
            return Ok(Arc::clone(running) as Arc<dyn Account>);
        }
        let binary = self.probe.get_or_try_init(build).await?.clone();
        let started = Arc::new(AwsAccount::new(Emulator::start().await?, binary));
        *account = Some(Arc::clone(&started));
        Ok(started)
    }

    async fn finish(&self) -> Result<()> {
        // Ends with the last handle, which is this one: all rules have run.
        drop(self.emulator.lock().await.take());
        drop(self.apps.lock().await.take());
        drop(self.account.lock().await.take());
        Ok(())
    }
}
