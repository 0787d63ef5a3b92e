//! Where the services that a template declares are here.

use std::collections::BTreeMap;

use nephos_core::Result;

use super::{Template, name, text};
use crate::azure_functions::cosmos::CosmosAccount;
use crate::azure_functions::event_hub::EventHubs;
use crate::azure_functions::key_vault::KeyVault;
use crate::azure_functions::service_bus::ServiceBus;
use crate::azure_functions::storage::Account;

/// Where the services that a template declares are here.
#[derive(Debug, Clone)]
pub struct Places {
    /// What stands here in the place of the beginning of an address on Azure (`https://shop.queue.core.windows.net`).
    pub endpoints: BTreeMap<String, String>,
    /// The key of the storage account.
    pub storage_key: String,
    /// The account's name here.
    pub(super) account: String,
    /// The endpoint of Cosmos DB.
    pub(super) cosmos: String,
    /// Host and port of a namespace, by its name on Azure.
    pub(super) namespaces: BTreeMap<String, String>,
}

impl Places {
    pub(super) fn of(
        template: &Template<'_>,
        account: &Account,
        cosmos: &CosmosAccount,
        hubs: &EventHubs,
        bus: &ServiceBus,
        vault: &KeyVault,
        topics: &BTreeMap<String, String>,
    ) -> Result<Self> {
        let mut places = Self {
            endpoints: BTreeMap::new(),
            storage_key: account.key.clone(),
            account: account.name.clone(),
            cosmos: cosmos.endpoint.clone(),
            namespaces: BTreeMap::new(),
        };
        for storage in template.of("Microsoft.Storage/storageAccounts") {
            for (service, here) in [("blob", &account.blobs), ("queue", &account.queues)] {
                places.put(
                    format!("https://{}.{service}.core.windows.net", name(storage)),
                    here,
                );
            }
        }
        for database in template.of("Microsoft.DocumentDB/databaseAccounts") {
            let there = format!("https://{}.documents.azure.com", name(database));
            places.put(there, &cosmos.endpoint);
        }
        for (ty, url, authority) in [
            ("Microsoft.EventHub/namespaces", hubs.url(), hubs.namespace()),
            ("Microsoft.ServiceBus/namespaces", bus.url(), bus.namespace()),
        ] {
            for namespace in template.of(ty) {
                let host = format!("{}.servicebus.windows.net", name(namespace));
                places.put(format!("sb://{host}"), &url);
                places.namespaces.insert(host, authority.clone());
            }
        }
        for own in template.of("Microsoft.KeyVault/vaults") {
            places.put(format!("https://{}.vault.azure.net", name(own)), &vault.url());
        }
        for topic in template.of("Microsoft.EventGrid/topics") {
            let location = text(topic, "/location")?;
            let there = format!("https://{}.{location}-1.eventgrid.azure.net", name(topic));
            if let Some(here) = topics.get(name(topic)) {
                places.put(there, here.trim_end_matches("/api/events"));
            }
        }
        Ok(places)
    }

    fn put(&mut self, there: String, here: &str) {
        self.endpoints.insert(there, here.to_owned());
    }
}
