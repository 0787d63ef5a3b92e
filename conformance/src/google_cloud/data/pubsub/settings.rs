//! What a topic or a subscription may be, and what of it counts for messages:
//! <https://cloud.google.com/pubsub/docs/reference/rest/v1/projects.subscriptions#Subscription>.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Map, Value, json};

use super::super::{invalid, only};
use super::filter::Filter;
use crate::google_cloud::error::{Code, Outcome, Refusal};

const TOPIC: &[&str] = &["name", "labels", "messageRetentionDuration", "state"];
const SUBSCRIPTION: &[&str] = &[
    "name",
    "topic",
    "labels",
    "pushConfig",
    "ackDeadlineSeconds",
    "messageRetentionDuration",
    "retainAckedMessages",
    "enableMessageOrdering",
    "enableExactlyOnceDelivery",
    "deadLetterPolicy",
    "retryPolicy",
    "filter",
    "expirationPolicy",
    "state",
];

/// What an update cannot change.
const FIXED: &[&str] = &["topic", "filter", "enableMessageOrdering"];

/// A subscription's, as far as they count here.
pub(super) struct Settings {
    pub(super) topic: String,
    pub(super) deadline: Duration,
    pub(super) retention: Duration,
    pub(super) keeps_acknowledged: bool,
    pub(super) is_ordered: bool,
    pub(super) is_exact: bool,
    /// Where a message goes that was tried so often.
    pub(super) dead: Option<(String, u32)>,
    pub(super) backoff: Option<(Duration, Duration)>,
    pub(super) filter: Option<Filter>,
    pub(super) endpoint: Option<String>,
}

impl Settings {
    /// How long a message waits that was tried so often and not taken: <https://cloud.google.com/pubsub/docs/handling-failures#retry_policy>, of pushes also without a policy
    /// <https://cloud.google.com/pubsub/docs/push#push_backoff>.
    pub(super) fn wait(&self, tries: u32) -> Duration {
        const PUSHED: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(60));
        let backoff = self.backoff.or(self.endpoint.as_ref().map(|_| PUSHED));
        backoff.map_or(Duration::ZERO, |(least, most)| {
            least
                .saturating_mul(1 << tries.saturating_sub(1).min(20))
                .min(most)
        })
    }
}

fn set(body: &Map<String, Value>, name: &str) -> bool {
    body.get(name) == Some(&Value::Bool(true))
}

/// A topic, as it is told.
pub(super) fn topic(name: &str, sent: &Value) -> Outcome<Value> {
    only(sent, TOPIC)?;
    let mut body = sent.as_object().cloned().unwrap_or_default();
    retention(&body)?;
    body.insert("name".to_owned(), name.into());
    body.insert("state".to_owned(), "ACTIVE".into());
    Ok(body.into())
}

/// A subscription, as it is told and as it counts.
pub(super) fn subscription(
    name: &str,
    sent: &Value,
    topics: &BTreeMap<String, Value>,
    former: Option<&Value>,
) -> Outcome<(Value, Settings)> {
    only(sent, SUBSCRIPTION)?;
    let mut body = sent.as_object().cloned().unwrap_or_default();
    let topic = text(&body, "topic").to_owned();
    match former {
        None if topic.is_empty() => return Err(Refusal::field("topic", "it is required")),
        None if !topics.contains_key(&topic) => {
            return Err(Refusal::new(Code::NotFound, "Subscription topic does not exist"));
        }
        None => {}
        Some(former) => {
            if let Some(field) = FIXED.iter().find(|field| body.get(**field) != former.get(field)) {
                let what = "it cannot change once the subscription is there";
                return Err(Refusal::field(&format!("subscription.{field}"), what));
            }
        }
    }
    let deadline = match body.get("ackDeadlineSeconds").and_then(Value::as_u64) {
        None | Some(0) => 10,
        Some(seconds @ 10..=600) => seconds,
        Some(_) => return Err(Refusal::field("ack_deadline_seconds", "it is from 10 to 600")),
    };
    body.insert("ackDeadlineSeconds".to_owned(), deadline.into());
    let retention = retention(&body)?.unwrap_or(Duration::from_secs(604_800));
    body.entry("messageRetentionDuration")
        .or_insert_with(|| "604800s".into());
    body.entry("expirationPolicy")
        .or_insert_with(|| json!({"ttl": "2678400s"}));
    body.entry("pushConfig").or_insert_with(|| json!({}));
    body.insert("name".to_owned(), name.into());
    body.insert("state".to_owned(), "ACTIVE".into());
    let dead = dead(&mut body, topics, former)?;
    let filter = Some(text(&body, "filter")).filter(|filter| !filter.is_empty());
    let settings = Settings {
        deadline: Duration::from_secs(deadline),
        retention,
        keeps_acknowledged: set(&body, "retainAckedMessages"),
        is_ordered: set(&body, "enableMessageOrdering"),
        is_exact: set(&body, "enableExactlyOnceDelivery"),
        dead,
        backoff: backoff(&body)?,
        filter: filter.map(Filter::read).transpose()?,
        endpoint: endpoint(&body["pushConfig"])?,
        topic,
    };
    Ok((body.into(), settings))
}

/// Where dead letters go. An update that does not touch it may leave one whose topic is gone.
fn dead(
    body: &mut Map<String, Value>,
    topics: &BTreeMap<String, Value>,
    former: Option<&Value>,
) -> Outcome<Option<(String, u32)>> {
    let Some(policy) = body
        .get_mut("deadLetterPolicy")
        .filter(|policy| !policy.is_null())
    else {
        return Ok(None);
    };
    let topic = policy["deadLetterTopic"].as_str().unwrap_or_default().to_owned();
    let is_left =
        former.is_some_and(|former| former["deadLetterPolicy"]["deadLetterTopic"] == topic.as_str());
    if !topics.contains_key(&topic) && !is_left {
        return Err(Refusal::new(Code::NotFound, "Dead letter topic not found"));
    }
    let tries = match policy["maxDeliveryAttempts"].as_u64() {
        None | Some(0) => 5,
        Some(tries @ 5..=100) => tries,
        Some(_) => {
            let field = "dead_letter_policy.max_delivery_attempts";
            return Err(Refusal::field(field, "it is from 5 to 100"));
        }
    };
    policy["maxDeliveryAttempts"] = tries.into();
    // It is at most 100.
    Ok(Some((topic, u32::try_from(tries).unwrap_or(100))))
}

fn backoff(body: &Map<String, Value>) -> Outcome<Option<(Duration, Duration)>> {
    let Some(policy) = body.get("retryPolicy").filter(|policy| !policy.is_null()) else {
        return Ok(None);
    };
    let of = |name: &str, otherwise: u64| match policy.get(name) {
        None => Ok(Duration::from_secs(otherwise)),
        Some(value) => duration(value),
    };
    let (least, most) = (of("minimumBackoff", 10)?, of("maximumBackoff", 600)?);
    if most > Duration::from_secs(600) || least > most {
        let what = "both are from 0 to 600 seconds, and the minimum is not above the maximum";
        return Err(Refusal::field("retry_policy", what));
    }
    Ok(Some((least, most)))
}

/// Where it pushes to: this machine alone, over plain HTTP, as there is nobody who would give it tokens.
fn endpoint(config: &Value) -> Outcome<Option<String>> {
    only(config, &["pushEndpoint", "attributes", "pubsubWrapper"])?;
    only(&config["attributes"], &["x-goog-version"])?;
    let Some(endpoint) = config["pushEndpoint"]
        .as_str()
        .filter(|endpoint| !endpoint.is_empty())
    else {
        return Ok(None);
    };
    let refused = || {
        invalid(format!(
            "Invalid push endpoint given (endpoint={endpoint}): this stand-in pushes to http://127.0.0.1 and http://localhost. Refer to https://cloud.google.com/pubsub/docs/push for more information."
        ))
    };
    let uri: http::Uri = endpoint.parse().map_err(|_| refused())?;
    let is_here = matches!(uri.host(), Some("127.0.0.1" | "localhost"));
    if uri.scheme_str() != Some("http") || !is_here {
        return Err(refused());
    }
    Ok(Some(endpoint.to_owned()))
}

/// For how long messages are kept.
fn retention(body: &Map<String, Value>) -> Outcome<Option<Duration>> {
    let Some(value) = body.get("messageRetentionDuration") else {
        return Ok(None);
    };
    let kept = duration(value)?;
    if !(600..=2_678_400).contains(&kept.as_secs()) {
        let what = "it is from 10 minutes to 31 days";
        return Err(Refusal::field("message_retention_duration", what));
    }
    Ok(Some(kept))
}

/// `1.5s`
fn duration(value: &Value) -> Outcome<Duration> {
    let seconds = value
        .as_str()
        .and_then(|text| text.strip_suffix('s')?.parse().ok());
    seconds
        .and_then(|seconds: f64| Duration::try_from_secs_f64(seconds).ok())
        .ok_or_else(|| invalid(format!("Invalid duration: {value}")))
}

fn text<'a>(body: &'a Map<String, Value>, name: &str) -> &'a str {
    body.get(name).and_then(Value::as_str).unwrap_or_default()
}
