//! What an adapter gives to the suite: fresh resources, a deployed probe, and its clock.

use std::collections::BTreeSet;
use std::fmt::Debug;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use nephos_core::app::{App, QueueSpec, StreamSpec};
use nephos_core::event::AuthStage;
use nephos_core::resource::bucket::{Bucket, BucketCapabilities};
use nephos_core::resource::queue::{Queue, QueueCapabilities};
use nephos_core::resource::secret::{Secret, SecretCapabilities};
use nephos_core::resource::stream::{Stream, StreamCapabilities};
use nephos_core::resource::table::{Table, TableCapabilities, TableSchema};
use nephos_core::resource::topic::{Topic, TopicCapabilities};
use nephos_core::resource::{ResourceKind, Resources};
use nephos_core::{Error, ErrorKind, Result, TriggerKind};
use serde::{Deserialize, Serialize};

use crate::account::{Account, DeployCapabilities};
use crate::happening::{Delivered, Happening, Native};
use crate::rules::GROUPS;
use crate::unasked;

/// What the adapter ran against. Only `Live` is the real service.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// The adapter is itself the service (one's own machine).
    Embedded,
    /// An emulator of the provider.
    Emulator,
    /// Recorded exchanges.
    Replay,
    /// The provider.
    Live,
}

impl Mode {
    /// The name, as in the report.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Embedded => "embedded",
            Self::Emulator => "emulator",
            Self::Replay => "replay",
            Self::Live => "live",
        }
    }
}

/// What the adapter's events and its host declare. What is not declared is the provider's own nature, and its negative is held in its place; what an emulator does
/// wrong is none of it, and is an [`Exception`](crate::Exception).
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct HostCapabilities {
    /// The kinds of event with which a function can be called. Of any other, [`Harness::native`] is [`ErrorKind::Unsupported`].
    pub kinds: BTreeSet<TriggerKind>,
    /// Whether a function is told which try of an event it is, also of other events than the messages of a queue. Where it is not, each try is the first.
    pub counts_tries: bool,
    /// The kinds of event whose payloads tell which try it is, beside the messages of a queue. Of any other, each payload is of the first try.
    pub tells_tries: BTreeSet<TriggerKind>,
    /// Whether each of several values of one name in a query arrives by itself. Where it does not, they may be one value, joined by commas.
    pub query_values: bool,
    /// Whether what failed too often is dead-lettered with its facts beside it (reason, kind, attempts), as what a handler rejects is everywhere. Where it is not, it comes as
    /// it was sent.
    pub dead_letter_facts: bool,
    /// Whether the dead letter of a stream's record that failed too often holds the record. Where it does not, it tells of it only.
    pub stream_letters: bool,
    /// What is told of sign-up and sign-in.
    pub auth: AuthCapabilities,
    /// Whether each invocation can have a fresh process. Where it cannot, an app that asks for it is refused before anything is deployed.
    pub isolation: bool,
    /// Whether one process can handle several events at once. Where it cannot, each has a process of its own meanwhile.
    pub shared_process: bool,
    /// Whether an answer over HTTP reaches the client while the handler still writes it. Where it does not, it arrives whole at the end.
    pub streams_answers: bool,
    /// Whether a function is told of each change of a table's item. Where it is not, it may be told the last only of several that came close together.
    pub changes_each: bool,
    /// Whether a function is told that an item was removed. Where it is not, nothing is told of it.
    pub changes_removed: bool,
    /// Whether a function is told the item before a change. Where it is not, there is none in any change.
    pub changes_old: bool,
    /// Whether a function is told new items from those that were there before. Where it is not, either may be told as the other.
    pub changes_kinds_told: bool,
}

/// What a function is told of sign-up and sign-in.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct AuthCapabilities {
    /// The steps at which it is asked.
    pub stages: Vec<AuthStage>,
    /// Whether there is a user before the sign-up.
    pub user_before_sign_up: bool,
    /// Whether what the client sent along is told.
    pub client_data: bool,
}

impl HostCapabilities {
    /// Nothing: of an adapter that has resources and no host of functions. Its groups `events`, `host`, `semantics` and `access` do not run.
    #[must_use]
    pub fn none() -> Self {
        Self {
            kinds: BTreeSet::new(),
            counts_tries: false,
            tells_tries: BTreeSet::new(),
            query_values: false,
            dead_letter_facts: false,
            stream_letters: false,
            auth: AuthCapabilities::default(),
            isolation: false,
            shared_process: false,
            streams_answers: false,
            changes_each: false,
            changes_removed: false,
            changes_old: false,
            changes_kinds_told: false,
        }
    }
}

impl AuthCapabilities {
    /// All of it.
    #[must_use]
    pub fn all() -> Self {
        Self {
            stages: vec![
                AuthStage::BeforeSignUp,
                AuthStage::AfterSignUp,
                AuthStage::BeforeSignIn,
                AuthStage::AfterSignIn,
                AuthStage::BeforeToken,
            ],
            user_before_sign_up: true,
            client_data: true,
        }
    }
}

/// What the adapter declares.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[allow(missing_docs, reason = "each field is its kind's own capabilities")]
pub struct Capabilities {
    pub bucket: BucketCapabilities,
    pub queue: QueueCapabilities,
    pub topic: TopicCapabilities,
    pub stream: StreamCapabilities,
    pub table: TableCapabilities,
    pub secret: SecretCapabilities,
    pub binary_secrets: bool,
    /// Whether ordering groups are kept by a queue that is declared as ordered.
    pub ordered_queues: bool,
    /// Whether messages of such a queue can be received, or come by a trigger only.
    pub ordered_receive: bool,
    pub host: HostCapabilities,
    /// What its engine of deployment declares, if there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub deploy: Option<DeployCapabilities>,
}

impl Capabilities {
    /// Asks one resource of each kind.
    ///
    /// # Errors
    /// The harness's own, if it cannot open one.
    pub async fn of(harness: &dyn Harness) -> Result<Self> {
        Self::of_groups(harness, &GROUPS).await
    }

    /// Asks one resource of each kind that the rules of these groups are about. Of the other kinds nothing is declared, as nothing is asked: an adapter need not have them.
    ///
    /// # Errors
    /// As [`of`](Self::of).
    pub async fn of_groups(harness: &dyn Harness, groups: &[&str]) -> Result<Self> {
        let mut declared = Self {
            host: harness.host(),
            deploy: harness.deploys(),
            ..unasked::capabilities()
        };
        // Rules that deploy an app, whose functions use resources of every kind.
        let all = ["semantics", "access"].iter().any(|group| groups.contains(group));
        let asks = |kind: ResourceKind| all || groups.contains(&kind.name());
        if asks(ResourceKind::Bucket) {
            declared.bucket = harness.bucket().await?.capabilities();
        }
        if asks(ResourceKind::Queue) {
            declared.queue = harness.queue(QueueSpec::default()).await?.capabilities();
            (declared.ordered_queues, declared.ordered_receive) = ordered(harness).await?;
        }
        if asks(ResourceKind::Topic) {
            declared.topic = harness.topic().await?.capabilities();
        }
        if asks(ResourceKind::Stream) {
            declared.stream = harness.stream(StreamSpec::default()).await?.capabilities();
        }
        if asks(ResourceKind::Table) {
            let schema = TableSchema {
                key: "id".to_owned(),
                sort: None,
                ttl: None,
            };
            declared.table = harness.table(schema).await?.driver().capabilities();
        }
        if asks(ResourceKind::Secret) {
            declared.secret = harness.secret(None).await?.capabilities();
            declared.binary_secrets = match harness.secret(Some(&[0xff])).await {
                Ok(_) => true,
                Err(error) if error.kind() == ErrorKind::Unsupported => false,
                Err(error) => return Err(error),
            };
        }
        Ok(declared)
    }
}

/// Whether a queue that is declared as ordered keeps groups, and whether its messages can be received.
async fn ordered(harness: &dyn Harness) -> Result<(bool, bool)> {
    let ordered = QueueSpec {
        ordered: true,
        ..QueueSpec::default()
    };
    let queue = match harness.queue(ordered).await {
        Ok(queue) => queue,
        Err(error) if error.kind() == ErrorKind::Unsupported => return Ok((false, false)),
        Err(error) => return Err(error),
    };
    let receives = match queue.receive(1, Duration::from_secs(1), Duration::ZERO).await {
        Ok(_) => true,
        Err(error) if error.kind() == ErrorKind::Unsupported => false,
        Err(error) => return Err(error),
    };
    Ok((queue.capabilities().ordered_groups, receives))
}

/// An adapter under test. Everything that it opens is new and empty, and nobody else's: rules run at the same time.
///
/// Only [`adapter`](Self::adapter) and [`mode`](Self::mode) must be written. What an adapter does not have, a kind of resource or a host of functions, is refused with
/// [`ErrorKind::Unsupported`], and the groups of that kind are left out of the run ([`Suite::groups`](crate::Suite::groups)). A harness that wraps another one must write them
/// all.
#[async_trait]
pub trait Harness: Debug + Send + Sync + 'static {
    /// The adapter's name.
    fn adapter(&self) -> &'static str;
    /// What it runs against.
    fn mode(&self) -> Mode;
    /// What stands in for the provider, with versions where they are known, for the report.
    fn beneath(&self) -> Option<String> {
        None
    }
    /// A harness for this rule alone, where each has one: a recording is of one rule.
    fn of_rule(&self, _rule: &'static str) -> Option<Arc<dyn Harness>> {
        None
    }
    /// The rule of [`of_rule`](Self::of_rule) is over, and ended as it should or not. An error is why that proves nothing.
    async fn ended(&self, _as_it_should: bool) -> Result<()> {
        Ok(())
    }
    /// Makes ready what takes longer than a rule may, before the first one: starts what resources are in, and, if rules will deploy `apps`, builds the probe.
    async fn prepare(&self, _apps: bool) -> Result<()> {
        Ok(())
    }
    /// Whether what it runs against is still there. Asked often, so cheap; once it is an error, no rule waits any longer.
    async fn alive(&self) -> Result<()> {
        Ok(())
    }
    /// What its events and its host declare. The default is [nothing](HostCapabilities::none).
    fn host(&self) -> HostCapabilities {
        HostCapabilities::none()
    }
    /// The payloads by which the provider tells of what happened, each as the host of a function receives it: one of each form that the provider has.
    async fn native(&self, happening: &Happening) -> Result<Vec<Native>> {
        let _ = happening;
        Err(unasked::refusal("harness.native", "events"))
    }
    /// What the host makes of a payload before it calls the handler: by the decoder that the host has, and nothing beside it. Fails as the host fails.
    async fn decode(&self, native: &Native) -> Result<Vec<Delivered>> {
        let _ = native;
        Err(unasked::refusal("harness.decode", "events"))
    }
    /// An empty bucket.
    async fn bucket(&self) -> Result<Bucket> {
        Err(unasked::refusal("harness.bucket", "buckets"))
    }
    /// An empty queue. [`ErrorKind::Unsupported`] where it is to be ordered, and none can be.
    async fn queue(&self, spec: QueueSpec) -> Result<Queue> {
        let _ = spec;
        Err(unasked::refusal("harness.queue", "queues"))
    }
    /// A queue handle whose queue does not exist.
    async fn missing_queue(&self) -> Result<Queue> {
        Err(unasked::refusal("harness.missing_queue", "queues"))
    }
    /// A topic without subscribers.
    async fn topic(&self) -> Result<Topic> {
        Err(unasked::refusal("harness.topic", "topics"))
    }
    /// An empty stream.
    async fn stream(&self, spec: StreamSpec) -> Result<Stream> {
        let _ = spec;
        Err(unasked::refusal("harness.stream", "streams"))
    }
    /// An empty table.
    async fn table(&self, schema: TableSchema) -> Result<Table> {
        let _ = schema;
        Err(unasked::refusal("harness.table", "tables"))
    }
    /// A secret with this value, or one that is not set. [`ErrorKind::Unsupported`] where a secret can only be text and this is not.
    async fn secret(&self, value: Option<&[u8]>) -> Result<Secret> {
        let _ = value;
        Err(unasked::refusal("harness.secret", "secrets"))
    }
    /// Changes a secret's value from outside, as an operator would.
    async fn rotate(&self, secret: &Secret, value: &[u8]) -> Result<()> {
        let _ = (secret, value);
        Err(unasked::refusal("harness.rotate", "secrets"))
    }
    /// The adapter's own present, which [`pass`](Self::pass) may move. The default is the machine's.
    fn now(&self) -> DateTime<Utc> {
        Utc::now()
    }
    /// Lets time pass for leases, delays and time to live: moves an emulated clock, or really waits, which is the default.
    async fn pass(&self, time: Duration) {
        tokio::time::sleep(time).await;
    }
    /// Deploys `app`, whose functions are the probe's ([`crate::probe`]), and waits until its triggers fire.
    async fn deploy(&self, app: App) -> Result<Arc<dyn Deployment>> {
        let _ = app;
        Err(unasked::refusal("harness.deploy", "host of functions"))
    }
    /// What its engine of deployment declares. Without one the group `deploy` is left out.
    fn deploys(&self) -> Option<DeployCapabilities> {
        None
    }
    /// An account in which the engine deploys, looked at from outside. [`ErrorKind::Unsupported`] where nothing is deployed.
    async fn account(&self) -> Result<Arc<dyn Account>> {
        let message = "the adapter has no engine of deployment";
        Err(Error::new(ErrorKind::Unsupported, "harness.account", message).with("adapter", self.adapter()))
    }
    /// Removes what is left when all rules have run.
    async fn finish(&self) -> Result<()> {
        Ok(())
    }
}

/// A deployed app.
#[async_trait]
pub trait Deployment: Debug + Send + Sync + 'static {
    /// Handles to its resources, with every access; new ones after a restart.
    fn resources(&self) -> Arc<Resources>;
    /// Where its HTTP triggers answer (`http://127.0.0.1:4000`).
    fn gateway(&self) -> Option<String>;
    /// Ends whatever runs the app as abruptly as can be (`kill -9`, where it is a process), and starts it again on the same state.
    async fn crash_and_restart(&self) -> Result<()>;
    /// Ends whatever runs the app in order, as an update or a scaler does, and starts it again on the same state.
    async fn stop_and_restart(&self) -> Result<()>;
    /// Removes it.
    async fn remove(&self) -> Result<()>;
}
