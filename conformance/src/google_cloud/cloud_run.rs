//! Cloud Run as it runs: what the control plane was asked for is started, called, scaled and ended as <https://cloud.google.com/run/docs/container-contract> says, and Google's
//! services send it events.
//!
//! [`CloudRun::start`] has a [`Control`] do that from now on. A revision is ready when its container listens; requests come by a service's own URL, through an [`Edge`]; messages and
//! documents go on to Google's own emulators, which are asked by Google's own host names. What is sent by whom is in `pushes`, `jobs` and `changes`.

mod changes;
mod front;
mod instance;
mod jobs;
mod pass;
mod pool;
mod program;
mod protobuf;
mod pushes;

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use chrono::{DateTime, Utc};
use http::{StatusCode, header};
use http_body_util::Full;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use nephos_core::{Error, ErrorKind, Result};

use self::changes::Changes;
use self::pool::Pool;
pub use self::protobuf::document_event_data;
use self::pushes::Pushes;
use super::control::Control;
use super::kinds::SERVICE;
use super::knobs::Unready;
use super::logging::Logs;
use super::state::{Shared, Start};
use super::{credentials, tokens};
use crate::edge::Edge;
use crate::server::{self, Server};

const OPERATION: &str = "cloud-run.start";

/// What runs with what.
#[derive(Debug, Default)]
pub struct Options {
    /// A program that every container runs, whatever its image: of a program that is large and the same for all, no image has to be made.
    pub binary: Option<PathBuf>,
    /// Variables that each container gets beside its own.
    pub environment: Vec<(String, String)>,
    /// Where Google's emulator of Pub/Sub answers; without one, there are no messages.
    pub pubsub: Option<String>,
    /// Where Google's emulator of Firestore answers; without one, there are no documents.
    pub firestore: Option<String>,
    /// How long what takes.
    pub pace: Pace,
}

/// How long Google waits for what; its own times, unless a test says otherwise.
#[derive(Debug, Clone)]
pub struct Pace {
    /// Until a container listens: <https://cloud.google.com/run/docs/configuring/healthchecks#tcp-startup-probe>.
    pub startup: Duration,
    /// For an instance, if all are busy: <https://cloud.google.com/run/docs/about-instance-autoscaling>.
    pub pending: Duration,
    /// Until an instance ends by itself that was told to: <https://cloud.google.com/run/docs/container-contract#instance-shutdown>.
    pub grace: Duration,
    /// Until an instance without requests is told to end.
    pub idle: Duration,
    /// Before an event of Eventarc is sent again, at least and at most: <https://cloud.google.com/eventarc/docs/retry-events>.
    pub backoff: (Duration, Duration),
}

impl Default for Pace {
    fn default() -> Self {
        Self {
            startup: Duration::from_secs(240),
            pending: Duration::from_secs(10),
            grace: Duration::from_secs(10),
            idle: Duration::from_secs(15 * 60),
            backoff: (Duration::from_secs(10), Duration::from_secs(600)),
        }
    }
}

/// The services of a control plane, running. They end when it is dropped.
#[derive(Debug)]
pub struct CloudRun {
    world: Arc<World>,
    // Kept, so that they go on to listen.
    _front: Server,
    _keys: Server,
    _pushes: Server,
}

/// What all requests share.
#[derive(Debug)]
pub(super) struct World {
    shared: Arc<Shared>,
    options: Options,
    pools: Mutex<BTreeMap<String, Arc<Pool>>>,
    log: Logs,
    client: Client<HttpConnector, Full<Bytes>>,
    pushes: Pushes,
    changes: Changes,
}

impl CloudRun {
    /// Has the services of a control plane run. They are reached by this proxy, and reach everything by it.
    ///
    /// # Errors
    /// [`ErrorKind::Unavailable`] if no port can be had, and [`ErrorKind::InvalidArgument`] if they run already.
    pub async fn start(control: &Control, edge: &Edge, mut options: Options) -> Result<Self> {
        let shared = control.shared();
        let reached = edge.environment().into_iter();
        options
            .environment
            .extend(reached.map(|(name, value)| (name.to_owned(), value)));
        let (pushes, server) = Pushes::start(options.pubsub.clone()).await?;
        let world = Arc::new(World {
            shared: Arc::clone(&shared),
            options,
            pools: Mutex::default(),
            log: control.logs(),
            client: Client::builder(TokioExecutor::new()).build_http(),
            pushes,
            changes: Changes::default(),
        });
        if !shared.set_world(&world) {
            let message = "the services of this control plane run already";
            return Err(Error::new(ErrorKind::InvalidArgument, OPERATION, message));
        }
        world.pushes.serve(&world);
        let notified = control.storage().subscribe();
        tokio::spawn(pushes::publish(Arc::downgrade(&world), notified));
        let known = Arc::clone(&world);
        let front = Server::start("Cloud Run", move |request| {
            let world = Arc::clone(&known);
            async move { world.front(request).await }
        })
        .await?;
        let known = control.key_set()?;
        let keys = Server::start("Google's keys", move |request| {
            let is_asked = request.uri().path() == "/oauth2/v3/certs";
            let keys = known.clone();
            async move {
                if is_asked {
                    server::json(StatusCode::OK, &keys)
                } else {
                    server::answer(StatusCode::NOT_FOUND, "")
                }
            }
        })
        .await?;
        edge.route("www.googleapis.com", &keys.url());
        for region in &shared.options.regions {
            edge.route(&format!("*.{region}.run.app"), &front.url());
        }
        for (host, is_there) in [
            ("pubsub.googleapis.com", world.options.pubsub.is_some()),
            ("firestore.googleapis.com", world.options.firestore.is_some()),
        ] {
            if is_there {
                edge.route(host, &control.url());
            }
        }
        Ok(Self {
            world,
            _front: front,
            _keys: keys,
            _pushes: server,
        })
    }

    /// Where a service is called over plain HTTP by whoever may call it (`http://127.0.0.1:4000`), by the service's full name.
    ///
    /// # Errors
    /// [`ErrorKind::Unavailable`] if no port can be had.
    pub async fn gateway(&self, service: &str) -> Result<Gateway> {
        let (world, service) = (Arc::clone(&self.world), service.to_owned());
        let server = Server::start("a service of Cloud Run", move |request| {
            let (world, service) = (Arc::clone(&world), service.clone());
            async move { world.called(&service, front::incoming(request)).await }
        })
        .await?;
        Ok(Gateway(server))
    }

    /// Runs a job of Cloud Scheduler (by its full name) as if it were due at this moment, with all its tries; gives the statuses that it was answered with, 0 for none.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] if there is no such job, [`ErrorKind::Conflict`] if it is paused.
    pub async fn fire(&self, job: &str, at: DateTime<Utc>) -> Result<Vec<u16>> {
        self.world.fire(job, at).await
    }

    /// Kills all instances of a service (by its full name) at once, as when machines go.
    pub async fn crash(&self, service: &str) {
        let pools = self.world.pools_of(service);
        futures::future::join_all(pools.iter().map(|pool| pool.kill())).await;
    }

    /// The processes of a service's instances, by their ids.
    #[must_use]
    pub fn processes(&self, service: &str) -> Vec<u32> {
        let pools = self.world.pools_of(service);
        pools.iter().flat_map(|pool| pool.processes()).collect()
    }

    /// Ends all instances without waiting for what is under way.
    pub async fn end(&self) {
        let pools: Vec<Arc<Pool>> = self.world.lock().values().cloned().collect();
        futures::future::join_all(pools.iter().map(|pool| pool.kill())).await;
    }
}

impl Drop for CloudRun {
    fn drop(&mut self) {
        for pool in self.world.lock().values() {
            pool.retire();
        }
        self.world.changes.stop();
    }
}

/// See [`CloudRun::gateway`]. It ends when dropped.
#[derive(Debug)]
pub struct Gateway(Server);

impl Gateway {
    /// Its address (`http://127.0.0.1:4000`).
    #[must_use]
    pub fn url(&self) -> String {
        self.0.url()
    }
}

impl World {
    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeMap<String, Arc<Pool>>> {
        self.pools.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn pools_of(&self, service: &str) -> Vec<Arc<Pool>> {
        let pools = self.lock();
        pools
            .values()
            .filter(|pool| pool.service == service)
            .cloned()
            .collect()
    }

    fn pool(&self, revision: &str) -> Option<Arc<Pool>> {
        self.lock().get(revision).cloned()
    }

    /// Brings about what the control plane has by now: topics and subscriptions at once; new revisions are begun with.
    pub(super) async fn follow(self: &Arc<Self>) {
        self.follow_services();
        self.pushes.follow(self).await;
    }

    fn follow_services(self: &Arc<Self>) {
        let (starting, serving) = {
            let state = self.shared.lock();
            // One that has come up serves once its operation has ended.
            let starting: Vec<(String, bool)> = state
                .starts
                .iter()
                .filter(|(name, start)| {
                    !matches!(start, Start::Failed(_)) && state.resources.contains_key(*name)
                })
                .map(|(name, start)| (name.clone(), *start == Start::Pending))
                .collect();
            let serving: BTreeSet<String> = state
                .resources
                .iter()
                .filter(|(_, resource)| resource.kind == &SERVICE)
                .flat_map(|(name, service)| {
                    let targets = front::targets(name, &service.body);
                    targets.into_iter().map(|(revision, _)| revision)
                })
                .collect();
            (starting, serving)
        };
        let mut pools = self.lock();
        let gone: Vec<String> = pools
            .keys()
            .filter(|name| !serving.contains(*name) && !starting.iter().any(|(other, _)| other == *name))
            .cloned()
            .collect();
        for name in gone {
            if let Some(pool) = pools.get(&name).filter(|pool| pool.is_tried()) {
                pool.retire();
                pools.remove(&name);
            }
        }
        let new: Vec<String> = starting
            .into_iter()
            .filter(|(name, is_pending)| *is_pending && !pools.contains_key(name))
            .map(|(name, _)| name)
            .collect();
        for name in new {
            match Pool::of(self, &name) {
                Ok(pool) => {
                    pools.insert(name.clone(), Arc::clone(&pool));
                    let world = Arc::clone(self);
                    tokio::spawn(async move {
                        let started = pool.first().await;
                        world.started(&name, started);
                    });
                }
                Err(why) => self.started(&name, Err(why)),
            }
        }
    }

    /// What became of a revision's first container.
    fn started(&self, revision: &str, outcome: std::result::Result<(), Unready>) {
        let start = match outcome {
            Ok(()) => Start::Ready,
            Err(why) => Start::Failed(why),
        };
        self.shared.lock().starts.insert(revision.to_owned(), start);
    }

    /// A request of one of Google's services to a URL, as an account of the project if it names one; the status.
    async fn post(
        self: &Arc<Self>,
        url: &str,
        mut request: http::Request<Full<Bytes>>,
        oidc: Option<(&str, &str)>,
    ) -> u16 {
        let Ok(uri) = url.parse::<http::Uri>() else {
            return 0;
        };
        let host = uri.host().unwrap_or_default().to_owned();
        let Some(service) = self.service_of(&host) else {
            // Only services of the project are called: nothing leaves the machine.
            return StatusCode::NOT_FOUND.as_u16();
        };
        *request.uri_mut() = uri;
        if let Some((email, audience)) = oidc {
            // An account that is gone has no token, and the service refuses the request.
            let account = credentials::account(&self.shared.lock(), &self.shared, email).ok();
            let token = account.and_then(|account| tokens::identity(&account, audience, true).ok());
            if let Some(value) = token.and_then(|token| format!("Bearer {token}").parse().ok()) {
                request.headers_mut().insert(header::AUTHORIZATION, value);
            }
        }
        if let Ok(value) = host.parse() {
            request.headers_mut().insert(header::HOST, value);
        }
        let answer = self
            .called(&service, request.map(http_body_util::Either::Right))
            .await;
        let status = answer.status().as_u16();
        // It is read, so that the container may end it.
        match http_body_util::BodyExt::collect(answer.into_body()).await {
            Ok(_) => status,
            Err(_) => 0,
        }
    }
}
