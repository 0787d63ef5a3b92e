//! Buckets over the JSON API.

use http::Method;
use nephos_conformance::gcs::Options;
use serde_json::json;

use crate::client::Gcs;

const ALL: &str = "/storage/v1/b?project=nephos-tests";

#[tokio::test(flavor = "multi_thread")]
async fn a_bucket_is_made_changed_and_deleted() {
    let gcs = Gcs::start().await;
    let body = json!({
        "name": "made", "location": "europe-west1", "labels": {"a": "1", "b": "2"},
        "iamConfiguration": {"uniformBucketLevelAccess": {"enabled": true}, "publicAccessPrevention": "enforced"},
    });
    let made = gcs.json(Method::POST, ALL, body.clone()).await;
    assert_eq!(made.status, 200, "{}", made.text());
    let made = made.json();
    assert_eq!(made["location"], "EUROPE-WEST1");
    assert_eq!(made["metageneration"], "1");
    assert_eq!(made["etag"], "CAE=");
    assert_eq!(made["iamConfiguration"]["publicAccessPrevention"], "enforced");
    let again = gcs.json(Method::POST, ALL, body).await;
    assert_eq!(again.refusal(), (409, "conflict".to_owned()));

    let path = "/storage/v1/b/made";
    let patched = gcs
        .json(Method::PATCH, path, json!({"labels": {"a": null, "c": "3"}}))
        .await
        .json();
    assert_eq!(patched["labels"], json!({"b": "2", "c": "3"}));
    assert_eq!(patched["metageneration"], "2");
    let updated = gcs
        .json(Method::PUT, path, json!({"labels": {"d": "4"}}))
        .await
        .json();
    assert_eq!(updated["labels"], json!({"d": "4"}));

    for (method, expected) in [(Method::GET, 412), (Method::PATCH, 412), (Method::DELETE, 412)] {
        let answer = gcs
            .ask(
                method.clone(),
                &format!("{path}?ifMetagenerationMatch=1"),
                &[],
                b"",
            )
            .await;
        assert_eq!(answer.status, expected, "{method}");
    }
    let unchanged = gcs.get(&format!("{path}?ifMetagenerationNotMatch=3")).await;
    assert_eq!((unchanged.status, unchanged.bytes.len()), (304, 0));
    let deleted = gcs
        .ask(
            Method::DELETE,
            &format!("{path}?ifMetagenerationMatch=3"),
            &[],
            b"",
        )
        .await;
    assert_eq!(deleted.status, 204, "{}", deleted.text());
    assert_eq!(gcs.get(path).await.refusal(), (404, "notFound".to_owned()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bucket_with_objects_is_not_deleted() {
    let gcs = Gcs::start().await;
    gcs.put("a", b"x").await;
    let answer = gcs.ask(Method::DELETE, "/storage/v1/b/tests", &[], b"").await;
    assert_eq!(answer.refusal(), (409, "conflict".to_owned()));
}

#[tokio::test(flavor = "multi_thread")]
async fn buckets_are_listed_in_pages() {
    let gcs = Gcs::start_with(Options {
        page: 2,
        ..Options::default()
    })
    .await;
    for name in ["b-1", "b-2", "b-3"] {
        gcs.storage.create_bucket(name).unwrap();
    }
    let first = gcs.get(&format!("{ALL}&prefix=b-")).await.json();
    assert_eq!(first["items"][1]["name"], "b-2");
    let token = first["nextPageToken"].as_str().unwrap();
    let second = gcs
        .get(&format!("{ALL}&prefix=b-&pageToken={token}"))
        .await
        .json();
    assert_eq!(second["items"][0]["name"], "b-3");
    assert!(second.get("nextPageToken").is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_bucket_cannot_be_is_refused() {
    let gcs = Gcs::start().await;
    for (body, status) in [
        (json!({}), 400),
        (json!({"name": "A"}), 400),
        (json!({"name": "my-google-bucket"}), 400),
        (json!({"name": "www.example.com"}), 403),
        (json!({"name": "fine", "versioning": {"enabled": true}}), 400),
        (json!({"name": "fine", "lifecycle": {"rule": []}}), 400),
        (json!({"name": "fine", "acl": []}), 400),
        (
            json!({"name": "fine", "iamConfiguration": {"uniformBucketLevelAccess": {"enabled": false}}}),
            400,
        ),
        (
            json!({"name": "fine", "softDeletePolicy": {"retentionDurationSeconds": "604799"}}),
            400,
        ),
        (json!({"name": "fine", "labels": {"A": "b"}}), 400),
        (json!({"name": "fine", "storageClass": "FAST"}), 400),
        (json!({"name": "fine", "invented": 1}), 400),
    ] {
        let answer = gcs.json(Method::POST, ALL, body.clone()).await;
        assert_eq!(answer.status, status, "{body}: {}", answer.text());
    }
    let no_project = gcs
        .json(Method::POST, "/storage/v1/b", json!({"name": "fine"}))
        .await;
    assert_eq!(no_project.refusal(), (400, "required".to_owned()));
    let other = gcs
        .json(
            Method::POST,
            "/storage/v1/b?project=other-project",
            json!({"name": "fine"}),
        )
        .await;
    assert_eq!(other.refusal(), (403, "forbidden".to_owned()));
    assert!(gcs.storage.create_bucket("no").is_err());
}
