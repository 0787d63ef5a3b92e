//! A running API over a store in a temporary folder.

use std::any::Any;
use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use futures::stream::{self, BoxStream, StreamExt as _};
use nephos_core::app::{
    App, BucketSpec, FunctionSpec, Isolation, QueueSpec, Resource, Retry, SecretSpec, StreamSpec, TableSpec,
    TopicSpec,
};
use nephos_core::event::{Body, Data, Payload};
use nephos_core::resource::secret::{SecretCapabilities, SecretDriver, SecretValue};
use nephos_core::resource::table::TableSchema;
use nephos_core::resource::{Access, Resources};
use nephos_core::{BatchOutcome, Error, ErrorKind, Event, Outcome, Result};
use nephos_local::deploy::api::{Control, ResourceRegistry, Tokens, router, serve};
use nephos_local::deploy::bucket::{self, FolderBucket};
use nephos_local::deploy::store::Store;
use nephos_local::resources::LocalDrivers;
use nephos_local::resources::client::Client;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

pub(crate) const ADMIN: &str = "admin-token";
pub(crate) const WORKER: &str = "worker-token";

/// An API under test, and the folder of its store.
pub(crate) struct Api {
    pub(crate) address: SocketAddr,
    pub(crate) app: App,
    pub(crate) stop: CancellationToken,
    pub(crate) served: JoinHandle<Result<()>>,
    _folder: tempfile::TempDir,
}

impl Api {
    pub(crate) async fn start() -> Self {
        Self::with(|_| {}).await
    }

    /// With a change to the resources that it has.
    pub(crate) async fn with(change: impl FnOnce(&mut ResourceRegistry)) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&folder.path().join("store.sqlite")).await.unwrap();
        let app = app();
        let mut registry = ResourceRegistry::default();
        for (name, resource) in &app.resources {
            let name = name.clone();
            match resource {
                Resource::Queue(spec) => {
                    let queue = store.queue(&name, spec);
                    registry.queues.insert(name, Arc::new(queue));
                }
                Resource::Topic(_) => {
                    let topic = store.topic(&name);
                    registry.topics.insert(name, Arc::new(topic));
                }
                Resource::Stream(spec) => {
                    let stream = store.stream(&name, spec);
                    registry.streams.insert(name, Arc::new(stream));
                }
                Resource::Table(spec) => {
                    let table = store.table(&name, spec);
                    registry.tables.insert(name, Arc::new(table));
                }
                Resource::Secret(_) => {
                    registry.secrets.insert(name, Arc::new(OneSecret));
                }
                Resource::Bucket(_) => {}
            }
        }
        change(&mut registry);
        let tokens = Arc::new(Tokens::new(ADMIN).function(&app, "worker", WORKER));
        let photos = FolderBucket::open("photos", &folder.path().join("photos")).unwrap();
        let buckets = bucket::router([photos], Arc::clone(&tokens) as Arc<dyn bucket::Authorize>, None);
        let router = router(registry, tokens, Arc::new(Engine), buckets);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let stop = CancellationToken::new();
        let served = tokio::spawn(serve(listener, router, stop.clone()));
        Self {
            address,
            app,
            stop,
            served,
            _folder: folder,
        }
    }

    pub(crate) fn base(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The worker's own handles, as its process has them.
    pub(crate) fn resources(&self) -> Resources {
        let client = Client::new(&self.base(), WORKER).unwrap();
        Resources::new(Arc::new(LocalDrivers::new(client)), self.app.bindings("worker"))
    }
}

fn app() -> App {
    let queue = || {
        Resource::Queue(QueueSpec {
            ordered: true,
            ..QueueSpec::default()
        })
    };
    let resources = BTreeMap::from([
        ("orders".to_owned(), queue()),
        ("private".to_owned(), queue()),
        ("news".to_owned(), Resource::Topic(TopicSpec::default())),
        ("clicks".to_owned(), Resource::Stream(StreamSpec::default())),
        (
            "faces".to_owned(),
            Resource::Table(TableSpec {
                schema: TableSchema {
                    key: "id".to_owned(),
                    sort: Some("at".to_owned()),
                    ttl: None,
                },
            }),
        ),
        ("api-key".to_owned(), Resource::Secret(SecretSpec::default())),
        ("archive-keys".to_owned(), Resource::Secret(SecretSpec::default())),
        ("other-key".to_owned(), Resource::Secret(SecretSpec::default())),
        ("photos".to_owned(), Resource::Bucket(BucketSpec::default())),
        (
            "archive".to_owned(),
            Resource::Bucket(BucketSpec {
                url: Some("s3://evidence".to_owned()),
                credentials: Some("archive-keys".to_owned()),
                ..BucketSpec::default()
            }),
        ),
    ]);
    let uses = |access: &[Access]| access.iter().copied().collect::<BTreeSet<_>>();
    let worker = FunctionSpec {
        memory: 128 << 20,
        ephemeral_storage: None,
        timeout: Duration::from_secs(30),
        on: Vec::new(),
        uses: BTreeMap::from([
            ("orders".to_owned(), uses(&[Access::Send, Access::Receive])),
            ("news".to_owned(), uses(&[Access::Publish])),
            ("clicks".to_owned(), uses(&[Access::Read, Access::Write])),
            ("faces".to_owned(), uses(&[Access::Read, Access::Write])),
            ("api-key".to_owned(), uses(&[Access::Read])),
            ("archive".to_owned(), uses(&[Access::Write])),
            ("photos".to_owned(), uses(&[Access::Read, Access::Write])),
        ]),
        env: BTreeMap::new(),
        retry: Retry::default(),
        dead_letter: "worker-dead-letter".to_owned(),
        concurrency: 1,
        max_instances: 1,
        isolation: Isolation::Process,
    };
    App {
        name: "shop".to_owned(),
        resources,
        functions: BTreeMap::from([("worker".to_owned(), worker)]),
        targets: BTreeMap::new(),
    }
}

#[derive(Debug)]
struct OneSecret;

#[async_trait]
impl SecretDriver for OneSecret {
    fn capabilities(&self) -> SecretCapabilities {
        SecretCapabilities { versions: false }
    }

    async fn get(&self, _version: Option<&str>) -> Result<SecretValue> {
        Ok(SecretValue::new(vec![0xff, b's'], Some("v1".to_owned())))
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

/// Stands for the engine: its answers depend on what it is asked.
#[derive(Debug)]
struct Engine;

#[async_trait]
impl Control for Engine {
    fn status(&self) -> Value {
        json!({"app": "shop"})
    }

    fn activity(&self) -> BoxStream<'static, Value> {
        let happened = [json!({"n": 1}), json!({"n": 2, "text": "two\nlines"})];
        stream::iter(happened).chain(stream::pending()).boxed()
    }

    async fn invoke(&self, function: &str, event: Event) -> Result<Outcome> {
        match (function, event.data) {
            ("echo", Data::Raw(raw)) => Ok(Outcome::Data(Payload {
                content_type: raw.content_type.map(Into::into),
                bytes: raw.bytes,
            })),
            ("page", _) => Ok(Outcome::Http(http::Response::new(Body::from("<p>")))),
            ("picky", Data::Queue(messages)) => {
                let mut batch = BatchOutcome::new();
                batch.reject(&messages[0].id, "not this one");
                Ok(Outcome::Batch(batch))
            }
            ("broken", _) => Ok(Outcome::Failed(Error::retry("try again"))),
            (other, _) => Err(
                Error::new(ErrorKind::NotFound, "engine.invoke", "no such function").with("function", other),
            ),
        }
    }

    async fn emit(&self, event: Event) -> Result<usize> {
        Ok(event.record_ids().len() + 1)
    }
}
