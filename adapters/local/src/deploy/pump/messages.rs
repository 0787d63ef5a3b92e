//! The pump of queues and inboxes: leases messages, has them handled, and settles each for itself.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use nephos_core::dead_letter::{self, Given};
use nephos_core::event::{Attributes, Data, Event, Message, Payload, cloudevents as wire};
use nephos_core::resource::queue::{Outgoing, QueueDriver as _, Receipt, Received};
use nephos_core::{Disposition, Error, ErrorKind, Outcome, Result};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::{Feed, Running, backoff, source};
use crate::deploy::activity::Activity;
use crate::deploy::store::{EmbeddedQueue, notification};

/// How long one look into an empty queue waits.
const WAIT: Duration = Duration::from_secs(20);
/// How much longer than the function's time-out a lease is: the wait for a process, and its start.
const MARGIN: Duration = Duration::from_secs(30);
/// The most deliveries under way at once, whatever the function could take.
const MAX_DELIVERIES: usize = 16;
/// The wait after the store failed.
const TROUBLE: Duration = Duration::from_secs(1);

/// What a queue's messages are.
#[derive(Debug, Clone)]
pub enum MessageSource {
    /// Messages of a queue that the app declares, so many to an invocation.
    Queue {
        /// The most messages of one invocation.
        batch: usize,
    },
    /// Notifications in a subscription's inbox.
    Topic,
    /// CloudEvents in JSON: what bucket, schedule, e-mail and `emit` leave.
    Inbox,
}

/// What one place delivers, one batch after the other.
type Batches = VecDeque<Vec<Received>>;

/// Feeds a function from a queue.
#[derive(Debug, Clone)]
pub struct MessagePump {
    feed: Feed,
    queue: EmbeddedQueue,
    source: MessageSource,
}

impl MessagePump {
    /// A pump from `queue` to the feed's function.
    #[must_use]
    pub fn new(feed: Feed, queue: EmbeddedQueue, source: MessageSource) -> Self {
        Self { feed, queue, source }
    }

    /// Starts it.
    #[must_use]
    pub fn start(self) -> Running {
        Running::spawn(|cancel| Arc::new(self).run(cancel))
    }

    async fn run(self: Arc<Self>, cancel: CancellationToken) {
        let places = self
            .feed
            .invoker
            .capacity(&self.feed.function)
            .clamp(1, MAX_DELIVERIES);
        let places = Arc::new(Semaphore::new(places));
        let mut deliveries = JoinSet::new();
        loop {
            // Reaps what has ended, so that the set does not grow.
            while deliveries.try_join_next().is_some() {}
            let taken = tokio::select! {
                biased;
                () = cancel.cancelled() => break,
                taken = self.take(&places) => taken,
            };
            match taken {
                Ok(taken) => {
                    for (batches, place) in taken {
                        let pump = Arc::clone(&self);
                        deliveries.spawn(async move {
                            pump.deliver_in_turn(batches).await;
                            drop(place);
                        });
                    }
                }
                Err(error) => {
                    self.trouble("could not take messages", &error);
                    tokio::select! {
                        () = cancel.cancelled() => break,
                        () = tokio::time::sleep(TROUBLE) => {}
                    }
                }
            }
        }
        while deliveries.join_next().await.is_some() {}
    }

    /// Leases as many batches as there are places, so that one transaction serves them all.
    async fn take(&self, places: &Arc<Semaphore>) -> Result<Vec<(Batches, OwnedSemaphorePermit)>> {
        let closed = |_| Error::new(ErrorKind::Internal, "pump.take", "the pump's places are gone");
        let mut held = vec![Arc::clone(places).acquire_owned().await.map_err(closed)?];
        while let Ok(place) = Arc::clone(places).try_acquire_owned() {
            held.push(place);
        }
        let batch = match self.source {
            MessageSource::Queue { batch } => batch.max(1),
            MessageSource::Topic | MessageSource::Inbox => 1,
        };
        let most = (batch * held.len()).min(self.queue.capabilities().max_receive);
        let received = self.queue.receive(most, self.lease(), WAIT).await?;
        // What comes again comes alone: a message that crashes its process, or hangs, would take its neighbours with it each time.
        let (again, first): (Vec<_>, Vec<_>) = received
            .into_iter()
            .partition(|received| received.message.attempt > 1);
        let mut batches: Batches = again.into_iter().map(|received| vec![received]).collect();
        let mut first = first.into_iter().peekable();
        while first.peek().is_some() {
            batches.push_back(first.by_ref().take(batch).collect());
        }
        held.truncate(batches.len());
        let mut taken: Vec<_> = held.into_iter().map(|place| (Batches::new(), place)).collect();
        let count = taken.len();
        for (index, batch) in batches.into_iter().enumerate() {
            taken[index % count].0.push_back(batch);
        }
        Ok(taken)
    }

    fn lease(&self) -> Duration {
        (self.feed.spec.timeout + MARGIN).max(self.queue.spec().visibility_timeout)
    }

    async fn deliver_in_turn(&self, mut batches: Batches) {
        while let Some(batch) = batches.pop_front() {
            let behind = batches.iter().flatten();
            // Those that wait are leased as well.
            let receipts = batch
                .iter()
                .chain(behind)
                .map(|received| received.receipt.clone())
                .collect();
            self.deliver(batch, receipts).await;
        }
    }

    /// Delivers a batch, and keeps the leases of `receipts` meanwhile.
    async fn deliver(&self, batch: Vec<Received>, receipts: Vec<Receipt>) {
        let lease = self.lease();
        let handled = self.handle(batch);
        let mut handled = std::pin::pin!(handled);
        // A wait for a busy function's process can be longer than the lease: it is renewed as long as the delivery lives.
        let settlement = loop {
            tokio::select! {
                settlement = &mut handled => break settlement,
                () = tokio::time::sleep(lease / 2) => {
                    for receipt in &receipts {
                        if let Err(error) = self.queue.extend(receipt, lease).await {
                            self.trouble("could not renew a lease", &error);
                        }
                    }
                }
            }
        };
        self.settle(settlement).await;
    }

    async fn handle(&self, batch: Vec<Received>) -> Settlement {
        let mut settlement = Settlement::default();
        let mut letters = Vec::new();
        let mut messages = Vec::new();
        for Received { message, receipt } in batch {
            letters.push(Letter {
                id: message.id.clone(),
                attempt: message.attempt,
                receipt,
            });
            messages.push(message);
        }
        let attempt = letters.iter().map(|letter| letter.attempt).max().unwrap_or(1);
        let event = match self.event(&messages) {
            Ok(event) => event,
            Err(error) => {
                // What cannot be read now never can.
                for (letter, message) in letters.into_iter().zip(messages) {
                    let dead = self.dead_record(&letter, message, &error);
                    settlement.dead.push((letter, dead, error.chain()));
                }
                return settlement;
            }
        };
        let outcome = match self
            .feed
            .invoker
            .invoke(&self.feed.function, &event, attempt)
            .await
        {
            Ok(outcome) => outcome,
            Err(error) => Outcome::Failed(error),
        };
        let mut failures: HashMap<String, Arc<Error>> = HashMap::new();
        let alone = letters.len() == 1;
        // Which of several messages is to blame is not known: none is given up before it has failed alone.
        let blame_unknown = matches!(outcome, Outcome::Failed(_)) && !alone;
        match outcome {
            Outcome::Failed(error) => {
                let error = Arc::new(error);
                failures.extend(
                    letters
                        .iter()
                        .map(|letter| (letter.id.clone(), Arc::clone(&error))),
                );
            }
            Outcome::Batch(batch) => {
                failures.extend(
                    batch
                        .into_failures()
                        .into_iter()
                        .map(|failure| (failure.id, Arc::new(failure.error))),
                );
            }
            _ => {}
        }
        for (letter, message) in letters.into_iter().zip(messages) {
            let Some(error) = failures.get(&letter.id) else {
                settlement.acks.push(letter.receipt);
                continue;
            };
            // A record that only waited behind one that failed was not tried: that is no reason to give it up. Alone it waits for none, and the error
            // is the handler's own.
            let tried = error.kind() != ErrorKind::Cancelled || alone;
            let last = tried && !blame_unknown && letter.attempt >= self.feed.spec.retry.attempts;
            if error.disposition() == Disposition::Reject || last {
                let dead = match &self.source {
                    MessageSource::Queue { .. } => self.dead_record(&letter, message, error),
                    _ => dead_letter::of_event(&event, &self.feed.function, letter.attempt, error)
                        .unwrap_or_else(|_| self.dead_record(&letter, message, error)),
                };
                settlement.dead.push((letter, dead, error.chain()));
            } else {
                settlement
                    .nacks
                    .push((letter.receipt, backoff(&self.feed.spec.retry, letter.attempt)));
            }
        }
        settlement
    }

    /// The event that these messages are.
    fn event(&self, messages: &[Message<Payload>]) -> Result<Event> {
        let first = messages.first().ok_or_else(|| {
            Error::new(
                ErrorKind::Internal,
                "pump.deliver",
                "there is no message to deliver",
            )
        })?;
        match self.source {
            MessageSource::Queue { .. } => {
                let attributes = Attributes::new(format!("queue/{}", self.queue.name()), wire::QUEUE_MESSAGE);
                Ok(Event::new(attributes, Data::Queue(messages.to_vec())))
            }
            MessageSource::Topic => {
                let notification = notification(first.clone());
                let mut attributes =
                    Attributes::new(format!("topic/{}", notification.topic), wire::TOPIC_NOTIFICATION)
                        .id(&notification.id);
                attributes.time = notification.published_at;
                Ok(Event::new(attributes, Data::Topic(notification)))
            }
            MessageSource::Inbox => source::read(&first.body),
        }
    }

    fn dead_record(&self, letter: &Letter, message: Message<Payload>, error: &Error) -> Outgoing {
        let source = format!("queue/{}", self.queue.name());
        dead_letter::of_record(
            message.body,
            message.attributes,
            Given {
                function: &self.feed.function,
                id: &letter.id,
                ty: wire::QUEUE_MESSAGE,
                source: &source,
                attempts: letter.attempt,
                error,
            },
        )
    }

    /// Settles until it succeeds: what was handled must not be handled again for want of an acknowledgement.
    async fn settle(&self, settlement: Settlement) {
        let Settlement { acks, nacks, dead } = settlement;
        let queue = &self.feed.spec.dead_letter;
        let mut told = Vec::new();
        let mut letters = Vec::new();
        for (letter, outgoing, reason) in dead {
            told.push(Activity::DeadLettered {
                function: self.feed.function.to_string(),
                id: letter.id,
                reason,
                queue: queue.clone(),
                attempts: letter.attempt,
            });
            letters.push((letter.receipt, queue.clone(), outgoing));
        }
        loop {
            let settled = self
                .feed
                .store
                .settle(self.queue.name(), acks.clone(), nacks.clone(), letters.clone())
                .await;
            match settled {
                Ok(()) => break,
                // Some leases had run out: their messages are delivered again, the rest is settled.
                Err(error) if error.kind() == ErrorKind::Conflict => {
                    self.trouble("some messages took longer than their lease", &error);
                    break;
                }
                // The store was closed under us: what is not acknowledged is delivered again at the next start.
                Err(error) if error.kind() == ErrorKind::Unavailable => {
                    self.trouble("could not settle messages", &error);
                    return;
                }
                Err(error) => {
                    self.trouble("could not settle messages", &error);
                    tokio::time::sleep(TROUBLE).await;
                }
            }
        }
        told.into_iter()
            .for_each(|activity| self.feed.activities.tell(activity));
    }

    fn trouble(&self, what: &str, error: &Error) {
        let message = format!(
            "{} ({}): {what}: {}",
            self.feed.function,
            self.queue.name(),
            error.chain()
        );
        self.feed.activities.trouble(message);
    }
}

/// A message's id, attempt and receipt, once its body is on its way.
#[derive(Debug)]
struct Letter {
    id: String,
    attempt: u32,
    receipt: Receipt,
}

/// What becomes of the messages of a delivery.
#[derive(Debug, Default)]
struct Settlement {
    acks: Vec<Receipt>,
    nacks: Vec<(Receipt, Duration)>,
    dead: Vec<(Letter, Outgoing, String)>,
}
