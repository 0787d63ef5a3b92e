//! Exchanges with a provider or its emulator, recorded once and replayed with neither: the drivers and the provider's own clients run as they are, and what is replayed is the wire.
//!
//! Each rule has a [`Tape`]: servers on the loopback interface that pass requests on and write down what was answered, or answer from what was written down. So rules replay at the same
//! time and in any order, and a recording changes only with its own rule. An adapter implements [`Recorded`]; [`record`] and [`replay`] make a harness of it.
//!
//! A request is found by its content, not by its place: requests that run at the same time come in another order each time. What a client makes up anew in each run (ids and times,
//! see `mask.rs`) is left out of the comparison, and answers that tell it have this run's. Each exchange answers once. A request that is not recorded fails its rule, whatever the rule makes
//! of the answer, and so does an exchange that nobody asked for: what was recorded then is of another rule or another driver, and proves nothing of this one.
//!
//! Time passes in a replay as it does elsewhere: drivers know by this machine's clock that a lease or an item is over, so [`Harness::pass`] waits, and an answer that was held back (a
//! receive that waits for a message) comes no sooner. That takes seconds, as rules wait at the same time.
//!
//! What a signature is worth is not replayed: no signature is written, so none can be compared.

mod body;
mod dialect;
mod exchange;
mod harness;
mod mask;
mod player;
mod scrub;
mod tape;

use std::any::Any;
use std::fmt::Debug;
use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;
use nephos_core::Result;

pub use self::dialect::Dialect;
use self::harness::{OnTape, Way};
pub use self::tape::Tape;
use crate::harness::{Harness, HostCapabilities};

/// An adapter whose rules can run on tapes.
#[async_trait]
pub trait Recorded: Debug + Send + Sync + 'static {
    /// The adapter's name.
    fn adapter(&self) -> &'static str;
    /// What its events and its host declare, as [`Harness::host`].
    fn host(&self) -> HostCapabilities;
    /// What of its provider's protocol matters.
    fn dialect(&self) -> Dialect;
    /// Starts what is recorded. A replay does not ask for it.
    async fn source(&self) -> Result<Source>;
    /// A harness whose resources are reached by this tape, and have the [names](Tape::name) that it gives. Values of secrets are hidden before it sees them.
    async fn on(&self, tape: &Arc<Tape>) -> Result<Arc<dyn Harness>>;
}

/// What is recorded.
pub struct Source {
    /// What it is, with its version (`ministack 1.2.3`), for the report.
    pub with: String,
    /// Where each of the dialect's services answers (`http://127.0.0.1:4566`).
    pub services: Vec<(&'static str, String)>,
    /// What no recording may have, such as the account or a key, and what is told in its place.
    pub secrets: Vec<(String, String)>,
    /// What ends it when it is dropped.
    pub keep: Arc<dyn Any + Send + Sync>,
}

// Secrets are not for logs.
impl Debug for Source {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Source")
            .field("with", &self.with)
            .field("services", &self.services)
            .finish_non_exhaustive()
    }
}

/// The adapter over what it records: each rule that ends as it should writes its recording below `folder`, and no other does.
#[must_use]
pub fn record(adapter: impl Recorded, folder: impl Into<PathBuf>) -> impl Harness {
    OnTape::new(adapter, folder.into(), Way::Record)
}

/// The adapter over the recordings below `folder`, and nothing else.
#[must_use]
pub fn replay(adapter: impl Recorded, folder: impl Into<PathBuf>) -> impl Harness {
    OnTape::new(adapter, folder.into(), Way::Replay)
}
