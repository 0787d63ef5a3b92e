//! Apps, engines and clients for the tests.

use std::collections::BTreeMap;
use std::future::Future;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use libtest_mimic::{Failed, Trial};
use nephos_core::app::{App, FunctionSpec, Isolation, QueueSpec, Resource, Retry, Trigger};
use nephos_local::deploy::activity::Activity;
use nephos_local::deploy::engine::{Engine, Options};
use tempfile::TempDir;
use tokio::sync::broadcast::Receiver;

use crate::function::OUT;

/// How long anything may take on a busy machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// A test that needs a runtime.
pub(crate) fn trial<F, Fut>(name: &str, run: F) -> Trial
where
    F: FnOnce() -> Fut + Send + 'static,
    Fut: Future<Output = Result<(), Failed>>,
{
    Trial::test(name, move || {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()?;
        runtime.block_on(run())
    })
}

pub(crate) struct Fixture {
    pub(crate) folder: TempDir,
    pub(crate) app: App,
}

impl Fixture {
    pub(crate) fn new() -> Self {
        Self {
            folder: tempfile::tempdir().unwrap(),
            app: App {
                name: "test".to_owned(),
                resources: BTreeMap::new(),
                functions: BTreeMap::new(),
                targets: BTreeMap::new(),
            },
        }
    }

    pub(crate) fn resource(mut self, name: &str, resource: Resource) -> Self {
        self.app.resources.insert(name.to_owned(), resource);
        self
    }

    pub(crate) fn queue(self, name: &str) -> Self {
        self.resource(name, Resource::Queue(QueueSpec::default()))
    }

    pub(crate) fn function(
        mut self,
        name: &str,
        on: Trigger,
        change: impl FnOnce(&mut FunctionSpec),
    ) -> Self {
        let out = self.out().to_str().unwrap().to_owned();
        let mut spec = FunctionSpec {
            memory: 128 << 20,
            ephemeral_storage: None,
            timeout: Duration::from_secs(10),
            on: vec![on],
            uses: BTreeMap::new(),
            env: BTreeMap::from([(OUT.to_owned(), out)]),
            retry: Retry {
                attempts: 3,
                backoff: Duration::from_millis(20),
                max_backoff: Duration::from_millis(100),
            },
            dead_letter: format!("{name}-dead-letter"),
            concurrency: 8,
            max_instances: 2,
            isolation: Isolation::Process,
        };
        change(&mut spec);
        let implicit = QueueSpec {
            implicit: true,
            ..QueueSpec::default()
        };
        self.app
            .resources
            .insert(spec.dead_letter.clone(), Resource::Queue(implicit));
        self.app.functions.insert(name.to_owned(), spec);
        self
    }

    pub(crate) fn http(self, name: &str, method: Option<&str>, path: &str) -> Self {
        self.function(name, http(method, path), |_| {})
    }

    pub(crate) fn out(&self) -> PathBuf {
        self.folder.path().join("out")
    }

    /// What the functions noted.
    pub(crate) fn lines(&self) -> Vec<String> {
        let text = std::fs::read_to_string(self.out()).unwrap_or_default();
        text.lines().map(str::to_owned).collect()
    }

    pub(crate) fn state(&self) -> PathBuf {
        self.folder.path().join("state")
    }

    pub(crate) fn options(&self) -> Options {
        Options::new(self.state(), std::env::current_exe().unwrap())
    }

    pub(crate) async fn start(&self) -> Engine {
        Engine::start(self.app.clone(), self.options()).await.unwrap()
    }
}

pub(crate) fn http(method: Option<&str>, path: &str) -> Trigger {
    Trigger::Http {
        method: method.map(str::to_owned),
        path: path.to_owned(),
    }
}

/// Sends `text` over TCP and returns all that comes back.
pub(crate) async fn exchange(address: SocketAddr, text: impl Into<Vec<u8>>) -> String {
    let bytes = text.into();
    tokio::task::spawn_blocking(move || {
        let mut stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.write_all(&bytes).unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).unwrap();
        String::from_utf8_lossy(&answer).into_owned()
    })
    .await
    .unwrap()
}

/// A request without a body; returns status line, headers and body.
pub(crate) async fn ask(engine: &Engine, method: &str, path: &str) -> String {
    let text =
        format!("{method} {path} HTTP/1.1\r\nhost: test\r\nnephos-attempt: 77\r\nconnection: close\r\n\r\n");
    exchange(engine.addresses().gateway, text).await
}

/// Waits for an activity that `wanted` picks.
pub(crate) async fn hear<T>(
    listener: &mut Receiver<Activity>,
    mut wanted: impl FnMut(&Activity) -> Option<T>,
) -> Result<T, Failed> {
    let listen = async {
        loop {
            match listener.recv().await {
                Ok(activity) => {
                    if let Some(found) = wanted(&activity) {
                        return Ok(found);
                    }
                }
                Err(tokio::sync::broadcast::error::RecvError::Lagged(_)) => {}
                Err(error) => return Err(Failed::from(error)),
            }
        }
    };
    tokio::time::timeout(PATIENCE, listen)
        .await
        .map_err(|_| Failed::from("the activity was not heard"))?
}

/// Looks until `done`.
pub(crate) async fn until(what: &str, mut done: impl FnMut() -> bool) -> Result<(), Failed> {
    let begun = Instant::now();
    while !done() {
        if begun.elapsed() > PATIENCE {
            return Err(format!("waited in vain: {what}").into());
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    Ok(())
}
