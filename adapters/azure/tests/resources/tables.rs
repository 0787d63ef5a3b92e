//! Tables, over the emulator.
//!
//! The emulator does a batch operation by operation, and does not undo what it did before one that failed. That none is done then is Cosmos DB's to keep; what the
//! driver asks and what it tells is tested here.

use azure_core::http::{Method, Request};
use nephos_azure::config::Config;
use nephos_azure::harness::emulators::Emulators;
use nephos_azure::resources::rest::Rest;
use nephos_conformance::Harness as _;
use nephos_core::ErrorKind;
use nephos_core::resource::ResourceKind;
use nephos_core::resource::table::{Condition, Key, Query, Table, TableSchema, Write};
use serde_json::{Value, json};

use super::{emulators, harness, open};

fn schema(key: &str, sort: Option<&str>) -> TableSchema {
    TableSchema {
        key: key.to_owned(),
        sort: sort.map(str::to_owned),
        ttl: None,
    }
}

fn put(sort: &str, n: u32, condition: Condition) -> Write {
    Write::Put {
        item: json!({"id": "p", "sort": sort, "n": n}),
        condition,
    }
}

async fn n(table: &Table, sort: &str) -> Option<Value> {
    let item = table.get::<Value>(Key::sorted("p", sort)).await.unwrap();
    item.map(|item| item["n"].clone())
}

#[tokio::test]
async fn a_batch_of_one_partition_writes_over_what_is_there_and_deletes_what_is_not() {
    let harness = harness().await;
    let table = harness.table(schema("id", Some("sort"))).await.unwrap();
    table
        .put(&json!({"id": "p", "sort": "there", "n": 0}))
        .await
        .unwrap();
    let delete = |sort: &str| Write::Delete {
        key: Key::sorted("p", sort),
        condition: Condition::Always,
    };
    let versions = table
        .write_batch(vec![
            put("there", 1, Condition::Always),
            delete("missing"),
            put("new", 2, Condition::Always),
        ])
        .await
        .unwrap();
    let told: Vec<bool> = versions.iter().map(Option::is_some).collect();
    assert_eq!(told, [true, false, true]);
    assert_eq!(
        (n(&table, "there").await, n(&table, "new").await),
        (Some(json!(1)), Some(json!(2)))
    );
    let stored = table
        .get_stored::<Value>(Key::sorted("p", "new"))
        .await
        .unwrap()
        .unwrap();
    assert_eq!(versions[2].as_ref(), Some(&stored.version));

    let versions = table
        .write_batch(vec![
            put("new", 3, Condition::Version(stored.version.clone())),
            delete("there"),
        ])
        .await
        .unwrap();
    assert_eq!(n(&table, "there").await, None);
    assert_ne!(versions[0].as_ref(), Some(&stored.version));
}

#[tokio::test]
async fn a_batch_tells_which_write_failed() {
    let harness = harness().await;
    let table = harness.table(schema("id", Some("sort"))).await.unwrap();
    let version = table
        .put(&json!({"id": "p", "sort": "there", "n": 0}))
        .await
        .unwrap();
    table
        .put(&json!({"id": "p", "sort": "there", "n": 1}))
        .await
        .unwrap();
    for (condition, kind) in [
        (Condition::Absent, ErrorKind::AlreadyExists),
        (Condition::Version(version), ErrorKind::Conflict),
    ] {
        let batch = vec![put("a", 1, Condition::Always), put("there", 2, condition)];
        let error = table.write_batch(batch).await.unwrap_err();
        assert_eq!(error.kind(), kind, "{error}");
        let facts: Vec<_> = error.context().collect();
        assert!(
            facts.contains(&("index", "1")) && facts.contains(&("key", "p/there")),
            "{error}"
        );
        assert_eq!(n(&table, "there").await, Some(json!(1)));
    }
}

#[tokio::test]
async fn a_batch_of_two_partitions_is_refused_before_anything_is_written() {
    let harness = harness().await;
    let table = harness.table(schema("id", None)).await.unwrap();
    let write = |id: &str| Write::Put {
        item: json!({"id": id}),
        condition: Condition::Always,
    };
    let error = table.write_batch(vec![write("a"), write("b")]).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported);
    assert!(error.message().contains("partition"), "{error}");
    assert_eq!(table.get::<Value>("a").await.unwrap(), None);
}

/// The document as it is in the container.
async fn document(running: &Emulators, table: &Table, physical: &str, id: &str, partition: &str) -> Value {
    let rest = table.driver().as_any().downcast_ref::<Rest>().unwrap();
    let url = running
        .config()
        .address(&format!("{physical}/docs/{id}"))
        .unwrap();
    let mut request = Request::new(url, Method::Get);
    request.insert_header("x-ms-documentdb-partitionkey", json!([partition]).to_string());
    request.insert_header("x-ms-documentdb-query-enablecrosspartition", "True");
    let answer = rest.send("test.get", request).await.unwrap();
    serde_json::from_slice(answer.body()).unwrap()
}

/// A table by `face` in the emulators of all tests.
async fn faces() -> (Emulators, Table, String) {
    let running = emulators().await;
    let config = Config::load(running.environment()).unwrap();
    let name = format!("faces-{}", uuid::Uuid::new_v4().simple());
    let physical = format!("https://nephos.documents.azure.com/dbs/app/colls/{name}");
    let table = open(
        &config,
        ResourceKind::Table,
        &physical,
        &[("key", "face"), ("ttl", "ttl")],
    )
    .table("it")
    .unwrap();
    let rest = table.driver().as_any().downcast_ref::<Rest>().unwrap();
    let url = config
        .address("https://nephos.documents.azure.com/dbs/app/colls")
        .unwrap();
    let mut request = Request::new(url, Method::Post);
    let container =
        json!({"id": name, "partitionKey": {"paths": ["/face"], "kind": "Hash"}, "defaultTtl": -1});
    request.set_body(bytes::Bytes::from(container.to_string()));
    rest.send("test.create", request).await.unwrap();
    (running, table, physical)
}

#[tokio::test]
async fn the_change_feed_is_told_insertions_from_changes() {
    let (running, table, physical) = faces().await;
    let change = async || document(&running, &table, &physical, "a", "a").await["_nephos"]["change"].clone();
    table.put(&json!({"face": "a", "n": 1})).await.unwrap();
    assert_eq!(change().await, "inserted");
    let version = table.put(&json!({"face": "a", "n": 2})).await.unwrap();
    assert_eq!(change().await, "modified");
    table
        .put_if_version(&json!({"face": "a", "n": 3}), &version)
        .await
        .unwrap();
    assert_eq!(change().await, "modified");
    table.delete("a").await.unwrap();
    table.put_if_absent(&json!({"face": "a", "n": 4})).await.unwrap();
    assert_eq!(change().await, "inserted");
    // Other programs find the attributes under their own names.
    assert_eq!(document(&running, &table, &physical, "a", "a").await["n"], 4);
}

#[tokio::test]
async fn an_item_may_have_attributes_that_the_service_needs_and_any_key() {
    let (running, table, physical) = faces().await;
    let expiry = chrono::Utc::now().timestamp() + 1000;
    let long = "ü".repeat(1000);
    for key in ["a", "a/b\\c?d#e", long.as_str()] {
        let item = json!({"face": key, "id": 7, "ttl": expiry, "_etag": "mine", "_nephos": {"x": 1.0}, "n": u64::MAX});
        table.put(&item).await.unwrap();
        assert_eq!(table.get::<Value>(key).await.unwrap(), Some(item));
    }
    let ttl = document(&running, &table, &physical, "a", "a").await["ttl"]
        .as_i64()
        .unwrap();
    assert!((990..=1000).contains(&ttl), "{ttl}");
    let page = table.query::<Value>(&Query::partition("a")).await.unwrap();
    assert_eq!((page.items.len(), page.next), (1, None));
}
