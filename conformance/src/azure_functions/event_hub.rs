//! A stand-in for a namespace of Event Hubs, with the sending half of its REST interface, and `eventHubTrigger` over it.

mod trigger;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chrono::{DateTime, Utc};
use http::{HeaderMap, Method, Request, StatusCode};
use hyper::body::Incoming;
use nephos_core::Result;
use serde_json::{Map, Value};
use sha2::{Digest as _, Sha256};
use tokio::sync::watch;

pub(super) use self::trigger::{bodies, columns, context, listeners};

use super::refused;
use super::settings::Connection;
use crate::server::{Answer, Server, answer, header, is_authorized, read};

/// The most that one request may hold.
const LIMIT: usize = 1024 * 1024;

/// The type of a document with many messages.
pub(super) const BATCH: &str = "application/vnd.microsoft.servicebus.json";

/// How far consumers have come: the sequence number of the next event, by hub, group, partition and function. Clones are the same.
pub type Checkpoints = Arc<Mutex<BTreeMap<String, usize>>>;

/// A namespace of Event Hubs. Clones are the same one; it ends with the last.
#[derive(Debug, Clone)]
pub struct EventHubs {
    server: Arc<Server>,
    state: Arc<State>,
}

#[derive(Debug)]
struct State {
    hubs: Mutex<BTreeMap<String, Hub>>,
    count: watch::Sender<usize>,
}

#[derive(Debug)]
struct Hub {
    partitions: Vec<Vec<Event>>,
    next: usize,
}

/// An event as it is stored.
#[derive(Debug, Clone)]
#[allow(missing_docs, reason = "the names are those of the service")]
pub struct Event {
    pub body: Vec<u8>,
    pub properties: Map<String, Value>,
    pub partition_key: Option<String>,
    pub content_type: Option<String>,
    pub enqueued: DateTime<Utc>,
    pub sequence_number: usize,
    pub offset: usize,
}

impl EventHubs {
    /// Starts an empty namespace.
    ///
    /// # Errors
    /// [`nephos_core::ErrorKind::Unavailable`] if no port is free.
    pub async fn start() -> Result<Self> {
        let state = Arc::new(State {
            hubs: Mutex::default(),
            count: watch::Sender::new(0),
        });
        let served = Arc::clone(&state);
        let server = Server::start("Event Hubs", move |request| {
            let state = Arc::clone(&served);
            async move { state.answer(request).await.unwrap_or_else(|refusal| refusal) }
        })
        .await?;
        Ok(Self {
            server: Arc::new(server),
            state,
        })
    }

    /// Makes an event hub with so many partitions, at least one.
    pub fn create(&self, hub: &str, partitions: usize) {
        let mut hubs = self.state.hubs.lock().unwrap_or_else(PoisonError::into_inner);
        hubs.entry(hub.to_lowercase()).or_insert_with(|| Hub {
            partitions: vec![Vec::new(); partitions.max(1)],
            next: 0,
        });
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

    /// The events of a hub, by partition.
    #[must_use]
    pub fn events(&self, hub: &str) -> Vec<Vec<Event>> {
        let hubs = self.state.hubs.lock().unwrap_or_else(PoisonError::into_inner);
        hubs.get(&hub.to_lowercase())
            .map(|hub| hub.partitions.clone())
            .unwrap_or_default()
    }

    pub(super) fn of(connection: &Connection, known: Option<&Self>) -> Result<Self> {
        let named = namespace_of(connection)?;
        known
            .filter(|hubs| hubs.namespace() == named)
            .cloned()
            .ok_or_else(|| refused(format!("no namespace of Event Hubs is known at `{named}`")))
    }
}

/// The namespace that a connection names, in either form.
pub(super) fn namespace_of(connection: &Connection) -> Result<String> {
    let fields = connection.fields();
    match connection {
        Connection::Identity(_) => fields
            .get("fullyqualifiednamespace")
            .cloned()
            .ok_or_else(|| refused("the connection has no `fullyQualifiedNamespace`".to_owned())),
        Connection::Text(_) => {
            for name in ["endpoint", "sharedaccesskeyname", "sharedaccesskey"] {
                if fields.get(name).is_none_or(String::is_empty) {
                    return Err(refused(format!("the connection string has no `{name}`")));
                }
            }
            Ok(fields["endpoint"]
                .trim_start_matches("sb://")
                .trim_end_matches('/')
                .to_owned())
        }
    }
}

impl State {
    async fn answer(&self, request: Request<Incoming>) -> std::result::Result<Answer, Answer> {
        let (parts, body) = request.into_parts();
        let segments: Vec<&str> = parts.uri.path().trim_matches('/').split('/').collect();
        let (hub, partition) = match segments.as_slice() {
            [hub, "messages"] => (*hub, None),
            [hub, "partitions", partition, "messages"] => (*hub, Some(*partition)),
            _ => return Err(answer(StatusCode::NOT_FOUND, "")),
        };
        if parts.method != Method::POST {
            return Err(answer(StatusCode::METHOD_NOT_ALLOWED, ""));
        }
        if !is_authorized(&parts.headers) {
            return Err(answer(StatusCode::UNAUTHORIZED, ""));
        }
        let body = read(body, LIMIT).await?;
        let sent = sent(&parts.headers, &body).map_err(|reason| answer(StatusCode::BAD_REQUEST, reason))?;
        let mut hubs = self.hubs.lock().unwrap_or_else(PoisonError::into_inner);
        let found = hubs
            .get_mut(&hub.to_lowercase())
            .ok_or_else(|| answer(StatusCode::NOT_FOUND, ""))?;
        let partition = match partition {
            None => None,
            Some(text) => Some(
                text.parse()
                    .ok()
                    .filter(|partition| *partition < found.partitions.len())
                    .ok_or_else(|| answer(StatusCode::NOT_FOUND, ""))?,
            ),
        };
        found.append(sent, partition);
        drop(hubs);
        self.count.send_modify(|count| *count += 1);
        Ok(answer(StatusCode::CREATED, ""))
    }
}

impl Hub {
    /// Events with a key go to the partition of their key; the others of one request stay together.
    fn append(&mut self, sent: Vec<Sent>, partition: Option<usize>) {
        let count = self.partitions.len();
        let together = self.next % count;
        self.next = self.next.wrapping_add(1);
        for sent in sent {
            let key = sent
                .broker
                .get("PartitionKey")
                .and_then(Value::as_str)
                .map(ToOwned::to_owned);
            let at = partition
                .or_else(|| {
                    key.as_deref()
                        .map(|key| usize::from(Sha256::digest(key)[0]) % count)
                })
                .unwrap_or(together);
            let events = &mut self.partitions[at];
            let offset = events.last().map_or(0, |last| last.offset + last.body.len() + 64);
            events.push(Event {
                sequence_number: events.len(),
                offset,
                enqueued: Utc::now(),
                body: sent.body,
                properties: sent.properties,
                partition_key: key,
                content_type: sent.content_type,
            });
        }
    }
}

/// What a sender sent, of one message.
#[derive(Debug)]
pub(super) struct Sent {
    pub(super) body: Vec<u8>,
    pub(super) broker: Map<String, Value>,
    pub(super) properties: Map<String, Value>,
    pub(super) content_type: Option<String>,
}

/// The messages of a request: one with its properties in headers, or many in a document.
pub(super) fn sent(headers: &HeaderMap, body: &[u8]) -> std::result::Result<Vec<Sent>, String> {
    let content_type = header(headers, "content-type").unwrap_or_default();
    let kind = content_type.split(';').next().unwrap_or_default().trim();
    if kind == BATCH {
        let messages: Vec<Value> =
            serde_json::from_slice(body).map_err(|error| format!("the batch is no list: {error}"))?;
        return messages.iter().map(one_of_many).collect();
    }
    let broker = match header(headers, "brokerproperties") {
        None => Map::new(),
        Some(text) => serde_json::from_str(text)
            .map_err(|error| format!("BrokerProperties are no JSON object: {error}"))?,
    };
    Ok(vec![Sent {
        body: body.to_vec(),
        broker,
        properties: properties(headers),
        content_type: (!content_type.is_empty()).then(|| content_type.to_owned()),
    }])
}

fn one_of_many(message: &Value) -> std::result::Result<Sent, String> {
    let object = |name: &str| {
        message
            .get(name)
            .and_then(Value::as_object)
            .cloned()
            .unwrap_or_default()
    };
    let text = message
        .get("Body")
        .and_then(Value::as_str)
        .ok_or_else(|| "a message of the batch has no text as `Body`".to_owned())?;
    let is_base64 = message
        .get("IsBodyBase64")
        .and_then(Value::as_bool)
        .unwrap_or(false);
    let body = if is_base64 {
        STANDARD
            .decode(text)
            .map_err(|error| format!("a message's body is no Base64: {error}"))?
    } else {
        text.as_bytes().to_vec()
    };
    let broker = object("BrokerProperties");
    Ok(Sent {
        body,
        content_type: broker
            .get("ContentType")
            .and_then(Value::as_str)
            .map(ToOwned::to_owned),
        broker,
        properties: object("UserProperties"),
    })
}

/// Headers that are no properties of a message.
const NOT_PROPERTIES: [&str; 12] = [
    "accept",
    "accept-encoding",
    "authorization",
    "brokerproperties",
    "connection",
    "content-length",
    "content-type",
    "date",
    "expect",
    "host",
    "transfer-encoding",
    "user-agent",
];

/// A message's properties are the other headers: a text in quotation marks, or a number, or text as it is.
fn properties(headers: &HeaderMap) -> Map<String, Value> {
    headers
        .iter()
        .filter(|(name, _)| !NOT_PROPERTIES.contains(&name.as_str()) && !name.as_str().starts_with("x-ms-"))
        .filter_map(|(name, value)| {
            let text = value.to_str().ok()?;
            let value = serde_json::from_str(text)
                .ok()
                .filter(|value: &Value| value.is_string() || value.is_number() || value.is_boolean())
                .unwrap_or_else(|| text.into());
            Some((name.as_str().to_owned(), value))
        })
        .collect()
}
