//! Documents of services that deliver records, as AWS documents them. What is within a record is what the drivers write.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use nephos_core::event::{Change, ChangeKind, Message, Payload, Record};
use serde_json::{Map, Value, json};

use super::super::emulator::{ACCOUNT, REGION};
use super::physical;
use crate::payload::{VERSION, encode, frame, stored_name, ungrouped};

/// <https://docs.aws.amazon.com/lambda/latest/dg/with-sqs.html#example-standard-queue-message-event>
pub(super) fn queue(messages: &[Message<Payload>]) -> Value {
    let is_ordered = messages.iter().any(|message| message.group.is_some());
    let records: Vec<Value> = messages
        .iter()
        .map(|message| {
            let wire = encode(&message.body, &message.attributes, None);
            let sent = message.sent_at.map_or(0, |at| at.timestamp_millis()).to_string();
            let mut system = json!({
                "ApproximateReceiveCount": message.attempt.to_string(), "SentTimestamp": sent,
                "SenderId": format!("AIDAIENQZJOLO23YVJ4VO:{ACCOUNT}"), "ApproximateFirstReceiveTimestamp": sent,
            });
            if is_ordered {
                system["MessageGroupId"] = message.group.clone().unwrap_or_else(ungrouped).into();
                system["MessageDeduplicationId"] = message.id.as_str().into();
                system["SequenceNumber"] = "18849496460467696128".into();
            }
            let attributes: Map<String, Value> = wire
                .attributes
                .into_iter()
                .map(|(name, value)| {
                    let typed = json!({"stringValue": value, "stringListValues": [], "binaryListValues": [], "dataType": "String"});
                    (name, typed)
                })
                .collect();
            json!({
                "messageId": message.id, "receiptHandle": "AQEBwJnKyrHigUMZj6rYigCgxlaS3SLy0a", "body": wire.body, "attributes": system,
                "messageAttributes": attributes, "md5OfBody": "e4e68fb7bd0e697a0ae8f1bb342846b3", "eventSource": "aws:sqs",
                "eventSourceARN": physical(&message.queue), "awsRegion": REGION,
            })
        })
        .collect();
    json!({"Records": records})
}

/// <https://docs.aws.amazon.com/lambda/latest/dg/with-kinesis.html>
pub(super) fn stream(records: &[Record<Payload>]) -> Value {
    let records: Vec<Value> = records
        .iter()
        .map(|record| {
            json!({
                "kinesis": {
                    "kinesisSchemaVersion": "1.0", "partitionKey": record.partition_key, "sequenceNumber": record.sequence,
                    "data": STANDARD.encode(frame(&record.body, &record.attributes)),
                    "approximateArrivalTimestamp": record.appended_at.map(|at| at.timestamp()),
                },
                "eventSource": "aws:kinesis", "eventVersion": "1.0", "eventID": format!("shardId-000000000006:{}", record.sequence),
                "eventName": "aws:kinesis:record", "invokeIdentityArn": format!("arn:aws:iam::{ACCOUNT}:role/lambda-role"),
                "awsRegion": REGION, "eventSourceARN": physical(&record.stream),
            })
        })
        .collect();
    json!({"Records": records})
}

/// <https://docs.aws.amazon.com/lambda/latest/dg/with-ddb.html>: items that the driver wrote, and items that others wrote, who have sets.
pub(super) fn table(changes: &[Change<Value>]) -> Vec<(&'static str, Value)> {
    [("DynamoDB", Lists::Lists), ("DynamoDB, with sets", Lists::Sets)]
        .into_iter()
        .map(|(form, lists)| {
            let records: Vec<Value> = changes.iter().map(|change| record(change, lists)).collect();
            (form, json!({"Records": records}))
        })
        .collect()
}

/// What becomes of a JSON list whose elements could be a set.
#[derive(Clone, Copy)]
enum Lists {
    Lists,
    Sets,
}

/// <https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_streams_Record.html>
fn record(change: &Change<Value>, lists: Lists) -> Value {
    let (key, sort) = nephos_conformance::happening::ITEM_KEYS;
    let mut keys = Map::new();
    // AWS promises no order: that of the schema is deployment's to tell.
    if let Some(value) = &change.key.sort {
        keys.insert(sort.to_owned(), json!({"S": value}));
    }
    keys.insert(key.to_owned(), json!({"S": change.key.partition}));
    let mut stream = json!({
        "ApproximateCreationDateTime": change.at.map(|at| at.timestamp()), "Keys": keys, "SequenceNumber": change.sequence, "SizeBytes": 59,
        "StreamViewType": "NEW_AND_OLD_IMAGES",
    });
    for (name, image) in [("OldImage", &change.old), ("NewImage", &change.new)] {
        if let Some(Value::Object(item)) = image {
            let mut image = attributes(item, lists);
            if matches!(lists, Lists::Lists) {
                image.insert(VERSION.to_owned(), json!({"S": "0190b1d2"}));
            }
            stream[name] = image.into();
        }
    }
    let name = match change.kind {
        ChangeKind::Inserted => "INSERT",
        ChangeKind::Modified => "MODIFY",
        ChangeKind::Removed => "REMOVE",
    };
    json!({
        "eventID": "c4ca4238a0b923820dcc509a6f75849b", "eventName": name, "eventVersion": "1.1", "eventSource": "aws:dynamodb", "awsRegion": REGION,
        "dynamodb": stream, "eventSourceARN": format!("{}/stream/2026-11-25T00:00:00.000", physical(&change.table)),
    })
}

fn attributes(item: &Map<String, Value>, lists: Lists) -> Map<String, Value> {
    item.iter()
        .map(|(name, value)| (stored_name(name).into_owned(), typed(value, lists)))
        .collect()
}

/// <https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_streams_AttributeValue.html>
fn typed(value: &Value, lists: Lists) -> Value {
    let all = |is: fn(&Value) -> bool, list: &[Value]| !list.is_empty() && list.iter().all(is);
    match (value, lists) {
        (Value::Null, _) => json!({"NULL": true}),
        (Value::Bool(truth), _) => json!({"BOOL": truth}),
        (Value::Number(number), _) => json!({"N": number.to_string()}),
        (Value::String(text), _) => json!({"S": text}),
        (Value::Object(map), _) => json!({"M": attributes(map, lists)}),
        (Value::Array(list), Lists::Sets) if all(Value::is_string, list) => json!({"SS": list}),
        (Value::Array(list), Lists::Sets) if all(Value::is_number, list) => {
            let digits: Vec<String> = list.iter().map(ToString::to_string).collect();
            json!({"NS": digits})
        }
        (Value::Array(list), _) => {
            let list: Vec<Value> = list.iter().map(|value| typed(value, lists)).collect();
            json!({"L": list})
        }
    }
}
