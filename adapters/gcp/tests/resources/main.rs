//! What the drivers do on Google Cloud in particular: over Google's emulators, and over stand-ins that are asked by Google's own host names, with tokens.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod buckets;
mod identity;
mod messages;
mod secrets;
mod tables;

use std::collections::BTreeMap;
use std::sync::{Arc, Weak};

use nephos_core::resource::{Binding, ResourceKind, Resources};
use nephos_core::wiring::PHYSICAL;
use nephos_gcp::config::Config;
use nephos_gcp::harness::emulators::{Emulators, Processes};
use nephos_gcp::resources::GcpDrivers;
use tokio::sync::Mutex;

/// The emulators, which tests that run at the same time share, and which end with the last of them. So each test's names are its own.
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
    Resources::new(Arc::new(GcpDrivers::new(config)), [binding])
}
