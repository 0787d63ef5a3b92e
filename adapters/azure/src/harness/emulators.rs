//! The emulators and stand-ins of one run. Emulators are processes of their own, which end with the value that started them, or with the program.

use std::collections::BTreeMap;
use std::sync::Arc;

use nephos_conformance::azure_functions::azurite::Azurite;
use nephos_conformance::azure_functions::cosmos::CosmosServer;
use nephos_conformance::azure_functions::event_grid::{EventGrid, Schema};
use nephos_conformance::azure_functions::event_hub::EventHubs;
use nephos_conformance::azure_functions::key_vault::KeyVault;
use nephos_conformance::azure_functions::service_bus::{QueueOptions, ServiceBus};
use nephos_conformance::azure_functions::storage::Account;
use nephos_conformance::edge::Edge;
use nephos_core::Result;
use nephos_core::env::Environment;
use serde_json::json;

use super::operator;
use crate::config::{COSMOS_KEY, Config, ENDPOINTS, STORAGE_KEY};

/// The name on Azure of whatever has one.
pub const ACCOUNT: &str = "nephos";

/// The database of all tables.
pub const DATABASE: &str = "app";

/// Running emulators, reachable from this machine only. They end when dropped.
#[derive(Debug)]
pub struct Processes {
    azurite: Azurite,
    cosmos: CosmosServer,
}

impl Processes {
    /// Starts them, empty, and waits until they answer.
    ///
    /// # Errors
    /// Those of [`Azurite::start`] and [`CosmosServer::start`].
    pub async fn start() -> Result<Self> {
        let (azurite, cosmos) = tokio::join!(Azurite::start(), CosmosServer::start());
        let (azurite, cosmos) = (azurite?, cosmos?);
        cosmos.account().create_database(DATABASE).await?;
        Ok(Self { azurite, cosmos })
    }
}

/// Emulators and stand-ins, and connections to them. Stand-ins and connections do not outlive the runtime in which they were made, so each has its own.
#[derive(Debug)]
pub struct Emulators {
    processes: Arc<Processes>,
    _edge: Edge,
    grid: EventGrid,
    hubs: EventHubs,
    bus: ServiceBus,
    vault: KeyVault,
    environment: Environment,
    config: Config,
}

impl Emulators {
    /// New stand-ins beside running emulators, and connections to them all.
    ///
    /// # Errors
    /// As [`Config::load`], and [`ErrorKind::Unavailable`](nephos_core::ErrorKind::Unavailable) if no port is free.
    pub async fn over(processes: Arc<Processes>) -> Result<Self> {
        let account = processes.azurite.account();
        let edge = Edge::start().await?;
        let grid = EventGrid::start(account.clone()).await?;
        let (hubs, bus) = (EventHubs::start().await?, ServiceBus::start().await?);
        let vault = KeyVault::start().await?;
        for (service, here) in [
            ("servicebus.windows.net", hubs.url()),
            ("ordered.servicebus.windows.net", bus.url()),
            ("eventgrid.azure.net", grid.url()),
            ("vault.azure.net", vault.url()),
        ] {
            edge.route(&format!("{ACCOUNT}.{service}"), &here);
        }
        let endpoints: BTreeMap<String, String> = [
            ("blob.core.windows.net", account.blobs.clone()),
            ("queue.core.windows.net", account.queues.clone()),
            ("documents.azure.com", processes.cosmos.account().endpoint),
        ]
        .into_iter()
        .map(|(service, here)| (format!("https://{ACCOUNT}.{service}"), here))
        .collect();
        let endpoints = json!(endpoints).to_string();
        let environment: Environment = [
            (ENDPOINTS, endpoints.as_str()),
            (STORAGE_KEY, account.key.as_str()),
            // The emulator takes any.
            (COSMOS_KEY, account.key.as_str()),
        ]
        .into_iter()
        .collect();
        let config = operator::config(&environment, &edge)?;
        Ok(Self {
            processes,
            _edge: edge,
            grid,
            hubs,
            bus,
            vault,
            environment,
            config,
        })
    }

    /// The variables by which a function finds them.
    #[must_use]
    pub fn environment(&self) -> &Environment {
        &self.environment
    }

    /// The configuration that those variables make.
    #[must_use]
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// Whether the processes still answer.
    pub(super) async fn alive(&self) -> Result<()> {
        self.processes.azurite.alive().await?;
        self.processes.cosmos.alive().await
    }

    /// The storage account here.
    pub(super) fn account(&self) -> &Account {
        self.processes.azurite.account()
    }

    /// Makes a topic.
    pub(super) fn create_topic(&self, topic: &str) {
        self.grid.create_topic(topic, Schema::CloudEvents);
    }

    /// Makes an event hub.
    pub(super) fn create_stream(&self, hub: &str, partitions: usize) {
        self.hubs.create(hub, partitions);
    }

    /// Makes a queue of Service Bus.
    pub(super) fn create_ordered_queue(&self, queue: &str) {
        let options = QueueOptions {
            sessions: true,
            ..QueueOptions::default()
        };
        self.bus.create(queue, options);
    }

    /// Sets a secret, as an operator does.
    pub(super) fn set_secret(&self, name: &str, value: &str) {
        self.vault.set(name, value);
    }
}
