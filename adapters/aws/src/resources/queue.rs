//! Queues on SQS.

mod lease;
mod wire;

use std::any::Any;
use std::collections::HashMap;
use std::time::Duration;

use async_trait::async_trait;
use aws_config::SdkConfig;
use aws_sdk_sqs::Client;
use aws_sdk_sqs::types::{
    DeleteMessageBatchRequestEntry, Message as SqsMessage, MessageSystemAttributeName, QueueAttributeName,
    SendMessageBatchRequestEntry,
};
use chrono::{DateTime, Utc};
use nephos_core::event::Message;
use nephos_core::resource::Binding;
use nephos_core::resource::queue::{Depth, Outgoing, QueueCapabilities, QueueDriver, Receipt, Received};
use nephos_core::{Error, ErrorKind, Result, wiring};

use self::lease::Leases;
use self::wire::{content, incomplete, seconds, text};
use crate::error::{code, failed, of_entry};
use crate::payload::{self, Wire};
use nephos_core::resource::parts::{PartLimits, parts};

/// The most that one request sends, in number and in bytes; also the most bytes of one message:
/// <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessageBatch.html>
const SEND: PartLimits = PartLimits {
    entries: 10,
    bytes: 1_048_576,
};

/// What our own attributes may take of a message: media type, encoding, and the types of the sender's.
const RESERVED: usize = 1024;

/// The most that one request acknowledges or receives.
const MAX_BATCH: usize = 10;

/// The longest delay of one message: <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/quotas-messages.html>
const MAX_DELAY: Duration = Duration::from_secs(900);

/// The longest visibility timeout, from the same page.
const MAX_VISIBILITY: Duration = Duration::from_secs(12 * 3600);

/// The longest that one request waits:
/// <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-short-and-long-polling.html>
const MAX_WAIT: Duration = Duration::from_secs(20);

/// A queue of SQS: a FIFO queue (its name ends in `.fifo`) keeps ordering groups and takes no delays of single messages, another the reverse.
///
/// A message's largest size is declared for text. Bytes that are not text are carried as Base64, of which three quarters fit; beyond that, sending is
/// refused with [`ErrorKind::ResourceExhausted`] before anything is sent.
#[derive(Debug)]
pub struct AwsQueue {
    client: Client,
    name: String,
    url: String,
    leases: Leases,
}

impl AwsQueue {
    /// Opens the queue whose URL the binding holds.
    ///
    /// # Errors
    /// As [`wiring::physical`].
    pub fn open(config: &SdkConfig, binding: &Binding) -> Result<Self> {
        Ok(Self {
            client: Client::new(config),
            name: binding.name.clone(),
            url: wiring::physical(binding)?.to_owned(),
            leases: Leases::default(),
        })
    }

    fn is_fifo(&self) -> bool {
        self.url.ends_with(".fifo")
    }

    fn entry(&self, index: usize, message: &Outgoing, wire: &Wire) -> Result<SendMessageBatchRequestEntry> {
        let mut entry = SendMessageBatchRequestEntry::builder()
            .id(index.to_string())
            .message_body(&wire.body);
        for (name, value) in &wire.attributes {
            entry = entry.message_attributes(name, text(value)?);
        }
        if self.is_fifo() {
            entry = entry
                .message_group_id(message.group.clone().unwrap_or_else(payload::ungrouped))
                // SQS must not take two equal messages for one: each call is a message of its own.
                .message_deduplication_id(uuid::Uuid::new_v4().simple().to_string());
        } else if !message.delay.is_zero() {
            entry = entry.delay_seconds(seconds(message.delay));
        }
        entry.build().map_err(|error| incomplete("queue.send", error))
    }

    async fn send_part(&self, part: &[(&Outgoing, Wire)], ids: &mut Vec<String>) -> Result<()> {
        const OPERATION: &str = "queue.send";
        let mut request = self.client.send_message_batch().queue_url(&self.url);
        for (index, (message, wire)) in part.iter().enumerate() {
            request = request.entries(self.entry(index, message, wire)?);
        }
        let sent = request
            .send()
            .await
            .map_err(|error| self.of(failed(OPERATION, error)))?;
        if let Some(entry) = sent.failed().first() {
            let error = of_entry(OPERATION, entry.code(), entry.message());
            return Err(self.of(error).with("failed", sent.failed().len()));
        }
        let by_entry: HashMap<&str, &str> = sent
            .successful()
            .iter()
            .map(|entry| (entry.id(), entry.message_id()))
            .collect();
        for index in 0..part.len() {
            let id = by_entry.get(index.to_string().as_str()).ok_or_else(|| {
                self.of(Error::new(
                    ErrorKind::Unavailable,
                    OPERATION,
                    "SQS did not say what became of a message",
                ))
            })?;
            ids.push((*id).to_owned());
        }
        Ok(())
    }

    fn received(&self, message: SqsMessage, lease: Duration) -> Option<Received> {
        let system = |name| {
            message
                .attributes()
                .and_then(|attributes| attributes.get(&name))
                .map(String::as_str)
        };
        let attempt = system(MessageSystemAttributeName::ApproximateReceiveCount)
            .and_then(|count| count.parse().ok())
            .unwrap_or(1);
        let group = system(MessageSystemAttributeName::MessageGroupId)
            .and_then(payload::group)
            .map(str::to_owned);
        let sent_at = system(MessageSystemAttributeName::SentTimestamp)
            .and_then(|millis| millis.parse().ok())
            .and_then(DateTime::<Utc>::from_timestamp_millis);
        let receipt = self.leases.grant(message.receipt_handle()?, lease);
        let (body, attributes) = content(&message);
        Some(Received {
            message: Message {
                id: message.message_id()?.to_owned(),
                queue: self.name.clone(),
                body,
                attributes,
                group,
                attempt,
                sent_at,
            },
            receipt,
        })
    }

    async fn ack_part(&self, part: &[&str]) -> Result<()> {
        const OPERATION: &str = "queue.ack";
        let mut request = self.client.delete_message_batch().queue_url(&self.url);
        for (index, handle) in part.iter().enumerate() {
            request = request.entries(
                DeleteMessageBatchRequestEntry::builder()
                    .id(index.to_string())
                    .receipt_handle(*handle)
                    .build()
                    .map_err(|error| incomplete(OPERATION, error))?,
            );
        }
        let deleted = request
            .send()
            .await
            .map_err(|error| self.of(failed(OPERATION, error)))?;
        for entry in deleted.failed() {
            let error = of_entry(OPERATION, entry.code(), entry.message());
            // The lease still goes on, so nobody else has it: it is gone already.
            if !is_about_receipt(&error) {
                return Err(self.of(error));
            }
        }
        Ok(())
    }

    async fn change_visibility(
        &self,
        operation: &'static str,
        handle: &str,
        timeout: Duration,
    ) -> Result<()> {
        self.client
            .change_message_visibility()
            .queue_url(&self.url)
            .receipt_handle(handle)
            .visibility_timeout(seconds(timeout))
            .send()
            .await
            .map(|_| ())
            .map_err(|error| self.of(failed(operation, error)))
    }

    fn of(&self, error: Error) -> Error {
        error.with("queue", &self.name)
    }
}

#[async_trait]
impl QueueDriver for AwsQueue {
    fn capabilities(&self) -> QueueCapabilities {
        QueueCapabilities {
            max_delay: if self.is_fifo() { Duration::ZERO } else { MAX_DELAY },
            max_visibility_timeout: MAX_VISIBILITY,
            max_message_bytes: SEND.bytes - RESERVED,
            max_receive: MAX_BATCH,
            ordered_groups: self.is_fifo(),
            attributes: true,
            exact_depth: false,
            counts_leased: true,
            counts_delayed: true,
        }
    }

    async fn send_batch(&self, batch: &[Outgoing]) -> Result<Vec<String>> {
        let mut entries = Vec::with_capacity(batch.len());
        for message in batch {
            let wire = payload::encode(&message.body, &message.attributes, None);
            if wire.size() > SEND.bytes {
                return Err(self
                    .of(Error::new(
                        ErrorKind::ResourceExhausted,
                        "queue.send",
                        "the message is larger than SQS allows, in which bytes that are not text take a third more; put the content into a bucket and send its key",
                    ))
                    .with("bytes", wire.size())
                    .with("max_bytes", SEND.bytes));
            }
            entries.push((message, wire));
        }
        let mut ids = Vec::with_capacity(batch.len());
        for part in parts(&entries, SEND, |(_, wire)| wire.size()) {
            self.send_part(part, &mut ids).await?;
        }
        Ok(ids)
    }

    async fn receive(
        &self,
        max: usize,
        visibility_timeout: Duration,
        wait: Duration,
    ) -> Result<Vec<Received>> {
        let deadline = tokio::time::Instant::now() + wait;
        let mut rest = wait;
        loop {
            // A request that is given up would lease messages to nobody, so SQS does the waiting, in its whole seconds.
            let poll = rest.min(MAX_WAIT);
            let received = self
                .client
                .receive_message()
                .queue_url(&self.url)
                .max_number_of_messages(i32::try_from(max.min(MAX_BATCH)).unwrap_or(1))
                .visibility_timeout(seconds(visibility_timeout))
                .wait_time_seconds(seconds(poll))
                .message_attribute_names("All")
                .message_system_attribute_names(MessageSystemAttributeName::ApproximateReceiveCount)
                .message_system_attribute_names(MessageSystemAttributeName::SentTimestamp)
                .message_system_attribute_names(MessageSystemAttributeName::MessageGroupId)
                .send()
                .await
                .map_err(|error| self.of(failed("queue.receive", error)))?;
            let messages: Vec<Received> = received
                .messages
                .unwrap_or_default()
                .into_iter()
                .filter_map(|message| self.received(message, visibility_timeout))
                .collect();
            rest = deadline.saturating_duration_since(tokio::time::Instant::now());
            if !messages.is_empty() || rest.is_zero() {
                return Ok(messages);
            }
        }
    }

    async fn ack(&self, receipts: &[Receipt]) -> Result<()> {
        let mut held = Vec::with_capacity(receipts.len());
        let mut lost = None;
        for receipt in receipts {
            match self.leases.handle("queue.ack", receipt) {
                Ok(handle) => held.push(handle),
                Err(error) => lost = Some(error),
            }
        }
        for part in held.chunks(MAX_BATCH) {
            self.ack_part(part).await?;
        }
        match lost {
            Some(error) => Err(self.of(error)),
            None => Ok(()),
        }
    }

    async fn nack(&self, receipt: &Receipt, delay: Duration) -> Result<()> {
        const OPERATION: &str = "queue.nack";
        let handle = self
            .leases
            .handle(OPERATION, receipt)
            .map_err(|error| self.of(error))?;
        match self.change_visibility(OPERATION, handle, delay).await {
            // The lease still goes on, so nobody else has it: it is gone, and needs no second try.
            Err(error) if !is_about_receipt(&error) => Err(error),
            _ => {
                self.leases.change(receipt, Duration::ZERO);
                Ok(())
            }
        }
    }

    async fn extend(&self, receipt: &Receipt, visibility_timeout: Duration) -> Result<Receipt> {
        const OPERATION: &str = "queue.extend";
        let handle = self
            .leases
            .handle(OPERATION, receipt)
            .map_err(|error| self.of(error))?;
        match self
            .change_visibility(OPERATION, handle, visibility_timeout)
            .await
        {
            Err(error) if is_about_receipt(&error) => Err(self.of(Error::new(
                ErrorKind::Conflict,
                OPERATION,
                "the message is gone: it was acknowledged already",
            ))),
            Err(error) => Err(error),
            Ok(()) => {
                self.leases.change(receipt, visibility_timeout);
                Ok(receipt.clone())
            }
        }
    }

    async fn depth(&self) -> Result<Depth> {
        use QueueAttributeName::{
            ApproximateNumberOfMessages, ApproximateNumberOfMessagesDelayed,
            ApproximateNumberOfMessagesNotVisible,
        };
        let told = self
            .client
            .get_queue_attributes()
            .queue_url(&self.url)
            .attribute_names(ApproximateNumberOfMessages)
            .attribute_names(ApproximateNumberOfMessagesNotVisible)
            .attribute_names(ApproximateNumberOfMessagesDelayed)
            .send()
            .await
            .map_err(|error| self.of(failed("queue.depth", error)))?;
        let count = |name| {
            told.attributes()
                .and_then(|attributes| attributes.get(&name))
                .and_then(|value| value.parse().ok())
                .unwrap_or_default()
        };
        Ok(Depth::apart(
            count(ApproximateNumberOfMessages),
            count(ApproximateNumberOfMessagesNotVisible),
            count(ApproximateNumberOfMessagesDelayed),
        ))
    }

    fn as_any(&self) -> &dyn Any {
        &self.client
    }
}

/// Whether SQS refuses the receipt, not the call: <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_ChangeMessageVisibility.html>.
/// Of a message that is gone it also says `InvalidParameterValue`; nothing else in the call can be that.
fn is_about_receipt(error: &Error) -> bool {
    matches!(
        code(error),
        Some("ReceiptHandleIsInvalid" | "MessageNotInflight" | "InvalidParameterValue")
    )
}
