//! Fresh resources, made as an operator makes them, and opened as a function opens them.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use aws_sdk_dynamodb::types::{
    AttributeDefinition, BillingMode, KeySchemaElement, KeyType, ScalarAttributeType, TableStatus,
    TimeToLiveSpecification,
};
use aws_sdk_kinesis::types::StreamStatus;
use aws_sdk_secretsmanager::primitives::Blob;
use aws_sdk_sqs::types::QueueAttributeName;
use nephos_core::app::{QueueSpec, StreamSpec};
use nephos_core::resource::bucket::Bucket;
use nephos_core::resource::queue::Queue;
use nephos_core::resource::secret::Secret;
use nephos_core::resource::stream::Stream;
use nephos_core::resource::table::{Table, TableSchema};
use nephos_core::resource::topic::Topic;
use nephos_core::resource::{Binding, ResourceKind, Resources};
use nephos_core::{Error, ErrorKind, Result};
use object_store::aws::AmazonS3;
use object_store::path::Path;
use object_store::signer::Signer as _;

use super::emulator::{ACCOUNT, Service};
use crate::error::failed;
use crate::resources::AwsDrivers;
use nephos_core::wiring::PHYSICAL;

const OPERATION: &str = "harness.open";

/// How long a table or stream may take until it can be used.
const ACTIVE: Duration = Duration::from_secs(10);

/// The handles of a function that may do everything with the resource.
fn open(
    service: &Service,
    kind: ResourceKind,
    name: &str,
    physical: &str,
    properties: BTreeMap<String, String>,
) -> Resources {
    let mut properties = properties;
    properties.insert(PHYSICAL.to_owned(), physical.to_owned());
    let binding = Binding {
        name: name.to_owned(),
        kind,
        access: kind.access().iter().copied().collect(),
        url: None,
        properties,
    };
    Resources::new(Arc::new(AwsDrivers::new(&service.config())), [binding])
}

fn unusable(message: &'static str) -> Error {
    Error::new(ErrorKind::Unavailable, OPERATION, message)
}

fn incomplete(error: impl std::error::Error + Send + Sync + 'static) -> Error {
    Error::new(
        ErrorKind::Internal,
        OPERATION,
        "the request lacks something that AWS demands",
    )
    .caused_by(error)
}

pub(super) async fn bucket(service: &Service) -> Result<Bucket> {
    let name = service.name(ResourceKind::Bucket);
    let bucket = open(service, ResourceKind::Bucket, &name, &name, BTreeMap::new()).bucket(&name)?;
    let store = bucket
        .driver()
        .as_any()
        .downcast_ref::<AmazonS3>()
        .ok_or_else(|| unusable("the bucket's client is not S3's"))?;
    // `object_store` makes no buckets, but it signs the request that does: the bucket's own URL is that of an object without key.
    let url = store
        .signed_url(http::Method::PUT, &Path::default(), Duration::from_secs(60))
        .await?;
    reqwest::Client::new()
        .put(url)
        .send()
        .await
        .and_then(reqwest::Response::error_for_status)
        .map_err(|error| unusable("the bucket cannot be made").caused_by(error.without_url()))?;
    Ok(bucket)
}

pub(super) async fn queue(service: &Service, spec: &QueueSpec) -> Result<Queue> {
    let mut name = service.name(ResourceKind::Queue);
    let mut request = aws_sdk_sqs::Client::new(&service.config())
        .create_queue()
        .attributes(
            QueueAttributeName::VisibilityTimeout,
            spec.visibility_timeout.as_secs().to_string(),
        )
        .attributes(
            QueueAttributeName::MessageRetentionPeriod,
            spec.retention.as_secs().to_string(),
        );
    if spec.ordered {
        name.push_str(".fifo");
        request = request.attributes(QueueAttributeName::FifoQueue, "true");
    }
    let made = request
        .queue_name(&name)
        .send()
        .await
        .map_err(|error| failed(OPERATION, error))?;
    let url = made.queue_url().ok_or_else(|| unusable("the queue has no URL"))?;
    open(service, ResourceKind::Queue, &name, url, BTreeMap::new()).queue(&name)
}

pub(super) fn missing_queue(service: &Service) -> Result<Queue> {
    let name = service.name(ResourceKind::Queue);
    let url = format!("{}/{ACCOUNT}/{name}", service.endpoint());
    open(service, ResourceKind::Queue, &name, &url, BTreeMap::new()).queue(&name)
}

pub(super) async fn topic(service: &Service) -> Result<Topic> {
    let name = service.name(ResourceKind::Topic);
    let made = aws_sdk_sns::Client::new(&service.config())
        .create_topic()
        .name(&name)
        .send()
        .await
        .map_err(|error| failed(OPERATION, error))?;
    let arn = made.topic_arn().ok_or_else(|| unusable("the topic has no ARN"))?;
    open(service, ResourceKind::Topic, &name, arn, BTreeMap::new()).topic(&name)
}

pub(super) async fn stream(service: &Service, spec: &StreamSpec) -> Result<Stream> {
    let name = service.name(ResourceKind::Stream);
    let client = aws_sdk_kinesis::Client::new(&service.config());
    client
        .create_stream()
        .stream_name(&name)
        .shard_count(i32::try_from(spec.shards).unwrap_or(1))
        .send()
        .await
        .map_err(|error| failed(OPERATION, error))?;
    let patience = Patience::new();
    loop {
        let described = client
            .describe_stream_summary()
            .stream_name(&name)
            .send()
            .await
            .map_err(|error| failed(OPERATION, error))?;
        let summary = described.stream_description_summary();
        if summary.is_some_and(|summary| *summary.stream_status() == StreamStatus::Active) {
            break;
        }
        patience.again().await?;
    }
    open(service, ResourceKind::Stream, &name, &name, BTreeMap::new()).stream(&name)
}

pub(super) async fn table(service: &Service, schema: TableSchema) -> Result<Table> {
    let name = service.name(ResourceKind::Table);
    let client = aws_sdk_dynamodb::Client::new(&service.config());
    let mut request = client
        .create_table()
        .table_name(&name)
        .billing_mode(BillingMode::PayPerRequest);
    let keys = [
        (Some(&schema.key), KeyType::Hash),
        (schema.sort.as_ref(), KeyType::Range),
    ];
    for (attribute, key) in keys {
        let Some(attribute) = attribute else { continue };
        let definition = AttributeDefinition::builder()
            .attribute_name(attribute)
            .attribute_type(ScalarAttributeType::S)
            .build()
            .map_err(incomplete)?;
        let element = KeySchemaElement::builder()
            .attribute_name(attribute)
            .key_type(key)
            .build()
            .map_err(incomplete)?;
        request = request.attribute_definitions(definition).key_schema(element);
    }
    request.send().await.map_err(|error| failed(OPERATION, error))?;
    let patience = Patience::new();
    loop {
        let described = client
            .describe_table()
            .table_name(&name)
            .send()
            .await
            .map_err(|error| failed(OPERATION, error))?;
        let status = described.table().and_then(|table| table.table_status());
        if status == Some(&TableStatus::Active) {
            break;
        }
        patience.again().await?;
    }
    if let Some(ttl) = &schema.ttl {
        let specification = TimeToLiveSpecification::builder()
            .enabled(true)
            .attribute_name(ttl)
            .build()
            .map_err(incomplete)?;
        client
            .update_time_to_live()
            .table_name(&name)
            .time_to_live_specification(specification)
            .send()
            .await
            .map_err(|error| failed(OPERATION, error))?;
    }
    let mut properties = BTreeMap::from([("key".to_owned(), schema.key)]);
    properties.extend(schema.sort.map(|sort| ("sort".to_owned(), sort)));
    properties.extend(schema.ttl.map(|ttl| ("ttl".to_owned(), ttl)));
    open(service, ResourceKind::Table, &name, &name, properties).table(&name)
}

/// Waits until a resource can be used, as whoever makes it has to.
struct Patience(tokio::time::Instant);

impl Patience {
    fn new() -> Self {
        Self(tokio::time::Instant::now() + ACTIVE)
    }

    async fn again(&self) -> Result<()> {
        if tokio::time::Instant::now() > self.0 {
            return Err(unusable("the resource is not active in time"));
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
        Ok(())
    }
}

pub(super) async fn secret(service: &Service, value: Option<&[u8]>) -> Result<Secret> {
    let name = service.name(ResourceKind::Secret);
    if let Some(value) = value {
        let request = aws_sdk_secretsmanager::Client::new(&service.config())
            .create_secret()
            .name(&name);
        let request = match std::str::from_utf8(value) {
            Ok(text) => request.secret_string(text),
            Err(_) => request.secret_binary(Blob::new(value)),
        };
        request.send().await.map_err(|error| failed(OPERATION, error))?;
    }
    open(service, ResourceKind::Secret, &name, &name, BTreeMap::new()).secret(&name)
}

/// Puts a new value, as an operator does.
pub(super) async fn rotate(service: &Service, name: &str, value: &[u8]) -> Result<()> {
    let request = aws_sdk_secretsmanager::Client::new(&service.config())
        .put_secret_value()
        .secret_id(name);
    let request = match std::str::from_utf8(value) {
        Ok(text) => request.secret_string(text),
        Err(_) => request.secret_binary(Blob::new(value)),
    };
    request
        .send()
        .await
        .map(|_| ())
        .map_err(|error| failed("harness.rotate", error))
}
