//! Rules of topics; that notifications reach every subscriber is in the semantics.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use nephos_core::app::{Resource, TopicSpec, Trigger};
use nephos_core::resource::topic::Publication;

use super::semantics::scene::play;
use crate::harness::Harness;
use crate::probe::{self, Command};
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
    const NUMBER: usize = 35;
    let mut app = probe::app();
    app.resources
        .insert("news".to_owned(), Resource::Topic(TopicSpec::default()));
    let on = Trigger::Topic {
        topic: "news".to_owned(),
        filter: BTreeMap::new(),
    };
    app.functions.insert("notified".to_owned(), probe::function([on]));
    play(&harness, app, |scene| {
        Box::pin(async move {
            let sent: BTreeSet<String> = (0..NUMBER).map(|n| n.to_string()).collect();
            let batch = sent
                .iter()
                .map(|tag| Publication::json(&Command::ok(tag)))
                .collect::<Result<_, _>>()?;
            let ids = scene.resources().topic("news")?.publish_batch(batch).await?;
            ensure_eq!(ids.len(), NUMBER, "ids of {NUMBER} notifications");
            ensure_eq!(ids.iter().collect::<BTreeSet<_>>().len(), NUMBER, "different ids");
            // Those that do not come are told by name, not by a wait that was in vain.
            scene.settle(|scene| scene.seen.len() >= NUMBER).await?;
            let seen: BTreeSet<String> = scene.seen.iter().map(|seen| seen.tag.clone()).collect();
            let lost: Vec<_> = sent.difference(&seen).collect();
            ensure!(lost.is_empty(), "notifications that did not arrive: {lost:?}");
            ensure_eq!(scene.seen.len(), NUMBER, "notifications that arrived");
            Ok(())
        })
    })
    .await
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
