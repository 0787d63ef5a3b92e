//! Service accounts, policies, the project, which interfaces are enabled, and a registry's repositories.

use serde_json::{Value, json};

use crate::client::{Google, PROJECT, REGION};

const PROJECTS: &str = "cloudresourcemanager.googleapis.com/v3";

#[tokio::test]
async fn an_account_has_an_address_and_a_number_of_its_own() {
    let google = Google::start().await;
    let email = google.account("orders").await;
    assert_eq!(email, "orders@nephos-tests.iam.gserviceaccount.com");
    let accounts = format!("iam.googleapis.com/v1/{PROJECT}/serviceAccounts");
    let body = json!({"accountId": "orders"});
    google.ask(&format!("POST {accounts}"), body).await.refused(
        409,
        "ALREADY_EXISTS",
        "orders already exists",
    );
    let short = json!({"accountId": "order"});
    google
        .ask(&format!("POST {accounts}"), short)
        .await
        .refused(400, "INVALID_ARGUMENT", "6 to 30");
    let one = google
        .get(&format!(
            "iam.googleapis.com/v1/projects/-/serviceAccounts/{email}"
        ))
        .await
        .ok();
    assert_eq!(
        (one["uniqueId"].as_str().unwrap().len(), &one["projectId"]),
        (21, &json!("nephos-tests"))
    );
    google
        .ask(&format!("POST {accounts}/{email}:disable"), json!({}))
        .await
        .ok();
    assert_eq!(
        google.get(&format!("{accounts}/{email}")).await.ok()["disabled"],
        true
    );
    let update = json!({"serviceAccount": {"displayName": "new"}, "updateMask": "displayName"});
    let after = google
        .ask(&format!("PATCH {accounts}/{email}"), update)
        .await
        .ok();
    assert_eq!(after["displayName"], "new");
    google
        .ask(&format!("DELETE {accounts}/{email}"), Value::Null)
        .await
        .ok();
    google
        .get(&format!("{accounts}/{email}"))
        .await
        .refused(404, "NOT_FOUND", "Unknown service account");
    assert_eq!(google.get(&accounts).await.ok(), json!({}));
}

#[tokio::test]
async fn a_policy_is_read_changed_and_written_by_one_at_a_time() {
    let google = Google::start().await;
    let email = google.account("orders").await;
    let read = google
        .ask(&format!("POST {PROJECTS}/{PROJECT}:getIamPolicy"), json!({}))
        .await
        .ok();
    let binding = json!({"role": "roles/run.invoker", "members": [format!("serviceAccount:{email}")]});
    let mut policy = json!({"policy": {"etag": read["etag"], "bindings": [binding]}});
    let set = format!("POST {PROJECTS}/{PROJECT}:setIamPolicy");
    let after = google.ask(&set, policy.clone()).await.ok();
    assert_ne!(after["etag"], read["etag"]);
    google
        .ask(&set, policy.clone())
        .await
        .refused(409, "ABORTED", "concurrent policy changes");
    assert_eq!(google.control.policy(PROJECT).unwrap(), after);
    policy["policy"]["etag"] = after["etag"].clone();
    policy["policy"]["bindings"][0]["members"][0] =
        "serviceAccount:gone@nephos-tests.iam.gserviceaccount.com".into();
    google
        .ask(&set, policy.clone())
        .await
        .refused(400, "INVALID_ARGUMENT", "does not exist");
    policy["policy"]["bindings"][0]["members"][0] = "orders".into();
    google
        .ask(&set, policy.clone())
        .await
        .refused(400, "INVALID_ARGUMENT", "no known prefix");
    policy["policy"]["bindings"][0]["members"][0] = "allUsers".into();
    policy["policy"]["bindings"][0]["condition"] = json!({"expression": "true"});
    google
        .ask(&set, policy)
        .await
        .refused(400, "INVALID_ARGUMENT", "version 3");
    let topic = google.topic("orders").await;
    let none = google
        .get(&format!("pubsub.googleapis.com/v1/{topic}:getIamPolicy"))
        .await
        .ok();
    assert!(none["bindings"].is_null());
    google
        .get(&format!("pubsub.googleapis.com/v1/{topic}s:getIamPolicy"))
        .await
        .refused(404, "NOT_FOUND", "orderss");
}

#[tokio::test]
async fn conditions_are_told_and_changed_in_version_3_alone() {
    let google = Google::start().await;
    let email = google.account("orders").await;
    let get = format!("POST {PROJECTS}/{PROJECT}:getIamPolicy");
    let set = format!("POST {PROJECTS}/{PROJECT}:setIamPolicy");
    let binding = json!({
        "role": "roles/datastore.user", "members": [format!("serviceAccount:{email}")],
        "condition": {"title": "t", "expression": "resource.name == \"a\""},
    });
    let policy = json!({"policy": {"version": 3, "bindings": [binding]}});
    let after = google.ask(&set, policy).await.ok();
    let version = |version: u8| json!({"options": {"requestedPolicyVersion": version}});
    assert_eq!(google.ask(&get, version(3)).await.ok(), after);
    let told = google.ask(&get, version(1)).await.ok();
    assert!(
        told["bindings"][0]["role"]
            .as_str()
            .unwrap()
            .starts_with("roles/datastore.user_withcond_")
    );
    assert_eq!(
        (&told["version"], &told["bindings"][0]["condition"]),
        (&json!(1), &Value::Null)
    );
    google
        .ask(&set, json!({"policy": told}))
        .await
        .refused(400, "INVALID_ARGUMENT", "version 3");
    let lost = json!({"policy": {"etag": after["etag"], "bindings": []}});
    google
        .ask(&set, lost)
        .await
        .refused(400, "INVALID_ARGUMENT", "version 3");
    let kept = json!({"policy": {"etag": after["etag"], "version": 3, "bindings": []}});
    google.ask(&set, kept).await.ok();
}

#[tokio::test]
async fn rights_that_a_test_takes_away_are_missing() {
    let google = Google::start().await;
    google.control.deny("pubsub.topics.*", "");
    let topic = format!("{PROJECT}/topics/orders");
    let error = google
        .ask(&format!("PUT pubsub.googleapis.com/v1/{topic}"), json!({}))
        .await;
    let error = error.refused(403, "PERMISSION_DENIED", "pubsub.topics.create");
    assert_eq!(error["details"][0]["reason"], "IAM_PERMISSION_DENIED");
    let test = format!("POST {PROJECTS}/{PROJECT}:testIamPermissions");
    let body = json!({"permissions": ["pubsub.topics.create", "run.services.create"]});
    assert_eq!(
        google.ask(&test, body).await.ok(),
        json!({"permissions": ["run.services.create"]})
    );
    google.control.let_succeed();
    google.topic("orders").await;
}

#[tokio::test]
async fn an_interface_that_is_not_enabled_is_refused_until_it_is() {
    let google = Google::start().await;
    google.control.disable("pubsub.googleapis.com");
    let topics = format!("pubsub.googleapis.com/v1/{PROJECT}/topics");
    let error = google.get(&topics).await.refused(
        403,
        "PERMISSION_DENIED",
        "Cloud Pub/Sub API has not been used in project 123456789012",
    );
    assert_eq!(error["details"][0]["reason"], "SERVICE_DISABLED");
    assert_eq!(
        error["details"][0]["metadata"]["service"],
        "pubsub.googleapis.com"
    );
    let services = format!("serviceusage.googleapis.com/v1/{PROJECT}/services");
    let disabled = google
        .get(&format!("{services}?filter=state:DISABLED"))
        .await
        .ok();
    assert_eq!(disabled["services"][0]["config"]["name"], "pubsub.googleapis.com");
    let body = json!({"serviceIds": ["pubsub.googleapis.com"]});
    let operation = google
        .ask(&format!("POST {services}:batchEnable"), body)
        .await
        .ok();
    assert_eq!(operation["done"], true);
    let name = operation["name"].as_str().unwrap();
    assert_eq!(
        google
            .get(&format!("serviceusage.googleapis.com/v1/{name}"))
            .await
            .ok()["done"],
        true
    );
    assert_eq!(google.get(&topics).await.ok(), json!({}));
    let unknown = google
        .ask(&format!("POST {services}/nothing.example.com:enable"), json!({}))
        .await;
    unknown.refused(403, "PERMISSION_DENIED", "serviceusage.services.enable");
    let project = google.get(&format!("{PROJECTS}/{PROJECT}")).await.ok();
    assert_eq!(
        (&project["name"], &project["state"]),
        (&json!("projects/123456789012"), &json!("ACTIVE"))
    );
}

#[tokio::test]
async fn a_repository_is_made_changed_and_deleted() {
    let google = Google::start().await;
    let host = "artifactregistry.googleapis.com";
    let repositories = format!("{host}/v1/{REGION}/repositories");
    let create = format!("POST {repositories}?repositoryId=orders");
    google
        .ask(&create, json!({}))
        .await
        .refused(400, "INVALID_ARGUMENT", "required");
    google
        .ask(&create, json!({"format": 2}))
        .await
        .refused(400, "INVALID_ARGUMENT", "DOCKER alone");
    // By the number that Google's clients send.
    let body = json!({"format": 1, "labels": {"a": "b"}});
    let operation = google.ask(&create, body.clone()).await.ok();
    let made = google.ended(host, &operation).await["response"].clone();
    assert_eq!(
        made["registryUri"],
        "europe-west1-docker.pkg.dev/nephos-tests/orders"
    );
    google
        .ask(&create, body)
        .await
        .refused(409, "ALREADY_EXISTS", "already exists");
    let patch = format!("PATCH {repositories}/orders?updateMask=labels");
    let after = google.ask(&patch, json!({"labels": {"c": "d"}})).await.ok();
    assert_eq!(after["labels"], json!({"c": "d"}));
    let delete = format!("DELETE {repositories}/orders");
    let operation = google.ask(&delete, Value::Null).await.ok();
    google.ended(host, &operation).await;
    assert_eq!(google.get(&repositories).await.ok(), json!({}));
}
