//! Resources: buckets, queues, topics, streams, tables, secrets.

use nephos_core::app::{QueueSpec, Resource as AppResource, StreamSpec, TableSpec};
use nephos_core::{Error, ErrorKind, Result};
use serde_json::{Map, Value, json};

use super::body::{Body, Resource};
use super::function::{alias_id, seconds};
use super::layout::{Layout, resource_id};
use super::value::{attribute, reference, sub};
use super::{MAX_OUTPUTS, Output, name, trigger};

/// A queue's limits in seconds: <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SetQueueAttributes.html>.
const MAX_VISIBILITY: u64 = 12 * 3600;
const RETENTION: std::ops::RangeInclusive<u64> = 60..=14 * 24 * 3600;
/// How long a stream keeps records, in hours: <https://docs.aws.amazon.com/kinesis/latest/APIReference/API_IncreaseStreamRetentionPeriod.html>.
const MIN_STREAM_HOURS: u64 = 24;
const MAX_STREAM_HOURS: u64 = 8760;

/// Adds all resources of the target's own.
pub(super) fn add_all(layout: &Layout<'_>, body: &mut Body) -> Result<()> {
    for (name, resource) in &layout.app.resources {
        let id = resource_id(resource, name);
        match resource {
            AppResource::Bucket(spec) if spec.url.is_some() => outside(name, spec.endpoint.as_deref())?,
            AppResource::Bucket(_) => bucket(layout, body, &id, name)?,
            AppResource::Queue(spec) => queue(layout, body, &id, name, spec)?,
            AppResource::Topic(_) => body.add(
                &id,
                Resource::new("AWS::SNS::Topic", "topic", name, Value::Object(Map::new())),
            )?,
            AppResource::Stream(spec) => stream(body, &id, name, spec)?,
            AppResource::Table(spec) => table(layout, body, &id, name, spec)?,
            AppResource::Secret(_) => secret(layout, body, &id, name)?,
        }
    }
    Ok(())
}

/// Adds outputs with the names of functions and resources, as long as the stack can hold them.
pub(super) fn add_outputs(layout: &Layout<'_>, body: &mut Body) {
    let resources: Vec<(&String, &AppResource)> = layout
        .app
        .resources
        .iter()
        .filter(|(_, resource)| !matches!(resource, AppResource::Bucket(spec) if spec.url.is_some()))
        .filter(|(name, _)| !layout.settings.secrets.contains_key(*name))
        .collect();
    if body.output_count() + resources.len() + layout.app.functions.len() > MAX_OUTPUTS {
        body.note("the names of functions and resources are not among the stack's outputs: it can hold no more; the stack's resources have them".to_owned());
        return;
    }
    for function in layout.app.functions.keys() {
        let id = name::id("Function", function);
        let output = Output::Function {
            function: function.clone(),
        };
        body.output(&id, reference(&id), output);
    }
    for (name, resource) in resources {
        let id = resource_id(resource, name);
        let output = Output::Resource {
            name: name.clone(),
            kind: resource.kind(),
        };
        let value = match resource {
            AppResource::Secret(_) => attribute(&id, "Id"),
            _ => reference(&id),
        };
        body.output(&id, value, output);
    }
}

fn outside(name: &str, endpoint: Option<&str>) -> Result<()> {
    if endpoint == Some("embedded") {
        return Err(Error::new(
            ErrorKind::Unsupported,
            "deploy.render",
            "the embedded store is on one's own machine only; say where the bucket is on this target",
        )
        .with("bucket", name));
    }
    Ok(())
}

/// A bucket that nobody outside the account can read, encrypted at rest.
pub(super) fn private(name: String) -> Value {
    json!({
        "BucketName": sub(name),
        "BucketEncryption": {"ServerSideEncryptionConfiguration": [{"ServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}}]},
        "OwnershipControls": {"Rules": [{"ObjectOwnership": "BucketOwnerEnforced"}]},
        "PublicAccessBlockConfiguration": {
            "BlockPublicAcls": true, "BlockPublicPolicy": true, "IgnorePublicAcls": true, "RestrictPublicBuckets": true,
        },
    })
}

/// Uploads in parts that nobody finished are removed: they cost as much as objects, and are not seen.
fn bucket(layout: &Layout<'_>, body: &mut Body, id: &str, name: &str) -> Result<()> {
    let mut properties = private(layout.bucket_name(name)?);
    let mut permissions = Vec::new();
    if let Value::Object(properties) = &mut properties {
        properties.insert(
            "LifecycleConfiguration".to_owned(),
            json!({"Rules": [{
                "Id": "unfinished-uploads",
                "Status": "Enabled",
                "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 7},
            }]}),
        );
        let mut configurations = Vec::new();
        for notification in layout.notifications.get(name).into_iter().flatten() {
            permissions.push(trigger::bucket_permission(notification.function, name));
            let function = reference(&alias_id(notification.function));
            configurations.extend(notification.configurations(&function));
        }
        if !configurations.is_empty() {
            properties.insert(
                "NotificationConfiguration".to_owned(),
                json!({ "LambdaConfigurations": configurations }),
            );
        }
    }
    body.add(
        id,
        Resource::new("AWS::S3::Bucket", "bucket", name, properties)
            .after(permissions)
            .retained(),
    )
}

/// The id of the policy that lets topics send to a queue.
pub(super) fn queue_policy_id(queue: &str) -> String {
    name::id("PolicyOfQueue", queue)
}

fn queue(layout: &Layout<'_>, body: &mut Body, id: &str, name: &str, spec: &QueueSpec) -> Result<()> {
    let Some(queue) = layout.queues.get(name) else {
        return Ok(());
    };
    let visibility = seconds(queue.visibility);
    if visibility > MAX_VISIBILITY {
        return Err(beyond("the queue hides messages for longer than SQS does")
            .with("queue", name)
            .with("visibility_timeout_s", visibility)
            .with("max_visibility_timeout_s", MAX_VISIBILITY));
    }
    if let Some(function) = queue.raised_for {
        body.note(format!(
            "queue `{name}` hides a received message for {visibility} s, not {}: AWS asks for six times the time-out of its function `{function}`",
            seconds(spec.visibility_timeout)
        ));
    }
    // The age of a dead letter counts from when it was first sent.
    let retention = if spec.implicit {
        *RETENTION.end()
    } else {
        seconds(spec.retention)
    };
    if !RETENTION.contains(&retention) {
        return Err(beyond("SQS keeps messages for a minute to 14 days")
            .with("queue", name)
            .with("retention_s", retention));
    }
    let mut properties = json!({
        "MessageRetentionPeriod": retention,
        "SqsManagedSseEnabled": true,
        "VisibilityTimeout": visibility,
    });
    if let Value::Object(properties) = &mut properties {
        if queue.ordered {
            // Groups are ordered each for itself, and do not wait for each other:
            // https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/high-throughput-fifo.html
            properties.insert("FifoQueue".to_owned(), true.into());
            properties.insert("DeduplicationScope".to_owned(), "messageGroup".into());
            properties.insert("FifoThroughputLimit".to_owned(), "perMessageGroupId".into());
        }
        if let Some((dead_letter, attempts)) = queue.redrive {
            let target = attribute(&name::id("Queue", dead_letter), "Arn");
            properties.insert(
                "RedrivePolicy".to_owned(),
                json!({"deadLetterTargetArn": target, "maxReceiveCount": attempts}),
            );
        }
    }
    body.add(id, Resource::new("AWS::SQS::Queue", "queue", name, properties))?;
    if queue.topics.is_empty() {
        return Ok(());
    }
    let topics: Vec<Value> = queue
        .topics
        .iter()
        .map(|topic| reference(&name::id("Topic", topic)))
        .collect();
    let policy = json!({
        "Queues": [reference(id)],
        "PolicyDocument": {"Version": "2012-10-17", "Statement": [{
            "Effect": "Allow",
            "Principal": {"Service": "sns.amazonaws.com"},
            "Action": "sqs:SendMessage",
            "Resource": attribute(id, "Arn"),
            "Condition": {"ArnEquals": {"aws:SourceArn": topics}},
        }]},
    });
    body.add(
        &queue_policy_id(name),
        Resource::new("AWS::SQS::QueuePolicy", "queue_policy", name, policy),
    )
}

fn stream(body: &mut Body, id: &str, name: &str, spec: &StreamSpec) -> Result<()> {
    let hours = seconds(spec.retention).div_ceil(3600);
    if hours > MAX_STREAM_HOURS {
        return Err(beyond("the stream keeps records for longer than Kinesis does")
            .with("stream", name)
            .with("retention_h", hours)
            .with("max_retention_h", MAX_STREAM_HOURS));
    }
    if hours < MIN_STREAM_HOURS {
        body.note(format!(
            "stream `{name}` keeps records for {MIN_STREAM_HOURS} hours, not {hours}: Kinesis keeps them no shorter"
        ));
    }
    let properties = json!({"RetentionPeriodHours": hours.max(MIN_STREAM_HOURS), "ShardCount": spec.shards});
    body.add(
        id,
        Resource::new("AWS::Kinesis::Stream", "stream", name, properties),
    )
}

fn table(layout: &Layout<'_>, body: &mut Body, id: &str, name: &str, spec: &TableSpec) -> Result<()> {
    let schema = &spec.schema;
    let mut attributes = vec![json!({"AttributeName": schema.key, "AttributeType": "S"})];
    let mut keys = vec![json!({"AttributeName": schema.key, "KeyType": "HASH"})];
    if let Some(sort) = &schema.sort {
        attributes.push(json!({"AttributeName": sort, "AttributeType": "S"}));
        keys.push(json!({"AttributeName": sort, "KeyType": "RANGE"}));
    }
    let mut properties = json!({
        "TableName": layout.table_name(name),
        "AttributeDefinitions": attributes,
        "KeySchema": keys,
        "BillingMode": "PAY_PER_REQUEST",
    });
    if let Value::Object(properties) = &mut properties {
        if let Some(ttl) = &schema.ttl {
            properties.insert(
                "TimeToLiveSpecification".to_owned(),
                json!({"AttributeName": ttl, "Enabled": true}),
            );
        }
        if layout.watched.contains(name) {
            properties.insert(
                "StreamSpecification".to_owned(),
                json!({"StreamViewType": "NEW_AND_OLD_IMAGES"}),
            );
        }
    }
    body.add(
        id,
        Resource::new("AWS::DynamoDB::Table", "table", name, properties).retained(),
    )
}

/// The secret without a value: that is set beside the template, and no deployment touches it.
fn secret(layout: &Layout<'_>, body: &mut Body, id: &str, name: &str) -> Result<()> {
    if layout.settings.secrets.contains_key(name) {
        return Ok(());
    }
    body.note(format!(
        "secret `{name}` has no value until you set one: aws secretsmanager put-secret-value --secret-id <output {id}> --secret-string file://…"
    ));
    let properties = json!({"Description": format!("{name} of the app {}", layout.app.name)});
    body.add(
        id,
        Resource::new("AWS::SecretsManager::Secret", "secret", name, properties),
    )
}

fn beyond(message: &'static str) -> Error {
    Error::new(ErrorKind::InvalidArgument, "deploy.render", message)
}
