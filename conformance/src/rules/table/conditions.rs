//! Rules of conditional writes.

use std::sync::Arc;

use nephos_core::ErrorKind;
use nephos_core::resource::table::Version;
use serde_json::{Value, json};

use super::plain;
use crate::harness::Harness;
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
