//! The ports of an adapter as traits. Each adapter is one crate; neither this crate nor another adapter knows it.

use std::fmt::Debug;
use std::sync::Arc;

use async_trait::async_trait;

use crate::env::Environment;
use crate::error::Result;
use crate::handler::Function;
use crate::resource::{Drivers, ExternalBuckets, Resources};

/// What a host is started with.
#[derive(Debug)]
pub struct Launch {
    /// The function that this process runs.
    pub function: Function,
    /// The environment.
    pub environment: Environment,
    /// Opens buckets outside the target.
    pub external: Arc<dyn ExternalBuckets>,
}

impl Launch {
    /// The function's handles, over the host's drivers and the bindings in the environment.
    ///
    /// # Errors
    /// As [`Environment::bindings`].
    pub fn resources(&self, drivers: Arc<dyn Drivers>) -> Result<Resources> {
        Ok(Resources::new(drivers, self.environment.bindings()?).with_external(Arc::clone(&self.external)))
    }
}

/// The function side of an adapter: the provider's runtime protocol.
///
/// One binary holds the hosts of all its targets; [`detect`](Self::detect) chooses one, once, at start.
#[async_trait]
pub trait Host: Debug + Send + Sync + 'static {
    /// The adapter's name.
    fn name(&self) -> &'static str;

    /// Whether the process was started by this host's provider. Looks at the environment only.
    fn detect(&self, environment: &Environment) -> bool;

    /// Feeds events to the function until the provider ends the process: takes bytes, makes a context, decodes, dispatches,
    /// encodes. An invocation's failure is its own, never the host's end.
    ///
    /// # Errors
    /// What keeps the host from starting, or breaks its connection to the provider for good.
    async fn serve(&self, launch: Launch) -> Result<()>;
}
