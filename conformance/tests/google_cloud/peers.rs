//! Google's own SDK for Python against the stand-in, by Google's host names over TLS: its paths, its bodies, its pollers, its errors.

use std::process::Command;

use nephos_conformance::discovery::is_accepted;
use nephos_conformance::edge::Edge;
use nephos_conformance::process::Tool;
use serde_json::{Value, json};

use crate::client::{Google, PROJECT, REGION};

const PYTHON: Tool = Tool {
    what: "Google's SDK for Python",
    path: "python/bin/python",
};

/// What each program begins with: where things are, and clients that speak HTTP with JSON.
const BEGIN: &str = r#"
import json, sys
from google.api_core import exceptions
from google.oauth2.credentials import Credentials
project, parent, token = sys.argv[1:]
rest = dict(credentials=Credentials(token), transport="rest")
told = {}
"#;

const RUN: &str = r#"
from google.cloud import run_v2
services, revisions = run_v2.ServicesClient(**rest), run_v2.RevisionsClient(**rest)
name = f"{parent}/services/orders"
service = run_v2.Service(
    labels={"nephos-app": "orders"},
    ingress=run_v2.IngressTraffic.INGRESS_TRAFFIC_ALL,
    template=run_v2.RevisionTemplate(
        timeout="30s",
        scaling=run_v2.RevisionScaling(max_instance_count=5),
        containers=[run_v2.Container(image="image:1", env=[run_v2.EnvVar(name="A", value="b")])],
    ),
)
made = services.create_service(parent=parent, service=service, service_id="orders").result(timeout=60)
told["made"] = [made.terminal_condition.state.name, made.uri]
made.template.containers[0].image = "image:2"
changed = services.update_service(service=made).result(timeout=60)
told["changed"] = [changed.generation, changed.latest_ready_revision != made.latest_ready_revision]
try:
    services.update_service(service=made)
    told["stale"] = None
except exceptions.Conflict as error:
    told["stale"] = error.reason or error.code
told["revisions"] = len(list(revisions.list_revisions(parent=name)))
policy = services.get_iam_policy({"resource": name})
policy.bindings.add(role="roles/run.invoker", members=["allUsers"])
told["policy"] = [one.role for one in services.set_iam_policy({"resource": name, "policy": policy}).bindings]
told["deleted"] = services.delete_service(name=name).result(timeout=60).name
try:
    services.get_service(name=name)
    told["gone"] = None
except exceptions.NotFound as error:
    told["gone"] = error.code
print(json.dumps(told))
"#;

const OTHERS: &str = r#"
from google.cloud import eventarc_v1, resourcemanager_v3, scheduler_v1, secretmanager_v1, service_usage_v1
from google.pubsub_v1 import PublisherClient, SubscriberClient

secrets = secretmanager_v1.SecretManagerServiceClient(**rest)
secret = secrets.create_secret(parent=project, secret_id="key", secret={"replication": {"automatic": {}}})
secrets.add_secret_version(parent=secret.name, payload={"data": b"secret"})
told["secret"] = secrets.access_secret_version(name=f"{secret.name}/versions/latest").payload.data.decode()
secret.labels["a"] = "b"
told["labels"] = dict(secrets.update_secret(secret=secret, update_mask={"paths": ["labels"]}).labels)

topics, subscriptions = PublisherClient(**rest), SubscriberClient(**rest)
topic = topics.create_topic({"name": f"{project}/topics/orders", "labels": {"a": "b"}})
subscription = subscriptions.create_subscription({
    "name": f"{project}/subscriptions/orders",
    "topic": topic.name,
    "retry_policy": {"minimum_backoff": {"seconds": 10}},
    "enable_message_ordering": True,
    "push_config": {"push_endpoint": "https://orders.run.app/"},
})
subscription.ack_deadline_seconds = 60
mask = {"paths": ["ack_deadline_seconds"]}
told["deadline"] = subscriptions.update_subscription(subscription=subscription, update_mask=mask).ack_deadline_seconds
told["subscriptions"] = list(topics.list_topic_subscriptions(topic=topic.name))

jobs = scheduler_v1.CloudSchedulerClient(**rest)
target = {"uri": "https://orders.run.app/", "http_method": "POST", "body": b"{}"}
job = jobs.create_job(parent=parent, job={"name": f"{parent}/jobs/nightly", "schedule": "0 3 * * *", "http_target": target})
told["job"] = jobs.pause_job(name=job.name).state.name

triggers = eventarc_v1.EventarcClient(**rest)
trigger = triggers.create_trigger(parent=parent, trigger_id="published", trigger={
    "name": f"{parent}/triggers/published",
    "event_filters": [{"attribute": "type", "value": "google.cloud.pubsub.topic.v1.messagePublished"}],
    "transport": {"pubsub": {"topic": topic.name}},
    "destination": {"cloud_run": {"service": "orders", "region": "europe-west1"}},
}).result(timeout=60)
told["trigger"] = trigger.transport.pubsub.topic
triggers.delete_trigger(name=trigger.name).result(timeout=60)
told["triggers"] = len(list(triggers.list_triggers(parent=parent)))

told["project"] = resourcemanager_v3.ProjectsClient(**rest).get_project(name=project).project_id
usage = service_usage_v1.ServiceUsageClient(**rest)
enabled = usage.enable_service({"name": f"{project}/services/run.googleapis.com"})
told["enabled"] = enabled.result(timeout=60).service.state.name
print(json.dumps(told))
"#;

const DATA: &str = r#"
import base64, datetime
from google.cloud import firestore_admin_v1, iam_credentials_v1, logging, storage
from google.cloud.firestore_admin_v1 import types
from google.iam.v1 import policy_pb2

databases = firestore_admin_v1.FirestoreAdminClient(**rest)
made = databases.create_database(
    parent=project,
    database_id="orders",
    database=types.Database(type_="FIRESTORE_NATIVE", location_id="europe-west1"),
).result(timeout=60)
made.delete_protection_state = "DELETE_PROTECTION_ENABLED"
mask = {"paths": ["delete_protection_state"]}
changed = databases.update_database(database=made, update_mask=mask).result(timeout=60)
told["database"] = [changed.delete_protection_state.name, changed.concurrency_mode.name]
try:
    databases.delete_database(name=made.name)
    told["protected"] = None
except exceptions.BadRequest as error:
    told["protected"] = error.code
field = types.Field(
    name=f"{made.name}/collectionGroups/items/fields/expires", ttl_config=types.Field.TtlConfig()
)
mask = {"paths": ["ttl_config"]}
told["ttl"] = databases.update_field({"field": field, "update_mask": mask}).result(timeout=60).ttl_config.state.name
told["databases"] = [one.name for one in databases.list_databases(parent=project).databases]

client = storage.Client(project=project.split("/")[1], credentials=Credentials(token))
bucket = client.bucket("orders-files")
bucket.iam_configuration.uniform_bucket_level_access_enabled = True
bucket.labels = {"nephos-app": "orders"}
client.create_bucket(bucket, location="europe-west1")
told["retention"] = bucket.soft_delete_policy.retention_duration_seconds
policy = bucket.get_iam_policy(requested_policy_version=3)
policy.bindings.append({"role": "roles/storage.objectViewer", "members": {"allUsers"}})
told["roles"] = len(bucket.set_iam_policy(policy).bindings)
told["held"] = bucket.test_iam_permissions(["storage.objects.get"])
agent = client.get_service_account_email()
topic = f"{project}/topics/changes"
from google.pubsub_v1 import PublisherClient
topics = PublisherClient(**rest)
topics.create_topic(name=topic)
grants = policy_pb2.Policy(bindings=[policy_pb2.Binding(role="roles/pubsub.publisher", members=[f"serviceAccount:{agent}"])])
topics.set_iam_policy(request={"resource": topic, "policy": grants})
config = bucket.notification("changes", event_types=["OBJECT_FINALIZE"], payload_format="JSON_API_V1")
config.create()
told["notifications"] = [one.topic_name for one in bucket.list_notifications()]
blob = bucket.blob("a/b")
blob.upload_from_string("content")
blob.delete()
[gone] = bucket.list_blobs(soft_deleted=True)
bucket.restore_blob("a/b", generation=gone.generation)
told["restored"] = bucket.blob("a/b").download_as_text()
bucket.delete(force=True)

credentials = iam_credentials_v1.IAMCredentialsClient(**rest)
name = "projects/-/serviceAccounts/orders@nephos-tests.iam.gserviceaccount.com"
payload = credentials.generate_id_token(name=name, audience="https://a", include_email=True).token.split(".")[1]
told["claims"] = json.loads(base64.urlsafe_b64decode(payload + "=="))["email"]
lifetime = datetime.timedelta(seconds=60)
token_of = credentials.generate_access_token(
    name=name, scope=["https://www.googleapis.com/auth/cloud-platform"], lifetime=lifetime
)
told["token"] = token_of.access_token != ""

logs = logging.Client(project=project.split("/")[1], credentials=Credentials(token), _use_grpc=False)
query = 'severity>=NOTICE AND log_id("by-hand")'
told["logs"] = [one.payload for one in logs.list_entries(filter_=query, order_by=logging.DESCENDING, page_size=2)]
print(json.dumps(told))
"#;

/// What a program told. Nothing in its requests may be an error.
async fn ask(google: &Google, program: &str) -> Value {
    let edge = Edge::start().await.unwrap();
    google.control.route(&edge);
    let mut python = Command::new(PYTHON.find().unwrap());
    python
        .args([
            "-c",
            &format!("{BEGIN}{program}"),
            PROJECT,
            REGION,
            &google.control.token(),
        ])
        .env_remove("NO_PROXY")
        .env_remove("no_proxy");
    for (name, value) in edge.environment() {
        // The SDK's HTTP client has a name of its own for who is trusted.
        if name == "SSL_CERT_FILE" {
            python.env("REQUESTS_CA_BUNDLE", &value);
        }
        python.env(name, value);
    }
    let output = tokio::task::spawn_blocking(move || python.output().unwrap())
        .await
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    assert!(edge.refused().is_empty(), "{:?}", edge.refused());
    let findings = google.control.findings();
    assert!(is_accepted(&findings), "{findings:#?}");
    serde_json::from_slice(&output.stdout).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_sdk_makes_changes_and_deletes_a_service() {
    let google = Google::start().await;
    assert_eq!(
        ask(&google, RUN).await,
        json!({
            "made": ["CONDITION_SUCCEEDED", "https://orders-123456789012.europe-west1.run.app"],
            "changed": [2, true],
            "stale": 409,
            "revisions": 2,
            "policy": ["roles/run.invoker"],
            "deleted": format!("{REGION}/services/orders"),
            "gone": 404,
        })
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_sdk_sets_up_all_that_is_around_a_service() {
    let google = Google::start().await;
    assert_eq!(
        ask(&google, OTHERS).await,
        json!({
            "secret": "secret",
            "labels": {"a": "b"},
            "deadline": 60,
            "subscriptions": [format!("{PROJECT}/subscriptions/orders")],
            "job": "PAUSED",
            "trigger": format!("{PROJECT}/topics/orders"),
            "triggers": 0,
            "project": "nephos-tests",
            "enabled": "ENABLED",
        })
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_sdk_sets_up_databases_buckets_tokens_and_logs() {
    let google = Google::start().await;
    google.account("orders").await;
    for number in 0..3 {
        // Google's client writes entries with a field in the spelling of protocol buffers, which is refused here.
        let entry = json!({
            "logName": format!("{PROJECT}/logs/by-hand"), "severity": "NOTICE", "textPayload": format!("line {number}"),
            "resource": {"type": "global", "labels": {"project_id": "nephos-tests"}},
        });
        google.control.logs().add(&entry).unwrap();
    }
    let told = ask(&google, DATA).await;
    assert_eq!(
        told,
        json!({
            "database": ["DELETE_PROTECTION_ENABLED", "PESSIMISTIC"],
            "protected": 400,
            "ttl": "ACTIVE",
            "databases": [format!("{PROJECT}/databases/orders")],
            "retention": 604_800,
            "roles": 5,
            "held": ["storage.objects.get"],
            "notifications": ["changes"],
            "restored": "content",
            "claims": "orders@nephos-tests.iam.gserviceaccount.com",
            "token": true,
            "logs": ["line 2", "line 1", "line 0"],
        })
    );
}
