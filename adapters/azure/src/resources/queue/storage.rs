//! Queues of a storage account, by Azure's own client.

use std::any::Any;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use azure_core::http::headers::HeaderName;
use azure_core::http::{RequestContent, Response, XmlFormat};
use azure_storage_queue::models::{
    QueueClientGetPropertiesResultHeaders as _, QueueClientReceiveMessagesOptions,
    QueueClientSendMessageOptions, QueueMessage, ReceivedMessage,
};
use azure_storage_queue::{QueueClient, QueueClientOptions};
use chrono::{DateTime, Utc};
use nephos_core::event::{Message, Payload};
use nephos_core::resource::Binding;
use nephos_core::resource::queue::{Depth, Outgoing, QueueCapabilities, QueueDriver, Receipt, Received};
use nephos_core::wiring;
use nephos_core::{Error, ErrorKind, Result};

use super::lease::{self, Lease};
use crate::config::Config;
use crate::config::signing::SharedKey;
use crate::error::{code, failed};
use crate::payload;
use crate::resources::rest::{account, last_part};

/// The most bytes of a message's text: <https://learn.microsoft.com/rest/api/storageservices/put-message>.
const MAX_TEXT: usize = 65_536;

/// What the form of a message that is not plain text takes of it, besides what it carries.
const RESERVED: usize = 1_024;

/// The longest delay and lease, from the same page and <https://learn.microsoft.com/rest/api/storageservices/get-messages>.
const WEEK: Duration = Duration::from_secs(7 * 24 * 3600);

/// The most messages of one request, from the latter.
const MAX_RECEIVE: usize = 32;

/// How long a receiver that waits pauses between two questions, at first and at most: storage itself does not wait, and each question costs.
const PAUSES: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(2));

/// The header with what proves the lease from now on.
const POP_RECEIPT: HeaderName = HeaderName::from_static("x-ms-popreceipt");

/// The property of a binding with how long messages are kept, in seconds. On Azure that is each message's own, so whoever sends must know it; without the property it is a week.
pub const RETENTION: &str = "retention_s";

/// A queue of a storage account. Its order is not kept.
///
/// A message's largest size is declared for text. Bytes that are not text are carried as Base64, of which three quarters fit; beyond that, sending is
/// refused with [`ErrorKind::ResourceExhausted`] before anything is sent.
pub struct StorageQueue {
    client: QueueClient,
    name: String,
    retention: Option<i32>,
}

impl std::fmt::Debug for StorageQueue {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("StorageQueue")
            .field("name", &self.name)
            .field("url", &self.client.url().as_str())
            .finish_non_exhaustive()
    }
}

impl StorageQueue {
    /// Opens the queue whose URL the binding holds.
    ///
    /// # Errors
    /// As [`wiring::physical`], and [`ErrorKind::InvalidArgument`] if it is not the URL of a queue.
    pub fn open(config: &Config, binding: &Binding) -> Result<Self> {
        let physical = wiring::physical(binding)?;
        let address = config.address(physical)?;
        last_part(&address)?;
        let mut client_options = config.client_options();
        let credential = match config.storage_key() {
            Some(key) => {
                client_options.per_try_policies.push(Arc::new(SharedKey {
                    account: account(physical, &address)?,
                    key: key.clone(),
                }));
                None
            }
            None => Some(config.credential()),
        };
        let options = QueueClientOptions {
            client_options,
            ..QueueClientOptions::default()
        };
        let client = QueueClient::new(address, credential, Some(options))
            .map_err(|error| failed("context.open", error).with("queue", &binding.name))?;
        Ok(Self {
            client,
            name: binding.name.clone(),
            retention: binding
                .properties
                .get(RETENTION)
                .and_then(|seconds| seconds.parse().ok()),
        })
    }

    fn of(&self, error: Error) -> Error {
        error.with("queue", &self.name)
    }

    /// The text of a message; one that is larger than a queue takes is refused.
    fn text(&self, message: &Outgoing) -> Result<String> {
        let text = payload::to_text(&message.body, &message.attributes).map_err(|error| self.of(error))?;
        if text.len() <= MAX_TEXT {
            return Ok(text);
        }
        Err(self.of(
            Error::new(
                ErrorKind::ResourceExhausted,
                "queue.send",
                "the message is larger than a queue takes, as bytes that are not text take a third more; put the content into a bucket and send its key",
            )
            .with("bytes", text.len())
            .with("max_bytes", MAX_TEXT),
        ))
    }

    async fn send(&self, text: String, delay: Duration) -> Result<String> {
        const OPERATION: &str = "queue.send";
        let refused = |error| self.of(failed(OPERATION, error));
        let message = QueueMessage {
            message_text: Some(text),
        };
        let content: RequestContent<QueueMessage, XmlFormat> = message.try_into().map_err(refused)?;
        let options = QueueClientSendMessageOptions {
            visibility_timeout: (!delay.is_zero()).then(|| seconds(delay)),
            message_time_to_live: self.retention,
            ..QueueClientSendMessageOptions::default()
        };
        let sent = self
            .client
            .send_message(content, Some(options))
            .await
            .and_then(Response::into_model)
            .map_err(refused)?;
        sent.items
            .into_iter()
            .flatten()
            .find_map(|message| message.message_id)
            .ok_or_else(|| {
                self.of(Error::new(
                    ErrorKind::Internal,
                    OPERATION,
                    "storage took the message and told no id",
                ))
            })
    }

    async fn ask(&self, max: usize, visibility_timeout: Duration) -> Result<Vec<Received>> {
        let options = QueueClientReceiveMessagesOptions {
            number_of_messages: i32::try_from(max.clamp(1, MAX_RECEIVE)).ok(),
            visibility_timeout: Some(seconds(visibility_timeout).max(1)),
            ..QueueClientReceiveMessagesOptions::default()
        };
        let found = self
            .client
            .receive_messages(Some(options))
            .await
            .and_then(Response::into_model)
            .map_err(|error| self.of(failed("queue.receive", error)))?;
        Ok(found
            .items
            .into_iter()
            .flatten()
            .filter_map(|message| self.received(message, visibility_timeout))
            .collect())
    }

    fn received(&self, message: ReceivedMessage, lease: Duration) -> Option<Received> {
        let (id, proof) = (message.message_id?, message.pop_receipt?);
        let text = message.message_text.unwrap_or_default();
        let (body, attributes) = match payload::from_text(text.clone().into()) {
            Ok(content) => content,
            // One message that cannot be read must not keep the others from being received: it comes as it is.
            Err(error) => {
                tracing::warn!(error = %error.chain(), id, "a message cannot be decoded");
                let body = Payload {
                    content_type: None,
                    bytes: text.into(),
                };
                (body, std::collections::BTreeMap::new())
            }
        };
        let receipt = lease::grant(&id, &proof, lease);
        Some(Received {
            message: Message {
                id,
                queue: self.name.clone(),
                body,
                attributes,
                group: None,
                attempt: message
                    .dequeue_count
                    .and_then(|count| u32::try_from(count).ok())
                    .unwrap_or(1)
                    .max(1),
                sent_at: message
                    .insertion_time
                    .map(|time| DateTime::<Utc>::from(SystemTime::from(time))),
            },
            receipt,
        })
    }

    /// What an answer about a lease means: `None` where the message is gone.
    fn leased<T>(
        &self,
        operation: &'static str,
        lease: &Lease<'_>,
        answer: azure_core::Result<T>,
    ) -> Result<Option<T>> {
        let error = match answer {
            Ok(answer) => return Ok(Some(answer)),
            Err(error) => failed(operation, error),
        };
        match code(&error) {
            Some("MessageNotFound") if !lease.is_over() => Ok(None),
            Some("MessageNotFound" | "PopReceiptMismatch") => Err(self.of(lease::lost(operation))),
            _ => Err(self.of(error)),
        }
    }

    /// Lets the lease end `after` this from now on; returns what proves it then.
    async fn change(
        &self,
        operation: &'static str,
        lease: &Lease<'_>,
        after: Duration,
    ) -> Result<Option<String>> {
        let changed = self
            .client
            .update_message(lease.id, lease.proof, seconds(after), None)
            .await;
        Ok(self
            .leased(operation, lease, changed)?
            .and_then(|answer| answer.headers().get_optional_string(&POP_RECEIPT)))
    }
}

/// Storage counts whole seconds: what is less would be none.
fn seconds(time: Duration) -> i32 {
    let whole = time.as_secs() + u64::from(time.subsec_nanos() > 0);
    i32::try_from(whole).unwrap_or(i32::MAX)
}

#[async_trait]
impl QueueDriver for StorageQueue {
    fn capabilities(&self) -> QueueCapabilities {
        QueueCapabilities {
            max_delay: WEEK,
            max_visibility_timeout: WEEK,
            max_message_bytes: MAX_TEXT - RESERVED,
            max_receive: MAX_RECEIVE,
            ordered_groups: false,
            attributes: true,
            // <https://learn.microsoft.com/rest/api/storageservices/get-queue-metadata>: about as many as there are, whatever becomes of them.
            exact_depth: false,
            counts_leased: false,
            counts_delayed: false,
        }
    }

    async fn send_batch(&self, batch: &[Outgoing]) -> Result<Vec<String>> {
        // All of them are written before the first is sent: one that is too large must not be found in the middle.
        let texts = batch
            .iter()
            .map(|message| self.text(message))
            .collect::<Result<Vec<_>>>()?;
        let mut ids = Vec::with_capacity(batch.len());
        for (message, text) in batch.iter().zip(texts) {
            ids.push(self.send(text, message.delay).await?);
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
        let mut pause = PAUSES.0;
        loop {
            let received = self.ask(max, visibility_timeout).await?;
            let rest = deadline.saturating_duration_since(tokio::time::Instant::now());
            if !received.is_empty() || rest.is_zero() {
                return Ok(received);
            }
            tokio::time::sleep(pause.min(rest)).await;
            pause = (pause * 2).min(PAUSES.1);
        }
    }

    async fn ack(&self, receipts: &[Receipt]) -> Result<()> {
        const OPERATION: &str = "queue.ack";
        let leases = receipts
            .iter()
            .map(|receipt| Lease::read(OPERATION, receipt))
            .collect::<Result<Vec<_>>>()
            .map_err(|error| self.of(error))?;
        let mut first = None;
        for lease in leases {
            let deleted = self.client.delete_message(lease.id, lease.proof, None).await;
            match self.leased(OPERATION, &lease, deleted) {
                Ok(_) => {}
                // The others are done with all the same.
                Err(error) if error.kind() == ErrorKind::Conflict => first = first.or(Some(error)),
                Err(error) => return Err(error),
            }
        }
        first.map_or(Ok(()), Err)
    }

    async fn nack(&self, receipt: &Receipt, delay: Duration) -> Result<()> {
        const OPERATION: &str = "queue.nack";
        let lease = Lease::read(OPERATION, receipt).map_err(|error| self.of(error))?;
        self.change(OPERATION, &lease, delay).await.map(|_| ())
    }

    async fn extend(&self, receipt: &Receipt, visibility_timeout: Duration) -> Result<Receipt> {
        const OPERATION: &str = "queue.extend";
        let lease = Lease::read(OPERATION, receipt).map_err(|error| self.of(error))?;
        match self.change(OPERATION, &lease, visibility_timeout).await? {
            Some(proof) => Ok(lease::grant(lease.id, &proof, visibility_timeout)),
            None => Err(self.of(Error::new(
                ErrorKind::Conflict,
                OPERATION,
                "the message is gone: it was acknowledged already",
            ))),
        }
    }

    async fn depth(&self) -> Result<Depth> {
        let count = self
            .client
            .get_properties(None)
            .await
            .and_then(|answer| answer.approximate_messages_count())
            .map_err(|error| self.of(failed("queue.depth", error)))?;
        Ok(Depth {
            visible: count
                .and_then(|count| u64::try_from(count).ok())
                .unwrap_or_default(),
            leased: None,
            delayed: None,
        })
    }

    fn as_any(&self) -> &dyn Any {
        &self.client
    }
}
