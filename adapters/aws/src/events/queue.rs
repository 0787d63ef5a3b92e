//! Messages of SQS: <https://docs.aws.amazon.com/lambda/latest/dg/with-sqs.html#example-standard-queue-message-event>.

use std::borrow::Cow;
use std::collections::BTreeMap;

use nephos_core::event::{Attributes, Data, Message, Payload};
use nephos_core::{Event, Result};
use serde::Deserialize;

use super::text::{self, Text};
use super::time::milliseconds;
use super::{Wiring, records};
use crate::payload::{self, Wire};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Record<'a> {
    message_id: String,
    body: String,
    #[serde(borrow, rename = "eventSourceARN")]
    source: Cow<'a, str>,
    #[serde(default, borrow)]
    aws_region: Text<'a>,
    #[serde(default, borrow)]
    attributes: SystemAttributes<'a>,
    #[serde(default, deserialize_with = "text::attributes::<_, Attribute>")]
    message_attributes: BTreeMap<String, String>,
}

/// <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_ReceiveMessage.html#API_ReceiveMessage_RequestSyntax>.
#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct SystemAttributes<'a> {
    #[serde(default, borrow)]
    approximate_receive_count: Text<'a>,
    #[serde(default, borrow)]
    sent_timestamp: Text<'a>,
    #[serde(default, borrow)]
    message_group_id: Text<'a>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Attribute {
    #[serde(default)]
    string_value: Option<String>,
    #[serde(default)]
    binary_value: Option<String>,
}

impl From<Attribute> for Option<String> {
    /// Bytes stay base64, as they came: an attribute is text on every target.
    fn from(attribute: Attribute) -> Self {
        attribute.string_value.or(attribute.binary_value)
    }
}

pub(super) fn decode(document: &str, wiring: &Wiring) -> Result<Event> {
    let mut region = None;
    let (messages, undecodable) = records::read(
        document,
        |record| record.get("messageId")?.as_str(),
        |record: Record<'_>| {
            if region.is_none() {
                region = record.aws_region.as_deref().map(str::to_owned);
            }
            message(record, wiring)
        },
    )?;
    let data = Data::Queue(messages);
    let mut event = Event::new(Attributes::of(&data), data);
    if let Some(region) = region {
        event.attributes.extensions.insert("awsregion".into(), region);
    }
    event.undecodable = undecodable;
    Ok(event)
}

fn message(
    record: Record<'_>,
    wiring: &Wiring,
) -> std::result::Result<Message<Payload>, nephos_core::event::RecordFailure> {
    let content = payload::decode(Wire {
        body: record.body,
        attributes: record.message_attributes,
    })
    .map_err(|error| records::failure(&record.message_id, error))?;
    Ok(Message {
        queue: wiring.source(&record.source).to_owned(),
        body: content.body,
        attributes: content.attributes,
        group: record
            .attributes
            .message_group_id
            .as_deref()
            .and_then(payload::group)
            .map(str::to_owned),
        attempt: record
            .attributes
            .approximate_receive_count
            .as_deref()
            .and_then(|count| count.parse().ok())
            .unwrap_or(1)
            .max(1),
        sent_at: record.attributes.sent_timestamp.as_deref().and_then(milliseconds),
        id: record.message_id,
    })
}
