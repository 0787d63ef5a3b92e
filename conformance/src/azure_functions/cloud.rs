//! What a template for Azure becomes here: emulators and stand-ins hold what it declares, and a host runs each site's package.
//!
//! Only the types of Azure's resources are known, and no adapter: a site is known by its name in the template, and gets its package from whoever starts the cloud. What a
//! process must know to find storage and tables here ([`Places`]) is told in whichever settings it reads; all other services are asked under their own names, with tokens and
//! over TLS ([`Edge`]).

mod places;
mod site;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use nephos_core::{Error, ErrorKind, Result};
use serde_json::Value;

use self::places::Here;
pub use self::places::Places;
use self::site::Site;
use super::azurite::Watched;
use super::cosmos::CosmosServer;
use super::event_grid::{EventGrid, Schema, Subscription};
use super::event_hub::EventHubs;
use super::host::{Host, Services};
use super::identity::Identity;
use super::key_vault::KeyVault;
use super::service_bus::{QueueOptions, ServiceBus};
use super::storage::Account;
use crate::edge::Edge;

const OPERATION: &str = "azure-functions.cloud";

/// The emulators that are programs: clouds share them, each with a storage account of its own, and a database of its own name. They end with the last that knows them.
#[derive(Debug)]
pub struct Emulators {
    azurite: Watched,
    cosmos: CosmosServer,
    edge: Edge,
    identity: Identity,
    taken: AtomicUsize,
}

impl Emulators {
    /// Starts them, empty, with accounts for so many clouds.
    ///
    /// # Errors
    /// Those of [`Watched::start`] and [`CosmosServer::start`].
    pub async fn start(clouds: usize) -> Result<Arc<Self>> {
        let (azurite, cosmos) = tokio::join!(Watched::start(clouds), CosmosServer::start());
        let (edge, identity) = tokio::join!(Edge::start(), Identity::start());
        Ok(Arc::new(Self {
            azurite: azurite?,
            cosmos: cosmos?,
            edge: edge?,
            identity: identity?,
            taken: AtomicUsize::new(0),
        }))
    }

    /// The proxy by which the services that take no keys are asked, under their own names.
    #[must_use]
    pub fn edge(&self) -> &Edge {
        &self.edge
    }

    /// Whether they still answer.
    ///
    /// # Errors
    /// Those of [`Running::alive`](crate::process::Running::alive).
    pub async fn alive(&self) -> Result<()> {
        self.azurite.alive().await?;
        self.cosmos.alive().await
    }

    /// An account that nobody has yet.
    fn account(&self) -> Result<Account> {
        let taken = self.taken.fetch_add(1, Ordering::Relaxed);
        self.azurite.accounts().get(taken).cloned().ok_or_else(|| {
            Error::new(
                ErrorKind::ResourceExhausted,
                OPERATION,
                "the emulator of storage has no account left; start it with more",
            )
            .with("accounts", self.azurite.accounts().len())
        })
    }
}

/// What a test has otherwise than Azure.
#[derive(Debug, Clone)]
pub struct Pace {
    /// How often empty sources are asked.
    pub poll: Duration,
    /// How long a message is hidden while it is handled, and so how long after a crash it comes again: ten minutes in Azure.
    pub lease: Duration,
    /// How long a process may take to end once it was told to.
    pub grace: Duration,
    /// The most instances of a site, whatever the template says.
    pub instances: usize,
}

impl Default for Pace {
    fn default() -> Self {
        Self {
            poll: Duration::from_millis(50),
            lease: Duration::from_secs(600),
            grace: Duration::from_secs(5),
            instances: 1,
        }
    }
}

/// A deployed template. All but the emulators ends when it is dropped.
#[derive(Debug)]
pub struct Cloud {
    emulators: Arc<Emulators>,
    account: Account,
    hubs: EventHubs,
    bus: ServiceBus,
    vault: KeyVault,
    topics: BTreeMap<String, String>,
    places: Places,
    sites: BTreeMap<String, Site>,
    _grid: EventGrid,
}

impl Cloud {
    /// Makes what the template declares, and starts each site that has a package (a folder or a zip), by the site's name. `settings` are what a process needs beside the
    /// site's own app settings.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidArgument`] for what Azure refuses; those of the emulators and of [`Host::start`].
    pub async fn start(
        emulators: &Arc<Emulators>,
        template: &Value,
        packages: BTreeMap<String, PathBuf>,
        settings: impl Fn(&Places) -> Vec<(String, String)>,
        pace: &Pace,
    ) -> Result<Self> {
        let template = Template::read(template)?;
        let account = emulators.account()?;
        let cosmos = emulators.cosmos.account();
        let (hubs, bus, vault) = tokio::join!(EventHubs::start(), ServiceBus::start(), KeyVault::start());
        let (hubs, bus, vault) = (hubs?, bus?, vault?);
        let mut containers = Vec::new();
        for container in template.of("Microsoft.Storage/storageAccounts/blobServices/containers") {
            account.create_container(last(container)).await?;
            containers.push(last(container));
        }
        for queue in template.of("Microsoft.Storage/storageAccounts/queueServices/queues") {
            account.create_queue(last(queue)).await?;
        }
        for database in template.of("Microsoft.DocumentDB/databaseAccounts/sqlDatabases") {
            cosmos.create_database(last(database)).await?;
        }
        for table in template.of("Microsoft.DocumentDB/databaseAccounts/sqlDatabases/containers") {
            let database = name(table).split('/').nth(1).unwrap_or_default();
            let path = text(table, "/properties/resource/partitionKey/paths/0")?;
            cosmos.create_container(database, last(table), path).await?;
        }
        for hub in template.of("Microsoft.EventHub/namespaces/eventhubs") {
            let partitions = hub.pointer("/properties/partitionCount").and_then(Value::as_u64);
            hubs.create(last(hub), usize::try_from(partitions.unwrap_or(1)).unwrap_or(1));
        }
        for queue in template.of("Microsoft.ServiceBus/namespaces/queues") {
            let options = QueueOptions {
                sessions: queue.pointer("/properties/requiresSession") == Some(&Value::Bool(true)),
                ..QueueOptions::default()
            };
            bus.create(last(queue), options);
        }
        let grid = EventGrid::start(account.clone()).await?;
        let topics = subscribe(&template, &grid, &containers, &emulators.azurite).await?;
        let places = Places::of(&template, &account, &cosmos);
        places::route(&template, emulators.edge(), &hubs, &bus, &vault, &topics)?;
        let here = Here {
            account: account.name.clone(),
            cosmos: cosmos.endpoint.clone(),
            namespaces: places::namespaces(&template, &hubs, &bus),
        };
        let services = Services {
            storage: Some(account.clone()),
            cosmos: Some(cosmos),
            event_hubs: Some(hubs.clone()),
            service_bus: Some(bus.clone()),
        };
        let mut more = settings(&places);
        let reached = emulators.edge.environment().into_iter();
        more.extend(
            reached
                .chain(emulators.identity.environment())
                .map(|(name, value)| (name.to_owned(), value)),
        );
        let mut packages = packages;
        let mut starting = Vec::new();
        for site in template.of("Microsoft.Web/sites") {
            if let Some(package) = packages.remove(name(site)) {
                let site = Site::new(site, package, &here, &more, services.clone(), pace)?;
                starting.push(async move { site.start().await.map(|()| site) });
            }
        }
        let started = futures::future::try_join_all(starting).await?;
        if let Some(unknown) = packages.into_keys().next() {
            return Err(
                refused("a package is for a site that the template does not declare").with("site", unknown),
            );
        }
        let sites = started
            .into_iter()
            .map(|site| (site.name.clone(), site))
            .collect();
        Ok(Self {
            emulators: Arc::clone(emulators),
            account,
            hubs,
            bus,
            vault,
            topics,
            places,
            sites,
            _grid: grid,
        })
    }

    /// The storage account.
    #[must_use]
    pub fn account(&self) -> &Account {
        &self.account
    }

    /// The endpoint of the account of Cosmos DB.
    #[must_use]
    pub fn cosmos(&self) -> String {
        self.emulators.cosmos.account().endpoint
    }

    /// The namespace of Event Hubs.
    #[must_use]
    pub fn hubs(&self) -> &EventHubs {
        &self.hubs
    }

    /// The namespace of Service Bus.
    #[must_use]
    pub fn bus(&self) -> &ServiceBus {
        &self.bus
    }

    /// The key vault.
    #[must_use]
    pub fn vault(&self) -> &KeyVault {
        &self.vault
    }

    /// Where a topic's events are posted, by the topic's name.
    #[must_use]
    pub fn topics(&self) -> &BTreeMap<String, String> {
        &self.topics
    }

    /// Where the services of Azure are here.
    #[must_use]
    pub fn places(&self) -> &Places {
        &self.places
    }

    /// The names of the sites that run.
    pub fn sites(&self) -> impl Iterator<Item = &str> {
        self.sites.keys().map(String::as_str)
    }

    /// The host of a site; of several instances, the first.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] if no such site runs.
    pub fn host(&self, site: &str) -> Result<Arc<Host>> {
        self.site(site)?.host()
    }

    fn site(&self, site: &str) -> Result<&Site> {
        self.sites.get(site).ok_or_else(|| {
            Error::new(ErrorKind::NotFound, OPERATION, "no such site runs here").with("site", site)
        })
    }

    /// Puts another package in the place of a site's own, as a deployment does: no invocation is interrupted.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] if no such site runs; those of [`Host::start`].
    pub async fn update(&self, site: &str, package: PathBuf) -> Result<()> {
        self.site(site)?.update(package).await
    }

    /// Kills the processes and hosts of a site, and starts others.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] if no such site runs; those of [`Host::start`].
    pub async fn crash(&self, site: &str) -> Result<()> {
        self.site(site)?.crash().await
    }

    /// Ends all sites without waiting for what is under way.
    pub async fn end(&self) {
        futures::future::join_all(self.sites.values().map(Site::kill)).await;
    }

    /// What all hosts logged, a line each, for a failure's message.
    #[must_use]
    pub fn logs(&self) -> String {
        self.sites.values().map(Site::logs).collect()
    }
}

/// Topics, with all that subscribe to them.
async fn subscribe(
    template: &Template<'_>,
    grid: &EventGrid,
    containers: &[&str],
    storage: &Watched,
) -> Result<BTreeMap<String, String>> {
    let mut topics = BTreeMap::new();
    for topic in template.of("Microsoft.EventGrid/topics") {
        let endpoint = grid.create_topic(last(topic), Schema::CloudEvents);
        topics.insert(last(topic).to_owned(), endpoint);
    }
    for topic in template.of("Microsoft.EventGrid/systemTopics") {
        grid.create_storage_topic(last(topic), containers, storage)
            .await?;
    }
    for ty in ["topics", "systemTopics"] {
        for subscription in template.of(&format!("Microsoft.EventGrid/{ty}/eventSubscriptions")) {
            let (topic, own) = name(subscription)
                .split_once('/')
                .ok_or_else(|| refused("the name of an event subscription is not its topic's and its own"))?;
            let read = Subscription::from_properties(&subscription["properties"], &|_| None)?;
            grid.subscribe(topic, own, read)?;
        }
    }
    Ok(topics)
}

/// The resources of a template.
struct Template<'a>(Vec<&'a Value>);

impl<'a> Template<'a> {
    fn read(template: &'a Value) -> Result<Self> {
        let resources = template
            .get("resources")
            .and_then(Value::as_object)
            .ok_or_else(|| refused("the template does not name its resources (languageVersion 2.0)"))?;
        Ok(Self(resources.values().collect()))
    }

    fn of(&self, ty: &str) -> impl Iterator<Item = &'a Value> {
        self.0
            .iter()
            .filter(move |resource| resource["type"] == ty)
            .copied()
    }
}

fn refused(message: &'static str) -> Error {
    Error::new(ErrorKind::InvalidArgument, OPERATION, message)
}

fn name(resource: &Value) -> &str {
    resource["name"].as_str().unwrap_or_default()
}

fn last(resource: &Value) -> &str {
    name(resource).rsplit('/').next().unwrap_or_default()
}

fn text<'a>(resource: &'a Value, pointer: &str) -> Result<&'a str> {
    resource.pointer(pointer).and_then(Value::as_str).ok_or_else(|| {
        refused("a resource of the template lacks what Azure demands")
            .with("resource", name(resource))
            .with("property", pointer)
    })
}
