//! Change logs and checkpoints.

use nephos_core::app::QueueSpec;
use nephos_core::event::ChangeKind;
use nephos_core::resource::queue::Outgoing;
use nephos_core::resource::table::{Condition, Key, TableDriver, Write};
use serde_json::json;

use super::super::Checkpoint;
use super::{Bed, bodies, secs};

fn put(n: u32) -> Write {
    Write::Put {
        item: json!({"id": "a", "n": n}),
        condition: Condition::Always,
    }
}

#[tokio::test]
async fn every_change_has_the_item_before_and_after() {
    let bed = Bed::new().await;
    let table = bed.table(None, None);
    let deletion = Write::Delete {
        key: Key::new("a"),
        condition: Condition::Always,
    };
    table.write(&[put(1), put(2), deletion]).await.unwrap();
    let changes = bed.store.changes("things", 0, 10).await.unwrap();
    let (one, two) = (Some(json!({"id": "a", "n": 1})), Some(json!({"id": "a", "n": 2})));
    let told: Vec<_> = changes
        .iter()
        .map(|(_, change)| (change.kind, change.old.clone(), change.new.clone()))
        .collect();
    let expected = [
        (ChangeKind::Inserted, None, one.clone()),
        (ChangeKind::Modified, one, two.clone()),
        (ChangeKind::Removed, two, None),
    ];
    assert_eq!(told, expected);
    assert_eq!(
        (changes[0].1.table.as_str(), &changes[0].1.key),
        ("things", &Key::new("a"))
    );
    assert_eq!(changes[0].1.at.unwrap().timestamp_millis(), super::START);
    assert_eq!(
        bed.store.changes("things", changes[0].0, 1).await.unwrap()[0],
        changes[1]
    );
    assert!(bed.store.changes("other", 0, 10).await.unwrap().is_empty());
}

#[tokio::test]
async fn a_checkpoint_is_kept_over_a_restart_for_each_consumer() {
    let mut bed = Bed::new().await;
    assert_eq!(
        bed.store.checkpoint("f/0", "things").await.unwrap(),
        Checkpoint::default()
    );
    let at = Checkpoint {
        position: 7,
        attempts: 2,
    };
    bed.store.advance("f/0", "things", at).await.unwrap();
    bed.reopen().await;
    assert_eq!(bed.store.checkpoint("f/0", "things").await.unwrap(), at);
    assert_eq!(
        bed.store.checkpoint("g/0", "things").await.unwrap(),
        Checkpoint::default()
    );
}

#[tokio::test]
async fn giving_up_an_entry_dead_letters_it_and_goes_on() {
    let bed = Bed::new().await;
    let to = Checkpoint {
        position: 1,
        attempts: 0,
    };
    bed.store
        .advance_dead("f/0", "things", to, "dead", Outgoing::new("x"))
        .await
        .unwrap();
    assert_eq!(bed.store.checkpoint("f/0", "things").await.unwrap(), to);
    assert_eq!(
        bodies(&bed.store.queue("dead", &QueueSpec::default())).await,
        ["x"]
    );
}

#[tokio::test]
async fn changes_are_kept_a_day_and_until_every_follower_has_seen_them() {
    let bed = Bed::new().await;
    let table = bed.table(None, None);
    table.write(&[put(1), put(2), put(3)]).await.unwrap();
    let positions: Vec<_> = bed
        .store
        .changes("things", 0, 10)
        .await
        .unwrap()
        .iter()
        .map(|one| one.0)
        .collect();
    let seen = |position| Checkpoint {
        position,
        attempts: 0,
    };
    bed.store
        .advance("f/0", "things", seen(positions[2]))
        .await
        .unwrap();
    bed.store
        .advance("g/0", "things", seen(positions[0]))
        .await
        .unwrap();
    assert_eq!(bed.store.sweep().await.unwrap().changes, 0);
    bed.clock.advance(secs(24 * 3600));
    assert_eq!(bed.store.sweep().await.unwrap().changes, 1);
    bed.store
        .advance("g/0", "things", seen(positions[1]))
        .await
        .unwrap();
    assert_eq!(bed.store.sweep().await.unwrap().changes, 1);
    bed.clock.advance(secs(6 * 24 * 3600));
    assert_eq!(bed.store.sweep().await.unwrap().changes, 1);
    assert!(bed.store.changes("things", 0, 10).await.unwrap().is_empty());
}
