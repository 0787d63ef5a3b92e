//! The harness over tapes: one tape a rule, opened when the rule first asks for something.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use nephos_core::app::{App, QueueSpec, StreamSpec};
use nephos_core::resource::bucket::Bucket;
use nephos_core::resource::queue::Queue;
use nephos_core::resource::secret::Secret;
use nephos_core::resource::stream::Stream;
use nephos_core::resource::table::{Table, TableSchema};
use nephos_core::resource::topic::Topic;
use nephos_core::{Error, ErrorKind, Result};
use tokio::sync::OnceCell;

use super::{Recorded, Source, Tape};
use crate::happening::{Delivered, Happening, Native};
use crate::harness::{Deployment, Harness, HostCapabilities, Mode};

/// The tape of what the suite asks before the first rule.
const DECLARED: &str = "suite.declared";

/// What is done with tapes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    Record,
    Replay,
}

/// One rule's harness.
#[derive(Debug)]
pub(super) struct OnTape {
    shared: Arc<Shared>,
    rule: &'static str,
    opened: OnceCell<(Arc<Tape>, Arc<dyn Harness>)>,
}

#[derive(Debug)]
struct Shared {
    adapter: Box<dyn Recorded>,
    folder: PathBuf,
    way: Way,
    source: tokio::sync::Mutex<Option<Arc<Source>>>,
    /// What the recordings that were played were made with.
    made: Mutex<BTreeSet<String>>,
}

impl OnTape {
    pub(super) fn new(adapter: impl Recorded, folder: PathBuf, way: Way) -> Self {
        let shared = Shared {
            adapter: Box::new(adapter),
            folder,
            way,
            source: tokio::sync::Mutex::default(),
            made: Mutex::default(),
        };
        Self::of(Arc::new(shared), DECLARED)
    }

    fn of(shared: Arc<Shared>, rule: &'static str) -> Self {
        Self {
            shared,
            rule,
            opened: OnceCell::new(),
        }
    }

    async fn opened(&self) -> Result<&(Arc<Tape>, Arc<dyn Harness>)> {
        self.opened
            .get_or_try_init(|| async {
                let shared = &self.shared;
                let (folder, dialect) = (&shared.folder, shared.adapter.dialect());
                let tape = match shared.way {
                    Way::Record => Tape::record(self.rule, folder, dialect, shared.source().await?).await?,
                    Way::Replay => Tape::replay(self.rule, folder, dialect).await?,
                };
                shared.made().extend(tape.made());
                let harness = shared.adapter.on(&tape).await?;
                Ok((tape, harness))
            })
            .await
    }

    async fn harness(&self) -> Result<&dyn Harness> {
        Ok(&*self.opened().await?.1)
    }
}

impl Shared {
    async fn source(&self) -> Result<Arc<Source>> {
        let mut source = self.source.lock().await;
        if let Some(running) = &*source {
            return Ok(Arc::clone(running));
        }
        let started = Arc::new(self.adapter.source().await?);
        *source = Some(Arc::clone(&started));
        Ok(started)
    }

    fn made(&self) -> std::sync::MutexGuard<'_, BTreeSet<String>> {
        self.made.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl Harness for OnTape {
    fn adapter(&self) -> &'static str {
        self.shared.adapter.adapter()
    }

    fn mode(&self) -> Mode {
        match self.shared.way {
            Way::Record => Mode::Emulator,
            Way::Replay => Mode::Replay,
        }
    }

    fn beneath(&self) -> Option<String> {
        match self.shared.way {
            Way::Record => Some(format!("recorded into {}", self.shared.folder.display())),
            Way::Replay => {
                let made: Vec<String> = self.shared.made().iter().cloned().collect();
                Some(format!("recordings of {}", made.join("; ")))
            }
        }
    }

    fn of_rule(&self, rule: &'static str) -> Option<Arc<dyn Harness>> {
        Some(Arc::new(Self::of(Arc::clone(&self.shared), rule)))
    }

    async fn ended(&self, held: bool) -> Result<()> {
        match self.opened.get() {
            Some((tape, _)) => tape.end(held),
            // It asked for nothing, so there is nothing to record.
            None => Ok(()),
        }
    }

    fn host(&self) -> HostCapabilities {
        self.shared.adapter.host()
    }

    async fn native(&self, happening: &Happening) -> Result<Vec<Native>> {
        self.harness().await?.native(happening).await
    }

    async fn decode(&self, native: &Native) -> Result<Vec<Delivered>> {
        self.harness().await?.decode(native).await
    }

    async fn bucket(&self) -> Result<Bucket> {
        self.harness().await?.bucket().await
    }

    async fn queue(&self, spec: QueueSpec) -> Result<Queue> {
        self.harness().await?.queue(spec).await
    }

    async fn missing_queue(&self) -> Result<Queue> {
        self.harness().await?.missing_queue().await
    }

    async fn topic(&self) -> Result<Topic> {
        self.harness().await?.topic().await
    }

    async fn stream(&self, spec: StreamSpec) -> Result<Stream> {
        self.harness().await?.stream(spec).await
    }

    async fn table(&self, schema: TableSchema) -> Result<Table> {
        self.harness().await?.table(schema).await
    }

    async fn secret(&self, value: Option<&[u8]>) -> Result<Secret> {
        let (tape, harness) = self.opened().await?;
        if let Some(value) = value {
            tape.hide(value);
        }
        harness.secret(value).await
    }

    async fn rotate(&self, secret: &Secret, value: &[u8]) -> Result<()> {
        let (tape, harness) = self.opened().await?;
        tape.hide(value);
        harness.rotate(secret, value).await
    }

    fn now(&self) -> DateTime<Utc> {
        Utc::now()
    }

    /// Really waits, see [the module](super).
    async fn pass(&self, time: Duration) {
        tokio::time::sleep(time).await;
    }

    async fn deploy(&self, _: App) -> Result<Arc<dyn Deployment>> {
        Err(Error::new(
            ErrorKind::Unsupported,
            "replay.deploy",
            "an app runs, and is not recorded; leave the rule out of the suite over tapes, with the reason",
        )
        .with("rule", self.rule))
    }

    async fn finish(&self) -> Result<()> {
        // What the suite asked before the first rule is a recording too. It answered, so the suite went on.
        let ended = self.ended(true).await;
        drop(self.shared.source.lock().await.take());
        ended
    }
}
