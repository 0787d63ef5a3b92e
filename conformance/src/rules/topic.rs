//! Rules of topics; that notifications reach every subscriber is in the semantics.

use std::collections::BTreeSet;
use std::sync::Arc;

use nephos_core::resource::topic::Publication;

use crate::harness::Harness;
use crate::rule::{Rule, Verdict, rule};
use crate::{ensure, ensure_eq, ensure_fails};

type Subject = Arc<dyn Harness>;

pub(in crate::rules) const RULES: &[Rule] = &[
    rule!(
        "topic.publish.returns-ids",
        "a publisher logs what it published",
        "Go CDK drivertest",
        IdsSame,
        ids
    ),
    rule!(
        "topic.publish.any-number",
        "a driver splits what its provider limits",
        "Go CDK drivertest",
        BatchLosesLast,
        many
    ),
    rule!(
        "topic.publish.too-large-is-refused",
        "a notification is refused before it is sent, with what to do",
        "Nephos",
        LimitNotHeld,
        too_large
    ),
];

async fn ids(harness: Subject) -> Verdict {
    let topic = harness.topic().await?;
    let (first, second) = (topic.publish("a").await?, topic.publish("a").await?);
    ensure!(
        !first.is_empty() && first != second,
        "two notifications have the ids {first:?} and {second:?}"
    );
    Ok(())
}

async fn many(harness: Subject) -> Verdict {
    let topic = harness.topic().await?;
    let ids = topic
        .publish_batch((0..35).map(|n| Publication::new(n.to_string())).collect())
        .await?;
    ensure_eq!(ids.len(), 35, "ids of 35 notifications");
    ensure_eq!(ids.iter().collect::<BTreeSet<_>>().len(), 35, "different ids");
    Ok(())
}

async fn too_large(harness: Subject) -> Verdict {
    let topic = harness.topic().await?;
    let size = topic.capabilities().max_message_bytes + 1;
    ensure_fails!(
        topic.publish("x".repeat(size)).await,
        ResourceExhausted,
        "a notification of {size} bytes"
    );
    Ok(())
}
