//! Topics made wrong.

use std::any::Any;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use nephos_core::Result;
use nephos_core::resource::topic::{Publication, Topic, TopicCapabilities, TopicDriver};

use super::{EXTRA, Fault, queue};

#[derive(Debug)]
struct Wrong {
    inner: Topic,
    fault: Fault,
    asked: AtomicUsize,
}

pub(super) fn wrong(inner: Topic, fault: Fault) -> Topic {
    let name = inner.name().to_owned();
    Topic::new(&name, driver(inner, fault))
}

pub(super) fn driver(inner: Topic, fault: Fault) -> Arc<dyn TopicDriver> {
    Arc::new(Wrong {
        inner,
        fault,
        asked: AtomicUsize::new(0),
    })
}

#[async_trait]
impl TopicDriver for Wrong {
    fn capabilities(&self) -> TopicCapabilities {
        let mut capabilities = self.inner.capabilities();
        if self.fault == Fault::LimitNotHeld {
            capabilities.max_message_bytes += self.asked.fetch_add(1, Ordering::Relaxed) * EXTRA;
        }
        capabilities.attributes |= self.fault == Fault::PretendsCapability;
        capabilities
    }

    async fn publish_batch(&self, batch: &[Publication]) -> Result<Vec<String>> {
        let asked = batch.len();
        let mut batch = batch.to_vec();
        for notification in &mut batch {
            match self.fault {
                Fault::AttributesDropped | Fault::PretendsCapability => notification.attributes.clear(),
                Fault::LimitNotHeld => notification.body.bytes.truncate(1),
                fault => queue::body(&mut notification.body, fault),
            }
        }
        if self.fault == Fault::BatchLosesLast {
            batch.pop();
        }
        let mut ids = self.inner.driver().publish_batch(&batch).await?;
        if self.fault == Fault::IdsSame {
            ids.fill("same".to_owned());
        }
        ids.resize(asked, "lost".to_owned());
        Ok(ids)
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}
