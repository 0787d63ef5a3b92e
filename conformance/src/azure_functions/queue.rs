//! `queueTrigger`: polls a Storage queue, and deals with its messages as the host's queue processor does.

use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use nephos_core::{ErrorKind, Result};
use serde_json::json;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::invoke::{Bound, Input, Invoker};
use super::package::{Encoding, Function, Queues};
use super::storage::{Account, Message};

/// One function's queue.
#[derive(Debug)]
pub(super) struct Listener {
    pub(super) function: Arc<Function>,
    pub(super) account: Account,
    pub(super) queue: String,
    pub(super) options: Queues,
    /// How often an empty queue is asked.
    pub(super) poll: Duration,
    /// How long a message is hidden while it is handled; renewed when half of it is over.
    pub(super) lease: Duration,
    pub(super) invoker: Arc<Invoker>,
}

impl Listener {
    /// Takes messages until it is told to stop; those under way are handled to their end.
    pub(super) async fn run(self, stop: CancellationToken) {
        let listener = Arc::new(self);
        let mut under_way = JoinSet::new();
        loop {
            while under_way.len() > listener.options.new_batch_threshold {
                tokio::select! {
                    _ = under_way.join_next() => {}
                    () = stop.cancelled() => break,
                }
            }
            if stop.is_cancelled() {
                break;
            }
            let batch = listener
                .account
                .get_messages(&listener.queue, listener.options.batch_size, listener.lease)
                .await;
            let messages = match batch {
                Ok(messages) => messages,
                Err(error) if error.kind() == ErrorKind::NotFound => Vec::new(),
                Err(error) => {
                    listener
                        .invoker
                        .log
                        .line(format!("queue `{}`: {error}", listener.queue));
                    Vec::new()
                }
            };
            if messages.is_empty() {
                tokio::select! {
                    () = stop.cancelled() => break,
                    () = tokio::time::sleep(listener.poll.min(listener.options.max_polling_interval)) => {}
                    _ = under_way.join_next(), if !under_way.is_empty() => {}
                }
                continue;
            }
            for message in messages {
                let listener = Arc::clone(&listener);
                under_way.spawn(async move { listener.process(message).await });
            }
        }
        while under_way.join_next().await.is_some() {}
    }

    async fn process(&self, message: Message) {
        let settled = self.settle(&message).await;
        if let Err(error) = settled {
            // Another has it, or it is gone: nothing is left to be done about it here.
            self.invoker.log.line(format!(
                "queue `{}`, message {}: {error}",
                self.queue, message.message_id
            ));
        }
    }

    async fn settle(&self, message: &Message) -> Result<()> {
        let most = self.options.max_dequeue_count;
        let mut receipt = message.pop_receipt.clone();
        if message.dequeue_count > most {
            return self.poison(message, &receipt).await;
        }
        let Some(bytes) = self.decode(message) else {
            self.invoker.log.line(format!(
                "queue `{}`, message {}: its text is no Base64, which extensions.queues.messageEncoding says it is",
                self.queue, message.message_id
            ));
            return self.poison(message, &receipt).await;
        };
        let outcome = {
            let invocation = self.invoker.invoke(
                &self.function,
                input(message, bytes, self.function.trigger.binary),
            );
            tokio::pin!(invocation);
            loop {
                tokio::select! {
                    outcome = &mut invocation => break outcome,
                    () = tokio::time::sleep(self.lease / 2) => {
                        receipt = self
                            .account
                            .update_message(&self.queue, &message.message_id, &receipt, self.lease)
                            .await?;
                    }
                }
            }
        };
        match outcome {
            Ok(_) => {
                self.account
                    .delete_message(&self.queue, &message.message_id, &receipt)
                    .await
            }
            Err(_) if message.dequeue_count >= most => self.poison(message, &receipt).await,
            Err(_) => {
                let after = self.options.visibility_timeout;
                self.account
                    .update_message(&self.queue, &message.message_id, &receipt, after)
                    .await
                    .map(drop)
            }
        }
    }

    fn decode(&self, message: &Message) -> Option<Vec<u8>> {
        match self.options.encoding {
            Encoding::Base64 => STANDARD.decode(message.message_text.trim()).ok(),
            Encoding::None => Some(message.message_text.clone().into_bytes()),
        }
    }

    /// Moves a message, as it is, to the queue of those that nobody could handle.
    async fn poison(&self, message: &Message, receipt: &str) -> Result<()> {
        let poison = format!("{}-poison", self.queue);
        self.invoker.log.line(format!(
            "message has reached MaxDequeueCount of {}; moving message to queue `{poison}`",
            self.options.max_dequeue_count
        ));
        self.account.create_queue(&poison).await?;
        self.account.put_message(&poison, &message.message_text).await?;
        self.account
            .delete_message(&self.queue, &message.message_id, receipt)
            .await
    }
}

/// What a message is handed over as.
pub(super) fn input(message: &Message, bytes: Vec<u8>, binary: bool) -> Input {
    let value = if binary {
        Bound::Bytes(bytes)
    } else {
        Bound::Text(String::from_utf8_lossy(&bytes).into_owned())
    };
    let time = |text: &str| Bound::Moment(Message::time(text));
    Input {
        value,
        metadata: vec![
            (
                "DequeueCount".to_owned(),
                Bound::Json(json!(message.dequeue_count)),
            ),
            ("ExpirationTime".to_owned(), time(&message.expiration_time)),
            ("Id".to_owned(), Bound::Text(message.message_id.clone())),
            ("InsertionTime".to_owned(), time(&message.insertion_time)),
            ("NextVisibleTime".to_owned(), time(&message.time_next_visible)),
            ("PopReceipt".to_owned(), Bound::Text(message.pop_receipt.clone())),
        ],
    }
}
