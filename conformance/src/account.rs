//! An account at a provider, as the rules of `deploy` see it: the adapter's own engine in it, and eyes and hands that are not the engine's.

use std::collections::BTreeMap;
use std::fmt::Debug;

use async_trait::async_trait;
use nephos_core::Result;
use nephos_core::adapter::Deployer;
use nephos_core::app::App;
use nephos_core::deploy::{Confirmed, Keep, Progress};
use serde::Serialize;
use serde_json::Value;

/// The function that somebody meddles with: it is called by requests, and every app of the rules has it.
pub const HELLO: &str = "hello";

/// What there is of an app: by the provider's kind and name, what a thing is now, as far as that changes only if somebody changes it.
pub type Inventory = BTreeMap<String, Value>;

/// What the engine declares. What is not declared is how the provider's own engine works, and the rule's negative is held in its place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct DeployCapabilities {
    /// Whether a plan finds that somebody gave a function other code by other means. Where it does not, that code stays until the app itself has new code.
    pub drift_of_code: bool,
    /// Whether a plan finds that somebody changed a setting of a thing of the app. Where it does not, because the provider's engine compares with what it was told last, the change stays until
    /// the manifest says something else of that thing.
    pub drift_of_settings: bool,
}

/// What somebody does to a deployed app behind the engine's back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Meddling {
    /// The function [`HELLO`] gets code that is not of the newest build: that of the build before, or any.
    Code,
    /// A setting of a thing that is the function's is changed.
    Settings,
}

/// An account at a provider. Rules run at the same time in it, each with apps of names of its own.
#[async_trait]
pub trait Account: Debug + Send + Sync + 'static {
    /// The adapter's engine for this build of the app, opened as `nephos deploy` opens it. `build` tells one binary from the next. Nothing is asked of the provider.
    async fn deployer(&self, app: &App, build: u32) -> Result<Box<dyn Deployer>>;

    /// All that there is of the app, asked of the provider and not of the engine: what the engine made and whatever else has its name or mark. What all apps of an account share is not the app's.
    async fn inventory(&self, app: &App) -> Result<Inventory>;

    /// Changes the deployed app by other means than the engine.
    async fn meddle(&self, app: &App, how: Meddling) -> Result<()>;

    /// Another app whose settings give it the very names at the provider that this one has.
    fn namesake(&self, app: &App) -> App;

    /// The app with one thing more, that the provider is going to refuse when it is to be made, and not before.
    async fn breaking(&self, app: &App) -> Result<App>;

    /// Removes an app at the end of a rule, whatever became of it.
    ///
    /// # Errors
    /// If something cannot be removed.
    async fn clear(&self, app: &App) -> Result<()> {
        let deployer = self.deployer(app, 1).await?;
        deployer
            .destroy(Confirmed, Keep::Nothing, &Progress::silent())
            .await
            .map(drop)
    }
}
