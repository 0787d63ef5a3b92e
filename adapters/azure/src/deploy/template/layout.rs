//! What has to be known of the whole app before a part of it can be rendered: names, what each site is called by, what is watched.

use std::collections::{BTreeMap, BTreeSet};

use nephos_core::app::{App, Resource, Trigger};
use nephos_core::deploy::name::short_hash;
use nephos_core::{ErrorKind, Result};

use super::trigger::{self, HostTrigger, Source};
use super::{attempts_of, name};
use crate::deploy::refused;
use crate::deploy::settings::Settings;

/// The longest names: <https://learn.microsoft.com/azure/azure-resource-manager/management/resource-name-rules>.
const MAX_SITE: usize = 60;
const MAX_IDENTITY: usize = 128;
const MAX_STORAGE: usize = 24;
const MAX_COSMOS: usize = 44;
const MAX_VAULT: usize = 24;
const MAX_NAMESPACE: usize = 50;
const MAX_TOPIC: usize = 50;
const MAX_WORKSPACE: usize = 63;
pub(super) const MAX_CONTAINER: usize = 63;
/// A queue's name must leave room for the queue of what the host gives up on.
pub(super) const MAX_QUEUE: usize = 63 - POISON.len();
/// What the host appends to a queue's name for messages that it gives up on:
/// <https://learn.microsoft.com/azure/azure-functions/functions-bindings-storage-queue-trigger#poison-messages>.
pub(super) const POISON: &str = "-poison";
/// A hash at the end of a name that all of Azure shares.
const SUFFIX: usize = 8;
/// The containers of the host, by fixed names: <https://learn.microsoft.com/azure/azure-functions/storage-considerations>.
pub(super) const HOSTS: &str = "azure-webjobs-hosts";
pub(super) const HOST_KEYS: &str = "azure-webjobs-secrets";
pub(super) const CHECKPOINTS: &str = "azure-webjobs-eventhub";
/// Where Event Grid puts what it could not deliver to a queue.
pub(super) const UNDELIVERED: &str = "nephos-undelivered";
/// The container of the leases of all table triggers.
pub(in crate::deploy) const LEASES: &str = "nephos-leases";

/// A site of a function, and what calls it.
///
/// A function that is called by requests and by something else has two, of the same code. In one, the Functions host would wrap requests and answers in JSON, which loses bytes, cookies
/// and the proofs of who calls; passed on as they are, a client's request could be taken for a message.
#[derive(Debug)]
pub(in crate::deploy) struct Site<'a> {
    /// The function.
    pub(in crate::deploy) function: &'a str,
    /// What is named after the site: the function, whose requests' address stays when other triggers come and go; with an end of its own for a second site.
    pub(in crate::deploy) label: String,
    /// The triggers of the Functions host.
    pub(in crate::deploy) triggers: Vec<HostTrigger<'a>>,
    /// Triggers of kinds that arrive as requests: mail, sign-in, voice.
    pub(in crate::deploy) callers: Vec<&'a Trigger>,
}

impl Site<'_> {
    /// Whether all that calls the site is requests, which can then be passed on as they are: where anything else calls it too, a client's request
    /// could be taken for it.
    pub(in crate::deploy) fn forwarding(&self) -> bool {
        self.triggers
            .iter()
            .all(|trigger| matches!(trigger.source, Source::Http))
    }
}

/// The app with all that follows from it.
#[derive(Debug)]
pub(in crate::deploy) struct Layout<'a> {
    pub(in crate::deploy) app: &'a App,
    pub(in crate::deploy) target: &'a str,
    pub(in crate::deploy) settings: &'a Settings,
    pub(super) stack: String,
    /// The end of names that all of Azure shares.
    pub(super) suffix: String,
    /// The sites of all functions, in order of the functions' names, that of requests first.
    pub(in crate::deploy) sites: Vec<Site<'a>>,
    /// Tables that a trigger watches.
    pub(super) watched: BTreeSet<&'a str>,
    /// How often the host tries the messages of each queue that a trigger receives from.
    pub(super) received: BTreeMap<&'a str, u32>,
    /// Kinds of service that the app needs besides storage.
    pub(super) services: BTreeSet<Service>,
}

/// A service that is only made where something needs it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Service {
    Events,
    OrderedQueues,
    Secrets,
    Streams,
    Tables,
}

impl<'a> Layout<'a> {
    pub(in crate::deploy) fn new(app: &'a App, target: &'a str, settings: &'a Settings) -> Result<Self> {
        let stack = settings.stack_name(app, target);
        let suffix = match &settings.subscription {
            Some(subscription) => {
                let subscription = subscription.to_ascii_lowercase();
                short_hash(&[&subscription, &settings.group(app).to_lowercase(), &stack])
            }
            None => name::PLACEHOLDER.to_owned(),
        };
        let mut sites = Vec::new();
        for (function, spec) in &app.functions {
            sites.extend(trigger::sites(app, function, spec)?);
        }
        let triggers = || app.functions.values().flat_map(|function| &function.on);
        let watched: BTreeSet<&str> = triggers()
            .filter_map(|trigger| match trigger {
                Trigger::Table { table, .. } => Some(table.as_str()),
                _ => None,
            })
            .collect();
        let mut received: BTreeMap<&str, u32> = BTreeMap::new();
        for function in app.functions.values() {
            for trigger in &function.on {
                if let Trigger::Queue { queue, .. } = trigger {
                    let attempts = received.entry(queue).or_default();
                    *attempts = attempts_of(function.retry.attempts).max(*attempts);
                }
            }
        }
        let mut services: BTreeSet<Service> = app
            .resources
            .iter()
            .filter_map(|(name, resource)| match resource {
                Resource::Bucket(_) => None,
                Resource::Queue(_) => is_ordered(app, name).then_some(Service::OrderedQueues),
                Resource::Topic(_) => Some(Service::Events),
                Resource::Stream(_) => Some(Service::Streams),
                Resource::Table(_) => Some(Service::Tables),
                Resource::Secret(_) => (!settings.secrets.contains_key(name)).then_some(Service::Secrets),
            })
            .collect();
        let from_buckets = |site: &Site<'_>| {
            site.triggers
                .iter()
                .any(|trigger| matches!(trigger.source, Source::Inbox { .. }))
        };
        if sites.iter().any(from_buckets) {
            services.insert(Service::Events);
        }
        Ok(Self {
            app,
            target,
            settings,
            stack,
            suffix,
            sites,
            watched,
            received,
            services,
        })
    }

    /// A function's sites.
    pub(in crate::deploy) fn sites_of(&self, function: &str) -> impl Iterator<Item = &Site<'a>> {
        self.sites.iter().filter(move |site| site.function == function)
    }

    /// What calls a function's sites.
    pub(super) fn triggers_of(&self, function: &str) -> impl Iterator<Item = &HostTrigger<'a>> {
        self.sites_of(function).flat_map(|site| &site.triggers)
    }

    /// The name of what all of Azure shares: a beginning that tells whose it is, and an end that makes it the only one.
    fn shared(&self, beginning: &str) -> String {
        format!("{beginning}-{}", self.suffix)
    }

    /// The storage account.
    pub(in crate::deploy) fn storage(&self) -> String {
        format!(
            "{}{}",
            name::letters(&self.stack, MAX_STORAGE - SUFFIX),
            self.suffix
        )
    }

    /// The Cosmos DB account.
    pub(in crate::deploy) fn cosmos(&self) -> String {
        self.shared(&name::words(&self.stack, MAX_COSMOS - SUFFIX - 1))
    }

    /// The Cosmos DB database.
    pub(in crate::deploy) fn database(&self) -> &'a str {
        &self.app.name
    }

    /// The key vault.
    pub(in crate::deploy) fn vault(&self) -> String {
        self.shared(&name::words(&self.stack, MAX_VAULT - SUFFIX - 1))
    }

    /// The namespace of Service Bus (`sb`) or Event Hubs (`eh`), which share one space of names.
    fn namespace(&self, what: &str) -> String {
        let beginning = name::words(&self.stack, MAX_NAMESPACE - SUFFIX - 2 - what.len());
        self.shared(&format!("{beginning}-{what}"))
    }

    pub(in crate::deploy) fn service_bus(&self) -> String {
        self.namespace("sb")
    }

    pub(in crate::deploy) fn event_hubs(&self) -> String {
        self.namespace("eh")
    }

    /// A topic of Event Grid.
    pub(in crate::deploy) fn topic(&self, topic: &str) -> String {
        let full = name::physical(&self.stack, topic, MAX_TOPIC - SUFFIX - 1);
        self.shared(&full)
    }

    /// The topic by which Event Grid tells of the storage account.
    pub(super) fn storage_topic(&self) -> String {
        name::physical(&self.stack, "storage", MAX_IDENTITY)
    }

    /// The workspace of logs.
    pub(super) fn workspace(&self) -> String {
        name::physical(&self.stack, "logs", MAX_WORKSPACE)
    }

    /// The component of Application Insights.
    pub(in crate::deploy) fn insights(&self) -> String {
        name::physical(&self.stack, "insights", MAX_IDENTITY)
    }

    /// The name of a site. Also the first part of its address.
    pub(in crate::deploy) fn site_name(&self, site: &Site<'_>) -> String {
        self.shared(&name::physical(&self.stack, &site.label, MAX_SITE - SUFFIX - 1))
    }

    /// Where a site answers.
    pub(in crate::deploy) fn site_url(&self, site: &Site<'_>) -> String {
        format!("https://{}.azurewebsites.net", self.site_name(site))
    }

    /// A site's plan.
    pub(super) fn plan_name(&self, site: &Site<'_>) -> String {
        name::physical(&self.stack, &site.label, MAX_SITE)
    }

    /// A function's identity; Event Grid's with the name of the service.
    pub(super) fn identity_name(&self, function: &str) -> String {
        name::physical(&self.stack, function, MAX_IDENTITY)
    }

    /// The identity that Event Grid delivers as.
    pub(super) fn courier_name(&self) -> String {
        name::physical(&self.stack, "nephos-courier", MAX_IDENTITY)
    }

    /// The container of a site's package. Each has its own, so that no function's identity can replace another's code.
    pub(in crate::deploy) fn code_container(&self, site: &Site<'_>) -> String {
        let full = format!("{}code-{}", name::OURS, site.label);
        if full.len() <= MAX_CONTAINER && !full.contains("--") && !full.ends_with('-') {
            return full;
        }
        name::ours(&full, MAX_CONTAINER)
    }

    /// The container of a bucket.
    pub(in crate::deploy) fn container(&self, bucket: &str) -> String {
        name::within_account(bucket, MAX_CONTAINER)
    }

    /// Whether a queue keeps the order of its groups, and is one of Service Bus then.
    pub(in crate::deploy) fn is_ordered(&self, queue: &str) -> bool {
        is_ordered(self.app, queue)
    }

    /// The Cosmos DB container of a table.
    pub(in crate::deploy) fn table(&self, table: &str) -> String {
        if table.starts_with(name::OURS) {
            return name::apart(table, MAX_CONTAINER);
        }
        table.to_owned()
    }

    /// The address of a queue, as its driver has it.
    pub(in crate::deploy) fn queue_address(&self, queue: &str) -> String {
        if self.is_ordered(queue) {
            return format!("sb://{}.servicebus.windows.net/{queue}", self.service_bus());
        }
        format!(
            "https://{}.queue.core.windows.net/{}",
            self.storage(),
            queue_name(queue)
        )
    }

    /// The resource's own name on Azure: the address that its driver opens.
    pub(in crate::deploy) fn physical(&self, name: &str) -> Result<String> {
        Ok(match self.resource(name)? {
            Resource::Bucket(_) => format!(
                "https://{}.blob.core.windows.net/{}",
                self.storage(),
                self.container(name)
            ),
            Resource::Queue(_) => self.queue_address(name),
            // The `-1` belongs to the address: https://learn.microsoft.com/azure/event-grid/post-to-custom-topic
            Resource::Topic(_) => format!(
                "https://{}.{}-1.eventgrid.azure.net/api/events",
                self.topic(name),
                self.settings.location
            ),
            Resource::Stream(_) => format!("sb://{}.servicebus.windows.net/{name}", self.event_hubs()),
            Resource::Table(_) => format!(
                "https://{}.documents.azure.com/dbs/{}/colls/{}",
                self.cosmos(),
                self.database(),
                self.table(name)
            ),
            Resource::Secret(_) => match self.settings.secrets.get(name) {
                Some(existing) => existing.clone(),
                None => format!("https://{}.vault.azure.net/secrets/{name}", self.vault()),
            },
        })
    }

    /// The resource of this name.
    pub(in crate::deploy) fn resource(&self, name: &str) -> Result<&'a Resource> {
        self.app.resources.get(name).ok_or_else(|| {
            refused(
                ErrorKind::NotFound,
                "the app has no such resource; declare it in nephos.toml",
            )
            .with("resource", name)
        })
    }
}

fn is_ordered(app: &App, queue: &str) -> bool {
    matches!(app.resources.get(queue), Some(Resource::Queue(spec)) if spec.ordered)
}

/// The name of a queue of the storage account.
pub(super) fn queue_name(queue: &str) -> String {
    name::within_account(queue, MAX_QUEUE)
}

/// The symbolic name of a resource.
pub(super) fn resource_id(resource: &Resource, name: &str) -> String {
    let part = match resource {
        Resource::Bucket(_) => "Bucket",
        Resource::Queue(_) => "Queue",
        Resource::Topic(_) => "Topic",
        Resource::Stream(_) => "Stream",
        Resource::Table(_) => "Table",
        Resource::Secret(_) => "Secret",
    };
    name::id(part, name)
}
