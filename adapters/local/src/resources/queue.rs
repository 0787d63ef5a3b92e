//! The queue driver over the embedded host's resource API.

use std::any::Any;
use std::time::Duration;

use async_trait::async_trait;
use nephos_core::Result;
use nephos_core::resource::ResourceKind;
use nephos_core::resource::queue::{Depth, Outgoing, QueueCapabilities, QueueDriver, Receipt, Received};

use super::capabilities;
use super::client::{ANSWER, Client};
use super::parts;
use crate::wire::{
    AckBody, ExtendBody, IdsReply, NackBody, ReceiveBody, ReceiveReply, SendBody, millis, resource_path,
};

/// A queue of the embedded host.
#[derive(Debug)]
pub struct LocalQueue {
    client: Client,
    name: String,
}

impl LocalQueue {
    /// The queue of this name.
    #[must_use]
    pub fn new(client: Client, name: &str) -> Self {
        Self {
            client,
            name: name.to_owned(),
        }
    }

    fn path(&self, operation: &str) -> String {
        resource_path(ResourceKind::Queue, &self.name, operation)
    }
}

#[async_trait]
impl QueueDriver for LocalQueue {
    fn capabilities(&self) -> QueueCapabilities {
        capabilities::QUEUE
    }

    async fn send_batch(&self, batch: &[Outgoing]) -> Result<Vec<String>> {
        let mut ids = Vec::with_capacity(batch.len());
        for part in parts(batch, |message| message.body.bytes.len()) {
            let body = SendBody {
                messages: part.iter().map(Into::into).collect(),
            };
            let reply: IdsReply = self.client.call("queue.send", &self.path("send"), &body).await?;
            ids.extend(reply.ids);
        }
        Ok(ids)
    }

    async fn receive(
        &self,
        max: usize,
        visibility_timeout: Duration,
        wait: Duration,
    ) -> Result<Vec<Received>> {
        let body = ReceiveBody {
            max,
            visibility_timeout_ms: millis(visibility_timeout),
            wait_ms: millis(wait),
        };
        let reply: ReceiveReply = self
            .client
            .call_within(
                "queue.receive",
                &self.path("receive"),
                &body,
                ANSWER.saturating_add(wait),
            )
            .await?;
        Ok(reply.messages.into_iter().map(Into::into).collect())
    }

    async fn ack(&self, receipts: &[Receipt]) -> Result<()> {
        for part in receipts.chunks(super::MAX_ENTRIES) {
            let body = AckBody {
                receipts: part.to_vec(),
            };
            let () = self.client.call("queue.ack", &self.path("ack"), &body).await?;
        }
        Ok(())
    }

    async fn nack(&self, receipt: &Receipt, delay: Duration) -> Result<()> {
        let body = NackBody {
            receipt: receipt.clone(),
            delay_ms: millis(delay),
        };
        self.client.call("queue.nack", &self.path("nack"), &body).await
    }

    async fn extend(&self, receipt: &Receipt, visibility_timeout: Duration) -> Result<Receipt> {
        let body = ExtendBody {
            receipt: receipt.clone(),
            visibility_timeout_ms: millis(visibility_timeout),
        };
        self.client
            .call("queue.extend", &self.path("extend"), &body)
            .await
    }

    async fn depth(&self) -> Result<Depth> {
        self.client.call("queue.depth", &self.path("depth"), &()).await
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}
