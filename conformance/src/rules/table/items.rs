//! Rules of single items: get, put, delete, keys, types, sizes.

use std::sync::Arc;

use nephos_core::resource::table::{Key, Table};
use serde_json::{Value, json};

use super::{plain, sorted};
use crate::harness::{Capabilities, Harness};
use crate::rule::{Rule, Verdict, Violation, rule};
use crate::{ensure, ensure_eq, ensure_fails};

type Subject = Arc<dyn Harness>;

pub(in crate::rules) const RULES: &[Rule] = &[
    rule!(
        "table.get.missing-is-none",
        "an absent item is no error",
        "Go CDK docstore",
        MissingReadsEmpty,
        missing
    ),
    rule!(
        "table.put.then-get",
        "what is written is what is read, at once",
        "Go CDK docstore",
        BodyTruncated,
        put_get
    ),
    rule!(
        "table.put.replaces-the-whole-item",
        "an attribute that was left out is gone",
        "Go CDK docstore",
        PutMerges,
        replaces
    ),
    rule!(
        "table.put.json-types-are-exact",
        "a large number must not change on its way",
        "Go CDK docstore",
        NumbersAsFloats,
        types
    ),
    rule!(
        "table.put.large-item",
        "the declared limit is one that works",
        "Nephos",
        BodyTruncated,
        large
    ),
    rule!(
        "table.put.too-large-is-refused",
        "an item is refused before it is sent, with what to do",
        "Nephos",
        LimitNotHeld,
        too_large
    ),
    rule!(
        "table.delete.then-get-is-none",
        "what is deleted is gone",
        "Go CDK docstore",
        DeleteIgnored,
        delete
    ),
    rule!(
        "table.delete.missing-is-fine",
        "a redelivered event deletes a second time",
        "Go CDK docstore",
        DeleteMissingFails,
        delete_missing
    ),
    rule!(
        "table.keys.to-the-letter",
        "users choose their own keys",
        "Dapr state stores",
        KeyLowercased,
        keys
    ),
    rule!(
        "table.keys.must-fit-the-schema",
        "an item without its key can never be found again",
        "Nephos",
        SchemaLost,
        bad_keys
    ),
    rule!("table.keys.longest", "a key is refused before it is sent, and the declared limit is one that works; where there is none, the item's size is the limit", "DynamoDB documentation, service quotas; Azure Cosmos DB documentation, service quotas", LimitNotHeld, longest, needs limited, unlimited, kills KeyLowercased),
];

fn limited(capabilities: &Capabilities) -> bool {
    capabilities.table.max_key_bytes.is_some()
}

async fn missing(harness: Subject) -> Verdict {
    let table = plain(&*harness).await?;
    ensure_eq!(table.get::<Value>("no-such").await?, None, "a missing item");
    Ok(())
}

async fn put_get(harness: Subject) -> Verdict {
    let table = plain(&*harness).await?;
    let item = json!({"id": "a", "name": "Anna", "tags": ["x", "y"]});
    let version = table.put(&item).await?;
    let stored = table.get_stored::<Value>("a").await?;
    ensure_eq!(
        stored.as_ref().map(|stored| &stored.item),
        Some(&item),
        "the item"
    );
    ensure_eq!(
        stored.map(|stored| stored.version),
        Some(version),
        "the version is the one that put returned"
    );
    let table = sorted(&*harness).await?;
    let item = json!({"id": "a", "sort": "1", "n": 1});
    table.put(&item).await?;
    ensure_eq!(
        table.get::<Value>(Key::sorted("a", "1")).await?,
        Some(item),
        "an item with a sort key"
    );
    ensure_eq!(
        table.get::<Value>(Key::sorted("a", "2")).await?,
        None,
        "another sort key"
    );
    Ok(())
}

async fn replaces(harness: Subject) -> Verdict {
    let table = plain(&*harness).await?;
    table.put(&json!({"id": "a", "old": 1, "both": 1})).await?;
    table.put(&json!({"id": "a", "new": 2, "both": 2})).await?;
    ensure_eq!(
        table.get::<Value>("a").await?,
        Some(json!({"id": "a", "new": 2, "both": 2})),
        "the item after it was replaced"
    );
    Ok(())
}

async fn types(harness: Subject) -> Verdict {
    let table = plain(&*harness).await?;
    let item = json!({
        "id": "a",
        "largest": 9_007_199_254_740_993_i64,
        "i64": i64::MIN,
        "u32": u32::MAX,
        "float": 0.1,
        "tiny": 1.5e-10,
        "whole": 42,
        "zero": 0,
        "negative": -7,
        "true": true,
        "null": null,
        "text": "quo\"te \\ new\nline \u{0} é 日本 🦀",
        "empty": "",
        "list": [1, "two", [3.5], {}, []],
        "map": {"nested": {"deep": [null, false]}, "with space": 1, "": 2, "a.b": 3, "$x": 4},
    });
    table.put(&item).await?;
    let read = table.get::<Value>("a").await?.unwrap_or_default();
    for (name, expected) in item.as_object().into_iter().flatten() {
        ensure_eq!(read[name], *expected, "the attribute `{name}`");
    }
    ensure_eq!(read, item, "the item");
    Ok(())
}

async fn large(harness: Subject) -> Verdict {
    let table = plain(&*harness).await?;
    let around = json!({"id": "a", "text": ""}).to_string().len();
    let item = json!({"id": "a", "text": "x".repeat(table.driver().capabilities().max_item_bytes - around)});
    table.put(&item).await?;
    ensure!(
        table.get::<Value>("a").await? == Some(item),
        "the largest item changed on its way"
    );
    Ok(())
}

async fn too_large(harness: Subject) -> Verdict {
    let table = plain(&*harness).await?;
    let item = json!({"id": "a", "text": "x".repeat(table.driver().capabilities().max_item_bytes)});
    ensure_fails!(
        table.put(&item).await,
        ResourceExhausted,
        "an item beyond the limit"
    );
    ensure_eq!(table.get::<Value>("a").await?, None, "the item after the refusal");
    Ok(())
}

async fn delete(harness: Subject) -> Verdict {
    let table = plain(&*harness).await?;
    table.put(&json!({"id": "a"})).await?;
    table.put(&json!({"id": "b"})).await?;
    table.delete("a").await?;
    ensure_eq!(table.get::<Value>("a").await?, None, "a deleted item");
    ensure_eq!(
        table.get::<Value>("b").await?,
        Some(json!({"id": "b"})),
        "another item"
    );
    Ok(())
}

async fn delete_missing(harness: Subject) -> Verdict {
    let table = plain(&*harness).await?;
    table.delete("no-such").await?;
    Ok(())
}

async fn keys(harness: Subject) -> Verdict {
    let table = sorted(&*harness).await?;
    let keys = [
        "a b",
        "A b",
        "é",
        "e\u{301}",
        "日本",
        "🦀",
        "it's \"q\"",
        "a/b",
        "a\\b",
        "100%",
        "%",
        "_",
        "a#b",
        "a|b",
        "||",
        "..",
        " ",
    ];
    for partition in keys {
        for sort in keys {
            table.put(&json!({"id": partition, "sort": sort})).await?;
        }
    }
    for partition in keys {
        for sort in keys {
            let read = table.get::<Value>(Key::sorted(partition, sort)).await?;
            ensure_eq!(
                read,
                Some(json!({"id": partition, "sort": sort})),
                "the item of {partition:?} and {sort:?}"
            );
        }
    }
    Ok(())
}

async fn bad_keys(harness: Subject) -> Verdict {
    let table = sorted(&*harness).await?;
    for item in [
        json!({"sort": "1"}),
        json!({"id": "", "sort": "1"}),
        json!({"id": 7, "sort": "1"}),
        json!({"id": "a"}),
        json!({"id": "a", "sort": null}),
        json!([]),
    ] {
        ensure_fails!(table.put(&item).await, InvalidArgument, "put of {item}");
    }
    ensure_fails!(
        table.get::<Value>("a").await,
        InvalidArgument,
        "get without the sort key"
    );
    ensure_fails!(
        table.get::<Value>(Key::sorted("a", "")).await,
        InvalidArgument,
        "get with an empty sort key"
    );
    ensure_fails!(
        table.delete("a").await,
        InvalidArgument,
        "delete without the sort key"
    );
    let table = plain(&*harness).await?;
    ensure_fails!(
        table.get::<Value>(Key::sorted("a", "1")).await,
        InvalidArgument,
        "get with a sort key that the table has not"
    );
    Ok(())
}

/// A key of this many bytes, some of them two of a character.
fn key_of(bytes: usize) -> String {
    format!("{}{}", "É".repeat(bytes / 4), "K".repeat(bytes - bytes / 4 * 2))
}

async fn longest(harness: Subject) -> Verdict {
    for table in [plain(&*harness).await?, sorted(&*harness).await?] {
        let limit = table
            .driver()
            .capabilities()
            .max_key_bytes
            .ok_or_else(|| Violation::new("a table of this schema has no limit of keys"))?;
        let (most, more) = (key_of(limit), key_of(limit + 1));
        let of = |partition: &str, sort: &str| match table.driver().schema().sort {
            Some(_) => Key::sorted(partition, sort),
            None => Key::new(partition),
        };
        let mut beyond = vec![of(&more, "1")];
        beyond.extend(table.driver().schema().sort.as_ref().map(|_| of("a", &more)));
        for key in beyond {
            ensure_fails!(
                table.put(&item_of(&key)).await,
                InvalidArgument,
                "put by a key of {} bytes",
                limit + 1
            );
            ensure_fails!(
                table.get::<Value>(key.clone()).await,
                InvalidArgument,
                "get by a key of {} bytes",
                limit + 1
            );
            ensure_fails!(
                table.delete(key).await,
                InvalidArgument,
                "delete by a key of {} bytes",
                limit + 1
            );
        }
        held(&table, &of(&most, &most)).await?;
    }
    Ok(())
}

/// The negative: keys of a quarter of the largest item.
async fn unlimited(harness: Subject) -> Verdict {
    let table = sorted(&*harness).await?;
    let long = key_of(table.driver().capabilities().max_item_bytes / 4);
    held(&table, &Key::sorted(&long, &long)).await
}

fn item_of(key: &Key) -> Value {
    let mut item = json!({"id": key.partition});
    if let Some(sort) = &key.sort {
        item["sort"] = json!(sort);
    }
    item
}

/// An item by this key is written and read, and no other is taken for it.
async fn held(table: &Table, key: &Key) -> Verdict {
    let item = item_of(key);
    table.put(&item).await?;
    ensure!(
        table.get::<Value>(key.clone()).await? == Some(item),
        "the item by a key of {} bytes changed on its way",
        key.partition.len()
    );
    Ok(())
}
