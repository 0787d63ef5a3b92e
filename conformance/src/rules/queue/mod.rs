//! Rules of queues.

pub(super) mod leases;
pub(super) mod order;
pub(super) mod receiving;
pub(super) mod sending;

use std::time::Duration;

use nephos_core::app::QueueSpec;
use nephos_core::resource::queue::{Queue, Received};

use crate::harness::Harness;
use crate::rule::Violation;

/// A lease that no rule outlives.
const LONG: Duration = Duration::from_secs(60);
/// A lease that is waited for.
const SHORT: Duration = Duration::from_secs(1);
/// How long a receive waits for what must come.
const WAIT: Duration = Duration::from_secs(5);
/// How long a receive waits to see that nothing comes.
const BRIEF: Duration = Duration::from_millis(200);

async fn open(harness: &dyn Harness) -> Result<Queue, Violation> {
    Ok(harness.queue(QueueSpec::default()).await?)
}

async fn ordered(harness: &dyn Harness) -> Result<Queue, Violation> {
    Ok(harness
        .queue(QueueSpec {
            ordered: true,
            ..QueueSpec::default()
        })
        .await?)
}

/// The next message, which must come.
async fn next(queue: &Queue, lease: Duration) -> Result<Received, Violation> {
    let mut received = queue.receive(1, lease, WAIT).await?;
    match (received.pop(), received.is_empty()) {
        (Some(one), true) => Ok(one),
        (None, _) => Err(Violation::new("no message came although one must")),
        (Some(_), false) => Err(Violation::new("more messages came than were asked for")),
    }
}

/// All messages that come until none does, acknowledged.
async fn drain(queue: &Queue) -> Result<Vec<Received>, Violation> {
    let mut all = Vec::new();
    loop {
        let wait = if all.is_empty() { WAIT } else { BRIEF };
        let received = queue.receive(10, LONG, wait).await?;
        if received.is_empty() || all.len() > 1000 {
            return Ok(all);
        }
        for one in received {
            queue.ack(&one.receipt).await?;
            all.push(one);
        }
    }
}

fn text(received: &Received) -> String {
    String::from_utf8_lossy(&received.message.body.bytes).into_owned()
}

fn texts(received: &[Received]) -> Vec<String> {
    received.iter().map(text).collect()
}
