//! Queues that nobody reads any more.

use std::collections::BTreeSet;
use std::time::Duration;

use nephos_core::app::QueueSpec;
use nephos_core::resource::queue::Outgoing;

use super::super::Abandoned;
use super::{Bed, secs};

const KEPT: Duration = secs(100);

fn lost(queue: &str, messages: usize) -> Abandoned {
    Abandoned {
        queue: queue.to_owned(),
        messages,
    }
}

async fn fill(bed: &Bed, queues: &[&str]) {
    let messages = queues
        .iter()
        .map(|queue| ((*queue).to_owned(), Outgoing::new("event")));
    bed.store.enqueue(messages.collect()).await.unwrap();
}

#[tokio::test]
async fn what_nobody_reads_is_told_of_and_kept_until_its_retention_is_over() {
    let bed = Bed::new().await;
    let read = BTreeSet::from(["inbox/read".to_owned()]);
    let other = [
        "inbox/gone/b",
        "inbox/gone/a",
        "inbox/gone/a",
        "inbox/read",
        "jobs",
    ];
    fill(&bed, &other).await;
    let gone = [lost("inbox/gone/a", 2), lost("inbox/gone/b", 1)];
    assert_eq!(bed.store.abandoned("inbox/", &read).await.unwrap(), gone);
    bed.clock.advance(secs(60));
    assert_eq!(
        bed.store.sweep_abandoned("inbox/", &read, KEPT).await.unwrap(),
        []
    );

    fill(&bed, &["inbox/gone/a"]).await;
    bed.clock.advance(secs(60));
    assert_eq!(
        bed.store.sweep_abandoned("inbox/", &read, KEPT).await.unwrap(),
        gone
    );
    assert_eq!(
        bed.store.abandoned("inbox/", &read).await.unwrap(),
        [lost("inbox/gone/a", 1)]
    );
    assert_eq!(bed.store.peek("inbox/read", 10).await.unwrap().len(), 1);
    assert_eq!(bed.store.peek("jobs", 10).await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_queue_that_is_read_again_has_what_was_kept() {
    let mut bed = Bed::new().await;
    let nobody = BTreeSet::new();
    fill(&bed, &["inbox/back"]).await;
    bed.reopen().await;
    assert_eq!(
        bed.store.abandoned("inbox/", &nobody).await.unwrap(),
        [lost("inbox/back", 1)]
    );
    let read = BTreeSet::from(["inbox/back".to_owned()]);
    assert_eq!(bed.store.abandoned("inbox/", &read).await.unwrap(), []);
    bed.clock.advance(secs(200));
    assert_eq!(
        bed.store.sweep_abandoned("inbox/", &read, KEPT).await.unwrap(),
        []
    );
    let back = bed.store.queue("inbox/back", &QueueSpec::default());
    assert_eq!(super::bodies(&back).await, ["event"]);
}
