//! One resource, served by a resource API of its own on a port of its own, and reached through the drivers that functions have.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use axum::Router;
use futures::stream::{self, BoxStream, StreamExt as _};
use nephos_core::app::{App, QueueSpec, Resource, SecretSpec, StreamSpec, TableSpec};
use nephos_core::resource::bucket::Bucket;
use nephos_core::resource::queue::Queue;
use nephos_core::resource::secret::Secret;
use nephos_core::resource::stream::Stream;
use nephos_core::resource::table::{Table, TableSchema};
use nephos_core::resource::topic::Topic;
use nephos_core::resource::{Binding, ResourceKind, Resources};
use nephos_core::{Error, ErrorKind, Event, Outcome, Result};
use tokio::net::TcpListener;

use super::LocalHarness;
use crate::deploy::api::{Control, ResourceRegistry, Tokens, router, serve};
use crate::deploy::bucket::{self, FolderBucket, UrlSigner};
use crate::deploy::secrets::SecretStore;
use crate::resources::LocalDrivers;
use crate::resources::client::Client;

/// The API needs an engine; a resource alone has none.
#[derive(Debug)]
struct NoEngine;

fn no_engine(operation: &'static str) -> Error {
    Error::new(
        ErrorKind::Unsupported,
        operation,
        "this API serves a resource without an engine",
    )
}

#[async_trait]
impl Control for NoEngine {
    fn status(&self) -> serde_json::Value {
        serde_json::json!({"app": "conformance"})
    }

    fn activity(&self) -> BoxStream<'static, serde_json::Value> {
        stream::empty().boxed()
    }

    async fn invoke(&self, _function: &str, _event: Event) -> Result<Outcome> {
        Err(no_engine("engine.invoke"))
    }

    async fn emit(&self, _event: Event) -> Result<usize> {
        Err(no_engine("engine.emit"))
    }
}

fn new_name(kind: ResourceKind) -> String {
    format!("{kind}-{}", uuid::Uuid::new_v4().simple())
}

/// An API that is about to serve.
struct Api {
    listener: TcpListener,
    base: String,
    token: String,
}

impl Api {
    async fn bind() -> Result<Self> {
        let failed = |error: std::io::Error| {
            Error::new(
                ErrorKind::Unavailable,
                "harness.open",
                "no port of the loopback interface is free",
            )
            .caused_by(error)
        };
        let listener = TcpListener::bind("127.0.0.1:0").await.map_err(failed)?;
        let base = format!("http://{}", listener.local_addr().map_err(failed)?);
        Ok(Self {
            listener,
            base,
            token: uuid::Uuid::new_v4().to_string(),
        })
    }

    /// Serves `registry` until the harness is finished; the handles are a function's.
    fn serve(
        self,
        harness: &LocalHarness,
        kind: ResourceKind,
        name: &str,
        properties: BTreeMap<String, String>,
        registry: ResourceRegistry,
        buckets: impl FnOnce(&Arc<Tokens>) -> Router,
    ) -> Result<Resources> {
        let tokens = Arc::new(Tokens::new(self.token.clone()));
        let buckets = buckets(&tokens);
        let routes = router(registry, tokens, Arc::new(NoEngine), buckets);
        tokio::spawn(serve(self.listener, routes, harness.stop.clone()));
        let binding = Binding {
            name: name.to_owned(),
            kind,
            access: kind.access().iter().copied().collect(),
            url: None,
            properties,
        };
        let client = Client::new(&self.base, &self.token)?;
        Ok(Resources::new(Arc::new(LocalDrivers::new(client)), [binding]))
    }
}

async fn serve_one(
    harness: &LocalHarness,
    kind: ResourceKind,
    name: &str,
    registry: ResourceRegistry,
) -> Result<Resources> {
    Api::bind()
        .await?
        .serve(harness, kind, name, BTreeMap::new(), registry, |_| Router::new())
}

pub(super) async fn bucket(harness: &LocalHarness) -> Result<Bucket> {
    // The store makes the folder.
    harness.store().await?;
    let name = new_name(ResourceKind::Bucket);
    let api = Api::bind().await?;
    let key = [
        uuid::Uuid::new_v4().into_bytes(),
        uuid::Uuid::new_v4().into_bytes(),
    ]
    .concat();
    let signer = UrlSigner::new(&key, &api.base)?;
    let folder = harness.folder.join("buckets").join(&name);
    let bucket = FolderBucket::with_signer(&name, &folder, signer.clone())?;
    let mut registry = ResourceRegistry::default();
    registry.buckets.insert(name.clone(), Arc::new(bucket.clone()));
    let resources = api.serve(
        harness,
        ResourceKind::Bucket,
        &name,
        BTreeMap::new(),
        registry,
        |tokens| {
            let tokens: Arc<Tokens> = Arc::clone(tokens);
            bucket::router([bucket], tokens, Some(signer))
        },
    )?;
    resources.bucket(&name)
}

pub(super) async fn queue(harness: &LocalHarness, spec: &QueueSpec) -> Result<Queue> {
    let name = new_name(ResourceKind::Queue);
    let mut registry = ResourceRegistry::default();
    registry
        .queues
        .insert(name.clone(), Arc::new(harness.store().await?.queue(&name, spec)));
    serve_one(harness, ResourceKind::Queue, &name, registry)
        .await?
        .queue(&name)
}

pub(super) async fn missing_queue(harness: &LocalHarness) -> Result<Queue> {
    let name = new_name(ResourceKind::Queue);
    serve_one(harness, ResourceKind::Queue, &name, ResourceRegistry::default())
        .await?
        .queue(&name)
}

pub(super) async fn topic(harness: &LocalHarness) -> Result<Topic> {
    let name = new_name(ResourceKind::Topic);
    let mut registry = ResourceRegistry::default();
    registry
        .topics
        .insert(name.clone(), Arc::new(harness.store().await?.topic(&name)));
    serve_one(harness, ResourceKind::Topic, &name, registry)
        .await?
        .topic(&name)
}

pub(super) async fn stream(harness: &LocalHarness, spec: &StreamSpec) -> Result<Stream> {
    let name = new_name(ResourceKind::Stream);
    let mut registry = ResourceRegistry::default();
    registry
        .streams
        .insert(name.clone(), Arc::new(harness.store().await?.stream(&name, spec)));
    serve_one(harness, ResourceKind::Stream, &name, registry)
        .await?
        .stream(&name)
}

pub(super) async fn table(harness: &LocalHarness, schema: TableSchema) -> Result<Table> {
    let name = new_name(ResourceKind::Table);
    let mut properties = BTreeMap::from([("key".to_owned(), schema.key.clone())]);
    properties.extend(schema.sort.clone().map(|sort| ("sort".to_owned(), sort)));
    properties.extend(schema.ttl.clone().map(|ttl| ("ttl".to_owned(), ttl)));
    let mut registry = ResourceRegistry::default();
    let table = harness.store().await?.table(&name, &TableSpec { schema });
    registry.tables.insert(name.clone(), Arc::new(table));
    let api = Api::bind().await?;
    api.serve(harness, ResourceKind::Table, &name, properties, registry, |_| {
        Router::new()
    })?
    .table(&name)
}

pub(super) async fn secret(harness: &LocalHarness, value: Option<&[u8]>) -> Result<Secret> {
    harness.store().await?;
    let name = new_name(ResourceKind::Secret);
    if let Some(value) = value {
        set_secret(harness, &name, value)?;
    }
    let app = App {
        name: "conformance".to_owned(),
        resources: BTreeMap::from([(name.clone(), Resource::Secret(SecretSpec::default()))]),
        functions: BTreeMap::new(),
        targets: BTreeMap::new(),
    };
    let secrets = SecretStore::load(Some(&file(harness, &name)), &app, [])?;
    let mut registry = ResourceRegistry::default();
    registry
        .secrets
        .insert(name.clone(), Arc::new(secrets.secret(&name)));
    serve_one(harness, ResourceKind::Secret, &name, registry)
        .await?
        .secret(&name)
}

fn file(harness: &LocalHarness, name: &str) -> std::path::PathBuf {
    harness.folder.join(format!("{name}.toml"))
}

/// Writes the secrets file, as an operator does.
pub(super) fn set_secret(harness: &LocalHarness, name: &str, value: &[u8]) -> Result<()> {
    let text = std::str::from_utf8(value).map_err(|error| {
        Error::new(
            ErrorKind::Unsupported,
            "secret.set",
            "the secrets file holds text only",
        )
        .with("secret", name)
        .caused_by(error)
    })?;
    let content = toml::Table::from_iter([(name.to_owned(), toml::Value::String(text.to_owned()))]);
    std::fs::write(file(harness, name), content.to_string()).map_err(|error| harness.unusable(error))
}
