//! A function's processes: started on demand, used again while warm, stopped when idle.
//!
//! Whoever wants to invoke the function waits, in turn, for one of `concurrency` × `max_instances` places; a place is in the first process that has
//! one free, or in a new process. A process that does not answer in time is killed, and so is whatever else it was at.

mod connection;
mod fleet;
mod invoke;
mod lease;
mod report;
mod slot;

use std::fmt;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};

use nephos_core::app::{FunctionSpec, Isolation};
use nephos_core::{Error, ErrorKind, Result};
use tokio::runtime::Handle;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::activity::Activities;
use super::process::{Ending, Image, Process};

pub use self::connection::DeliveryBody;
pub use self::fleet::Fleet;
pub use self::lease::{Answer, AnswerBody};

use self::lease::Lease;
use self::slot::{Place, Slot};

/// How many HTTP requests wait for a place at most, for each place that there is.
const WAITERS_PER_PLACE: usize = 64;
/// The fewest HTTP requests that may wait, however few places there are.
const MIN_WAITERS: usize = 256;
/// How long a process that has nothing to do may take to end.
const IDLE_GRACE: Duration = Duration::from_secs(5);
/// How long processes may take to end when the embedded host stops: a little longer than they give their handlers.
const STOP_GRACE: Duration = Duration::from_secs(32);
/// A process that ends sooner than this, without an answer, counts as having crashed at its start.
const EARLY: Duration = Duration::from_secs(2);
/// The wait before a function that crashed at its start is started again; doubles with each such crash.
const FIRST_WAIT: Duration = Duration::from_millis(100);
/// The longest such wait.
const LONGEST_WAIT: Duration = Duration::from_secs(10);
/// How long an HTTP request waits for a function that keeps crashing; it is told so if it would take longer.
const PATIENCE: Duration = Duration::from_secs(1);

/// The processes of one function.
pub struct Pool {
    function: Arc<str>,
    spec: Arc<FunctionSpec>,
    image: Mutex<Image>,
    idle: Duration,
    activities: Activities,
    places: Arc<Semaphore>,
    waiting: AtomicUsize,
    in_flight: AtomicUsize,
    slots: Mutex<Vec<Arc<Slot>>>,
    trouble: Mutex<Trouble>,
    starting: Mutex<()>,
    stopping: AtomicBool,
    /// Where processes are watched: whoever invokes may have an event loop that ends before them.
    runtime: Handle,
}

impl fmt::Debug for Pool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pool")
            .field("processes", &self.slots().len())
            .finish_non_exhaustive()
    }
}

/// What is known of crashes at the start.
#[derive(Debug, Default)]
struct Trouble {
    /// How many in a row.
    crashes: u32,
    /// No process is started before.
    not_before: Option<Instant>,
    /// How the last one ended.
    last: String,
}

/// How long whoever wants a place is ready to wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Patience {
    /// An event: it is kept durably, and waits as long as it takes.
    Event,
    /// A client at the gateway.
    Client,
}

impl Pool {
    /// The processes of a function; none is started yet.
    #[must_use]
    pub fn new(spec: Arc<FunctionSpec>, image: Image, idle: Duration, activities: Activities) -> Arc<Self> {
        let pool = Arc::new(Self {
            places: Arc::new(Semaphore::new(capacity(&spec))),
            spec,
            function: Arc::clone(&image.function),
            image: Mutex::new(image),
            idle,
            activities,
            waiting: AtomicUsize::new(0),
            in_flight: AtomicUsize::new(0),
            slots: Mutex::default(),
            trouble: Mutex::default(),
            starting: Mutex::default(),
            stopping: AtomicBool::new(false),
            runtime: Handle::current(),
        });
        tokio::spawn(stop_idle(Arc::downgrade(&pool), idle));
        pool
    }

    /// How many invocations it takes at once.
    #[must_use]
    pub fn capacity(&self) -> usize {
        capacity(&self.spec)
    }

    /// How many invocations are under way.
    #[must_use]
    pub fn in_flight(&self) -> usize {
        self.in_flight.load(Ordering::Acquire)
    }

    /// The ids of the processes that take invocations.
    #[must_use]
    pub fn pids(&self) -> Vec<u32> {
        self.slots().iter().map(|slot| slot.process().pid()).collect()
    }

    /// The function's declaration.
    #[must_use]
    pub fn spec(&self) -> &FunctionSpec {
        &self.spec
    }

    /// The function's name.
    #[must_use]
    pub fn function(&self) -> Arc<str> {
        Arc::clone(&self.function)
    }

    fn slots(&self) -> MutexGuard<'_, Vec<Arc<Slot>>> {
        lock(&self.slots)
    }

    /// A place that is free right now in a process that runs.
    fn acquire_now(self: &Arc<Self>) -> Option<Lease> {
        let permit = Arc::clone(&self.places).try_acquire_owned().ok()?;
        let warm = self.warm()?;
        Some(Lease::new(Arc::clone(self), warm, permit, false))
    }

    async fn acquire(self: &Arc<Self>, patience: Patience) -> Result<Lease> {
        let permit = self.permit(patience).await?;
        let (place, cold) = match self.warm() {
            Some(warm) => (warm, false),
            None => {
                self.wait_out_trouble(patience).await?;
                // Only one at a time looks and starts: together they would start more than are allowed.
                let _starting = lock(&self.starting);
                match self.warm() {
                    Some(warm) => (warm, false),
                    None => (self.start()?, true),
                }
            }
        };
        Ok(Lease::new(Arc::clone(self), place, permit, cold))
    }

    async fn permit(&self, patience: Patience) -> Result<OwnedSemaphorePermit> {
        let places = Arc::clone(&self.places);
        if let Ok(permit) = Arc::clone(&places).try_acquire_owned() {
            return Ok(permit);
        }
        if self.stopping.load(Ordering::Acquire) {
            return Err(stopping());
        }
        let bound = (self.capacity() * WAITERS_PER_PLACE).max(MIN_WAITERS);
        if patience == Patience::Client && self.waiting.load(Ordering::Relaxed) >= bound {
            return Err(Error::new(
                ErrorKind::ResourceExhausted,
                "function.invoke",
                "the function is busy and too many requests wait for it; raise `concurrency` or `max_instances` in nephos.toml",
            )
            .with("function", self.function())
            .with("waiting", bound));
        }
        let _counted = Counted::new(&self.waiting);
        places.acquire_owned().await.map_err(|_| stopping())
    }

    /// A place in a process that runs.
    fn warm(&self) -> Option<(Arc<Slot>, Place)> {
        if self.spec.isolation == Isolation::Invocation {
            return None;
        }
        let slots = self.slots();
        slots
            .iter()
            .filter(|slot| slot.is_good())
            .find_map(|slot| Some((Arc::clone(slot), slot.enter(self.concurrency())?)))
    }

    fn concurrency(&self) -> usize {
        match self.spec.isolation {
            Isolation::Process => self.spec.concurrency.max(1) as usize,
            Isolation::Invocation => 1,
        }
    }

    async fn wait_out_trouble(&self, patience: Patience) -> Result<()> {
        loop {
            let (wait, last) = {
                let trouble = lock(&self.trouble);
                let wait = trouble
                    .not_before
                    .map(|at| at.saturating_duration_since(Instant::now()));
                (wait.unwrap_or_default(), trouble.last.clone())
            };
            if wait.is_zero() {
                return Ok(());
            }
            if self.stopping.load(Ordering::Acquire) {
                return Err(stopping());
            }
            if patience == Patience::Client && wait > PATIENCE {
                return Err(Error::new(
                    ErrorKind::Crashed,
                    "function.start",
                    "the function's process keeps ending at its start; see what it printed",
                )
                .with("function", self.function())
                .with("ended", last));
            }
            tokio::time::sleep(wait.min(PATIENCE)).await;
        }
    }

    fn start(self: &Arc<Self>) -> Result<(Arc<Slot>, Place)> {
        if self.stopping.load(Ordering::Acquire) {
            return Err(stopping());
        }
        let image = lock(&self.image).clone();
        let _entered = self.runtime.enter();
        let process = Process::start(&image, &self.activities)
            .inspect_err(|error| self.crashed_early(&error.chain()))?;
        let slot = Arc::new(Slot::new(process));
        // Nobody else knows it yet: it has room.
        let place = slot.enter(self.concurrency()).unwrap_or(Place { rested: None });
        self.slots().push(Arc::clone(&slot));
        let pool = Arc::downgrade(self);
        let watched = Arc::clone(&slot);
        tokio::spawn(async move {
            let exit = watched.process().ended().await;
            if let Some(pool) = pool.upgrade() {
                pool.slots().retain(|slot| !Arc::ptr_eq(slot, &watched));
                if watched.process().ending().is_none()
                    && !watched.has_answered()
                    && watched.process().age() < EARLY
                {
                    pool.crashed_early(&exit.to_string());
                }
            }
        });
        Ok((slot, place))
    }

    fn crashed_early(&self, how: &str) {
        let mut trouble = lock(&self.trouble);
        let wait = FIRST_WAIT
            .saturating_mul(1 << trouble.crashes.min(16))
            .min(LONGEST_WAIT);
        trouble.crashes = trouble.crashes.saturating_add(1);
        trouble.not_before = Some(Instant::now() + wait);
        how.clone_into(&mut trouble.last);
    }

    /// A process answered: whatever kept others from starting is over.
    fn answered(&self, slot: &Slot) {
        if slot.answered() {
            *lock(&self.trouble) = Trouble::default();
        }
    }

    /// Takes a process out, so that it gets no more invocations.
    fn retire(&self, slot: &Arc<Slot>) {
        slot.retire();
        self.slots().retain(|other| !Arc::ptr_eq(other, slot));
    }

    /// Starts new processes from another binary from now on; those that run finish what they are at, and end.
    pub fn replace_binary(self: &Arc<Self>, binary: PathBuf) {
        lock(&self.image).binary = binary;
        *lock(&self.trouble) = Trouble::default();
        let old: Vec<_> = self.slots().drain(..).collect();
        for slot in old {
            slot.retire();
            tokio::spawn(async move {
                slot.emptied().await;
                slot.process().terminate(Ending::Replaced, IDLE_GRACE).await;
            });
        }
    }

    /// Takes no more invocations, and ends all processes once theirs are finished.
    pub async fn stop(&self) {
        self.stopping.store(true, Ordering::Release);
        self.places.close();
        let slots: Vec<_> = self.slots().drain(..).collect();
        let endings = slots
            .iter()
            .map(|slot| slot.process().terminate(Ending::Stopping, STOP_GRACE));
        futures::future::join_all(endings).await;
    }

    fn stop_idle_now(&self) {
        let mut idle = Vec::new();
        self.slots().retain(|slot| {
            let stays = !slot.retire_if_idle(self.idle);
            if !stays {
                idle.push(Arc::clone(slot));
            }
            stays
        });
        for slot in idle {
            tokio::spawn(async move { slot.process().terminate(Ending::Idle, IDLE_GRACE).await });
        }
    }
}

/// Looks now and then which processes have been idle for too long.
async fn stop_idle(pool: Weak<Pool>, idle: Duration) {
    let period = (idle / 4).clamp(Duration::from_millis(20), Duration::from_secs(5));
    loop {
        tokio::time::sleep(period).await;
        let Some(pool) = pool.upgrade() else { return };
        pool.stop_idle_now();
    }
}

fn capacity(spec: &FunctionSpec) -> usize {
    let per_process = match spec.isolation {
        Isolation::Process => spec.concurrency.max(1) as usize,
        Isolation::Invocation => 1,
    };
    per_process
        .saturating_mul(spec.max_instances.max(1) as usize)
        .min(Semaphore::MAX_PERMITS)
}

fn stopping() -> Error {
    Error::new(ErrorKind::Unavailable, "function.invoke", "the host is stopping")
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // What the locks guard is whole between any two operations.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Counts as long as it lives.
struct Counted<'a>(&'a AtomicUsize);

impl<'a> Counted<'a> {
    fn new(counter: &'a AtomicUsize) -> Self {
        counter.fetch_add(1, Ordering::AcqRel);
        Self(counter)
    }
}

impl Drop for Counted<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}
