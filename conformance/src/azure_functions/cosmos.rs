//! `cosmosDBTrigger`: the change feed of a container, made by reading the container again and again; and the emulator that holds it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use chrono::Utc;
use nephos_core::{Error, ErrorKind, Result};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use super::invoke::{Bound, Input, Invoker};
use super::package::{CosmosTrigger, Function};
use super::refused;
use super::settings::Connection;
use crate::process::{Launch, Running, Tool, free_port};

const TOOL: Tool = Tool {
    what: "the emulator of Cosmos DB",
    path: "npm/node_modules/.bin/cosmosdb-server",
};

/// An account of Cosmos DB.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CosmosAccount {
    /// Where it is (`http://127.0.0.1:8081`).
    pub endpoint: String,
}

/// How far triggers have come: the version of each document that was handed over, by container and lease. Clones are the same.
#[derive(Debug, Clone, Default)]
pub struct Positions(Arc<Mutex<BTreeMap<String, Position>>>);

/// How far one trigger has come.
#[derive(Debug, Clone, Default)]
struct Position {
    versions: BTreeMap<String, String>,
    sequence: u64,
}

/// The emulator. Ends when dropped.
#[derive(Debug)]
pub struct CosmosServer {
    running: Running,
}

impl CosmosServer {
    /// What it is, with its version: for a report.
    #[must_use]
    pub fn told() -> String {
        TOOL.told()
    }

    /// Starts it, empty, and waits until it answers.
    ///
    /// # Errors
    /// Those of [`Tool::find`] and [`Running::start`].
    pub async fn start() -> Result<Self> {
        let program = TOOL.find()?;
        let running = Running::start(|| {
            let port = free_port()?;
            let launch = Launch {
                what: TOOL.what,
                program: program.clone(),
                arguments: Vec::new(),
                environment: Vec::new(),
                port,
                path: "/",
                statuses: &[200, 401, 403],
            };
            Ok(launch.arguments([
                "--host".to_owned(),
                "127.0.0.1".to_owned(),
                "--no-ssl".to_owned(),
                "-p".to_owned(),
                port.to_string(),
            ]))
        })
        .await?;
        Ok(Self { running })
    }

    /// Whether it still answers.
    ///
    /// # Errors
    /// Those of [`Running::alive`].
    pub async fn alive(&self) -> Result<()> {
        self.running.alive().await
    }

    /// The account that it has.
    #[must_use]
    pub fn account(&self) -> CosmosAccount {
        CosmosAccount {
            endpoint: self.running.endpoint(),
        }
    }
}

impl CosmosAccount {
    pub(super) fn of(connection: &Connection, known: Option<&Self>) -> Result<Self> {
        let fields = connection.fields();
        let endpoint = fields
            .get("accountendpoint")
            .map(|endpoint| endpoint.trim_end_matches('/').to_owned())
            .ok_or_else(|| refused("the connection to Cosmos DB has no AccountEndpoint".to_owned()))?;
        if matches!(connection, Connection::Text(_)) && !fields.contains_key("accountkey") {
            return Err(refused(
                "the connection string of Cosmos DB has no AccountKey".to_owned(),
            ));
        }
        known
            .filter(|account| account.endpoint == endpoint)
            .cloned()
            .ok_or_else(|| refused(format!("no account of Cosmos DB is known at `{endpoint}`")))
    }

    /// Makes a database, if it is not there.
    ///
    /// # Errors
    /// The service's.
    pub async fn create_database(&self, database: &str) -> Result<()> {
        self.call("POST", "/dbs", &json!({"id": database}), &[], &[201, 409])
            .await
            .map(drop)
    }

    /// Makes a container, if it is not there.
    ///
    /// # Errors
    /// The service's.
    pub async fn create_container(&self, database: &str, container: &str, partition_key: &str) -> Result<()> {
        let body = json!({"id": container, "partitionKey": {"paths": [partition_key], "kind": "Hash", "version": 2}});
        self.call("POST", &format!("/dbs/{database}/colls"), &body, &[], &[201, 409])
            .await
            .map(drop)
    }

    /// Writes a document, whether it was there or not.
    ///
    /// # Errors
    /// The service's.
    pub async fn upsert(
        &self,
        database: &str,
        container: &str,
        partition_key: &str,
        document: &Value,
    ) -> Result<()> {
        let key = json!([partition_key]).to_string();
        let headers = [
            ("x-ms-documentdb-is-upsert", "true"),
            ("x-ms-documentdb-partitionkey", key.as_str()),
        ];
        let path = format!("/dbs/{database}/colls/{container}/docs");
        self.call("POST", &path, document, &headers, &[200, 201])
            .await
            .map(drop)
    }

    /// All documents of a container.
    ///
    /// # Errors
    /// The service's; [`ErrorKind::NotFound`] if there is no such container.
    pub async fn documents(&self, database: &str, container: &str) -> Result<Vec<Value>> {
        let path = format!("/dbs/{database}/colls/{container}/docs");
        let mut found = Vec::new();
        let mut continuation = String::new();
        loop {
            let headers: &[(&str, &str)] = if continuation.is_empty() {
                &[]
            } else {
                &[("x-ms-continuation", continuation.as_str())]
            };
            let answer = self.call("GET", &path, &Value::Null, headers, &[200]).await?;
            let page: Value = serde_json::from_slice(&answer.body).map_err(|error| {
                Error::new(
                    ErrorKind::Decode,
                    "cosmos.read",
                    "the answer of Cosmos DB cannot be read",
                )
                .caused_by(error)
            })?;
            found.extend(
                page.get("Documents")
                    .and_then(Value::as_array)
                    .cloned()
                    .unwrap_or_default(),
            );
            match answer
                .headers
                .get("x-ms-continuation")
                .and_then(|next| next.to_str().ok())
            {
                Some(next) if !next.is_empty() => continuation = next.to_owned(),
                _ => return Ok(found),
            }
        }
    }

    async fn call(
        &self,
        method: &str,
        path: &str,
        body: &Value,
        headers: &[(&str, &str)],
        expected: &[u16],
    ) -> Result<crate::http::Answer> {
        let url = format!("{}{path}", self.endpoint);
        let date = Utc::now().format("%a, %d %b %Y %H:%M:%S GMT").to_string();
        let mut all = vec![
            ("x-ms-version", "2018-12-31"),
            ("x-ms-date", date.as_str()),
            // The emulator takes any signature.
            ("authorization", "type%3Dmaster%26ver%3D1.0%26sig%3DbmVwaG9z"),
            ("content-type", "application/json"),
        ];
        all.extend(headers);
        let body = if body.is_null() {
            String::new()
        } else {
            body.to_string()
        };
        let answer = crate::http::call_with(method, &url, body.as_bytes(), &all)
            .await
            .map_err(|error| {
                Error::new(ErrorKind::Unavailable, "cosmos.call", "Cosmos DB does not answer")
                    .caused_by(error.to_string())
            })?;
        if expected.contains(&answer.status) {
            return Ok(answer);
        }
        let kind = match answer.status {
            404 => ErrorKind::NotFound,
            400 => ErrorKind::InvalidArgument,
            409 | 412 => ErrorKind::Conflict,
            _ => ErrorKind::Unavailable,
        };
        Err(Error::new(kind, "cosmos.call", "Cosmos DB refused a request")
            .with("request", format!("{method} {url}"))
            .with("status", answer.status)
            .caused_by(answer.text()))
    }
}

/// One function's container.
#[derive(Debug)]
pub(super) struct Listener {
    function: Arc<Function>,
    trigger: CosmosTrigger,
    account: CosmosAccount,
    invoker: Arc<Invoker>,
    positions: Positions,
    poll: Duration,
}

impl Listener {
    /// Finds the container and its leases, and the place to begin at.
    pub(super) async fn start(
        function: Arc<Function>,
        trigger: CosmosTrigger,
        account: CosmosAccount,
        invoker: Arc<Invoker>,
        positions: Positions,
        poll: Duration,
    ) -> Result<Self> {
        let missing = |name: &str| {
            refused(format!(
                "the container `{name}` of database `{}` does not exist",
                trigger.database_name
            ))
        };
        if trigger.create_lease_container {
            account
                .create_container(&trigger.database_name, &trigger.lease_container_name, "/id")
                .await?;
        }
        for name in [&trigger.container_name, &trigger.lease_container_name] {
            account
                .documents(&trigger.database_name, name)
                .await
                .map_err(|error| {
                    if error.kind() == ErrorKind::NotFound {
                        missing(name)
                    } else {
                        error
                    }
                })?;
        }
        let listener = Self {
            function,
            trigger,
            account,
            invoker,
            positions,
            poll,
        };
        let is_known = listener.positions.lock().contains_key(&listener.lease());
        if !is_known {
            let mut position = Position::default();
            if !listener.trigger.start_from_beginning {
                let documents = listener.read().await?;
                position.versions = documents.iter().filter_map(version).collect();
            }
            listener.positions.lock().insert(listener.lease(), position);
        }
        Ok(listener)
    }

    async fn read(&self) -> Result<Vec<Value>> {
        self.account
            .documents(&self.trigger.database_name, &self.trigger.container_name)
            .await
    }

    fn lease(&self) -> String {
        let trigger = &self.trigger;
        format!(
            "{}/{}/{}/{}",
            trigger.database_name, trigger.container_name, trigger.lease_container_name, self.function.name
        )
    }

    /// Hands changes over, a batch after another, until it is told to stop.
    pub(super) async fn run(self, stop: CancellationToken) {
        loop {
            match self.changes().await {
                Ok(changes) => {
                    for batch in changes.chunks(self.trigger.max_items) {
                        if stop.is_cancelled() {
                            return;
                        }
                        self.hand_over(batch).await;
                    }
                }
                Err(error) => self
                    .invoker
                    .log
                    .line(format!("container `{}`: {error}", self.trigger.container_name)),
            }
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(self.poll) => {}
            }
        }
    }

    /// Documents with another version than the one handed over, the oldest change first.
    async fn changes(&self) -> Result<Vec<Value>> {
        let mut documents = self.read().await?;
        {
            let positions = self.positions.lock();
            let position = positions.get(&self.lease());
            documents.retain(|document| {
                version(document).is_some_and(|(name, tag)| {
                    position.and_then(|position| position.versions.get(&name)) != Some(&tag)
                })
            });
        }
        documents.sort_by_key(|document| document.get("_ts").and_then(Value::as_u64).unwrap_or(0));
        Ok(documents)
    }

    /// A batch that fails is tried as the function's `retry` says, and passed over after that.
    async fn hand_over(&self, batch: &[Value]) {
        let numbered: Vec<Value> = {
            let mut positions = self.positions.lock();
            let position = positions.entry(self.lease()).or_default();
            let number = |document: &Value| {
                position.sequence += 1;
                let mut document = document.clone();
                if let Some(fields) = document.as_object_mut() {
                    fields.insert("_lsn".to_owned(), position.sequence.into());
                }
                document
            };
            batch.iter().map(number).collect()
        };
        let input = input(numbered);
        if self
            .invoker
            .invoke_with_retries(&self.function, input)
            .await
            .is_err()
        {
            self.invoker.log.line(format!(
                "container `{}`: a batch of {} is passed over",
                self.trigger.container_name,
                batch.len()
            ));
        }
        let mut positions = self.positions.lock();
        let position = positions.entry(self.lease()).or_default();
        position.versions.extend(batch.iter().filter_map(version));
    }
}

impl Positions {
    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeMap<String, Position>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What a batch of documents is handed over as.
pub(super) fn input(documents: Vec<Value>) -> Input {
    Input {
        value: Bound::Text(Value::Array(documents).to_string()),
        metadata: Vec::new(),
    }
}

/// What a document is known by, and its version.
fn version(document: &Value) -> Option<(String, String)> {
    let text = |name: &str| document.get(name).and_then(Value::as_str).map(ToOwned::to_owned);
    Some((text("_rid")?, text("_etag")?))
}
