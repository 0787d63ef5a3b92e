//! `function.json`: what one trigger of the Functions host is bound to. <https://learn.microsoft.com/azure/azure-functions/functions-triggers-bindings>

use std::time::Duration;

use nephos_core::app::{FunctionSpec, Retry};
use serde_json::{Value, json};

use super::host::span;
use crate::deploy::template::environment::{COSMOS, EVENT_HUBS, SERVICE_BUS, STORAGE};
use crate::deploy::template::layout::Layout;
use crate::deploy::template::trigger::{HostTrigger, Source};
use crate::deploy::template::{layout, seconds};

/// The name of what a trigger hands over.
const EVENT: &str = "event";

/// The document.
///
/// Messages are asked for as bytes: text that holds a JSON object the host spreads over its own metadata, so that who sends it could say how often it had been
/// delivered.
pub(super) fn document(layout: &Layout<'_>, spec: &FunctionSpec, trigger: &HostTrigger<'_>) -> Value {
    let mut retried = false;
    let mut binding = match &trigger.source {
        // Every request of the site: our host knows the routes.
        Source::Http => json!({"type": "httpTrigger", "authLevel": "anonymous", "route": "{*path}"}),
        Source::Queue { .. } | Source::Inbox { .. } => json!({
            "type": "queueTrigger",
            "queueName": trigger.source.storage_queue(),
            "connection": STORAGE,
            "dataType": "binary",
        }),
        Source::Sessions { queue } => json!({
            "type": "serviceBusTrigger",
            "queueName": queue,
            "connection": SERVICE_BUS,
            "isSessionsEnabled": true,
            "cardinality": "one",
            "dataType": "binary",
        }),
        Source::Hub { stream, group, .. } => {
            retried = true;
            json!({
                "type": "eventHubTrigger",
                "eventHubName": stream,
                "connection": EVENT_HUBS,
                "consumerGroup": group,
                "cardinality": "many",
                "dataType": "binary",
            })
        }
        Source::Feed { table, leases, batch } => {
            retried = true;
            json!({
                "type": "cosmosDBTrigger",
                "connection": COSMOS,
                "databaseName": layout.database(),
                "containerName": layout.table(table),
                "leaseDatabaseName": layout.database(),
                "leaseContainerName": layout::LEASES,
                "leaseContainerPrefix": leases,
                "createLeaseContainerIfNotExists": false,
                "maxItemsPerInvocation": batch,
                "startFromBeginning": true,
            })
        }
        Source::Timer { expression } => {
            retried = true;
            json!({"type": "timerTrigger", "schedule": expression, "useMonitor": true})
        }
    };
    if let Value::Object(binding) = &mut binding {
        binding.insert("name".to_owned(), EVENT.into());
        binding.insert("direction".to_owned(), "in".into());
    }
    let mut bindings = vec![binding];
    if matches!(trigger.source, Source::Http) {
        bindings.push(json!({"type": "http", "name": "res", "direction": "out"}));
    }
    if retried {
        return json!({"bindings": bindings, "retry": retry(&spec.retry)});
    }
    json!({ "bindings": bindings })
}

/// <https://learn.microsoft.com/azure/azure-functions/functions-bindings-error-pages#retries>. Without end: after its last retry the host passes over what failed. Our host
/// counts the tries of each record, and gives it up as a dead letter.
fn retry(retry: &Retry) -> Value {
    const WITHOUT_END: i32 = -1;
    let least = Duration::from_secs(seconds(retry.backoff));
    let most = Duration::from_secs(seconds(retry.max_backoff));
    if least.is_zero() || least >= most {
        return json!({"strategy": "fixedDelay", "maxRetryCount": WITHOUT_END, "delayInterval": span(least)});
    }
    json!({
        "strategy": "exponentialBackoff",
        "maxRetryCount": WITHOUT_END,
        "minimumInterval": span(least),
        "maximumInterval": span(most),
    })
}
