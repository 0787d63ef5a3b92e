//! What-if: what would be made, changed, left and not looked at.

use http::{Method, StatusCode};
use nephos_conformance::azure_manager::Options;
use serde_json::{Value, json};

use crate::client::{Azure, GROUP, identity, site, stack, storage, template};

async fn foresee(azure: &Azure, template: &Value) -> Value {
    let body = json!({"properties": {
        "mode": "Incremental", "template": template, "parameters": {}, "whatIfSettings": {"resultFormat": "FullResourcePayloads"},
    }});
    let path = format!(
        "{}/whatIf?api-version=2024-03-01",
        azure.id("Microsoft.Resources/deployments/app")
    );
    let answer = azure.ask(Method::POST, &path, Some(body)).await;
    assert_eq!(answer.status, StatusCode::ACCEPTED, "{}", answer.json());
    let url = answer
        .header("location")
        .unwrap()
        .strip_prefix(&azure.manager.url())
        .unwrap()
        .to_owned();
    crate::client::until("the result of what-if", async || {
        let answer = azure.ask(Method::GET, &url, None).await;
        (answer.status == StatusCode::OK).then(|| answer.json())
    })
    .await
}

fn change<'a>(result: &'a Value, name: &str) -> &'a Value {
    let found = result["properties"]["changes"]
        .as_array()
        .unwrap()
        .iter()
        .find(|one| one["resourceId"].as_str().unwrap().ends_with(name));
    found.unwrap_or_else(|| panic!("{name} is not in {result:#}"))
}

#[tokio::test(flavor = "multi_thread")]
async fn changes_are_told_with_what_is_before_and_after() {
    let azure = Azure::start().await;
    let all = template(json!({"A": storage("ifaccount"), "I": identity("someone")}));
    let result = foresee(&azure, &all).await;
    assert_eq!(change(&result, "/ifaccount")["changeType"], "Create");
    assert_eq!(
        change(&result, "/ifaccount")["after"]["sku"]["name"],
        "Standard_LRS"
    );
    assert_eq!(change(&result, "/ifaccount")["before"], Value::Null);
    assert!(
        azure.manager.resources(GROUP).is_empty(),
        "what-if changed something"
    );
    azure.deploy("app", stack(all.clone())).await;
    let result = foresee(&azure, &all).await;
    assert_eq!(change(&result, "/ifaccount")["changeType"], "NoChange");
    let mut other = all.clone();
    other["resources"]["A"]["tags"] = json!({"new": "tag"});
    other["resources"]["A"]["sku"]["name"] = "Standard_ZRS".into();
    other["resources"].as_object_mut().unwrap().remove("I");
    let result = foresee(&azure, &other).await;
    let changed = change(&result, "/ifaccount");
    assert_eq!(changed["changeType"], "Modify");
    assert_eq!(
        changed["delta"],
        json!([
            {"path": "sku.name", "propertyChangeType": "Modify", "before": "Standard_LRS", "after": "Standard_ZRS"},
            {"path": "tags", "propertyChangeType": "Create", "before": null, "after": {"new": "tag"}},
        ])
    );
    assert_eq!(
        (
            &changed["before"]["sku"]["name"],
            &changed["after"]["sku"]["name"]
        ),
        (&json!("Standard_LRS"), &json!("Standard_ZRS"))
    );
    assert_eq!(change(&result, "/someone")["changeType"], "Ignore");
    let by: Vec<&str> = azure.manager.taken().iter().map(|one| one.by).collect();
    assert_eq!(by, ["whatIf", "stack", "whatIf", "whatIf"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_site_seems_to_change_because_its_settings_are_not_told() {
    for (noise, expected) in [(true, "Modify"), (false, "NoChange")] {
        let azure = Azure::start_with(Options {
            noise,
            ..Options::default()
        })
        .await;
        let all = template(site("noisy-site"));
        azure.deploy("app", stack(all.clone())).await;
        let result = foresee(&azure, &all).await;
        let site = change(&result, "/sites/noisy-site");
        assert_eq!(site["changeType"], expected, "{site:#}");
        if noise {
            assert_eq!(site["delta"][0]["path"], "properties.siteConfig.appSettings");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_known_before_stays_an_expression_and_what_is_refused_is_told_at_the_end() {
    let azure = Azure::start().await;
    let tagged = |name: &str| {
        let mut account = storage(name);
        account["tags"] = json!({"client": "[reference('I').clientId]"});
        template(json!({"A": account, "I": identity("someone")}))
    };
    let result = foresee(&azure, &tagged("ifaccount")).await;
    assert_eq!(
        change(&result, "/ifaccount")["after"]["tags"]["client"],
        "[reference('I').clientId]"
    );
    azure.deploy("app", stack(tagged("ifaccount"))).await;
    let someone = azure.manager.resources(GROUP)
        [&azure.id("Microsoft.ManagedIdentity/userAssignedIdentities/someone")]
        .clone();
    let result = foresee(&azure, &tagged("ifaccount")).await;
    assert_eq!(
        change(&result, "/ifaccount")["after"]["tags"]["client"],
        someone.added["clientId"]
    );
    azure
        .manager
        .take_name("Microsoft.Storage/storageAccounts", "takenaccount");
    let result = foresee(&azure, &tagged("takenaccount")).await;
    assert_eq!(result["status"], "Failed");
    assert_eq!(result["error"]["code"], "InvalidTemplateDeployment");
    assert_eq!(
        result["error"]["details"][0]["code"],
        "StorageAccountAlreadyTaken"
    );
    let wrong = json!({"properties": {"mode": "Complete", "template": tagged("ifaccount")}});
    let path = format!(
        "{}/whatIf?api-version=2024-03-01",
        azure.id("Microsoft.Resources/deployments/app")
    );
    assert_eq!(
        azure.ask(Method::POST, &path, Some(wrong)).await.code(),
        "InvalidRequestContent"
    );
    azure
        .manager
        .deny("Microsoft.Resources/deployments/whatIf/action", "");
    let right = json!({"properties": {"mode": "Incremental", "template": tagged("ifaccount")}});
    assert_eq!(
        azure.ask(Method::POST, &path, Some(right)).await.code(),
        "AuthorizationFailed"
    );
}
