//! The instances of one revision: as many as its requests need, and never more than it may have.

use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::sync::watch;
use tokio::time::Instant;

use super::instance::{Failure, Instance, Life};
use super::program::Program;
use super::{Pace, World};
use crate::google_cloud::kinds::REVISION;
use crate::google_cloud::knobs::Unready;
use crate::google_cloud::logging::{Logs, Origin, Stream};
use crate::google_cloud::metadata::Metadata;
use crate::google_cloud::state::Shared;

/// A revision.
#[derive(Debug)]
pub(super) struct Pool {
    /// The full name of its service.
    pub(super) service: String,
    /// Without its instance.
    pub(super) origin: Origin,
    pub(super) program: Program,
    pub(super) folder: TempDir,
    /// In bytes.
    pub(super) memory: u64,
    pub(super) timeout: Duration,
    pub(super) pace: Pace,
    pub(super) log: Logs,
    shared: Arc<Shared>,
    account: String,
    metadata: OnceLock<Metadata>,
    concurrency: usize,
    most: usize,
    state: Mutex<State>,
    version: watch::Sender<u64>,
}

#[derive(Debug, Default)]
struct State {
    instances: Vec<(Arc<Instance>, Load)>,
    waiting: usize,
    /// How many instances never came up.
    failures: u64,
    is_tried: bool,
    is_retired: bool,
}

#[derive(Debug, Clone, Copy)]
struct Load {
    active: usize,
    last: Instant,
}

/// An instance, for one request.
#[derive(Debug)]
pub(super) struct Lease {
    pub(super) instance: Arc<Instance>,
    pool: Arc<Pool>,
}

/// Why there is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Busy {
    /// All are busy, and there may be no more.
    Full,
    /// It does not start.
    Failed,
}

impl Drop for Lease {
    fn drop(&mut self) {
        let mut state = self.pool.lock();
        let is_retired = state.is_retired;
        for (instance, load) in &mut state.instances {
            if Arc::ptr_eq(instance, &self.instance) {
                load.active = load.active.saturating_sub(1);
                load.last = Instant::now();
                if is_retired && load.active == 0 {
                    instance.stop();
                }
            }
        }
        drop(state);
        self.pool.changed();
    }
}

impl Pool {
    /// Of a revision (by its full name) that the control plane has.
    pub(super) fn of(world: &World, revision: &str) -> Result<Arc<Self>, Unready> {
        let failed = |message: String| Unready {
            reason: "CONTAINER_MISSING".to_owned(),
            message,
        };
        let body = world
            .shared
            .lock()
            .get(&REVISION, revision)
            .map(|found| found.body.clone())
            .map_err(|_| failed("The revision is gone.".to_owned()))?;
        let containers = body["containers"].as_array().map_or(&[][..], Vec::as_slice);
        let container = containers
            .iter()
            .find(|container| {
                container["ports"]
                    .as_array()
                    .is_some_and(|ports| !ports.is_empty())
            })
            .or(containers.first())
            .ok_or_else(|| failed("The revision has no container.".to_owned()))?;
        let part = |nth: usize| revision.split('/').nth(nth).unwrap_or_default().to_owned();
        let number = |value: &Value, default: u64| {
            usize::try_from(value.as_u64().unwrap_or(default).max(1)).unwrap_or(usize::MAX)
        };
        let labels = body["labels"].as_object().into_iter().flatten();
        let labels = labels.filter_map(|(name, value)| Some((name.clone(), value.as_str()?.to_owned())));
        let limit = container["resources"]["limits"]["memory"]
            .as_str()
            .unwrap_or("512Mi");
        let folder = tempfile::tempdir().map_err(|error| failed(error.to_string()))?;
        Ok(Arc::new(Self {
            service: revision
                .split("/revisions/")
                .next()
                .unwrap_or_default()
                .to_owned(),
            origin: Origin {
                region: part(3),
                service: part(5),
                revision: part(7),
                labels: labels.collect(),
                ..Origin::default()
            },
            program: Program::of(world, revision, container, folder.path())?,
            folder,
            memory: quantity(limit).ok_or_else(|| failed(format!("{limit} is no amount of memory.")))?,
            timeout: seconds(&body["timeout"]).unwrap_or(Duration::from_secs(300)),
            pace: world.options.pace.clone(),
            log: world.log.clone(),
            shared: Arc::clone(&world.shared),
            account: body["serviceAccount"].as_str().unwrap_or_default().to_owned(),
            metadata: OnceLock::new(),
            concurrency: number(&body["maxInstanceRequestConcurrency"], 80),
            most: number(&body["scaling"]["maxInstanceCount"], 100),
            state: Mutex::default(),
            version: watch::Sender::new(0),
        }))
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Who an instance is, in the log.
    pub(super) fn origin(&self, instance: &str) -> Origin {
        Origin {
            instance: instance.to_owned(),
            ..self.origin.clone()
        }
    }

    /// Logs what Cloud Run has to say of an instance.
    pub(super) fn system(&self, instance: &str, severity: &str, text: &str) {
        let line = json!({"severity": severity, "message": text}).to_string();
        // It is short.
        let _ = self.log.line(&self.origin(instance), Stream::System, &line);
    }

    /// Those who wait look again.
    pub(super) fn changed(&self) {
        self.version.send_modify(|version| *version += 1);
    }

    /// Where its containers ask who they are.
    pub(super) fn metadata(&self) -> String {
        self.metadata.get().map_or_else(String::new, Metadata::host)
    }

    /// Whether its first instance has come up, or never will.
    pub(super) fn is_tried(&self) -> bool {
        self.lock().is_tried
    }

    /// Starts the first instance, and waits until it listens.
    pub(super) async fn first(self: &Arc<Self>) -> Result<(), Unready> {
        let started = self.try_first().await;
        self.lock().is_tried = true;
        started
    }

    async fn try_first(self: &Arc<Self>) -> Result<(), Unready> {
        let unready = |message: String| Unready {
            reason: "HEALTH_CHECK_CONTAINER_ERROR".to_owned(),
            message,
        };
        let shared = Arc::clone(&self.shared);
        let metadata = Metadata::start(shared, &self.account, &self.origin.region)
            .await
            .map_err(|error| unready(error.to_string()))?;
        // Nobody else sets it.
        let _ = self.metadata.set(metadata);
        let instance = self.add(&mut self.lock());
        let mut life = instance.life.subscribe();
        let life = life.wait_for(|life| *life != Life::Starting).await;
        let failure = match life.as_deref() {
            Ok(Life::Failed(failure)) => failure,
            Ok(Life::Ready) => return Ok(()),
            _ => &Failure::Silent,
        };
        let silent = "The user-provided container failed to start and listen on the port defined provided by the PORT environment variable within the allocated timeout. This can happen when the container port is misconfigured or if the timeout is too short. The health check timeout can be extended. Logs for this revision might contain more information.";
        Err(unready(match failure {
            Failure::Silent => silent.to_owned(),
            Failure::Exited(told) => format!("{silent} {told}"),
            Failure::Unstartable(told) => {
                format!("Application failed to start: the container's program cannot be run: {told}")
            }
        }))
    }

    fn add(self: &Arc<Self>, state: &mut State) -> Arc<Instance> {
        let instance = Instance::start(self);
        let load = Load {
            active: 0,
            last: Instant::now(),
        };
        state.instances.push((Arc::clone(&instance), load));
        instance
    }

    /// An instance with room for a request, once there is one.
    pub(super) async fn lease(self: &Arc<Self>) -> Result<Lease, Busy> {
        let mut version = self.version.subscribe();
        let deadline = Instant::now() + self.pace.pending;
        let waiting = Waiting::new(self);
        loop {
            version.borrow_and_update();
            match self.take(waiting.failures) {
                Ok(Some(lease)) => return Ok(lease),
                Ok(None) => {}
                Err(busy) => return Err(busy),
            }
            match tokio::time::timeout_at(deadline, version.changed()).await {
                Ok(Ok(())) => {}
                _ => return Err(Busy::Full),
            }
        }
    }

    /// The instance with the fewest requests, if it has room; else another is started, where there may be one more.
    fn take(self: &Arc<Self>, failures: u64) -> Result<Option<Lease>, Busy> {
        let mut state = self.lock();
        let free = state
            .instances
            .iter_mut()
            .filter(|(instance, load)| instance.is_ready() && load.active < self.concurrency)
            .min_by_key(|(_, load)| load.active);
        if let Some((instance, load)) = free {
            load.active += 1;
            let instance = Arc::clone(instance);
            let pool = Arc::clone(self);
            return Ok(Some(Lease { instance, pool }));
        }
        let starting = state
            .instances
            .iter()
            .filter(|(instance, _)| *instance.life.borrow() == Life::Starting)
            .count();
        if starting == 0 && state.failures > failures {
            return Err(Busy::Failed);
        }
        let living = state.instances.len();
        if !state.is_retired
            && living < self.most
            && state.waiting > starting.saturating_mul(self.concurrency)
        {
            self.add(&mut state);
        }
        Ok(None)
    }

    /// An instance is gone.
    pub(super) fn ended(&self, gone: &Instance) {
        let mut state = self.lock();
        state.instances.retain(|(instance, _)| instance.id != gone.id);
        if matches!(*gone.life.borrow(), Life::Failed(_)) {
            state.failures += 1;
        }
        drop(state);
        self.changed();
    }

    /// Whether an instance has had nothing to do for so long that it ends.
    pub(super) fn is_idle(&self, of: &Instance) -> bool {
        let state = self.lock();
        let load = state.instances.iter().find(|(instance, _)| instance.id == of.id);
        load.is_some_and(|(_, load)| load.active == 0 && load.last.elapsed() > self.pace.idle)
    }

    /// It gets no more requests: each instance ends once it has answered those that it has.
    pub(super) fn retire(&self) {
        let mut state = self.lock();
        state.is_retired = true;
        for (instance, load) in &state.instances {
            if load.active == 0 {
                instance.stop();
            }
        }
    }

    /// Kills all instances, and waits until they are gone.
    pub(super) async fn kill(&self) {
        let instances: Vec<_> = {
            let state = self.lock();
            state.instances.iter().map(|(one, _)| Arc::clone(one)).collect()
        };
        futures::future::join_all(instances.iter().map(|instance| instance.kill())).await;
    }

    pub(super) fn processes(&self) -> Vec<u32> {
        let state = self.lock();
        let instances = state.instances.iter();
        instances
            .filter(|(instance, _)| instance.is_ready())
            .filter_map(|(instance, _)| *instance.process.borrow())
            .collect()
    }
}

/// Somebody who waits for an instance, counted as long as they do.
struct Waiting<'a> {
    pool: &'a Pool,
    failures: u64,
}

impl<'a> Waiting<'a> {
    fn new(pool: &'a Pool) -> Self {
        let mut state = pool.lock();
        state.waiting += 1;
        let failures = state.failures;
        drop(state);
        Self { pool, failures }
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        let mut state = self.pool.lock();
        state.waiting = state.waiting.saturating_sub(1);
    }
}

/// `30s`
pub(super) fn seconds(value: &Value) -> Option<Duration> {
    let number: f64 = value.as_str()?.strip_suffix('s')?.parse().ok()?;
    Duration::try_from_secs_f64(number).ok()
}

/// An amount of memory in bytes (`512Mi`): <https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/quantity/>.
fn quantity(text: &str) -> Option<u64> {
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(end);
    let unit: u64 = match unit {
        "" => 1,
        "k" => 1000,
        "M" => 1000 * 1000,
        "G" => 1000 * 1000 * 1000,
        "Ki" => 1 << 10,
        "Mi" => 1 << 20,
        "Gi" => 1 << 30,
        _ => return None,
    };
    number.parse::<u64>().ok()?.checked_mul(unit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_of_memory_and_times_are_read_as_google_writes_them() {
        for (text, bytes) in [
            ("512Mi", Some(512 << 20)),
            ("1G", Some(1_000_000_000)),
            ("2", Some(2)),
            ("1Pi", None),
            ("Mi", None),
        ] {
            assert_eq!(quantity(text), bytes, "{text}");
        }
        assert_eq!(seconds(&"1.5s".into()), Some(Duration::from_millis(1500)));
        assert_eq!(seconds(&"-1s".into()), None);
    }
}
