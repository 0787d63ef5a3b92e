//! Why no more rules run: what they run against is gone, or somebody wants them to end.

use std::sync::Arc;

use tokio::sync::watch;

/// Ends a run before its end, with the reason. Clones are one.
#[derive(Debug, Clone)]
pub struct Stop(Arc<watch::Sender<Option<String>>>);

impl Default for Stop {
    fn default() -> Self {
        Self(Arc::new(watch::Sender::new(None)))
    }
}

impl Stop {
    /// Nothing is to stop yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Ends it for this reason, a sentence, unless there is one already.
    pub fn ask(&self, why: impl Into<String>) {
        self.0.send_if_modified(|reason| {
            let first = reason.is_none();
            if first {
                *reason = Some(why.into());
            }
            first
        });
    }

    /// The reason, if it is to end.
    #[must_use]
    pub fn reason(&self) -> Option<String> {
        self.0.borrow().clone()
    }

    /// Waits until it is to end.
    pub(super) async fn asked(&self) -> String {
        let mut changes = self.0.subscribe();
        let reason = changes
            .wait_for(Option::is_some)
            .await
            .map(|reason| reason.clone());
        match reason {
            Ok(Some(reason)) => reason,
            // The sender is this value, so it cannot be gone.
            _ => std::future::pending().await,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_first_reason_stays_and_wakes_all_who_wait() {
        let stop = Stop::new();
        assert_eq!(stop.reason(), None);
        let waiting = tokio::spawn({
            let stop = stop.clone();
            async move { stop.asked().await }
        });
        stop.ask("gone");
        stop.ask("later");
        assert_eq!(waiting.await.unwrap(), "gone");
        assert_eq!(
            (stop.asked().await, stop.reason().as_deref()),
            ("gone".to_owned(), Some("gone"))
        );
    }
}
