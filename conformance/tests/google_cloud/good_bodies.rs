//! Requests that a deployer makes, with nothing found in them.

use serde_json::{Value, json};

use crate::documents::found;

pub(crate) const RUN: &str = "run.googleapis.com/v2/projects/p/locations/europe-west1/services";

/// A service with everything that a function has.
pub(crate) fn service() -> Value {
    json!({
        "labels": {"nephos-app": "orders"},
        "annotations": {"nephos.dev/digest": "sha256:0"},
        "ingress": "INGRESS_TRAFFIC_INTERNAL_ONLY",
        "launchStage": "GA",
        "scaling": {"minInstanceCount": 0},
        "traffic": [{"type": "TRAFFIC_TARGET_ALLOCATION_TYPE_LATEST", "percent": 100}],
        "template": {
            "labels": {"nephos-app": "orders"},
            "scaling": {"minInstanceCount": 0, "maxInstanceCount": 20},
            "timeout": "30s",
            "serviceAccount": "orders@p.iam.gserviceaccount.com",
            "maxInstanceRequestConcurrency": 80,
            "executionEnvironment": "EXECUTION_ENVIRONMENT_GEN2",
            "volumes": [{"name": "secrets", "secret": {"secret": "key", "items": [{"path": "key", "version": "latest", "mode": 256}]}}],
            "containers": [{
                "image": "europe-west1-docker.pkg.dev/p/orders/orders:1",
                "ports": [{"name": "http1", "containerPort": 8080}],
                "env": [
                    {"name": "NEPHOS_FUNCTION", "value": "orders"},
                    {"name": "KEY", "valueSource": {"secretKeyRef": {"secret": "key", "version": "latest"}}},
                ],
                "resources": {"limits": {"cpu": "1", "memory": "512Mi"}, "cpuIdle": true, "startupCpuBoost": true},
                "startupProbe": {"timeoutSeconds": 1, "tcpSocket": {"port": 8080}},
                "volumeMounts": [{"name": "secrets", "mountPath": "/secrets"}],
            }],
        },
    })
}

pub(crate) fn subscription() -> Value {
    json!({
        "topic": "projects/p/topics/orders",
        "pushConfig": {
            "pushEndpoint": "https://orders-0.europe-west1.run.app/",
            "oidcToken": {"serviceAccountEmail": "push@p.iam.gserviceaccount.com", "audience": "https://orders"},
            "noWrapper": {"writeMetadata": true},
        },
        "ackDeadlineSeconds": 60,
        "enableMessageOrdering": true,
        "filter": "attributes.kind = \"order\"",
        "messageRetentionDuration": "604800s",
        "expirationPolicy": {},
        "deadLetterPolicy": {"deadLetterTopic": "projects/p/topics/orders-dead", "maxDeliveryAttempts": 5},
        "retryPolicy": {"minimumBackoff": "10s", "maximumBackoff": "600s"},
        "labels": {"nephos-app": "orders"},
    })
}

pub(crate) fn trigger(filters: &[(&str, &str)]) -> Value {
    json!({
        "name": "projects/p/locations/europe-west1/triggers/t",
        "eventFilters": filters.iter().map(|(attribute, value)| json!({"attribute": attribute, "value": value})).collect::<Vec<_>>(),
        "destination": {"cloudRun": {"service": "orders", "region": "europe-west1", "path": "/events"}},
        "serviceAccount": "events@p.iam.gserviceaccount.com",
        "labels": {"nephos-app": "orders"},
    })
}

pub(crate) fn job() -> Value {
    json!({
        "name": "projects/p/locations/europe-west1/jobs/nightly",
        "schedule": "0 3 * * *",
        "timeZone": "Etc/UTC",
        "attemptDeadline": "180s",
        "retryConfig": {"retryCount": 3, "minBackoffDuration": "5s", "maxBackoffDuration": "60s", "maxDoublings": 2},
        "httpTarget": {
            "uri": "https://orders-0.europe-west1.run.app/",
            "httpMethod": "POST",
            "headers": {"Content-Type": "application/json"},
            "body": "e30=",
            "oidcToken": {"serviceAccountEmail": "tick@p.iam.gserviceaccount.com", "audience": "https://orders"},
        },
    })
}

pub(crate) fn policy() -> Value {
    json!({"policy": {
        "version": 3,
        "etag": "BwXhqDJhcUU=",
        "bindings": [{
            "role": "roles/run.invoker",
            "members": ["serviceAccount:push@p.iam.gserviceaccount.com"],
            "condition": {"title": "until", "expression": "request.time < timestamp(\"2030-01-01T00:00:00Z\")"},
        }],
    }})
}

#[track_caller]
fn is_good(request: &str, body: &Value) {
    let body = Some(body).filter(|body| !body.is_null());
    let findings = found(request, body, None);
    assert!(findings.is_empty(), "{request}: {findings:#?}");
}

#[test]
fn a_service_of_cloud_run_has_no_findings() {
    is_good(
        &format!("POST {RUN}?serviceId=orders&validateOnly=true"),
        &service(),
    );
    is_good(&format!("PATCH {RUN}/orders?allowMissing=true"), &service());
    let image =
        json!({"template": {"containers": [{"image": "europe-west1-docker.pkg.dev/p/orders/orders:2"}]}});
    is_good(
        &format!("PATCH {RUN}/orders?updateMask=template.containers"),
        &image,
    );
    let traffic = json!({"traffic": [{
        "type": "TRAFFIC_TARGET_ALLOCATION_TYPE_REVISION", "revision": "orders-00001-abc", "percent": 100, "tag": "old",
    }]});
    is_good(&format!("PATCH {RUN}/orders?updateMask=traffic"), &traffic);
    is_good(&format!("DELETE {RUN}/orders?etag=%22abc%22"), &Value::Null);
    is_good(&format!("POST {RUN}/orders:setIamPolicy"), &policy());
    is_good(
        &format!("GET {RUN}?pageSize=50&pageToken=x&fields=services(name)&alt=json"),
        &Value::Null,
    );
}

#[test]
fn triggers_of_eventarc_have_no_findings() {
    let create = "POST eventarc.googleapis.com/v1/projects/p/locations/europe-west1/triggers?triggerId=t";
    let storage = trigger(&[
        ("type", "google.cloud.storage.object.v1.finalized"),
        ("bucket", "snapshots"),
    ]);
    is_good(create, &storage);
    let mut published = trigger(&[("type", "google.cloud.pubsub.topic.v1.messagePublished")]);
    published["transport"] = json!({"pubsub": {"topic": "projects/p/topics/orders"}});
    is_good(create, &published);
    let mut written = trigger(&[
        ("type", "google.cloud.firestore.document.v1.written"),
        ("database", "(default)"),
    ]);
    written["eventFilters"][1]["operator"] = "match-path-pattern".into();
    written["eventDataContentType"] = "application/protobuf".into();
    written["retryPolicy"] = json!({"maxAttempts": 5});
    is_good(create, &written);
}

#[test]
fn topics_and_subscriptions_have_no_findings() {
    let topic = json!({
        "labels": {"nephos-app": "orders"},
        "messageRetentionDuration": "86400s",
        "messageStoragePolicy": {"allowedPersistenceRegions": ["europe-west1"]},
    });
    is_good("PUT pubsub.googleapis.com/v1/projects/p/topics/orders", &topic);
    let update = json!({"topic": {"labels": {"a": "b"}}, "updateMask": "labels"});
    is_good("PATCH pubsub.googleapis.com/v1/projects/p/topics/orders", &update);
    let at = "pubsub.googleapis.com/v1/projects/p/subscriptions/orders";
    is_good(&format!("PUT {at}"), &subscription());
    let update = json!({"subscription": {"retryPolicy": {"minimumBackoff": "1.5s"}}, "updateMask": "retry_policy,push_config"});
    is_good(&format!("PATCH {at}"), &update);
    is_good(&format!("POST {at}:setIamPolicy"), &policy());
    is_good(&format!("DELETE {at}"), &Value::Null);
}

#[test]
fn a_job_of_the_scheduler_has_no_findings() {
    let jobs = "cloudscheduler.googleapis.com/v1/projects/p/locations/europe-west1/jobs";
    is_good(&format!("POST {jobs}"), &job());
    let paused = json!({"schedule": "0 4 * * *"});
    is_good(&format!("PATCH {jobs}/nightly?updateMask=schedule"), &paused);
    is_good(&format!("POST {jobs}/nightly:pause"), &json!({}));
}

#[test]
fn secrets_and_their_versions_have_no_findings() {
    let secrets = "secretmanager.googleapis.com/v1/projects/p/secrets";
    let secret = json!({"replication": {"automatic": {}}, "labels": {"nephos-app": "orders"}});
    is_good(&format!("POST {secrets}?secretId=key"), &secret);
    let chosen = json!({"replication": {"userManaged": {"replicas": [{"location": "europe-west1"}]}}});
    is_good(&format!("POST {secrets}?secretId=key"), &chosen);
    let version = json!({"payload": {"data": "c2VjcmV0", "dataCrc32c": "3421780262"}});
    is_good(&format!("POST {secrets}/key:addVersion"), &version);
    is_good(
        &format!("POST {secrets}/key/versions/1:destroy"),
        &json!({"etag": "\"1\""}),
    );
    is_good(&format!("GET {secrets}/key/versions/latest:access"), &Value::Null);
}

#[test]
fn accounts_policies_and_projects_have_no_findings() {
    let account = json!({"accountId": "orders", "serviceAccount": {"displayName": "orders", "description": "made by Nephos"}});
    is_good("POST iam.googleapis.com/v1/projects/p/serviceAccounts", &account);
    let at = "iam.googleapis.com/v1/projects/p/serviceAccounts/orders@p.iam.gserviceaccount.com";
    is_good(&format!("POST {at}:setIamPolicy"), &policy());
    is_good(
        &format!("POST {at}:getIamPolicy?options.requestedPolicyVersion=3"),
        &Value::Null,
    );
    let update = json!({"serviceAccount": {"displayName": "new"}, "updateMask": "displayName"});
    is_good(&format!("PATCH {at}"), &update);
    let project = "cloudresourcemanager.googleapis.com/v3/projects/p";
    is_good(&format!("POST {project}:setIamPolicy"), &policy());
    is_good(
        &format!("POST {project}:getIamPolicy"),
        &json!({"options": {"requestedPolicyVersion": 3}}),
    );
    let apis = json!({"serviceIds": ["run.googleapis.com", "eventarc.googleapis.com"]});
    is_good(
        "POST serviceusage.googleapis.com/v1/projects/1/services:batchEnable",
        &apis,
    );
}

#[test]
fn a_repository_a_bucket_and_a_query_of_logs_have_no_findings() {
    let repository = json!({"format": "DOCKER", "labels": {"nephos-app": "orders"}, "cleanupPolicies": {
        "old": {"action": "DELETE", "condition": {"olderThan": "2592000s", "tagState": "UNTAGGED"}},
    }});
    is_good(
        "POST artifactregistry.googleapis.com/v1/projects/p/locations/europe-west1/repositories?repositoryId=orders",
        &repository,
    );
    let bucket = json!({
        "name": "snapshots",
        "location": "EUROPE-WEST1",
        "iamConfiguration": {"uniformBucketLevelAccess": {"enabled": true}},
        "softDeletePolicy": {"retentionDurationSeconds": "0"},
    });
    is_good("POST storage.googleapis.com/storage/v1/b?project=p", &bucket);
    let logs = json!({"resourceNames": ["projects/p"], "filter": "severity>=ERROR", "orderBy": "timestamp desc", "pageSize": 100});
    is_good("POST logging.googleapis.com/v2/entries:list", &logs);
}
