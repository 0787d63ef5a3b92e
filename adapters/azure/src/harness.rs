//! The conformance suite's harness over emulators of storage (Azurite) and of Cosmos DB, and the suite's own stand-ins for Event Grid, Event Hubs, Service Bus, Key Vault and
//! the Functions host. Every resource is made as an operator makes it, every app is rendered and packed by deployment, and both are reached through the drivers that
//! functions have.

mod account;
mod deploy;
pub mod emulators;
mod events;
mod operator;
mod resources;
mod suite;

pub use self::suite::suite;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use nephos_conformance::azure_functions::azurite::Azurite;
use nephos_conformance::azure_functions::cloud;
use nephos_conformance::azure_functions::cosmos::CosmosServer;
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
use nephos_core::{Error, ErrorKind, Result, TriggerKind};
use tokio::sync::{Mutex, OnceCell};

use self::account::AzureAccount;
use self::deploy::AzureDeployment;
use self::emulators::{Emulators, Processes};

/// Names a binary of the probe that is there already, built with [`FEATURES`].
const PROBE: &str = "NEPHOS_AZURE_PROBE";

/// What the probe needs on Azure.
const FEATURES: &str = "nephos/azure,nephos/all";

/// How many apps are deployed at most: each has a storage account.
const APPS: usize = 1000;

async fn build() -> Result<PathBuf> {
    binary::build(PROBE, FEATURES).await
}

/// Azure under test. The emulators start when the first resource is asked for, and end with [`finish`](Harness::finish).
#[derive(Debug, Default)]
pub struct AzureHarness {
    emulators: Mutex<Option<Arc<Emulators>>>,
    /// For apps.
    apps: Mutex<Option<Arc<cloud::Emulators>>>,
    /// For the rules of deployment, in which nothing runs.
    account: Mutex<Option<Arc<AzureAccount>>>,
    probe: OnceCell<PathBuf>,
}

impl AzureHarness {
    /// A harness; nothing is started before it is asked for.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// A harness over emulators that run already.
    #[must_use]
    pub fn over(emulators: Emulators) -> Self {
        Self {
            emulators: Mutex::new(Some(Arc::new(emulators))),
            ..Self::default()
        }
    }

    async fn emulators(&self) -> Result<Arc<Emulators>> {
        let mut emulators = self.emulators.lock().await;
        if let Some(running) = &*emulators {
            return Ok(Arc::clone(running));
        }
        let started = Arc::new(Emulators::over(Arc::new(Processes::start().await?)).await?);
        *emulators = Some(Arc::clone(&started));
        Ok(started)
    }

    async fn apps(&self) -> Result<Arc<cloud::Emulators>> {
        let mut apps = self.apps.lock().await;
        if let Some(running) = &*apps {
            return Ok(Arc::clone(running));
        }
        let started = cloud::Emulators::start(APPS).await?;
        *apps = Some(Arc::clone(&started));
        Ok(started)
    }
}

/// A secret of Key Vault is a string: <https://learn.microsoft.com/azure/key-vault/secrets/about-secrets>.
fn secret_text(value: &[u8]) -> Result<&str> {
    std::str::from_utf8(value).map_err(|error| {
        Error::new(
            ErrorKind::Unsupported,
            "harness.secret",
            "Key Vault keeps text only",
        )
        .caused_by(error)
    })
}

#[async_trait]
impl Harness for AzureHarness {
    fn adapter(&self) -> &'static str {
        "azure"
    }

    fn mode(&self) -> Mode {
        Mode::Emulator
    }

    fn beneath(&self) -> Option<String> {
        Some(format!(
            "{}, {} and the suite's own stand-ins for the rest",
            Azurite::told(),
            CosmosServer::told()
        ))
    }

    fn host(&self) -> HostCapabilities {
        HostCapabilities {
            // A function app is called by its triggers and by nothing else; by hand, too, it is one of them that is run:
            // <https://learn.microsoft.com/azure/azure-functions/functions-manually-run-non-http>.
            kinds: (TriggerKind::ALL.into_iter())
                .filter(|kind| *kind != TriggerKind::Raw)
                .collect(),
            // Our host counts: by `DequeueCount` and `DeliveryCount`, and the records of a batch itself:
            // <https://learn.microsoft.com/azure/azure-functions/functions-bindings-storage-queue-trigger#message-metadata>.
            counts_tries: true,
            // Of batches our host counts the tries itself, record by record; a mail service does not tell which try it is.
            tells_tries: [TriggerKind::Bucket, TriggerKind::Topic, TriggerKind::Schedule].into(),
            // The host makes one value of them when it forwards a request (`HttpContextExtensions.GetQueryCollectionAsDictionary`):
            // <https://github.com/Azure/azure-functions-host>.
            query_values: false,
            // Our host sends the letter, before the Functions host has given anything up.
            dead_letter_facts: true,
            stream_letters: true,
            // Entra asks before a sign-up and before a token, and knows no user before there is one:
            // <https://learn.microsoft.com/entra/identity-platform/custom-extension-overview>.
            auth: AuthCapabilities {
                stages: vec![AuthStage::BeforeSignUp, AuthStage::BeforeToken],
                user_before_sign_up: false,
                client_data: false,
            },
            // An instance stays for the next events, and takes several at once:
            // <https://learn.microsoft.com/azure/azure-functions/functions-concurrency>.
            isolation: false,
            shared_process: true,
            // The Functions host reads an answer to its end before the client gets any of it (`DefaultHttpWorkerService`):
            // <https://github.com/Azure/azure-functions-host>.
            streams_answers: false,
            // The trigger reads the feed in its mode of latest versions:
            // <https://learn.microsoft.com/azure/cosmos-db/change-feed-modes>.
            changes_each: false,
            changes_removed: false,
            changes_old: false,
            changes_kinds_told: false,
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
        let emulators = self.emulators.try_lock().ok().and_then(|held| held.clone());
        if let Some(emulators) = emulators {
            emulators.alive().await?;
        }
        let apps = self.apps.try_lock().ok().and_then(|held| held.clone());
        match apps {
            Some(apps) => apps.alive().await,
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
        resources::bucket(&*self.emulators().await?).await
    }

    async fn queue(&self, spec: QueueSpec) -> Result<Queue> {
        if spec.ordered {
            return resources::ordered_queue(&*self.emulators().await?);
        }
        resources::queue(&*self.emulators().await?).await
    }

    async fn missing_queue(&self) -> Result<Queue> {
        resources::missing_queue(&*self.emulators().await?)
    }

    async fn topic(&self) -> Result<Topic> {
        resources::topic(&*self.emulators().await?)
    }

    async fn stream(&self, spec: StreamSpec) -> Result<Stream> {
        resources::stream(&*self.emulators().await?, &spec)
    }

    async fn table(&self, schema: TableSchema) -> Result<Table> {
        resources::table(&*self.emulators().await?, schema).await
    }

    async fn secret(&self, value: Option<&[u8]>) -> Result<Secret> {
        resources::secret(&*self.emulators().await?, value.map(secret_text).transpose()?)
    }

    async fn rotate(&self, secret: &Secret, value: &[u8]) -> Result<()> {
        self.emulators()
            .await?
            .set_secret(secret.name(), secret_text(value)?);
        Ok(())
    }

    fn now(&self) -> DateTime<Utc> {
        Utc::now()
    }

    /// Really waits: the emulators' clock is the machine's.
    async fn pass(&self, time: Duration) {
        tokio::time::sleep(time).await;
    }

    async fn deploy(&self, app: App) -> Result<Arc<dyn Deployment>> {
        let binary = self.probe.get_or_try_init(build).await?;
        let emulators = self.apps().await?;
        Ok(Arc::new(AzureDeployment::start(&emulators, app, binary).await?))
    }

    fn deploys(&self) -> Option<DeployCapabilities> {
        // A template that is the deployed one is not compared with what there is, for Azure tells no setting of a site, and what a site runs is known by what was published last.
        Some(DeployCapabilities {
            drift_of_code: false,
            drift_of_settings: false,
        })
    }

    async fn account(&self) -> Result<Arc<dyn Account>> {
        let mut account = self.account.lock().await;
        if let Some(running) = &*account {
            return Ok(Arc::clone(running) as Arc<dyn Account>);
        }
        let binary = self.probe.get_or_try_init(build).await?.clone();
        let started = Arc::new(AzureAccount::start(binary).await?);
        *account = Some(Arc::clone(&started));
        Ok(started)
    }

    async fn finish(&self) -> Result<()> {
        // Ends with the last handle, which is this one: all rules have run.
        drop(self.emulators.lock().await.take());
        drop(self.apps.lock().await.take());
        drop(self.account.lock().await.take());
        Ok(())
    }
}
