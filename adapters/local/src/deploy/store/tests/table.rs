//! Tables: conditions, versions, batches, queries, expiry.

use nephos_core::ErrorKind;
use nephos_core::resource::table::{Condition, Key, Query, Table, TableDriver, Write};
use serde_json::{Value, json};

use super::{Bed, EmbeddedTable, secs};

fn put(item: Value) -> Write {
    put_if(item, Condition::Always)
}

fn put_if(item: Value, condition: Condition) -> Write {
    Write::Put { item, condition }
}

fn delete(key: Key) -> Write {
    Write::Delete {
        key,
        condition: Condition::Always,
    }
}

async fn get(table: &EmbeddedTable, key: &str) -> Option<Value> {
    table.get(&Key::new(key)).await.unwrap().map(|stored| stored.item)
}

#[tokio::test]
async fn an_item_is_read_as_it_was_written_and_kept_over_a_restart() {
    let mut bed = Bed::new().await;
    let item = json!({"id": "ü\u{0}x", "n": 1.5, "big": u64::MAX, "deep": {"a": [null, true, "\"\\"]}});
    bed.table(None, None).write(&[put(item.clone())]).await.unwrap();
    bed.reopen().await;
    assert_eq!(get(&bed.table(None, None), "ü\u{0}x").await, Some(item));
}

#[tokio::test]
async fn conditions_hold_or_say_which_write_failed() {
    let bed = Bed::new().await;
    let table = bed.table(None, None);
    let first = table
        .write(&[put_if(json!({"id": "a"}), Condition::Absent)])
        .await
        .unwrap();
    let version = first[0].clone().unwrap();
    let second = table
        .write(&[put_if(
            json!({"id": "a", "n": 2}),
            Condition::Version(version.clone()),
        )])
        .await
        .unwrap();
    assert_ne!(second[0].as_ref(), Some(&version));

    let batch = |condition| vec![put(json!({"id": "b"})), put_if(json!({"id": "a"}), condition)];
    for (condition, kind) in [
        (Condition::Absent, ErrorKind::AlreadyExists),
        (Condition::Version(version), ErrorKind::Conflict),
    ] {
        let error = table.write(&batch(condition)).await.unwrap_err();
        assert_eq!(error.kind(), kind);
        let facts: Vec<_> = error.context().collect();
        assert!(
            facts.contains(&("index", "1")) && facts.contains(&("key", "a")),
            "{error}"
        );
    }
    assert_eq!(get(&table, "b").await, None, "nothing of a failed batch stays");
    assert!(bed.store.changes("things", 0, 10).await.unwrap().len() == 2);
}

#[tokio::test]
async fn a_version_is_never_used_again() {
    let bed = Bed::new().await;
    let table = bed.table(None, None);
    let versions = table
        .write(&[
            put(json!({"id": "a"})),
            delete("a".into()),
            put(json!({"id": "a"})),
        ])
        .await
        .unwrap();
    assert!(versions[1].is_none() && versions[0] != versions[2]);
    let stale = versions[0].clone().unwrap();
    let deletion = Write::Delete {
        key: "a".into(),
        condition: Condition::Version(stale),
    };
    assert_eq!(
        table.write(&[deletion]).await.unwrap_err().kind(),
        ErrorKind::Conflict
    );
}

#[tokio::test]
async fn deleting_what_is_not_there_is_no_error_and_no_change() {
    let bed = Bed::new().await;
    let table = bed.table(None, None);
    assert_eq!(table.write(&[delete("a".into())]).await.unwrap(), [None]);
    assert!(bed.store.changes("things", 0, 10).await.unwrap().is_empty());
}

async fn pages(table: &EmbeddedTable, mut query: Query) -> Vec<String> {
    let mut sorts = Vec::new();
    loop {
        let page = table.query(&query).await.unwrap();
        assert!(page.items.len() <= query.limit);
        sorts.extend(
            page.items
                .iter()
                .map(|one| one.item["s"].as_str().unwrap().to_owned()),
        );
        match page.next {
            None => return sorts,
            next => query.cursor = next,
        }
    }
}

#[tokio::test]
async fn a_query_goes_by_bytes_through_ranges_and_pages_both_ways() {
    let bed = Bed::new().await;
    let table = bed.table(Some("s"), None);
    let sorts = ["A", "Z", "a", "a/1", "a/2", "a0", "b", "é", "\u{10ffff}x"];
    let writes: Vec<_> = sorts
        .iter()
        .rev()
        .map(|s| put(json!({"id": "p", "s": s})))
        .collect();
    table.write(&writes).await.unwrap();
    table.write(&[put(json!({"id": "q", "s": "a/3"}))]).await.unwrap();
    let query = || Query::partition("p").limit(2);
    assert_eq!(pages(&table, query()).await, sorts);
    let backwards: Vec<_> = sorts.iter().rev().copied().collect();
    assert_eq!(pages(&table, query().descending()).await, backwards);
    assert_eq!(
        pages(&table, query().prefix("a")).await,
        ["a", "a/1", "a/2", "a0"]
    );
    assert_eq!(
        pages(&table, query().prefix("a/").descending()).await,
        ["a/2", "a/1"]
    );
    assert_eq!(pages(&table, query().prefix("\u{10ffff}")).await, ["\u{10ffff}x"]);
    assert_eq!(
        pages(&table, query().between("Z", "a/1")).await,
        ["Z", "a", "a/1"]
    );
    assert_eq!(pages(&table, query().between("a/1", "Z")).await, [""; 0]);
    assert_eq!(pages(&table, Query::partition("none")).await, [""; 0]);
}

#[tokio::test]
async fn a_cursor_of_another_query_is_refused() {
    let bed = Bed::new().await;
    let table = bed.table(Some("s"), None);
    let writes = ["1", "2", "3"].map(|s| put(json!({"id": "p", "s": s})));
    table.write(&writes).await.unwrap();
    let query = || Query::partition("p").limit(1);
    let cursor = table.query(&query()).await.unwrap().next;
    for other in [
        query().descending().cursor(cursor.clone()),
        query().prefix("1").cursor(cursor.clone()),
        query().cursor(Some("made up".into())),
        Query::partition("o").cursor(cursor.clone()),
    ] {
        assert_eq!(
            table.query(&other).await.unwrap_err().kind(),
            ErrorKind::InvalidArgument,
            "{other:?}"
        );
    }
    let error = table.scan(1, cursor.as_deref()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidArgument);
}

#[tokio::test]
async fn a_scan_sees_every_item_once() {
    let bed = Bed::new().await;
    let table = bed.table(Some("s"), None);
    let keys: Vec<_> = (0..10)
        .map(|n| (format!("p{}", n % 3), format!("s{n}")))
        .collect();
    let writes: Vec<_> = keys.iter().map(|(p, s)| put(json!({"id": p, "s": s}))).collect();
    table.write(&writes).await.unwrap();
    let (mut seen, mut cursor) = (Vec::new(), None);
    loop {
        let page = table.scan(3, cursor.as_deref()).await.unwrap();
        seen.extend(page.items.into_iter().map(|one| {
            let text = |name: &str| one.item[name].as_str().unwrap().to_owned();
            (text("id"), text("s"))
        }));
        match page.next {
            None => break,
            next => cursor = next,
        }
    }
    let mut expected = keys;
    expected.sort();
    assert_eq!(seen, expected);
}

#[tokio::test]
async fn an_expired_item_is_absent_at_once_and_its_removal_is_a_change() {
    let bed = Bed::new().await;
    let table = bed.table(None, Some("until"));
    let until = super::START / 1000 + 10;
    let item = json!({"id": "a", "until": until});
    table
        .write(&[put(item.clone()), put(json!({"id": "b", "until": until + 5}))])
        .await
        .unwrap();
    bed.clock.advance(secs(9));
    assert_eq!(get(&table, "a").await, Some(item.clone()));
    bed.clock.advance(secs(1));
    assert_eq!(get(&table, "a").await, None);
    assert_eq!(table.scan(10, None).await.unwrap().items.len(), 1);
    assert!(
        table
            .query(&Query::partition("a"))
            .await
            .unwrap()
            .items
            .is_empty()
    );
    // Written before the sweep comes by, it is new, and the old one's removal is told first.
    table
        .write(&[put_if(json!({"id": "a"}), Condition::Absent)])
        .await
        .unwrap();
    bed.clock.advance(secs(5));
    assert_eq!(bed.store.sweep().await.unwrap().items, 1);
    let changes = bed.store.changes("things", 0, 10).await.unwrap();
    let told: Vec<_> = changes
        .iter()
        .map(|(_, change)| (change.kind.name(), change.key.to_string()))
        .collect();
    let expected = [
        ("inserted", "a"),
        ("inserted", "b"),
        ("removed", "a"),
        ("inserted", "a"),
        ("removed", "b"),
    ];
    assert_eq!(told, expected.map(|(kind, key)| (kind, key.to_owned())));
    assert_eq!(changes[2].1.old, Some(item));
}

#[tokio::test]
async fn a_key_or_an_item_that_does_not_fit_is_refused() {
    let bed = Bed::new().await;
    let table = bed.table(Some("s"), Some("until"));
    for key in [Key::new("a"), Key::sorted("", "s"), Key::sorted("a", "")] {
        assert_eq!(
            table.get(&key).await.unwrap_err().kind(),
            ErrorKind::InvalidArgument
        );
        assert_eq!(
            table.write(&[delete(key)]).await.unwrap_err().kind(),
            ErrorKind::InvalidArgument
        );
    }
    for item in [
        json!({"id": "a"}),
        json!({"id": 1, "s": "s"}),
        json!({"id": "a", "s": "s", "until": "now"}),
    ] {
        let error = table
            .write(&[put(json!({"id": "a", "s": "s"})), put(item)])
            .await
            .unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidArgument);
        assert!(error.to_string().contains("index=1"), "{error}");
    }
    let many: Vec<_> = (0..101)
        .map(|n| put(json!({"id": "a", "s": n.to_string()})))
        .collect();
    assert_eq!(
        table.write(&many).await.unwrap_err().kind(),
        ErrorKind::Unsupported
    );
}

#[tokio::test]
async fn the_portable_table_works_over_it() {
    let bed = Bed::new().await;
    let table = Table::new("things", std::sync::Arc::new(bed.table(None, None)));
    let version = table.put_if_absent(&json!({"id": "a", "n": 1})).await.unwrap();
    let next = table
        .put_if_version(&json!({"id": "a", "n": 2}), &version)
        .await
        .unwrap();
    assert!(
        table
            .put_if_version(&json!({"id": "a", "n": 3}), &version)
            .await
            .is_err()
    );
    let stored = table.get_stored::<Value>("a").await.unwrap().unwrap();
    assert_eq!((stored.item["n"].as_i64(), stored.version), (Some(2), next));
}
