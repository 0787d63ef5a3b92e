//! The ports of an adapter as traits. Each adapter is one crate; neither this crate nor another adapter knows it.

use std::fmt::Debug;
use std::sync::Arc;

use async_trait::async_trait;

use crate::context::{Context, ContextBuilder};
use crate::deploy::{
    Confirmed, Deployed, Destroyed, Invoked, Keep, LogLine, LogQuery, Moved, Progress, Rendered,
    Requirements, Status,
};
use crate::env::{self, Environment};
use crate::error::Result;
use crate::event::Payload;
use crate::handler::Function;
use crate::plan::Plan;
use crate::resource::{Binding, Drivers, ExternalBuckets, Resources};

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
    /// The function's name in the manifest: the one in the environment, or else the handler's own.
    #[must_use]
    pub fn name(&self) -> &str {
        (self.environment.get(env::FUNCTION)).unwrap_or(&self.function.info().name)
    }

    /// What is the same for all invocations' contexts: names, and the function's handles over the host's drivers. `adapter` is the target's name where the
    /// environment tells none.
    #[must_use]
    pub fn context(
        &self,
        adapter: &str,
        bindings: Vec<Binding>,
        drivers: Arc<dyn Drivers>,
    ) -> ContextBuilder {
        let resources = Resources::new(drivers, bindings).with_external(Arc::clone(&self.external));
        Context::builder(self.name())
            .app(self.environment.get(env::APP).unwrap_or_default())
            .target(self.environment.get(env::TARGET).unwrap_or(adapter))
            .resources(Arc::new(resources))
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

/// The deploy side of an adapter: brings one app to one target through the provider's own engine. A deployer is opened for a
/// [`Deployment`](crate::deploy::Deployment), without any I/O that could fail for lack of credentials.
///
/// The provider keeps the state: a deployer has no file of its own, and finds what it made by the provider's means (a stack's resources, a label).
/// Whatever it changes it must first know for its own; what has the right name and is not ours is [`ErrorKind::AlreadyExists`], and is left alone.
///
/// All operations look for the account and region first: without credentials they fail with [`ErrorKind::Unauthenticated`] and the next step to take.
/// Requests that a provider throttles are retried here, by its client's own back-off.
///
/// [`ErrorKind::AlreadyExists`]: crate::ErrorKind::AlreadyExists
/// [`ErrorKind::Unauthenticated`]: crate::ErrorKind::Unauthenticated
#[async_trait]
pub trait Deployer: Debug + Send + Sync + 'static {
    /// What the functions' binary must be. No I/O.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidArgument`](crate::ErrorKind::InvalidArgument) if the target's settings are wrong.
    fn requirements(&self) -> Result<Requirements>;

    /// The provider's native documents of the app, as [`apply`](Self::apply) would hand them to the provider's engine, and what there is to say of them. No
    /// I/O. Where a value is known only then, as the account's number, the text holds a placeholder that says so.
    ///
    /// # Errors
    /// What the target cannot do, before anything is deployed.
    fn render(&self) -> Result<Rendered>;

    /// What [`apply`](Self::apply) would change, asked of the provider's engine where it can tell (a change set, a what-if). Must leave what is deployed
    /// alone; what it prepares at the provider is in [`Plan::prepared`], and removed by [`discard`](Self::discard). Waits for a change of ours that is
    /// still going on, such as one whose command was killed. Needs the binary.
    ///
    /// # Errors
    /// [`ErrorKind::Conflict`](crate::ErrorKind::Conflict) while someone else changes the deployment, or where it is in a state that only a person can
    /// mend.
    async fn preview(&self, progress: &Progress) -> Result<Plan>;

    /// Gives up what a preview prepared.
    ///
    /// # Errors
    /// If the provider does not answer; what was prepared then stays, and does no harm.
    async fn discard(&self, plan: Plan) -> Result<()>;

    /// Carries the plan out and waits until it is done, telling each step as it happens. May be called with an empty plan. If it fails, what was deployed
    /// before must be so again, and the error names the first cause, not what it led to. Dropping it ends the waiting, not the change; the next
    /// preview finds that again.
    ///
    /// # Errors
    /// [`ErrorKind::Conflict`](crate::ErrorKind::Conflict) if what is deployed is no longer what the plan was made for; else the first cause.
    async fn apply(&self, plan: Plan, progress: &Progress) -> Result<Deployed>;

    /// Removes all that belongs to the app, but for what holds data where that is to be kept, and waits until it is gone. Nothing there is no error.
    ///
    /// # Errors
    /// What cannot be removed; a second call goes on.
    async fn destroy(&self, confirmed: Confirmed, keep: Keep, progress: &Progress) -> Result<Destroyed>;

    /// What is deployed. Nothing there is no error.
    ///
    /// # Errors
    /// If the provider refuses or does not answer.
    async fn status(&self) -> Result<Status>;

    /// Gives the lines of the functions' logs to `sink`, oldest first, until there are no more, or, where they are followed, until it is dropped.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`](crate::ErrorKind::NotFound) for a function that is not deployed.
    async fn logs(&self, query: &LogQuery, sink: &mut (dyn FnMut(LogLine) + Send)) -> Result<()>;

    /// Calls a function once, in the provider's own wire form, and waits for its answer.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`](crate::ErrorKind::NotFound) for a function that is not deployed. A function that fails is no error of this call.
    async fn invoke(&self, function: &str, payload: Payload) -> Result<Invoked>;

    /// Brings functions (all if none is named) back to the version before the one that takes events now. Changes code and settings of the function, not
    /// what is around it.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`](crate::ErrorKind::NotFound) if there is no such version.
    async fn rollback(&self, functions: &[String], progress: &Progress) -> Result<Vec<Moved>>;
}
