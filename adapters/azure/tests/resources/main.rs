//! What the drivers do on Azure in particular: over the emulators, and, where there is none, over a server that notes what it is asked.

mod buckets;
mod buses;
mod queues;
mod server;
mod tables;
mod topics;

use std::collections::BTreeMap;
use std::sync::Arc;

use nephos_azure::config::Config;
use nephos_azure::harness::AzureHarness;
use nephos_azure::harness::emulators::Emulators;
use nephos_azure::resources::AzureDrivers;
use nephos_core::resource::{Binding, ResourceKind, Resources};
use nephos_core::wiring::PHYSICAL;
use tokio::sync::OnceCell;

/// The emulators of all tests, which end with the program.
async fn emulators() -> &'static Emulators {
    static RUNNING: OnceCell<Emulators> = OnceCell::const_new();
    RUNNING
        .get_or_init(|| async { Emulators::start().await.expect("the emulators start") })
        .await
}

/// Fresh resources of the emulators' own.
fn harness() -> AzureHarness {
    AzureHarness::new()
}

/// The handles of a function that may do everything with one resource.
fn open(config: &Config, kind: ResourceKind, physical: &str, properties: &[(&str, &str)]) -> Resources {
    let mut properties: BTreeMap<String, String> = properties
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect();
    properties.insert(PHYSICAL.to_owned(), physical.to_owned());
    let binding = Binding {
        name: "it".to_owned(),
        kind,
        access: kind.access().iter().copied().collect(),
        url: None,
        properties,
    };
    Resources::new(Arc::new(AzureDrivers::new(config)), [binding])
}
