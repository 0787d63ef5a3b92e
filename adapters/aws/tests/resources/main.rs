//! What is AWS's own about the drivers, and so no rule of the conformance suite: what others wrote, limits of one service, shards, parameters.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod queues;
mod resharding;
mod secrets;
mod streams;
mod tables;
mod topics;

use std::collections::BTreeMap;
use std::sync::Arc;

use nephos_aws::harness::emulator::Emulator;
use nephos_aws::resources::AwsDrivers;
use nephos_core::resource::{Binding, ResourceKind, Resources};
use nephos_core::wiring::PHYSICAL;

/// The handle of a function to what is called `physical` on AWS, by the name `it`.
fn open(emulator: &Emulator, kind: ResourceKind, physical: &str, properties: &[(&str, &str)]) -> Resources {
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
    Resources::new(Arc::new(AwsDrivers::new(&emulator.config())), [binding])
}
