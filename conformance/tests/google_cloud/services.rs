//! Cloud Run: revisions, traffic, conditions, operations, etags, and revisions that never get ready.

use nephos_conformance::google_cloud::{Code, Failure, Unready, When};
use serde_json::{Value, json};

use crate::client::{Google, PROJECT, REGION};

const RUN: &str = "run.googleapis.com";

fn body(image: &str) -> Value {
    json!({"labels": {"nephos-app": "orders"}, "template": {"containers": [{"image": image}]}})
}

fn services() -> String {
    format!("{RUN}/v2/{REGION}/services")
}

async fn create(google: &Google, id: &str) -> Value {
    let request = format!("POST {}?serviceId={id}", services());
    let operation = google.ask(&request, body("image:1")).await.ok();
    google.ended(RUN, &operation).await["response"].clone()
}

#[tokio::test]
async fn a_service_gets_a_revision_and_is_ready_when_its_operation_ends() {
    let google = Google::start().await;
    let request = format!("POST {}?serviceId=orders", services());
    let operation = google.ask(&request, body("image:1")).await.ok();
    assert!(operation["done"].is_null() && operation["name"].as_str().unwrap().contains("/operations/"));
    let ended = google.ended(RUN, &operation).await;
    assert_eq!(
        ended["response"]["@type"],
        "type.googleapis.com/google.cloud.run.v2.Service"
    );
    let service = google.get(&format!("{}/orders", services())).await.ok();
    let revision = service["latestReadyRevision"].as_str().unwrap();
    assert!(
        revision.contains("/services/orders/revisions/orders-00001-"),
        "{revision}"
    );
    assert_eq!(service["latestCreatedRevision"], revision);
    assert_eq!(service["terminalCondition"]["state"], "CONDITION_SUCCEEDED");
    assert_eq!(
        (&service["generation"], &service["observedGeneration"]),
        (&json!("1"), &json!("1"))
    );
    assert_eq!(service["uri"], "https://orders-123456789012.europe-west1.run.app");
    assert_eq!(
        service["template"]["containers"][0]["ports"][0]["containerPort"],
        8080
    );
    assert_eq!(service["template"]["timeout"], "300s");
    assert!(service["uid"].is_string() && service["createTime"].is_string());
    let revision = google.get(&format!("{RUN}/v2/{revision}")).await.ok();
    assert_eq!(
        (&revision["service"], &revision["conditions"][0]["state"]),
        (&json!("orders"), &json!("CONDITION_SUCCEEDED"))
    );
    assert!(google.control.findings().is_empty());
}

#[tokio::test]
async fn only_another_template_makes_another_revision() {
    let google = Google::start().await;
    create(&google, "orders").await;
    let one = format!("PATCH {}/orders", services());
    let labels = json!({"labels": {"nephos-app": "orders", "a": "b"}});
    let operation = google.ask(&format!("{one}?updateMask=labels"), labels).await.ok();
    let same = google.ended(RUN, &operation).await["response"].clone();
    assert!(
        same["latestReadyRevision"]
            .as_str()
            .unwrap()
            .contains("orders-00001-")
    );
    assert_eq!(
        (&same["generation"], &same["labels"]["a"]),
        (&json!("2"), &json!("b"))
    );
    let operation = google.ask(&one, body("image:2")).await.ok();
    let other = google.ended(RUN, &operation).await["response"].clone();
    assert!(
        other["latestReadyRevision"]
            .as_str()
            .unwrap()
            .contains("orders-00003-")
    );
    assert!(
        other["labels"]["a"].is_null(),
        "without a mask everything is replaced"
    );
    let revisions = google.get(&format!("{}/orders/revisions", services())).await.ok();
    assert_eq!(revisions["revisions"].as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn traffic_goes_to_revisions_that_there_are_and_adds_up() {
    let google = Google::start().await;
    let first = create(&google, "orders").await["latestReadyRevision"].clone();
    let first = first.as_str().unwrap().rsplit('/').next().unwrap().to_owned();
    let request = format!("PATCH {}/orders?updateMask=traffic", services());
    let to = |revision: &str, percent: i32| json!({"traffic": [{"type": "TRAFFIC_TARGET_ALLOCATION_TYPE_REVISION", "revision": revision, "percent": percent}]});
    google
        .ask(&request, to(&first, 90))
        .await
        .refused(400, "INVALID_ARGUMENT", "90 together");
    google
        .ask(&request, to("orders-00009-zzz", 100))
        .await
        .refused(400, "INVALID_ARGUMENT", "not found");
    let operation = google.ask(&request, to(&first, 100)).await.ok();
    let service = google.ended(RUN, &operation).await["response"].clone();
    assert_eq!(service["trafficStatuses"][0]["revision"], first.as_str());
    let delete = format!("DELETE {}/orders/revisions/{first}", services());
    google
        .ask(&delete, Value::Null)
        .await
        .refused(400, "FAILED_PRECONDITION", "in use");
}

#[tokio::test]
async fn a_revision_that_never_gets_ready_leaves_the_one_before_in_its_place() {
    let google = Google::start().await;
    let first = create(&google, "orders").await["latestReadyRevision"].clone();
    google.control.keep_unready(
        "orders",
        Unready {
            reason: "HEALTH_CHECK_CONTAINER_ERROR".to_owned(),
            message: "The user-provided container failed to start and listen on the port.".to_owned(),
        },
    );
    let patch = format!("PATCH {}/orders", services());
    let operation = google.ask(&patch, body("image:2")).await.ok();
    let ended = google.ended(RUN, &operation).await;
    assert_eq!(ended["error"]["code"], 9);
    let message = ended["error"]["message"].as_str().unwrap();
    assert!(
        message.contains("is not ready and cannot serve traffic. The user-provided"),
        "{message}"
    );
    let service = google.get(&format!("{}/orders", services())).await.ok();
    assert_eq!(service["latestReadyRevision"], first);
    assert_ne!(service["latestCreatedRevision"], first);
    assert_eq!(
        service["terminalCondition"]["revisionReason"],
        "HEALTH_CHECK_CONTAINER_ERROR"
    );
    assert_eq!(
        (&service["terminalCondition"]["state"], &service["reconciling"]),
        (&json!("CONDITION_FAILED"), &json!(false))
    );
    google.control.let_succeed();
    let operation = google.ask(&patch, body("image:3")).await.ok();
    let ended = google.ended(RUN, &operation).await;
    assert_eq!(
        ended["response"]["terminalCondition"]["state"],
        "CONDITION_SUCCEEDED"
    );
}

#[tokio::test]
async fn a_revision_needs_the_secrets_that_it_refers_to() {
    let google = Google::start().await;
    let mut wanting = body("image:1");
    wanting["template"]["containers"][0]["env"] =
        json!([{"name": "KEY", "valueSource": {"secretKeyRef": {"secret": "key", "version": "latest"}}}]);
    let create = format!("POST {}?serviceId=orders", services());
    let operation = google.ask(&create, wanting.clone()).await.ok();
    let ended = google.ended(RUN, &operation).await;
    let message = ended["error"]["message"].as_str().unwrap();
    assert!(
        message.contains("secrets/key/versions/latest was not found"),
        "{message}"
    );
    let service = google.get(&format!("{}/orders", services())).await.ok();
    assert_eq!(
        service["terminalCondition"]["reason"],
        "SECRETS_ACCESS_CHECK_FAILED"
    );
    let secrets = format!("secretmanager.googleapis.com/v1/{PROJECT}/secrets");
    let secret = json!({"replication": {"automatic": {}}});
    google
        .ask(&format!("POST {secrets}?secretId=key"), secret)
        .await
        .ok();
    let version = json!({"payload": {"data": "b25l"}});
    google
        .ask(&format!("POST {secrets}/key:addVersion"), version)
        .await
        .ok();
    let again = format!("PATCH {}/orders?forceNewRevision=true", services());
    let operation = google.ask(&again, wanting).await.ok();
    let ready = google.ended(RUN, &operation).await["response"]["terminalCondition"].clone();
    assert_eq!(ready["state"], "CONDITION_SUCCEEDED");
}

#[tokio::test]
async fn who_comes_second_is_told() {
    let google = Google::start().await;
    let read = create(&google, "orders").await;
    let mut changed = body("image:2");
    changed["etag"] = read["etag"].clone();
    google
        .control
        .touch(&format!("{REGION}/services/orders"))
        .unwrap();
    let patch = format!("PATCH {}/orders", services());
    google
        .ask(&patch, changed.clone())
        .await
        .refused(409, "ABORTED", "etag");
    let stale = read["etag"].as_str().unwrap().replace('"', "%22");
    let delete = format!("DELETE {}/orders", services());
    google
        .ask(&format!("{delete}?etag={stale}"), Value::Null)
        .await
        .refused(409, "ABORTED", "etag");
    changed["etag"] = google.get(&format!("{}/orders", services())).await.ok()["etag"].clone();
    google.ask(&patch, changed).await.ok();
    let create = format!("POST {}?serviceId=orders", services());
    google
        .ask(&create, body("image:1"))
        .await
        .refused(409, "ALREADY_EXISTS", "already exists");
}

#[tokio::test]
async fn what_was_read_may_be_written_back_whole() {
    let google = Google::start().await;
    let mut service = create(&google, "orders").await;
    service.as_object_mut().unwrap().remove("@type");
    service["template"]["timeout"] = "5s".into();
    let operation = google
        .ask(&format!("PATCH {}/orders", services()), service)
        .await
        .ok();
    let after = google.ended(RUN, &operation).await["response"].clone();
    assert_eq!(after["template"]["timeout"], "5s");
    assert!(google.control.findings().is_empty());
}

#[tokio::test]
async fn a_wrong_service_is_refused_with_its_fields() {
    let google = Google::start().await;
    let create = |id: &str| format!("POST {}?serviceId={id}", services());
    let mut wrong = body("image:1");
    wrong["template"]["timeOut"] = "5s".into();
    wrong["ingress"] = "ALL".into();
    let error =
        google
            .ask(&create("orders"), wrong)
            .await
            .refused(400, "INVALID_ARGUMENT", "Invalid value at");
    let violations = error["details"][0]["fieldViolations"].as_array().unwrap();
    let fields: Vec<&Value> = violations.iter().map(|one| &one["field"]).collect();
    assert_eq!(fields, ["ingress", "template.timeOut"]);
    let long = "a".repeat(50);
    google
        .ask(&create(&long), body("i"))
        .await
        .refused(400, "INVALID_ARGUMENT", "at most 49");
    google
        .ask(&create("Orders"), body("i"))
        .await
        .refused(400, "INVALID_ARGUMENT", "is no name");
    let mut reserved = body("i");
    reserved["template"]["containers"][0]["env"] = json!([{"name": "PORT", "value": "1"}]);
    google
        .ask(&create("orders"), reserved)
        .await
        .refused(400, "INVALID_ARGUMENT", "reserved env names");
    let mut labelled = body("i");
    labelled["labels"] = json!({"App": "Orders"});
    google
        .ask(&create("orders"), labelled)
        .await
        .refused(400, "INVALID_ARGUMENT", "lower-case");
    let mut nobody = body("i");
    nobody["template"]["serviceAccount"] = "gone@nephos-tests.iam.gserviceaccount.com".into();
    google
        .ask(&create("orders"), nobody)
        .await
        .refused(403, "PERMISSION_DENIED", "actAs");
    let dry = format!("{}&validateOnly=true", create("orders"));
    assert_eq!(google.ask(&dry, body("i")).await.ok()["done"], true);
    assert!(
        google.control.resources().is_empty(),
        "nothing of all this was made"
    );
}

#[tokio::test]
async fn operations_wait_while_a_test_says_so_and_fail_when_it_says_so() {
    let google = Google::start().await;
    google.control.pause("run.services");
    let operation = google
        .ask(&format!("POST {}?serviceId=orders", services()), body("i"))
        .await
        .ok();
    let name = operation["name"].as_str().unwrap();
    for _ in 0..5 {
        assert!(google.get(&format!("{RUN}/v2/{name}")).await.ok()["done"].is_null());
    }
    let service = google.get(&format!("{}/orders", services())).await.ok();
    assert_eq!(service["terminalCondition"]["state"], "CONDITION_RECONCILING");
    google.control.resume("run.services");
    let waited = google
        .ask(&format!("POST {RUN}/v2/{name}:wait"), json!({"timeout": "5s"}))
        .await
        .ok();
    assert_eq!(waited["done"], true);

    let later = Failure::new(Code::Internal, "An internal error has occurred")
        .on(2)
        .told(When::Later);
    google.control.fail("run.services", later);
    create(&google, "second").await;
    let operation = google
        .ask(&format!("POST {}?serviceId=third", services()), body("i"))
        .await
        .ok();
    assert_eq!(google.ended(RUN, &operation).await["error"]["code"], 13);
    google
        .get(&format!("{}/third", services()))
        .await
        .refused(404, "NOT_FOUND", "third");
    create(&google, "fourth").await;
}

#[tokio::test]
async fn a_deleted_service_is_gone_with_its_revisions_and_its_policy() {
    let google = Google::start().await;
    create(&google, "orders").await;
    let policy = json!({"policy": {"bindings": [{"role": "roles/run.invoker", "members": ["allUsers"]}]}});
    google
        .ask(&format!("POST {}/orders:setIamPolicy", services()), policy)
        .await
        .ok();
    let operation = google
        .ask(&format!("DELETE {}/orders", services()), Value::Null)
        .await
        .ok();
    google.ended(RUN, &operation).await;
    google
        .get(&format!("{}/orders", services()))
        .await
        .refused(404, "NOT_FOUND", "orders");
    assert!(google.control.resources().is_empty());
    assert!(
        google
            .control
            .policy(&format!("{REGION}/services/orders"))
            .is_none()
    );
}

#[tokio::test]
async fn lists_come_in_pages() {
    let google = Google::start().await;
    for id in ["a1", "b1", "c1"] {
        create(&google, id).await;
    }
    let page = google.get(&format!("{}?pageSize=2", services())).await.ok();
    assert_eq!(page["services"].as_array().unwrap().len(), 2);
    let token = page["nextPageToken"].as_str().unwrap();
    let rest = google
        .get(&format!("{}?pageSize=2&pageToken={token}", services()))
        .await
        .ok();
    assert!(
        rest["services"][0]["name"]
            .as_str()
            .unwrap()
            .ends_with("/services/c1")
    );
    assert!(rest["nextPageToken"].is_null());
    google
        .get(&format!("{}?pageToken=x", services()))
        .await
        .refused(400, "INVALID_ARGUMENT", "page_token");
}
