//! Pumps: from durable sources to functions, with retry and dead letters.
//!
//! Every trigger but HTTP has a durable source: a queue is one itself, bucket, topic, schedule and e-mail events wait in an inbox, streams and tables are
//! logs with a checkpoint. A pump takes from its source, has the function invoked, and settles what came of it in one transaction.

mod log;
mod messages;
pub mod source;

use std::fmt::Debug;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use nephos_core::app::{FunctionSpec, Retry};
use nephos_core::event::Event;
use nephos_core::{Outcome, Result};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::activity::Activities;
use super::store::Store;

pub use self::log::LogPump;
pub use self::messages::{MessagePump, MessageSource};

/// Has a function handle an event: the pool of its processes.
#[async_trait]
pub trait Invoker: Debug + Send + Sync + 'static {
    /// Waits for a place in a process of `function`, delivers, and returns what came of it.
    ///
    /// # Errors
    /// What kept the event from being handled at all: the process crashed, took too long, or answered what is no answer.
    async fn invoke(&self, function: &str, event: &Event, attempt: u32) -> Result<Outcome>;

    /// How many events the function can handle at once.
    fn capacity(&self, function: &str) -> usize;
}

/// What every pump of a function needs.
#[derive(Debug, Clone)]
pub struct Feed {
    /// The function's name.
    pub function: Arc<str>,
    /// Its declaration.
    pub spec: Arc<FunctionSpec>,
    /// Who handles events.
    pub invoker: Arc<dyn Invoker>,
    /// Where events are kept.
    pub store: Store,
    /// Where to tell what happens.
    pub activities: Activities,
}

/// The wait before the next delivery of what has been tried `attempts` times.
fn backoff(retry: &Retry, attempts: u32) -> Duration {
    let doublings = attempts.saturating_sub(1).min(31);
    retry
        .backoff
        .saturating_mul(1 << doublings)
        .min(retry.max_backoff)
}

/// A pump at work.
#[derive(Debug)]
pub struct Running {
    cancel: CancellationToken,
    task: JoinHandle<()>,
}

impl Running {
    fn spawn<F, Fut>(run: F) -> Self
    where
        F: FnOnce(CancellationToken) -> Fut,
        Fut: Future<Output = ()> + Send + 'static,
    {
        let cancel = CancellationToken::new();
        let task = tokio::spawn(run(cancel.clone()));
        Self { cancel, task }
    }

    /// Takes nothing more; waits until what was taken is settled.
    pub async fn stop(self) {
        self.cancel.cancel();
        if let Err(error) = self.task.await {
            tracing::error!(%error, "a pump ended badly");
        }
    }
}

#[cfg(test)]
mod tests;
