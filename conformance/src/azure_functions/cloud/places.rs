//! Where the services that a template declares are here.

use std::collections::BTreeMap;

use nephos_core::Result;

use super::{Template, name, text};
use crate::azure_functions::cosmos::CosmosAccount;
use crate::azure_functions::event_hub::EventHubs;
use crate::azure_functions::key_vault::KeyVault;
use crate::azure_functions::service_bus::ServiceBus;
use crate::azure_functions::storage::Account;
use crate::edge::Edge;

/// Where storage and tables are here, whose emulators are asked with keys, over plain HTTP.
#[derive(Debug, Clone)]
pub struct Places {
    /// What stands here in the place of the beginning of an address on Azure (`https://shop.queue.core.windows.net`).
    pub endpoints: BTreeMap<String, String>,
    /// The key of the storage account.
    pub storage_key: String,
}

impl Places {
    pub(super) fn of(template: &Template<'_>, account: &Account, cosmos: &CosmosAccount) -> Self {
        let mut endpoints = BTreeMap::new();
        for storage in template.of("Microsoft.Storage/storageAccounts") {
            for (service, here) in [("blob", &account.blobs), ("queue", &account.queues)] {
                let there = format!("https://{}.{service}.core.windows.net", name(storage));
                endpoints.insert(there, here.clone());
            }
        }
        for database in template.of("Microsoft.DocumentDB/databaseAccounts") {
            let there = format!("https://{}.documents.azure.com", name(database));
            endpoints.insert(there, cosmos.endpoint.clone());
        }
        Self {
            endpoints,
            storage_key: account.key.clone(),
        }
    }
}

/// What the host's own connections become here.
#[derive(Debug)]
pub(super) struct Here {
    /// The storage account's name.
    pub(super) account: String,
    /// The endpoint of Cosmos DB.
    pub(super) cosmos: String,
    /// Host and port of a namespace, by its host on Azure.
    pub(super) namespaces: BTreeMap<String, String>,
}

fn host(namespace: &str) -> String {
    format!("{namespace}.servicebus.windows.net")
}

/// Host and port of each namespace here, by its host on Azure.
pub(super) fn namespaces(
    template: &Template<'_>,
    hubs: &EventHubs,
    bus: &ServiceBus,
) -> BTreeMap<String, String> {
    [
        ("Microsoft.EventHub/namespaces", hubs.namespace()),
        ("Microsoft.ServiceBus/namespaces", bus.namespace()),
    ]
    .into_iter()
    .flat_map(|(ty, here)| {
        let found = template.of(ty);
        found.map(move |namespace| (host(name(namespace)), here.clone()))
    })
    .collect()
}

/// Lets the services answer under their own names.
pub(super) fn route(
    template: &Template<'_>,
    edge: &Edge,
    hubs: &EventHubs,
    bus: &ServiceBus,
    vault: &KeyVault,
    topics: &BTreeMap<String, String>,
) -> Result<()> {
    for (ty, url) in [
        ("Microsoft.EventHub/namespaces", hubs.url()),
        ("Microsoft.ServiceBus/namespaces", bus.url()),
    ] {
        for namespace in template.of(ty) {
            edge.route(&host(name(namespace)), &url);
        }
    }
    for own in template.of("Microsoft.KeyVault/vaults") {
        edge.route(&format!("{}.vault.azure.net", name(own)), &vault.url());
    }
    for topic in template.of("Microsoft.EventGrid/topics") {
        let location = text(topic, "/location")?;
        let there = format!("{}.{location}-1.eventgrid.azure.net", name(topic));
        if let Some(here) = topics.get(name(topic)) {
            edge.route(&there, here.trim_end_matches("/api/events"));
        }
    }
    Ok(())
}
