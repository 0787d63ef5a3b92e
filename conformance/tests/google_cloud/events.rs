//! Triggers of Eventarc, half-made ones among them, and jobs of Cloud Scheduler.

use nephos_conformance::google_cloud::{Code, Failure, When};
use serde_json::{Value, json};

use crate::client::{Google, REGION};

const EVENTARC: &str = "eventarc.googleapis.com";

fn triggers() -> String {
    format!("{EVENTARC}/v1/{REGION}/triggers")
}

fn trigger(account: &str) -> Value {
    json!({
        "name": format!("{REGION}/triggers/snapshots"),
        "eventFilters": [
            {"attribute": "type", "value": "google.cloud.storage.object.v1.finalized"},
            {"attribute": "bucket", "value": "snapshots"},
        ],
        "destination": {"cloudRun": {"service": "orders", "region": "europe-west1"}},
        "serviceAccount": account,
        "labels": {"nephos-app": "orders"},
    })
}

#[tokio::test]
async fn a_trigger_has_a_topic_and_a_subscription_when_its_operation_ends() {
    let google = Google::start().await;
    let account = google.account("events").await;
    let create = format!("POST {}?triggerId=snapshots", triggers());
    let operation = google.ask(&create, trigger(&account)).await.ok();
    assert_eq!(operation["metadata"]["verb"], "create");
    let one = format!("{}/snapshots", triggers());
    let busy = format!("DELETE {one}");
    google
        .ask(&busy, Value::Null)
        .await
        .refused(409, "ABORTED", "unable to queue");
    let made = google.ended(EVENTARC, &operation).await["response"].clone();
    let subscription = made["transport"]["pubsub"]["subscription"].as_str().unwrap();
    assert!(
        subscription.contains("/subscriptions/eventarc-europe-west1-snapshots-"),
        "{subscription}"
    );
    let patch = format!("PATCH {one}?updateMask=labels");
    let operation = google.ask(&patch, json!({"labels": {"a": "b"}})).await.ok();
    let after = google.ended(EVENTARC, &operation).await["response"].clone();
    assert_eq!(
        (&after["labels"], &after["uid"]),
        (&json!({"a": "b"}), &made["uid"])
    );
    let found = google
        .get(&format!("{}?filter=labels.a:b", triggers()))
        .await
        .ok();
    assert_eq!(found["triggers"].as_array().unwrap().len(), 1);
    let operation = google.ask(&busy, Value::Null).await.ok();
    google.ended(EVENTARC, &operation).await;
    google.get(&one).await.refused(404, "NOT_FOUND", "snapshots");
}

#[tokio::test]
async fn a_trigger_that_is_half_made_stays_and_says_so() {
    let google = Google::start().await;
    let account = google.account("events").await;
    let failure = Failure::new(
        Code::PermissionDenied,
        "The Cloud Storage service account is missing a role",
    );
    google
        .control
        .fail("eventarc.triggers", failure.told(When::Halfway).on(1));
    let create = format!("POST {}?triggerId=snapshots", triggers());
    let operation = google.ask(&create, trigger(&account)).await.ok();
    assert_eq!(google.ended(EVENTARC, &operation).await["error"]["code"], 7);
    let left = google.get(&format!("{}/snapshots", triggers())).await.ok();
    assert!(
        left["conditions"]["status"]["message"]
            .as_str()
            .unwrap()
            .contains("missing a role")
    );
    google
        .ask(&create, trigger(&account))
        .await
        .refused(409, "ALREADY_EXISTS", "already exists");
}

#[tokio::test]
async fn a_wrong_trigger_is_refused() {
    let google = Google::start().await;
    let account = google.account("events").await;
    let create = format!("POST {}?triggerId=snapshots", triggers());
    let mut wrong = trigger(&account);
    wrong["eventFilters"].as_array_mut().unwrap().pop();
    google
        .ask(&create, wrong)
        .await
        .refused(400, "INVALID_ARGUMENT", "attribute bucket");
    let mut wrong = trigger(&account);
    wrong["destination"] = json!({});
    google
        .ask(&create, wrong)
        .await
        .refused(400, "INVALID_ARGUMENT", "exactly one destination");
    let mut wrong = trigger(&account);
    wrong.as_object_mut().unwrap().remove("serviceAccount");
    google
        .ask(&create, wrong)
        .await
        .refused(400, "INVALID_ARGUMENT", "service_account");
    google
        .ask(&create, trigger("gone@nephos-tests.iam.gserviceaccount.com"))
        .await
        .refused(403, "PERMISSION_DENIED", "actAs");
    assert!(
        google
            .control
            .resources()
            .iter()
            .all(|one| one.kind != "eventarc.triggers")
    );
}

#[tokio::test]
async fn a_job_is_made_paused_changed_and_deleted() {
    let google = Google::start().await;
    let account = google.account("ticks1").await;
    let jobs = format!("cloudscheduler.googleapis.com/v1/{REGION}/jobs");
    let name = format!("{REGION}/jobs/nightly");
    let body = json!({
        "name": name,
        "schedule": "0 3 * * *",
        "httpTarget": {"uri": "https://orders.run.app/", "oidcToken": {"serviceAccountEmail": account}},
    });
    let made = google.ask(&format!("POST {jobs}"), body.clone()).await.ok();
    assert_eq!(
        (&made["state"], &made["timeZone"]),
        (&json!("ENABLED"), &json!("Etc/UTC"))
    );
    assert_eq!(
        made["httpTarget"]["oidcToken"]["audience"],
        "https://orders.run.app/"
    );
    google
        .ask(&format!("POST {jobs}"), body.clone())
        .await
        .refused(409, "ALREADY_EXISTS", "nightly");
    let paused = google
        .ask(&format!("POST {jobs}/nightly:pause"), json!({}))
        .await
        .ok();
    assert_eq!(paused["state"], "PAUSED");
    let patch = format!("PATCH {jobs}/nightly?updateMask=schedule");
    let after = google.ask(&patch, json!({"schedule": "0 4 * * *"})).await.ok();
    assert_eq!(
        (&after["schedule"], &after["state"]),
        (&json!("0 4 * * *"), &json!("PAUSED"))
    );
    google.ask(&patch, json!({"schedule": "at noon"})).await.refused(
        400,
        "INVALID_ARGUMENT",
        "Schedule or time zone",
    );
    let mut elsewhere = body.clone();
    elsewhere["name"] = "projects/nephos-tests/locations/us-central1/jobs/nightly".into();
    google
        .ask(&format!("POST {jobs}"), elsewhere)
        .await
        .refused(400, "INVALID_ARGUMENT", "begins with");
    let mut slow = body;
    slow["name"] = format!("{REGION}/jobs/slow").into();
    slow["attemptDeadline"] = "3600s".into();
    google
        .ask(&format!("POST {jobs}"), slow)
        .await
        .refused(400, "INVALID_ARGUMENT", "15 to 1800");
    google
        .ask(&format!("POST {jobs}/nightly:run"), json!({}))
        .await
        .refused(501, "UNIMPLEMENTED", "jobs.run");
    google
        .ask(&format!("DELETE {jobs}/nightly"), Value::Null)
        .await
        .ok();
    assert_eq!(google.get(&jobs).await.ok(), json!({}));
}
