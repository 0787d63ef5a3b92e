//! Rules of a table's changes: what its function is told of them, in which order, and what a failure holds up.

use std::sync::Arc;

use nephos_core::ErrorKind;
use nephos_core::app::{App, Resource, TableSpec, Trigger};
use nephos_core::event::ChangeKind;
use nephos_core::resource::table::TableSchema;
use serde_json::{Value, json};

use super::scene::{Scene, play};
use super::tries;
use crate::harness::{Capabilities, Harness};
use crate::probe::{self, Act, Command};
use crate::rule::{Rule, Verdict, Violation, rule};
use crate::{ensure, ensure_eq};

type Subject = Arc<dyn Harness>;

fn each(capabilities: &Capabilities) -> bool {
    capabilities.host.changes_each
}

fn removed(capabilities: &Capabilities) -> bool {
    capabilities.host.changes_removed
}

fn old(capabilities: &Capabilities) -> bool {
    capabilities.host.changes_old
}

fn kinds(capabilities: &Capabilities) -> bool {
    capabilities.host.changes_kinds_told
}

pub(in crate::rules) const RULES: &[Rule] = &[
    rule!("semantics.table.changes-in-order-with-images", "a view is built from what is, and must end at the last; where not each change is told, the last of an item is", "DynamoDB Streams documentation; Azure Cosmos DB documentation, change feed modes", BodyTruncated, in_order, needs each, in_order_untold, kills BodyTruncated),
    rule!("semantics.table.removals-are-told", "what is gone must leave the view too", "DynamoDB Streams documentation; Azure Cosmos DB documentation, change feed modes", DeleteIgnored, removal, needs removed, removal_untold, kills DeleteWrites),
    rule!("semantics.table.old-images-are-told", "what changed is told by what was", "DynamoDB Streams documentation; Azure Cosmos DB documentation, change feed modes", OldLost, old_image, needs old, old_untold),
    rule!("semantics.table.kinds-are-told", "a counter of new items must not count updates", "DynamoDB Streams documentation; Azure Cosmos DB documentation, change feed modes", KindConfused, kinds_told, needs kinds, kinds_untold, kills KindConfused),
    rule!("semantics.table.only-the-kinds-asked-for", "a function that counts removals sees no updates; where no removals are told, one that waits for them is refused, or waits", "DynamoDB Streams documentation", FilterDropped, asked_for, needs removed, asked_for_untold, kills FilterDropped),
    rule!("semantics.table.stops-at-the-first-failure", "a change must not overtake one that failed; where a handler is not told which try it is, the one here fails on all of them", "DynamoDB Streams documentation", OneAttempt, stops, needs tries, stops_untold, kills OneAttempt),
];

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

async fn put(scene: &Scene, n: u32) -> Verdict {
    scene
        .resources()
        .table("items")?
        .put(&json!({"id": "a", "n": n}))
        .await?;
    Ok(())
}

/// What the function was told, one after the other.
fn notes(scene: &Scene) -> Vec<&Value> {
    scene.seen.iter().map(|seen| &seen.note).collect()
}

async fn in_order(harness: Subject) -> Verdict {
    play(&harness, table(&ALL), |scene| {
        Box::pin(async move {
            for n in 1..=3 {
                put(scene, n).await?;
            }
            scene
                .finally("three changes", |scene| scene.seen.len() >= 3)
                .await?;
            let told: Vec<_> = notes(scene)
                .iter()
                .map(|note| (note["key"].clone(), note["new"].clone()))
                .collect();
            let expected = [1, 2, 3].map(|n| (json!("a"), json!({"id": "a", "n": n})));
            ensure_eq!(told, expected, "keys and items of three changes");
            Ok(())
        })
    })
    .await
}

/// The negative: some may be left out, but not the last, and none comes after a later one.
async fn in_order_untold(harness: Subject) -> Verdict {
    play(&harness, table(&ALL), |scene| {
        Box::pin(async move {
            for n in 1..=3 {
                put(scene, n).await?;
            }
            let number = |note: &Value| note["new"]["n"].as_u64();
            scene
                .finally("the last change", |scene| {
                    notes(scene).iter().any(|note| number(note) == Some(3))
                })
                .await?;
            let told: Vec<_> = notes(scene).into_iter().map(number).collect();
            ensure!(
                told.is_sorted() && told.first().is_some_and(Option::is_some),
                "changes of one item came as {told:?}"
            );
            Ok(())
        })
    })
    .await
}

async fn removal(harness: Subject) -> Verdict {
    play(&harness, table(&ALL), |scene| {
        Box::pin(async move {
            put(scene, 1).await?;
            scene.until("the item", |scene| !scene.seen.is_empty()).await?;
            scene.resources().table("items")?.delete("a").await?;
            scene
                .finally("the removal", |scene| scene.seen.len() >= 2)
                .await?;
            let told: Vec<_> = notes(scene)[1..]
                .iter()
                .map(|note| (&note["kind"], &note["key"], &note["new"]))
                .collect();
            ensure_eq!(
                told,
                [(&json!("removed"), &json!("a"), &Value::Null)],
                "kind, key and item of a removal"
            );
            Ok(())
        })
    })
    .await
}

/// The negative: nothing is told of a removal, neither as such nor as something else.
async fn removal_untold(harness: Subject) -> Verdict {
    play(&harness, table(&ALL), |scene| {
        Box::pin(async move {
            put(scene, 1).await?;
            scene.until("the item", |scene| !scene.seen.is_empty()).await?;
            scene.resources().table("items")?.delete("a").await?;
            scene.settle(|scene| scene.seen.len() > 1).await?;
            ensure_eq!(scene.seen.len(), 1, "changes of an item that came and went");
            Ok(())
        })
    })
    .await
}

/// What a function is told of an item that is new, and then changed.
async fn new_and_changed(
    harness: Subject,
    check: impl FnOnce(&Value, &Value) -> Verdict + Send + 'static,
) -> Verdict {
    play(&harness, table(&ALL), |scene| {
        Box::pin(async move {
            put(scene, 1).await?;
            // Where not each change is told, the second would take the place of the first.
            scene.until("the item", |scene| !scene.seen.is_empty()).await?;
            put(scene, 2).await?;
            scene.finally("the change", |scene| scene.seen.len() >= 2).await?;
            match notes(scene).as_slice() {
                [new, changed] => check(new, changed),
                _ => Err(Violation::new(format!("two changes are due; {}", scene.story()))),
            }
        })
    })
    .await
}

async fn old_image(harness: Subject) -> Verdict {
    new_and_changed(harness, |new, changed| {
        ensure_eq!(
            (&new["old"], &changed["old"]),
            (&Value::Null, &json!({"id": "a", "n": 1})),
            "the items before an insertion and a modification"
        );
        Ok(())
    })
    .await
}

/// The negative: an item that is made up would be compared with.
async fn old_untold(harness: Subject) -> Verdict {
    new_and_changed(harness, |new, changed| {
        ensure_eq!(
            (&new["old"], &changed["old"]),
            (&Value::Null, &Value::Null),
            "the items before two changes where none are told"
        );
        Ok(())
    })
    .await
}

async fn kinds_told(harness: Subject) -> Verdict {
    new_and_changed(harness, |new, changed| {
        ensure_eq!(
            (&new["kind"], &changed["kind"]),
            (&json!("inserted"), &json!("modified")),
            "the kinds of an insertion and a modification"
        );
        Ok(())
    })
    .await
}

/// The negative: what is written may be new or not, but is not gone.
async fn kinds_untold(harness: Subject) -> Verdict {
    new_and_changed(harness, |new, changed| {
        for note in [new, changed] {
            let kind = note["kind"].as_str().unwrap_or_default();
            ensure!(
                ["inserted", "modified"].contains(&kind),
                "an item that was written is told as {kind:?}"
            );
        }
        Ok(())
    })
    .await
}

/// An item comes, changes and goes.
async fn come_and_go(scene: &Scene) -> Verdict {
    put(scene, 1).await?;
    put(scene, 2).await?;
    scene.resources().table("items")?.delete("a").await?;
    Ok(())
}

async fn asked_for(harness: Subject) -> Verdict {
    play(&harness, table(&[ChangeKind::Removed]), |scene| {
        Box::pin(async move {
            come_and_go(scene).await?;
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

/// The negative: what can never come is refused before anything is deployed, or waited for; nothing else comes in its place.
async fn asked_for_untold(harness: Subject) -> Verdict {
    let played = play(&harness, table(&[ChangeKind::Removed]), |scene| {
        Box::pin(async move {
            come_and_go(scene).await?;
            // What stays is told of, whatever of the rest was left out.
            put(scene, 3).await?;
            scene.settle(|scene| !scene.seen.is_empty()).await?;
            ensure_eq!(
                scene.seen.len(),
                0,
                "changes that a function for removals sees where none are told"
            );
            Ok(())
        })
    })
    .await;
    match played {
        Err(violation) if violation.kind() == Some(ErrorKind::Unsupported) => Ok(()),
        played => played,
    }
}

async fn stop(harness: Subject, order: &'static [&'static str]) -> Verdict {
    play(&harness, table(&ALL), move |scene| {
        Box::pin(async move {
            let items = scene.resources().table("items")?;
            for (id, act) in [("a", Act::Ok), ("b", Act::Retry), ("c", Act::Ok)] {
                items
                    .put(&json!({"id": id, "command": Command::new(id, act, 1)}))
                    .await?;
            }
            scene.settle(|scene| !scene.of("c").is_empty()).await?;
            ensure_eq!(scene.order(), order, "the order of changes whose second fails");
            Ok(())
        })
    })
    .await
}

async fn stops(harness: Subject) -> Verdict {
    stop(harness, &["a", "b", "b", "c"]).await
}

/// The negative: each try is the first, and fails as the first.
async fn stops_untold(harness: Subject) -> Verdict {
    stop(harness, &["a", "b", "b", "b", "c"]).await
}
