//! Messages, records and items as their services hand them over. What is within them is what the drivers write.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chrono::{DateTime, Utc};
use nephos_conformance::azure_functions::inputs::{self, Input};
use nephos_conformance::azure_functions::{event_hub, service_bus, storage};
use nephos_conformance::happening::{Happening, Native};
use nephos_core::event::{Change, ChangeKind, Message, Payload, Record};
use nephos_core::{Error, ErrorKind, Result};
use serde_json::{Map, Value, json};

use super::{invocation, unsupported};
use crate::document::hide;
use crate::payload::{BOOKKEEPING, to_properties, to_text, ungrouped};

/// A Storage queue, which has no groups and hands over one at a time; and Service Bus, one and many.
pub(super) fn queue(messages: &[Message<Payload>]) -> Result<Vec<Native>> {
    let sent: Vec<service_bus::Message> = messages.iter().map(bus).collect();
    let many = inputs::service_bus_batch(&sent);
    let mut natives = vec![invocation("Service Bus, many", "queue", &many, None)];
    if let ([message], [sent]) = (messages, sent.as_slice()) {
        natives.push(invocation(
            "Service Bus",
            "queue",
            &inputs::service_bus(sent),
            None,
        ));
        if message.group.is_none() {
            let text = to_text(&message.body, &message.attributes)?;
            let stored = stored(
                &message.id,
                message.sent_at.unwrap_or_default(),
                message.attempt,
                text,
            );
            let input = inputs::storage_queue(&stored, true);
            natives.push(invocation("a Storage queue", "queue", &input, None));
        }
    }
    Ok(natives)
}

/// <https://learn.microsoft.com/azure/service-bus-messaging/service-bus-messages-payloads>
fn bus(message: &Message<Payload>) -> service_bus::Message {
    let mut broker = Map::new();
    broker.insert("MessageId".to_owned(), message.id.as_str().into());
    broker.insert(
        "SessionId".to_owned(),
        message.group.clone().unwrap_or_else(ungrouped).into(),
    );
    if let Some(content_type) = &message.body.content_type {
        broker.insert("ContentType".to_owned(), content_type.as_str().into());
    }
    service_bus::Message::delivered(
        message.body.bytes.to_vec(),
        broker,
        properties(to_properties(None, &message.attributes)),
        message.sent_at.unwrap_or_default(),
        message.attempt,
    )
}

fn properties(properties: impl IntoIterator<Item = (String, String)>) -> Map<String, Value> {
    properties
        .into_iter()
        .map(|(name, value)| (name, value.into()))
        .collect()
}

/// <https://learn.microsoft.com/rest/api/storageservices/get-messages>
fn stored(id: &str, at: DateTime<Utc>, count: u32, text: String) -> storage::Message {
    let written = |at: DateTime<Utc>| at.format("%a, %d %b %Y %H:%M:%S GMT").to_string();
    storage::Message {
        message_id: id.to_owned(),
        insertion_time: written(at),
        expiration_time: written(at + chrono::Duration::days(7)),
        pop_receipt: "AgAAAAMAAAAAAAAA".to_owned(),
        time_next_visible: written(at + chrono::Duration::minutes(10)),
        dequeue_count: count,
        message_text: text,
    }
}

/// An event that Event Grid put into a function's inbox: its JSON in Base64.
pub(super) fn delivered(event: &str, happening: &Happening) -> Input {
    let text = STANDARD.encode(event);
    // The inbox's own id of it says nothing of the event.
    inputs::storage_queue(&stored("4a1c1d4e", happening.at, happening.attempt, text), true)
}

/// <https://learn.microsoft.com/azure/azure-functions/functions-bindings-event-hubs-trigger#event-metadata>: one partition, which the sequence begins with.
pub(super) fn stream(records: &[Record<Payload>]) -> Result<Input> {
    let mut events = Vec::with_capacity(records.len());
    let mut from = 0;
    for record in records {
        let place = record.sequence.split_once('/');
        let place =
            place.and_then(|(partition, number)| Some((partition.parse().ok()?, number.parse().ok()?)));
        let (partition, sequence_number): (usize, usize) = place.ok_or_else(|| foreign(&record.sequence))?;
        from = partition;
        events.push(event_hub::Event {
            body: record.body.bytes.to_vec(),
            properties: properties(to_properties(
                record.body.content_type.as_deref(),
                &record.attributes,
            )),
            partition_key: Some(record.partition_key.clone()),
            content_type: None,
            enqueued: record.appended_at.unwrap_or_default(),
            sequence_number,
            offset: 0,
        });
    }
    Ok(inputs::event_hub("nephos-readings", from, &events))
}

fn foreign(sequence: &str) -> Error {
    Error::new(
        ErrorKind::InvalidArgument,
        "harness.native",
        "a sequence on Azure is two parts with a slash between",
    )
    .with("sequence", sequence)
}

/// <https://learn.microsoft.com/azure/cosmos-db/change-feed>: items that the driver wrote, and items that others wrote. Of what is removed there is none.
pub(super) fn table(changes: &[Change<Value>]) -> Result<Vec<(&'static str, Input)>> {
    let (mut ours, mut others) = (Vec::new(), Vec::new());
    for change in changes {
        let Some(item) = change.new.as_ref().filter(|_| change.kind != ChangeKind::Removed) else {
            return Err(unsupported("the change feed tells of no removal"));
        };
        let (write, id) = change
            .sequence
            .split_once('/')
            .ok_or_else(|| foreign(&change.sequence))?;
        let write: u64 = write.parse().map_err(|_| foreign(&change.sequence))?;
        let service = json!({
            "_rid": id, "_self": format!("dbs/a/colls/b/docs/{id}/"), "_etag": "\"0000d986\"", "_attachments": "attachments/",
            "_ts": change.at.map(|at| at.timestamp()), "_lsn": write,
        });
        let (mut document, mut kept) = hide(item);
        kept.known.change = Some(change.kind);
        let kept = serde_json::to_value(kept)
            .map_err(|error| unsupported("the item cannot be written").caused_by(error))?;
        document.insert(BOOKKEEPING.to_owned(), kept);
        let key = change.key.sort.as_ref().unwrap_or(&change.key.partition);
        document.insert("id".to_owned(), key.as_str().into());
        let mut other = item.as_object().cloned().unwrap_or_default();
        for (name, value) in service.as_object().into_iter().flatten() {
            document.insert(name.clone(), value.clone());
            other.insert(name.clone(), value.clone());
        }
        ours.push(Value::Object(document));
        others.push(Value::Object(other));
    }
    Ok(vec![
        ("Cosmos DB", inputs::cosmos(ours)),
        ("Cosmos DB, of another program", inputs::cosmos(others)),
    ])
}
