//! Publishing, pulling, acknowledging: <https://cloud.google.com/pubsub/docs/reference/rest/v1/projects.subscriptions/pull>. Limits:
//! <https://cloud.google.com/pubsub/quotas#resource_limits>.

use std::collections::BTreeMap;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chrono::{DateTime, SecondsFormat, Utc};
use serde_json::{Value, json};
use tokio::time::Instant;

use super::super::{invalid, named, only, unimplemented};
use super::Hub;
use super::backlog::{Backlog, Delivery, Message, Receipt};
use super::settings::Settings;
use crate::google_cloud::error::{Code, Outcome, Refusal};
use crate::google_cloud::request::Asked;

/// A request to publish: Google says 10 MB, here of JSON.
const MOST_PUBLISHED: usize = 10_000_000;
/// A request to acknowledge, or to lease longer.
const MOST_SETTLED: usize = 512 * 1024;
const MOST_MESSAGES: usize = 1_000;
const MOST_ATTRIBUTES: usize = 100;
const LONGEST_NAME: usize = 256;
const LONGEST_VALUE: usize = 1_024;
const LONGEST_KEY: usize = 1_024;

/// How long a pull waits that may wait. Google does not say.
const PATIENCE: Duration = Duration::from_secs(20);

impl Hub {
    pub(super) fn publish(&self, asked: &Asked<'_>, size: usize) -> Outcome<Value> {
        let topic = named(asked, "topic");
        let mut state = self.lock();
        state.topic(&topic)?;
        if size > MOST_PUBLISHED {
            return Err(invalid(format!(
                "Request payload size exceeds the limit: {MOST_PUBLISHED} bytes."
            )));
        }
        let sent = asked.body["messages"].as_array().map_or(&[][..], Vec::as_slice);
        if sent.is_empty() {
            return Err(invalid("No messages to publish"));
        }
        if sent.len() > MOST_MESSAGES {
            return Err(invalid("Too many messages to publish"));
        }
        let messages = sent.iter().map(message).collect::<Outcome<Vec<_>>>()?;
        let now = Instant::now();
        state.settle(now);
        let ids: Vec<Value> = (messages.into_iter())
            .map(|message| state.deliver(&topic, message).into())
            .collect();
        drop(state);
        self.changed();
        Ok(json!({"messageIds": ids}))
    }

    pub(super) async fn pull(&self, asked: &Asked<'_>) -> Outcome<Value> {
        let name = named(asked, "subscription");
        let most = match asked.body["maxMessages"].as_u64() {
            Some(most @ 1..) => usize::try_from(most).unwrap_or(MOST_MESSAGES).min(MOST_MESSAGES),
            _ => return Err(invalid("No max_messages specified")),
        };
        let deadline = match asked.body["returnImmediately"].as_bool() {
            Some(true) => Instant::now(),
            _ => Instant::now() + PATIENCE,
        };
        let mut changes = self.changes.subscribe();
        loop {
            changes.mark_unchanged();
            let now = Instant::now();
            let (deliveries, tells, next) = {
                let mut state = self.lock();
                state.settle(now);
                let subscription = state.subscription_mut(&name)?;
                if subscription.settings.endpoint.is_some() {
                    let what = "This method is not supported for this subscription type.";
                    return Err(Refusal::new(Code::FailedPrecondition, what));
                }
                let settings = &subscription.settings;
                let deliveries = subscription.backlog.take(settings, most, false, now);
                (
                    deliveries,
                    settings.dead.is_some(),
                    subscription.backlog.next(now),
                )
            };
            if !deliveries.is_empty() {
                let received: Vec<Value> = deliveries.iter().map(|one| received(one, tells)).collect();
                return Ok(json!({"receivedMessages": received}));
            }
            if now >= deadline {
                return Ok(json!({}));
            }
            let until = next.map_or(deadline, |next| next.min(deadline));
            tokio::select! {
                // It ends with what it is a part of.
                _ = changes.changed() => {}
                () = tokio::time::sleep_until(until) => {}
            }
        }
    }

    pub(super) fn acknowledge(&self, asked: &Asked<'_>, size: usize) -> Outcome<Value> {
        self.each(asked, size, |backlog, receipt, settings| {
            backlog.acknowledge(receipt, settings)
        })
    }

    pub(super) fn modify_deadline(&self, asked: &Asked<'_>, size: usize) -> Outcome<Value> {
        let seconds = match asked.body["ackDeadlineSeconds"].as_u64() {
            Some(seconds @ 0..=600) => seconds,
            None if asked.body.get("ackDeadlineSeconds").is_none() => 0,
            _ => return Err(Refusal::field("ack_deadline_seconds", "it is from 0 to 600")),
        };
        let (by, now) = (Duration::from_secs(seconds), Instant::now());
        self.each(asked, size, |backlog, receipt, settings| {
            backlog.extend(receipt, by, settings, now)
        })
    }

    /// Does something with each receipt of a request. One that was never given refuses all; one that does not count any more is told where delivery is exactly once, and the
    /// others count all the same: <https://cloud.google.com/pubsub/docs/exactly-once-delivery>.
    fn each(
        &self,
        asked: &Asked<'_>,
        size: usize,
        mut act: impl FnMut(&mut Backlog, &str, &Settings) -> Receipt,
    ) -> Outcome<Value> {
        let name = named(asked, "subscription");
        let mut state = self.lock();
        state.subscription(&name)?;
        if size > MOST_SETTLED {
            return Err(invalid(format!(
                "Request payload size exceeds the limit: {MOST_SETTLED} bytes."
            )));
        }
        let sent = asked.body["ackIds"].as_array().into_iter().flatten();
        let receipts: Vec<&str> = sent.filter_map(Value::as_str).collect();
        if receipts.is_empty() {
            return Err(invalid("No ack ids specified."));
        }
        state.settle(Instant::now());
        let subscription = state.subscription_mut(&name)?;
        let (backlog, settings) = (&mut subscription.backlog, &subscription.settings);
        if let Some(foreign) = receipts.iter().find(|receipt| !backlog.knows(receipt, settings)) {
            return Err(invalid(format!("Invalid ack id (ack_id={foreign})")));
        }
        let lost: serde_json::Map<String, Value> = (receipts.into_iter())
            .filter(|receipt| act(backlog, receipt, settings) == Receipt::Lost && settings.is_exact)
            .map(|receipt| (receipt.to_owned(), "PERMANENT_FAILURE_INVALID_ACK_ID".into()))
            .collect();
        // A lease that has ended may be a dead letter by now.
        state.settle(Instant::now());
        drop(state);
        self.changed();
        if lost.is_empty() {
            return Ok(json!({}));
        }
        let message = "Some acknowledgement ids in the request were invalid. This could be because the acknowledgement ids have expired or the acknowledgement ids were malformed.";
        Err(invalid(message).reason("PERMANENT_FAILURE_INVALID_ACK_ID", &lost.into()))
    }

    pub(super) fn seek(&self, asked: &Asked<'_>) -> Outcome<Value> {
        let name = named(asked, "subscription");
        let mut state = self.lock();
        state.settle(Instant::now());
        let subscription = state.subscription_mut(&name)?;
        let time = match (asked.text("/time"), asked.text("/snapshot")) {
            (Some(time), None) => time,
            (None, Some(_)) => return Err(unimplemented("seeking to a snapshot")),
            _ => return Err(invalid("Exactly one of time and snapshot must be specified.")),
        };
        let time = DateTime::parse_from_rfc3339(time)
            .map_err(|error| Refusal::field("time", &format!("it is no moment: {error}")))?;
        subscription.backlog.seek(time.into(), &subscription.settings);
        drop(state);
        self.changed();
        Ok(json!({}))
    }
}

/// A message, as it was sent.
fn message(sent: &Value) -> Outcome<Message> {
    only(
        sent,
        &["data", "attributes", "orderingKey", "messageId", "publishTime"],
    )?;
    let data = sent["data"].as_str().unwrap_or_default();
    let bytes = STANDARD
        .decode(data)
        .map_err(|error| Refusal::field("messages.data", &format!("it is no Base64: {error}")))?;
    let attributes: BTreeMap<String, String> = (sent["attributes"].as_object().into_iter().flatten())
        .map(|(name, value)| (name.clone(), value.as_str().unwrap_or_default().to_owned()))
        .collect();
    if bytes.is_empty() && attributes.is_empty() {
        return Err(invalid("Some messages are empty"));
    }
    let refused = |what: &str| Err(Refusal::field("messages.attributes", what));
    if attributes.len() > MOST_ATTRIBUTES {
        return refused("a message has at most 100 attributes");
    }
    for (name, value) in &attributes {
        if name.is_empty() || name.len() > LONGEST_NAME {
            return refused("the name of an attribute has 1 to 256 bytes");
        }
        if name.starts_with("goog") {
            return refused("the name of an attribute does not begin with goog");
        }
        if value.len() > LONGEST_VALUE {
            return refused("the value of an attribute has at most 1024 bytes");
        }
    }
    let ordering_key = sent["orderingKey"].as_str().unwrap_or_default().to_owned();
    if ordering_key.len() > LONGEST_KEY {
        return Err(Refusal::field(
            "messages.ordering_key",
            "it has at most 1024 bytes",
        ));
    }
    Ok(Message {
        id: String::new(),
        data: STANDARD.encode(bytes),
        attributes,
        ordering_key,
        at: Utc::now(),
    })
}

/// A message, as it is told; what it does not have is left out.
pub(super) fn told(message: &Message) -> Value {
    let at = message.at.to_rfc3339_opts(SecondsFormat::Millis, true);
    let mut told = json!({"messageId": message.id, "publishTime": at});
    if !message.data.is_empty() {
        told["data"] = message.data.as_str().into();
    }
    if !message.attributes.is_empty() {
        told["attributes"] = json!(message.attributes);
    }
    if !message.ordering_key.is_empty() {
        told["orderingKey"] = message.ordering_key.as_str().into();
    }
    told
}

fn received(delivery: &Delivery, tells_tries: bool) -> Value {
    let mut received = json!({"ackId": delivery.receipt, "message": told(&delivery.message)});
    if tells_tries {
        received["deliveryAttempt"] = delivery.tries.into();
    }
    received
}
