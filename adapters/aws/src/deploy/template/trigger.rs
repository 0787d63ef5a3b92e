//! Triggers: what calls the function's alias, and who is allowed to.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use nephos_core::app::{FunctionSpec, Resource as AppResource, Trigger};
use nephos_core::event::ChangeKind;
use nephos_core::{Error, ErrorKind, Result};
use serde_json::{Value, json};

use super::body::{Body, Resource};
use super::function::alias_id;
use super::layout::{Layout, resource_id};
use super::value::{attribute, reference, sub};
use super::{caller, http, mail, name, schedule};

/// The largest batches, of queues without order, of ordered ones, of streams and tables:
/// <https://docs.aws.amazon.com/lambda/latest/api/API_CreateEventSourceMapping.html>.
const MAX_QUEUE_BATCH: u32 = 10_000;
const MAX_FIFO_BATCH: u32 = 10;
const MAX_STREAM_BATCH: u32 = 10_000;
/// Beyond this a queue's batch needs a time to gather in, of a second at least (same page).
const MAX_BATCH_AT_ONCE: u32 = 10;
/// How many invocations a queue's mapping can be held to: <https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-scaling.html>.
const CONCURRENCY: std::ops::RangeInclusive<u32> = 2..=1000;
/// The most attributes of one filter policy: <https://docs.aws.amazon.com/sns/latest/dg/subscription-filter-policy-constraints.html>.
const MAX_FILTER_KEYS: usize = 5;

/// How long a queue's mapping waits for a batch of this size to fill.
pub(super) const fn batching_window(batch: u32) -> Duration {
    Duration::from_secs(if batch > MAX_BATCH_AT_ONCE { 1 } else { 0 })
}

/// Adds all triggers of a function.
pub(super) fn add_all(
    layout: &Layout<'_>,
    body: &mut Body,
    function: &str,
    spec: &FunctionSpec,
) -> Result<()> {
    http::add(layout, body, function, spec)?;
    caller::add(layout, body, function, spec)?;
    let mut buckets = BTreeSet::new();
    for trigger in &spec.on {
        match trigger {
            Trigger::Bucket { bucket, .. } => {
                if buckets.insert(bucket.as_str()) {
                    bucket_trigger(layout, body, function, bucket)?;
                }
            }
            Trigger::Queue { queue, batch } => queue_trigger(layout, body, function, spec, queue, *batch)?,
            Trigger::Topic { topic, filter } => topic_trigger(layout, body, function, spec, topic, filter)?,
            Trigger::Stream { stream, batch } => {
                let source = attribute(&resource_id(layout.resource(stream)?, stream), "Arn");
                log_trigger(layout, body, function, spec, stream, source, *batch, None)?;
            }
            Trigger::Table { table, events, batch } => {
                let source = attribute(&resource_id(layout.resource(table)?, table), "StreamArn");
                log_trigger(layout, body, function, spec, table, source, *batch, Some(events))?;
            }
            Trigger::Schedule {
                schedule,
                every,
                timezone,
            } => schedule::add(layout, body, function, spec, schedule, *every, timezone)?,
            Trigger::Email { address } => mail::add(layout, body, function, address)?,
            Trigger::Http { .. } | Trigger::Auth { .. } | Trigger::Voice { .. } => {}
        }
    }
    Ok(())
}

/// Allows a service to call the function's alias.
pub(super) fn allow(
    body: &mut Body,
    function: &str,
    id: &str,
    principal: &str,
    conditions: &[(&str, Value)],
) -> Result<()> {
    let mut properties = json!({
        "Action": "lambda:InvokeFunction",
        "FunctionName": reference(&alias_id(function)),
        "Principal": principal,
    });
    if let Value::Object(properties) = &mut properties {
        for (key, value) in conditions {
            properties.insert((*key).to_owned(), value.clone());
        }
    }
    body.add(
        id,
        Resource::new("AWS::Lambda::Permission", "permission", function, properties),
    )
}

/// The id of the permission of a bucket to call a function.
pub(super) fn bucket_permission(function: &str, bucket: &str) -> String {
    name::trigger_id("Allow", function, &["bucket", bucket])
}

/// The bucket itself has the notifications; here is what allows them.
fn bucket_trigger(layout: &Layout<'_>, body: &mut Body, function: &str, bucket: &str) -> Result<()> {
    if let AppResource::Bucket(spec) = layout.resource(bucket)?
        && let Some(url) = &spec.url
    {
        body.note(format!(
            "function `{function}` is not called for objects of bucket `{bucket}`: AWS is not told what happens in {url}"
        ));
        return Ok(());
    }
    allow(
        body,
        function,
        &bucket_permission(function, bucket),
        "s3.amazonaws.com",
        &[
            // A bucket's ARN has no account in it, and a bucket that was deleted can become another's.
            ("SourceAccount", reference("AWS::AccountId")),
            ("SourceArn", sub(layout.arn(bucket)?)),
        ],
    )
}

fn queue_trigger(
    layout: &Layout<'_>,
    body: &mut Body,
    function: &str,
    spec: &FunctionSpec,
    queue: &str,
    batch: u32,
) -> Result<()> {
    let ordered = layout.queues.get(queue).is_some_and(|queue| queue.ordered);
    let most = if ordered { MAX_FIFO_BATCH } else { MAX_QUEUE_BATCH };
    check_batch(function, queue, batch, most)?;
    let mut properties = json!({
        "FunctionName": reference(&alias_id(function)),
        "EventSourceArn": attribute(&resource_id(layout.resource(queue)?, queue), "Arn"),
        "BatchSize": batch,
        "FunctionResponseTypes": ["ReportBatchItemFailures"],
    });
    if let Value::Object(properties) = &mut properties {
        let window = batching_window(batch).as_secs();
        if window > 0 {
            properties.insert("MaximumBatchingWindowInSeconds".to_owned(), window.into());
        }
        if CONCURRENCY.contains(&spec.max_instances) {
            properties.insert(
                "ScalingConfig".to_owned(),
                json!({"MaximumConcurrency": spec.max_instances}),
            );
        }
    }
    body.add(
        &name::trigger_id("Mapping", function, &["queue", queue]),
        Resource::new("AWS::Lambda::EventSourceMapping", "mapping", function, properties),
    )
}

fn topic_trigger(
    layout: &Layout<'_>,
    body: &mut Body,
    function: &str,
    spec: &FunctionSpec,
    topic: &str,
    filter: &BTreeMap<String, String>,
) -> Result<()> {
    if filter.len() > MAX_FILTER_KEYS {
        return Err(Error::new(
            ErrorKind::Unsupported,
            "deploy.render",
            "SNS filters by no more attributes; look at the others in the function",
        )
        .with("function", function)
        .with("topic", topic)
        .with("attributes", filter.len())
        .with("max_attributes", MAX_FILTER_KEYS));
    }
    let id = resource_id(layout.resource(topic)?, topic);
    let mut properties = json!({
        "TopicArn": reference(&id),
        "Protocol": "lambda",
        "Endpoint": reference(&alias_id(function)),
        "RedrivePolicy": {"deadLetterTargetArn": sub(layout.arn(&spec.dead_letter)?)},
    });
    if let Value::Object(properties) = &mut properties
        && !filter.is_empty()
    {
        let policy: serde_json::Map<String, Value> = filter
            .iter()
            .map(|(attribute, value)| (attribute.clone(), json!([value])))
            .collect();
        properties.insert("FilterPolicy".to_owned(), policy.into());
    }
    let permission = name::trigger_id("Allow", function, &["topic", topic]);
    allow(
        body,
        function,
        &permission,
        "sns.amazonaws.com",
        &[("SourceArn", reference(&id))],
    )?;
    let dead_letter = super::resource::queue_policy_id(&spec.dead_letter);
    body.add(
        &name::trigger_id("Subscription", function, &["topic", topic]),
        Resource::new("AWS::SNS::Subscription", "subscription", function, properties)
            .after([permission, dead_letter]),
    )
}

/// A stream, or a table's changes: read from their beginning, so that nothing is lost while the mapping is being made.
#[expect(clippy::too_many_arguments, reason = "a mapping has as many facts")]
fn log_trigger(
    layout: &Layout<'_>,
    body: &mut Body,
    function: &str,
    spec: &FunctionSpec,
    source: &str,
    arn: Value,
    batch: u32,
    events: Option<&BTreeSet<ChangeKind>>,
) -> Result<()> {
    check_batch(function, source, batch, MAX_STREAM_BATCH)?;
    let mut properties = json!({
        "FunctionName": reference(&alias_id(function)),
        "EventSourceArn": arn,
        "BatchSize": batch,
        "StartingPosition": "TRIM_HORIZON",
        "FunctionResponseTypes": ["ReportBatchItemFailures"],
        "BisectBatchOnFunctionError": true,
        "MaximumRetryAttempts": spec.retry.attempts.saturating_sub(1),
        "DestinationConfig": {"OnFailure": {"Destination": sub(layout.arn(&spec.dead_letter)?)}},
    });
    if let (Some(events), Value::Object(properties)) = (events, &mut properties)
        && events.len() < 3
    {
        let names: Vec<&str> = events.iter().map(|event| event_name(*event)).collect();
        let pattern = json!({ "eventName": names }).to_string();
        properties.insert(
            "FilterCriteria".to_owned(),
            json!({"Filters": [{"Pattern": pattern}]}),
        );
    }
    body.add(
        &name::trigger_id("Mapping", function, &["log", source]),
        Resource::new("AWS::Lambda::EventSourceMapping", "mapping", function, properties),
    )
}

/// The stream's word for a change: <https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_streams_Record.html>.
const fn event_name(kind: ChangeKind) -> &'static str {
    match kind {
        ChangeKind::Inserted => "INSERT",
        ChangeKind::Modified => "MODIFY",
        ChangeKind::Removed => "REMOVE",
    }
}

fn check_batch(function: &str, source: &str, batch: u32, most: u32) -> Result<()> {
    if batch <= most {
        return Ok(());
    }
    Err(Error::new(
        ErrorKind::InvalidArgument,
        "deploy.render",
        "the batch is larger than Lambda takes from this source",
    )
    .with("function", function)
    .with("source", source)
    .with("batch", batch)
    .with("max_batch", most))
}
