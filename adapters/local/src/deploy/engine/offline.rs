//! The state folder without an engine: for commands that look into resources while nothing runs.

use std::path::Path;
use std::sync::Arc;

use nephos_core::app::App;
use nephos_core::resource::{ExternalBuckets, Resources};
use nephos_core::{Event, Result};

use super::feeds;
use super::holdings::Holdings;
use super::state::StateFolder;
use crate::deploy::pump::source::Router;
use crate::deploy::secrets::SecretStore;
use crate::deploy::store::Store;

/// An app's resources, opened where they are. No function runs: what is sent waits until an engine starts.
#[derive(Debug)]
pub struct Offline {
    holdings: Holdings,
    router: Router,
    state: StateFolder,
}

impl Offline {
    /// Opens the resources in the state folder.
    ///
    /// # Errors
    /// [`Conflict`](nephos_core::ErrorKind::Conflict) if an engine runs on it: ask that one. Else as
    /// [`Engine::start`](super::Engine::start).
    pub async fn open(
        app: App,
        state: &Path,
        secrets: Option<&Path>,
        external: Arc<dyn ExternalBuckets>,
    ) -> Result<Self> {
        let state = StateFolder::lock(state)?;
        let store = Store::open(&state.store()).await?;
        // Otherwise what is published before the first start of an engine would reach nobody.
        feeds::subscribe(&app, &store).await?;
        let secrets = SecretStore::from_process(secrets, &app)?;
        let holdings = Holdings::open(&app, &store, &secrets, &state, None, external)?;
        Ok(Self {
            holdings,
            router: Router::new(Arc::new(app), store),
            state,
        })
    }

    /// The app's resources, with every access.
    #[must_use]
    pub fn resources(&self) -> &Resources {
        self.holdings.resources()
    }

    /// Leaves `event` for every trigger that it fits; returns how many those are.
    ///
    /// # Errors
    /// As [`Engine::emit`](super::Engine::emit).
    pub async fn emit(&self, event: Event) -> Result<usize> {
        self.router.emit(event).await
    }

    /// Closes them.
    pub async fn close(self) {
        self.holdings.close().await;
        tracing::debug!(folder = %self.state.path().display(), "the state folder is free again");
    }
}
