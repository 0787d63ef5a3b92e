//! What the drivers do on Azure in particular: over the emulators, and, where there is none, over a server that notes what it is asked.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test that cannot go on fails"
)]

mod buckets;
mod buses;
mod queues;
mod server;
mod tables;
mod topics;

use std::collections::BTreeMap;
use std::sync::{Arc, Weak};

use nephos_azure::config::Config;
use nephos_azure::harness::AzureHarness;
use nephos_azure::harness::emulators::{Emulators, Processes};
use nephos_azure::resources::AzureDrivers;
use nephos_core::resource::{Binding, ResourceKind, Resources};
use nephos_core::wiring::PHYSICAL;
use tokio::sync::Mutex;

/// The emulators, which tests that run at the same time share, and which end with the last of them.
async fn emulators() -> Emulators {
    static RUNNING: Mutex<Weak<Processes>> = Mutex::const_new(Weak::new());
    let mut running = RUNNING.lock().await;
    let processes = match running.upgrade() {
        Some(processes) => processes,
        None => {
            let started = Arc::new(Processes::start().await.unwrap());
            *running = Arc::downgrade(&started);
            started
        }
    };
    Emulators::over(processes).await.unwrap()
}

/// Makes fresh resources.
async fn harness() -> AzureHarness {
    AzureHarness::over(emulators().await)
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
