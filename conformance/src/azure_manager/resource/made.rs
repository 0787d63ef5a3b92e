//! The properties that services add to what they were sent.

use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::super::Options;
use super::super::id::{self, Id};
use super::super::kinds::Kind;
use super::super::state::State;
use super::{Resource, normal};

/// The added properties; ids that were given out once stay.
pub(super) fn of(
    options: &Options,
    id: &Id,
    kind: &Kind,
    body: &Value,
    existing: Option<&Resource>,
) -> Map<String, Value> {
    let name = id.own_name();
    let kept = |property: &str| -> Value {
        existing
            .and_then(|old| old.made.get(property).cloned())
            .unwrap_or_else(|| Uuid::new_v4().to_string().into())
    };
    let location = normal(body["location"].as_str().unwrap_or_default());
    let made = match kind.name {
        "Microsoft.ManagedIdentity/userAssignedIdentities" => json!({
            "principalId": kept("principalId"), "clientId": kept("clientId"), "tenantId": options.tenant,
        }),
        "Microsoft.Insights/components" => {
            let (key, app) = (kept("InstrumentationKey"), kept("AppId"));
            let text = format!(
                "InstrumentationKey={};IngestionEndpoint=https://{location}-0.in.applicationinsights.azure.com/;LiveEndpoint=https://{location}.livediagnostics.monitor.azure.com/;ApplicationId={}",
                key.as_str().unwrap_or_default(),
                app.as_str().unwrap_or_default()
            );
            json!({"InstrumentationKey": key, "AppId": app, "ApplicationId": name, "ConnectionString": text, "provisioningState": "Succeeded"})
        }
        "Microsoft.OperationalInsights/workspaces" => {
            json!({"customerId": kept("customerId"), "provisioningState": "Succeeded"})
        }
        "Microsoft.Storage/storageAccounts" => {
            let endpoint = |service: &str| format!("https://{name}.{service}.core.windows.net/");
            json!({
                "primaryEndpoints": {"blob": endpoint("blob"), "queue": endpoint("queue"), "table": endpoint("table"), "file": endpoint("file")},
                "primaryLocation": location, "statusOfPrimary": "available", "provisioningState": "Succeeded",
            })
        }
        "Microsoft.KeyVault/vaults" => {
            json!({"vaultUri": format!("https://{name}.vault.azure.net/"), "provisioningState": "Succeeded"})
        }
        "Microsoft.DocumentDB/databaseAccounts" => {
            json!({"documentEndpoint": format!("https://{name}.documents.azure.com:443/"), "provisioningState": "Succeeded"})
        }
        "Microsoft.EventGrid/topics" => json!({
            "endpoint": format!("https://{name}.{location}-1.eventgrid.azure.net/api/events"), "provisioningState": "Succeeded",
        }),
        "Microsoft.ServiceBus/namespaces" | "Microsoft.EventHub/namespaces" => json!({
            "serviceBusEndpoint": format!("https://{name}.servicebus.windows.net:443/"), "status": "Active", "provisioningState": "Succeeded",
        }),
        "Microsoft.Web/sites" => {
            let (host, scm) = (
                format!("{name}.azurewebsites.net"),
                format!("{name}.scm.azurewebsites.net"),
            );
            json!({
                "state": "Running", "defaultHostName": host, "hostNames": [host], "enabledHostNames": [host, scm], "repositorySiteName": name,
                "hostNameSslStates": [
                    {"name": host, "sslState": "Disabled", "hostType": "Standard"},
                    {"name": scm, "sslState": "Disabled", "hostType": "Repository"},
                ],
            })
        }
        "Microsoft.Web/serverfarms" => json!({"status": "Ready", "provisioningState": "Succeeded"}),
        "Microsoft.EventGrid/systemTopics"
        | "Microsoft.EventGrid/topics/eventSubscriptions"
        | "Microsoft.EventGrid/systemTopics/eventSubscriptions" => json!({"provisioningState": "Succeeded"}),
        "Microsoft.Authorization/roleAssignments" => json!({"scope": id.scope}),
        _ => json!({}),
    };
    match made {
        Value::Object(fields) => fields,
        _ => Map::new(),
    }
}

/// The identities of a resource are shown with their ids.
pub(super) fn complete_identity(all: &mut Value, state: &State) {
    let Some(identities) = all
        .pointer_mut("/identity/userAssignedIdentities")
        .and_then(Value::as_object_mut)
    else {
        return;
    };
    for (name, value) in identities {
        if let Some(identity) = state.resources.get(&id::key(name)) {
            *value =
                json!({"principalId": identity.made["principalId"], "clientId": identity.made["clientId"]});
        }
    }
}
