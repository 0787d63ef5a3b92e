//! Topics and subscriptions, as what is set up: <https://cloud.google.com/pubsub/docs/reference/rest>. Messages go to Google's emulator, where services run (`cloud_run/pass.rs`), and else nowhere.

use serde_json::{Map, Value, json};

use super::error::{Code, Outcome, Refusal};
use super::kinds::{SUBSCRIPTION, TOPIC};
use super::list;
use super::request::Asked;
use super::state::{Shared, State, fields, nothing};

/// What an update cannot change.
const FIXED: &[&str] = &["topic", "filter", "enableMessageOrdering"];

/// What a topic becomes when it is made or changed.
pub(super) fn prepare_topic(body: &mut Map<String, Value>) -> Outcome<()> {
    if let Some(seconds) = seconds(body.get("messageRetentionDuration"))
        && !(600.0..=2_678_400.0).contains(&seconds)
    {
        let what = "it is from 10 minutes to 31 days";
        return Err(Refusal::field("message_retention_duration", what));
    }
    body.insert("state".to_owned(), "ACTIVE".into());
    Ok(())
}

/// What a subscription becomes when it is made or changed.
pub(super) fn prepare_subscription(
    state: &State,
    shared: &Shared,
    body: &mut Map<String, Value>,
    former: Option<&Value>,
) -> Outcome<()> {
    match former {
        None => {
            let topic = body.get("topic").and_then(Value::as_str).unwrap_or_default();
            state.get(&TOPIC, &shared.key(topic))?;
        }
        Some(former) => {
            if let Some(field) = FIXED.iter().find(|field| body.get(**field) != former.get(field)) {
                let what = "it cannot change once the subscription is there";
                return Err(Refusal::field(&format!("subscription.{field}"), what));
            }
        }
    }
    let deadline = body.entry("ackDeadlineSeconds").or_insert_with(|| 10.into());
    if !deadline
        .as_i64()
        .is_some_and(|seconds| (10..=600).contains(&seconds))
    {
        return Err(Refusal::field("ack_deadline_seconds", "it is from 10 to 600"));
    }
    body.entry("messageRetentionDuration")
        .or_insert_with(|| "604800s".into());
    body.entry("expirationPolicy")
        .or_insert_with(|| json!({"ttl": "2678400s"}));
    body.entry("pushConfig").or_insert_with(|| json!({}));
    body.insert("state".to_owned(), "ACTIVE".into());
    push(state, shared, &body["pushConfig"])?;
    // https://cloud.google.com/pubsub/docs/exactly-once-delivery
    if body.get("enableExactlyOnceDelivery") == Some(&Value::Bool(true)) && is_pushed(&body["pushConfig"]) {
        let what = "only a subscription that is pulled delivers exactly once";
        return Err(Refusal::field("enable_exactly_once_delivery", what));
    }
    if let Some(policy) = body.get_mut("deadLetterPolicy") {
        let topic = policy["deadLetterTopic"].as_str().unwrap_or_default();
        state.get(&TOPIC, &shared.key(topic))?;
        let attempts = policy["maxDeliveryAttempts"].as_i64().unwrap_or(0);
        if attempts == 0 {
            policy["maxDeliveryAttempts"] = 5.into();
        } else if !(5..=100).contains(&attempts) {
            let what = "it is from 5 to 100";
            return Err(Refusal::field("dead_letter_policy.max_delivery_attempts", what));
        }
    }
    if let Some(policy) = body.get("retryPolicy") {
        let least = seconds(policy.get("minimumBackoff")).unwrap_or(10.0);
        let most = seconds(policy.get("maximumBackoff")).unwrap_or(600.0);
        if !(0.0..=600.0).contains(&least) || !(0.0..=600.0).contains(&most) || least > most {
            let what = "both are from 0 to 600 seconds, and the minimum is not above the maximum";
            return Err(Refusal::field("retry_policy", what));
        }
    }
    Ok(())
}

fn is_pushed(config: &Value) -> bool {
    let endpoint = config["pushEndpoint"].as_str();
    endpoint.is_some_and(|endpoint| !endpoint.is_empty())
}

/// Where messages are pushed to.
fn push(state: &State, shared: &Shared, config: &Value) -> Outcome<()> {
    if let Some(endpoint) = config["pushEndpoint"].as_str()
        && !endpoint.is_empty()
        && !endpoint.starts_with("https://")
    {
        let message = format!(
            "Invalid push endpoint given (endpoint={endpoint}). Refer to https://cloud.google.com/pubsub/docs/push for more information."
        );
        return Err(Refusal::new(Code::InvalidArgument, message));
    }
    match config["oidcToken"]["serviceAccountEmail"].as_str() {
        Some(email) => state.act_as(&shared.options.project, email),
        None => Ok(()),
    }
}

/// A topic is gone: its subscriptions stay, and say so.
pub(super) fn forget_topic(state: &mut State, topic: &str) {
    for resource in state.resources.values_mut() {
        if resource.kind == &SUBSCRIPTION && resource.body["topic"] == topic {
            resource.body["topic"] = "_deleted-topic_".into();
        }
    }
}

/// `topics.subscriptions.list`: names alone.
pub(super) fn of_topic(shared: &Shared, asked: &Asked<'_>) -> Outcome<Value> {
    let state = shared.lock();
    let topic = asked.name(shared);
    state.get(&TOPIC, &topic)?;
    let names = state
        .resources
        .iter()
        .filter(|(_, one)| one.kind == &SUBSCRIPTION && one.body["topic"] == topic.as_str())
        .map(|(name, _)| name.clone().into())
        .collect();
    list::cut(asked, "subscriptions", names)
}

/// `subscriptions.modifyPushConfig`
pub(super) fn modify_push(shared: &Shared, asked: &Asked<'_>) -> Outcome<Value> {
    let mut state = shared.lock();
    let name = asked.name(shared);
    state.get(&SUBSCRIPTION, &name)?;
    let config = Value::Object(fields(&asked.body["pushConfig"]));
    push(&state, shared, &config)?;
    if let Some(found) = state.resources.get_mut(&name) {
        found.body["pushConfig"] = config;
    }
    Ok(nothing())
}

fn seconds(value: Option<&Value>) -> Option<f64> {
    value?.as_str()?.strip_suffix('s')?.parse().ok()
}
