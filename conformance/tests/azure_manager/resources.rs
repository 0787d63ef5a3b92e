//! Groups and single resources: regions, registration, role assignments, vaults that stay after they were deleted, keys of sites.

use std::time::Duration;

use http::{Method, StatusCode};
use nephos_conformance::azure_manager::{Failure, Options};
use serde_json::{Value, json};

use crate::client::{Azure, GROUP, deepest, site, stack, storage, template};

#[tokio::test(flavor = "multi_thread")]
async fn groups_are_made_listed_and_deleted_with_what_is_in_them() {
    let azure = Azure::start().await;
    let path = azure.group().replace(GROUP, "another");
    assert_eq!(
        azure.get(&path, "2022-09-01").await.code(),
        "ResourceGroupNotFound"
    );
    let body = json!({"location": "West Europe", "tags": {"nephos:app": "a"}});
    assert_eq!(
        azure.put(&path, "2022-09-01", body.clone()).await.status,
        StatusCode::CREATED
    );
    assert_eq!(azure.put(&path, "2022-09-01", body).await.status, StatusCode::OK);
    let other = azure
        .put(&path, "2022-09-01", json!({"location": "uksouth"}))
        .await;
    assert_eq!(other.code(), "InvalidResourceGroupLocation");
    assert_eq!(
        azure.put(&path, "2022-09-01", json!({})).await.code(),
        "LocationRequired"
    );
    let group = azure.get(&path, "2022-09-01").await.json();
    assert_eq!(
        (&group["location"], &group["tags"]["nephos:app"]),
        (&json!("westeurope"), &json!("a"))
    );
    let account = format!("{path}/providers/Microsoft.Storage/storageAccounts/groupaccount");
    let body = json!({"location": "uksouth", "kind": "StorageV2", "sku": {"name": "Standard_LRS"}});
    assert_eq!(
        azure.put(&account, "2026-09-01", body).await.status,
        StatusCode::CREATED
    );
    let list = azure.get(&format!("{path}/resources"), "2022-09-01").await.json();
    assert_eq!(list["value"][0]["name"], "groupaccount");
    azure
        .manager
        .deny("Microsoft.Resources/subscriptions/resourceGroups/delete", "");
    assert_eq!(
        azure.delete(&path, "2022-09-01").await.code(),
        "AuthorizationFailed"
    );
    azure.manager.allow_all();
    let answer = azure.delete(&path, "2022-09-01").await;
    assert_eq!(answer.status, StatusCode::ACCEPTED);
    azure.ended(answer.header("location").unwrap()).await;
    assert_eq!(azure.get(&path, "2022-09-01").await.status, StatusCode::NOT_FOUND);
    assert!(azure.manager.resources("another").is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn regions_of_flex_consumption_are_fewer_than_all() {
    let azure = Azure::start().await;
    let path = format!(
        "/subscriptions/{}/providers/Microsoft.Web/geoRegions?api-version=2024-04-01",
        azure.subscription()
    );
    let names = async |more: &str| -> Vec<String> {
        let list = azure
            .ask(Method::GET, &format!("{path}{more}"), None)
            .await
            .json();
        list["value"]
            .as_array()
            .unwrap()
            .iter()
            .map(|one| one["name"].as_str().unwrap().to_owned())
            .collect()
    };
    let (all, flexible) = (names("").await, names("&sku=FlexConsumption").await);
    assert!(flexible.contains(&"Sweden Central".to_owned()) && !flexible.contains(&"West India".to_owned()));
    assert!(all.contains(&"West India".to_owned()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_namespace_is_registered_when_it_is_asked_for() {
    let azure = Azure::start().await;
    azure.manager.unregister("Microsoft.Storage");
    let path = format!(
        "/subscriptions/{}/providers/Microsoft.Storage",
        azure.subscription()
    );
    assert_eq!(
        azure.get(&path, "2021-04-01").await.json()["registrationState"],
        "NotRegistered"
    );
    let account = azure.id("Microsoft.Storage/storageAccounts/regaccount");
    let body = json!({"location": "uksouth", "kind": "StorageV2", "sku": {"name": "Standard_LRS"}});
    assert_eq!(
        azure.put(&account, "2026-09-01", body.clone()).await.code(),
        "MissingSubscriptionRegistration"
    );
    let registered = azure
        .ask(
            Method::POST,
            &format!("{path}/register?api-version=2021-04-01"),
            None,
        )
        .await;
    assert_eq!(registered.json()["registrationState"], "Registered");
    assert_eq!(
        azure.put(&account, "2026-09-01", body).await.status,
        StatusCode::CREATED
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn single_resources_are_put_patched_read_and_deleted() {
    let azure = Azure::start().await;
    let account = azure.id("Microsoft.Storage/storageAccounts/singleaccount");
    let body = json!({"location": "UK South", "kind": "StorageV2", "sku": {"name": "Standard_LRS"}, "tags": {"a": "b", "c": "d"}});
    assert_eq!(azure.get(&account, "2026-09-01").await.code(), "ResourceNotFound");
    assert_eq!(
        azure.put(&account, "2026-09-01", body.clone()).await.status,
        StatusCode::CREATED
    );
    assert_eq!(
        azure.put(&account, "2026-09-01", body.clone()).await.status,
        StatusCode::OK
    );
    let patch = json!({"tags": {"a": null, "e": "f"}});
    azure
        .ask(
            Method::PATCH,
            &format!("{account}?api-version=2026-09-01"),
            Some(patch),
        )
        .await;
    let read = azure
        .get(
            &account.to_uppercase().replace("/SUBSCRIPTIONS", "/subscriptions"),
            "2026-09-01",
        )
        .await
        .json();
    assert_eq!(read["tags"], json!({"c": "d", "e": "f"}));
    assert_eq!(
        (&read["location"], &read["id"]),
        (&json!("uksouth"), &json!(account))
    );
    assert_eq!(
        read["properties"]["primaryEndpoints"]["queue"],
        "https://singleaccount.queue.core.windows.net/"
    );
    let mut moved = body;
    moved["location"] = "westeurope".into();
    assert_eq!(
        azure.put(&account, "2026-09-01", moved).await.code(),
        "InvalidResourceLocation"
    );
    assert_eq!(
        azure.get(&account, "2019-01-01").await.code(),
        "NoRegisteredProviderFound"
    );
    let queue = format!("{account}/queueServices/default/queues/jobs");
    assert_eq!(
        azure.put(&queue, "2026-09-01", json!({})).await.status,
        StatusCode::CREATED
    );
    azure
        .manager
        .deny("Microsoft.Storage/storageAccounts/read", &account);
    let denied = azure.get(&account, "2026-09-01").await;
    assert_eq!(
        (denied.status, denied.code().as_str()),
        (StatusCode::FORBIDDEN, "AuthorizationFailed")
    );
    azure.manager.fail_deletion(
        "/storageAccounts/singleaccount",
        Failure::new(409, "StorageAccountInUse", "It is in use.").once(),
    );
    assert_eq!(
        azure.delete(&account, "2026-09-01").await.code(),
        "StorageAccountInUse"
    );
    assert_eq!(azure.delete(&account, "2026-09-01").await.status, StatusCode::OK);
    assert_eq!(
        azure.delete(&account, "2026-09-01").await.status,
        StatusCode::NO_CONTENT
    );
    assert_eq!(
        azure.get(&queue, "2026-09-01").await.status,
        StatusCode::NOT_FOUND
    );
    let taken: Vec<&str> = azure.manager.taken().iter().map(|one| one.by).collect();
    assert!(
        taken.iter().all(|by| *by == "resource") && taken.len() == 4,
        "{taken:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_role_is_assigned_once_and_not_to_nobody() {
    let azure = Azure::start().await;
    azure
        .deploy("app", stack(template(json!({"A": storage("roleaccount")}))))
        .await;
    let account = azure.id("Microsoft.Storage/storageAccounts/roleaccount");
    let assignment =
        |name: &str| format!("{account}/providers/Microsoft.Authorization/roleAssignments/{name}");
    let role = |id: &str| {
        format!(
            "/subscriptions/{}/providers/Microsoft.Authorization/roleDefinitions/{id}",
            azure.subscription()
        )
    };
    let body = |principal: &str| json!({"properties": {"principalId": principal, "roleDefinitionId": role("ba92f5b4-2d11-453d-a403-e96b0029c9fe")}});
    let (first, second) = (
        "00000000-0000-4000-8000-000000000001",
        "00000000-0000-4000-8000-000000000002",
    );
    let me = azure.manager.options().object_id.clone();
    let made = azure.put(&assignment(first), "2022-04-01", body(&me)).await;
    assert_eq!(made.status, StatusCode::CREATED, "{}", made.json());
    assert_eq!(made.json()["properties"]["scope"], account);
    assert_eq!(
        azure
            .put(&assignment(first), "2022-04-01", body(&me))
            .await
            .status,
        StatusCode::OK
    );
    assert_eq!(
        azure
            .put(&assignment(second), "2022-04-01", body(&me))
            .await
            .code(),
        "RoleAssignmentExists"
    );
    assert_eq!(
        azure
            .put(&assignment(second), "2022-04-01", body(second))
            .await
            .code(),
        "PrincipalNotFound"
    );
    let mut typed = body(second);
    typed["properties"]["principalType"] = "ServicePrincipal".into();
    assert_eq!(
        azure.put(&assignment(first), "2022-04-01", typed).await.code(),
        "RoleAssignmentUpdateNotPermitted"
    );
    assert_eq!(
        azure.put(&assignment("a"), "2022-04-01", body(&me)).await.code(),
        "InvalidRoleAssignmentId"
    );
    let elsewhere = assignment(second).replace("roleaccount", "otheraccount");
    assert_eq!(
        azure.put(&elsewhere, "2022-04-01", body(&me)).await.code(),
        "ResourceNotFound"
    );
}

fn vault(mode: Option<&str>) -> Value {
    let mut vault = json!({
        "type": "Microsoft.KeyVault/vaults", "apiVersion": "2026-05-15", "name": "soft-vault", "location": "swedencentral", "tags": {"a": "b"},
        "properties": {"tenantId": "[subscription().tenantId]", "sku": {"family": "A", "name": "standard"}, "softDeleteRetentionInDays": 7},
    });
    if let Some(mode) = mode {
        vault["properties"]["createMode"] = mode.into();
    }
    template(json!({"Vault": vault}))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deleted_vault_is_recovered_or_purged_before_its_name_is_used_again() {
    let azure = Azure::start().await;
    let id = azure.id("Microsoft.KeyVault/vaults/soft-vault");
    let place = format!(
        "/subscriptions/{}/providers/Microsoft.KeyVault/locations/swedencentral/deletedVaults/soft-vault",
        azure.subscription()
    );
    let code = |told: &Value| {
        deepest(&told["properties"]["error"])["code"]
            .as_str()
            .unwrap_or_default()
            .to_owned()
    };
    let none = azure.deploy("app", stack(vault(Some("recover")))).await;
    assert_eq!(code(&none), "SoftDeletedVaultDoesNotExist");
    azure.deploy("app", stack(vault(None))).await;
    assert_eq!(
        azure.get(&place, "2023-07-01").await.code(),
        "DeletedVaultNotFound"
    );
    azure.delete(&id, "2026-05-15").await;
    let deleted = azure.get(&place, "2023-07-01").await.json();
    assert_eq!(
        (&deleted["properties"]["vaultId"], &deleted["properties"]["tags"]),
        (&json!(id), &json!({"a": "b"}))
    );
    let refused = azure.deploy("app", stack(vault(None))).await;
    assert_eq!(code(&refused), "ConflictError");
    let recovered = azure.deploy("app", stack(vault(Some("recover")))).await;
    assert_eq!(recovered["properties"]["provisioningState"], "succeeded");
    assert_eq!(
        azure.get(&id, "2026-05-15").await.json()["properties"]["createMode"],
        Value::Null
    );
    azure.delete(&id, "2026-05-15").await;
    let purged = azure
        .ask(
            Method::POST,
            &format!("{place}/purge?api-version=2023-07-01"),
            None,
        )
        .await;
    assert_eq!(purged.status, StatusCode::ACCEPTED);
    azure.ended(purged.header("location").unwrap()).await;
    assert_eq!(
        azure.get(&place, "2023-07-01").await.status,
        StatusCode::NOT_FOUND
    );
    let again = azure.deploy("app", stack(vault(None))).await;
    assert_eq!(again["properties"]["provisioningState"], "succeeded");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_site_tells_its_keys_to_those_who_may_and_its_settings_to_none() {
    let azure = Azure::start().await;
    azure.deploy("app", stack(template(site("key-site")))).await;
    let id = azure.id("Microsoft.Web/sites/key-site");
    let read = azure.get(&id, "2025-05-01").await.json();
    assert_eq!(
        read["properties"]["defaultHostName"],
        "key-site.azurewebsites.net"
    );
    assert_eq!(read["properties"]["siteConfig"]["appSettings"], Value::Null);
    let path = format!("{id}/host/default/listkeys?api-version=2025-05-01");
    let keys = azure.ask(Method::POST, &path, None).await.json();
    assert_eq!(keys["masterKey"], azure.manager.master_key("key-site"));
    azure
        .manager
        .deny("Microsoft.Web/sites/host/listKeys/action", &id);
    assert_eq!(
        azure.ask(Method::POST, &path, None).await.code(),
        "AuthorizationFailed"
    );
    let plan = azure.id("Microsoft.Web/serverfarms/key-site");
    assert_eq!(azure.delete(&plan, "2025-05-01").await.code(), "Conflict");
    let second = json!({"location": "swedencentral", "kind": "functionapp,linux", "properties": {"serverFarmId": plan}});
    let crowded = azure
        .put(&azure.id("Microsoft.Web/sites/second-site"), "2025-05-01", second)
        .await;
    assert_eq!(crowded.status, StatusCode::CONFLICT);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_has_one_system_topic() {
    let azure = Azure::start().await;
    azure
        .deploy("app", stack(template(json!({"A": storage("topicaccount")}))))
        .await;
    let topic = |name: &str| azure.id(&format!("Microsoft.EventGrid/systemTopics/{name}"));
    let body = json!({"location": "swedencentral", "properties": {
        "source": azure.id("Microsoft.Storage/storageAccounts/topicaccount"), "topicType": "Microsoft.Storage.StorageAccounts",
    }});
    for status in [StatusCode::CREATED, StatusCode::OK] {
        assert_eq!(
            azure
                .put(&topic("first"), "2025-02-15", body.clone())
                .await
                .status,
            status
        );
    }
    let second = azure.put(&topic("second"), "2025-02-15", body).await;
    assert!(
        second.json()["error"]["message"]
            .to_string()
            .contains("Only one system topic"),
        "{}",
        second.json()
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_group_that_is_being_deleted_takes_nothing() {
    let azure = Azure::start_with(Options {
        step: Duration::from_secs(3600),
        ..Options::default()
    })
    .await;
    assert_eq!(
        azure.delete(&azure.group(), "2022-09-01").await.status,
        StatusCode::ACCEPTED
    );
    let read = azure.get(&azure.group(), "2022-09-01").await.json();
    assert_eq!(read["properties"]["provisioningState"], "Deleting");
    let body = stack(template(json!({"A": storage("lateaccount")})));
    assert_eq!(
        azure.put(&azure.stack("app"), "2024-03-01", body).await.code(),
        "ResourceGroupBeingDeleted"
    );
    let again = azure
        .put(&azure.group(), "2022-09-01", json!({"location": "swedencentral"}))
        .await;
    assert_eq!(again.code(), "ResourceGroupBeingDeleted");
}

#[tokio::test(flavor = "multi_thread")]
async fn others_are_told_that_something_is_different_and_where_to_ask() {
    let azure = Azure::start().await;
    let mut changes = azure.manager.watch();
    changes.borrow_and_update();
    azure
        .deploy("app", stack(template(json!({"A": storage("watchaccount")}))))
        .await;
    assert!(changes.has_changed().unwrap());
    let existing = azure.manager.resources(GROUP);
    let account = &existing[&azure.id("Microsoft.Storage/storageAccounts/watchaccount")];
    assert_eq!(
        (account.kind.as_str(), &account.body["sku"]["name"]),
        ("Microsoft.Storage/storageAccounts", &json!("Standard_LRS"))
    );
    let endpoints = azure.manager.endpoints();
    assert_eq!(endpoints["https://management.azure.com"], azure.manager.url());
    assert_eq!(
        endpoints["https://*.scm.azurewebsites.net"],
        format!("{}/scm/*", azure.manager.url())
    );
    assert_eq!(
        endpoints["https://api.loganalytics.azure.com"],
        format!("{}/logs", azure.manager.url())
    );
}
