//! The host: it starts a package's process and listens for its triggers.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use nephos_core::{Error, ErrorKind, Result};
use tokio::sync::{Mutex, mpsc};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::cosmos::{self, CosmosAccount};
use super::event_hub::{self, EventHubs};
use super::gateway::{Gateway, Keys};
use super::invoke::Invoker;
use super::log::Log;
use super::package::{BindingKind, Function, Package};
use super::queue;
use super::service_bus::{self, ServiceBus};
use super::settings::Settings;
use super::storage::Account;
use super::worker::{Launch, Worker};
use super::{refused, timer};
use crate::server::Server;

/// The services that the app's connections may name.
#[derive(Debug, Clone, Default)]
pub struct Services {
    /// The storage account for connections by identity.
    pub storage: Option<Account>,
    /// The account of Cosmos DB.
    pub cosmos: Option<CosmosAccount>,
    /// The namespace of Event Hubs.
    pub event_hubs: Option<EventHubs>,
    /// The namespace of Service Bus.
    pub service_bus: Option<ServiceBus>,
}

/// What the host keeps in the app's storage account: it outlives the host. Clones are the same.
#[derive(Debug, Clone, Default)]
pub struct Kept {
    timers: timer::Statuses,
    pub(super) cosmos: cosmos::Positions,
    pub(super) event_hubs: event_hub::Checkpoints,
}

/// What Azure would tell a host, and what a test may have otherwise.
#[derive(Debug, Clone)]
pub struct Options {
    /// The app settings.
    pub settings: Settings,
    /// What the connections lead to.
    pub services: Services,
    /// The keys of the app.
    pub keys: Keys,
    /// The site's name.
    pub site: String,
    /// How often empty sources are asked. The real host waits up to `maxPollingInterval`.
    pub poll: Duration,
    /// How long a message is hidden while it is handled: ten minutes in the real host, so that a crash of the host itself costs as long.
    pub lease: Duration,
    /// How long the process may take to end after SIGTERM; none to kill it at once, as the real host does.
    pub grace: Option<Duration>,
    /// What an earlier host of the app left.
    pub kept: Kept,
}

impl Options {
    /// As in Azure, but for the pause between questions.
    #[must_use]
    pub fn new(settings: Settings, services: Services) -> Self {
        Self {
            settings,
            services,
            keys: Keys::default(),
            site: "site".to_owned(),
            poll: Duration::from_millis(50),
            lease: Duration::from_secs(600),
            grace: None,
            kept: Kept::default(),
        }
    }
}

/// A running host. It ends when dropped; [`stop`](Self::stop) ends it in order.
#[derive(Debug)]
pub struct Host {
    server: Server,
    invoker: Arc<Invoker>,
    log: Log,
    stop: CancellationToken,
    tasks: Mutex<JoinSet<()>>,
    timers: BTreeMap<String, mpsc::Sender<()>>,
    functions: Vec<Arc<Function>>,
    // The package's files, if they came in a zip.
    _package: Package,
}

impl Host {
    /// Starts a package, and waits until its process listens.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidArgument`] for what the real host refuses at its start; [`ErrorKind::Unavailable`] if the process does not come up.
    pub async fn start(package: &Path, options: Options) -> Result<Self> {
        let host = Self::launch(package, options).await?;
        host.ready()
            .await
            .map_err(|error| error.caused_by(host.log.lines().join("\n")))?;
        Ok(host)
    }

    /// Starts a package, whose process may never come up: as after a deployment, which does not wait for it.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidArgument`] for what the real host refuses at its start.
    pub async fn launch(package: &Path, options: Options) -> Result<Self> {
        let package = Package::read(package, &options.settings)?;
        let functions: Vec<Arc<Function>> = package.functions.iter().cloned().map(Arc::new).collect();
        let needs_storage = |function: &&Arc<Function>| {
            !matches!(
                function.trigger.kind,
                BindingKind::Http(_) | BindingKind::EventGrid
            )
        };
        if let Some(function) = functions.iter().find(needs_storage) {
            options.settings.connection("Storage").map_err(|_| {
                refused(format!(
                    "function `{}`: the host keeps its own records in a storage account, and there is no app setting `AzureWebJobsStorage`, nor one that begins with `AzureWebJobsStorage__`",
                    function.name
                ))
            })?;
        }
        let log = Log::default();
        let worker = Worker::start(launch(&package, &options), log.clone());
        let stop = CancellationToken::new();
        let invoker = Invoker::new(worker, log.clone(), package.host.function_timeout, stop.clone());
        let server = Gateway::new(
            &package,
            &functions,
            options.keys.clone(),
            Arc::clone(&options.kept.timers),
            Arc::clone(&invoker),
        )?
        .serve()
        .await?;
        let mut host = Self {
            server,
            invoker,
            log,
            stop,
            tasks: Mutex::default(),
            timers: BTreeMap::new(),
            functions,
            _package: package,
        };
        for function in host.functions.clone() {
            host.listen(&function, &options).await?;
        }
        Ok(host)
    }

    async fn listen(&mut self, function: &Arc<Function>, options: &Options) -> Result<()> {
        let place = |error: Error| refused(format!("function `{}`: {}", function.name, error.message()));
        let invoker = Arc::clone(&self.invoker);
        let stop = self.stop.child_token();
        let tasks = self.tasks.get_mut();
        match &function.trigger.kind {
            BindingKind::Http(_) | BindingKind::EventGrid => {}
            BindingKind::Queue(trigger) => {
                let listener = queue::Listener {
                    function: Arc::clone(function),
                    account: Account::of(&trigger.connection, options.services.storage.as_ref())
                        .map_err(place)?,
                    queue: trigger.queue_name.clone(),
                    options: self._package.host.queues.clone(),
                    poll: options.poll,
                    lease: options.lease,
                    invoker,
                };
                tasks.spawn(listener.run(stop));
            }
            BindingKind::Timer(trigger) => {
                let (fire, fired) = mpsc::channel(1);
                self.timers.insert(function.name.clone(), fire);
                let statuses = Arc::clone(&options.kept.timers);
                tasks.spawn(timer::run(
                    Arc::clone(function),
                    trigger.clone(),
                    invoker,
                    statuses,
                    fired,
                    stop,
                ));
            }
            BindingKind::Cosmos(trigger) => {
                let account = CosmosAccount::of(&trigger.connection, options.services.cosmos.as_ref())
                    .map_err(place)?;
                let listener = cosmos::Listener::start(
                    Arc::clone(function),
                    trigger.clone(),
                    account,
                    invoker,
                    options.kept.cosmos.clone(),
                    options.poll,
                )
                .await
                .map_err(place)?;
                tasks.spawn(listener.run(stop));
            }
            BindingKind::EventHub(trigger) => {
                let namespace = EventHubs::of(&trigger.connection, options.services.event_hubs.as_ref())
                    .map_err(place)?;
                let most = self._package.host.event_hubs.max_event_batch_size;
                let kept = Arc::clone(&options.kept.event_hubs);
                for listener in event_hub::listeners(function, trigger, &namespace, &invoker, &kept, most)
                    .map_err(place)?
                {
                    tasks.spawn(listener.run(stop.clone()));
                }
            }
            BindingKind::ServiceBus(trigger) => {
                let namespace = ServiceBus::of(&trigger.connection, options.services.service_bus.as_ref())
                    .map_err(place)?;
                let listener = service_bus::Listener::new(
                    Arc::clone(function),
                    trigger,
                    &namespace,
                    invoker,
                    &self._package.host.service_bus,
                )
                .map_err(place)?;
                tasks.spawn(listener.run(stop));
            }
        }
        Ok(())
    }

    /// Where HTTP requests go (`http://127.0.0.1:4000`).
    #[must_use]
    pub fn url(&self) -> String {
        self.server.url()
    }

    /// The address by which Event Grid calls a function, with its key.
    #[must_use]
    pub fn event_grid_webhook(&self, function: &str, key: &str) -> String {
        format!(
            "{}/runtime/webhooks/EventGrid?functionName={function}&code={key}",
            self.url()
        )
    }

    /// The functions, by name.
    pub fn functions(&self) -> impl Iterator<Item = &Function> {
        self.functions.iter().map(AsRef::as_ref)
    }

    /// Lets a timer fire now, beside its schedule.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] if there is no such timer.
    pub async fn fire_timer(&self, function: &str) -> Result<()> {
        let missing = || {
            Error::new(
                ErrorKind::NotFound,
                "azure-functions.fire",
                "there is no such timer",
            )
            .with("function", function)
        };
        let timer = self.timers.get(function).ok_or_else(missing)?;
        timer.send(()).await.map_err(|_| missing())
    }

    /// The process's id, while it runs.
    #[must_use]
    pub fn process(&self) -> Option<u32> {
        self.invoker.worker.pid()
    }

    /// Waits until the process listens, as after its exit.
    ///
    /// # Errors
    /// [`ErrorKind::Unavailable`] if it does not come up, or the host is stopped.
    pub async fn ready(&self) -> Result<()> {
        self.invoker.worker.port().await.map(drop).map_err(|failure| {
            Error::new(
                ErrorKind::Unavailable,
                "azure-functions.ready",
                "the custom handler does not come up",
            )
            .caused_by(failure)
        })
    }

    /// What the host and the process said so far.
    #[must_use]
    pub fn log(&self) -> Vec<String> {
        self.log.lines()
    }

    /// The first line of the log that has `text` in it, once there is one.
    pub async fn logged(&self, text: &str) -> String {
        self.log.find(text).await
    }

    /// Ends in order: no new invocation begins, those under way have `drain` to end, then the process is killed (after SIGTERM, if the options give it time).
    pub async fn stop(&self, drain: Duration) {
        self.stop.cancel();
        let mut tasks = self.tasks.lock().await;
        let ended = async {
            while tasks.join_next().await.is_some() {}
            self.invoker.idle().await;
        };
        if tokio::time::timeout(drain, ended).await.is_err() {
            tasks.abort_all();
        }
        self.invoker.worker.stop().await;
    }

    /// Kills the process and ends the host, as when the machine goes: nothing that is under way is settled.
    pub async fn kill(&self) {
        self.stop.cancel();
        self.tasks.lock().await.abort_all();
        self.invoker.worker.kill().await;
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        self.stop.cancel();
        self.invoker.worker.abandon();
    }
}

impl Kept {
    /// Makes a timer's record say that it should have fired while no host ran.
    pub fn miss_timer(&self, function: &str) {
        timer::miss(&self.timers, function);
    }
}

/// How the process is started: with the app settings, and what the platform adds.
fn launch(package: &Package, options: &Options) -> Launch {
    let root = &package.root;
    let mut environment: BTreeMap<String, String> = [
        ("HOME", root.display().to_string()),
        ("AzureWebJobsScriptRoot", root.display().to_string()),
        ("FUNCTIONS_WORKER_RUNTIME", "custom".to_owned()),
        ("FUNCTIONS_EXTENSION_VERSION", "~4".to_owned()),
        ("WEBSITE_SITE_NAME", options.site.clone()),
        ("WEBSITE_HOSTNAME", format!("{}.azurewebsites.net", options.site)),
        ("WEBSITE_INSTANCE_ID", uuid::Uuid::new_v4().simple().to_string()),
        ("WEBSITE_SKU", "FlexConsumption".to_owned()),
    ]
    .map(|(name, value)| (name.to_owned(), value))
    .into();
    environment.extend(
        options
            .settings
            .iter()
            .map(|(name, value)| (name.to_owned(), value.to_owned())),
    );
    let expanded = |argument: &String| {
        environment.iter().fold(argument.clone(), |text, (name, value)| {
            text.replace(&format!("%{name}%"), value)
        })
    };
    Launch {
        program: package.host.executable_in(root),
        arguments: package.host.arguments.iter().map(expanded).collect(),
        folder: package.host.folder_in(root),
        root: root.clone(),
        environment,
        grace: options.grace,
    }
}
