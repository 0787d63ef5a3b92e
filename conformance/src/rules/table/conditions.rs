//! Rules of conditional writes and batches.

use std::sync::Arc;

use nephos_core::ErrorKind;
use nephos_core::resource::table::{Condition, Version, Write};
use serde_json::{Value, json};

use super::{plain, sorted};
use crate::harness::Harness;
use crate::mutants::portable;
use crate::rule::{Rule, Verdict, Violation, rule};
use crate::{ensure, ensure_eq, ensure_fails};

type Subject = Arc<dyn Harness>;

pub(in crate::rules) const RULES: &[Rule] = &[
    rule!(
        "table.put-if-absent.first-wins",
        "an order that is delivered twice is stored once",
        "Dapr state stores",
        ConditionIgnored,
        absent
    ),
    rule!(
        "table.put-if-absent.race-has-one-winner",
        "two functions that start at once must not both win",
        "Dapr state stores",
        ConditionIgnored,
        absent_race
    ),
    rule!(
        "table.put-if-version.right-and-stale",
        "a write over somebody else's write is a lost update",
        "Go CDK docstore",
        ConditionIgnored,
        version
    ),
    rule!(
        "table.put-if-version.concurrent-counts-lose-none",
        "compare and swap must hold under load",
        "Dapr state stores",
        ConditionIgnored,
        counts
    ),
    rule!(
        "table.version.changes-with-each-write",
        "a version that stays the same hides a write",
        "Go CDK docstore",
        VersionConstant,
        version_changes
    ),
    rule!(
        "table.delete-if-version.right-and-stale",
        "a delete must not take a newer item with it",
        "Dapr state stores",
        ConditionIgnored,
        delete
    ),
    rule!(
        "table.batch.does-all",
        "a batch returns a version for each put, in order",
        "Go CDK docstore",
        DeleteIgnored,
        batch
    ),
    rule!(
        "table.batch.all-or-nothing",
        "half a transfer loses money",
        "Go CDK docstore",
        BatchNotAtomic,
        atomic
    ),
    rule!(
        "table.batch.names-what-failed",
        "the author must know which write it was",
        "Dapr bulk operations",
        ErrorFactsLost,
        names
    ),
    rule!(
        "table.batch.one-key-twice-is-refused",
        "which of two writes of one item is the last would differ by target",
        "DynamoDB documentation",
        RefusalLeftOut,
        twice
    ),
    rule!(
        "table.batch.too-many-are-refused",
        "a batch that a target would split is not all or nothing",
        "Nephos",
        LimitNotHeld,
        too_many
    ),
];

async fn absent(harness: Subject) -> Verdict {
    let table = plain(&*harness).await?;
    table.put_if_absent(&json!({"id": "a", "n": 1})).await?;
    ensure_fails!(
        table.put_if_absent(&json!({"id": "a", "n": 2})).await,
        AlreadyExists,
        "put if absent over an item"
    );
    ensure_eq!(
        table.get::<Value>("a").await?,
        Some(json!({"id": "a", "n": 1})),
        "the item that was there"
    );
    table.delete("a").await?;
    table.put_if_absent(&json!({"id": "a", "n": 3})).await?;
    Ok(())
}

async fn absent_race(harness: Subject) -> Verdict {
    let table = plain(&*harness).await?;
    let puts = (0..8).map(|n| {
        let table = table.clone();
        tokio::spawn(async move { table.put_if_absent(&json!({"id": "a", "n": n})).await })
    });
    let mut winners = Vec::new();
    for (n, put) in futures::future::join_all(puts).await.into_iter().enumerate() {
        match put.map_err(Violation::new)? {
            Ok(_) => winners.push(n),
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error.into()),
        }
    }
    ensure_eq!(winners.len(), 1, "winners of a race of 8 ({winners:?})");
    ensure_eq!(
        table.get::<Value>("a").await?,
        Some(json!({"id": "a", "n": winners[0]})),
        "the winner's item"
    );
    Ok(())
}

async fn version(harness: Subject) -> Verdict {
    let table = plain(&*harness).await?;
    let first = table.put(&json!({"id": "a", "n": 1})).await?;
    let second = table.put_if_version(&json!({"id": "a", "n": 2}), &first).await?;
    ensure_fails!(
        table.put_if_version(&json!({"id": "a", "n": 3}), &first).await,
        Conflict,
        "put by a stale version"
    );
    ensure_eq!(
        table.get::<Value>("a").await?,
        Some(json!({"id": "a", "n": 2})),
        "the item after a stale write"
    );
    table.delete("a").await?;
    ensure_fails!(
        table.put_if_version(&json!({"id": "a", "n": 4}), &second).await,
        Conflict,
        "put by the version of a deleted item"
    );
    let foreign = Version("no version of this table".to_owned());
    ensure_fails!(
        table.put_if_version(&json!({"id": "a", "n": 5}), &foreign).await,
        Conflict,
        "put by a version that never was"
    );
    Ok(())
}

async fn counts(harness: Subject) -> Verdict {
    const WRITERS: u32 = 4;
    const EACH: u32 = 5;
    let table = plain(&*harness).await?;
    table.put(&json!({"id": "n", "n": 0})).await?;
    let writers = (0..WRITERS).map(|_| {
        let table = table.clone();
        tokio::spawn(async move {
            let mut done = 0;
            while done < EACH {
                let stored = table
                    .get_stored::<Value>("n")
                    .await?
                    .ok_or_else(|| Violation::new("the item is gone"))?;
                let n = stored.item["n"].as_u64().unwrap_or_default();
                match table
                    .put_if_version(&json!({"id": "n", "n": n + 1}), &stored.version)
                    .await
                {
                    Ok(_) => done += 1,
                    Err(error) if error.kind() == ErrorKind::Conflict => tokio::task::yield_now().await,
                    Err(error) => return Err(error.into()),
                }
            }
            Verdict::Ok(())
        })
    });
    for writer in futures::future::join_all(writers).await {
        writer.map_err(Violation::new)??;
    }
    let item = table.get::<Value>("n").await?;
    ensure_eq!(
        item,
        Some(json!({"id": "n", "n": WRITERS * EACH})),
        "the count after concurrent increments"
    );
    Ok(())
}

async fn version_changes(harness: Subject) -> Verdict {
    let table = plain(&*harness).await?;
    let item = json!({"id": "a"});
    let first = table.put(&item).await?;
    let second = table.put(&item).await?;
    ensure!(
        first != second,
        "two writes of the same item have the version {first:?}"
    );
    table.delete("a").await?;
    let third = table.put(&item).await?;
    ensure!(
        third != second && third != first,
        "an item that was deleted and put again has an old version, {third:?}"
    );
    ensure_eq!(
        table.get_stored::<Value>("a").await?.map(|stored| stored.version),
        Some(third),
        "the version as read"
    );
    Ok(())
}

async fn delete(harness: Subject) -> Verdict {
    let table = plain(&*harness).await?;
    let first = table.put(&json!({"id": "a", "n": 1})).await?;
    let second = table.put(&json!({"id": "a", "n": 2})).await?;
    ensure_fails!(
        table.delete_if_version("a", &first).await,
        Conflict,
        "delete by a stale version"
    );
    ensure_eq!(
        table.get::<Value>("a").await?,
        Some(json!({"id": "a", "n": 2})),
        "the item after a stale delete"
    );
    table.delete_if_version("a", &second).await?;
    ensure_eq!(table.get::<Value>("a").await?, None, "the item after its delete");
    Ok(())
}

fn put(item: Value) -> Write {
    Write::Put {
        item,
        condition: Condition::Always,
    }
}

async fn batch(harness: Subject) -> Verdict {
    let table = sorted(&*harness).await?;
    table.put(&json!({"id": "p", "sort": "old"})).await?;
    let delete = Write::Delete {
        key: nephos_core::resource::table::Key::sorted("p", "old"),
        condition: Condition::Always,
    };
    let versions = table
        .write_batch(vec![
            put(json!({"id": "p", "sort": "1"})),
            delete,
            put(json!({"id": "q", "sort": "2"})),
        ])
        .await?;
    let puts: Vec<_> = versions.iter().map(Option::is_some).collect();
    ensure_eq!(
        puts,
        [true, false, true],
        "whether there is a version for put, delete, put"
    );
    for (partition, sort, there) in [("p", "1", true), ("p", "old", false), ("q", "2", true)] {
        let stored = table
            .get_stored::<Value>(nephos_core::resource::table::Key::sorted(partition, sort))
            .await?;
        ensure_eq!(stored.is_some(), there, "whether {partition}/{sort} is there");
    }
    Ok(())
}

/// A batch whose third write cannot be done.
async fn failing(
    harness: &Subject,
) -> Result<(nephos_core::resource::table::Table, nephos_core::Error), Violation> {
    let table = plain(&**harness).await?;
    table.put(&json!({"id": "there", "n": 0})).await?;
    let conditional = Write::Put {
        item: json!({"id": "there", "n": 1}),
        condition: Condition::Absent,
    };
    let batch = vec![
        put(json!({"id": "a"})),
        put(json!({"id": "b"})),
        conditional,
        put(json!({"id": "c"})),
    ];
    let error = ensure_fails!(
        table.write_batch(batch).await,
        AlreadyExists,
        "a batch whose third condition does not hold"
    );
    Ok((table, error))
}

async fn atomic(harness: Subject) -> Verdict {
    let (table, _) = failing(&harness).await?;
    for id in ["a", "b", "c"] {
        ensure_eq!(
            table.get::<Value>(id).await?,
            None,
            "`{id}` of a batch that failed"
        );
    }
    ensure_eq!(
        table.get::<Value>("there").await?,
        Some(json!({"id": "there", "n": 0})),
        "the item that was there"
    );
    Ok(())
}

async fn names(harness: Subject) -> Verdict {
    let (_, error) = failing(&harness).await?;
    let facts: Vec<_> = error.context().collect();
    ensure!(
        facts.contains(&("index", "2")),
        "the error tells the index of the write that failed, 2: {error}"
    );
    ensure!(
        facts.contains(&("key", "there")),
        "the error tells the key of the write that failed: {error}"
    );
    Ok(())
}

async fn too_many(harness: Subject) -> Verdict {
    let table = plain(&*harness).await?;
    let count = table.driver().capabilities().max_batch + 1;
    let batch = (0..count).map(|n| put(json!({"id": n.to_string()}))).collect();
    ensure_fails!(table.write_batch(batch).await, Unsupported, "a batch of {count}");
    ensure_eq!(
        table.get::<Value>("0").await?,
        None,
        "the first item after the refusal"
    );
    Ok(())
}

async fn twice(harness: Subject) -> Verdict {
    let table = plain(&*harness).await?;
    for second in [
        put(json!({"id": "a", "n": 2})),
        Write::Delete {
            key: "a".into(),
            condition: Condition::Always,
        },
    ] {
        let writes = portable::of_one_key(&table, vec![put(json!({"id": "a", "n": 1})), second]);
        ensure_fails!(
            table.write_batch(writes).await,
            InvalidArgument,
            "a batch with two writes of one key"
        );
    }
    ensure_eq!(
        table.get::<Value>("a").await?,
        None,
        "the item of a batch that was refused"
    );
    Ok(())
}
