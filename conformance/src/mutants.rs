//! Adapters made wrong on purpose: each rule names a [`Fault`], and must notice it.

mod account;
mod app;
mod bucket;
mod deployment;
mod event;
pub(crate) mod portable;
mod queue;
mod secret;
mod signed;
mod store;
mod stream;
mod table;
mod topic;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use nephos_core::Result;
use nephos_core::app::{App, QueueSpec, StreamSpec};
use nephos_core::resource::bucket::Bucket;
use nephos_core::resource::queue::Queue;
use nephos_core::resource::secret::Secret;
use nephos_core::resource::stream::Stream;
use nephos_core::resource::table::{Table, TableSchema};
use nephos_core::resource::topic::Topic;

use crate::account::{Account, DeployCapabilities};
use crate::happening::{Delivered, Happening, Native};
use crate::harness::{Deployment, Harness, HostCapabilities, Mode};

/// What is made wrong. One fault serves every kind of resource in which it makes sense.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// Nothing: what some provider lacks and no adapter here does is lacking, and said to be. The negatives of it are proven on this.
    Lacking,
    /// Undeclared capabilities are declared, and do nothing.
    PretendsCapability,
    /// Limits are declared, and not held.
    LimitNotHeld,
    /// A body loses its last byte, an item an attribute.
    BodyTruncated,
    /// Bytes that are not UTF-8 are replaced.
    BodyUtf8Lossy,
    /// What is empty is not stored.
    EmptyBodyLost,
    /// The content type is dropped.
    ContentTypeLost,
    /// Attributes are dropped.
    AttributesDropped,
    /// The attributes of a replaced object stay.
    AttributesKept,
    /// What is missing reads as empty.
    MissingReadsEmpty,
    /// A write does not replace what is there.
    FirstWriteWins,
    /// A write is mixed with what was there.
    WritesMix,
    /// A range is not looked at.
    RangeIgnored,
    /// A range that ends behind the end is refused.
    RangeNotCut,
    /// A range that begins behind the end is empty.
    RangeBehindEndEmpty,
    /// The size is one too many.
    SizeWrong,
    /// Etag or version never change.
    VersionConstant,
    /// The version asked for is not looked at.
    VersionIgnored,
    /// Conditions of a write are not looked at.
    ConditionIgnored,
    /// Conditions of a read are not looked at.
    ReadConditionIgnored,
    /// Something is there that nobody wrote.
    Phantom,
    /// A prefix is whole path segments.
    PrefixBySegments,
    /// What cannot be is made possible, not refused: a key without its odd segments, one instead of none.
    RefusalLeftOut,
    /// A page begins one entry too late.
    PageSkips,
    /// A listing is in no order.
    OrderReversed,
    /// Sorted without regard to case.
    SortIgnoresCase,
    /// Always ascending.
    DescendingIgnored,
    /// More than the limit is returned.
    MaxIgnored,
    /// Deleting what is missing fails.
    DeleteMissingFails,
    /// Nothing is deleted.
    DeleteIgnored,
    /// What is to be deleted is written once more instead.
    DeleteWrites,
    /// Nothing is copied.
    CopyIgnored,
    /// Copying what is missing works.
    CopyMissingWorks,
    /// A copy changes with its source.
    CopyAliases,
    /// An object that is copied to itself loses its content.
    SelfCopyEmpties,
    /// Keys are lower-cased.
    KeyLowercased,
    /// The second part of an upload is lost.
    PartDropped,
    /// An upload that broke off is stored.
    BrokenUploadKept,
    /// An upload shows before it is complete.
    UploadVisibleEarly,
    /// A signed URL is for any method.
    SignedForAnyMethod,
    /// A signed URL is for another key than was asked for.
    SignedForOtherKey,
    /// The key is not part of what a signed URL proves.
    SignedForAnyKey,
    /// The signature of a signed URL is not looked at.
    SignatureIgnored,
    /// A header that the request by a signed URL must have is not told.
    SignedHeaderUntold,
    /// A signed URL lives longer than asked for.
    SignedForLong,
    /// Ids are in another order than what they stand for.
    IdsReversed,
    /// All ids are the same.
    IdsSame,
    /// A redelivery has another id.
    IdChanges,
    /// The last of a batch is lost.
    BatchLosesLast,
    /// A batch is done one by one.
    BatchNotAtomic,
    /// An error lacks its facts.
    ErrorFactsLost,
    /// What is sent arrives twice.
    SentTwice,
    /// An acknowledgement is lost.
    AckLost,
    /// Acknowledging twice fails.
    SecondAckFails,
    /// A nack is lost.
    NackLost,
    /// Delays are not looked at.
    DelayIgnored,
    /// A message is not leased.
    LeaseIgnored,
    /// A lease never ends.
    LeaseForever,
    /// A lease is not extended.
    ExtendIgnored,
    /// The receipt of a lease that was extended is good for nothing.
    ExtendVoid,
    /// A stale receipt is taken.
    StaleReceiptTaken,
    /// The attempt is always 1.
    AttemptAlwaysOne,
    /// The depth is always 0.
    DepthZero,
    /// Ordering groups are not looked at: what is sent in one is in none.
    GroupIgnored,
    /// Groups are kept, and their order is not.
    GroupReversed,
    /// What does not exist works.
    MissingWorks,
    /// A receive never waits.
    WaitIgnored,
    /// The place in a stream does not move on.
    PositionStuck,
    /// The place in a stream is lost at its end.
    PositionReset,
    /// A foreign cursor or position is taken as the beginning.
    ForeignPositionTaken,
    /// What is read once is gone.
    ReadConsumes,
    /// A write is merged into what was there.
    PutMerges,
    /// Time to live is not looked at.
    TtlIgnored,
    /// The table does not know its sort key and time to live.
    SchemaLost,
    /// Whole numbers become floating point.
    NumbersAsFloats,
    /// A value is read once and then remembered.
    SecretCached,
    /// A secret's value is in the driver's debug text.
    SecretInDebug,
    /// The app: one try only.
    OneAttempt,
    /// The app: no wait between tries.
    NoBackoff,
    /// The app: dead letters go elsewhere.
    DeadLettersElsewhere,
    /// The app: triggers without filters.
    FilterDropped,
    /// The app: the last function has no trigger.
    OneSubscriber,
    /// The app: a function with HTTP routes has every other path too.
    RouteForAll,
    /// The app: every function may do everything.
    FullAccess,
    /// The app: one batch a record.
    BatchOfOne,
    /// The app: one invocation at a time.
    OneInstance,
    /// The app: one failure in a batch is the failure of all.
    BatchAsOne,
    /// The app: what makes one subscriber fail makes the others fail.
    FailureShared,
    /// The function: what it refuses is tried again.
    RejectRetried,
    /// The function: a panic ends its process.
    PanicEndsProcess,
    /// The function: what a panic said is in the answer.
    PanicTold,
    /// The function: a report of an unknown record fails one record only.
    UnknownIsOwn,
    /// The app: its functions' processes are used again.
    IsolationIgnored,
    /// The function: it is not given the trace.
    TraceHidden,
    /// The function: it is not given the query.
    QueryHidden,
    /// The function: the status of its answer is always 200.
    StatusFlattened,
    /// The function: an error ends its process.
    ErrorEndsProcess,
    /// The function: what should end its process does not.
    ExitIgnored,
    /// The function: nothing of its answer comes before all of it.
    ChunkHeld,
    /// The function: its answer ends after the first chunk.
    ChunkLost,
    /// The function: the cookies of its answer are one.
    CookiesJoined,
    /// The function: its process ends before it is ready.
    InitFails,
    /// The app: functions have a minute more than they should.
    TimeoutIgnored,
    /// The stop: it is a crash.
    StopKills,
    /// The crash: what waits in a queue is lost.
    CrashLosesQueue,
    /// The crash: acknowledgements are lost.
    CrashForgetsAcks,
    /// What the probe saw: no deadline.
    DeadlineHidden,
    /// What the probe saw: one id for all invocations.
    InvocationIdsSame,
    /// What the probe saw: another function.
    FunctionHidden,
    /// What the probe saw: one attempt more than it was told.
    AttemptMadeUp,
    /// The item before a change is lost.
    OldLost,
    /// What happened is said to be something else: what was created to be deleted, what is new to be changed, what is changed to be gone.
    KindConfused,
    /// What was encoded once is decoded twice.
    DecodedTwice,
    /// A body is wrapped once more.
    DoubleWrapped,
    /// The item before a change is said to be the one after it.
    ImagesSwapped,
    /// The time of an event is another.
    TimeLost,
    /// What an event has several of is lost: attachments, slots, what a client sent along.
    PartLost,
    /// Of several values of a header, or several cookies, one is left.
    ValuesLost,
    /// The provider's own bytes are not kept.
    RawLost,
    /// What cannot be decoded is an event all the same.
    HalfTaken,
    /// What cannot be decoded is a panic.
    DecoderPanics,
    /// The engine: a plan is carried out when it is made.
    PlanDeploys,
    /// The engine: a plan always finds something.
    PlanMadeUp,
    /// The engine: of what was planned before, a plan finds nothing.
    PlansNothing,
    /// The engine: the same binary is another each time.
    BuildsDiffer,
    /// The engine: another plan is carried out than the one that it is given.
    StalePlanTaken,
    /// The engine: functions that left the manifest stay.
    LeftoversStay,
    /// The engine: a plan does not say what becomes of data.
    DataUntold,
    /// The engine: the way back is said to be gone, and is not.
    RollbackIgnored,
    /// The engine: a lock is left by a deployment that does not end.
    LockLeft,
    /// The engine: a deployment that fails takes down what was there.
    FailureDestroys,
    /// The engine: data stays when nothing is to.
    DestroyKeeps,
    /// The engine: data goes when it is to stay.
    DestroyKeepsNothing,
    /// The engine: with an app, others are removed.
    DestroyTakesOthers,
    /// The engine: whose something is, is not looked at.
    MarkIgnored,
}

/// An adapter with a fault.
#[derive(Debug)]
pub struct Mutant {
    inner: Arc<dyn Harness>,
    fault: Fault,
}

impl Mutant {
    /// `inner`, made wrong.
    #[must_use]
    pub fn new(inner: Arc<dyn Harness>, fault: Fault) -> Self {
        Self { inner, fault }
    }
}

// A method that is not written would be refused instead of being passed on, which looks like a mutant that died.
#[deny(clippy::missing_trait_methods)]
#[async_trait]
impl Harness for Mutant {
    fn adapter(&self) -> &'static str {
        match self.fault {
            Fault::Lacking => "lacking",
            _ => self.inner.adapter(),
        }
    }

    fn mode(&self) -> Mode {
        self.inner.mode()
    }

    fn beneath(&self) -> Option<String> {
        self.inner.beneath()
    }

    fn host(&self) -> HostCapabilities {
        let mut host = self.inner.host();
        if self.fault == Fault::Lacking {
            host.changes_each = false;
            host.changes_removed = false;
            host.changes_old = false;
            host.changes_kinds_told = false;
        }
        host
    }

    /// A mutant is of the adapter, not of what was recorded of it.
    fn of_rule(&self, _rule: &'static str) -> Option<Arc<dyn Harness>> {
        None
    }

    async fn ended(&self, as_it_should: bool) -> Result<()> {
        self.inner.ended(as_it_should).await
    }

    async fn prepare(&self, apps: bool) -> Result<()> {
        self.inner.prepare(apps).await
    }

    async fn alive(&self) -> Result<()> {
        self.inner.alive().await
    }

    async fn native(&self, happening: &Happening) -> Result<Vec<Native>> {
        event::natives(self.inner.native(happening).await, happening, self.fault)
    }

    async fn decode(&self, native: &Native) -> Result<Vec<Delivered>> {
        event::decoded(native, self.inner.decode(native).await, self.fault).await
    }

    async fn bucket(&self) -> Result<Bucket> {
        Ok(bucket::wrong(self.inner.bucket().await?, self.fault))
    }

    async fn queue(&self, spec: QueueSpec) -> Result<Queue> {
        Ok(queue::wrong(self.inner.queue(spec).await?, self.fault))
    }

    async fn missing_queue(&self) -> Result<Queue> {
        if self.fault == Fault::MissingWorks {
            return self.inner.queue(QueueSpec::default()).await;
        }
        self.inner.missing_queue().await
    }

    async fn topic(&self) -> Result<Topic> {
        Ok(topic::wrong(self.inner.topic().await?, self.fault))
    }

    async fn stream(&self, spec: StreamSpec) -> Result<Stream> {
        Ok(stream::wrong(self.inner.stream(spec).await?, self.fault))
    }

    async fn table(&self, schema: TableSchema) -> Result<Table> {
        Ok(table::wrong(self.inner.table(schema).await?, self.fault))
    }

    async fn secret(&self, value: Option<&[u8]>) -> Result<Secret> {
        let opened = match self.inner.secret(value).await {
            Err(_) if self.fault == Fault::PretendsCapability => self.inner.secret(Some(b"")).await?,
            opened => opened?,
        };
        Ok(secret::wrong(opened, value, self.fault))
    }

    async fn rotate(&self, secret: &Secret, value: &[u8]) -> Result<()> {
        self.inner.rotate(secret::original(secret), value).await
    }

    fn now(&self) -> DateTime<Utc> {
        self.inner.now()
    }

    async fn pass(&self, time: Duration) {
        self.inner.pass(time).await;
    }

    async fn deploy(&self, app: App) -> Result<Arc<dyn Deployment>> {
        let deployed = self.inner.deploy(app::wrong(app, self.fault)).await?;
        Ok(Arc::new(deployment::Wrong::new(deployed, self.fault)))
    }

    fn deploys(&self) -> Option<DeployCapabilities> {
        self.inner.deploys()
    }

    async fn account(&self) -> Result<Arc<dyn Account>> {
        Ok(Arc::new(account::Wrong::new(
            self.inner.account().await?,
            self.fault,
        )))
    }

    async fn finish(&self) -> Result<()> {
        self.inner.finish().await
    }
}

/// `harness` without what some provider lacks and no adapter here does: the sequences of appended records, the counts of leased and delayed messages, batches over several
/// partitions, URLs that are enough by themselves, and of a table's changes the removals, the items before and which are new. So the negatives are proven before there is an
/// adapter that needs them: [`Suite::undeclared`](crate::Suite::undeclared) runs them.
#[must_use]
pub fn lacking(harness: impl Harness) -> Mutant {
    Mutant::new(Arc::new(harness), Fault::Lacking)
}

/// How much more a limit that is not held is each time that it is asked for.
const EXTRA: usize = 1 << 20;

/// The same for a limit of time.
fn longer(asked: usize) -> Duration {
    Duration::from_secs(3600).saturating_mul(u32::try_from(asked).unwrap_or(u32::MAX))
}
