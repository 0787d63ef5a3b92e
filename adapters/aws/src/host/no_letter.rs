//! Dead letters of a function without the driver of queues: none. What it rejects fails like anything else, until the limit of the queue, mapping or
//! asynchronous invocation dead-letters it. A function of requests alone needs no more: a caller is told.

use std::sync::Arc;

use nephos_core::resource::Drivers;
use nephos_core::{Event, Outcome};

/// Where dead letters go: nowhere.
#[derive(Debug)]
pub(super) struct Letters;

/// Says so where deployment has a queue for them.
pub(super) fn letters(url: Option<&str>, _drivers: &Arc<dyn Drivers>, _function: Arc<str>) -> Letters {
    if url.is_some() {
        tracing::warn!(
            "what the handler rejects is tried again until Lambda gives it up: this function was built without queues on AWS; turn on the feature `queue` of the crate `nephos`"
        );
    }
    Letters
}

impl Letters {
    /// Whether any can be sent.
    #[expect(clippy::unused_self, reason = "the same as with queues")]
    pub(super) const fn can_send(&self) -> bool {
        false
    }

    /// The outcome as it is.
    #[expect(clippy::unused_self, reason = "the same as with queues")]
    pub(super) fn plan(&self, _event: &Event, outcome: Outcome, _attempt: u32) -> Outcome {
        outcome
    }

    /// The outcome as it is.
    pub(super) async fn settle(&self, planned: Outcome) -> Outcome {
        planned
    }
}
