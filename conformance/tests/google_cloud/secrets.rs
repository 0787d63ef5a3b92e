//! Secret Manager: versions, their states, `latest`, checksums, etags.

use serde_json::{Value, json};

use crate::client::{Google, PROJECT};

fn secrets() -> String {
    format!("secretmanager.googleapis.com/v1/{PROJECT}/secrets")
}

async fn create(google: &Google) -> Value {
    let body = json!({"replication": {"automatic": {}}, "labels": {"nephos-app": "orders"}});
    google
        .ask(&format!("POST {}?secretId=key", secrets()), body)
        .await
        .ok()
}

async fn add(google: &Google, data: &str) -> Value {
    let body = json!({"payload": {"data": data}});
    google
        .ask(&format!("POST {}/key:addVersion", secrets()), body)
        .await
        .ok()
}

#[tokio::test]
async fn versions_are_counted_and_latest_is_the_newest() {
    let google = Google::start().await;
    let secret = create(&google).await;
    assert_eq!(
        secret["name"], "projects/123456789012/secrets/key",
        "names have the project's number"
    );
    assert_eq!(
        add(&google, "b25l").await["name"],
        "projects/123456789012/secrets/key/versions/1"
    );
    let second = add(&google, "dHdv").await;
    let access = |version: &str| format!("{}/key/versions/{version}:access", secrets());
    let latest = google.get(&access("latest")).await.ok();
    assert_eq!(
        (&latest["name"], &latest["payload"]["data"]),
        (&second["name"], &json!("dHdv"))
    );
    assert_eq!(latest["payload"]["dataCrc32c"], "1389933475");
    let disable = format!("POST {}/key/versions/2:disable", secrets());
    google.ask(&disable, json!({})).await.ok();
    google
        .get(&access("latest"))
        .await
        .refused(400, "FAILED_PRECONDITION", "DISABLED");
    assert_eq!(google.get(&access("1")).await.ok()["payload"]["data"], "b25l");
    let destroy = format!("POST {}/key/versions/2:destroy", secrets());
    assert_eq!(google.ask(&destroy, json!({})).await.ok()["state"], "DESTROYED");
    google
        .ask(&destroy, json!({}))
        .await
        .refused(400, "FAILED_PRECONDITION", "DESTROYED");
    assert_eq!(
        add(&google, "dHJlcw==").await["name"],
        "projects/123456789012/secrets/key/versions/3"
    );
    let versions = google.get(&format!("{}/key/versions", secrets())).await.ok();
    assert_eq!(versions["versions"].as_array().unwrap().len(), 3);
}

#[tokio::test]
async fn a_wrong_secret_or_version_is_refused() {
    let google = Google::start().await;
    let post = format!("POST {}?secretId=key", secrets());
    google
        .ask(&post, json!({}))
        .await
        .refused(400, "INVALID_ARGUMENT", "exactly one of automatic");
    let named = format!("POST {}?secretId=a.b", secrets());
    let body = json!({"replication": {"automatic": {}}});
    google
        .ask(&named, body.clone())
        .await
        .refused(400, "INVALID_ARGUMENT", "is no name");
    create(&google).await;
    google
        .ask(&post, body)
        .await
        .refused(409, "ALREADY_EXISTS", "already exists");
    let version = format!("POST {}/key:addVersion", secrets());
    let sum = json!({"payload": {"data": "b25l", "dataCrc32c": "1"}});
    google
        .ask(&version, sum)
        .await
        .refused(400, "INVALID_ARGUMENT", "checksum");
    google
        .ask(&version, json!({"payload": {}}))
        .await
        .refused(400, "INVALID_ARGUMENT", "1 to 65536");
    google
        .get(&format!("{}/key/versions/latest:access", secrets()))
        .await
        .refused(404, "NOT_FOUND", "latest");
    let none = format!("POST {}/none:addVersion", secrets());
    google
        .ask(&none, json!({"payload": {"data": "b25l"}}))
        .await
        .refused(404, "NOT_FOUND", "none");
}

#[tokio::test]
async fn a_secret_is_changed_by_mask_and_etag() {
    let google = Google::start().await;
    let secret = create(&google).await;
    let patch = |mask: &str| format!("PATCH {}/key?updateMask={mask}", secrets());
    let mut update = json!({"name": secret["name"], "labels": {"c": "d"}, "etag": secret["etag"]});
    let after = google.ask(&patch("labels"), update.clone()).await.ok();
    assert_eq!(
        (&after["labels"], &after["replication"]),
        (&json!({"c": "d"}), &json!({"automatic": {}}))
    );
    assert_ne!(after["etag"], secret["etag"]);
    google
        .ask(&patch("labels"), update.clone())
        .await
        .refused(409, "ABORTED", "etag");
    update["etag"] = after["etag"].clone();
    update["replication"] = json!({"userManaged": {"replicas": [{"location": "europe-west1"}]}});
    google
        .ask(&patch("replication"), update)
        .await
        .refused(400, "INVALID_ARGUMENT", "cannot change");
    let found = google
        .get(&format!("{}?filter=labels.c%3Dd", secrets()))
        .await
        .ok();
    assert_eq!(found["secrets"].as_array().unwrap().len(), 1);
    assert_eq!(
        google
            .get(&format!("{}?filter=labels.c%3De", secrets()))
            .await
            .ok(),
        json!({})
    );
    google
        .ask(&format!("DELETE {}/key", secrets()), Value::Null)
        .await
        .ok();
    assert!(google.control.resources().is_empty());
}
