//! Templates: a mistake of each kind is refused with Azure's code, and expressions have the values that Azure gives them.

use nephos_conformance::azure_manager::Failure;
use serde_json::{Value, json};

use crate::client::{Azure, GROUP, deepest, identity, queue, site, stack, storage, template};

/// What a stack's put with these resources is refused with: at once, or at its end.
async fn refused(azure: &Azure, body: Value) -> (String, String) {
    let answer = azure.put(&azure.stack("wrong"), "2024-03-01", body).await;
    if !answer.status.is_success() {
        return (answer.code(), answer.json()["error"]["message"].to_string());
    }
    azure.ended(answer.header("azure-asyncoperation").unwrap()).await;
    let stack = azure.get(&azure.stack("wrong"), "2024-03-01").await.json();
    assert_eq!(stack["properties"]["provisioningState"], "failed", "{stack:#}");
    let error = deepest(&stack["properties"]["error"]);
    (
        error["code"].as_str().unwrap().to_owned(),
        error["message"].to_string(),
    )
}

fn changed(mut resource: Value, pointer: &str, value: Value) -> Value {
    match pointer.rsplit_once('/') {
        Some((above, name)) => resource.pointer_mut(above).unwrap()[name] = value,
        None => unreachable!(),
    }
    resource
}

fn without(mut resource: Value, name: &str) -> Value {
    resource.as_object_mut().unwrap().remove(name).unwrap();
    resource
}

#[tokio::test(flavor = "multi_thread")]
async fn a_template_that_is_not_valid_in_itself_is_refused_at_once() {
    let azure = Azure::start().await;
    let account = || storage("wrongaccount");
    let with = |output: Value| changed(template(json!({"A": account()})), "/outputs", output);
    let cases = [
        (
            template(json!({"A": changed(account(), "/location", json!("[nothing()]"))})),
            "InvalidTemplate",
            "template function 'nothing' is not valid",
        ),
        (
            template(json!({"A": changed(account(), "/location", json!("[concat('a'"))})),
            "",
            "",
        ),
        (
            template(json!({"A": changed(account(), "/location", json!("[concat('a']"))})),
            "InvalidTemplate",
            "brackets do not fit",
        ),
        (
            template(json!({"A": changed(account(), "/location", json!("[resourceGroup('a')]"))})),
            "InvalidTemplate",
            "requires 0 argument(s)",
        ),
        (
            template(json!({"A": account(), "Q": queue("wrongaccount", "jobs", &["B"])})),
            "InvalidTemplate",
            "reference to 'B' is not valid",
        ),
        (
            template(json!({"A": changed(account(), "/tags", json!({"a": "[reference('Z').x]"}))})),
            "InvalidTemplate",
            "reference to 'Z' is not valid",
        ),
        (
            template(
                json!({"A": changed(account(), "/name", json!("[reference('B').principalId]")), "B": identity("someone")}),
            ),
            "InvalidTemplate",
            "'reference' is not expected",
        ),
        (
            template(
                json!({"A": changed(account(), "/dependsOn", json!(["B"])), "B": changed(identity("someone"), "/dependsOn", json!(["A"]))}),
            ),
            "InvalidTemplate",
            "Circular dependency",
        ),
        (
            template(json!({"A": account(), "B": account()})),
            "InvalidTemplate",
            "defined multiple times",
        ),
        (
            template(json!({"A": changed(account(), "/name", json!("a/b"))})),
            "InvalidTemplate",
            "incorrect segment lengths",
        ),
        (
            template(json!({"A": without(account(), "apiVersion")})),
            "InvalidTemplate",
            "'apiVersion' property is required",
        ),
        (
            template(json!({"A": without(account(), "type")})),
            "InvalidTemplate",
            "'type' property is required",
        ),
        (
            template(json!({"A": changed(account(), "/properties2", json!({}))})),
            "InvalidRequestContent",
            "member 'properties2'",
        ),
        (
            template(json!({"A": changed(account(), "/type", json!("Microsoft.Storage/accounts"))})),
            "InvalidResourceType",
            "could not be found in the namespace",
        ),
        (
            template(json!({"A": changed(account(), "/type", json!("Microsoft.Nothing/accounts"))})),
            "InvalidResourceNamespace",
            "is invalid",
        ),
        (
            template(json!([account()])),
            "InvalidTemplate",
            "no object of resources",
        ),
        (
            without(template(json!({"A": account()})), "contentVersion"),
            "InvalidTemplate",
            "'contentVersion' is missing",
        ),
        (
            without(template(json!({"A": account()})), "languageVersion"),
            "InvalidTemplate",
            "language version",
        ),
        (
            changed(template(json!({"A": account()})), "/extra", json!(1)),
            "InvalidRequestContent",
            "member 'extra'",
        ),
        (
            with(json!({"o": {"type": "text", "value": "a"}})),
            "InvalidTemplate",
            "'text' is no type",
        ),
        (
            with(json!({"o": {"type": "string"}})),
            "InvalidTemplate",
            "it has no value",
        ),
        (json!("text"), "InvalidRequestContent", "no JSON object"),
    ];
    for (template, code, part) in cases {
        if code.is_empty() {
            // A text that does not end with a bracket is no expression, but then it is no location either.
            let (code, _) = refused(&azure, stack(template)).await;
            assert_eq!(code, "LocationNotAvailableForResourceType");
            continue;
        }
        let answer = azure
            .put(&azure.stack("wrong"), "2024-03-01", stack(template.clone()))
            .await;
        assert_eq!(answer.code(), code, "{template:#}: {}", answer.json());
        let message = answer.json()["error"]["message"].to_string();
        assert!(message.contains(part), "{message} has no '{part}'");
    }
    assert!(azure.manager.resources(GROUP).is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_interfaces_check_in_advance_is_refused_before_anything_is_made() {
    let azure = Azure::start().await;
    azure
        .manager
        .take_name("Microsoft.Storage/storageAccounts", "takenaccount");
    azure.manager.take_name("Microsoft.Web/sites", "taken-site");
    azure
        .manager
        .take_name("Microsoft.KeyVault/vaults", "taken-vault");
    azure
        .manager
        .take_name("Microsoft.DocumentDB/databaseAccounts", "taken-cosmos");
    let plain = |kind: &str, version: &str, name: &str| json!({"type": kind, "apiVersion": version, "name": name, "location": "swedencentral", "properties": {}});
    let first = identity("made-first");
    let cases = [
        (storage("takenaccount"), "StorageAccountAlreadyTaken"),
        (
            plain("Microsoft.KeyVault/vaults", "2026-05-15", "taken-vault"),
            "VaultAlreadyExists",
        ),
        (
            plain(
                "Microsoft.DocumentDB/databaseAccounts",
                "2026-03-15",
                "taken-cosmos",
            ),
            "BadRequest",
        ),
        (site("taken-site")["Site"].clone(), "Conflict"),
        (storage("Capitals"), "AccountNameInvalid"),
        (
            plain(
                "Microsoft.KeyVault/vaults",
                "2026-05-15",
                "a-vault-with-a-name-that-is-too-long",
            ),
            "VaultNameNotValid",
        ),
        (
            plain("Microsoft.ServiceBus/namespaces", "2026-01-01", "a"),
            "InvalidResourceName",
        ),
        (
            changed(storage("fineaccount"), "/apiVersion", json!("2019-01-01")),
            "NoRegisteredProviderFound",
        ),
        (
            changed(storage("fineaccount"), "/location", json!("moon")),
            "LocationNotAvailableForResourceType",
        ),
        (without(storage("fineaccount"), "location"), "LocationRequired"),
        (
            changed(storage("fineaccount"), "/tags", json!({"a?": "b"})),
            "InvalidTagNameCharacters",
        ),
        (
            json!({"type": "Microsoft.Authorization/roleAssignments", "apiVersion": "2022-04-01", "name": "no-guid", "properties": {}}),
            "InvalidRoleAssignmentId",
        ),
    ];
    for (resource, code) in cases {
        let mut resource = resource;
        if let Some(fields) = resource.as_object_mut() {
            fields.remove("dependsOn");
        }
        let (found, message) = refused(
            &azure,
            stack(template(json!({"First": first, "Wrong": resource}))),
        )
        .await;
        assert_eq!(found, code, "{message}");
    }
    azure.manager.unregister("Microsoft.Storage");
    let (found, _) = refused(
        &azure,
        stack(template(json!({"First": first, "A": storage("fineaccount")}))),
    )
    .await;
    assert_eq!(found, "MissingSubscriptionRegistration");
    assert!(azure.manager.resources(GROUP).is_empty(), "nothing may be made");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_resource_needs_must_be_there_before_it() {
    let azure = Azure::start().await;
    let role = |scope: &str, principal: &str, depends: &[&str]| {
        json!({
            "type": "Microsoft.Authorization/roleAssignments", "apiVersion": "2022-04-01", "name": "[guid('a', 'b')]", "dependsOn": depends,
            "scope": scope,
            "properties": {
                "principalId": principal, "principalType": "ServicePrincipal",
                "roleDefinitionId": "[subscriptionResourceId('Microsoft.Authorization/roleDefinitions', 'c6a89b2d-59bc-44d0-9896-0f6e12d7b80a')]",
            },
        })
    };
    let account = "Microsoft.Storage/storageAccounts/fineaccount";
    let identified = |depends: Value| {
        let mut site = site("fine-site");
        site["Site"]["identity"] = json!({"type": "UserAssigned", "userAssignedIdentities": {"[resourceId('Microsoft.ManagedIdentity/userAssignedIdentities', 'someone')]": {}}});
        site["Site"]["dependsOn"] = depends;
        site["Someone"] = identity("someone");
        site
    };
    let cases = [
        (
            json!({"Q": queue("fineaccount", "jobs", &[])}),
            "ParentResourceNotFound",
        ),
        // It is in the template, but is not waited for.
        (
            json!({"A": storage("fineaccount"), "Q": queue("fineaccount", "jobs", &[])}),
            "ParentResourceNotFound",
        ),
        (
            json!({"A": storage("fineaccount"), "R": role(account, "[reference('I').principalId]", &["I"]), "I": identity("someone")}),
            "ResourceNotFound",
        ),
        (
            json!({"A": storage("fineaccount"), "R": role(account, "somebody", &["A"])}),
            "InvalidPrincipalId",
        ),
        (
            json!({"Site": changed(site("fine-site")["Site"].clone(), "/dependsOn", json!([]))}),
            "NotFound",
        ),
        (identified(json!(["Plan"])), "FailedIdentityOperation"),
        (
            json!({"I": identity("someone"), "J": changed(identity("somebody"), "/tags", json!({"a": "[reference('I').nothing]"}))}),
            "InvalidTemplate",
        ),
    ];
    for (resources, code) in cases {
        let azure = Azure::start().await;
        let (found, message) = refused(&azure, stack(template(resources.clone()))).await;
        assert_eq!(found, code, "{message}: {resources:#}");
    }
    let right = json!({"A": storage("fineaccount"), "R": role(account, "[reference('I').principalId]", &["A"]), "I": identity("someone")});
    let made = azure.deploy("right", stack(template(right))).await;
    assert_eq!(made["properties"]["provisioningState"], "succeeded", "{made:#}");
    let made = azure
        .deploy("right", stack(template(identified(json!(["Plan", "Someone"])))))
        .await;
    assert_eq!(made["properties"]["provisioningState"], "succeeded", "{made:#}");
}

#[tokio::test(flavor = "multi_thread")]
async fn expressions_have_the_values_that_azure_gives_them() {
    let azure = Azure::start().await;
    let mut all = template(json!({"I": identity("someone")}));
    let output = |value: &str| json!({"type": "string", "value": value});
    all["outputs"] = json!({
        // Python: uuid.uuid5(uuid.UUID('11fb06fb-712d-4ddd-98c7-e71bbd588830'), 'a-b')
        "guid": output("[guid('a', 'b')]"),
        "id": output("[resourceId('Microsoft.Web/sites/config', 'a', 'b')]"),
        "role": output("[subscriptionResourceId('Microsoft.Authorization/roleDefinitions', 'r')]"),
        "quoted": output("[concat('it''s ', 'so', 1)]"),
        "bracket": output("[[plain]"),
        "half": output("[1, 2"),
        "group": output("[resourceGroup().id]"),
        "tenant": output("[subscription()['tenantId']]"),
        "client": output("[reference('I').clientId]"),
    });
    let made = azure.deploy("values", stack(all)).await;
    let value = |name: &str| {
        made["properties"]["outputs"][name]["value"]
            .as_str()
            .unwrap_or_default()
            .to_owned()
    };
    assert_eq!(value("guid"), "2d796349-8c7e-55ec-9624-54ece82ed031");
    assert_eq!(value("id"), azure.id("Microsoft.Web/sites/a/config/b"));
    assert_eq!(
        value("role"),
        format!(
            "/subscriptions/{}/providers/Microsoft.Authorization/roleDefinitions/r",
            azure.subscription()
        )
    );
    assert_eq!(value("quoted"), "it's so1");
    assert_eq!(value("bracket"), "[plain]");
    assert_eq!(value("half"), "[1, 2");
    assert_eq!(value("group"), azure.group());
    assert_eq!(value("tenant"), azure.manager.options().tenant);
    let someone = &azure.manager.resources(GROUP)
        [&azure.id("Microsoft.ManagedIdentity/userAssignedIdentities/someone")];
    assert_eq!(value("client"), someone.added["clientId"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failure_that_is_seen_in_advance_is_nested_as_azure_nests_it() {
    let azure = Azure::start().await;
    azure.manager.fail(
        "Microsoft.Web/serverfarms",
        Failure::new(
            429,
            "SubscriptionIsOverQuotaForSku",
            "This region has quota of 0 instances for your subscription.",
        )
        .in_advance(),
    );
    let failed = azure.deploy("quota", stack(template(site("fine-site")))).await;
    let error = &failed["properties"]["error"];
    assert_eq!(error["code"], "InvalidTemplateDeployment");
    assert_eq!(error["details"][0]["code"], "SubscriptionIsOverQuotaForSku");
    assert!(azure.manager.resources(GROUP).is_empty());
}
