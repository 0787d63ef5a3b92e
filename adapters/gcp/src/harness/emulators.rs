//! The emulators and stand-ins of one run. What Google's emulators, or the stand-ins in their place, are asked is held against Google's discovery documents before. Emulators are processes of their own, and
//! the stand-ins in their place threads of their own, which end with the value that started them, or with the program.

use std::collections::BTreeMap;
use std::sync::Arc;

use nephos_conformance::discovery::Documents;
use nephos_conformance::edge::Edge;
use nephos_conformance::gcs::{self, PRIVATE_KEY, ServiceAccount, Storage};
use nephos_conformance::google_cloud::emulators::{Emulator, Service};
use nephos_conformance::google_cloud::{Checked, Control, Options};
use nephos_core::Result;
use nephos_core::env::Environment;
use serde_json::json;

use super::operator;
use crate::config::{Config, EMULATOR_TOKEN, ENDPOINTS, PROJECT};
use crate::resources::{bucket, pubsub, table};

/// The service account that asks, and signs.
pub const ACCOUNT: &str = "app@nephos-tests.iam.gserviceaccount.com";

/// What is sent over plain HTTP: the word by which the emulator of Firestore knows who may do everything (<https://cloud.google.com/firestore/docs/emulator>).
const TOKEN: &str = "owner";

/// Running emulators, or the stand-ins in their place, reachable from this machine only. They end when dropped.
#[derive(Debug)]
pub struct Processes {
    pubsub: Service,
    firestore: Service,
}

impl Processes {
    /// Starts them, empty, and waits until they answer.
    ///
    /// # Errors
    /// Those of [`Emulator::start`].
    pub async fn start() -> Result<Self> {
        let (pubsub, firestore) = tokio::join!(Emulator::PubSub.start(), Emulator::Firestore.start());
        Ok(Self {
            pubsub: pubsub?,
            firestore: firestore?,
        })
    }

    /// Whether they still answer.
    pub(super) async fn alive(&self) -> Result<()> {
        self.pubsub.alive().await?;
        self.firestore.alive().await
    }

    /// Where the emulator of Pub/Sub answers.
    pub(super) fn pubsub(&self) -> String {
        self.pubsub.endpoint()
    }

    /// Where the emulator of Firestore answers.
    pub(super) fn firestore(&self) -> String {
        self.firestore.endpoint()
    }
}

/// Emulators and stand-ins, and a configuration that finds them. Stand-ins and connections do not outlive the runtime in which they were made, so each has its own.
#[derive(Debug)]
pub struct Emulators {
    _processes: Arc<Processes>,
    _edge: Edge,
    _gates: (Checked, Checked),
    storage: Storage,
    control: Control,
    environment: Environment,
    config: Config,
}

impl Emulators {
    /// New stand-ins beside running emulators, and connections to them all.
    ///
    /// # Errors
    /// Those of [`Documents::installed`], and [`ErrorKind::Unavailable`](nephos_core::ErrorKind::Unavailable) if no port is free.
    pub async fn over(processes: Arc<Processes>) -> Result<Self> {
        let documents = Arc::new(Documents::installed()?);
        let gate = |host: &'static str, emulator: &Service| {
            let (base, documents) = (emulator.endpoint(), Arc::clone(&documents));
            async move { Checked::start(host, &base, documents).await }
        };
        let gates = (
            gate("pubsub.googleapis.com", &processes.pubsub).await?,
            gate("firestore.googleapis.com", &processes.firestore).await?,
        );
        let control = Control::start(Options::default(), documents).await?;
        let edge = Edge::start().await?;
        control.route(&edge);
        let storage = Storage::start(gcs::Options {
            tokens: vec![TOKEN.to_owned()],
            service_accounts: vec![ServiceAccount::of_private_key(ACCOUNT, PRIVATE_KEY)?],
            ..gcs::Options::default()
        })
        .await?;
        let version = |gate: &Checked| format!("{}/v1", gate.url());
        let endpoints = json!(BTreeMap::from([
            (bucket::SERVICE, storage.url()),
            (pubsub::SERVICE, version(&gates.0)),
            (table::SERVICE, version(&gates.1)),
        ]));
        let environment: Environment = [
            (ENDPOINTS, endpoints.to_string().as_str()),
            (EMULATOR_TOKEN, TOKEN),
            (PROJECT, control.options().project.as_str()),
        ]
        .into_iter()
        .collect();
        let config = operator::config(&environment, &control.token(), &edge)?;
        Ok(Self {
            _processes: processes,
            _edge: edge,
            _gates: gates,
            storage,
            control,
            environment,
            config,
        })
    }

    /// The variables by which a function finds what is asked over plain HTTP.
    #[must_use]
    pub fn environment(&self) -> &Environment {
        &self.environment
    }

    /// The configuration of whoever may do everything.
    #[must_use]
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// The project of all resources.
    pub(super) fn project(&self) -> &str {
        &self.control.options().project
    }

    /// The stand-in of Cloud Storage.
    #[must_use]
    pub fn storage(&self) -> &Storage {
        &self.storage
    }
}
