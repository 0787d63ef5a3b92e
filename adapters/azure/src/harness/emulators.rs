//! The emulators, processes of their own that end with the value that started them, or with the program.

use std::sync::{Arc, Mutex, PoisonError};

use nephos_conformance::process::{Launch, Running, Tool, free_port};
use nephos_core::env::Environment;
use nephos_core::{Error, ErrorKind, Result};
use serde_json::json;

use crate::config::{COSMOS_KEY, Config, ENDPOINTS, STORAGE_KEY};

/// The emulator of storage.
const AZURITE: Tool = Tool {
    what: "the emulator of Azure's storage",
    path: "npm/node_modules/.bin/azurite",
};

/// The emulator of Cosmos DB.
const COSMOS: Tool = Tool {
    what: "the emulator of Cosmos DB",
    path: "npm/node_modules/.bin/cosmosdb-server",
};

/// The storage account, and the account of Cosmos DB.
pub const ACCOUNT: &str = "nephos";

/// The database of all tables.
pub const DATABASE: &str = "app";

/// The key of both accounts.
const KEY: &str = "bmVwaG9zIHVuZGVyIHRlc3Q6IG5vYm9keSdzIGtleQ==";

/// Where nobody listens: what has no emulator is there.
const NOWHERE: &str = "http://127.0.0.1:9";

/// Running emulators, reachable from this machine only. They end when dropped.
#[derive(Debug)]
pub struct Processes {
    _running: [Running; 2],
    environment: Environment,
}

impl Processes {
    /// Starts them, empty, on free ports, and waits until they answer.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] if the tools are not there, [`ErrorKind::Unavailable`] if one does not come up, with the end of what it said.
    pub async fn start() -> Result<Self> {
        let queues = Mutex::new(0);
        let azurite = Running::start(|| azurite(&queues)).await?;
        let cosmos = Running::start(cosmos).await?;
        let queues = *queues.lock().unwrap_or_else(PoisonError::into_inner);
        let endpoints = json!({
            format!("https://{ACCOUNT}.blob.core.windows.net"): format!("{}/{ACCOUNT}", azurite.endpoint()),
            format!("https://{ACCOUNT}.queue.core.windows.net"): format!("http://127.0.0.1:{queues}/{ACCOUNT}"),
            format!("https://{ACCOUNT}.documents.azure.com"): cosmos.endpoint(),
            format!("sb://{ACCOUNT}.servicebus.windows.net"): NOWHERE,
            format!("https://{ACCOUNT}.eventgrid.azure.net"): NOWHERE,
            format!("https://{ACCOUNT}.vault.azure.net"): NOWHERE,
        })
        .to_string();
        let environment: Environment = [
            (ENDPOINTS, endpoints.as_str()),
            (STORAGE_KEY, KEY),
            (COSMOS_KEY, KEY),
        ]
        .into_iter()
        .collect();
        super::resources::database(&Config::load(&environment)?).await?;
        Ok(Self {
            _running: [azurite, cosmos],
            environment,
        })
    }
}

/// Emulators, and connections to them. Connections do not outlive the runtime in which they were made, so each has its own.
#[derive(Debug)]
pub struct Emulators {
    processes: Arc<Processes>,
    config: Config,
}

impl Emulators {
    /// New connections to running emulators.
    ///
    /// # Errors
    /// As [`Config::load`].
    pub fn over(processes: Arc<Processes>) -> Result<Self> {
        let config = Config::load(&processes.environment)?;
        Ok(Self { processes, config })
    }

    /// The variables by which a function finds them.
    #[must_use]
    pub fn environment(&self) -> &Environment {
        &self.processes.environment
    }

    /// The configuration that those variables make.
    #[must_use]
    pub fn config(&self) -> &Config {
        &self.config
    }
}

/// `queues` is told the port of the queues.
fn azurite(queues: &Mutex<u16>) -> Result<Launch> {
    let (blob, queue, table) = (free_port()?, free_port()?, free_port()?);
    *queues
        .lock()
        .map_err(|_| Error::new(ErrorKind::Internal, "harness", "another start failed"))? = queue;
    let launch = Launch {
        what: AZURITE.what,
        program: AZURITE.find()?,
        arguments: Vec::new(),
        environment: Vec::new(),
        port: blob,
        path: "/",
        statuses: &[400, 403],
    };
    let ports = [("blob", blob), ("queue", queue), ("table", table)];
    let places = ports.iter().flat_map(|(service, port)| {
        [
            format!("--{service}Host"),
            "127.0.0.1".to_owned(),
            format!("--{service}Port"),
            port.to_string(),
        ]
    });
    // Without the last, it refuses clients that are newer than itself.
    let rest = [
        "--silent",
        "--disableTelemetry",
        "--inMemoryPersistence",
        "--skipApiVersionCheck",
    ];
    Ok(launch
        .arguments(places.chain(rest.map(str::to_owned)))
        .environment([("AZURITE_ACCOUNTS", format!("{ACCOUNT}:{KEY}"))]))
}

fn cosmos() -> Result<Launch> {
    let port = free_port()?;
    let launch = Launch {
        what: COSMOS.what,
        program: COSMOS.find()?,
        arguments: Vec::new(),
        environment: Vec::new(),
        port,
        path: "/",
        statuses: &[200],
    };
    Ok(launch.arguments(["--no-ssl", "--host", "127.0.0.1", "--port", &port.to_string()]))
}
