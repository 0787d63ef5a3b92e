//! Tables: what a document looks like to programs without Nephos, and what they write.

use nephos_core::ErrorKind;
use nephos_core::resource::ResourceKind;
use nephos_core::resource::table::{Condition, Key, Write};
use nephos_gcp::resources::rest::Rest;
use serde_json::{Value, json};

use super::{emulators, open};

const DOCUMENTS: &str = "projects/nephos-tests/databases/(default)/documents";
const SCHEMA: &[(&str, &str)] = &[("key", "id"), ("sort", "at"), ("ttl", "ends")];

async fn documents(rest: &Rest, names: &[&str]) -> Vec<Value> {
    let names: Vec<String> = names.iter().map(|name| format!("{DOCUMENTS}/{name}")).collect();
    let body = json!({"documents": names});
    rest.post("test", &format!("/{DOCUMENTS}:batchGet"), &body)
        .await
        .unwrap()
}

#[tokio::test]
async fn an_item_is_a_document_that_others_read_and_write() {
    let emulators = emulators().await;
    let rest = Rest::new(emulators.config(), "https://firestore.googleapis.com/v1").unwrap();
    let table = open(emulators.config(), ResourceKind::Table, "orders", SCHEMA)
        .table("it")
        .unwrap();
    let item =
        json!({"id": "a/b", "at": "1", "n": 7, "big": u64::MAX, "lists": [[1]], "ends": 4_102_444_800_i64});
    table.put(&item).await.unwrap();
    let found = documents(&rest, &["orders/a%2Fb|1"]).await;
    let fields = &found[0]["found"]["fields"];
    assert_eq!(fields["n"], json!({"integerValue": "7"}));
    assert_eq!(fields["_nephos_key"], json!({"stringValue": "3:a/b1"}));
    assert_eq!(
        fields["_nephos_expires"],
        json!({"timestampValue": "2100-01-01T00:00:00Z"})
    );
    assert_eq!(
        table.get::<Value>(Key::sorted("a/b", "1")).await.unwrap(),
        Some(item)
    );

    // Others' documents are read by their key and in a scan; a query finds what has the field that it orders by.
    let name = format!("{DOCUMENTS}/orders/c|2");
    let fields = json!({"id": {"stringValue": "c"}, "at": {"stringValue": "2"}, "when": {"timestampValue": "2026-01-01T00:00:00Z"}});
    let body = json!({"writes": [{"update": {"name": name, "fields": fields}}]});
    let _: Value = rest
        .post("test", &format!("/{DOCUMENTS}:commit"), &body)
        .await
        .unwrap();
    let theirs = table
        .get_stored::<Value>(Key::sorted("c", "2"))
        .await
        .unwrap()
        .unwrap();
    assert_eq!(theirs.item["when"], "2026-01-01T00:00:00Z");
    let ours = json!({"id": "c", "at": "2"});
    table.put_if_version(&ours, &theirs.version).await.unwrap();
    let error = table.put_if_version(&ours, &theirs.version).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Conflict, "{error}");
    assert_eq!(table.scan::<Value>(10, None).await.unwrap().items.len(), 2);
}

#[tokio::test]
async fn a_batch_over_partitions_is_all_or_nothing_and_replaces_what_has_expired() {
    let emulators = emulators().await;
    let table = open(emulators.config(), ResourceKind::Table, "locks", SCHEMA)
        .table("it")
        .unwrap();
    let item = |id: &str, ends: i64| json!({"id": id, "at": "1", "ends": ends});
    let absent = |item: Value| Write::Put {
        item,
        condition: Condition::Absent,
    };
    const FAR: i64 = 4_102_444_800;
    table.put(&item("old", 1)).await.unwrap();
    table.put(&item("live", FAR)).await.unwrap();
    let error = table
        .write_batch(vec![
            absent(item("old", FAR)),
            absent(item("new", FAR)),
            absent(item("live", FAR)),
        ])
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::AlreadyExists, "{error}");
    assert!(error.to_string().contains("index=2"), "{error}");
    for id in ["old", "new"] {
        assert_eq!(
            table.get::<Value>(Key::sorted(id, "1")).await.unwrap(),
            None,
            "{id}"
        );
    }
    let versions = table
        .write_batch(vec![absent(item("old", FAR)), absent(item("new", FAR))])
        .await
        .unwrap();
    assert_eq!(versions.iter().flatten().count(), 2);
    assert_eq!(
        table.get::<Value>(Key::sorted("old", "1")).await.unwrap(),
        Some(item("old", FAR))
    );
}

#[tokio::test]
async fn what_is_no_collection_is_refused_when_it_is_opened() {
    let emulators = emulators().await;
    for physical in [
        "projects/p/databases/(default)/documents/a/b",
        "projects/p/databases/(default)/a",
        "projects/p/topics/a",
        "..",
    ] {
        let error = open(emulators.config(), ResourceKind::Table, physical, SCHEMA)
            .table("it")
            .unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidArgument, "{physical}");
        assert!(error.message().contains("deploy"), "{error}");
    }
    let error = open(emulators.config(), ResourceKind::Table, "orders", &[])
        .table("it")
        .unwrap_err();
    assert!(error.message().contains("key"), "{error}");
}
