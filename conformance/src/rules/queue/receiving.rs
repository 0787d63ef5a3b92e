//! Rules of receiving, of missing queues and of the depth.

use std::sync::Arc;
use std::time::Duration;

use nephos_core::resource::queue::{Depth, Outgoing, Queue};

use super::{BRIEF, LONG, WAIT, next, open, texts};
use crate::harness::{Capabilities, Harness};
use crate::mutants::portable;
use crate::rule::{Rule, Verdict, Violation, rule};
use crate::{ensure, ensure_eq, ensure_fails};

type Subject = Arc<dyn Harness>;

fn counts_leased(capabilities: &Capabilities) -> bool {
    capabilities.queue.counts_leased
}

fn counts_delayed(capabilities: &Capabilities) -> bool {
    capabilities.queue.counts_delayed && !capabilities.queue.max_delay.is_zero()
}

pub(in crate::rules) const RULES: &[Rule] = &[
    rule!(
        "queue.receive.empty-is-an-empty-list",
        "no message is no error",
        "Go CDK drivertest",
        Phantom,
        empty
    ),
    rule!(
        "queue.receive.waits-for-a-message",
        "a receiver need not poll",
        "Dapr certification",
        WaitIgnored,
        waits
    ),
    rule!(
        "queue.receive.at-most-max",
        "a receiver leases no more than it can handle",
        "Go CDK drivertest",
        MaxIgnored,
        at_most
    ),
    rule!(
        "queue.receive.max-of-zero-is-refused",
        "asking for nothing is a mistake of the caller",
        "Nephos",
        RefusalLeftOut,
        zero
    ),
    rule!(
        "queue.missing.is-not-found",
        "a misspelt queue must not swallow messages",
        "Go CDK drivertest",
        MissingWorks,
        missing
    ),
    rule!(
        "queue.depth.counts",
        "a scaler and an operator go by the depth",
        "Nephos",
        DepthZero,
        depth
    ),
    rule!("queue.depth.leased-apart", "a message that is worked on needs no other worker", "SQS documentation, ApproximateNumberOfMessagesNotVisible", LeaseIgnored, leased, needs counts_leased, leased_untold),
    rule!("queue.depth.delayed-apart", "a message that is due later needs no worker yet", "SQS documentation, ApproximateNumberOfMessagesDelayed", DelayIgnored, delayed, needs counts_delayed, delayed_untold),
];

async fn empty(harness: Subject) -> Verdict {
    let queue = open(&*harness).await?;
    let begun = std::time::Instant::now();
    let received = queue.receive(5, LONG, Duration::from_millis(500)).await?;
    ensure_eq!(
        texts(&received),
        Vec::<String>::new(),
        "messages of an empty queue"
    );
    ensure!(
        begun.elapsed() < Duration::from_secs(10),
        "a receive that waits 0.5 s took {:?}",
        begun.elapsed()
    );
    Ok(())
}

async fn waits(harness: Subject) -> Verdict {
    let queue = open(&*harness).await?;
    let receiver = queue.clone();
    let receiving = tokio::spawn(async move { receiver.receive(1, LONG, Duration::from_secs(10)).await });
    // The receiver must be waiting before the message is there.
    tokio::time::sleep(Duration::from_millis(300)).await;
    queue.send("awaited").await?;
    let received = receiving.await.map_err(Violation::new)??;
    ensure_eq!(texts(&received), ["awaited"], "what a waiting receiver gets");
    Ok(())
}

async fn at_most(harness: Subject) -> Verdict {
    let queue = open(&*harness).await?;
    queue
        .send_batch((0..6).map(|n| Outgoing::new(n.to_string())).collect())
        .await?;
    let received = queue.receive(2, LONG, WAIT).await?;
    ensure!(
        (1..=2).contains(&received.len()),
        "a receive of at most 2 returned {}",
        received.len()
    );
    Ok(())
}

async fn zero(harness: Subject) -> Verdict {
    let queue = open(&*harness).await?;
    ensure_fails!(
        queue.receive(portable::max(&queue, 0), LONG, BRIEF).await,
        InvalidArgument,
        "a receive of at most 0"
    );
    ensure_eq!(
        queue.receive(1, LONG, Duration::ZERO).await?.len(),
        0,
        "messages of an empty queue"
    );
    Ok(())
}

async fn missing(harness: Subject) -> Verdict {
    let queue = harness.missing_queue().await?;
    let error = ensure_fails!(
        queue.send("x").await,
        NotFound,
        "send to a queue that does not exist"
    );
    ensure!(!error.is_retryable(), "trying again does not make a queue");
    ensure_fails!(
        queue.receive(1, LONG, Duration::ZERO).await,
        NotFound,
        "receive from a queue that does not exist"
    );
    Ok(())
}

/// Waits for a depth as it should be: exact at once where it is declared; an estimate has time to settle.
async fn until(queue: &Queue, what: &str, so: impl Fn(&Depth) -> bool) -> Verdict {
    let deadline = tokio::time::Instant::now() + WAIT;
    loop {
        let depth = queue.depth().await?;
        if so(&depth) {
            return Ok(());
        }
        let over = queue.capabilities().exact_depth || tokio::time::Instant::now() > deadline;
        ensure!(!over, "{what}, but the depth is {depth:?}");
        tokio::time::sleep(BRIEF).await;
    }
}

/// A queue of three messages, of which one is leased.
async fn one_leased(harness: &Subject) -> Result<Queue, Violation> {
    let queue = open(&**harness).await?;
    queue
        .send_batch((0..3).map(|n| Outgoing::new(n.to_string())).collect())
        .await?;
    next(&queue, LONG).await?;
    Ok(queue)
}

async fn depth(harness: Subject) -> Verdict {
    let queue = one_leased(&harness).await?;
    until(&queue, "3 messages are not done with", |depth| depth.total() == 3).await
}

async fn leased(harness: Subject) -> Verdict {
    let queue = one_leased(&harness).await?;
    until(&queue, "of 3 messages one is leased", |depth| {
        (depth.visible, depth.leased) == (2, Some(1))
    })
    .await
}

/// The negative: a number that is made up would be taken for one that is counted.
async fn leased_untold(harness: Subject) -> Verdict {
    let queue = one_leased(&harness).await?;
    until(&queue, "3 messages are one count", |depth| {
        (depth.visible, depth.leased) == (3, None)
    })
    .await
}

/// A queue of two messages, of which one is delayed.
async fn one_delayed(harness: &Subject) -> Result<Queue, Violation> {
    let queue = open(&**harness).await?;
    let delayed = Outgoing::new("later").delay(Duration::from_secs(30));
    queue.send_batch(vec![Outgoing::new("now"), delayed]).await?;
    Ok(queue)
}

async fn delayed(harness: Subject) -> Verdict {
    let queue = one_delayed(&harness).await?;
    until(&queue, "of 2 messages one is delayed", |depth| {
        (depth.visible, depth.delayed) == (1, Some(1))
    })
    .await
}

/// The negative, also of a queue without delays.
async fn delayed_untold(harness: Subject) -> Verdict {
    let queue = open(&*harness).await?;
    if queue.capabilities().max_delay.is_zero() {
        ensure_fails!(
            queue
                .send(Outgoing::new("later").delay(Duration::from_secs(30)))
                .await,
            Unsupported,
            "a delay where there is none"
        );
        return Ok(());
    }
    let queue = one_delayed(&harness).await?;
    until(&queue, "2 messages are one count", |depth| {
        (depth.visible, depth.delayed) == (2, None)
    })
    .await
}
