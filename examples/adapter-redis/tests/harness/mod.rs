//! A Redis of its own for each run of the suite, and fresh resources in it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use adapter_redis::{Connection, ORDERED, RedisDrivers, operator};
use async_trait::async_trait;
use nephos_conformance::process::{Launch, Running, TOOLS, Tool, free_port};
use nephos_conformance::{Harness, Mode};
use nephos_core::Result;
use nephos_core::app::{QueueSpec, StreamSpec};
use nephos_core::resource::bucket::Bucket;
use nephos_core::resource::queue::Queue;
use nephos_core::resource::secret::Secret;
use nephos_core::resource::stream::Stream;
use nephos_core::resource::table::{Table, TableSchema};
use nephos_core::resource::{Binding, ResourceKind, Resources};
use nephos_core::wiring::PHYSICAL;
use tokio::sync::Mutex;

/// The real server, as it is installed for tests.
const SERVER: Tool = Tool {
    what: "Redis",
    path: "python/bin/redis-server",
};

/// Redis, started with the first resource and ended with the last rule.
#[derive(Debug, Default)]
pub(crate) struct RedisHarness {
    server: Mutex<Option<Arc<Server>>>,
    version: OnceLock<String>,
}

#[derive(Debug)]
struct Server {
    connection: Connection,
    _running: Running,
}

/// What the server says of itself: <https://redis.io/docs/latest/commands/info/>.
async fn version(connection: &Connection) -> Result<String> {
    let mut command = redis::cmd("INFO");
    let told: String = connection.ask("harness.start", command.arg("server")).await?;
    let version = told.lines().find_map(|line| line.strip_prefix("redis_version:"));
    Ok(version.unwrap_or("of an unknown version").to_owned())
}

/// The server below `NEPHOS_TOOLS`, or, without that variable, where `cargo xtask setup` puts it.
fn server() -> Result<PathBuf> {
    let built = Path::new(env!("CARGO_TARGET_TMPDIR")).parent();
    let installed = built.map(|built| built.join("tools").join(SERVER.path));
    match installed.filter(|program| program.exists()) {
        Some(program) if std::env::var_os(TOOLS).is_none() => Ok(program),
        _ => SERVER.find(),
    }
}

impl Server {
    async fn start() -> Result<Self> {
        let program = server()?;
        let running = Running::start(|| {
            let port = free_port()?;
            let launch = Launch {
                what: SERVER.what,
                program: program.clone(),
                arguments: Vec::new(),
                environment: Vec::new(),
                port,
                path: "",
                // It does not speak HTTP.
                statuses: &[],
            };
            let port = port.to_string();
            // Nothing is kept: each run begins with nothing.
            Ok(launch.arguments([
                "--port",
                &port,
                "--bind",
                "127.0.0.1",
                "--save",
                "",
                "--appendonly",
                "no",
            ]))
        })
        .await?;
        Ok(Self {
            connection: Connection::open(&format!("redis://127.0.0.1:{}", running.port()))?,
            _running: running,
        })
    }
}

impl RedisHarness {
    async fn connection(&self) -> Result<Connection> {
        let mut server = self.server.lock().await;
        if let Some(running) = &*server {
            return Ok(running.connection.clone());
        }
        let started = Arc::new(Server::start().await?);
        let version = version(&started.connection).await?;
        self.version.get_or_init(|| version);
        *server = Some(Arc::clone(&started));
        Ok(started.connection.clone())
    }

    /// The handles of a function that may do everything with one resource.
    async fn open(
        &self,
        kind: ResourceKind,
        name: &str,
        properties: impl IntoIterator<Item = (&str, String)>,
    ) -> Result<Resources> {
        let mut properties: BTreeMap<String, String> = (properties.into_iter())
            .map(|(name, value)| (name.to_owned(), value))
            .collect();
        properties.insert(PHYSICAL.to_owned(), name.to_owned());
        let binding = Binding {
            name: name.to_owned(),
            kind,
            access: kind.access().iter().copied().collect(),
            url: None,
            properties,
        };
        let drivers = RedisDrivers::new(&self.connection().await?);
        Ok(Resources::new(Arc::new(drivers), [binding]))
    }
}

fn new_name(kind: ResourceKind) -> String {
    format!("{kind}-{}", uuid::Uuid::new_v4().simple())
}

#[async_trait]
impl Harness for RedisHarness {
    fn adapter(&self) -> &'static str {
        "redis"
    }

    /// Nothing stands in for Redis: it is the server itself.
    fn mode(&self) -> Mode {
        Mode::Live
    }

    fn beneath(&self) -> Option<String> {
        Some(format!(
            "redis-server {}, started for this run",
            self.version.get()?
        ))
    }

    async fn bucket(&self) -> Result<Bucket> {
        let name = new_name(ResourceKind::Bucket);
        self.open(ResourceKind::Bucket, &name, []).await?.bucket(&name)
    }

    async fn queue(&self, spec: QueueSpec) -> Result<Queue> {
        let name = new_name(ResourceKind::Queue);
        operator::make_queue(&self.connection().await?, &name).await?;
        self.open(ResourceKind::Queue, &name, [(ORDERED, spec.ordered.to_string())])
            .await?
            .queue(&name)
    }

    async fn missing_queue(&self) -> Result<Queue> {
        let name = new_name(ResourceKind::Queue);
        self.open(ResourceKind::Queue, &name, []).await?.queue(&name)
    }

    async fn stream(&self, _spec: StreamSpec) -> Result<Stream> {
        let name = new_name(ResourceKind::Stream);
        self.open(ResourceKind::Stream, &name, []).await?.stream(&name)
    }

    async fn table(&self, schema: TableSchema) -> Result<Table> {
        let name = new_name(ResourceKind::Table);
        let sort = schema.sort.map(|sort| ("sort", sort));
        let ttl = schema.ttl.map(|ttl| ("ttl", ttl));
        let properties = [("key", schema.key)].into_iter().chain(sort).chain(ttl);
        self.open(ResourceKind::Table, &name, properties)
            .await?
            .table(&name)
    }

    async fn secret(&self, value: Option<&[u8]>) -> Result<Secret> {
        let name = new_name(ResourceKind::Secret);
        if let Some(value) = value {
            operator::set_secret(&self.connection().await?, &name, value).await?;
        }
        self.open(ResourceKind::Secret, &name, []).await?.secret(&name)
    }

    async fn rotate(&self, secret: &Secret, value: &[u8]) -> Result<()> {
        operator::set_secret(&self.connection().await?, secret.name(), value).await
    }

    async fn finish(&self) -> Result<()> {
        // Ends with the last handle, which is this one: all rules have run.
        drop(self.server.lock().await.take());
        Ok(())
    }
}
