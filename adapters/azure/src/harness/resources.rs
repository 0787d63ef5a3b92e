//! Fresh resources, made as an operator makes them, and opened as a function opens them.

use std::collections::BTreeMap;
use std::sync::Arc;

use azure_core::http::{Method, Request, Url};
use azure_storage_queue::QueueClient;
use nephos_core::app::StreamSpec;
use nephos_core::resource::bucket::Bucket;
use nephos_core::resource::queue::Queue;
use nephos_core::resource::secret::Secret;
use nephos_core::resource::stream::Stream;
use nephos_core::resource::table::{Table, TableSchema};
use nephos_core::resource::topic::Topic;
use nephos_core::resource::{Binding, ResourceKind, Resources};
use nephos_core::wiring::PHYSICAL;
use nephos_core::{Error, ErrorKind, Result};
use serde_json::{Value, json};

use super::emulators::{ACCOUNT, DATABASE, Emulators};
use crate::config::Config;
use crate::config::signing::{MasterKey, SharedKey, date};
use crate::document::partition_path;
use crate::error::failed;
use crate::resources::AzureDrivers;
use crate::resources::rest::{Proof, Rest};

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
    Resources::new(Arc::new(AzureDrivers::new(emulators.config())), [binding])
}

fn unusable(message: &'static str) -> Error {
    Error::new(ErrorKind::Unavailable, OPERATION, message)
}

fn key_is_there<T>(key: Option<T>) -> Result<T> {
    key.ok_or_else(|| unusable("the emulators have no key"))
}

pub(super) async fn bucket(emulators: &Emulators) -> Result<Bucket> {
    let name = new_name(ResourceKind::Bucket);
    let physical = format!("https://{ACCOUNT}.blob.core.windows.net/{name}");
    let config = emulators.config();
    let mut url = config.address(&physical)?;
    url.query_pairs_mut().append_pair("restype", "container");
    let key = key_is_there(config.storage_key())?.clone();
    let proof = Proof::Signed(Arc::new(SharedKey {
        account: emulators.account().name.clone(),
        key,
    }));
    let rest = Rest::new(config, &url, proof);
    let mut request = Request::new(url, Method::Put);
    request.insert_header("x-ms-version", "2025-01-05");
    rest.send(OPERATION, request).await?;
    open(emulators, ResourceKind::Bucket, &name, &physical, BTreeMap::new()).bucket(&name)
}

pub(super) async fn queue(emulators: &Emulators) -> Result<Queue> {
    let queue = missing_queue(emulators)?;
    let client = queue
        .driver()
        .as_any()
        .downcast_ref::<QueueClient>()
        .ok_or_else(|| unusable("the queue's client is not Azure's"))?;
    client
        .create(None)
        .await
        .map_err(|error| failed(OPERATION, error))?;
    Ok(queue)
}

pub(super) fn missing_queue(emulators: &Emulators) -> Result<Queue> {
    let name = new_name(ResourceKind::Queue);
    let physical = format!("https://{ACCOUNT}.queue.core.windows.net/{name}");
    open(emulators, ResourceKind::Queue, &name, &physical, BTreeMap::new()).queue(&name)
}

pub(super) fn ordered_queue(emulators: &Emulators) -> Result<Queue> {
    let name = new_name(ResourceKind::Queue);
    emulators.create_ordered_queue(&name);
    let physical = format!("sb://{ACCOUNT}.ordered.servicebus.windows.net/{name}");
    open(emulators, ResourceKind::Queue, &name, &physical, BTreeMap::new()).queue(&name)
}

pub(super) fn topic(emulators: &Emulators) -> Result<Topic> {
    let name = new_name(ResourceKind::Topic);
    emulators.create_topic(&name);
    let physical = format!("https://{ACCOUNT}.eventgrid.azure.net/{name}/api/events");
    open(emulators, ResourceKind::Topic, &name, &physical, BTreeMap::new()).topic(&name)
}

pub(super) fn stream(emulators: &Emulators, spec: &StreamSpec) -> Result<Stream> {
    let name = new_name(ResourceKind::Stream);
    emulators.create_stream(&name, usize::try_from(spec.shards).unwrap_or(1));
    let physical = format!("sb://{ACCOUNT}.servicebus.windows.net/{name}");
    open(emulators, ResourceKind::Stream, &name, &physical, BTreeMap::new()).stream(&name)
}

pub(super) fn secret(emulators: &Emulators, value: Option<&str>) -> Result<Secret> {
    let name = new_name(ResourceKind::Secret);
    if let Some(value) = value {
        emulators.set_secret(&name, value);
    }
    let physical = format!("https://{ACCOUNT}.vault.azure.net/secrets/{name}");
    open(emulators, ResourceKind::Secret, &name, &physical, BTreeMap::new()).secret(&name)
}

pub(super) async fn table(emulators: &Emulators, schema: TableSchema) -> Result<Table> {
    let name = new_name(ResourceKind::Table);
    // As deployment makes it.
    let mut container = json!({
        "id": name,
        "partitionKey": {"paths": [partition_path(&schema.key)], "kind": "Hash", "version": 2},
    });
    if schema.ttl.is_some() {
        container["defaultTtl"] = (-1).into();
    }
    make(emulators.config(), &format!("dbs/{DATABASE}/colls"), &container).await?;
    let physical = format!("https://{ACCOUNT}.documents.azure.com/dbs/{DATABASE}/colls/{name}");
    let mut properties = BTreeMap::from([("key".to_owned(), schema.key)]);
    properties.extend(schema.sort.map(|sort| ("sort".to_owned(), sort)));
    properties.extend(schema.ttl.map(|ttl| ("ttl".to_owned(), ttl)));
    open(emulators, ResourceKind::Table, &name, &physical, properties).table(&name)
}

/// Makes a container.
async fn make(config: &Config, path: &str, body: &Value) -> Result<()> {
    let url: Url = config.address(&format!("https://{ACCOUNT}.documents.azure.com/{path}"))?;
    let key = key_is_there(config.cosmos_key())?.clone();
    let rest = Rest::new(config, &url, Proof::Signed(Arc::new(MasterKey(key))));
    let mut request = Request::new(url, Method::Post);
    request.insert_header("x-ms-version", "2020-07-15");
    request.insert_header("x-ms-date", date());
    request.insert_header("content-type", "application/json");
    request.set_body(bytes::Bytes::from(body.to_string()));
    rest.send(OPERATION, request).await.map(|_| ())
}
