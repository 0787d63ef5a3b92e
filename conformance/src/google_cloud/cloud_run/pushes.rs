//! Messages of Pub/Sub on their way to services: <https://cloud.google.com/pubsub/docs/push>.
//!
//! What is set up in the control plane is set up in Google's emulator too, which pushes to an address of this machine, because it knows neither TLS nor tokens. From there a message goes
//! to its own endpoint, with the token that the subscription asks for.

use std::collections::{BTreeMap, HashMap};
use std::future::Future;
use std::sync::{Arc, OnceLock, PoisonError, Weak};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::{Request, StatusCode};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use nephos_core::Result;
use serde_json::{Map, Value, json};
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::sync::{Mutex, RwLock};

use super::World;
use crate::discovery::{Finding, Level};
use crate::gcs::Message;
use crate::google_cloud::kinds::{SUBSCRIPTION, TOPIC};
use crate::server::{self, Answer, Server};

/// More than a message has.
const LARGEST: usize = 32 * 1024 * 1024;

/// What of a subscription counts for its messages.
const FIELDS: &[&str] = &[
    "topic",
    "ackDeadlineSeconds",
    "messageRetentionDuration",
    "retainAckedMessages",
    "enableMessageOrdering",
    "enableExactlyOnceDelivery",
    "deadLetterPolicy",
    "retryPolicy",
    "filter",
];

/// What a topic is called that is gone.
const DELETED: &str = "_deleted-topic_";

/// What the emulator has, and where it pushes to.
#[derive(Debug)]
pub(super) struct Pushes {
    emulator: Option<String>,
    front: String,
    /// What was set up there, by name.
    known: Mutex<BTreeMap<String, Value>>,
    /// How often messages were pushed that were not taken yet, by subscription and id.
    attempts: std::sync::Mutex<HashMap<(String, String), u32>>,
    /// The ordering keys of messages by their ids. Held while messages are published: one that comes back is looked up only then.
    keys: RwLock<HashMap<String, String>>,
    world: Arc<OnceLock<Weak<World>>>,
}

impl Pushes {
    /// For the emulator at this address.
    pub(super) async fn start(emulator: Option<String>) -> Result<(Self, Server)> {
        let world: Arc<OnceLock<Weak<World>>> = Arc::default();
        let known = Arc::clone(&world);
        let server = Server::start("pushes of Pub/Sub", move |request| {
            let world = known.get().and_then(Weak::upgrade);
            async move {
                match world {
                    Some(world) => world.pushed(request).await,
                    None => server::answer(StatusCode::SERVICE_UNAVAILABLE, ""),
                }
            }
        })
        .await?;
        let pushes = Self {
            emulator,
            front: server.url(),
            known: Mutex::default(),
            attempts: std::sync::Mutex::default(),
            keys: RwLock::default(),
            world,
        };
        Ok((pushes, server))
    }

    /// Whose services they are for.
    pub(super) fn serve(&self, world: &Arc<World>) {
        // Nobody else sets it.
        let _ = self.world.set(Arc::downgrade(world));
    }

    /// Which try of a message this is.
    fn attempt(&self, message: &(String, String)) -> u32 {
        let mut attempts = self.attempts.lock().unwrap_or_else(PoisonError::into_inner);
        let attempt = attempts.entry(message.clone()).or_default();
        *attempt += 1;
        *attempt
    }

    fn forget(&self, message: &(String, String)) {
        let mut attempts = self.attempts.lock().unwrap_or_else(PoisonError::into_inner);
        attempts.remove(message);
    }

    /// Has messages published by this request, and keeps their ordering keys: the emulator keeps the order, but leaves the keys out of what it pushes.
    pub(super) async fn published(
        &self,
        sent: Option<&Value>,
        request: impl Future<Output = Answer>,
    ) -> Answer {
        let messages = sent.and_then(|sent| sent["messages"].as_array());
        let key = |message: &Value| {
            message["orderingKey"]
                .as_str()
                .filter(|key| !key.is_empty())
                .map(str::to_owned)
        };
        let keys: Vec<Option<String>> = messages.into_iter().flatten().map(key).collect();
        if keys.iter().all(Option::is_none) {
            return request.await;
        }
        let mut known = self.keys.write().await;
        let (parts, body) = request.await.into_parts();
        // What is here is whole already.
        let bytes = body
            .collect()
            .await
            .map(http_body_util::Collected::to_bytes)
            .unwrap_or_default();
        let told: Value = serde_json::from_slice(&bytes).unwrap_or_default();
        for (id, key) in told["messageIds"].as_array().into_iter().flatten().zip(keys) {
            if let (Some(id), Some(key)) = (id.as_str(), key) {
                known.insert(id.to_owned(), key);
            }
        }
        Answer::from_parts(parts, Full::new(bytes))
    }

    /// Sets up what the control plane has and the emulator has not, and takes away what is gone.
    pub(super) async fn follow(&self, world: &World) {
        let Some(emulator) = &self.emulator else { return };
        let mut known = self.known.lock().await;
        let wanted = self.wanted(world);
        if *known == wanted {
            return;
        }
        let is_topic = |name: &str| name.contains("/topics/");
        let mut requests: Vec<(&str, String, Value)> = Vec::new();
        let gone = |topics: bool| {
            let gone = known.keys().filter(|name| !wanted.contains_key(*name));
            let gone = gone.filter(move |name| is_topic(name) == topics);
            gone.map(|name| ("DELETE", name.clone(), Value::Null))
                .collect::<Vec<_>>()
        };
        requests.extend(gone(false));
        for topics in [true, false] {
            for (name, body) in wanted.iter().filter(|(name, _)| is_topic(name) == topics) {
                match known.get(name) {
                    None => requests.push(("PUT", name.clone(), body.clone())),
                    Some(former) if former != body => requests.extend(changed(name, former, body)),
                    Some(_) => {}
                }
            }
        }
        requests.extend(gone(true));
        for (method, path, body) in requests {
            let url = format!("{emulator}/v1/{path}");
            let told = world.ask_emulator(method, &url, &body).await;
            let what = match told {
                Ok((status, _)) if status.is_success() => continue,
                Ok((_, told)) => told.to_string(),
                Err(error) => error,
            };
            world.shared.lock().findings.push(Finding {
                file: "Google's emulator of Pub/Sub".to_owned(),
                level: Level::Error,
                place: format!("{method} {path}"),
                what,
            });
        }
        *known = wanted;
    }

    /// What the emulator is to have.
    fn wanted(&self, world: &World) -> BTreeMap<String, Value> {
        let state = world.shared.lock();
        let mut wanted = BTreeMap::new();
        for (name, resource) in &state.resources {
            if resource.kind == &TOPIC {
                wanted.insert(name.clone(), json!({}));
            }
            // One whose topic is gone has nothing to send any more but what it has.
            if resource.kind == &SUBSCRIPTION && resource.body["topic"] != DELETED {
                let mut body = Map::new();
                for field in FIELDS {
                    if let Some(value) = resource.body.get(*field) {
                        body.insert((*field).to_owned(), value.clone());
                    }
                }
                let endpoint = resource.body["pushConfig"]["pushEndpoint"].as_str();
                if endpoint.is_some_and(|endpoint| !endpoint.is_empty()) {
                    let here = format!("{}/{name}", self.front);
                    body.insert("pushConfig".to_owned(), json!({"pushEndpoint": here}));
                }
                wanted.insert(name.clone(), body.into());
            }
        }
        wanted
    }
}

/// How a subscription becomes another.
fn changed(name: &str, former: &Value, body: &Value) -> Vec<(&'static str, String, Value)> {
    let differs = |field: &&&str| former[**field] != body[**field];
    let mask: Vec<&str> = FIELDS.iter().filter(differs).copied().collect();
    let mut requests = Vec::new();
    if former["pushConfig"] != body["pushConfig"] {
        let config = json!({"pushConfig": body.get("pushConfig").cloned().unwrap_or_else(|| json!({}))});
        requests.push(("POST", format!("{name}:modifyPushConfig"), config));
    }
    if !mask.is_empty() {
        let mut subscription = body.clone();
        subscription["name"] = name.into();
        let update = json!({"subscription": subscription, "updateMask": mask.join(",")});
        requests.push(("PATCH", name.to_owned(), update));
    }
    requests
}

impl World {
    /// A message that the emulator pushes, at the name of its subscription.
    async fn pushed(self: &Arc<Self>, request: Request<Incoming>) -> Answer {
        let (parts, body) = request.into_parts();
        let name = parts.uri.path().trim_start_matches('/').to_owned();
        let body = match server::read(body, LARGEST).await {
            Ok(body) => body,
            Err(answer) => return answer,
        };
        let found = {
            let state = self.shared.lock();
            let found = state.get(&SUBSCRIPTION, &name);
            found.map(|subscription| subscription.body.clone())
        };
        let Ok(subscription) = found else {
            return server::answer(StatusCode::NOT_FOUND, "");
        };
        let config = &subscription["pushConfig"];
        let Ok(mut body) = serde_json::from_slice::<Value>(&body) else {
            return server::answer(StatusCode::BAD_REQUEST, "");
        };
        let message = body["message"]["messageId"]
            .as_str()
            .unwrap_or_default()
            .to_owned();
        if let Some(key) = self.pushes.keys.read().await.get(&message) {
            body["message"]["orderingKey"] = key.as_str().into();
        }
        let counted = (name, message);
        // The emulator counts tries for its dead letters, and does not tell them:
        // https://cloud.google.com/pubsub/docs/handling-failures#track_delivery_attempts
        if subscription["deadLetterPolicy"].is_object() {
            body["deliveryAttempt"] = self.pushes.attempt(&counted).into();
        }
        let endpoint = config["pushEndpoint"].as_str().unwrap_or_default();
        let oidc = config["oidcToken"]["serviceAccountEmail"].as_str().map(|email| {
            (
                email,
                config["oidcToken"]["audience"].as_str().unwrap_or(endpoint),
            )
        });
        let request = Request::post("/")
            .header("content-type", "application/json")
            .header("user-agent", "CloudPubSub-Google")
            .header("from", "noreply@google.com")
            .body(Full::new(body.to_string().into()));
        let status = match request {
            Ok(request) => self.post(endpoint, request, oidc).await,
            Err(_) => 0,
        };
        let status = StatusCode::from_u16(status).unwrap_or(StatusCode::BAD_GATEWAY);
        if status.is_success() {
            self.pushes.forget(&counted);
        }
        server::answer(status, "")
    }
}

/// Publishes what buckets notify of, as long as there is somebody to do it for.
pub(super) async fn publish(world: Weak<World>, mut messages: UnboundedReceiver<Message>) {
    while let Some(message) = messages.recv().await {
        let Some(world) = world.upgrade() else { return };
        let Some(emulator) = &world.options.pubsub else {
            return;
        };
        let url = format!("{emulator}/v1/{}:publish", message.topic);
        let body =
            json!({"messages": [{"data": STANDARD.encode(&message.data), "attributes": message.attributes}]});
        let told = world.ask_emulator("POST", &url, &body).await;
        let what = match told {
            Ok((status, _)) if status.is_success() => continue,
            Ok((_, told)) => told.to_string(),
            Err(error) => error,
        };
        world.shared.lock().findings.push(Finding {
            file: "Google's emulator of Pub/Sub".to_owned(),
            level: Level::Warning,
            place: format!("POST {}:publish", message.topic),
            what,
        });
    }
}
