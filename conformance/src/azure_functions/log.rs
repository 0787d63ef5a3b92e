//! What the host and the process said, for tests that look for a reason.

use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::watch;

/// Lines in their order. Clones are the same log.
#[derive(Debug, Clone)]
pub(super) struct Log {
    lines: Arc<Mutex<Vec<String>>>,
    count: watch::Sender<usize>,
}

impl Default for Log {
    fn default() -> Self {
        Self {
            lines: Arc::default(),
            count: watch::Sender::new(0),
        }
    }
}

impl Log {
    pub(super) fn line(&self, line: impl Into<String>) {
        let mut lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        lines.push(line.into());
        self.count.send_replace(lines.len());
    }

    pub(super) fn lines(&self) -> Vec<String> {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The first line that has `text` in it, now or later.
    pub(super) async fn find(&self, text: &str) -> String {
        let mut count = self.count.subscribe();
        loop {
            count.borrow_and_update();
            if let Some(line) = self.lines().into_iter().find(|line| line.contains(text)) {
                return line;
            }
            if count.changed().await.is_err() {
                // The sender lives in this log.
                std::future::pending::<()>().await;
            }
        }
    }
}
