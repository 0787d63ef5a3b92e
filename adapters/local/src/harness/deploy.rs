//! A deployed app is an engine in a process of its own, so that it can be killed: the program that runs the suite, started once more, is that process.

use std::path::{Path, PathBuf};
use std::process::{ExitCode, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use nephos_conformance::Deployment;
use nephos_core::app::{App, Resource};
use nephos_core::resource::{Binding, Resources};
use nephos_core::{Error, ErrorKind, Result};
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};

use crate::deploy::engine::{Addresses, Engine, Options};
use crate::resources::LocalDrivers;
use crate::resources::client::Client;

/// Names the file that tells the process what to run.
const ORDER: &str = "NEPHOS_CONFORMANCE_HOST";
/// How long an engine may take to stop in order.
const STOP: Duration = Duration::from_secs(3);

/// How long one may take that has to finish what is in flight.
const DRAIN: Duration = Duration::from_secs(15);

/// What the process runs.
#[derive(Debug, Serialize, Deserialize)]
struct Order {
    app: App,
    state: PathBuf,
    binary: PathBuf,
}

/// Runs an engine if this process was started to be one, until its standard input ends; `None` if it was not. To be called first in the
/// program that runs the suite.
#[must_use]
pub fn host() -> Option<ExitCode> {
    let order = PathBuf::from(std::env::var_os(ORDER)?);
    Some(match run(&order) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            println!("error: {}", error.chain());
            ExitCode::FAILURE
        }
    })
}

fn broken(message: &'static str) -> Error {
    Error::new(ErrorKind::Internal, "harness.engine", message)
}

fn run(order: &Path) -> Result<()> {
    let unreadable = |error: std::io::Error| broken("the order cannot be read").caused_by(error);
    let text = std::fs::read(order).map_err(unreadable)?;
    let order: Order = serde_json::from_slice(&text).map_err(|error| unreadable(error.into()))?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| broken("the runtime cannot start").caused_by(error))?;
    runtime.block_on(async {
        let engine = Engine::start(order.app, Options::new(order.state, order.binary)).await?;
        let addresses = serde_json::to_string(engine.addresses())
            .map_err(|error| broken("the addresses cannot be written").caused_by(error))?;
        println!("{addresses}");
        // Ends when the program that runs the suite does, or wants this one to.
        let ended =
            tokio::task::spawn_blocking(|| std::io::copy(&mut std::io::stdin(), &mut std::io::sink()));
        if let Err(error) = ended.await {
            tracing::debug!(%error, "the standard input was not read to its end");
        }
        engine.stop().await;
        Ok(())
    })
}

/// A deployed app and the process of its engine.
#[derive(Debug)]
pub(super) struct LocalDeployment {
    app: App,
    order: PathBuf,
    running: Mutex<Option<Running>>,
    stopping: tokio::sync::Mutex<()>,
}

#[derive(Debug)]
struct Running {
    child: Child,
    addresses: Addresses,
    resources: Arc<Resources>,
}

impl Running {
    /// Stops it in order; if that takes longer than `within`, kills it and is `false`.
    async fn stop(mut self, within: Duration) -> Result<bool> {
        drop(self.child.stdin.take());
        if tokio::time::timeout(within, self.child.wait()).await.is_ok() {
            return Ok(true);
        }
        self.child
            .kill()
            .await
            .map_err(|error| broken("the engine cannot be killed").caused_by(error))?;
        Ok(false)
    }
}

impl LocalDeployment {
    pub(super) async fn start(app: App, binary: &Path, folder: PathBuf) -> Result<Self> {
        let order = Order {
            app: app.clone(),
            state: folder.join("state"),
            binary: binary.to_owned(),
        };
        let text = serde_json::to_vec(&order)
            .map_err(|error| broken("the order cannot be written").caused_by(error))?;
        let path = folder.join("order.json");
        std::fs::write(&path, text)
            .map_err(|error| broken("the order cannot be written").caused_by(error))?;
        let running = spawn(&app, &path).await?;
        Ok(Self {
            app,
            order: path,
            running: Mutex::new(Some(running)),
            stopping: tokio::sync::Mutex::default(),
        })
    }

    fn take(&self) -> Option<Running> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

async fn spawn(app: &App, order: &Path) -> Result<Running> {
    let failed = |error: std::io::Error| broken("the engine's process cannot be started").caused_by(error);
    let program = std::env::current_exe().map_err(failed)?;
    let mut child = Command::new(program)
        .env(ORDER, order)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .map_err(failed)?;
    let stdout = child
        .stdout
        .take()
        .ok_or_else(|| broken("the engine's process has no output"))?;
    let mut line = String::new();
    BufReader::new(stdout)
        .read_line(&mut line)
        .await
        .map_err(failed)?;
    let addresses: Addresses = serde_json::from_str(&line).map_err(|error| {
        broken("the engine did not start")
            .with("said", line.trim())
            .caused_by(error)
    })?;
    let client = Client::new(&format!("http://{}", addresses.api), &addresses.token)?;
    let resources = Arc::new(Resources::new(Arc::new(LocalDrivers::new(client)), bindings(app)));
    Ok(Running {
        child,
        addresses,
        resources,
    })
}

/// Every resource, with every access.
fn bindings(app: &App) -> Vec<Binding> {
    let mut everything = app.clone();
    let uses = |(name, resource): (&String, &Resource)| {
        (name.clone(), resource.kind().access().iter().copied().collect())
    };
    let Some((name, function)) = everything.functions.iter_mut().next() else {
        return Vec::new();
    };
    function.uses = app.resources.iter().map(uses).collect();
    let name = name.clone();
    everything.bindings(&name)
}

#[async_trait]
impl Deployment for LocalDeployment {
    fn resources(&self) -> Arc<Resources> {
        let running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        running.as_ref().map_or_else(
            || Arc::new(Resources::none()),
            |running| Arc::clone(&running.resources),
        )
    }

    fn gateway(&self) -> Option<String> {
        let running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        running
            .as_ref()
            .map(|running| format!("http://{}", running.addresses.gateway))
    }

    async fn crash_and_restart(&self) -> Result<()> {
        let _one_at_a_time = self.stopping.lock().await;
        let mut running = self.take().ok_or_else(|| broken("the app is not running"))?;
        // SIGKILL: the engine has no say in it.
        running
            .child
            .kill()
            .await
            .map_err(|error| broken("the engine cannot be killed").caused_by(error))?;
        let again = spawn(&self.app, &self.order).await?;
        *self.running.lock().unwrap_or_else(PoisonError::into_inner) = Some(again);
        Ok(())
    }

    async fn stop_and_restart(&self) -> Result<()> {
        let _one_at_a_time = self.stopping.lock().await;
        let running = self.take().ok_or_else(|| broken("the app is not running"))?;
        if !running.stop(DRAIN).await? {
            return Err(broken("the engine did not stop in time").with("within_s", DRAIN.as_secs()));
        }
        let again = spawn(&self.app, &self.order).await?;
        *self.running.lock().unwrap_or_else(PoisonError::into_inner) = Some(again);
        Ok(())
    }

    async fn remove(&self) -> Result<()> {
        let _one_at_a_time = self.stopping.lock().await;
        if let Some(running) = self.take() {
            running.stop(STOP).await?;
        }
        Ok(())
    }
}
