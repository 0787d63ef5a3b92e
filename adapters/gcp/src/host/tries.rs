//! How often events were tried whose services do not tell: Eventarc, Cloud Scheduler, and subscriptions without a dead-letter policy. By the event's id, which is the same each time.
//!
//! It is this process's memory: elsewhere, or after its end, counting begins anew, so an event may be tried more often, and never less.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

/// How many events are remembered: those that failed, and come again.
const MAX_EVENTS: usize = 4_096;

/// The tries of events that failed so far.
#[derive(Debug, Default)]
pub(super) struct Tries(Mutex<HashMap<String, u32>>);

impl Tries {
    /// Which try comes next.
    pub(super) fn next(&self, id: &str) -> u32 {
        let tries = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        tries.get(id).map_or(1, |tries| tries.saturating_add(1))
    }

    /// Remembers that this try failed.
    pub(super) fn failed(&self, id: &str, attempt: u32) {
        let mut tries = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if tries.len() >= MAX_EVENTS && !tries.contains_key(id) {
            // Which of them still come again is not known; any that does begins anew.
            tries.clear();
        }
        tries.insert(id.to_owned(), attempt);
    }

    /// Forgets an event that is done with.
    pub(super) fn done(&self, id: &str) {
        let mut tries = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // Most often none has failed.
        if !tries.is_empty() {
            tries.remove(id);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_is_counted_until_it_is_done_with() {
        let tries = Tries::default();
        assert_eq!(tries.next("e"), 1);
        tries.failed("e", 1);
        assert_eq!((tries.next("e"), tries.next("f")), (2, 1));
        tries.done("e");
        assert_eq!(tries.next("e"), 1);
    }

    #[test]
    fn the_memory_of_it_is_bounded() {
        let tries = Tries::default();
        for number in 0..=MAX_EVENTS {
            tries.failed(&number.to_string(), 1);
        }
        assert_eq!(tries.next("0"), 1);
        assert_eq!(tries.next(&MAX_EVENTS.to_string()), 2);
    }
}
