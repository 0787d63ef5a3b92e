//! Many callers at once: nothing is lost, nothing is delivered twice while its lease holds.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::Mutex;
use std::time::Duration;

use nephos_core::app::QueueSpec;
use nephos_core::resource::queue::{Depth, Outgoing, QueueDriver};
use nephos_core::resource::table::{Condition, TableDriver, Write};
use nephos_core::{ErrorKind, resource::table::Key};
use serde_json::json;

use super::{Bed, body, secs};

const SENDERS: usize = 8;
const EACH: usize = 150;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_senders_and_receivers_lose_and_double_nothing() {
    let bed = Bed::new().await;
    let queue = bed.queue();
    let seen: Arc<Mutex<HashMap<String, usize>>> = Arc::default();
    let senders = (0..SENDERS).map(|sender| {
        let queue = queue.clone();
        tokio::spawn(async move {
            for n in 0..EACH {
                let batch = [Outgoing::new(format!("{sender}-{n}"))];
                queue.send_batch(&batch).await.unwrap();
            }
        })
    });
    let receivers = (0..SENDERS).map(|index| {
        let (queue, seen) = (queue.clone(), Arc::clone(&seen));
        tokio::spawn(async move {
            // Ends when all were seen; each waits a little, so that all end.
            while seen.lock().unwrap().len() < SENDERS * EACH {
                let received = queue
                    .receive(7, secs(30), Duration::from_millis(20))
                    .await
                    .unwrap();
                let receipts: Vec<_> = received.iter().map(|one| one.receipt.clone()).collect();
                for one in &received {
                    *seen.lock().unwrap().entry(body(one)).or_default() += 1;
                }
                if index % 2 == 0 {
                    queue.ack(&receipts).await.unwrap();
                } else {
                    for receipt in &receipts {
                        queue.ack(std::slice::from_ref(receipt)).await.unwrap();
                    }
                }
            }
        })
    });
    let tasks: Vec<_> = senders.chain(receivers).collect();
    for task in tasks {
        tokio::time::timeout(secs(120), task).await.unwrap().unwrap();
    }
    assert_eq!(queue.depth().await.unwrap(), Depth::apart(0, 0, 0));
    let seen = seen.lock().unwrap();
    assert_eq!(seen.len(), SENDERS * EACH);
    assert!(seen.values().all(|count| *count == 1));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn groups_stay_in_order_under_many_receivers() {
    let bed = Bed::new().await;
    let spec = QueueSpec {
        ordered: true,
        ..QueueSpec::default()
    };
    let queue = bed.store.queue("jobs", &spec);
    let batch: Vec<_> = (0..200)
        .map(|n| Outgoing::new(n.to_string()).group((n % 5).to_string()))
        .collect();
    queue.send_batch(&batch).await.unwrap();
    let seen: Arc<Mutex<Vec<u32>>> = Arc::default();
    let receivers: Vec<_> = (0..6)
        .map(|_| {
            let (queue, seen) = (queue.clone(), Arc::clone(&seen));
            tokio::spawn(async move {
                while seen.lock().unwrap().len() < 200 {
                    for one in queue
                        .receive(3, secs(30), Duration::from_millis(20))
                        .await
                        .unwrap()
                    {
                        seen.lock().unwrap().push(body(&one).parse().unwrap());
                        queue.ack(&[one.receipt]).await.unwrap();
                    }
                }
            })
        })
        .collect();
    for receiver in receivers {
        tokio::time::timeout(secs(120), receiver).await.unwrap().unwrap();
    }
    let seen = seen.lock().unwrap();
    for group in 0..5 {
        let of_group: Vec<_> = seen.iter().filter(|n| *n % 5 == group).collect();
        assert_eq!(of_group.len(), 40);
        assert!(of_group.is_sorted(), "{of_group:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_many_that_write_the_same_version_one_wins_each_time() {
    let bed = Bed::new().await;
    let table = bed.table(None, None);
    let first = Write::Put {
        item: json!({"id": "a", "n": 0}),
        condition: Condition::Absent,
    };
    table.write(&[first]).await.unwrap();
    let writers: Vec<_> = (0..8)
        .map(|_| {
            let table = table.clone();
            tokio::spawn(async move {
                let mut won = 0;
                while won < 20 {
                    let stored = table.get(&Key::new("a")).await.unwrap().unwrap();
                    let next = Write::Put {
                        item: json!({"id": "a", "n": stored.item["n"].as_u64().unwrap() + 1}),
                        condition: Condition::Version(stored.version),
                    };
                    match table.write(&[next]).await {
                        Ok(_) => won += 1,
                        Err(error) => assert_eq!(error.kind(), ErrorKind::Conflict),
                    }
                }
            })
        })
        .collect();
    for writer in writers {
        tokio::time::timeout(secs(120), writer).await.unwrap().unwrap();
    }
    let stored = table.get(&Key::new("a")).await.unwrap().unwrap();
    assert_eq!(stored.item["n"], 160);
}
