//! `eventHubTrigger`: a consumer of each partition, its batches, and how far it has come.

use std::sync::{Arc, PoisonError};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chrono::{DateTime, Utc};
use nephos_core::Result;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use super::{Checkpoints, Event, EventHubs};
use crate::azure_functions::invoke::{Bound, Failure, Input, Invoker};
use crate::azure_functions::package::{EventHubTrigger, Function};
use crate::azure_functions::refused;

/// One function's partition of a hub.
#[derive(Debug)]
pub(in crate::azure_functions) struct Listener {
    function: Arc<Function>,
    trigger: EventHubTrigger,
    partition: usize,
    namespace: EventHubs,
    invoker: Arc<Invoker>,
    checkpoints: Checkpoints,
    most: usize,
}

/// A listener for each partition.
pub(in crate::azure_functions) fn listeners(
    function: &Arc<Function>,
    trigger: &EventHubTrigger,
    namespace: &EventHubs,
    invoker: &Arc<Invoker>,
    checkpoints: &Checkpoints,
    most: usize,
) -> Result<Vec<Listener>> {
    let partitions = namespace.events(&trigger.event_hub_name).len();
    if partitions == 0 {
        return Err(refused(format!(
            "there is no event hub `{}`",
            trigger.event_hub_name
        )));
    }
    let listener = |partition| Listener {
        function: Arc::clone(function),
        trigger: trigger.clone(),
        partition,
        namespace: namespace.clone(),
        invoker: Arc::clone(invoker),
        checkpoints: Arc::clone(checkpoints),
        most,
    };
    Ok((0..partitions).map(listener).collect())
}

impl Listener {
    /// Hands events over in their order until it is told to stop.
    pub(in crate::azure_functions) async fn run(self, stop: CancellationToken) {
        let mut count = self.namespace.state.count.subscribe();
        loop {
            count.borrow_and_update();
            let events = self.pending();
            if events.is_empty() {
                tokio::select! {
                    () = stop.cancelled() => return,
                    changed = count.changed() => if changed.is_err() { return },
                }
                continue;
            }
            let size = if self.function.trigger.many {
                events.len()
            } else {
                1
            };
            for batch in events.chunks(size) {
                if stop.is_cancelled() || !self.hand_over(batch).await {
                    return;
                }
            }
        }
    }

    fn key(&self) -> String {
        let trigger = &self.trigger;
        format!(
            "{}/{}/{}/{}",
            trigger.event_hub_name, trigger.consumer_group, self.partition, self.function.name
        )
    }

    fn pending(&self) -> Vec<Event> {
        let from = {
            let checkpoints = self.checkpoints.lock().unwrap_or_else(PoisonError::into_inner);
            checkpoints.get(&self.key()).copied().unwrap_or(0)
        };
        let hubs = self
            .namespace
            .state
            .hubs
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        hubs.get(&self.trigger.event_hub_name.to_lowercase())
            .map(|hub| {
                hub.partitions[self.partition]
                    .iter()
                    .skip(from)
                    .take(self.most)
                    .cloned()
                    .collect()
            })
            .unwrap_or_default()
    }

    /// A batch is behind the checkpoint once it succeeded, or was tried as often as it may be. False if the host stopped meanwhile, for then it comes again.
    async fn hand_over(&self, batch: &[Event]) -> bool {
        let outcome = match self.input(batch) {
            Ok(input) => self
                .invoker
                .invoke_with_retries(&self.function, input)
                .await
                .map(drop),
            Err(failure) => Err(failure),
        };
        if let Err(failure) = outcome {
            if self.invoker.is_stopping() {
                return false;
            }
            self.invoker.log.line(format!(
                "event hub `{}`: a batch of {} is passed over: {failure}",
                self.trigger.event_hub_name,
                batch.len()
            ));
        }
        if let Some(last) = batch.last() {
            let mut checkpoints = self.checkpoints.lock().unwrap_or_else(PoisonError::into_inner);
            checkpoints.insert(self.key(), last.sequence_number + 1);
        }
        true
    }

    fn input(&self, batch: &[Event]) -> std::result::Result<Input, Failure> {
        let namespace = self.namespace.namespace();
        let context = context(
            &namespace,
            &self.trigger.event_hub_name,
            &self.trigger.consumer_group,
            self.partition,
        );
        let trigger = &self.function.trigger;
        let text = |event: &Event| String::from_utf8_lossy(&event.body).into_owned();
        let mut metadata = vec![context];
        if !trigger.many {
            let event = &batch[0];
            metadata.extend([
                ("PartitionKey".to_owned(), Bound::Json(json!(event.partition_key))),
                ("Offset".to_owned(), Bound::Json(json!(event.offset))),
                (
                    "SequenceNumber".to_owned(),
                    Bound::Json(json!(event.sequence_number)),
                ),
                ("EnqueuedTimeUtc".to_owned(), Bound::Unzoned(event.enqueued)),
                (
                    "Properties".to_owned(),
                    Bound::Object(Value::Object(event.properties.clone())),
                ),
                (
                    "SystemProperties".to_owned(),
                    Bound::Object(system_properties(event)),
                ),
            ]);
            if event.partition_key.is_none() {
                metadata.retain(|(name, _)| name != "PartitionKey");
            }
            let value = if trigger.binary {
                Bound::Bytes(event.body.clone())
            } else {
                Bound::Text(text(event))
            };
            return Ok(Input { value, metadata });
        }
        metadata.extend(columns(batch));
        let value = match trigger.data_type.as_deref() {
            Some("binary") => bodies(batch),
            Some(_) => all(batch, &|event| json!(text(event))),
            // Without a type, the host reads each event as JSON, and fails the batch for one that is none.
            None => {
                let read = |event: &Event| {
                    serde_json::from_slice(&event.body).map_err(|error| Failure::Binding {
                        name: trigger.name.clone(),
                        reason: format!(
                            "without `dataType`, an event must be JSON, and one of the batch is not: {error}"
                        ),
                    })
                };
                Bound::Json(Value::Array(
                    batch.iter().map(read).collect::<std::result::Result<_, _>>()?,
                ))
            }
        };
        Ok(Input { value, metadata })
    }
}

/// Where a batch is from.
pub(in crate::azure_functions) fn context(
    namespace: &str,
    hub: &str,
    group: &str,
    partition: usize,
) -> (String, Bound) {
    let context = json!({
        "FullyQualifiedNamespace": namespace,
        "EventHubName": hub,
        "ConsumerGroup": group,
        "PartitionId": partition.to_string(),
    });
    ("PartitionContext".to_owned(), Bound::Object(context))
}

/// The bodies of a batch as bytes.
pub(in crate::azure_functions) fn bodies(batch: &[Event]) -> Bound {
    all(batch, &|event| json!(STANDARD.encode(&event.body)))
}

/// What is told of a batch, a list for each fact.
pub(in crate::azure_functions) fn columns(batch: &[Event]) -> [(String, Bound); 6] {
    let column = |name: &str, value: &dyn Fn(&Event) -> Value| (format!("{name}Array"), all(batch, value));
    [
        column("PartitionKey", &|event| json!(event.partition_key)),
        column("Offset", &|event| json!(event.offset.to_string())),
        column("SequenceNumber", &|event| json!(event.sequence_number)),
        column("EnqueuedTimeUtc", &|event| json!(unzoned(event.enqueued))),
        column("Properties", &|event| Value::Object(event.properties.clone())),
        column("SystemProperties", &system_properties),
    ]
}

fn all(batch: &[Event], value: &dyn Fn(&Event) -> Value) -> Bound {
    Bound::Json(batch.iter().map(value).collect())
}

fn unzoned(time: DateTime<Utc>) -> String {
    time.format("%Y-%m-%dT%H:%M:%S%.3f").to_string()
}

fn system_properties(event: &Event) -> Value {
    json!({
        "x-opt-sequence-number": event.sequence_number,
        "x-opt-offset": event.offset.to_string(),
        "x-opt-enqueued-time": event.enqueued.to_rfc3339_opts(chrono::SecondsFormat::Millis, false),
        "SequenceNumber": event.sequence_number,
        "Offset": event.offset,
        "PartitionKey": event.partition_key,
        "EnqueuedTimeUtc": unzoned(event.enqueued),
    })
}
