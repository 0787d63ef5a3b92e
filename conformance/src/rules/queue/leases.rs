//! Rules of leases: acknowledge, give back, extend, lose.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use nephos_core::resource::queue::Outgoing;

use super::{BRIEF, LONG, SHORT, WAIT, next, open, text, texts};
use crate::harness::Harness;
use crate::rule::{Rule, Verdict, Violation, rule};
use crate::{ensure, ensure_eq, ensure_fails};

type Subject = Arc<dyn Harness>;

pub(in crate::rules) const RULES: &[Rule] = &[
    rule!(
        "queue.ack.deletes",
        "what is done is not done again",
        "Go CDK drivertest",
        AckLost,
        ack
    ),
    rule!(
        "queue.ack.twice-is-fine",
        "an acknowledgement may be repeated when its answer was lost",
        "Go CDK drivertest",
        SecondAckFails,
        ack_twice
    ),
    rule!(
        "queue.nack.redelivers",
        "what failed is tried again, and soon",
        "Go CDK drivertest",
        NackLost,
        nack
    ),
    rule!(
        "queue.nack.waits-its-delay",
        "back-off keeps a failing dependency from being hammered",
        "Nephos",
        DelayIgnored,
        nack_delay
    ),
    rule!(
        "queue.lease.hides",
        "two receivers must not work on one message",
        "Dapr certification",
        LeaseIgnored,
        lease_hides
    ),
    rule!(
        "queue.lease.expires",
        "a receiver that dies loses no message",
        "Dapr certification",
        LeaseForever,
        lease_expires
    ),
    rule!(
        "queue.lease.extends",
        "long work keeps its message",
        "Go CDK drivertest",
        ExtendIgnored,
        extend
    ),
    rule!(
        "queue.lease.extended-receipt-settles",
        "a provider may give another receipt with each change of a lease",
        "Azure Storage Queue Update Message",
        ExtendVoid,
        extended_receipt
    ),
    rule!(
        "queue.lease.stale-receipt-is-a-conflict",
        "who lost the lease must not settle for the new receiver",
        "Nephos",
        StaleReceiptTaken,
        stale
    ),
    rule!(
        "queue.lease.too-long-is-refused",
        "a lease is refused, not cut short",
        "Nephos",
        LimitNotHeld,
        too_long
    ),
    rule!(
        "queue.lease.never-shared",
        "many receivers share the work, not the messages",
        "Dapr certification",
        LeaseIgnored,
        never_shared
    ),
    rule!(
        "queue.attempt.counts-deliveries",
        "a handler gives up, or does it another way, by the attempt",
        "Nephos",
        AttemptAlwaysOne,
        attempts
    ),
    rule!(
        "queue.id.same-on-redelivery",
        "duplicates are told by the id",
        "CloudEvents 1.0",
        IdChanges,
        same_id
    ),
];

async fn ack(harness: Subject) -> Verdict {
    let queue = open(&*harness).await?;
    queue.send("once").await?;
    let received = next(&queue, SHORT).await?;
    queue.ack(&received.receipt).await?;
    harness.pass(SHORT + BRIEF).await;
    ensure_eq!(
        texts(&queue.receive(1, LONG, BRIEF).await?),
        Vec::<String>::new(),
        "messages after the lease of an acknowledged one"
    );
    Ok(())
}

async fn ack_twice(harness: Subject) -> Verdict {
    let queue = open(&*harness).await?;
    queue.send("once").await?;
    let received = next(&queue, LONG).await?;
    queue.ack(&received.receipt).await?;
    queue.ack(&received.receipt).await?;
    Ok(())
}

async fn nack(harness: Subject) -> Verdict {
    let queue = open(&*harness).await?;
    queue.send("again").await?;
    let first = next(&queue, LONG).await?;
    queue.nack(&first.receipt, Duration::ZERO).await?;
    let second = next(&queue, LONG).await?;
    ensure_eq!(
        (text(&second), second.message.attempt),
        ("again".to_owned(), 2),
        "body and attempt after a nack"
    );
    Ok(())
}

async fn nack_delay(harness: Subject) -> Verdict {
    let queue = open(&*harness).await?;
    queue.send("again").await?;
    let first = next(&queue, LONG).await?;
    queue.nack(&first.receipt, SHORT).await?;
    ensure_eq!(
        texts(&queue.receive(1, LONG, Duration::ZERO).await?).len(),
        0,
        "messages before the delay is over"
    );
    harness.pass(SHORT).await;
    ensure_eq!(
        text(&next(&queue, LONG).await?),
        "again",
        "the message after the delay"
    );
    Ok(())
}

async fn lease_hides(harness: Subject) -> Verdict {
    let queue = open(&*harness).await?;
    queue.send("leased").await?;
    next(&queue, LONG).await?;
    ensure_eq!(
        texts(&queue.receive(1, LONG, BRIEF).await?),
        Vec::<String>::new(),
        "what a second receiver gets"
    );
    Ok(())
}

async fn lease_expires(harness: Subject) -> Verdict {
    let queue = open(&*harness).await?;
    queue.send("orphan").await?;
    next(&queue, SHORT).await?;
    harness.pass(SHORT).await;
    let again = next(&queue, LONG).await?;
    ensure_eq!(
        (text(&again), again.message.attempt),
        ("orphan".to_owned(), 2),
        "body and attempt after the lease ran out"
    );
    Ok(())
}

async fn extend(harness: Subject) -> Verdict {
    let queue = open(&*harness).await?;
    queue.send("slow").await?;
    let received = next(&queue, SHORT).await?;
    let extended = queue.extend(&received.receipt, LONG).await?;
    harness.pass(SHORT + BRIEF).await;
    ensure_eq!(
        texts(&queue.receive(1, LONG, BRIEF).await?).len(),
        0,
        "messages while the extended lease goes on"
    );
    queue.ack(&extended).await?;
    Ok(())
}

async fn extended_receipt(harness: Subject) -> Verdict {
    let queue = open(&*harness).await?;
    queue.send("slow").await?;
    let received = next(&queue, SHORT).await?;
    let once = queue.extend(&received.receipt, SHORT).await?;
    let twice = queue.extend(&once, SHORT).await?;
    queue.ack(&twice).await?;
    harness.pass(SHORT + BRIEF).await;
    ensure_eq!(
        texts(&queue.receive(1, LONG, BRIEF).await?).len(),
        0,
        "messages after the acknowledgement by the extended lease's receipt"
    );
    Ok(())
}

async fn stale(harness: Subject) -> Verdict {
    let queue = open(&*harness).await?;
    queue.send("contested").await?;
    let first = next(&queue, SHORT).await?;
    harness.pass(SHORT).await;
    let second = next(&queue, LONG).await?;
    ensure_fails!(
        queue.ack(&first.receipt).await,
        Conflict,
        "ack by the receiver that lost the lease"
    );
    ensure_fails!(
        queue.nack(&first.receipt, Duration::ZERO).await,
        Conflict,
        "nack by the receiver that lost the lease"
    );
    ensure_fails!(
        queue.extend(&first.receipt, LONG).await,
        Conflict,
        "extend by the receiver that lost the lease"
    );
    ensure_eq!(
        queue.receive(1, LONG, BRIEF).await?.len(),
        0,
        "messages while the second receiver has it"
    );
    queue.ack(&second.receipt).await?;
    ensure_fails!(
        queue.extend(&second.receipt, LONG).await,
        Conflict,
        "extend after the message is gone"
    );
    Ok(())
}

async fn too_long(harness: Subject) -> Verdict {
    let queue = open(&*harness).await?;
    queue.send("x").await?;
    let lease = queue.capabilities().max_visibility_timeout + Duration::from_secs(1);
    ensure_fails!(
        queue.receive(1, lease, Duration::ZERO).await,
        Unsupported,
        "a lease of {lease:?}"
    );
    Ok(())
}

async fn never_shared(harness: Subject) -> Verdict {
    const MESSAGES: usize = 40;
    let queue = open(&*harness).await?;
    queue
        .send_batch((0..MESSAGES).map(|n| Outgoing::new(n.to_string())).collect())
        .await?;
    let receivers = (0..4).map(|_| {
        let queue = queue.clone();
        tokio::spawn(async move {
            let mut mine = Vec::new();
            loop {
                let received = queue.receive(3, LONG, BRIEF).await?;
                if received.is_empty() || mine.len() > MESSAGES {
                    return Ok::<_, nephos_core::Error>(mine);
                }
                mine.extend(texts(&received));
            }
        })
    });
    let mut times: BTreeMap<String, usize> = BTreeMap::new();
    for receiver in futures::future::join_all(receivers).await {
        for body in receiver.map_err(Violation::new)?? {
            *times.entry(body).or_default() += 1;
        }
    }
    let shared: Vec<_> = times.iter().filter(|(_, times)| **times > 1).collect();
    ensure!(
        shared.is_empty(),
        "messages that more than one receiver had: {shared:?}"
    );
    ensure_eq!(times.len(), MESSAGES, "messages received");
    Ok(())
}

async fn attempts(harness: Subject) -> Verdict {
    let queue = open(&*harness).await?;
    queue.send("again and again").await?;
    for attempt in 1..=4 {
        let received = next(&queue, LONG).await?;
        ensure_eq!(
            received.message.attempt,
            attempt,
            "the attempt of delivery number {attempt}"
        );
        queue.nack(&received.receipt, Duration::ZERO).await?;
    }
    Ok(())
}

async fn same_id(harness: Subject) -> Verdict {
    let queue = open(&*harness).await?;
    let id = queue.send("again").await?;
    for delivery in 1..=3 {
        let received = queue.receive(1, LONG, WAIT).await?;
        let Some(received) = received.first() else {
            return Err(Violation::new(format!("no delivery number {delivery}")));
        };
        ensure_eq!(received.message.id, id, "the id of delivery number {delivery}");
        queue.nack(&received.receipt, Duration::ZERO).await?;
    }
    Ok(())
}
