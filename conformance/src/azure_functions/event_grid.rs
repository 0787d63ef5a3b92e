//! A stand-in for Event Grid: custom topics over HTTP, a storage account's system topic, subscriptions with filters, and deliveries to Storage queues and functions.

mod filter;
mod subscription;
mod system;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::{Request, StatusCode};
use hyper::body::Incoming;
use nephos_core::Result;
use serde_json::Value;
use tokio_util::sync::CancellationToken;

pub(super) use self::subscription::event;
pub use self::subscription::{Destination, Schema, Subscription};
pub(super) use self::system::data;

use super::azurite::Watched;
use super::invoke::{Bound, Input};
use super::log::Log;
use super::refused;
use super::storage::Account;
use crate::server::{Answer, Server, answer, header, is_authorized, read};

/// The most that one request may hold.
const LIMIT: usize = 1024 * 1024;

/// The first pause between tries of a delivery; each next is twice as long.
const PAUSE: Duration = Duration::from_millis(100);
/// The longest.
const LONGEST: Duration = Duration::from_secs(10);

/// A running Event Grid. Ends when dropped.
#[derive(Debug)]
pub struct EventGrid {
    server: Server,
    grid: Arc<Grid>,
    stop: CancellationToken,
}

#[derive(Debug)]
struct Grid {
    account: Account,
    topics: Mutex<BTreeMap<String, Topic>>,
    log: Log,
    stop: CancellationToken,
}

#[derive(Debug)]
struct Topic {
    /// The resource's id, which is an event's topic or source.
    id: String,
    schema: Schema,
    subscriptions: BTreeMap<String, Arc<Subscription>>,
    /// Who makes its events, if it is a storage account's. Another topic of the name takes its place.
    _watch: Option<Arc<system::Watch>>,
}

impl EventGrid {
    /// Starts it, over the queues of a storage account.
    ///
    /// # Errors
    /// [`nephos_core::ErrorKind::Unavailable`] if no port is free.
    pub async fn start(account: Account) -> Result<Self> {
        let stop = CancellationToken::new();
        let grid = Arc::new(Grid {
            account,
            topics: Mutex::default(),
            log: Log::default(),
            stop: stop.clone(),
        });
        let served = Arc::clone(&grid);
        let server = Server::start("Event Grid", move |request| {
            let grid = Arc::clone(&served);
            async move { grid.publish(request).await }
        })
        .await?;
        Ok(Self { server, grid, stop })
    }

    /// Where it answers (`http://127.0.0.1:5000`); a topic's events are posted to `/<topic>/api/events`.
    #[must_use]
    pub fn url(&self) -> String {
        self.server.url()
    }

    /// Makes a custom topic, and gives the endpoint that its events are sent to.
    pub fn create_topic(&self, name: &str, schema: Schema) -> String {
        self.grid.add(name, format!("/topics/{name}"), schema, None);
        format!("{}/{name}/api/events", self.server.url())
    }

    /// Makes the system topic of its storage account, which is one of `storage`: from now on, what changes in these containers is an event. Another of the same name takes
    /// its place, without its subscriptions.
    ///
    /// # Errors
    /// The account's, if a container cannot be listed.
    pub async fn create_storage_topic(
        &self,
        name: &str,
        containers: &[&str],
        storage: &Watched,
    ) -> Result<()> {
        let id = format!(
            "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/test/providers/Microsoft.Storage/storageAccounts/{}",
            self.grid.account.name
        );
        let watch = system::Watch::start(&self.grid, name, containers, storage).await?;
        self.grid.add(name, id, Schema::EventGrid, Some(watch));
        Ok(())
    }

    /// Adds a subscription to a topic, or replaces it.
    ///
    /// # Errors
    /// [`nephos_core::ErrorKind::InvalidArgument`] if there is no such topic, or if events of the topic cannot be delivered in the subscription's schema.
    pub fn subscribe(&self, topic: &str, name: &str, subscription: Subscription) -> Result<()> {
        let mut topics = self.grid.topics.lock().unwrap_or_else(PoisonError::into_inner);
        let found = topics
            .get_mut(topic)
            .ok_or_else(|| refused(format!("there is no topic `{topic}` to subscribe to")))?;
        if found.schema == Schema::CloudEvents && subscription.schema == Schema::EventGrid {
            return Err(refused(format!(
                "topic `{topic}` takes CloudEvents, which cannot be delivered in Event Grid's schema"
            )));
        }
        found
            .subscriptions
            .insert(name.to_owned(), Arc::new(subscription));
        Ok(())
    }

    /// Removes a subscription.
    pub fn unsubscribe(&self, topic: &str, name: &str) {
        let mut topics = self.grid.topics.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(topic) = topics.get_mut(topic) {
            topic.subscriptions.remove(name);
        }
    }

    /// What it said so far: failed deliveries, and what it gave up.
    #[must_use]
    pub fn log(&self) -> Vec<String> {
        self.grid.log.lines()
    }
}

impl Drop for EventGrid {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

impl Grid {
    fn add(&self, name: &str, id: String, schema: Schema, watch: Option<Arc<system::Watch>>) {
        let topic = Topic {
            id,
            schema,
            subscriptions: BTreeMap::new(),
            _watch: watch,
        };
        let mut topics = self.topics.lock().unwrap_or_else(PoisonError::into_inner);
        topics.insert(name.to_owned(), topic);
    }

    /// Takes the events of one request: all or none.
    async fn publish(self: Arc<Self>, request: Request<Incoming>) -> Answer {
        let (parts, body) = request.into_parts();
        let name = parts
            .uri
            .path()
            .strip_suffix("/api/events")
            .unwrap_or_default()
            .trim_matches('/');
        let found = {
            let topics = self.topics.lock().unwrap_or_else(PoisonError::into_inner);
            topics.get(name).map(|topic| (topic.schema, topic.id.clone()))
        };
        let Some((schema, id)) = found else {
            return answer(StatusCode::NOT_FOUND, "");
        };
        if parts.method != http::Method::POST {
            return answer(StatusCode::METHOD_NOT_ALLOWED, "");
        }
        let has_key = header(&parts.headers, "aeg-sas-key").is_some_and(|key| !key.is_empty());
        if !has_key && !parts.headers.contains_key("aeg-sas-token") && !is_authorized(&parts.headers) {
            return answer(StatusCode::UNAUTHORIZED, "");
        }
        let body = match read(body, LIMIT).await {
            Ok(body) => body,
            Err(refusal) => return refusal,
        };
        let kind = header(&parts.headers, "content-type").unwrap_or_default();
        match schema.events(kind, &body, &id) {
            Ok(events) => {
                for event in events {
                    self.deliver(name, &event);
                }
                answer(StatusCode::OK, "")
            }
            Err(reason) => answer(StatusCode::BAD_REQUEST, reason),
        }
    }

    /// Starts the deliveries of one event of a topic, in the schema that it came in.
    fn deliver(self: &Arc<Self>, topic: &str, event: &Value) {
        let subscriptions: Vec<_> = {
            let topics = self.topics.lock().unwrap_or_else(PoisonError::into_inner);
            let Some(topic) = topics.get(topic) else { return };
            topic.subscriptions.values().cloned().collect()
        };
        for subscription in subscriptions {
            if subscription.filter.takes(event) {
                let document = subscription.schema.converted(event);
                tokio::spawn(Arc::clone(self).try_until(subscription, document));
            }
        }
    }

    /// Tries a delivery until it is done, or was tried too often.
    async fn try_until(self: Arc<Self>, subscription: Arc<Subscription>, document: Value) {
        let mut pause = PAUSE;
        for attempt in 1..=subscription.max_attempts {
            let Err(reason) = self.try_once(&subscription, &document).await else {
                return;
            };
            self.log
                .line(format!("delivery attempt {attempt} failed: {reason}"));
            tokio::select! {
                () = self.stop.cancelled() => return,
                () = tokio::time::sleep(pause) => {}
            }
            pause = (pause * 2).min(LONGEST);
        }
        self.log.line(format!(
            "an event is dropped after {} attempts: {document}",
            subscription.max_attempts
        ));
    }

    async fn try_once(
        &self,
        subscription: &Subscription,
        document: &Value,
    ) -> std::result::Result<(), String> {
        match &subscription.destination {
            Destination::StorageQueue(queue) => self
                .account
                .put_message(queue, &STANDARD.encode(document.to_string()))
                .await
                .map_err(|error| error.to_string()),
            Destination::Function { webhook } => {
                let body = match subscription.schema {
                    Schema::EventGrid => Value::Array(vec![document.clone()]),
                    Schema::CloudEvents => document.clone(),
                };
                let headers = [
                    ("aeg-event-type", "Notification"),
                    ("content-type", "application/json"),
                ];
                let body = body.to_string();
                match crate::http::call_with("POST", webhook, body.as_bytes(), &headers).await {
                    Ok(answer) if answer.is_success() => Ok(()),
                    Ok(answer) => Err(format!("{webhook} answered {}", answer.status)),
                    Err(error) => Err(error.to_string()),
                }
            }
        }
    }
}

/// The value of an `eventGridTrigger`: the event's text in lines, with its data beside it.
pub(super) fn input(event: &Value) -> Input {
    let text = serde_json::to_string_pretty(event).unwrap_or_default();
    let data = match event.get("data") {
        None | Some(Value::Null) => Vec::new(),
        Some(object @ Value::Object(_)) => vec![("data".to_owned(), Bound::Object(object.clone()))],
        Some(other) => vec![("data".to_owned(), Bound::Json(other.clone()))],
    };
    Input {
        value: Bound::Text(text),
        metadata: data,
    }
}
