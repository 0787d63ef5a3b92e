//! Streams made wrong.

use std::any::Any;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use nephos_core::event::{Payload, Record};
use nephos_core::resource::stream::{Append, Position, Stream, StreamCapabilities, StreamDriver, StreamPage};
use nephos_core::{ErrorKind, Result};

use super::{EXTRA, Fault, queue};

#[derive(Debug)]
struct Wrong {
    inner: Stream,
    fault: Fault,
    asked: AtomicUsize,
    read: Mutex<Position>,
}

pub(super) fn wrong(inner: Stream, fault: Fault) -> Stream {
    let name = inner.name().to_owned();
    Stream::new(&name, driver(inner, fault))
}

pub(super) fn driver(inner: Stream, fault: Fault) -> Arc<dyn StreamDriver> {
    Arc::new(Wrong {
        inner,
        fault,
        asked: AtomicUsize::new(0),
        read: Mutex::default(),
    })
}

/// What is wrong with a stream, if it is one of these.
pub(super) fn fault(stream: &Stream) -> Option<Fault> {
    stream
        .driver()
        .as_any()
        .downcast_ref::<Wrong>()
        .map(|wrong| wrong.fault)
}

impl Wrong {
    fn remembered(&self) -> Position {
        self.read.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

#[async_trait]
impl StreamDriver for Wrong {
    fn capabilities(&self) -> StreamCapabilities {
        let mut capabilities = self.inner.capabilities();
        if self.fault == Fault::LimitNotHeld {
            capabilities.max_record_bytes += self.asked.fetch_add(1, Ordering::Relaxed) * EXTRA;
        }
        if self.fault == Fault::Lacking {
            capabilities.sequences = false;
        }
        if self.fault == Fault::PretendsCapability {
            capabilities.attributes = true;
            capabilities.read = true;
        }
        capabilities
    }

    async fn append_batch(&self, batch: &[Append]) -> Result<Vec<Option<String>>> {
        let asked = batch.len();
        let mut batch = batch.to_vec();
        for record in &mut batch {
            match self.fault {
                Fault::AttributesDropped | Fault::PretendsCapability => record.attributes.clear(),
                Fault::LimitNotHeld => record.body.bytes.truncate(1),
                fault => queue::body(&mut record.body, fault),
            }
        }
        if self.fault == Fault::OrderReversed {
            batch.reverse();
        }
        if self.fault == Fault::BatchLosesLast && batch.len() > 1 {
            batch.pop();
        }
        let mut sequences = self.inner.driver().append_batch(&batch).await?;
        if self.fault == Fault::IdsReversed {
            sequences.reverse();
        }
        sequences.resize(asked, Some("lost".to_owned()));
        if self.fault == Fault::PretendsCapability && !self.inner.capabilities().sequences {
            sequences.fill(Some("made up".to_owned()));
        }
        if self.fault == Fault::Lacking {
            sequences.fill(None);
        }
        Ok(sequences)
    }

    async fn read(&self, position: &Position, max: usize) -> Result<StreamPage> {
        let max = if self.fault == Fault::MaxIgnored {
            1000
        } else {
            max
        };
        let from = match self.fault {
            Fault::ReadConsumes if *position == Position::Oldest => self.remembered(),
            Fault::PretendsCapability => {
                return Ok(StreamPage {
                    records: Vec::new(),
                    next: position.clone(),
                });
            }
            _ => position.clone(),
        };
        let mut page = match self.inner.driver().read(&from, max).await {
            Err(error)
                if self.fault == Fault::ForeignPositionTaken
                    && error.kind() == ErrorKind::InvalidArgument =>
            {
                self.inner.driver().read(&Position::Oldest, max).await?
            }
            page => page?,
        };
        match self.fault {
            Fault::ReadConsumes => {
                self.read
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner)
                    .clone_from(&page.next);
            }
            Fault::PositionStuck => page.next.clone_from(position),
            Fault::PositionReset if page.records.is_empty() => page.next = Position::Oldest,
            Fault::Phantom => page.records.push(Record {
                sequence: "phantom".to_owned(),
                stream: self.inner.name().to_owned(),
                partition_key: "phantom".to_owned(),
                body: Payload::text("boo"),
                attributes: std::collections::BTreeMap::new(),
                appended_at: None,
            }),
            _ => {}
        }
        Ok(page)
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}
