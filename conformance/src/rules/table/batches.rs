//! Rules of batches: all of their writes or none.

use std::sync::Arc;

use nephos_core::resource::table::{Condition, Key, Write};
use serde_json::{Value, json};

use super::{plain, sorted};
use crate::harness::{Capabilities, Harness};
use crate::mutants::portable;
use crate::rule::{Rule, Verdict, Violation, rule};
use crate::{ensure, ensure_eq, ensure_fails};

type Subject = Arc<dyn Harness>;

fn across_declared(capabilities: &Capabilities) -> bool {
    capabilities.table.batch_across_partitions
}

pub(in crate::rules) const RULES: &[Rule] = &[
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
    rule!("table.batch.across-partitions", "half a transfer loses money, also where the two accounts are two partitions", "DynamoDB documentation, TransactWriteItems; Azure Cosmos DB documentation, transactional batch", BatchNotAtomic, across, needs across_declared, across_refused),
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
        key: Key::sorted("p", "old"),
        condition: Condition::Always,
    };
    let versions = table
        .write_batch(vec![
            put(json!({"id": "p", "sort": "1"})),
            delete,
            put(json!({"id": "p", "sort": "2"})),
        ])
        .await?;
    let puts: Vec<_> = versions.iter().map(Option::is_some).collect();
    ensure_eq!(
        puts,
        [true, false, true],
        "whether there is a version for put, delete, put"
    );
    for (partition, sort, there) in [("p", "1", true), ("p", "old", false), ("p", "2", true)] {
        let stored = table.get_stored::<Value>(Key::sorted(partition, sort)).await?;
        ensure_eq!(stored.is_some(), there, "whether {partition}/{sort} is there");
    }
    Ok(())
}

/// A batch whose third write cannot be done.
async fn failing(
    harness: &Subject,
) -> Result<(nephos_core::resource::table::Table, nephos_core::Error), Violation> {
    let table = sorted(&**harness).await?;
    table.put(&json!({"id": "p", "sort": "there", "n": 0})).await?;
    let conditional = Write::Put {
        item: json!({"id": "p", "sort": "there", "n": 1}),
        condition: Condition::Absent,
    };
    let batch = vec![
        put(json!({"id": "p", "sort": "a"})),
        put(json!({"id": "p", "sort": "b"})),
        conditional,
        put(json!({"id": "p", "sort": "c"})),
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
    for sort in ["a", "b", "c"] {
        ensure_eq!(
            table.get::<Value>(Key::sorted("p", sort)).await?,
            None,
            "`{sort}` of a batch that failed"
        );
    }
    ensure_eq!(
        table.get::<Value>(Key::sorted("p", "there")).await?,
        Some(json!({"id": "p", "sort": "there", "n": 0})),
        "the item that was there"
    );
    Ok(())
}

async fn across(harness: Subject) -> Verdict {
    let table = plain(&*harness).await?;
    table.put(&json!({"id": "there"})).await?;
    let conditional = Write::Put {
        item: json!({"id": "there", "n": 1}),
        condition: Condition::Absent,
    };
    ensure_fails!(
        table
            .write_batch(vec![put(json!({"id": "a"})), conditional])
            .await,
        AlreadyExists,
        "a batch over two partitions whose second condition does not hold"
    );
    ensure_eq!(
        table.get::<Value>("a").await?,
        None,
        "the first partition's item of a batch that failed"
    );
    table
        .write_batch(vec![put(json!({"id": "a"})), put(json!({"id": "b"}))])
        .await?;
    for id in ["a", "b"] {
        ensure_eq!(
            table.get::<Value>(id).await?,
            Some(json!({"id": id})),
            "an item of a batch over two partitions"
        );
    }
    Ok(())
}

/// The negative: a batch that is two would look like one.
async fn across_refused(harness: Subject) -> Verdict {
    let table = plain(&*harness).await?;
    ensure_fails!(
        table
            .write_batch(vec![put(json!({"id": "a"})), put(json!({"id": "b"}))])
            .await,
        Unsupported,
        "a batch over two partitions where it is of one"
    );
    ensure_eq!(
        table.get::<Value>("a").await?,
        None,
        "the first item after the refusal"
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
        facts.contains(&("key", "p/there")),
        "the error tells the key of the write that failed: {error}"
    );
    Ok(())
}

async fn too_many(harness: Subject) -> Verdict {
    // Of one partition: one over several is refused for that on some targets.
    let table = sorted(&*harness).await?;
    let count = table.driver().capabilities().max_batch + 1;
    let batch = (0..count)
        .map(|n| put(json!({"id": "p", "sort": n.to_string()})))
        .collect();
    ensure_fails!(table.write_batch(batch).await, Unsupported, "a batch of {count}");
    ensure_eq!(
        table.get::<Value>(Key::sorted("p", "0")).await?,
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
