//! The embedded host as a whole: start, addresses, activity, invoke, stop.

mod control;
mod feeds;
mod holdings;
mod offline;
mod options;
mod outside;
mod state;
mod sweep;

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use nephos_core::app::{App, Trigger};
use nephos_core::resource::Resources;
use nephos_core::route::{Routes, parse_method};
use nephos_core::wiring::Wiring;
use nephos_core::{Error, ErrorKind, Event, Outcome, Result, env};
use tokio::net::TcpListener;
use tokio::sync::broadcast;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::activity::{Activities, Activity};
use super::api::{self, Tokens};
use super::bucket::S3Server;
use super::gateway::{self, Destination, Gateway};
use super::pool::{Fleet, Pool};
use super::process::Image;
use super::pump::source;
use super::secrets::SecretStore;
use super::smtp;
use super::store::Store;
use crate::wire::{ENV_API, ENV_PARENT, ENV_TOKEN};

pub use self::offline::Offline;
pub use self::options::{Addresses, Exposure, Feeding, Options};
pub use self::state::EngineFile;

use self::control::Controller;
use self::feeds::Feeds;
use self::holdings::Holdings;
use self::options::{check_exposure, listen, local_addr, wants_smtp};
use self::state::{RunFolder, StateFolder};

/// How often it is looked whether everything has settled.
const SETTLED_CHECK: Duration = Duration::from_millis(20);

/// A running engine. Cheap to clone; [`stop`](Self::stop) ends it for all clones.
#[derive(Debug, Clone)]
pub struct Engine {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    addresses: Addresses,
    activities: Activities,
    fleet: Arc<Fleet>,
    router: Arc<source::Router>,
    feeds: Feeds,
    holdings: Holdings,
    intake: CancellationToken,
    api: CancellationToken,
    running: Mutex<Option<Parts>>,
}

/// What is taken apart when the engine stops.
#[derive(Debug)]
struct Parts {
    intake: Vec<JoinHandle<()>>,
    api: JoinHandle<()>,
    s3: Option<S3Server>,
    run: RunFolder,
    state: StateFolder,
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.intake.cancel();
        self.api.cancel();
    }
}

impl Engine {
    /// Starts the host of `app`.
    ///
    /// # Errors
    /// [`ErrorKind::Conflict`] if another engine runs on the same state folder, [`ErrorKind::AlreadyExists`] if a port is taken,
    /// [`ErrorKind::InvalidArgument`] for an address beyond this machine without [`Exposure::Network`], or for a route or schedule that cannot be
    /// used, [`ErrorKind::PermissionDenied`] or [`ErrorKind::ResourceExhausted`] if the state folder cannot be written,
    /// [`ErrorKind::DataLoss`] if its store is damaged.
    pub async fn start(app: App, options: Options) -> Result<Self> {
        check_exposure(&options)?;
        let state = StateFolder::lock(&options.state)?;
        let gateway = listen("gateway", "--port", options.gateway).await?;
        let api_listener = listen("resource API", "--api-port", options.api).await?;
        let smtp_listener = match wants_smtp(&app, &options) {
            Some(address) => Some(listen("SMTP", "--smtp-port", address).await?),
            None => None,
        };
        let run = RunFolder::make(&state)?;
        let store = Store::open_with(&state.store(), Arc::clone(&options.clock)).await?;
        // Whoever held a lease was a process of the engine that ran before, and is gone.
        store.release_leases().await?;
        let (s3, app) = holdings::start_s3(app, &options, &state).await?;
        let app = Arc::new(app);
        let mut addresses = Addresses {
            gateway: local_addr(&gateway)?,
            api: local_addr(&api_listener)?,
            smtp: None,
            s3: s3.as_ref().map(|(server, _)| server.address()),
            token: new_token(),
        };
        if let Some(listener) = &smtp_listener {
            addresses.smtp = Some(local_addr(listener)?);
        }
        let secrets = SecretStore::from_process(options.secrets.as_deref(), &app)?;
        let base = format!("http://{}", addresses.api);
        let holdings = Holdings::open(
            &app,
            &store,
            &secrets,
            &state,
            Some((&base, s3.as_ref())),
            Arc::clone(&options.external),
        )?;
        let activities = Activities::default();
        let mut tokens = Tokens::new(addresses.token.as_str());
        let mut pools = BTreeMap::new();
        for (name, spec) in &app.functions {
            let token = new_token();
            tokens = tokens.function(&app, name, token.as_str());
            let image = Image {
                function: name.as_str().into(),
                binary: options.binary.clone(),
                environment: environment(&app, name, &base, &token)?,
                folder: run.path().to_owned(),
            };
            let pool = Pool::new(
                Arc::new(spec.clone()),
                image,
                options.idle_timeout,
                activities.clone(),
            );
            pools.insert(name.clone(), pool);
        }
        let fleet = Arc::new(Fleet::new(pools));
        let router = Arc::new(source::Router::new(Arc::clone(&app), store.clone()));
        let http = Gateway::new(routes(&app, &fleet)?, Arc::clone(&fleet))?;
        let intake_stop = CancellationToken::new();
        let api_stop = CancellationToken::new();
        let (feeds, mut intake) = match options.feeding {
            Feeding::CallsOnly => (Feeds::none(&store), Vec::new()),
            Feeding::Triggers => {
                feeds::start(
                    &app,
                    &store,
                    &holdings,
                    &fleet,
                    &router,
                    &activities,
                    &options.clock,
                    &intake_stop,
                )
                .await?
            }
        };
        let controller = Controller::new(&app, &addresses, &fleet, &router, &activities, &api_stop);
        let api = serve_api(api_listener, &holdings, tokens, controller, api_stop.clone());
        intake.push(tokio::spawn(http.serve(gateway, intake_stop.clone())));
        if let Some(listener) = smtp_listener {
            intake.push(tokio::spawn(smtp::serve(
                listener,
                Arc::clone(&app),
                Arc::clone(&router),
                intake_stop.clone(),
            )));
        }
        intake.push(tokio::spawn(sweep::run(
            Arc::clone(&app),
            store,
            activities.clone(),
            intake_stop.clone(),
        )));
        state.tell(&addresses)?;
        let parts = Parts {
            intake,
            api,
            s3: s3.map(|(server, _)| server),
            run,
            state,
        };
        Ok(Self {
            inner: Arc::new(Inner {
                addresses,
                activities,
                fleet,
                router,
                feeds,
                holdings,
                intake: intake_stop,
                api: api_stop,
                running: Mutex::new(Some(parts)),
            }),
        })
    }

    /// Where it is reached.
    #[must_use]
    pub fn addresses(&self) -> &Addresses {
        &self.inner.addresses
    }

    /// What happens from now on.
    #[must_use]
    pub fn activity(&self) -> broadcast::Receiver<Activity> {
        self.inner.activities.listen()
    }

    /// The app's resources, with every access.
    #[must_use]
    pub fn resources(&self) -> &Resources {
        self.inner.holdings.resources()
    }

    /// Calls a function with `event`, directly, without retries. A handler's failure is an outcome.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] if the app has no such function; what kept the event from being handled.
    pub async fn invoke(&self, function: &str, event: Event) -> Result<Outcome> {
        self.inner.fleet.call(function, event).await
    }

    /// Gives `event` to every trigger that it fits, durably, as if it had happened; returns how many those were.
    ///
    /// # Errors
    /// [`ErrorKind::Unsupported`] for an HTTP request, which is sent to the gateway; the store's.
    pub async fn emit(&self, event: Event) -> Result<usize> {
        self.inner.router.emit(event).await
    }

    /// Starts processes from another binary from now on; those that run finish what they are at, and end.
    pub fn replace_binary(&self, path: &Path) {
        self.inner.fleet.replace_binary(path);
    }

    /// Waits until nothing is queued for a trigger, leased or in flight; `false` if that takes longer than `within`.
    pub async fn settled(&self, within: Duration) -> bool {
        let look = async {
            // Twice in a row: what one look misses because it was on its way from one place to another, the next one sees.
            let mut quiet = 0;
            while quiet < 2 {
                let idle = self.inner.fleet.pools().all(|(_, pool)| pool.in_flight() == 0);
                quiet = if idle && self.inner.feeds.are_empty().await {
                    quiet + 1
                } else {
                    0
                };
                tokio::time::sleep(SETTLED_CHECK).await;
            }
        };
        tokio::time::timeout(within, look).await.is_ok()
    }

    /// Stops: takes nothing more, finishes what is in flight, ends all processes, and closes the store. What was not handled is kept.
    pub async fn stop(&self) {
        let parts = self
            .inner
            .running
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        let Some(parts) = parts else { return };
        self.inner.intake.cancel();
        for task in parts.intake {
            joined(task).await;
        }
        self.inner.feeds.stop().await;
        self.inner.fleet.stop().await;
        self.inner.api.cancel();
        joined(parts.api).await;
        if let Some(s3) = parts.s3 {
            s3.stop().await;
        }
        self.inner.holdings.close().await;
        parts.run.remove();
        parts.state.release();
    }
}

async fn joined(task: JoinHandle<()>) {
    if let Err(error) = task.await {
        tracing::error!(%error, "a part of the host ended badly");
    }
}

fn serve_api(
    listener: TcpListener,
    holdings: &Holdings,
    tokens: Tokens,
    controller: Controller,
    stop: CancellationToken,
) -> JoinHandle<()> {
    let tokens = Arc::new(tokens);
    let buckets = holdings.bucket_routes(&tokens);
    let router = api::router(holdings.registry().clone(), tokens, Arc::new(controller), buckets);
    tokio::spawn(async move {
        if let Err(error) = api::serve(listener, router, stop).await {
            tracing::error!(error = %error.chain(), "the resource API ended");
        }
    })
}

/// 244 random bits.
fn new_token() -> String {
    format!("{}{}", Uuid::new_v4().simple(), Uuid::new_v4().simple())
}

/// The variable that tells a function's runtime how many threads to handle events with.
const WORKER_THREADS: &str = "TOKIO_WORKER_THREADS";

fn environment(app: &App, function: &str, base: &str, token: &str) -> Result<Vec<(OsString, OsString)>> {
    // Of all that deployment knows, this host's function side asks for the bindings alone.
    let wiring = Wiring {
        bindings: app.wiring(function).unwrap_or_default().bindings,
        ..Wiring::default()
    };
    let wiring = serde_json::to_string(&wiring).map_err(|error| {
        Error::new(
            ErrorKind::Internal,
            "engine.start",
            "a function's resources cannot be written as JSON",
        )
        .with("function", function)
        .caused_by(error)
    })?;
    let spec = app.functions.get(function);
    let own = spec.map(|spec| spec.env.clone()).unwrap_or_default();
    // The author's own number, if there is one, comes after it and counts.
    let threads = spec.map(|spec| (WORKER_THREADS.to_owned(), processors(spec.memory).to_string()));
    let host = [
        (env::FUNCTION, function.to_owned()),
        (env::APP, app.name.clone()),
        (env::TARGET, "local".to_owned()),
        (env::WIRING, wiring),
        (ENV_API, base.to_owned()),
        (ENV_TOKEN, token.to_owned()),
        (ENV_PARENT, std::process::id().to_string()),
    ];
    let host = host.into_iter().map(|(name, value)| (name.to_owned(), value));
    // The host's come last: a function cannot be told by the manifest to be another one.
    Ok(threads
        .into_iter()
        .chain(own)
        .chain(host)
        .map(|(name, value)| (name.into(), value.into()))
        .collect())
}

/// How many processors a function has where its memory buys them, rounded up: as on AWS Lambda, one for 1,769 MiB
/// (<https://docs.aws.amazon.com/lambda/latest/dg/configuration-memory.html>), but no more than are here.
fn processors(memory: u64) -> u64 {
    const PER_PROCESSOR: u64 = 1769 << 20;
    let here = std::thread::available_parallelism().map_or(1, |here| here.get() as u64);
    memory.div_ceil(PER_PROCESSOR).clamp(1, here)
}

fn routes(app: &App, fleet: &Fleet) -> Result<Routes<Destination>> {
    let mut routes = Routes::default();
    let mut auth = BTreeMap::new();
    let mut voice = BTreeMap::new();
    for (name, spec) in &app.functions {
        for trigger in &spec.on {
            match trigger {
                Trigger::Http { method, path } => {
                    let method = method.as_deref().map(|method| parse_method(method, name));
                    routes.add(
                        method.transpose()?,
                        path,
                        name,
                        Destination::Function(Arc::clone(fleet.pool(name)?)),
                    )?;
                }
                Trigger::Auth { stage } => {
                    auth.entry(stage.clone())
                        .or_insert_with(|| Arc::from(name.as_str()));
                }
                Trigger::Voice { skill } => {
                    voice
                        .entry(skill.clone())
                        .or_insert_with(|| Arc::from(name.as_str()));
                }
                _ => {}
            }
        }
    }
    gateway::add_steps(&mut routes, auth, voice)?;
    Ok(routes)
}

#[cfg(test)]
mod tests {
    use super::processors;

    #[test]
    fn memory_buys_processors_as_it_does_in_a_cloud_and_there_is_always_one() {
        let here = std::thread::available_parallelism().unwrap().get() as u64;
        assert_eq!([0, 256 << 20, 1769 << 20].map(processors), [1, 1, 1]);
        assert_eq!(processors(1770 << 20), 2.min(here));
        assert_eq!(processors(u64::MAX), here);
    }
}
