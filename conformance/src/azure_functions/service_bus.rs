//! A stand-in for a namespace of Service Bus: queues with locks, sessions and dead letters, over its REST interface, and `serviceBusTrigger` over it.

mod queue;
mod rest;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chrono::{DateTime, Utc};
use nephos_core::Result;
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use self::queue::Queue;
pub use self::queue::{Message, QueueOptions};

use super::event_hub::namespace_of;
use super::invoke::{Bound, Input, Invoker};
use super::package::{self, Function, ServiceBusTrigger};
use super::refused;
use super::settings::Connection;
use crate::server::Server;

/// What a queue's dead letters are found below.
pub const DEAD_LETTERS: &str = "/$deadletterqueue";

/// How often a listener looks for what became visible by time alone.
const LOOK: Duration = Duration::from_millis(50);

/// A namespace of Service Bus. Clones are the same one; it ends with the last.
#[derive(Debug, Clone)]
pub struct ServiceBus {
    server: Arc<Server>,
    state: Arc<State>,
}

#[derive(Debug)]
struct State {
    queues: Mutex<BTreeMap<String, Queue>>,
    changes: watch::Sender<usize>,
}

impl State {
    fn queues(&self) -> MutexGuard<'_, BTreeMap<String, Queue>> {
        self.queues.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn changed(&self) {
        self.changes.send_modify(|count| *count += 1);
    }

    /// Gives a message back, or moves it to the dead letters.
    fn abandon(&self, queue: &str, lock: &str) -> bool {
        let mut queues = self.queues();
        let Some(abandoned) = queues.get_mut(queue).map(|found| found.abandon(lock)) else {
            return false;
        };
        let known = match abandoned {
            None => false,
            Some(None) => true,
            Some(Some(dead)) => {
                let letters = queues
                    .entry(format!("{queue}{DEAD_LETTERS}"))
                    .or_insert_with(|| Queue::new(QueueOptions::dead_letters()));
                letters.push_dead(dead, queue);
                true
            }
        };
        drop(queues);
        self.changed();
        known
    }
}

impl ServiceBus {
    /// Starts an empty namespace.
    ///
    /// # Errors
    /// [`nephos_core::ErrorKind::Unavailable`] if no port is free.
    pub async fn start() -> Result<Self> {
        let state = Arc::new(State {
            queues: Mutex::default(),
            changes: watch::Sender::new(0),
        });
        let served = Arc::clone(&state);
        let server = Server::start("Service Bus", move |request| {
            let state = Arc::clone(&served);
            async move { state.answer(request).await.unwrap_or_else(|refusal| refusal) }
        })
        .await?;
        Ok(Self {
            server: Arc::new(server),
            state,
        })
    }

    /// Makes a queue.
    pub fn create(&self, queue: &str, options: QueueOptions) {
        self.state
            .queues()
            .insert(queue.to_lowercase(), Queue::new(options));
    }

    /// Where it answers (`http://127.0.0.1:5000`).
    #[must_use]
    pub fn url(&self) -> String {
        self.server.url()
    }

    /// What `fullyQualifiedNamespace` of a connection says.
    #[must_use]
    pub fn namespace(&self) -> String {
        self.server.authority()
    }

    /// The messages of a queue, or of its dead letters (`jobs/$deadletterqueue`), in their order.
    #[must_use]
    pub fn messages(&self, queue: &str) -> Vec<Message> {
        self.state
            .queues()
            .get(&queue.to_lowercase())
            .map(Queue::messages)
            .unwrap_or_default()
    }

    pub(super) fn of(connection: &Connection, known: Option<&Self>) -> Result<Self> {
        let named = namespace_of(connection)?;
        known
            .filter(|bus| bus.namespace() == named)
            .cloned()
            .ok_or_else(|| refused(format!("no namespace of Service Bus is known at `{named}`")))
    }
}

/// One function's queue.
#[derive(Debug)]
pub(super) struct Listener {
    function: Arc<Function>,
    queue: String,
    sessions: bool,
    most: usize,
    state: Arc<State>,
    invoker: Arc<Invoker>,
    lock: Duration,
}

impl Listener {
    pub(super) fn new(
        function: Arc<Function>,
        trigger: &ServiceBusTrigger,
        namespace: &ServiceBus,
        invoker: Arc<Invoker>,
        options: &package::ServiceBus,
    ) -> Result<Self> {
        let queue = trigger.queue_name.to_lowercase();
        let found = namespace
            .state
            .queues()
            .get(&queue)
            .map(|found| (found.options.sessions, found.options.lock));
        let Some((sessions, lock)) = found else {
            return Err(refused(format!("there is no queue `{}`", trigger.queue_name)));
        };
        if sessions != trigger.sessions {
            return Err(refused(format!(
                "`isSessionsEnabled` is {}, and sessions of queue `{}` are {}",
                trigger.sessions,
                trigger.queue_name,
                if sessions { "required" } else { "off" }
            )));
        }
        Ok(Self {
            function,
            queue,
            sessions,
            most: if sessions {
                options.max_concurrent_sessions
            } else {
                options.max_concurrent_calls
            },
            state: Arc::clone(&namespace.state),
            invoker,
            lock,
        })
    }

    /// Handles messages until it is told to stop; those under way are handled to their end.
    pub(super) async fn run(self, stop: CancellationToken) {
        let listener = Arc::new(self);
        let mut changes = listener.state.changes.subscribe();
        let mut under_way = JoinSet::new();
        while !stop.is_cancelled() {
            changes.borrow_and_update();
            if under_way.len() < listener.most {
                let received = {
                    let mut queues = listener.state.queues();
                    queues
                        .get_mut(&listener.queue)
                        .and_then(|queue| queue.receive(None))
                };
                if let Some(message) = received {
                    let listener = Arc::clone(&listener);
                    let stop = stop.clone();
                    under_way.spawn(async move { listener.work(message, &stop).await });
                    continue;
                }
            }
            tokio::select! {
                () = stop.cancelled() => break,
                _ = changes.changed() => {}
                () = tokio::time::sleep(LOOK) => {}
                _ = under_way.join_next(), if !under_way.is_empty() => {}
            }
        }
        while under_way.join_next().await.is_some() {}
    }

    /// Handles a message, and then the others of its session, one after another.
    async fn work(&self, first: Message, stop: &CancellationToken) {
        let session = first
            .session_id()
            .map(ToOwned::to_owned)
            .filter(|_| self.sessions);
        let mut next = Some(first);
        while let Some(message) = next.take() {
            self.handle(message).await;
            if let Some(session) = session.as_deref().filter(|_| !stop.is_cancelled()) {
                let mut queues = self.state.queues();
                next = queues
                    .get_mut(&self.queue)
                    .and_then(|queue| queue.receive(Some(session)));
            }
        }
        if let Some(session) = session {
            let mut queues = self.state.queues();
            if let Some(queue) = queues.get_mut(&self.queue) {
                queue.release(&session);
            }
            drop(queues);
            self.state.changed();
        }
    }

    async fn handle(&self, message: Message) {
        let lock = message.lock_token.clone();
        let invocation = self
            .invoker
            .invoke(&self.function, input(&message, self.function.trigger.binary));
        tokio::pin!(invocation);
        let outcome = loop {
            tokio::select! {
                outcome = &mut invocation => break outcome,
                () = tokio::time::sleep(self.lock / 2) => {
                    if let Some(queue) = self.state.queues().get_mut(&self.queue) {
                        queue.renew(&lock);
                    }
                }
            }
        };
        if outcome.is_ok() {
            if let Some(queue) = self.state.queues().get_mut(&self.queue) {
                queue.complete(&lock);
            }
            self.state.changed();
        } else {
            self.state.abandon(&self.queue, &lock);
        }
    }
}

/// What a message is handed over as.
pub(super) fn input(message: &Message, binary: bool) -> Input {
    let value = if binary {
        Bound::Bytes(message.body.clone())
    } else {
        Bound::Text(String::from_utf8_lossy(&message.body).into_owned())
    };
    let mut metadata = vec![
        (
            "DeliveryCount".to_owned(),
            Bound::Json(json!(message.delivery_count)),
        ),
        ("LockToken".to_owned(), Bound::Text(message.lock_token.clone())),
        (
            "SequenceNumber".to_owned(),
            Bound::Json(json!(message.sequence_number)),
        ),
        (
            "EnqueuedSequenceNumber".to_owned(),
            Bound::Json(json!(message.sequence_number)),
        ),
        ("EnqueuedTimeUtc".to_owned(), Bound::Unzoned(message.enqueued)),
        ("ExpiresAtUtc".to_owned(), Bound::Unzoned(message.expires)),
        (
            "ApplicationProperties".to_owned(),
            Bound::Object(Value::Object(message.properties.clone())),
        ),
        (
            "UserProperties".to_owned(),
            Bound::Object(Value::Object(message.properties.clone())),
        ),
    ];
    let texts = [
        ("MessageId", "MessageId"),
        ("SessionId", "SessionId"),
        ("CorrelationId", "CorrelationId"),
        ("PartitionKey", "PartitionKey"),
        ("ReplyTo", "ReplyTo"),
        ("To", "To"),
        ("Subject", "Label"),
        ("Label", "Label"),
        ("ContentType", "ContentType"),
        ("DeadLetterSource", "DeadLetterSource"),
    ];
    for (name, property) in texts {
        if let Some(text) = message.broker.get(property).and_then(Value::as_str) {
            metadata.push((name.to_owned(), Bound::Text(text.to_owned())));
        }
    }
    Input { value, metadata }
}

/// What many messages are handed over as: a list for each fact.
pub(super) fn batch(messages: &[Message]) -> Input {
    let all = |value: &dyn Fn(&Message) -> Value| Bound::Json(messages.iter().map(value).collect());
    let broker =
        |name: &'static str| all(&move |message| message.broker.get(name).cloned().unwrap_or_default());
    let time = |time: DateTime<Utc>| json!(time.format("%Y-%m-%dT%H:%M:%S").to_string());
    let properties = || all(&|message| Value::Object(message.properties.clone()));
    let columns = [
        ("DeliveryCount", all(&|message| json!(message.delivery_count))),
        ("SequenceNumber", all(&|message| json!(message.sequence_number))),
        ("LockToken", all(&|message| json!(message.lock_token))),
        ("EnqueuedTimeUtc", all(&|message| time(message.enqueued))),
        ("ExpiresAtUtc", all(&|message| time(message.expires))),
        ("ApplicationProperties", properties()),
        ("UserProperties", properties()),
        ("MessageId", broker("MessageId")),
        ("SessionId", broker("SessionId")),
        ("CorrelationId", broker("CorrelationId")),
        ("ContentType", broker("ContentType")),
        ("Label", broker("Label")),
        ("ReplyTo", broker("ReplyTo")),
        ("To", broker("To")),
    ];
    Input {
        value: all(&|message| json!(STANDARD.encode(&message.body))),
        metadata: columns
            .into_iter()
            .map(|(name, column)| (format!("{name}Array"), column))
            .collect(),
    }
}
