//! Fresh resources, made as an operator makes them, and opened as a function opens them.

use std::collections::BTreeMap;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use nephos_core::Result;
use nephos_core::app::QueueSpec;
use nephos_core::resource::bucket::Bucket;
use nephos_core::resource::queue::Queue;
use nephos_core::resource::secret::Secret;
use nephos_core::resource::stream::Stream;
use nephos_core::resource::table::{Table, TableSchema};
use nephos_core::resource::topic::Topic;
use nephos_core::resource::{Binding, ResourceKind, Resources};
use nephos_core::wiring::PHYSICAL;
use serde_json::{Value, json};

use super::emulators::Emulators;
use crate::resources::GcpDrivers;
use crate::resources::pubsub::SERVICE;
use crate::resources::queue::ORDERED;
use crate::resources::rest::Rest;

const OPERATION: &str = "harness.open";

fn new_name(kind: ResourceKind) -> String {
    format!("{kind}-{}", uuid::Uuid::new_v4().simple())
}

/// The handles of a function that may do everything with the resource.
fn open(
    emulators: &Emulators,
    kind: ResourceKind,
    name: &str,
    physical: &str,
    mut properties: BTreeMap<String, String>,
) -> Resources {
    properties.insert(PHYSICAL.to_owned(), physical.to_owned());
    let binding = Binding {
        name: name.to_owned(),
        kind,
        access: kind.access().iter().copied().collect(),
        url: None,
        properties,
    };
    Resources::new(Arc::new(GcpDrivers::new(emulators.config())), [binding])
}

pub(super) fn bucket(emulators: &Emulators) -> Result<Bucket> {
    let name = new_name(ResourceKind::Bucket);
    emulators.storage().create_bucket(&name)?;
    open(emulators, ResourceKind::Bucket, &name, &name, BTreeMap::new()).bucket(&name)
}

/// Makes a topic.
async fn make_topic(emulators: &Emulators, name: &str) -> Result<String> {
    let topic = format!("projects/{}/topics/{name}", emulators.project());
    let rest = Rest::new(emulators.config(), SERVICE)?;
    let _: Value = rest.put(OPERATION, &format!("/{topic}"), &json!({})).await?;
    Ok(topic)
}

pub(super) async fn topic(emulators: &Emulators) -> Result<Topic> {
    let name = new_name(ResourceKind::Topic);
    let physical = make_topic(emulators, &name).await?;
    open(emulators, ResourceKind::Topic, &name, &physical, BTreeMap::new()).topic(&name)
}

pub(super) async fn stream(emulators: &Emulators) -> Result<Stream> {
    let name = new_name(ResourceKind::Stream);
    let physical = make_topic(emulators, &name).await?;
    open(emulators, ResourceKind::Stream, &name, &physical, BTreeMap::new()).stream(&name)
}

/// As deployment makes it: with a subscription of the same name, which delivers exactly once and counts attempts.
pub(super) async fn queue(emulators: &Emulators, spec: &QueueSpec) -> Result<Queue> {
    let name = new_name(ResourceKind::Queue);
    let topic = make_topic(emulators, &name).await?;
    let dead_letters = make_topic(emulators, &format!("{name}-dead")).await?;
    let rest = Rest::new(emulators.config(), SERVICE)?;
    let subscription = format!("/projects/{}/subscriptions/{name}", emulators.project());
    let body = json!({
        "topic": topic,
        "ackDeadlineSeconds": 10,
        "enableExactlyOnceDelivery": true,
        "enableMessageOrdering": spec.ordered,
        "deadLetterPolicy": {"deadLetterTopic": dead_letters, "maxDeliveryAttempts": 100},
    });
    let _: Value = rest.put(OPERATION, &subscription, &body).await?;
    let mut properties = BTreeMap::new();
    if spec.ordered {
        properties.insert(ORDERED.to_owned(), "true".to_owned());
    }
    open(emulators, ResourceKind::Queue, &name, &topic, properties).queue(&name)
}

pub(super) fn missing_queue(emulators: &Emulators) -> Result<Queue> {
    let name = new_name(ResourceKind::Queue);
    open(emulators, ResourceKind::Queue, &name, &name, BTreeMap::new()).queue(&name)
}

pub(super) fn table(emulators: &Emulators, schema: TableSchema) -> Result<Table> {
    // A collection is there with its first document.
    let name = new_name(ResourceKind::Table);
    let mut properties = BTreeMap::from([("key".to_owned(), schema.key)]);
    properties.extend(schema.sort.map(|sort| ("sort".to_owned(), sort)));
    properties.extend(schema.ttl.map(|ttl| ("ttl".to_owned(), ttl)));
    open(emulators, ResourceKind::Table, &name, &name, properties).table(&name)
}

fn secrets(emulators: &Emulators) -> Result<(Rest, String)> {
    let rest = Rest::new(emulators.config(), "https://secretmanager.googleapis.com/v1")?;
    Ok((rest, format!("/projects/{}/secrets", emulators.project())))
}

pub(super) async fn secret(emulators: &Emulators, value: Option<&[u8]>) -> Result<Secret> {
    let name = new_name(ResourceKind::Secret);
    let (rest, secrets) = secrets(emulators)?;
    let body = json!({"replication": {"automatic": {}}});
    let _: Value = rest
        .post(OPERATION, &format!("{secrets}?secretId={name}"), &body)
        .await?;
    if let Some(value) = value {
        add_version(emulators, &name, value).await?;
    }
    open(emulators, ResourceKind::Secret, &name, &name, BTreeMap::new()).secret(&name)
}

pub(super) async fn add_version(emulators: &Emulators, name: &str, value: &[u8]) -> Result<()> {
    let (rest, secrets) = secrets(emulators)?;
    let body = json!({"payload": {"data": STANDARD.encode(value)}});
    let _: Value = rest
        .post(OPERATION, &format!("{secrets}/{name}:addVersion"), &body)
        .await?;
    Ok(())
}
