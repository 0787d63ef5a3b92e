//! The embedded resources of an app: their drivers, for the API and for the engine's own use.

use std::any::Any;
use std::collections::BTreeMap;
use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;

use async_trait::async_trait;
use axum::Router;
use nephos_core::app::{App, BucketSpec, Resource, SecretSpec};
use nephos_core::resource::bucket::BucketDriver;
use nephos_core::resource::queue::QueueDriver;
use nephos_core::resource::secret::{SecretCapabilities, SecretDriver, SecretValue};
use nephos_core::resource::stream::StreamDriver;
use nephos_core::resource::table::TableDriver;
use nephos_core::resource::topic::TopicDriver;
use nephos_core::resource::{Binding, Drivers, ExternalBuckets, Resources};
use nephos_core::{Error, ErrorKind, Result};

use super::outside::Outside;
use super::state::StateFolder;
use super::{Options, new_token};
use crate::deploy::api::{ResourceRegistry, Tokens};
use crate::deploy::bucket::{self, FolderBucket, S3Credentials, S3Server, UrlSigner};
use crate::deploy::secrets::SecretStore;
use crate::deploy::store::Store;
use crate::resources::capabilities;

/// The endpoint of a bucket outside that the host itself stands in for.
const EMBEDDED: &str = "embedded";
/// The secret with the embedded S3 store's credentials; a manifest's names cannot begin so.
const S3_SECRET: &str = "_embedded-s3";

/// The embedded S3 store and its credentials as a secret's value.
pub(super) type S3 = (S3Server, String);

/// Starts the embedded S3 store if a bucket of the app wants it, and gives those buckets its endpoint and credentials.
pub(super) async fn start_s3(
    mut app: App,
    options: &Options,
    state: &StateFolder,
) -> Result<(Option<S3>, App)> {
    if embedded(&app).next().is_none() && options.s3.is_none() {
        return Ok((None, app));
    }
    let credentials = S3Credentials {
        access_key_id: new_token()[..20].to_owned(),
        secret_access_key: new_token(),
    };
    let secret = serde_json::json!({
        "access_key_id": credentials.access_key_id,
        "secret_access_key": credentials.secret_access_key,
    })
    .to_string();
    let address = options
        .s3
        .unwrap_or_else(|| SocketAddr::from((options.others, 0)));
    let server = S3Server::start(address, &state.s3(), credentials).await?;
    for spec in embedded(&app) {
        server.create_bucket(&Outside::of(spec)?.name)?;
    }
    if stand_in(&mut app, &server.endpoint()) {
        app.resources
            .insert(S3_SECRET.to_owned(), Resource::Secret(SecretSpec::default()));
    }
    Ok((Some((server, secret)), app))
}

/// Gives the buckets that the embedded S3 store stands in for its endpoint and credentials; whether there are any.
pub(super) fn stand_in(app: &mut App, endpoint: &str) -> bool {
    let mut any = false;
    for resource in app.resources.values_mut() {
        if let Resource::Bucket(spec) = resource
            && spec.endpoint.as_deref() == Some(EMBEDDED)
        {
            spec.endpoint = Some(endpoint.to_owned());
            spec.credentials = Some(S3_SECRET.to_owned());
            spec.region.get_or_insert_with(|| "us-east-1".to_owned());
            any = true;
        }
    }
    any
}

fn embedded(app: &App) -> impl Iterator<Item = &BucketSpec> {
    app.resources.values().filter_map(|resource| match resource {
        Resource::Bucket(spec) if spec.endpoint.as_deref() == Some(EMBEDDED) => Some(spec),
        _ => None,
    })
}

/// All of an app's embedded resources.
#[derive(Debug)]
pub(super) struct Holdings {
    store: Store,
    registry: ResourceRegistry,
    buckets: BTreeMap<String, FolderBucket>,
    signer: Option<UrlSigner>,
    resources: Resources,
}

impl Holdings {
    /// Opens them. `serving` is the API's URL and the embedded S3 store, if they are served.
    pub(super) fn open(
        app: &App,
        store: &Store,
        secrets: &SecretStore,
        state: &StateFolder,
        serving: Option<(&str, Option<&S3>)>,
        external: Arc<dyn ExternalBuckets>,
    ) -> Result<Self> {
        let signer = match serving {
            Some((base, _)) => Some(UrlSigner::new(&state.signing_key()?, base)?),
            None => None,
        };
        let s3 = serving.and_then(|(_, s3)| s3);
        let mut registry = ResourceRegistry::default();
        let mut buckets = BTreeMap::new();
        // The engine's own handles: buckets that the host stands in for are opened where they are.
        let mut own: BTreeMap<String, Arc<dyn BucketDriver>> = BTreeMap::new();
        let mut bindings = Vec::new();
        for (name, resource) in &app.resources {
            let mut url = None;
            let mut properties = BTreeMap::new();
            match resource {
                Resource::Bucket(BucketSpec { url: None, .. }) => {
                    let root = state.buckets().join(name);
                    let bucket = match &signer {
                        Some(signer) => FolderBucket::with_signer(name, &root, signer.clone())?,
                        None => FolderBucket::open(name, &root)?,
                    };
                    registry.buckets.insert(name.clone(), Arc::new(bucket.clone()));
                    buckets.insert(name.clone(), bucket);
                }
                Resource::Bucket(spec) => match (s3, spec.endpoint.as_deref()) {
                    (Some((server, _)), Some(endpoint)) if endpoint == server.endpoint() => {
                        let outside = Outside::of(spec)?;
                        let bucket = server.create_bucket(&outside.name)?;
                        own.insert(name.clone(), outside.driver(bucket));
                    }
                    (None, Some(EMBEDDED)) => {
                        let outside = Outside::of(spec)?;
                        let bucket = FolderBucket::open(&outside.name, &state.s3().join(&outside.name))?;
                        own.insert(name.clone(), outside.driver(bucket));
                    }
                    _ => {
                        url.clone_from(&spec.url);
                        for (key, value) in [
                            ("endpoint", &spec.endpoint),
                            ("region", &spec.region),
                            ("credentials", &spec.credentials),
                        ] {
                            if let Some(value) = value {
                                properties.insert(key.to_owned(), value.clone());
                            }
                        }
                    }
                },
                Resource::Queue(spec) => {
                    registry
                        .queues
                        .insert(name.clone(), Arc::new(store.queue(name, spec)));
                }
                Resource::Topic(_) => {
                    registry.topics.insert(name.clone(), Arc::new(store.topic(name)));
                }
                Resource::Stream(spec) => {
                    registry
                        .streams
                        .insert(name.clone(), Arc::new(store.stream(name, spec)));
                }
                Resource::Table(spec) => {
                    registry
                        .tables
                        .insert(name.clone(), Arc::new(store.table(name, spec)));
                }
                Resource::Secret(_) => {
                    let driver: Arc<dyn SecretDriver> = match s3 {
                        Some((_, value)) if name == S3_SECRET => Arc::new(Made(value.clone())),
                        _ => Arc::new(secrets.secret(name)),
                    };
                    registry.secrets.insert(name.clone(), driver);
                }
            }
            if name != S3_SECRET {
                let kind = resource.kind();
                bindings.push(Binding {
                    name: name.clone(),
                    kind,
                    access: kind.access().iter().copied().collect(),
                    url,
                    properties,
                });
            }
        }
        let drivers = Embedded {
            registry: registry.clone(),
            own,
        };
        let resources = Resources::new(Arc::new(drivers), bindings).with_external(external);
        Ok(Self {
            store: store.clone(),
            registry,
            buckets,
            signer,
            resources,
        })
    }

    pub(super) fn registry(&self) -> &ResourceRegistry {
        &self.registry
    }

    pub(super) fn resources(&self) -> &Resources {
        &self.resources
    }

    /// The app's own bucket of this name.
    pub(super) fn bucket(&self, name: &str) -> Option<&FolderBucket> {
        self.buckets.get(name)
    }

    /// The API's routes for the buckets.
    pub(super) fn bucket_routes(&self, tokens: &Arc<Tokens>) -> Router {
        let tokens: Arc<Tokens> = Arc::clone(tokens);
        bucket::router(self.buckets.values().cloned(), tokens, self.signer.clone())
    }

    pub(super) async fn close(&self) {
        self.store.clone().close().await;
    }
}

/// A secret that the host itself made.
struct Made(String);

impl fmt::Debug for Made {
    /// Without the value.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Made")
    }
}

#[async_trait]
impl SecretDriver for Made {
    fn capabilities(&self) -> SecretCapabilities {
        capabilities::SECRET
    }

    async fn get(&self, version: Option<&str>) -> Result<SecretValue> {
        match version {
            None => Ok(SecretValue::new(self.0.clone(), None)),
            Some(_) => Err(Error::new(
                ErrorKind::Unsupported,
                "secret.get",
                "this target keeps no versions of a secret",
            )),
        }
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

/// Opens what is already open.
#[derive(Debug)]
struct Embedded {
    registry: ResourceRegistry,
    own: BTreeMap<String, Arc<dyn BucketDriver>>,
}

fn open<T: ?Sized>(drivers: &BTreeMap<String, Arc<T>>, binding: &Binding) -> Result<Arc<T>> {
    drivers.get(&binding.name).map(Arc::clone).ok_or_else(|| {
        Error::new(
            ErrorKind::NotFound,
            "context.open",
            "the app has no such resource; declare it in nephos.toml",
        )
        .with(binding.kind.name(), &binding.name)
    })
}

impl Drivers for Embedded {
    fn bucket(&self, binding: &Binding) -> Result<Arc<dyn BucketDriver>> {
        match self.own.get(&binding.name) {
            Some(bucket) => Ok(Arc::clone(bucket)),
            None => open(&self.registry.buckets, binding),
        }
    }

    fn queue(&self, binding: &Binding) -> Result<Arc<dyn QueueDriver>> {
        open(&self.registry.queues, binding)
    }

    fn topic(&self, binding: &Binding) -> Result<Arc<dyn TopicDriver>> {
        open(&self.registry.topics, binding)
    }

    fn stream(&self, binding: &Binding) -> Result<Arc<dyn StreamDriver>> {
        open(&self.registry.streams, binding)
    }

    fn table(&self, binding: &Binding) -> Result<Arc<dyn TableDriver>> {
        open(&self.registry.tables, binding)
    }

    fn secret(&self, binding: &Binding) -> Result<Arc<dyn SecretDriver>> {
        open(&self.registry.secrets, binding)
    }
}
