//! What feeds the triggers: a pump for each, and whatever fills its inbox.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use nephos_core::Result;
use nephos_core::app::{App, FunctionSpec, QueueSpec, Resource, Trigger};
use nephos_core::resource::queue::QueueDriver as _;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::holdings::Holdings;
use crate::deploy::activity::Activities;
use crate::deploy::bucket::{EventSink, Watch};
use crate::deploy::pool::Fleet;
use crate::deploy::pump::source::{self, Router};
use crate::deploy::pump::{Feed, Invoker, LogPump, MessagePump, MessageSource, Running};
use crate::deploy::schedule::{Ticker, Timetable};
use crate::deploy::store::{Clock, EmbeddedQueue, Store};

/// How long an inbox keeps what nobody handles.
pub(super) const INBOX_RETENTION: Duration = Duration::from_secs(14 * 24 * 3600);

/// A log that a trigger follows.
#[derive(Debug)]
enum Log {
    Stream(String),
    Table(String),
}

/// All that feeds the triggers.
#[derive(Debug)]
pub(super) struct Feeds {
    store: Store,
    queues: Vec<EmbeddedQueue>,
    /// With the name of each one's checkpoint.
    logs: Vec<(String, Log)>,
    watches: Mutex<Vec<Watch>>,
    pumps: Mutex<Vec<Running>>,
}

impl Feeds {
    /// Nothing feeds any trigger.
    pub(super) fn none(store: &Store) -> Self {
        Self {
            store: store.clone(),
            queues: Vec::new(),
            logs: Vec::new(),
            watches: Mutex::default(),
            pumps: Mutex::default(),
        }
    }
}

/// Makes the store's subscriptions those of the manifest: what is published from here on lies in the inboxes of the triggers that it has.
pub(super) async fn subscribe(app: &App, store: &Store) -> Result<()> {
    let mut subscriptions: BTreeMap<&str, Vec<String>> = app
        .resources
        .iter()
        .filter(|(_, resource)| matches!(resource, Resource::Topic(_)))
        .map(|(name, _)| (name.as_str(), Vec::new()))
        .collect();
    for (function, spec) in &app.functions {
        for trigger in &spec.on {
            if let Trigger::Topic { topic, filter } = trigger {
                let inbox = source::inbox(function, trigger);
                store.subscribe(topic, &inbox, filter).await?;
                subscriptions.entry(topic).or_default().push(inbox);
            }
        }
    }
    for (topic, keep) in &subscriptions {
        store.unsubscribe_others(topic, keep).await?;
    }
    Ok(())
}

/// Starts everything that feeds the triggers; returns also the tasks that end by themselves when they are told to stop.
#[expect(
    clippy::too_many_arguments,
    reason = "it connects all parts of the engine, once"
)]
pub(super) async fn start(
    app: &Arc<App>,
    store: &Store,
    holdings: &Holdings,
    fleet: &Arc<Fleet>,
    router: &Arc<Router>,
    activities: &Activities,
    clock: &Arc<dyn Clock>,
    stop: &CancellationToken,
) -> Result<(Feeds, Vec<JoinHandle<()>>)> {
    let mut starting = Starting {
        app: Arc::clone(app),
        feeds: Feeds::none(store),
        pumps: Vec::new(),
        tickers: Vec::new(),
    };
    subscribe(app, store).await?;
    for (function, spec) in &app.functions {
        let invoker: Arc<dyn Invoker> = Arc::clone(fleet) as Arc<dyn Invoker>;
        let feed = Feed {
            function: function.as_str().into(),
            spec: Arc::new(spec.clone()),
            invoker,
            store: store.clone(),
            activities: activities.clone(),
        };
        for trigger in &spec.on {
            starting.trigger(&feed, spec, trigger, clock)?;
        }
    }
    let Starting {
        feeds,
        pumps,
        tickers,
        ..
    } = starting;
    // All inboxes are known to the store from here on: what fills them may begin.
    let sink: Arc<dyn EventSink> = Arc::clone(router) as Arc<dyn EventSink>;
    let mut watches = Vec::new();
    for name in watched(app) {
        if let Some(bucket) = holdings.bucket(name) {
            watches.push(bucket.watch(Arc::clone(&sink)).await?);
        }
    }
    *feeds.watches.lock().unwrap_or_else(PoisonError::into_inner) = watches;
    *feeds.pumps.lock().unwrap_or_else(PoisonError::into_inner) =
        pumps.into_iter().map(Pump::start).collect();
    let tasks = tickers
        .into_iter()
        .map(|ticker| tokio::spawn(ticker.run(stop.clone())))
        .collect();
    Ok((feeds, tasks))
}

/// The buckets that a function has a trigger on, each once.
fn watched(app: &App) -> std::collections::BTreeSet<&str> {
    let triggers = app.functions.values().flat_map(|spec: &FunctionSpec| &spec.on);
    triggers
        .filter_map(|trigger| match trigger {
            Trigger::Bucket { bucket, .. } => Some(bucket.as_str()),
            _ => None,
        })
        .collect()
}

/// A pump before its start.
enum Pump {
    Messages(Box<MessagePump>),
    Log(Box<LogPump>),
}

impl Pump {
    fn start(self) -> Running {
        match self {
            Self::Messages(pump) => pump.start(),
            Self::Log(pump) => pump.start(),
        }
    }
}

struct Starting {
    app: Arc<App>,
    feeds: Feeds,
    pumps: Vec<Pump>,
    tickers: Vec<Ticker>,
}

impl Starting {
    fn trigger(
        &mut self,
        feed: &Feed,
        spec: &FunctionSpec,
        trigger: &Trigger,
        clock: &Arc<dyn Clock>,
    ) -> Result<()> {
        let inbox = source::inbox(&feed.function, trigger);
        match trigger {
            Trigger::Http { .. } => {}
            Trigger::Queue { queue, batch } => {
                let declared = match self.app.resources.get(queue) {
                    Some(Resource::Queue(declared)) => declared.clone(),
                    _ => QueueSpec::default(),
                };
                let queue = feed.store.queue(queue, &declared);
                self.messages(
                    feed,
                    queue,
                    MessageSource::Queue {
                        batch: *batch as usize,
                    },
                );
            }
            Trigger::Topic { .. } => self.inbox(feed, &inbox, MessageSource::Topic),
            Trigger::Bucket { .. } | Trigger::Email { .. } | Trigger::Auth { .. } | Trigger::Voice { .. } => {
                self.inbox(feed, &inbox, MessageSource::Inbox);
            }
            // The same trigger once more would race with the first for one checkpoint.
            Trigger::Stream { .. } | Trigger::Table { .. }
                if self.feeds.logs.iter().any(|(name, _)| *name == inbox) => {}
            Trigger::Stream { stream, batch } => {
                let pump = LogPump::stream(feed.clone(), stream, *batch as usize, inbox.clone());
                self.pumps.push(Pump::Log(Box::new(pump)));
                self.feeds.logs.push((inbox, Log::Stream(stream.clone())));
            }
            Trigger::Table { table, events, batch } => {
                let pump = LogPump::table(
                    feed.clone(),
                    table,
                    events.clone(),
                    *batch as usize,
                    inbox.clone(),
                );
                self.pumps.push(Pump::Log(Box::new(pump)));
                self.feeds.logs.push((inbox.clone(), Log::Table(table.clone())));
                // For changes that are made by hand: the table itself is left alone.
                self.inbox(feed, &inbox, MessageSource::Inbox);
            }
            Trigger::Schedule {
                schedule,
                every,
                timezone,
            } => {
                let timetable = Timetable::new(schedule, *every, timezone)
                    .map_err(|error| error.with("function", &feed.function))?;
                self.tickers.push(Ticker {
                    function: feed.function.to_string(),
                    schedule: schedule.clone(),
                    timetable,
                    inbox: inbox.clone(),
                    store: feed.store.clone(),
                    clock: Arc::clone(clock),
                    activities: feed.activities.clone(),
                });
                self.inbox(feed, &inbox, MessageSource::Inbox);
            }
        }
        debug_assert!(spec.on.contains(trigger), "a trigger is its function's");
        Ok(())
    }

    fn inbox(&mut self, feed: &Feed, name: &str, source: MessageSource) {
        let spec = QueueSpec {
            retention: INBOX_RETENTION,
            implicit: true,
            ..QueueSpec::default()
        };
        let queue = feed.store.queue(name, &spec);
        self.messages(feed, queue, source);
    }

    fn messages(&mut self, feed: &Feed, queue: EmbeddedQueue, source: MessageSource) {
        self.feeds.queues.push(queue.clone());
        self.pumps.push(Pump::Messages(Box::new(MessagePump::new(
            feed.clone(),
            queue,
            source,
        ))));
    }
}

impl Feeds {
    /// Whether nothing waits to be handled. What cannot be looked at now counts as waiting.
    pub(super) async fn are_empty(&self) -> bool {
        let reported = self
            .watches
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .iter()
            .all(|watch| watch.pending() == 0);
        if !reported {
            return false;
        }
        for queue in &self.queues {
            match queue.depth().await {
                Ok(depth) if depth.total() == 0 => {}
                _ => return false,
            }
        }
        for (consumer, log) in &self.logs {
            if !matches!(self.is_read(consumer, log).await, Ok(true)) {
                return false;
            }
        }
        true
    }

    async fn is_read(&self, consumer: &str, log: &Log) -> Result<bool> {
        match log {
            Log::Stream(name) => {
                let at = self.store.checkpoint(consumer, name).await?;
                Ok(self.store.records(name, at.position, 1).await?.is_empty())
            }
            Log::Table(name) => {
                let at = self.store.checkpoint(consumer, name).await?;
                Ok(self.store.changes(name, at.position, 1).await?.is_empty())
            }
        }
    }

    /// Takes nothing more; waits until what was taken is settled.
    pub(super) async fn stop(&self) {
        let watches = std::mem::take(&mut *self.watches.lock().unwrap_or_else(PoisonError::into_inner));
        futures::future::join_all(watches.into_iter().map(Watch::stop)).await;
        let pumps = std::mem::take(&mut *self.pumps.lock().unwrap_or_else(PoisonError::into_inner));
        futures::future::join_all(pumps.into_iter().map(Running::stop)).await;
    }
}
