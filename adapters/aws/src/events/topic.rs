//! Notifications of SNS: <https://docs.aws.amazon.com/lambda/latest/dg/with-sns.html>.

use std::borrow::Cow;
use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use nephos_core::event::{Data, Notification, RecordFailure};
use nephos_core::{Event, Result};
use serde::Deserialize;

use super::text::Text;
use super::{Wiring, records};
use crate::payload::{self, Wire};

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Record<'a> {
    #[serde(default, borrow)]
    event_subscription_arn: Text<'a>,
    #[serde(borrow)]
    sns: Sns<'a>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Sns<'a> {
    message_id: String,
    #[serde(borrow)]
    topic_arn: Cow<'a, str>,
    #[serde(default)]
    subject: Option<String>,
    message: String,
    #[serde(default)]
    timestamp: Option<DateTime<Utc>>,
    #[serde(default)]
    message_attributes: BTreeMap<String, Attribute>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Attribute {
    value: String,
}

/// One event for each record: a neutral event is one notification.
pub(super) fn decode(document: &str, wiring: &Wiring) -> Result<Vec<Event>> {
    let (events, failures) = records::read(
        document,
        |_| None,
        |record: Record<'_>| event(record, wiring).map_err(|error| records::failure("", error)),
    )?;
    // A notification has no place in the answer in which it could fail alone.
    match failures.into_iter().next() {
        Some(RecordFailure { error, .. }) => Err(error),
        None => Ok(events),
    }
}

fn event(record: Record<'_>, wiring: &Wiring) -> Result<Event> {
    let sns = record.sns;
    let attributes = sns
        .message_attributes
        .into_iter()
        // Bytes stay base64 and lists JSON, as they came: an attribute is text on every target.
        .map(|(name, attribute)| (name, attribute.value))
        .collect();
    let content = payload::decode(Wire {
        body: sns.message,
        attributes,
    })?;
    let mut event = Event::of(Data::Topic(Notification {
        id: sns.message_id,
        topic: wiring.sources.name(&sns.topic_arn).to_owned(),
        body: content.body,
        subject: content.subject.or(sns.subject),
        attributes: content.attributes,
        published_at: sns.timestamp,
    }));
    if let Some(subscription) = record.event_subscription_arn.as_deref() {
        let extensions = &mut event.attributes.extensions;
        extensions.insert("awssubscription".to_owned(), subscription.to_owned());
    }
    Ok(event)
}
