//! Azure's own SDK for Python against the stand-in: its pollers, its models, its errors.

use std::path::PathBuf;

use nephos_conformance::azure_manager::Line;
use nephos_conformance::process::TOOLS;
use serde_json::{Value, json};

use crate::client::{Azure, GROUP, queue, stack, storage, template};

/// What each program begins with: a credential that is App Service's managed identity, and clients that ask the stand-in.
const BEGIN: &str = r#"
import json, sys
from azure.core.exceptions import HttpResponseError, ResourceNotFoundError
from azure.core.pipeline.policies import BearerTokenCredentialPolicy
from azure.identity import ManagedIdentityCredential
arguments = json.loads(sys.argv[1])

class OverHttp(BearerTokenCredentialPolicy):
    """The policy, for an address that has no TLS."""
    def on_request(self, request):
        request.context.options["enforce_https"] = False
        super().on_request(request)

def options(version=None):
    policy = OverHttp(ManagedIdentityCredential(), "https://management.azure.com/.default")
    more = {"api_version": version} if version else {}
    return dict(base_url=arguments["url"], polling_interval=0, authentication_policy=policy, retry_total=3, **more)
"#;

const STACKS: &str = r#"
from azure.mgmt.resource.deploymentstacks import DeploymentStacksClient
from azure.mgmt.resource.deploymentstacks.models import DeploymentStack
client = DeploymentStacksClient(ManagedIdentityCredential(), arguments["subscription"], **options("2024-03-01")).deployment_stacks
group, name = arguments["group"], "peer"
told = {}
made = client.begin_create_or_update_at_resource_group(group, name, DeploymentStack(arguments["first"])).result()
told["made"] = made.properties.provisioning_state
told["managed"] = [one.id.rsplit("/", 1)[1] for one in made.properties.resources]
told["by"] = made.system_data.created_by_type
read = client.get_at_resource_group(group, name)
told["read"] = [read.id, read.properties.deployment_id.rsplit("/", 1)[0].rsplit("/", 1)[1]]
told["exported"] = dict(client.export_template_at_resource_group(group, name).template)
changed = client.begin_create_or_update_at_resource_group(group, name, DeploymentStack(arguments["second"])).result()
told["deleted"] = [one.id.rsplit("/", 1)[1] for one in changed.properties.deleted_resources]
told["listed"] = [one.name for one in client.list_at_resource_group(group)]
failed = client.begin_create_or_update_at_resource_group(group, name, DeploymentStack(arguments["third"]))
try:
    failed.result()
    told["failed"] = None
except HttpResponseError as error:
    told["failed"] = [error.error.code, error.error.details[0].code]
told["failures"] = [one.error.code for one in client.get_at_resource_group(group, name).properties.failed_resources]
# Of the older version, this client knows no deletion: it has a default that only the newer one takes.
newer = DeploymentStacksClient(ManagedIdentityCredential(), arguments["subscription"], **options()).deployment_stacks
newer.begin_delete_at_resource_group(group, name, unmanage_action_resources="detach", unmanage_action_resource_groups="detach", unmanage_action_management_groups="detach").result()
try:
    client.get_at_resource_group(group, name)
except ResourceNotFoundError as error:
    told["gone"] = error.error.code
print(json.dumps(told))
"#;

const DEPLOYMENTS: &str = r#"
from azure.mgmt.resource.deployments import DeploymentsMgmtClient
from azure.mgmt.resource.resources import ResourceManagementClient
from azure.mgmt.resource.deploymentstacks import DeploymentStacksClient
from azure.mgmt.resource.deploymentstacks.models import DeploymentStack
credential = ManagedIdentityCredential()
client = DeploymentsMgmtClient(credential, arguments["subscription"], **options())
group = arguments["group"]
told = {}
def foresee(template):
    body = {"properties": {"mode": "Incremental", "template": template, "parameters": {}, "whatIfSettings": {"resultFormat": "FullResourcePayloads"}}}
    result = client.deployments.begin_what_if(group, "peer", body).result()
    return result.status, [[one.resource_id.rsplit("/", 1)[1], one.change_type, [delta.path for delta in one.delta or []]] for one in result.changes or []], result.error and result.error.code
told["before"] = foresee(arguments["first"])
stacks = DeploymentStacksClient(credential, arguments["subscription"], **options("2024-03-01")).deployment_stacks
stack = stacks.begin_create_or_update_at_resource_group(group, "peer", DeploymentStack(arguments["stack"])).result()
told["same"] = foresee(arguments["first"])
told["changed"] = foresee(arguments["changed"])
name = stack.properties.deployment_id.rsplit("/", 1)[1]
told["operations"] = [[one.properties.provisioning_operation, one.properties.provisioning_state, one.properties.target_resource and one.properties.target_resource.resource_name]
                      for one in client.deployment_operations.list(group, name)]
resources = ResourceManagementClient(credential, arguments["subscription"], **options())
told["resources"] = [one.name for one in resources.resources.list_by_resource_group(group)]
told["group"] = resources.resource_groups.create_or_update("another", {"location": "West Europe", "tags": {"a": "b"}}).location
resources.resource_groups.begin_delete("another").result()
told["there"] = resources.resource_groups.check_existence("another")
print(json.dumps(told))
"#;

const LOGS: &str = r#"
from datetime import timedelta
from azure.core.exceptions import HttpResponseError
from azure.monitor.query import LogsQueryClient
policy = OverHttp(ManagedIdentityCredential(), "https://api.loganalytics.azure.com/.default")
client = LogsQueryClient(ManagedIdentityCredential(), endpoint=arguments["url"] + "/logs", authentication_policy=policy)
answer = client.query_resource(arguments["component"], "AppTraces | where AppRoleName == 'a' | project TimeGenerated, Message | order by TimeGenerated asc", timespan=timedelta(hours=1))
table = answer.tables[0]
told = {"columns": table.columns, "rows": [[str(cell) for cell in row] for row in table.rows]}
try:
    client.query_resource(arguments["component"], "AppTraces | evaluate anything()", timespan=None)
except HttpResponseError as error:
    told["refused"] = [error.status_code, error.error.code]
print(json.dumps(told))
"#;

async fn python(azure: &Azure, program: &str, arguments: Value) -> Value {
    let tools =
        std::env::var_os(TOOLS).unwrap_or_else(|| panic!("{TOOLS} is not set; run `cargo xtask test`"));
    let mut all = json!({"url": azure.manager.url(), "subscription": azure.subscription(), "group": GROUP});
    for (name, value) in arguments.as_object().unwrap() {
        all[name] = value.clone();
    }
    let output = tokio::process::Command::new(PathBuf::from(tools).join("python/bin/python"))
        .arg("-c")
        .arg(format!("{BEGIN}{program}"))
        .arg(all.to_string())
        .envs(azure.manager.environment())
        .output()
        .await
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    serde_json::from_slice(&output.stdout).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_sdk_for_python_makes_changes_exports_and_deletes_a_stack() {
    let azure = Azure::start().await;
    let both = template(
        json!({"Account": storage("peeraccount"), "Jobs": queue("peeraccount", "jobs", &["Account"])}),
    );
    let first = stack(both.clone());
    let second = stack(template(json!({"Account": storage("peeraccount")})));
    let third = stack(template(
        json!({"Account": storage("peeraccount"), "Lost": queue("peeraccount", "lost", &[])}),
    ));
    azure.manager.fail(
        "/queues/lost",
        nephos_conformance::azure_manager::Failure::new(
            409,
            "QueueBeingDeleted",
            "The queue is being deleted.",
        ),
    );
    let told = python(
        &azure,
        STACKS,
        json!({"first": first, "second": second, "third": third}),
    )
    .await;
    assert_eq!(told["made"], "succeeded");
    assert_eq!(told["managed"], json!(["peeraccount", "jobs"]));
    assert_eq!(told["by"], "ManagedIdentity");
    assert_eq!(told["read"], json!([azure.stack("peer"), "deployments"]));
    assert_eq!(told["exported"], both);
    assert_eq!(told["deleted"], json!(["jobs"]));
    assert_eq!(told["listed"], json!(["peer"]));
    assert_eq!(
        told["failed"],
        json!(["DeploymentStackDeploymentFailed", "DeploymentFailed"])
    );
    assert_eq!(told["failures"], json!(["ResourceDeploymentFailure"]));
    assert_eq!(told["gone"], "DeploymentStackNotFound");
    let left: Vec<String> = azure.manager.resources(GROUP).into_keys().collect();
    assert_eq!(left, [azure.id("Microsoft.Storage/storageAccounts/peeraccount")]);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_sdk_for_python_foresees_changes_and_lists_operations() {
    let azure = Azure::start().await;
    let first = template(
        json!({"Account": storage("peeraccount"), "Jobs": queue("peeraccount", "jobs", &["Account"])}),
    );
    let mut changed = first.clone();
    changed["resources"]["Account"]["properties"]["minimumTlsVersion"] = "TLS1_3".into();
    let arguments = json!({"first": first, "changed": changed, "stack": stack(first)});
    let told = python(&azure, DEPLOYMENTS, arguments).await;
    let line = |name: &str, what: &str, paths: Value| json!([name, what, paths]);
    assert_eq!(
        told["before"],
        json!([
            "Succeeded",
            [
                line("peeraccount", "Create", json!([])),
                line("jobs", "Create", json!([]))
            ],
            null
        ])
    );
    assert_eq!(
        told["same"],
        json!([
            "Succeeded",
            [
                line("peeraccount", "NoChange", json!([])),
                line("jobs", "NoChange", json!([]))
            ],
            null
        ])
    );
    assert_eq!(
        told["changed"][1][0],
        line("peeraccount", "Modify", json!(["properties.minimumTlsVersion"]))
    );
    assert_eq!(
        told["operations"],
        json!([
            ["Create", "Succeeded", "peeraccount"],
            ["Create", "Succeeded", "peeraccount/default/jobs"],
            ["EvaluateDeploymentOutput", "Succeeded", null],
        ])
    );
    assert_eq!(told["resources"], json!(["peeraccount"]));
    assert_eq!(told["group"], "westeurope");
    assert_eq!(told["there"], false);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_sdk_for_python_reads_logs() {
    let azure = Azure::start().await;
    let component = azure.id("Microsoft.Insights/components/insights");
    azure
        .manager
        .put(
            &component,
            "2020-02-02",
            &json!({"location": "swedencentral", "kind": "web", "properties": {"Application_Type": "web"}}),
        )
        .unwrap();
    for (role, text) in [("a", "first"), ("b", "not this"), ("a", "second")] {
        azure.manager.log(Line {
            role: role.to_owned(),
            at: chrono::Utc::now(),
            text: text.to_owned(),
            severity: 1,
            exception: None,
        });
    }
    let told = python(&azure, LOGS, json!({"component": component})).await;
    assert_eq!(told["columns"], json!(["TimeGenerated", "Message"]));
    assert_eq!(told["rows"].as_array().unwrap().len(), 2);
    assert_eq!(told["rows"][1][1], "second");
    assert_eq!(told["refused"], json!([400, "BadArgumentError"]));
}
