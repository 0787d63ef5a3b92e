//! How far batches of streams and tables are that come again. The Functions host knows only the whole batch: it comes again until all of it is done with. So what of it
//! is done with is remembered here, what comes again comes alone, and its tries are counted.
//!
//! It is this process's memory: where a partition moves to another instance, or the process ends, its batch begins anew. That is at least once still.

use std::collections::{HashMap, HashSet};
use std::sync::{Mutex, PoisonError};

/// How many batches are remembered: one a partition, and those whose partitions went elsewhere until they are pushed out.
const MAX_BATCHES: usize = 256;

/// How far one batch is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Batch {
    /// The records that are done with.
    pub(super) done: HashSet<String>,
    /// The record that failed last, and how often it was tried.
    pub(super) failing: Option<(String, u32)>,
    /// How often the batch was tried as a whole, before its records went alone.
    pub(super) tries: u32,
}

impl Batch {
    /// Which try of this record comes next.
    pub(super) fn attempt(&self, id: &str) -> u32 {
        match &self.failing {
            Some((failing, tries)) if failing == id => tries + 1,
            _ => self.tries + 1,
        }
    }
}

/// How far all batches are, by what tells them apart: the trigger and the ids of their records. A batch that comes again is the same.
#[derive(Debug, Default)]
pub(super) struct Progress(Mutex<HashMap<Key, Batch>>);

/// The trigger and the first record.
pub(super) type Key = (String, String);

impl Progress {
    /// What is remembered of a batch that came before and failed; `None` of a new one.
    pub(super) fn of(&self, key: &Key) -> Option<Batch> {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get(key)
            .cloned()
    }

    /// Remembers a batch that comes again.
    pub(super) fn keep(&self, key: Key, batch: Batch) {
        let mut batches = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if batches.len() >= MAX_BATCHES && !batches.contains_key(&key) {
            // Which of them still come again is not known; any that does begins anew.
            batches.clear();
        }
        batches.insert(key, batch);
    }

    /// Forgets a batch that is done with.
    pub(super) fn forget(&self, key: &Key) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(key);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(first: &str) -> Key {
        ("stream-clicks".to_owned(), first.to_owned())
    }

    #[test]
    fn a_batch_is_remembered_until_it_is_done_with() {
        let progress = Progress::default();
        assert_eq!(progress.of(&key("1")), None);
        let batch = Batch {
            done: ["1".to_owned()].into(),
            failing: Some(("2".to_owned(), 1)),
            tries: 0,
        };
        progress.keep(key("1"), batch.clone());
        assert_eq!(progress.of(&key("1")), Some(batch.clone()));
        assert_eq!((batch.attempt("2"), batch.attempt("3")), (2, 1));
        let whole = Batch {
            tries: 1,
            ..Batch::default()
        };
        assert_eq!(whole.attempt("1"), 2, "all of it was tried, and failed");
        progress.forget(&key("1"));
        assert_eq!(progress.of(&key("1")), None);
    }

    #[test]
    fn the_memory_of_it_is_bounded() {
        let progress = Progress::default();
        for number in 0..=MAX_BATCHES {
            progress.keep(key(&number.to_string()), Batch::default());
        }
        assert_eq!(progress.of(&key("0")), None);
        assert!(progress.of(&key(&MAX_BATCHES.to_string())).is_some());
    }
}
