//! Databases of Firestore, and when documents of a collection expire.

use nephos_conformance::google_cloud::{Code, Failure, When};
use serde_json::{Value, json};

use crate::client::{Google, PROJECT};

const HOST: &str = "firestore.googleapis.com";

fn databases() -> String {
    format!("{HOST}/v1/{PROJECT}/databases")
}

fn database() -> Value {
    json!({"type": "FIRESTORE_NATIVE", "locationId": "europe-west1"})
}

/// A database, made.
async fn made(google: &Google, id: &str, body: Value) -> Value {
    let operation = google
        .ask(&format!("POST {}?databaseId={id}", databases()), body)
        .await
        .ok();
    google.ended(HOST, &operation).await["response"].clone()
}

fn field(id: &str) -> String {
    format!("{}/orders/collectionGroups/items/fields/{id}", databases())
}

#[tokio::test]
async fn a_database_is_made_changed_protected_and_deleted() {
    let google = Google::start().await;
    let create = format!("POST {}?databaseId=orders", databases());
    let operation = google.ask(&create, database()).await.ok();
    let kind = operation["metadata"]["@type"].as_str().unwrap();
    assert!(
        kind.ends_with("firestore.admin.v1.CreateDatabaseMetadata"),
        "{kind}"
    );
    let made = google.ended(HOST, &operation).await["response"].clone();
    assert_eq!(
        (&made["concurrencyMode"], &made["databaseEdition"]),
        (&json!("PESSIMISTIC"), &json!("STANDARD"))
    );
    google
        .ask(&create, database())
        .await
        .refused(409, "ALREADY_EXISTS", "already exists");

    let one = format!("{}/orders", databases());
    let patch = format!("PATCH {one}?updateMask=deleteProtectionState");
    let body = json!({"deleteProtectionState": "DELETE_PROTECTION_ENABLED", "etag": made["etag"]});
    let operation = google.ask(&patch, body.clone()).await.ok();
    let after = google.ended(HOST, &operation).await["response"].clone();
    assert_eq!(after["deleteProtectionState"], "DELETE_PROTECTION_ENABLED");
    google
        .ask(&patch, body)
        .await
        .refused(400, "FAILED_PRECONDITION", "etag");
    let delete = format!("DELETE {one}");
    google
        .ask(&delete, Value::Null)
        .await
        .refused(400, "FAILED_PRECONDITION", "delete protection");
    google
        .ask(
            &format!("PATCH {one}?updateMask=locationId"),
            json!({"locationId": "nam5"}),
        )
        .await
        .refused(400, "INVALID_ARGUMENT", "cannot change");

    let open = json!({"deleteProtectionState": "DELETE_PROTECTION_DISABLED"});
    let operation = google.ask(&patch, open).await.ok();
    let open = google.ended(HOST, &operation).await["response"].clone();
    let stale = format!("{delete}?etag={}", "bm9uZQ%3D%3D");
    google
        .ask(&stale, Value::Null)
        .await
        .refused(400, "FAILED_PRECONDITION", "etag");
    let etag: String = url_text(open["etag"].as_str().unwrap());
    let operation = google
        .ask(&format!("{delete}?etag={etag}"), Value::Null)
        .await
        .ok();
    google.ended(HOST, &operation).await;
    assert_eq!(google.get(&databases()).await.ok(), json!({}));
}

fn url_text(text: &str) -> String {
    text.bytes().map(|byte| format!("%{byte:02X}")).collect()
}

#[tokio::test]
async fn what_no_database_can_be_is_refused() {
    let google = Google::start().await;
    for (id, body, words) in [
        ("Orders", database(), "is no name"),
        ("abc", database(), "is no name"),
        ("orders", json!({"type": "FIRESTORE_NATIVE"}), "locationId"),
        (
            "orders",
            json!({"type": "FIRESTORE_NATIVE", "locationId": "mars-1"}),
            "no location",
        ),
        ("orders", json!({"locationId": "europe-west1"}), "type"),
        (
            "(default)",
            json!({"type": "FIRESTORE_NATIVE", "locationId": "eur3", "databaseEdition": "ENTERPRISE"}),
            "standard edition",
        ),
    ] {
        let create = format!("POST {}?databaseId={id}", databases());
        google
            .ask(&create, body)
            .await
            .refused(400, "INVALID_ARGUMENT", words);
    }
    made(&google, "(default)", database()).await;
    let found = google.get(&databases()).await.ok();
    assert_eq!(
        found["databases"][0]["name"],
        format!("{PROJECT}/databases/(default)")
    );
    google
        .get(&format!("{}/orders", databases()))
        .await
        .refused(404, "NOT_FOUND", "orders");
    google.control.deny("datastore.databases.create", "");
    google
        .ask(&format!("POST {}?databaseId=others", databases()), database())
        .await
        .refused(403, "PERMISSION_DENIED", "datastore.databases.create");
}

#[tokio::test]
async fn one_field_of_a_collection_says_when_documents_expire() {
    let google = Google::start().await;
    google
        .get(&field("expires"))
        .await
        .refused(404, "NOT_FOUND", "databases/orders");
    made(&google, "orders", database()).await;
    // Every field is there, whether something was said of it or not.
    let before = google.get(&field("expires")).await.ok();
    assert_eq!(before["indexConfig"]["usesAncestorConfig"], true);
    assert!(before["ttlConfig"].is_null());

    let patch = format!("PATCH {}?updateMask=ttlConfig", field("expires"));
    let operation = google.ask(&patch, json!({"ttlConfig": {}})).await.ok();
    let metadata = &operation["metadata"];
    assert_eq!(metadata["ttlConfigDelta"]["changeType"], "ADD");
    assert_eq!(metadata["state"], "PROCESSING");
    let ended = google.ended(HOST, &operation).await;
    assert_eq!(ended["response"]["ttlConfig"], json!({"state": "ACTIVE"}));
    assert_eq!(ended["metadata"]["state"], "SUCCESSFUL");
    let group = format!(
        "{}/orders/collectionGroups/-/fields?filter=ttlConfig:*",
        databases()
    );
    let found = google.get(&group).await.ok();
    assert!(
        found["fields"][0]["name"]
            .as_str()
            .unwrap()
            .ends_with("/collectionGroups/items/fields/expires")
    );

    let second = format!("PATCH {}?updateMask=ttlConfig", field("later"));
    google.ask(&second, json!({"ttlConfig": {}})).await.refused(
        400,
        "FAILED_PRECONDITION",
        "time to live already",
    );
    let operation = google.ask(&patch, json!({})).await.ok();
    assert_eq!(operation["metadata"]["ttlConfigDelta"]["changeType"], "REMOVE");
    google.ended(HOST, &operation).await;
    assert!(google.get(&field("expires")).await.ok()["ttlConfig"].is_null());
    assert_eq!(google.get(&group).await.ok(), json!({}));
}

#[tokio::test]
async fn a_time_to_live_that_fails_is_not_there() {
    let google = Google::start().await;
    made(&google, "orders", database()).await;
    let failure = Failure::new(Code::Internal, "try again").told(When::Later);
    google.control.fail_update("firestore.fields", failure);
    let patch = format!("PATCH {}?updateMask=ttlConfig", field("expires"));
    let operation = google.ask(&patch, json!({"ttlConfig": {}})).await.ok();
    let ended = google.ended(HOST, &operation).await;
    assert_eq!(ended["error"]["code"], 13);
    assert_eq!(ended["metadata"]["state"], "FAILED");
    assert!(google.get(&field("expires")).await.ok()["ttlConfig"].is_null());
    google
        .ask(
            &format!("PATCH {}?updateMask=ttlConfig", field("a-b")),
            json!({"ttlConfig": {}}),
        )
        .await
        .refused(400, "INVALID_ARGUMENT", "backticks");
}
