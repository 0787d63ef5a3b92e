//! Wakes whoever waits for something in a queue, stream or table.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;

/// Fires when something became available under the name that it was made for. Firing is remembered: what comes between two calls of
/// [`changed`](Self::changed) ends the second at once.
#[derive(Debug, Clone)]
pub struct Wake(watch::Receiver<u64>);

impl Wake {
    /// Waits until something became available since the last call, or since the handle was made. Never returns once the store is closed.
    /// Cancelling it loses nothing.
    pub async fn changed(&mut self) {
        if self.0.changed().await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

/// The bells, by name.
#[derive(Debug, Default)]
pub(super) struct Wakes(Mutex<HashMap<String, watch::Sender<u64>>>);

impl Wakes {
    fn bells(&self) -> MutexGuard<'_, HashMap<String, watch::Sender<u64>>> {
        // A panic between two map operations leaves the map whole.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn listen(&self, name: &str) -> Wake {
        let mut bells = self.bells();
        if let Some(bell) = bells.get(name) {
            return Wake(bell.subscribe());
        }
        let (bell, wake) = watch::channel(0);
        bells.insert(name.to_owned(), bell);
        Wake(wake)
    }

    pub(super) fn fire(&self, name: &str) {
        if let Some(bell) = self.bells().get(name) {
            bell.send_modify(|count| *count = count.wrapping_add(1));
        }
    }
}
