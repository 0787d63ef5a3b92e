//! Notifications of SNS: <https://docs.aws.amazon.com/lambda/latest/dg/with-sns.html>.

use std::borrow::Cow;
use std::collections::BTreeMap;

use nephos_core::event::{Data, Notification, RecordFailure};
use nephos_core::{Event, Result};
use serde::Deserialize;

use super::text::{self, Text};
use super::time::Time;
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
    timestamp: Option<Time>,
    #[serde(default, deserialize_with = "text::attributes::<_, Attribute>")]
    message_attributes: BTreeMap<String, String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Attribute {
    value: String,
}

impl From<Attribute> for Option<String> {
    /// Bytes stay base64 and lists JSON, as they came: an attribute is text on every target.
    fn from(attribute: Attribute) -> Self {
        Some(attribute.value)
    }
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
    let content = payload::decode(Wire {
        body: sns.message,
        attributes: sns.message_attributes,
    })?;
    let mut event = Event::of(Data::Topic(Notification {
        id: sns.message_id,
        topic: wiring.source(&sns.topic_arn).to_owned(),
        body: content.body,
        subject: content.subject.or(sns.subject),
        attributes: content.attributes,
        published_at: sns.timestamp.map(|Time(time)| time),
    }));
    if let Some(subscription) = record.event_subscription_arn.as_deref() {
        let extensions = &mut event.attributes.extensions;
        extensions.insert("awssubscription".into(), subscription.to_owned());
    }
    Ok(event)
}
