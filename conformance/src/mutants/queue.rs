//! Queues made wrong.

use std::any::Any;
use std::collections::HashSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use nephos_core::event::{Message, Payload};
use nephos_core::resource::queue::{
    Depth, Outgoing, Queue, QueueCapabilities, QueueDriver, Receipt, Received,
};
use nephos_core::{Error, ErrorKind, Result};

use super::{EXTRA, Fault, longer};
use crate::probe;

#[derive(Debug)]
struct Wrong {
    inner: Queue,
    fault: Fault,
    asked: AtomicUsize,
    acked: Mutex<HashSet<Receipt>>,
    sent: Journal,
}

/// What was sent, by queue: it outlives a crash.
pub(super) type Journal = Arc<Mutex<Vec<(String, Vec<Outgoing>)>>>;

pub(super) fn wrong(inner: Queue, fault: Fault) -> Queue {
    let name = inner.name().to_owned();
    Queue::new(&name, driver(inner, fault))
}

pub(super) fn driver(inner: Queue, fault: Fault) -> Arc<dyn QueueDriver> {
    journaled(inner, fault, Journal::default())
}

/// The same; what is sent is noted in `sent`.
pub(super) fn journaled(inner: Queue, fault: Fault, sent: Journal) -> Arc<dyn QueueDriver> {
    Arc::new(Wrong {
        sent,
        inner,
        fault,
        asked: AtomicUsize::new(0),
        acked: Mutex::default(),
    })
}

/// What is wrong with a queue, if it is one of these.
pub(super) fn fault(queue: &Queue) -> Option<Fault> {
    queue
        .driver()
        .as_any()
        .downcast_ref::<Wrong>()
        .map(|wrong| wrong.fault)
}

/// A body made wrong.
pub(super) fn body(payload: &mut Payload, fault: Fault) {
    match fault {
        Fault::BodyTruncated => payload.bytes.truncate(payload.bytes.len().saturating_sub(1)),
        Fault::BodyUtf8Lossy => {
            payload.bytes = Bytes::from(String::from_utf8_lossy(&payload.bytes).into_owned());
        }
        Fault::ContentTypeLost => payload.content_type = None,
        _ => {}
    }
}

impl Wrong {
    fn outgoing(&self, message: &Outgoing) -> Outgoing {
        let mut message = message.clone();
        match self.fault {
            Fault::AttributesDropped => message.attributes.clear(),
            Fault::DelayIgnored => message.delay = Duration::ZERO,
            Fault::GroupIgnored => message.group = None,
            Fault::PretendsCapability => {
                message.attributes.clear();
                message.delay = Duration::ZERO;
                message.group = None;
            }
            Fault::LimitNotHeld => {
                message.delay = Duration::ZERO;
                message.body.bytes.truncate(1);
            }
            fault => body(&mut message.body, fault),
        }
        message
    }

    fn received(&self, message: &mut Message<Payload>) {
        match self.fault {
            Fault::AttemptAlwaysOne => message.attempt = 1,
            Fault::IdChanges => message.id = format!("{}-{}", message.id, message.attempt),
            // Only dead letters carry attributes that the suite did not send.
            Fault::ErrorFactsLost => message.attributes.clear(),
            _ => {}
        }
        probe::falsify(&mut message.body, self.fault);
    }

    fn phantom(&self) -> Received {
        Received {
            message: Message {
                id: "phantom".to_owned(),
                queue: self.inner.name().to_owned(),
                body: Payload::text("boo"),
                attributes: std::collections::BTreeMap::new(),
                group: None,
                attempt: 1,
                sent_at: None,
            },
            receipt: Receipt("phantom".to_owned()),
        }
    }
}

#[async_trait]
impl QueueDriver for Wrong {
    fn capabilities(&self) -> QueueCapabilities {
        let mut capabilities = self.inner.capabilities();
        if self.fault == Fault::LimitNotHeld {
            let asked = self.asked.fetch_add(1, Ordering::Relaxed);
            capabilities.max_delay += longer(asked);
            capabilities.max_visibility_timeout += longer(asked);
            capabilities.max_message_bytes += asked * EXTRA;
        }
        if self.fault == Fault::Lacking {
            capabilities.counts_leased = false;
            capabilities.counts_delayed = false;
        }
        if self.fault == Fault::PretendsCapability {
            capabilities.max_delay = Duration::from_secs(3600);
            capabilities.ordered_groups = true;
            capabilities.attributes = true;
            capabilities.counts_leased = true;
            capabilities.counts_delayed = true;
        }
        capabilities
    }

    async fn send_batch(&self, batch: &[Outgoing]) -> Result<Vec<String>> {
        let mut wrong: Vec<_> = batch.iter().map(|message| self.outgoing(message)).collect();
        match self.fault {
            Fault::EmptyBodyLost => wrong.retain(|message| !message.body.bytes.is_empty()),
            Fault::SentTwice => wrong.extend_from_slice(&wrong.clone()),
            Fault::GroupReversed => wrong.reverse(),
            Fault::BatchLosesLast => drop(wrong.pop()),
            _ => {}
        }
        self.sent
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push((self.inner.name().to_owned(), wrong.clone()));
        let driver = self.inner.driver();
        let mut ids = if wrong.is_empty() {
            Vec::new()
        } else {
            driver.send_batch(&wrong).await?
        };
        match self.fault {
            Fault::IdsReversed => ids.reverse(),
            Fault::IdsSame => ids.fill("same".to_owned()),
            _ => {}
        }
        ids.resize(batch.len(), "lost".to_owned());
        Ok(ids)
    }

    async fn receive(
        &self,
        max: usize,
        visibility_timeout: Duration,
        wait: Duration,
    ) -> Result<Vec<Received>> {
        let max = if self.fault == Fault::MaxIgnored { 10 } else { max };
        let wait = if self.fault == Fault::WaitIgnored {
            Duration::ZERO
        } else {
            wait
        };
        let visibility_timeout = match self.fault {
            Fault::LeaseForever => visibility_timeout.max(Duration::from_secs(1800)),
            Fault::LimitNotHeld => visibility_timeout.min(self.inner.capabilities().max_visibility_timeout),
            _ => visibility_timeout,
        };
        let driver = self.inner.driver();
        let mut messages = match driver.receive(max, visibility_timeout, wait).await {
            Err(error)
                if self.fault == Fault::PretendsCapability && error.kind() == ErrorKind::Unsupported =>
            {
                Vec::new()
            }
            received => received?,
        };
        if self.fault == Fault::Phantom {
            messages.push(self.phantom());
        }
        for received in &mut messages {
            self.received(&mut received.message);
            if self.fault == Fault::LeaseIgnored {
                driver.nack(&received.receipt, Duration::ZERO).await?;
            }
        }
        Ok(messages)
    }

    async fn ack(&self, receipts: &[Receipt]) -> Result<()> {
        if self.fault == Fault::AckLost {
            return Ok(());
        }
        if self.fault == Fault::SecondAckFails {
            let mut acked = self.acked.lock().unwrap_or_else(PoisonError::into_inner);
            if receipts.iter().any(|receipt| !acked.insert(receipt.clone())) {
                return Err(Error::new(ErrorKind::NotFound, "queue.ack", "no such receipt"));
            }
        }
        settle(self.fault, self.inner.driver().ack(receipts).await)
    }

    async fn nack(&self, receipt: &Receipt, delay: Duration) -> Result<()> {
        match self.fault {
            Fault::NackLost => Ok(()),
            Fault::DelayIgnored => self.inner.driver().nack(receipt, Duration::ZERO).await,
            fault => settle(fault, self.inner.driver().nack(receipt, delay).await),
        }
    }

    async fn extend(&self, receipt: &Receipt, visibility_timeout: Duration) -> Result<Receipt> {
        if self.fault == Fault::ExtendIgnored {
            return Ok(receipt.clone());
        }
        let extended = self.inner.driver().extend(receipt, visibility_timeout).await;
        match extended {
            Ok(_) if self.fault == Fault::ExtendVoid => Ok(Receipt("void".to_owned())),
            Err(_) if self.fault == Fault::StaleReceiptTaken => Ok(receipt.clone()),
            extended => extended,
        }
    }

    async fn depth(&self) -> Result<Depth> {
        if self.fault == Fault::DepthZero {
            return Ok(Depth::default());
        }
        let mut depth = self.inner.driver().depth().await?;
        if self.fault == Fault::Lacking {
            depth = Depth {
                visible: depth.total(),
                ..Depth::default()
            };
        }
        if self.fault == Fault::PretendsCapability {
            depth.leased.get_or_insert(0);
            depth.delayed.get_or_insert(0);
        }
        Ok(depth)
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

fn settle(fault: Fault, result: Result<()>) -> Result<()> {
    match result {
        Err(_) if fault == Fault::StaleReceiptTaken => Ok(()),
        result => result,
    }
}
