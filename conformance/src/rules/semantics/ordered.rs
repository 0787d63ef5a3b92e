//! Rules of order under failure: groups of a queue, streams, changes of a table.

use std::sync::Arc;

use nephos_core::app::{App, QueueSpec, Resource, StreamSpec, TableSpec, Trigger};
use nephos_core::event::ChangeKind;
use nephos_core::resource::stream::Append;
use nephos_core::resource::table::TableSchema;
use serde_json::{Value, json};

use super::jobs;
use super::scene::{Scene, play};
use crate::harness::{Capabilities, Harness};
use crate::probe::{self, Act, Command};
use crate::rule::{Rule, Verdict, Violation, rule};
use crate::{ensure, ensure_eq, ensure_fails};

type Subject = Arc<dyn Harness>;

fn groups(capabilities: &Capabilities) -> bool {
    capabilities.ordered_queues
}

pub(in crate::rules) const RULES: &[Rule] = &[
    rule!("semantics.group.keeps-order-under-failure", "what failed is tried again before what follows it", "Dapr certification", GroupIgnored, group, needs groups, group_refused),
    rule!(
        "semantics.stream.in-order",
        "a device's readings are handled in order",
        "Kinesis documentation",
        OrderReversed,
        stream_order
    ),
    rule!(
        "semantics.stream.stops-at-the-first-failure",
        "a record must not overtake one that failed",
        "Kinesis documentation",
        OrderReversed,
        stream_stops
    ),
    rule!(
        "semantics.stream.goes-on-behind-a-dead-letter",
        "one bad record must not stop a stream for ever",
        "Kinesis documentation",
        OrderReversed,
        stream_goes_on
    ),
    rule!(
        "semantics.stream.gives-up-only-what-was-tried",
        "a record that waited behind a bad one has done nothing wrong",
        "Kinesis documentation",
        OrderReversed,
        stream_gives_up
    ),
    rule!(
        "semantics.table.changes-in-order-with-images",
        "a view is built from what was and what is",
        "DynamoDB Streams documentation",
        BodyTruncated,
        changes
    ),
    rule!(
        "semantics.table.only-the-kinds-asked-for",
        "a function that counts new items sees no updates",
        "DynamoDB Streams documentation",
        FilterDropped,
        change_kinds
    ),
    rule!(
        "semantics.table.stops-at-the-first-failure",
        "a change must not overtake one that failed",
        "DynamoDB Streams documentation",
        OneAttempt,
        table_stops
    ),
];

async fn group_refused(harness: Subject) -> Verdict {
    let queue = harness.queue(QueueSpec::default()).await?;
    ensure_fails!(
        queue.send(super::outgoing(&Command::ok("a"))?.group("g")).await,
        Unsupported,
        "a group where none are kept"
    );
    Ok(())
}

async fn group(harness: Subject) -> Verdict {
    let mut app = jobs("worker", 5, |function| function.max_instances = 4);
    app.resources.insert(
        "jobs".to_owned(),
        Resource::Queue(QueueSpec {
            ordered: true,
            ..QueueSpec::default()
        }),
    );
    play(&harness, app, |scene| {
        Box::pin(async move {
            let commands = [
                Command::ok("a1"),
                Command::new("a2", Act::Retry, 2),
                Command::ok("a3"),
            ];
            let batch = commands
                .iter()
                .map(|command| Ok(super::outgoing(command)?.group("a")))
                .collect::<Result<_, Violation>>()?;
            scene.resources().queue("jobs")?.send_batch(batch).await?;
            scene.finally("all three", |scene| scene.seen.len() >= 5).await?;
            ensure_eq!(
                scene.order(),
                ["a1", "a2", "a2", "a2", "a3"],
                "the order of a group whose second fails twice"
            );
            Ok(())
        })
    })
    .await
}

fn stream() -> App {
    let mut app = probe::app();
    app.resources
        .insert("readings".to_owned(), Resource::Stream(StreamSpec::default()));
    let on = Trigger::Stream {
        stream: "readings".to_owned(),
        batch: 10,
    };
    app.functions.insert("reader".to_owned(), probe::function([on]));
    app
}

async fn append(scene: &Scene, commands: &[Command]) -> Verdict {
    let records = commands
        .iter()
        .map(|command| Ok(Append::new("device", nephos_core::event::Payload::json(command)?)))
        .collect::<Result<_, Violation>>()?;
    scene
        .resources()
        .stream("readings")?
        .append_batch(records)
        .await?;
    Ok(())
}

async fn stream_order(harness: Subject) -> Verdict {
    play(&harness, stream(), |scene| {
        Box::pin(async move {
            let tags: Vec<String> = (0..12).map(|n| format!("{n:02}")).collect();
            append(scene, &tags.iter().map(Command::ok).collect::<Vec<_>>()).await?;
            scene
                .finally("12 records", |scene| scene.seen.len() >= 12)
                .await?;
            ensure_eq!(scene.order(), tags, "the order in which records were handled");
            Ok(())
        })
    })
    .await
}

async fn stream_stops(harness: Subject) -> Verdict {
    play(&harness, stream(), |scene| {
        Box::pin(async move {
            append(
                scene,
                &[
                    Command::ok("a"),
                    Command::new("b", Act::Retry, 1),
                    Command::ok("c"),
                ],
            )
            .await?;
            scene
                .finally("all three", |scene| {
                    !scene.of("c").is_empty() && scene.of("b").len() >= 2
                })
                .await?;
            ensure_eq!(
                scene.order(),
                ["a", "b", "b", "c"],
                "the order of records whose second fails once"
            );
            Ok(())
        })
    })
    .await
}

async fn stream_goes_on(harness: Subject) -> Verdict {
    play(&harness, stream(), |scene| {
        Box::pin(async move {
            append(
                scene,
                &[
                    Command::ok("a"),
                    Command::new("b", Act::Retry, 0),
                    Command::ok("c"),
                ],
            )
            .await?;
            scene
                .finally("the record behind the bad one", |scene| {
                    !scene.of("c").is_empty() && !scene.dead.is_empty()
                })
                .await?;
            ensure_eq!(
                scene.order(),
                ["a", "b", "b", "b", "c"],
                "the order of records whose second always fails"
            );
            let dead = scene.dead_letter()?;
            ensure!(
                dead.body.contains("\"b\""),
                "the dead letter holds the record; {}",
                scene.story()
            );
            ensure_eq!(
                (dead.fact("nephos-attempts"), dead.fact("nephos-function")),
                ("3", "reader"),
                "attempts and function"
            );
            Ok(())
        })
    })
    .await
}

async fn stream_gives_up(harness: Subject) -> Verdict {
    let mut app = stream();
    for function in app.functions.values_mut() {
        function.retry.attempts = 1;
    }
    play(&harness, app, |scene| {
        Box::pin(async move {
            let (bad, good) = (Command::new("b", Act::Retry, 0), Command::ok("c"));
            append(scene, &[Command::ok("a"), bad, good]).await?;
            scene
                .settle(|scene| scene.seen.len() >= 3 && !scene.dead.is_empty())
                .await?;
            ensure_eq!(
                scene.order(),
                ["a", "b", "c"],
                "the order of records that are tried once, of which the second fails"
            );
            let dead = scene.dead_letter()?;
            ensure!(
                dead.body.contains("\"b\""),
                "the dead letter holds the record that failed; {}",
                scene.story()
            );
            Ok(())
        })
    })
    .await
}

fn table(kinds: &[ChangeKind]) -> App {
    let mut app = probe::app();
    let schema = TableSchema {
        key: "id".to_owned(),
        sort: None,
        ttl: None,
    };
    app.resources
        .insert("items".to_owned(), Resource::Table(TableSpec { schema }));
    let on = Trigger::Table {
        table: "items".to_owned(),
        events: kinds.iter().copied().collect(),
        batch: 10,
    };
    app.functions.insert("changed".to_owned(), probe::function([on]));
    app
}

const ALL: [ChangeKind; 3] = [ChangeKind::Inserted, ChangeKind::Modified, ChangeKind::Removed];

async fn changes(harness: Subject) -> Verdict {
    play(&harness, table(&ALL), |scene| {
        Box::pin(async move {
            let items = scene.resources().table("items")?;
            items.put(&json!({"id": "a", "n": 1})).await?;
            items.put(&json!({"id": "a", "n": 2})).await?;
            items.delete("a").await?;
            scene
                .finally("three changes", |scene| scene.seen.len() >= 3)
                .await?;
            let notes: Vec<&Value> = scene.seen.iter().map(|seen| &seen.note).collect();
            let (first, second) = (json!({"id": "a", "n": 1}), json!({"id": "a", "n": 2}));
            let expected = [
                json!({"kind": "inserted", "key": "a", "old": null, "new": first}),
                json!({"kind": "modified", "key": "a", "old": first, "new": second}),
                json!({"kind": "removed", "key": "a", "old": second, "new": null}),
            ];
            ensure_eq!(
                notes,
                expected.iter().collect::<Vec<_>>(),
                "changes with their images"
            );
            Ok(())
        })
    })
    .await
}

async fn change_kinds(harness: Subject) -> Verdict {
    play(&harness, table(&[ChangeKind::Removed]), |scene| {
        Box::pin(async move {
            let items = scene.resources().table("items")?;
            items.put(&json!({"id": "a"})).await?;
            items.put(&json!({"id": "a", "n": 2})).await?;
            items.delete("a").await?;
            scene
                .finally("the removal", |scene| {
                    scene.seen.iter().any(|seen| seen.note["kind"] == "removed")
                })
                .await?;
            ensure_eq!(scene.seen.len(), 1, "changes that a function for removals sees");
            Ok(())
        })
    })
    .await
}

async fn table_stops(harness: Subject) -> Verdict {
    play(&harness, table(&ALL), |scene| {
        Box::pin(async move {
            let items = scene.resources().table("items")?;
            for (id, act) in [("a", Act::Ok), ("b", Act::Retry), ("c", Act::Ok)] {
                items
                    .put(&json!({"id": id, "command": Command::new(id, act, 1)}))
                    .await?;
            }
            scene.settle(|scene| !scene.of("c").is_empty()).await?;
            ensure_eq!(
                scene.order(),
                ["a", "b", "b", "c"],
                "the order of changes whose second fails once"
            );
            Ok(())
        })
    })
    .await
}
