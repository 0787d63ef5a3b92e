//! `host.json`: what the Functions host starts, and how it takes messages. <https://learn.microsoft.com/azure/azure-functions/functions-host-json>

use std::time::Duration;

use nephos_core::app::FunctionSpec;
use serde_json::{Map, Value, json};

use crate::deploy::template::layout::Site;
use crate::deploy::template::trigger::Source;
use crate::deploy::template::{attempts_of, seconds};
use crate::package::{HANDLER, HTTP};

/// The triggers that are not part of the host itself, at the versions that it takes:
/// <https://learn.microsoft.com/azure/azure-functions/extension-bundles>.
const BUNDLE: (&str, &str) = ("Microsoft.Azure.Functions.ExtensionBundle", "[4.*, 5.0.0)");
/// How much longer than the function's own time the host waits: our host ends the handler itself, and the message must still be settled.
const GRACE: Duration = Duration::from_secs(10);
/// The most messages that the host takes from a Storage queue at once, and the most below which it takes more:
/// <https://learn.microsoft.com/azure/azure-functions/functions-bindings-storage-queue#host-json>.
const MAX_QUEUE_BATCH: u32 = 32;
const MAX_THRESHOLD: u32 = 1000;
/// The longest time for which a Storage queue hides a message, in seconds.
const MAX_VISIBILITY: u64 = 7 * 24 * 3600;
/// How long the host waits at most before it looks into an empty queue again.
const POLLING: Duration = Duration::from_secs(2);
/// How long a session without messages is kept.
const SESSION_IDLE: Duration = Duration::from_secs(5);

/// The document.
pub(super) fn document(spec: &FunctionSpec, site: &Site<'_>) -> Value {
    let mut extensions = Map::new();
    let mut bundled = false;
    for trigger in &site.triggers {
        let (name, options) = match &trigger.source {
            Source::Http => ("http", json!({"routePrefix": ""})),
            Source::Timer { .. } => continue,
            Source::Queue { .. } | Source::Inbox { .. } => ("queues", queues(spec)),
            Source::Sessions { .. } => ("serviceBus", service_bus(spec)),
            Source::Hub { .. } => ("eventHubs", event_hubs(site)),
            Source::Feed { .. } => ("cosmosDB", json!({"connectionMode": "Gateway"})),
        };
        bundled |= trigger.name != HTTP;
        extensions.insert(name.to_owned(), options);
    }
    let mut document = json!({
        "version": "2.0",
        "functionTimeout": span(spec.timeout + GRACE),
        "customHandler": {
            "description": {"defaultExecutablePath": HANDLER},
            "enableForwardingHttpRequest": site.forwarding(),
        },
        "logging": {"applicationInsights": {"samplingSettings": {"isEnabled": true, "excludedTypes": "Exception;Request"}}},
    });
    if let Value::Object(document) = &mut document {
        if bundled {
            document.insert(
                "extensionBundle".to_owned(),
                json!({"id": BUNDLE.0, "version": BUNDLE.1}),
            );
        }
        if !extensions.is_empty() {
            document.insert("extensions".to_owned(), extensions.into());
        }
    }
    document
}

/// Messages are taken as they are: programs without Nephos write plain text, and Event Grid Base64.
fn queues(spec: &FunctionSpec) -> Value {
    let concurrency = spec.concurrency.max(1);
    let batch = concurrency.min(MAX_QUEUE_BATCH);
    json!({
        "batchSize": batch,
        "newBatchThreshold": (concurrency - batch).min(MAX_THRESHOLD),
        "maxDequeueCount": attempts_of(spec.retry.attempts),
        "maxPollingInterval": span(POLLING),
        "messageEncoding": "none",
        "visibilityTimeout": span(Duration::from_secs(seconds(spec.retry.backoff).min(MAX_VISIBILITY))),
    })
}

/// <https://learn.microsoft.com/azure/azure-functions/functions-bindings-service-bus#hostjson-settings>
fn service_bus(spec: &FunctionSpec) -> Value {
    json!({
        "autoCompleteMessages": true,
        "maxAutoLockRenewalDuration": span(spec.timeout + GRACE),
        "maxConcurrentSessions": spec.concurrency.max(1),
        "prefetchCount": 0,
        "sessionIdleTimeout": span(SESSION_IDLE),
    })
}

/// <https://learn.microsoft.com/azure/azure-functions/functions-bindings-event-hubs#hostjson-settings>. One number for all streams of the site: the smallest.
fn event_hubs(site: &Site<'_>) -> Value {
    let batches = site.triggers.iter().filter_map(|trigger| match trigger.source {
        Source::Hub { batch, .. } => Some(batch),
        _ => None,
    });
    json!({
        "batchCheckpointFrequency": 1,
        "initialOffsetOptions": {"type": "fromStart"},
        "maxEventBatchSize": batches.min().unwrap_or(1).max(1),
    })
}

/// Whole seconds as the host reads them: `hh:mm:ss`, with the days before it where there are some.
pub(super) fn span(duration: Duration) -> String {
    let seconds = seconds(duration);
    let (days, rest) = (seconds / 86_400, seconds % 86_400);
    let clock = format!("{:02}:{:02}:{:02}", rest / 3600, rest % 3600 / 60, rest % 60);
    if days == 0 {
        clock
    } else {
        format!("{days}.{clock}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_whole_seconds_rounded_up() {
        for (millis, expected) in [
            (0, "00:00:00"),
            (200, "00:00:01"),
            (40_000, "00:00:40"),
            (3_661_000, "01:01:01"),
            (90_061_000, "1.01:01:01"),
        ] {
            assert_eq!(span(Duration::from_millis(millis)), expected);
        }
    }
}
