//! The receipts that were acknowledged lately. Pub/Sub answers a second acknowledgement as it answers one that comes too late, and only the latter is an error: an
//! acknowledgement may be repeated.

use std::collections::{BTreeSet, VecDeque};
use std::sync::{Mutex, PoisonError};

/// More than a process handles before it would repeat one.
const KEPT: usize = 4_096;

#[derive(Debug, Default)]
pub(super) struct Acknowledged(Mutex<Kept>);

#[derive(Debug, Default)]
struct Kept {
    known: BTreeSet<String>,
    order: VecDeque<String>,
}

impl Acknowledged {
    pub(super) fn has(&self, id: &str) -> bool {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .known
            .contains(id)
    }

    pub(super) fn add(&self, id: &str) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if !kept.known.insert(id.to_owned()) {
            return;
        }
        kept.order.push_back(id.to_owned());
        if kept.order.len() > KEPT
            && let Some(oldest) = kept.order.pop_front()
        {
            kept.known.remove(&oldest);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_are_kept_and_the_oldest_let_go() {
        let acknowledged = Acknowledged::default();
        for n in 0..=KEPT {
            acknowledged.add(&n.to_string());
            acknowledged.add(&n.to_string());
        }
        assert!(!acknowledged.has("0"));
        assert!(acknowledged.has("1") && acknowledged.has(&KEPT.to_string()));
    }
}
