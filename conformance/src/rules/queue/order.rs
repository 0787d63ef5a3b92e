//! Rules of ordering groups.

use std::sync::Arc;
use std::time::Duration;

use nephos_core::resource::queue::Outgoing;

use super::{BRIEF, LONG, SHORT, drain, next, open, ordered, text, texts};
use crate::harness::{Capabilities, Harness};
use crate::rule::{Rule, Verdict, rule};
use crate::{ensure_eq, ensure_fails};

type Subject = Arc<dyn Harness>;

fn declared(capabilities: &Capabilities) -> bool {
    capabilities.ordered_queues && capabilities.ordered_receive
}

pub(in crate::rules) const RULES: &[Rule] = &[
    rule!("queue.group.keeps-order", "an order's update must not overtake its creation", "Dapr certification", GroupReversed, order, needs declared, refused),
    rule!("queue.group.blocks-behind-a-lease", "one group is handled one after the other", "Dapr certification", GroupIgnored, blocks, needs declared, refused),
    rule!("queue.group.blocks-behind-a-nack", "what failed is tried again before what follows it", "Dapr certification", GroupIgnored, blocks_nacked, needs declared, refused),
];

fn message(group: &str, body: &str) -> Outgoing {
    Outgoing::new(body).group(group)
}

/// The negative: no group is taken where none are kept; and where they are, but no function can receive, it is told so.
async fn refused(harness: Subject) -> Verdict {
    let capabilities = Capabilities::of_groups(&*harness, &["queue"]).await?;
    if capabilities.ordered_queues {
        let queue = ordered(&*harness).await?;
        ensure_fails!(
            queue.receive(1, LONG, BRIEF).await,
            Unsupported,
            "a message of an ordered queue where none can be received"
        );
        return Ok(());
    }
    let queue = open(&*harness).await?;
    ensure_fails!(
        queue.send(message("g", "x")).await,
        Unsupported,
        "a group where none are kept"
    );
    Ok(())
}

async fn order(harness: Subject) -> Verdict {
    let queue = ordered(&*harness).await?;
    queue
        .send_batch(
            (0..12)
                .map(|n| message(if n % 2 == 0 { "even" } else { "odd" }, &format!("{n:02}")))
                .collect(),
        )
        .await?;
    let received = drain(&queue).await?;
    for (group, expected) in [
        ("even", ["00", "02", "04", "06", "08", "10"]),
        ("odd", ["01", "03", "05", "07", "09", "11"]),
    ] {
        let of: Vec<_> = received
            .iter()
            .filter(|one| one.message.group.as_deref() == Some(group))
            .map(text)
            .collect();
        ensure_eq!(of, expected, "messages of the group `{group}`, as received");
    }
    Ok(())
}

async fn blocks(harness: Subject) -> Verdict {
    let queue = ordered(&*harness).await?;
    queue
        .send_batch(vec![message("a", "a1"), message("a", "a2")])
        .await?;
    let first = next(&queue, LONG).await?;
    ensure_eq!(text(&first), "a1", "the head of the group");
    ensure_eq!(
        texts(&queue.receive(10, LONG, BRIEF).await?),
        Vec::<String>::new(),
        "messages of a group whose head is leased"
    );
    queue.send(message("b", "b1")).await?;
    ensure_eq!(text(&next(&queue, LONG).await?), "b1", "another group meanwhile");
    queue.ack(&first.receipt).await?;
    ensure_eq!(
        text(&next(&queue, LONG).await?),
        "a2",
        "the next of the group when its head is acknowledged"
    );
    Ok(())
}

async fn blocks_nacked(harness: Subject) -> Verdict {
    let queue = ordered(&*harness).await?;
    queue
        .send_batch(vec![message("a", "a1"), message("a", "a2")])
        .await?;
    let first = next(&queue, LONG).await?;
    queue.nack(&first.receipt, SHORT).await?;
    ensure_eq!(
        texts(&queue.receive(10, LONG, Duration::ZERO).await?),
        Vec::<String>::new(),
        "messages of a group whose head waits for its next try"
    );
    harness.pass(SHORT).await;
    ensure_eq!(
        texts(&drain(&queue).await?),
        ["a1", "a2"],
        "the group after the wait"
    );
    Ok(())
}
