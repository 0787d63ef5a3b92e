//! The table against a model in memory, over random operations with restarts in between; and the change log against the table.

use std::collections::BTreeMap;

use nephos_core::ErrorKind;
use nephos_core::event::ChangeKind;
use nephos_core::resource::table::{Condition, Key, Query, TableDriver, Version, Write};
use proptest::prelude::{Just, ProptestConfig, Strategy, any, prop_oneof, proptest};
use serde_json::{Value, json};

use super::{Bed, EmbeddedTable, START, secs};

#[derive(Debug, Clone, Copy)]
enum When {
    Always,
    Absent,
    /// The version that the item has, or had last.
    Current,
    /// One that it never has.
    Stale,
}

#[derive(Debug, Clone)]
enum Put {
    Item { expires_in: Option<i64> },
    Delete,
}

#[derive(Debug, Clone)]
enum Step {
    Write(Vec<(u8, u8, When, Put)>),
    Query {
        partition: u8,
        descending: bool,
        limit: usize,
        prefix: Option<u8>,
    },
    Scan(usize),
    Advance(u64),
    Sweep,
    Reopen,
}

fn write() -> impl Strategy<Value = (u8, u8, When, Put)> {
    let when = prop_oneof![
        4 => Just(When::Always),
        1 => Just(When::Absent),
        2 => Just(When::Current),
        1 => Just(When::Stale),
    ];
    let put = prop_oneof![
        3 => proptest::option::of(-3..10_i64).prop_map(|expires_in| Put::Item { expires_in }),
        1 => Just(Put::Delete),
    ];
    (0..3_u8, 0..6_u8, when, put)
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => proptest::collection::vec(write(), 1..4).prop_map(Step::Write),
        2 => (0..3_u8, any::<bool>(), 1..4_usize, proptest::option::of(0..6_u8))
            .prop_map(|(partition, descending, limit, prefix)| Step::Query { partition, descending, limit, prefix }),
        1 => (1..4_usize).prop_map(Step::Scan),
        2 => (1..5_u64).prop_map(Step::Advance),
        1 => Just(Step::Sweep),
        1 => Just(Step::Reopen),
    ]
}

#[derive(Debug, Clone)]
struct Item {
    value: Value,
    version: Version,
    expiry: Option<i64>,
}

type Items = BTreeMap<(String, String), Item>;

fn names(partition: u8, sort: u8) -> (String, String) {
    // Some sort keys begin with another one.
    (
        format!("p{partition}"),
        "s".repeat(usize::from(sort % 3) + 1) + &(sort / 3).to_string(),
    )
}

fn live(items: &Items, now: i64) -> Vec<(&(String, String), &Item)> {
    items
        .iter()
        .filter(|(_, item)| item.expiry.is_none_or(|expiry| expiry > now))
        .collect()
}

/// What the batch does to the model, or which write fails and how.
fn apply(
    items: &mut Items,
    now: i64,
    batch: &[Write],
    expiries: &[Option<i64>],
) -> Result<(), (usize, ErrorKind)> {
    for (index, write) in batch.iter().enumerate() {
        let (key, condition) = match write {
            Write::Put { item, condition } => {
                let text = |name: &str| item[name].as_str().unwrap().to_owned();
                ((text("id"), text("s")), condition)
            }
            Write::Delete { key, condition } => {
                ((key.partition.clone(), key.sort.clone().unwrap()), condition)
            }
        };
        let existing = items
            .get(&key)
            .filter(|item| item.expiry.is_none_or(|expiry| expiry > now));
        match condition {
            Condition::Absent if existing.is_some() => return Err((index, ErrorKind::AlreadyExists)),
            Condition::Version(version) if existing.map(|item| &item.version) != Some(version) => {
                return Err((index, ErrorKind::Conflict));
            }
            _ => {}
        }
        items.remove(&key);
        if let Write::Put { item, .. } = write {
            let item = Item {
                value: item.clone(),
                // Unknown until the table tells; a later write of the same batch cannot know it either.
                version: Version(format!("pending {index}")),
                expiry: expiries[index],
            };
            items.insert(key, item);
        }
    }
    Ok(())
}

async fn all_pages(table: &EmbeddedTable, mut query: Query) -> Vec<Value> {
    let mut found = Vec::new();
    loop {
        let page = table.query(&query).await.unwrap();
        found.extend(page.items.into_iter().map(|stored| stored.item));
        match page.next {
            None => return found,
            next => query.cursor = next,
        }
    }
}

async fn run(steps: Vec<Step>) {
    let mut bed = Bed::new().await;
    let mut table = bed.table(Some("s"), Some("until"));
    let mut items = Items::new();
    let mut now = START / 1000;
    for (number, step) in steps.into_iter().enumerate() {
        match step {
            Step::Write(writes) => {
                let (mut batch, mut expiries) = (Vec::new(), Vec::new());
                for (partition, sort, when, put) in writes {
                    let key = names(partition, sort);
                    let condition = match when {
                        When::Always => Condition::Always,
                        When::Absent => Condition::Absent,
                        When::Stale => Condition::Version(Version("v999999".into())),
                        When::Current => Condition::Version(
                            items
                                .get(&key)
                                .map_or_else(|| Version("v0".into()), |item| item.version.clone()),
                        ),
                    };
                    let expiry = match put {
                        Put::Item { expires_in } => expires_in.map(|time| now + time),
                        Put::Delete => None,
                    };
                    expiries.push(expiry);
                    batch.push(match put {
                        Put::Item { .. } => Write::Put {
                            item: json!({"id": key.0, "s": key.1, "n": number, "until": expiry}),
                            condition,
                        },
                        Put::Delete => Write::Delete {
                            key: Key::sorted(key.0, key.1),
                            condition,
                        },
                    });
                }
                let mut after = items.clone();
                let expected = apply(&mut after, now, &batch, &expiries);
                match (table.write(&batch).await, expected) {
                    (Ok(versions), Ok(())) => {
                        assert_eq!(versions.len(), batch.len());
                        for item in after.values_mut() {
                            if let Some(index) = item.version.0.strip_prefix("pending ") {
                                item.version = versions[index.parse::<usize>().unwrap()].clone().unwrap();
                            }
                        }
                        items = after;
                    }
                    (Err(error), Err((index, kind))) => {
                        assert_eq!(error.kind(), kind);
                        assert!(error.to_string().contains(&format!("index={index}")), "{error}");
                    }
                    (got, expected) => panic!("{got:?} where {expected:?} was due"),
                }
            }
            Step::Query {
                partition,
                descending,
                limit,
                prefix,
            } => {
                let mut query = Query::partition(format!("p{partition}")).limit(limit);
                query.descending = descending;
                let prefix = prefix
                    .map(|length| "s".repeat(usize::from(length % 3)))
                    .unwrap_or_default();
                if !prefix.is_empty() {
                    query = query.prefix(&prefix);
                }
                let mut expected: Vec<_> = live(&items, now)
                    .into_iter()
                    .filter(|((p, s), _)| *p == query.partition && s.starts_with(&prefix))
                    .map(|(_, item)| item.value.clone())
                    .collect();
                if descending {
                    expected.reverse();
                }
                assert_eq!(all_pages(&table, query).await, expected);
            }
            Step::Scan(limit) => {
                let (mut found, mut cursor) = (Vec::new(), None);
                loop {
                    let page = table.scan(limit, cursor.as_deref()).await.unwrap();
                    found.extend(page.items.into_iter().map(|stored| (stored.item, stored.version)));
                    cursor = page.next;
                    if cursor.is_none() {
                        break;
                    }
                }
                let expected: Vec<_> = live(&items, now)
                    .into_iter()
                    .map(|(_, item)| (item.value.clone(), item.version.clone()))
                    .collect();
                assert_eq!(found, expected);
            }
            Step::Advance(time) => {
                bed.clock.advance(secs(time));
                now += i64::try_from(time).unwrap();
            }
            Step::Sweep => {
                bed.store.sweep().await.unwrap();
            }
            Step::Reopen => {
                bed.reopen().await;
                table = bed.table(Some("s"), Some("until"));
            }
        }
    }
    bed.store.sweep().await.unwrap();
    let expected: BTreeMap<_, _> = live(&items, now)
        .into_iter()
        .map(|(key, item)| (key.clone(), item.value.clone()))
        .collect();
    assert_eq!(replay(&bed).await, expected);
}

/// The table as its change log tells it; every old image must be the new one before it.
async fn replay(bed: &Bed) -> BTreeMap<(String, String), Value> {
    let mut items = BTreeMap::new();
    for (_, change) in bed.store.changes("things", 0, 1000).await.unwrap() {
        let key = (change.key.partition, change.key.sort.unwrap());
        let before = match &change.new {
            Some(new) => items.insert(key, new.clone()),
            None => items.remove(&key),
        };
        assert_eq!(before, change.old);
        let kind = match (&change.old, &change.new) {
            (None, _) => ChangeKind::Inserted,
            (Some(_), Some(_)) => ChangeKind::Modified,
            (Some(_), None) => ChangeKind::Removed,
        };
        assert_eq!(change.kind, kind);
    }
    items
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_table_does_what_its_model_does(steps in proptest::collection::vec(step(), 1..50)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(run(steps));
    }
}
