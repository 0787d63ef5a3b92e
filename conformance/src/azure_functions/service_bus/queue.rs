//! A queue: messages in their order, locks, sessions, delayed and expired messages, and how often each was delivered.

use std::collections::{BTreeMap, VecDeque};
use std::time::{Duration, Instant};

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Map, Value, json};

use crate::azure_functions::event_hub::Sent;

/// What a queue is made with.
#[derive(Debug, Clone)]
pub struct QueueOptions {
    /// Whether each message must be of a session.
    pub sessions: bool,
    /// After how many deliveries a message is a dead letter.
    pub max_delivery_count: u32,
    /// How long a received message is locked.
    pub lock: Duration,
    /// How long a message lives that says nothing of it.
    pub time_to_live: Option<Duration>,
}

impl Default for QueueOptions {
    fn default() -> Self {
        Self {
            sessions: false,
            max_delivery_count: 10,
            lock: Duration::from_secs(60),
            time_to_live: None,
        }
    }
}

impl QueueOptions {
    pub(super) fn dead_letters() -> Self {
        Self {
            max_delivery_count: u32::MAX,
            ..Self::default()
        }
    }
}

/// A message.
#[derive(Debug, Clone)]
#[allow(missing_docs, reason = "the names are those of the service")]
pub struct Message {
    pub body: Vec<u8>,
    pub broker: Map<String, Value>,
    pub properties: Map<String, Value>,
    pub sequence_number: u64,
    pub enqueued: DateTime<Utc>,
    pub expires: DateTime<Utc>,
    pub visible: DateTime<Utc>,
    pub delivery_count: u32,
    pub lock_token: String,
    pub(super) locked_until: Option<Instant>,
}

impl Message {
    /// A message that was sent, and is delivered for the `delivery_count`th time. Of a lock that nobody holds.
    #[must_use]
    pub fn delivered(
        body: Vec<u8>,
        broker: Map<String, Value>,
        properties: Map<String, Value>,
        enqueued: DateTime<Utc>,
        delivery_count: u32,
    ) -> Self {
        Self {
            body,
            broker,
            properties,
            sequence_number: 1,
            enqueued,
            expires: enqueued + TimeDelta::days(14),
            visible: enqueued,
            delivery_count,
            lock_token: uuid::Uuid::new_v4().to_string(),
            locked_until: None,
        }
    }

    /// The session that it is of.
    #[must_use]
    pub fn session_id(&self) -> Option<&str> {
        self.broker.get("SessionId").and_then(Value::as_str)
    }

    fn is_locked(&self) -> bool {
        self.locked_until.is_some_and(|until| until > Instant::now())
    }
}

#[derive(Debug)]
pub(super) struct Queue {
    pub(super) options: QueueOptions,
    messages: VecDeque<Message>,
    sessions: BTreeMap<String, Instant>,
    next: u64,
}

impl Queue {
    pub(super) fn new(options: QueueOptions) -> Self {
        Self {
            options,
            messages: VecDeque::new(),
            sessions: BTreeMap::new(),
            next: 1,
        }
    }

    pub(super) fn messages(&self) -> Vec<Message> {
        self.messages.iter().cloned().collect()
    }

    /// Takes a message, or says why not.
    pub(super) fn send(&mut self, sent: Sent) -> Result<(), String> {
        let mut broker = sent.broker;
        let text = |broker: &Map<String, Value>, name: &str| {
            broker.get(name).and_then(Value::as_str).map(ToOwned::to_owned)
        };
        let (session, key) = (text(&broker, "SessionId"), text(&broker, "PartitionKey"));
        if self.options.sessions && session.is_none() {
            return Err("the queue requires sessions, and the message has no SessionId".to_owned());
        }
        if session.is_some() && key.is_some() && session != key {
            return Err("SessionId and PartitionKey of a message must be the same".to_owned());
        }
        let now = Utc::now();
        let visible = match text(&broker, "ScheduledEnqueueTimeUtc") {
            None => now,
            Some(text) => DateTime::parse_from_rfc2822(&text)
                .or_else(|_| DateTime::parse_from_rfc3339(&text))
                .map_err(|_| format!("ScheduledEnqueueTimeUtc `{text}` is no time"))?
                .with_timezone(&Utc),
        };
        let own = broker
            .get("TimeToLive")
            .and_then(Value::as_f64)
            .and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
        let expires = [own, self.options.time_to_live]
            .into_iter()
            .flatten()
            .min()
            .and_then(|span| visible.checked_add_signed(TimeDelta::from_std(span).ok()?))
            .unwrap_or(DateTime::<Utc>::MAX_UTC);
        if let Some(content_type) = sent.content_type {
            broker.entry("ContentType").or_insert_with(|| content_type.into());
        }
        broker
            .entry("MessageId")
            .or_insert_with(|| uuid::Uuid::new_v4().simple().to_string().into());
        self.messages.push_back(Message {
            body: sent.body,
            broker,
            properties: sent.properties,
            sequence_number: self.next,
            enqueued: now,
            expires,
            visible,
            delivery_count: 0,
            lock_token: String::new(),
            locked_until: None,
        });
        self.next += 1;
        Ok(())
    }

    /// Locks the next message: of one session, if the caller has it, else of any that nobody has.
    pub(super) fn receive(&mut self, session: Option<&str>) -> Option<Message> {
        let now = Utc::now();
        self.messages
            .retain(|message| message.expires > now || message.is_locked());
        let held = |sessions: &BTreeMap<String, Instant>, id: &str| {
            sessions.get(id).is_some_and(|until| *until > Instant::now())
        };
        let mut closed: Vec<String> = Vec::new();
        let mut found = None;
        for (at, message) in self.messages.iter().enumerate() {
            let own = message.session_id();
            if self.options.sessions {
                let own = own.unwrap_or_default();
                let is_mine = session == Some(own);
                if !is_mine && (session.is_some() || held(&self.sessions, own)) {
                    continue;
                }
                // A session's messages do not overtake each other.
                if closed.iter().any(|id| id == own) {
                    continue;
                }
                if message.is_locked() {
                    closed.push(own.to_owned());
                }
            }
            if message.is_locked() || message.visible > now {
                continue;
            }
            found = Some(at);
            break;
        }
        let until = Instant::now() + self.options.lock;
        let message = self.messages.get_mut(found?)?;
        message.delivery_count += 1;
        message.lock_token = uuid::Uuid::new_v4().to_string();
        message.locked_until = Some(until);
        let message = message.clone();
        if let Some(id) = message.session_id().filter(|_| self.options.sessions) {
            self.sessions.insert(id.to_owned(), until);
        }
        Some(message)
    }

    fn locked(&self, lock: &str) -> Option<usize> {
        self.messages
            .iter()
            .position(|message| message.lock_token == lock && message.is_locked())
    }

    /// Removes a message whose lock is still held.
    pub(super) fn complete(&mut self, lock: &str) -> bool {
        let Some(at) = self.locked(lock) else { return false };
        self.messages.remove(at).is_some()
    }

    /// Holds a message, and its session, longer.
    pub(super) fn renew(&mut self, lock: &str) -> bool {
        let Some(at) = self.locked(lock) else { return false };
        let until = Instant::now() + self.options.lock;
        let message = &mut self.messages[at];
        message.locked_until = Some(until);
        if let Some(id) = message
            .session_id()
            .map(ToOwned::to_owned)
            .filter(|_| self.options.sessions)
        {
            self.sessions.insert(id, until);
        }
        true
    }

    /// Gives a message back: none if the lock is not held, and the message if it was delivered too often.
    pub(super) fn abandon(&mut self, lock: &str) -> Option<Option<Message>> {
        let at = self.locked(lock)?;
        if self.messages[at].delivery_count >= self.options.max_delivery_count {
            return Some(self.messages.remove(at));
        }
        self.messages[at].locked_until = None;
        Some(None)
    }

    /// Lets others have a session.
    pub(super) fn release(&mut self, session: &str) {
        self.sessions.remove(session);
    }

    /// Takes a dead letter of another queue.
    pub(super) fn push_dead(&mut self, mut message: Message, source: &str) {
        message.locked_until = None;
        message
            .broker
            .insert("DeadLetterSource".to_owned(), source.into());
        message
            .properties
            .insert("DeadLetterReason".to_owned(), "MaxDeliveryCountExceeded".into());
        message.properties.insert(
            "DeadLetterErrorDescription".to_owned(),
            "Message could not be consumed after the maximum number of delivery attempts.".into(),
        );
        message.expires = DateTime::<Utc>::MAX_UTC;
        self.messages.push_back(message);
    }
}

/// What a receiver is told of a message beside its body.
pub(super) fn broker_properties(message: &Message) -> Value {
    let mut properties = message.broker.clone();
    let mut set = |name: &str, value: Value| properties.insert(name.to_owned(), value);
    set("SequenceNumber", json!(message.sequence_number));
    set("DeliveryCount", json!(message.delivery_count));
    set(
        "EnqueuedTimeUtc",
        json!(message.enqueued.format("%a, %d %b %Y %H:%M:%S GMT").to_string()),
    );
    set("State", json!("Active"));
    if let Some(until) = message.locked_until {
        set("LockToken", json!(message.lock_token));
        let rest = until.saturating_duration_since(Instant::now());
        let until = Utc::now() + TimeDelta::from_std(rest).unwrap_or_default();
        set(
            "LockedUntilUtc",
            json!(until.format("%a, %d %b %Y %H:%M:%S GMT").to_string()),
        );
    }
    Value::Object(properties)
}
