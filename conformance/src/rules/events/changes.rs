//! Rules of a table's changes as events. What a provider's feed does not tell (removals, the item before, which items are new) is a capability each.

use std::sync::Arc;

use nephos_core::TriggerKind;
use nephos_core::event::{Change, ChangeKind, Data};
use serde_json::{Value, json};

use super::{natives, one, samples};
use crate::harness::{Capabilities, Harness};
use crate::rule::{Rule, Verdict, Violation, rule};
use crate::{ensure, ensure_eq};

type Subject = Arc<dyn Harness>;

fn declared(capabilities: &Capabilities) -> bool {
    capabilities.host.kinds.contains(&TriggerKind::Table)
}

fn removed(capabilities: &Capabilities) -> bool {
    declared(capabilities) && capabilities.host.changes_removed
}

fn old(capabilities: &Capabilities) -> bool {
    declared(capabilities) && capabilities.host.changes_old
}

fn kinds(capabilities: &Capabilities) -> bool {
    declared(capabilities) && capabilities.host.changes_kinds_told
}

pub(in crate::rules) const RULES: &[Rule] = &[
    rule!("events.table.change.neutral-equal", "a view is built from what was and what is, and must not confuse them", "DESIGN, the four ports; DynamoDB Streams documentation", ImagesSwapped, neutral, needs declared, refused),
    rule!("events.table.values.all-types", "an item in a change is the item that was written, type for type", "DynamoDB Streams documentation, AttributeValue", NumbersAsFloats, values, needs declared, refused),
    rule!("events.table.change.removed", "what is gone must leave the view too", "DynamoDB Streams documentation; Azure Cosmos DB documentation, change feed modes", KindConfused, removal, needs removed, removal_refused),
    rule!("events.table.change.old-image", "what changed is told by what was", "DynamoDB Streams documentation, StreamViewType; Azure Cosmos DB documentation, change feed modes", OldLost, old_image, needs old, old_untold),
    rule!("events.table.change.kinds", "a counter of new items must not count updates", "DynamoDB Streams documentation, eventName; Azure Cosmos DB documentation, change feed modes", KindConfused, kinds_told, needs kinds, kinds_untold, kills KindConfused),
];

fn change(kind: ChangeKind) -> Change<Value> {
    samples::change(kind, samples::item(1), samples::item(2))
}

async fn refused(harness: Subject) -> Verdict {
    super::refused(&*harness, &samples::table(&[change(ChangeKind::Modified)])).await
}

/// The neutral event that an event must be, as far as the provider tells: without the items before, and without the difference between new and changed, where it does not.
async fn equal(harness: &Subject, changes: &[Change<Value>]) -> Verdict {
    let host = harness.host();
    let happened: Vec<_> = changes
        .iter()
        .filter(|change| host.changes_removed || change.kind != ChangeKind::Removed)
        .cloned()
        .collect();
    let mut told = happened.clone();
    if !host.changes_old {
        told.iter_mut().for_each(|change| change.old = None);
    }
    let expected = crate::neutral::of(samples::table(&told).event()).await?;
    for native in natives(&**harness, &samples::table(&happened)).await? {
        let actual = crate::neutral::of(one(&**harness, &native).await?.event).await?;
        let differences = if host.changes_kinds_told {
            crate::neutral::differences(&expected, &actual)
        } else {
            crate::neutral::differences(&written(expected.clone()), &written(actual))
        };
        if let Some(differences) = differences {
            return Err(Violation::new(format!(
                "a payload ({}) of a table event is another neutral event: {differences}",
                native.form
            )));
        }
    }
    Ok(())
}

/// The same without the difference between new and changed.
fn written(mut event: Value) -> Value {
    // The type of the event is that of its first change.
    event["head"]["type"] = Value::Null;
    for change in event["data"].as_array_mut().into_iter().flatten() {
        if ["inserted", "modified"].contains(&change["kind"].as_str().unwrap_or_default()) {
            change["kind"] = json!("written");
        }
    }
    event
}

async fn neutral(harness: Subject) -> Verdict {
    let mut together = [
        change(ChangeKind::Inserted),
        change(ChangeKind::Modified),
        change(ChangeKind::Removed),
    ];
    for (change, sequence) in together.iter_mut().zip(["1/a", "2/a", "3/a"]) {
        sequence.clone_into(&mut change.sequence);
    }
    for alone in &together {
        if harness.host().changes_removed || alone.kind != ChangeKind::Removed {
            equal(&harness, std::slice::from_ref(alone)).await?;
        }
    }
    equal(&harness, &together).await
}

async fn values(harness: Subject) -> Verdict {
    let item = json!({
        "id": "a", "at": "1",
        "text": "grün \u{0} \"🦀\" \\", "empty": "", "true": true, "false": false, "null": null,
        "zero": 0, "whole": 42, "negative": -1, "least": i64::MIN, "most": u64::MAX, "fraction": 12.5, "small": 1.5e-7,
        "list": ["a", 1, null, [], {"x": [true]}], "texts": ["b", "a"], "numbers": [3, 1, 2], "map": {"a": {"b": {}}}, "none": [],
        "name with spaces": 1, "ä": 2,
    });
    let inserted = samples::change(ChangeKind::Inserted, json!({}), item.clone());
    let modified = samples::change(ChangeKind::Modified, item.clone(), samples::item(1));
    for change in [inserted, modified] {
        equal(&harness, &[change]).await?;
    }
    if harness.host().changes_removed {
        let removed = samples::change(ChangeKind::Removed, item, json!({}));
        equal(&harness, &[removed]).await?;
    }
    Ok(())
}

async fn removal(harness: Subject) -> Verdict {
    for told in told(&harness, ChangeKind::Removed).await? {
        ensure_eq!(
            (told.kind, &told.new),
            (ChangeKind::Removed, &None),
            "kind and item of a removal"
        );
    }
    Ok(())
}

/// The negative: the provider has no payload of it.
async fn removal_refused(harness: Subject) -> Verdict {
    super::refused(&*harness, &samples::table(&[change(ChangeKind::Removed)])).await
}

/// A change as each of the provider's payloads tells it.
async fn told(harness: &Subject, kind: ChangeKind) -> Result<Vec<Change<Value>>, Violation> {
    let mut told = Vec::new();
    for native in natives(&**harness, &samples::table(&[change(kind)])).await? {
        match one(&**harness, &native).await?.event.data {
            Data::Table(mut changes) if changes.len() == 1 => told.append(&mut changes),
            other => return Err(Violation::new(format!("one change is {other:?}"))),
        }
    }
    Ok(told)
}

async fn old_image(harness: Subject) -> Verdict {
    for told in told(&harness, ChangeKind::Modified).await? {
        ensure_eq!(told.old, Some(samples::item(1)), "the item before a change");
    }
    Ok(())
}

/// The negative: an item that is made up would be compared with.
async fn old_untold(harness: Subject) -> Verdict {
    if !harness.host().kinds.contains(&TriggerKind::Table) {
        return refused(harness).await;
    }
    for told in told(&harness, ChangeKind::Modified).await? {
        ensure_eq!(told.old, None, "the item before a change where none is told");
    }
    Ok(())
}

async fn kinds_told(harness: Subject) -> Verdict {
    for kind in [ChangeKind::Inserted, ChangeKind::Modified] {
        for told in told(&harness, kind).await? {
            ensure_eq!(told.kind, kind, "the kind of a change");
        }
    }
    Ok(())
}

/// The negative: what is written may be new or not, but is not gone.
async fn kinds_untold(harness: Subject) -> Verdict {
    if !harness.host().kinds.contains(&TriggerKind::Table) {
        return refused(harness).await;
    }
    for kind in [ChangeKind::Inserted, ChangeKind::Modified] {
        for told in told(&harness, kind).await? {
            ensure!(
                told.kind != ChangeKind::Removed,
                "an item that was {kind} is told as removed"
            );
        }
    }
    Ok(())
}
