//! Tests of the store as its callers see it, with time turned by hand.

mod abandoned;
mod concurrent;
mod damage;
mod kill;
mod log;
mod model_queue;
mod model_table;
mod queue;
mod table;
mod topic;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use nephos_core::app::{QueueSpec, TableSpec};
use nephos_core::resource::queue::{Outgoing, QueueDriver, Received};
use nephos_core::resource::table::TableSchema;
use tempfile::TempDir;

use super::{EmbeddedQueue, EmbeddedTable, ManualClock, Store};

/// 2024-01-01 00:00 UTC.
const START: i64 = 1_704_067_200_000;

const fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// A store in a folder of its own, with a clock that stands still.
struct Bed {
    folder: TempDir,
    clock: ManualClock,
    store: Store,
}

impl Bed {
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let clock = ManualClock::at(START);
        let store = Store::open_with(&folder.path().join("store.db"), Arc::new(clock.clone()))
            .await
            .unwrap();
        Self { folder, clock, store }
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("store.db")
    }

    /// Closes the file and opens it again.
    async fn reopen(&mut self) {
        self.store.clone().close().await;
        self.store = Store::open_with(&self.path(), Arc::new(self.clock.clone()))
            .await
            .unwrap();
    }

    fn queue(&self) -> EmbeddedQueue {
        self.store.queue("jobs", &QueueSpec::default())
    }

    fn ordered(&self) -> EmbeddedQueue {
        let spec = QueueSpec {
            ordered: true,
            ..QueueSpec::default()
        };
        self.store.queue("jobs", &spec)
    }

    fn table(&self, sort: Option<&str>, ttl: Option<&str>) -> EmbeddedTable {
        let schema = TableSchema {
            key: "id".to_owned(),
            sort: sort.map(str::to_owned),
            ttl: ttl.map(str::to_owned),
        };
        self.store.table("things", &TableSpec { schema })
    }
}

fn body(received: &Received) -> String {
    String::from_utf8(received.message.body.bytes.to_vec()).unwrap()
}

/// All that is visible now, leased for 30 s.
async fn receive_all(queue: &EmbeddedQueue) -> Vec<Received> {
    queue.receive(1000, secs(30), Duration::ZERO).await.unwrap()
}

async fn bodies(queue: &EmbeddedQueue) -> Vec<String> {
    receive_all(queue).await.iter().map(body).collect()
}

async fn send(queue: &EmbeddedQueue, texts: &[&str]) -> Vec<String> {
    let batch: Vec<_> = texts.iter().map(|text| Outgoing::new(*text)).collect();
    queue.send_batch(&batch).await.unwrap()
}

fn attributes(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect()
}
