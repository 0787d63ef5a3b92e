//! Rules of the other triggers: topics and buckets.

use std::sync::Arc;

use nephos_core::app::{App, BucketSpec, ObjectEventKind, Resource, TopicSpec, Trigger};
use nephos_core::resource::topic::Publication;
use serde_json::json;

use super::scene::play;
use super::tries;
use crate::harness::{Capabilities, Harness};
use crate::probe::{self, Act, Command};
use crate::rule::{Rule, Verdict, rule};
use crate::{ensure, ensure_eq, ensure_fails};

type Subject = Arc<dyn Harness>;

fn attributes(capabilities: &Capabilities) -> bool {
    capabilities.topic.attributes
}

pub(in crate::rules) const RULES: &[Rule] = &[
    rule!(
        "semantics.topic.reaches-every-subscriber",
        "a notification is for all who asked",
        "Go CDK drivertest",
        OneSubscriber,
        fan_out
    ),
    rule!(
        "semantics.topic.subscribers-fail-alone",
        "one subscriber's failure is not another's",
        "Dapr certification",
        FailureShared,
        fail_alone
    ),
    rule!("semantics.topic.filter", "a subscriber sees only what it asked for", "SNS documentation", FilterDropped, filter, needs attributes, filter_refused),
    rule!(
        "semantics.bucket.created-by-prefix-and-suffix",
        "a function sees only the objects that it asked for",
        "S3 notification documentation",
        FilterDropped,
        created
    ),
    rule!(
        "semantics.bucket.deleted",
        "a deletion is an event of its own",
        "S3 notification documentation",
        FilterDropped,
        deleted
    ),
    rule!("semantics.bucket.failure-is-retried", "an object whose handling fails is not forgotten; where a handler is not told which try it is, each is the first", "DESIGN, semantics", OneAttempt, retried, needs tries, retried_untold, kills AttemptMadeUp),
];

fn topic(filter: &[(&str, &str)]) -> App {
    let mut app = probe::app();
    app.resources
        .insert("news".to_owned(), Resource::Topic(TopicSpec::default()));
    let filter = filter
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect();
    let all = Trigger::Topic {
        topic: "news".to_owned(),
        filter: std::collections::BTreeMap::new(),
    };
    let some = Trigger::Topic {
        topic: "news".to_owned(),
        filter,
    };
    app.functions
        .insert("notified".to_owned(), probe::function([all]));
    app.functions
        .insert("notified-too".to_owned(), probe::function([some]));
    app
}

async fn fan_out(harness: Subject) -> Verdict {
    play(&harness, topic(&[]), |scene| {
        Box::pin(async move {
            let id = scene
                .resources()
                .topic("news")?
                .publish_json(&Command::ok("a"))
                .await?;
            scene.settle(|scene| scene.seen.len() >= 2).await?;
            let mut functions: Vec<_> = scene.of("a").iter().map(|seen| seen.function.as_str()).collect();
            functions.sort_unstable();
            ensure_eq!(
                functions,
                ["notified", "notified-too"],
                "functions that saw the notification"
            );
            ensure!(
                scene.seen.iter().all(|seen| seen.id == id),
                "published as {id}, seen as {:?}",
                scene.seen
            );
            Ok(())
        })
    })
    .await
}

async fn fail_alone(harness: Subject) -> Verdict {
    let mut app = topic(&[]);
    // The same notification: one function is told by its environment to fail where the other does not.
    if let Some(function) = app.functions.get_mut("notified") {
        function
            .env
            .insert("PROBE_IGNORES_ACT".to_owned(), "1".to_owned());
    }
    play(&harness, app, |scene| {
        Box::pin(async move {
            scene
                .resources()
                .topic("news")?
                .publish_json(&Command::new("a", Act::Retry, 2))
                .await?;
            scene
                .finally("four invocations", |scene| {
                    scene.seen.len() >= 4 || !scene.dead.is_empty()
                })
                .await?;
            let times = |function: &str| scene.seen.iter().filter(|seen| seen.function == function).count();
            ensure_eq!(
                (times("notified"), times("notified-too")),
                (1, 3),
                "invocations of the one that works and the one that fails twice"
            );
            Ok(())
        })
    })
    .await
}

async fn filter(harness: Subject) -> Verdict {
    play(
        &harness,
        topic(&[("tenant", "blue"), ("kind", "order")]),
        |scene| {
            Box::pin(async move {
                let batch = [
                    ("a", &[][..]),
                    ("b", &[("tenant", "blue")]),
                    ("c", &[("tenant", "blue"), ("kind", "order"), ("more", "1")]),
                    ("d", &[("tenant", "red"), ("kind", "order")]),
                ];
                let mut publications = Vec::new();
                for (tag, attributes) in batch {
                    let mut publication = Publication::json(&Command::ok(tag))?;
                    for (name, value) in attributes {
                        publication = publication.attribute(*name, *value);
                    }
                    publications.push(publication);
                }
                scene
                    .resources()
                    .topic("news")?
                    .publish_batch(publications)
                    .await?;
                scene
                    .finally("five invocations", |scene| scene.seen.len() >= 5)
                    .await?;
                let of = |function: &str| {
                    let mut tags: Vec<_> = scene
                        .seen
                        .iter()
                        .filter(|seen| seen.function == function)
                        .map(|seen| seen.tag.as_str())
                        .collect();
                    tags.sort_unstable();
                    tags
                };
                ensure_eq!(
                    of("notified"),
                    ["a", "b", "c", "d"],
                    "what a subscriber without filter sees"
                );
                ensure_eq!(of("notified-too"), ["c"], "what a subscriber with a filter sees");
                Ok(())
            })
        },
    )
    .await
}

async fn filter_refused(harness: Subject) -> Verdict {
    let topic = harness.topic().await?;
    let publication = Publication::new("x").attribute("tenant", "blue");
    ensure_fails!(
        topic.publish(publication).await,
        Unsupported,
        "attributes where none are carried"
    );
    Ok(())
}

fn bucket(event: ObjectEventKind, prefix: &str, suffix: &str) -> App {
    let mut app = probe::app();
    app.resources
        .insert("photos".to_owned(), Resource::Bucket(BucketSpec::default()));
    let on = Trigger::Bucket {
        bucket: "photos".to_owned(),
        event,
        prefix: prefix.to_owned(),
        suffix: suffix.to_owned(),
    };
    app.functions.insert("stored".to_owned(), probe::function([on]));
    app
}

async fn created(harness: Subject) -> Verdict {
    play(
        &harness,
        bucket(ObjectEventKind::Created, "in/", ".jpg"),
        |scene| {
            Box::pin(async move {
                let photos = scene.resources().bucket("photos")?;
                for key in ["in/a.png", "out/a.jpg", "in/ä b%20+.jpg", "in/b.jpg"] {
                    photos.put(key, "12345").await?;
                }
                photos.delete("out/a.jpg").await?;
                scene
                    .finally("two objects", |scene| scene.seen.len() >= 2)
                    .await?;
                let mut keys: Vec<_> = scene.order();
                keys.sort_unstable();
                ensure_eq!(keys, ["in/b.jpg", "in/ä b%20+.jpg"], "keys that the function saw");
                ensure_eq!(
                    scene.of("in/b.jpg")[0].note,
                    json!({"kind": "created", "bucket": "photos", "size": 5}),
                    "what it saw"
                );
                Ok(())
            })
        },
    )
    .await
}

async fn deleted(harness: Subject) -> Verdict {
    play(&harness, bucket(ObjectEventKind::Deleted, "", ""), |scene| {
        Box::pin(async move {
            let photos = scene.resources().bucket("photos")?;
            photos.put("a", "1").await?;
            photos.put("b", "1").await?;
            photos.delete("a").await?;
            scene
                .finally("the deletion", |scene| {
                    scene.seen.iter().any(|seen| seen.note["kind"] == "deleted")
                })
                .await?;
            ensure_eq!(scene.order(), ["a"], "keys that a function for deletions saw");
            Ok(())
        })
    })
    .await
}

async fn stored_again(harness: Subject, attempts: &'static [u32]) -> Verdict {
    play(&harness, bucket(ObjectEventKind::Created, "", ""), move |scene| {
        Box::pin(async move {
            scene.resources().bucket("photos")?.put("fail-once", "1").await?;
            scene
                .settle(|scene| scene.seen.len() >= attempts.len() || !scene.dead.is_empty())
                .await?;
            ensure_eq!(
                scene.attempts("fail-once"),
                attempts,
                "attempts of an object whose handling fails on the first"
            );
            let ids: Vec<_> = scene.seen.iter().map(|seen| seen.id.as_str()).collect();
            ensure!(
                ids.windows(2).all(|pair| pair[0] == pair[1]),
                "redeliveries have the ids {ids:?}"
            );
            Ok(())
        })
    })
    .await
}

async fn retried(harness: Subject) -> Verdict {
    stored_again(harness, &[1, 2]).await
}

/// The negative: each try is the first, and fails as the first.
async fn retried_untold(harness: Subject) -> Verdict {
    stored_again(harness, &[1, 1, 1]).await
}
