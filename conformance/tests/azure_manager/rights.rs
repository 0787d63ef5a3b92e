//! What a stack protects, and what somebody without a right is told.

use http::{Method, StatusCode};
use serde_json::json;

use crate::client::{Azure, deepest, identity, stack};
use crate::stacks::{names, resources};

#[tokio::test(flavor = "multi_thread")]
async fn what_a_stack_protects_is_not_deleted_by_others() {
    let azure = Azure::start().await;
    let mut body = stack(resources(&["jobs"]));
    body["properties"]["denySettings"]["mode"] = "denyDelete".into();
    let told = azure.deploy("app", body.clone()).await;
    assert_eq!(told["properties"]["resources"][0]["denyStatus"], "denyDelete");
    let account = azure.id("Microsoft.Storage/storageAccounts/stackaccount");
    let denied = azure.delete(&account, "2026-09-01").await;
    assert_eq!(
        (denied.status, denied.code().as_str()),
        (StatusCode::FORBIDDEN, "DenyAssignmentAuthorizationFailed")
    );
    // Changes are allowed, and so is what the stack does itself.
    let tagged = azure
        .ask(
            Method::PATCH,
            &format!("{account}?api-version=2026-09-01"),
            Some(json!({"tags": {"a": "b"}})),
        )
        .await;
    assert_eq!(tagged.status, StatusCode::OK);
    let group = azure.delete(&azure.group(), "2022-09-01").await;
    assert_eq!(group.code(), "DenyAssignmentAuthorizationFailed");
    let mut less = stack(resources(&[]));
    less["properties"]["denySettings"]["mode"] = "denyWriteAndDelete".into();
    let told = azure.deploy("app", less.clone()).await;
    assert_eq!(names(&told["properties"]["deletedResources"]), ["jobs"]);
    let denied = azure
        .ask(
            Method::PATCH,
            &format!("{account}?api-version=2026-09-01"),
            Some(json!({"tags": {}})),
        )
        .await;
    assert_eq!(denied.code(), "DenyAssignmentAuthorizationFailed");
    less["properties"]["denySettings"]["excludedPrincipals"] = json!([azure.manager.options().object_id]);
    azure.deploy("app", less).await;
    assert_eq!(azure.delete(&account, "2026-09-01").await.status, StatusCode::OK);
    // With the children of what is protected, a stack stands in its own way.
    body["properties"]["denySettings"]["applyToChildScopes"] = true.into();
    azure.deploy("app", body.clone()).await;
    body["properties"]["template"] = resources(&[]);
    let told = azure.deploy("app", body).await;
    assert_eq!(
        told["properties"]["error"]["code"],
        "DeploymentStackDeleteResourcesFailed"
    );
    assert_eq!(
        told["properties"]["failedResources"][0]["error"]["code"],
        "DenyAssignmentAuthorizationFailed"
    );
    assert_eq!(told["properties"]["resources"][1]["status"], "deleteFailed");
}

#[tokio::test(flavor = "multi_thread")]
async fn rights_that_are_missing_are_named_with_the_action_and_the_scope() {
    let azure = Azure::start().await;
    azure.manager.deny(
        "Microsoft.Resources/deploymentStacks/manageDenySetting/action",
        "",
    );
    let mut body = stack(resources(&[]));
    assert_eq!(
        azure.deploy("app", body.clone()).await["properties"]["provisioningState"],
        "succeeded"
    );
    body["properties"]["denySettings"]["mode"] = "denyDelete".into();
    let denied = azure.put(&azure.stack("app"), "2024-03-01", body).await;
    assert_eq!(
        (denied.status, denied.code().as_str()),
        (StatusCode::FORBIDDEN, "AuthorizationFailed")
    );
    let message = denied.json()["error"]["message"].to_string();
    assert!(
        message.contains("manageDenySetting/action") && message.contains(&azure.stack("app")),
        "{message}"
    );
    azure.manager.deny("Microsoft.ManagedIdentity/*", &azure.group());
    let mut more = resources(&[]);
    more["resources"]["I"] = identity("someone");
    let failed = azure.deploy("app", stack(more.clone())).await;
    assert_eq!(failed["properties"]["error"]["code"], "InvalidTemplateDeployment");
    assert!(
        failed["properties"]["error"]["message"]
            .to_string()
            .contains("Microsoft.ManagedIdentity/userAssignedIdentities/write")
    );
    azure.manager.allow_all();
    assert_eq!(
        azure.deploy("app", stack(more)).await["properties"]["provisioningState"],
        "succeeded"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_one_stack_protects_is_not_changed_by_another() {
    let azure = Azure::start().await;
    let mut first = stack(resources(&["jobs"]));
    first["properties"]["denySettings"]["mode"] = "denyWriteAndDelete".into();
    for _ in 0..2 {
        let told = azure.deploy("first", first.clone()).await;
        assert_eq!(
            told["properties"]["provisioningState"], "succeeded",
            "a stack changes what it protects itself"
        );
    }
    let told = azure.deploy("second", stack(resources(&["jobs"]))).await;
    assert_eq!(
        deepest(&told["properties"]["error"])["code"],
        "DenyAssignmentAuthorizationFailed"
    );
    assert_eq!(
        azure.manager.stack(&azure.stack("second")).unwrap()["properties"]["resources"],
        json!([])
    );
    assert_eq!(azure.manager.stack(&azure.stack("third")), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_may_not_be_read_is_not_told() {
    let azure = Azure::start().await;
    let told = azure.deploy("app", stack(resources(&[]))).await;
    let deployment = told["properties"]["deploymentId"].as_str().unwrap().to_owned();
    let vault = format!(
        "/subscriptions/{}/providers/Microsoft.KeyVault/locations/swedencentral/deletedVaults/a-vault",
        azure.subscription()
    );
    for action in [
        "Microsoft.Resources/deploymentStacks/read",
        "Microsoft.Resources/deployments/*",
        "Microsoft.KeyVault/locations/deletedVaults/read",
        "Microsoft.Resources/deploymentStacks/exportTemplate/action",
    ] {
        azure.manager.deny(action, "");
    }
    let operations = format!("{deployment}/operations");
    for path in [azure.stack("app"), deployment, operations, vault] {
        let answer = azure.get(&path, "2024-03-01").await;
        assert_eq!(
            (answer.status, answer.code().as_str()),
            (StatusCode::FORBIDDEN, "AuthorizationFailed"),
            "{path}"
        );
    }
    let export = format!("{}/exportTemplate?api-version=2024-03-01", azure.stack("app"));
    assert_eq!(
        azure.ask(Method::POST, &export, None).await.code(),
        "AuthorizationFailed"
    );
}
