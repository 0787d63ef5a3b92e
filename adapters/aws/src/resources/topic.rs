//! Topics on SNS.

use std::any::Any;
use std::collections::HashMap;

use async_trait::async_trait;
use aws_config::SdkConfig;
use aws_sdk_sns::Client;
use aws_sdk_sns::types::{MessageAttributeValue, PublishBatchRequestEntry};
use nephos_core::resource::Binding;
use nephos_core::resource::topic::{Publication, TopicCapabilities, TopicDriver};
use nephos_core::{Error, ErrorKind, Result, wiring};

use crate::error::{failed, of_entry};
use crate::payload::{self, Wire};
use nephos_core::resource::parts::{PartLimits, parts};

const OPERATION: &str = "topic.publish";

/// The most that one request publishes, in number and in bytes; also the most bytes of one notification:
/// <https://docs.aws.amazon.com/sns/latest/api/API_PublishBatch.html>
const PUBLISH: PartLimits = PartLimits {
    entries: 10,
    bytes: 262_144,
};

/// What our own attributes may take of a notification: media type, encoding, a subject, and the types of the sender's.
const RESERVED: usize = 1024;

/// A topic of SNS.
///
/// A notification's largest size is declared for text. Bytes that are not text are carried as Base64, of which three quarters fit; beyond that, publishing is
/// refused with [`ErrorKind::ResourceExhausted`] before anything is sent. Subscriptions can filter on the attributes that SNS takes as they are: ten at most
/// with our own, with names of letters, digits, `_`, `-` and `.`, and values that are not empty.
#[derive(Debug)]
pub struct AwsTopic {
    client: Client,
    name: String,
    arn: String,
}

impl AwsTopic {
    /// Opens the topic whose ARN the binding holds.
    ///
    /// # Errors
    /// As [`wiring::physical`].
    pub fn open(config: &SdkConfig, binding: &Binding) -> Result<Self> {
        Ok(Self {
            client: Client::new(config),
            name: binding.name.clone(),
            arn: wiring::physical(binding)?.to_owned(),
        })
    }

    fn entry(&self, index: usize, subject: Option<&str>, wire: &Wire) -> Result<PublishBatchRequestEntry> {
        let mut entry = PublishBatchRequestEntry::builder()
            .id(index.to_string())
            .message(&wire.body)
            .set_subject(subject.map(str::to_owned));
        for (name, value) in &wire.attributes {
            let value = MessageAttributeValue::builder()
                .data_type("String")
                .string_value(value)
                .build()
                .map_err(|error| self.incomplete(error))?;
            entry = entry.message_attributes(name, value);
        }
        if self.arn.ends_with(".fifo") {
            // A FIFO topic demands both; nothing here is ordered or a duplicate.
            entry = entry
                .message_group_id(payload::ungrouped())
                .message_deduplication_id(uuid::Uuid::new_v4().simple().to_string());
        }
        entry.build().map_err(|error| self.incomplete(error))
    }

    async fn publish_part(&self, part: &[Prepared<'_>], ids: &mut Vec<String>) -> Result<()> {
        let mut request = self.client.publish_batch().topic_arn(&self.arn);
        for (index, prepared) in part.iter().enumerate() {
            request =
                request.publish_batch_request_entries(self.entry(index, prepared.subject, &prepared.wire)?);
        }
        let published = request
            .send()
            .await
            .map_err(|error| self.of(failed(OPERATION, error)))?;
        if let Some(entry) = published.failed().first() {
            let error = of_entry(OPERATION, entry.code(), entry.message());
            return Err(self.of(error).with("failed", published.failed().len()));
        }
        let by_entry: HashMap<&str, &str> = published
            .successful()
            .iter()
            .filter_map(|entry| Some((entry.id()?, entry.message_id()?)))
            .collect();
        for index in 0..part.len() {
            let id = by_entry.get(index.to_string().as_str()).ok_or_else(|| {
                self.of(Error::new(
                    ErrorKind::Unavailable,
                    OPERATION,
                    "SNS did not say what became of a notification",
                ))
            })?;
            ids.push((*id).to_owned());
        }
        Ok(())
    }

    fn incomplete(&self, error: impl std::error::Error + Send + Sync + 'static) -> Error {
        self.of(Error::new(
            ErrorKind::Internal,
            OPERATION,
            "the request lacks something that SNS demands",
        ))
        .caused_by(error)
    }

    fn of(&self, error: Error) -> Error {
        error.with("topic", &self.name)
    }
}

/// A notification as SNS carries it.
struct Prepared<'a> {
    subject: Option<&'a str>,
    wire: Wire,
}

impl<'a> Prepared<'a> {
    fn of(publication: &'a Publication) -> Self {
        let subject = publication.subject.as_deref();
        let (native, other) = match subject {
            Some(subject) if payload::subject_fits(subject) => (Some(subject), None),
            other => (None, other),
        };
        Self {
            subject: native,
            wire: payload::encode(&publication.body, &publication.attributes, other),
        }
    }

    fn size(&self) -> usize {
        self.wire.size() + self.subject.map_or(0, str::len)
    }
}

#[async_trait]
impl TopicDriver for AwsTopic {
    fn capabilities(&self) -> TopicCapabilities {
        TopicCapabilities {
            max_message_bytes: PUBLISH.bytes - RESERVED,
            attributes: true,
        }
    }

    async fn publish_batch(&self, batch: &[Publication]) -> Result<Vec<String>> {
        let prepared: Vec<Prepared<'_>> = batch.iter().map(Prepared::of).collect();
        if let Some(large) = prepared.iter().find(|prepared| prepared.size() > PUBLISH.bytes) {
            return Err(self
                .of(Error::new(
                    ErrorKind::ResourceExhausted,
                    OPERATION,
                    "the notification is larger than SNS allows, in which bytes that are not text take a third more; put the content into a bucket and publish its key",
                ))
                .with("bytes", large.size())
                .with("max_bytes", PUBLISH.bytes));
        }
        let mut ids = Vec::with_capacity(batch.len());
        for part in parts(&prepared, PUBLISH, Prepared::size) {
            self.publish_part(part, &mut ids).await?;
        }
        Ok(ids)
    }

    fn as_any(&self) -> &dyn Any {
        &self.client
    }
}
