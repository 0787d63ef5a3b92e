//! The ports of an adapter as traits. Each adapter is one crate; neither this crate nor another adapter knows it.

use std::fmt::Debug;

use async_trait::async_trait;

use crate::env::Environment;
use crate::error::Result;
use crate::handler::Function;

/// The function side of an adapter: the provider's runtime protocol.
///
/// One binary holds the hosts of all its targets; [`detect`](Self::detect) chooses one, once, at start.
#[async_trait]
pub trait Host: Debug + Send + Sync + 'static {
    /// The adapter's name.
    fn name(&self) -> &'static str;

    /// Whether the process was started by this host's provider. Looks at the environment only.
    fn detect(&self, environment: &Environment) -> bool;

    /// Feeds events to `function` until the provider ends the process: takes bytes, makes a context, decodes, dispatches,
    /// encodes. An invocation's failure is its own, never the host's end.
    ///
    /// # Errors
    /// What keeps the host from starting, or breaks its connection to the provider for good.
    async fn serve(&self, function: Function, environment: Environment) -> Result<()>;
}
