//! Queues, topics and streams in Pub/Sub, and the subscriptions that bring their messages to functions.

use nephos_core::app::{FunctionSpec, QueueSpec, Resource, StreamSpec};
use nephos_core::plan::Part;
use nephos_core::{ErrorKind, Result};
use serde_json::{Map, Value, json};

use super::body::Body;
use super::layout::{self, Layout, part_of};
use super::trigger::{Event, Source};
use super::{GRACE, SPARE_ATTEMPTS, duration, seconds};
use crate::deploy::graph::{Kind, full_name};
use crate::deploy::refused;

/// How long Pub/Sub waits for an acknowledgement: <https://cloud.google.com/pubsub/docs/subscription-properties#ack_deadline>.
const DEADLINE: std::ops::RangeInclusive<u64> = 10..=600;
/// How long it keeps messages: <https://cloud.google.com/pubsub/docs/subscription-properties#message_retention>.
const RETENTION: std::ops::RangeInclusive<u64> = 600..=31 * 86_400;
/// How often it tries before a message goes to the dead-letter topic: <https://cloud.google.com/pubsub/docs/handling-failures#dead_letter_topic>.
const ATTEMPTS: std::ops::RangeInclusive<u32> = 5..=100;
/// The longest wait between two tries: <https://cloud.google.com/pubsub/docs/handling-failures#exponential_backoff>.
const MAX_BACKOFF: std::time::Duration = std::time::Duration::from_secs(600);
/// Pub/Sub's own account, which moves dead letters and asks for tokens: <https://cloud.google.com/iam/docs/service-agents>.
const AGENT: &str = "gcp-sa-pubsub";
pub(super) const PUBLISHER: &str = "roles/pubsub.publisher";
pub(super) const SUBSCRIBER: &str = "roles/pubsub.subscriber";

/// Adds topics and subscriptions.
pub(super) fn add(layout: &Layout<'_>, body: &mut Body) -> Result<()> {
    for (name, resource) in &layout.app.resources {
        match resource {
            Resource::Queue(spec) => queue(layout, body, name, resource, spec)?,
            Resource::Topic(_) => {
                topic(layout, body, name, part_of(resource, name), json!({}))?;
            }
            Resource::Stream(spec) => stream(layout, body, name, resource, spec)?,
            _ => {}
        }
    }
    for (function, spec) in &layout.app.functions {
        for event in layout
            .calls(function)
            .into_iter()
            .flat_map(|called| &called.events)
        {
            let (topic, keeps_order, retention) = match &event.source {
                Source::Topic { topic } => (*topic, false, None),
                Source::Stream { stream } => match layout.resource(stream)? {
                    Resource::Stream(spec) => (*stream, true, Some(spec.retention)),
                    _ => continue,
                },
                _ => continue,
            };
            let pushed = Pushed {
                topic: layout.topic(topic),
                keeps_order,
                retention: retention
                    .map(|retention| seconds(retention).clamp(*RETENTION.start(), *RETENTION.end())),
            };
            push(layout, body, function, spec, event, &pushed)?;
        }
    }
    Ok(())
}

fn topic(layout: &Layout<'_>, body: &mut Body, name: &str, part: Part, properties: Value) -> Result<String> {
    body.add(Kind::Topic, layout.topic(name), part, properties, [])
}

fn stream(
    layout: &Layout<'_>,
    body: &mut Body,
    name: &str,
    resource: &Resource,
    spec: &StreamSpec,
) -> Result<()> {
    let kept = retention("stream", name, spec.retention)?;
    let properties = json!({"messageRetentionDuration": format!("{kept}s")});
    topic(layout, body, name, part_of(resource, name), properties)?;
    Ok(())
}

/// A topic, and a subscription of the same name.
fn queue(
    layout: &Layout<'_>,
    body: &mut Body,
    name: &str,
    resource: &Resource,
    spec: &QueueSpec,
) -> Result<()> {
    let kept = retention("queue", name, spec.retention)?;
    if kept > seconds(spec.retention) {
        body.note(format!(
            "queue `{name}` keeps messages for {kept} s, not {}: that is the least that Pub/Sub does",
            seconds(spec.retention)
        ));
    }
    let part = part_of(resource, name);
    let made = topic(layout, body, name, part.clone(), json!({}))?;
    if let Some(function) = layout.receivers.get(name) {
        let events = layout
            .calls(function)
            .into_iter()
            .flat_map(|called| &called.events);
        let mut events =
            events.filter(|event| matches!(event.source, Source::Queue { queue } if queue == name));
        if let (Some(event), Some(function_spec)) = (events.next(), layout.app.functions.get(*function)) {
            let pushed = Pushed {
                topic: layout.topic(name),
                keeps_order: spec.ordered,
                retention: Some(kept),
            };
            return push(layout, body, function, function_spec, event, &pushed);
        }
    }
    let wanted = seconds(spec.visibility_timeout);
    if wanted > *DEADLINE.end() {
        body.note(format!(
            "queue `{name}` hides a received message for {} s at a time, not {wanted}: that is the most that Pub/Sub does; its receiver can extend it",
            DEADLINE.end()
        ));
    }
    let mut subscription = subscription(&layout.topic(name), Some(kept));
    let mut set = |key: &str, value: Value| subscription.insert(key.to_owned(), value);
    set(
        "ackDeadlineSeconds",
        wanted.clamp(*DEADLINE.start(), *DEADLINE.end()).into(),
    );
    set("enableExactlyOnceDelivery", true.into());
    if spec.ordered {
        set("enableMessageOrdering", true.into());
    }
    let mut after = vec![made];
    if layout.pulled.contains(name) {
        // Without a dead-letter topic no tries are told. The function decides after how many it gives up; this is the most.
        let undelivered = format!("{name}-undelivered");
        let target = topic(layout, body, &undelivered, part.clone(), json!({}))?;
        let kept = super::messaging::subscription(&layout.topic(&undelivered), Some(kept));
        body.add(
            Kind::Subscription,
            layout.subscription(&undelivered),
            part.clone(),
            kept.into(),
            [target.clone()],
        )?;
        let policy = dead_letters(&layout.topic(&undelivered), *ATTEMPTS.end());
        subscription.insert("deadLetterPolicy".to_owned(), policy);
        after.push(target.clone());
        let agent = layout.agent(AGENT);
        body.grant(&target, PUBLISHER, &agent, part.clone());
        let own = full_name(Kind::Subscription, &layout.subscription(name));
        body.grant(&own, SUBSCRIBER, &agent, part.clone());
    }
    body.add(
        Kind::Subscription,
        layout.subscription(name),
        part,
        subscription.into(),
        after,
    )?;
    Ok(())
}

/// What every subscription has: it never expires, as else one of a quiet month would.
fn subscription(topic: &str, retention: Option<u64>) -> Map<String, Value> {
    let mut properties = Map::new();
    properties.insert("topic".to_owned(), topic.into());
    properties.insert("expirationPolicy".to_owned(), json!({}));
    if let Some(retention) = retention {
        properties.insert(
            "messageRetentionDuration".to_owned(),
            format!("{retention}s").into(),
        );
    }
    properties
}

fn dead_letters(topic: &str, attempts: u32) -> Value {
    json!({"deadLetterTopic": topic, "maxDeliveryAttempts": attempts})
}

/// A subscription that is pushed.
pub(super) struct Pushed {
    /// The topic that it is to.
    pub(super) topic: String,
    pub(super) keeps_order: bool,
    /// Seconds; what Pub/Sub has if nothing is said.
    pub(super) retention: Option<u64>,
}

/// Adds the subscription by which a trigger's messages are pushed to its function.
///
/// What the function's host gives up it sends to the dead-letter queue itself. The policy does for messages that it never got to: tries are told only under one.
pub(super) fn push(
    layout: &Layout<'_>,
    body: &mut Body,
    function: &str,
    spec: &FunctionSpec,
    event: &Event<'_>,
    pushed: &Pushed,
) -> Result<()> {
    check(function, spec)?;
    let url = layout.url(function);
    let longest = MAX_BACKOFF;
    if spec.retry.max_backoff.max(spec.retry.backoff) > longest {
        body.note(format!(
            "function `{function}` is tried again after {} s at the latest: that is the longest wait of Pub/Sub",
            longest.as_secs()
        ));
    }
    let deadline = (seconds(spec.timeout) + GRACE).clamp(*DEADLINE.start(), *DEADLINE.end());
    let attempts = (spec.retry.attempts + SPARE_ATTEMPTS).clamp(*ATTEMPTS.start(), *ATTEMPTS.end());
    let mut properties = subscription(&pushed.topic, pushed.retention);
    let mut set = |key: &str, value: Value| properties.insert(key.to_owned(), value);
    set("ackDeadlineSeconds", deadline.into());
    set(
        "retryPolicy",
        json!({
            "minimumBackoff": duration(spec.retry.backoff.min(longest)),
            "maximumBackoff": duration(spec.retry.max_backoff.max(spec.retry.backoff).min(longest)),
        }),
    );
    set(
        "deadLetterPolicy",
        dead_letters(&layout.topic(&spec.dead_letter), attempts),
    );
    set(
        "pushConfig",
        json!({
            "pushEndpoint": format!("{url}{}", event.path()),
            "oidcToken": {"serviceAccountEmail": layout.caller(), "audience": url},
        }),
    );
    if pushed.keeps_order {
        set("enableMessageOrdering", true.into());
    }
    let (name, part) = match &event.source {
        Source::Queue { queue } => (
            layout.subscription(queue),
            part_of(layout.resource(queue)?, queue),
        ),
        _ => (
            layout.trigger_subscription(function, &event.name),
            layout::function(function),
        ),
    };
    let letters = full_name(Kind::Topic, &layout.topic(&spec.dead_letter));
    let made = body.add(
        Kind::Subscription,
        name,
        part.clone(),
        properties.into(),
        [
            full_name(Kind::Topic, &pushed.topic),
            letters.clone(),
            full_name(Kind::Account, &layout.account_name(&layout.caller())),
        ],
    )?;
    let agent = layout.agent(AGENT);
    body.grant(&letters, PUBLISHER, &agent, layout::function(function));
    body.grant(&made, SUBSCRIBER, &agent, part);
    // A project that is older than Pub/Sub's own right to do so: https://cloud.google.com/pubsub/docs/authenticate-push-subscriptions
    let caller = full_name(Kind::Account, &layout.account_name(&layout.caller()));
    body.grant(
        &caller,
        "roles/iam.serviceAccountOpenIdTokenCreator",
        &agent,
        Part::App,
    );
    Ok(())
}

fn check(function: &str, spec: &FunctionSpec) -> Result<()> {
    let timeout = seconds(spec.timeout);
    if timeout + GRACE > *DEADLINE.end() {
        return Err(refused(
            ErrorKind::InvalidArgument,
            "Pub/Sub waits ten minutes for an answer to a message, and the function may take longer; shorten its time-out, or do the work in pieces",
        )
        .with("function", function)
        .with("timeout_s", timeout)
        .with("max_timeout_s", DEADLINE.end() - GRACE));
    }
    let most = ATTEMPTS.end() - SPARE_ATTEMPTS;
    if spec.retry.attempts > most {
        return Err(refused(
            ErrorKind::InvalidArgument,
            "Pub/Sub tries a hundred times at most, and the function's host needs some of them itself; lower retry.attempts",
        )
        .with("function", function)
        .with("attempts", spec.retry.attempts)
        .with("max_attempts", most));
    }
    Ok(())
}

/// Seconds; not less than Pub/Sub keeps.
fn retention(kind: &'static str, name: &str, wanted: std::time::Duration) -> Result<u64> {
    let wanted = seconds(wanted);
    if wanted > *RETENTION.end() {
        return Err(refused(
            ErrorKind::InvalidArgument,
            "it keeps messages for longer than Pub/Sub does; lower `retention`",
        )
        .with(kind, name)
        .with("retention_s", wanted)
        .with("max_retention_s", RETENTION.end()));
    }
    Ok(wanted.max(*RETENTION.start()))
}
