//! Pub/Sub's messages: <https://cloud.google.com/pubsub/docs/reference/rest>. Topics and subscriptions are made, changed, listed and deleted; messages are published, pulled,
//! acknowledged, leased longer, sought and pushed; filters, order, exactly-once delivery, retry and dead-letter policies hold. Everything else is `UNIMPLEMENTED`.

mod backlog;
mod filter;
mod messages;
mod push;
mod settings;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use http_body_util::Full;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use nephos_core::Result;
use serde_json::{Map, Value, json};
use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::sync::DropGuard;

use self::backlog::{Backlog, Message};
use self::settings::Settings;
use super::{Received, answered, invalid, named, receive, unimplemented};
use crate::discovery::Documents;
use crate::google_cloud::error::{Code, Outcome, Refusal};
use crate::google_cloud::kinds::{Kind, SUBSCRIPTION, TOPIC};
use crate::google_cloud::request::Asked;
use crate::google_cloud::{list, mask};
use crate::server::Server;

const HOST: &str = "pubsub.googleapis.com";

/// What a subscription's topic is called that is gone.
const DELETED: &str = "_deleted-topic_";

/// Starts it.
pub(super) async fn serve(documents: Arc<Documents>) -> Result<Server> {
    let hub = Arc::new(Hub {
        documents,
        state: Mutex::default(),
        changes: watch::Sender::new(0),
        client: Client::builder(TokioExecutor::new()).build_http(),
    });
    Server::start("a stand-in of Pub/Sub", move |request| {
        let hub = Arc::clone(&hub);
        async move {
            match receive(request).await {
                Ok(received) => answered(hub.answer(&received).await),
                Err(answer) => answer,
            }
        }
    })
    .await
}

/// What all requests and pushes share.
struct Hub {
    documents: Arc<Documents>,
    state: Mutex<State>,
    /// Counts what may have made a message due.
    changes: watch::Sender<u64>,
    client: Client<HttpConnector, Full<bytes::Bytes>>,
}

#[derive(Default)]
struct State {
    topics: BTreeMap<String, Value>,
    subscriptions: BTreeMap<String, Subscription>,
    /// How many messages there were.
    published: u64,
}

struct Subscription {
    /// As it is told.
    body: Value,
    settings: Settings,
    backlog: Backlog,
    /// What pushes its messages, if they are pushed.
    pump: Option<DropGuard>,
}

impl Hub {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn changed(&self) {
        self.changes.send_modify(|count| *count = count.wrapping_add(1));
    }

    async fn answer(self: &Arc<Self>, received: &Received) -> Outcome<Value> {
        let asked = received.read(&self.documents, HOST)?;
        let method = asked.call.id().trim_start_matches("pubsub.projects.");
        let size = received.body.len();
        match method {
            "topics.create" => self.make_topic(&asked),
            "topics.get" => self.lock().topic(&named(&asked, "topic")).cloned(),
            "topics.list" => {
                let below = format!("{}/topics/", named(&asked, "project"));
                let state = self.lock();
                let topics = state.topics.iter().filter(|(name, _)| name.starts_with(&below));
                list::cut(&asked, "topics", topics.map(|(_, body)| body.clone()).collect())
            }
            "topics.patch" => self.change_topic(&asked),
            "topics.delete" => self.delete_topic(&named(&asked, "topic")),
            "topics.subscriptions.list" => {
                let topic = named(&asked, "topic");
                let state = self.lock();
                state.topic(&topic)?;
                let of = state.subscriptions.iter();
                let of = of.filter(|(_, subscription)| subscription.settings.topic == topic);
                list::cut(
                    &asked,
                    "subscriptions",
                    of.map(|(name, _)| name.clone().into()).collect(),
                )
            }
            "topics.publish" => self.publish(&asked, size),
            "subscriptions.create" => self.make_subscription(&asked),
            "subscriptions.get" => {
                let name = named(&asked, "subscription");
                Ok(self.lock().subscription(&name)?.body.clone())
            }
            "subscriptions.list" => {
                let below = format!("{}/subscriptions/", named(&asked, "project"));
                let state = self.lock();
                let all = state.subscriptions.iter();
                let all = all.filter(|(name, _)| name.starts_with(&below));
                list::cut(
                    &asked,
                    "subscriptions",
                    all.map(|(_, one)| one.body.clone()).collect(),
                )
            }
            "subscriptions.patch" => self.change_subscription(&asked),
            "subscriptions.modifyPushConfig" => self.modify_push(&asked),
            "subscriptions.delete" => {
                let name = named(&asked, "subscription");
                let gone = self.lock().subscriptions.remove(&name);
                gone.map(|_| json!({})).ok_or_else(missing_subscription)
            }
            "subscriptions.pull" => self.pull(&asked).await,
            "subscriptions.acknowledge" => self.acknowledge(&asked, size),
            "subscriptions.modifyAckDeadline" => self.modify_deadline(&asked, size),
            "subscriptions.seek" => self.seek(&asked),
            other => Err(unimplemented(&format!("pubsub.projects.{other}"))),
        }
    }

    fn make_topic(&self, asked: &Asked<'_>) -> Outcome<Value> {
        let name = named(asked, "name");
        is_named(&TOPIC, &name)?;
        let mut state = self.lock();
        if state.topics.contains_key(&name) {
            return Err(Refusal::new(Code::AlreadyExists, "Topic already exists"));
        }
        let body = settings::topic(&name, &asked.body)?;
        state.topics.insert(name, body.clone());
        Ok(body)
    }

    fn change_topic(&self, asked: &Asked<'_>) -> Outcome<Value> {
        let name = named(asked, "name");
        let mut state = self.lock();
        let former = state.topic(&name)?.clone();
        let body = settings::topic(&name, &changed(&former, asked, "topic")?)?;
        state.topics.insert(name, body.clone());
        Ok(body)
    }

    fn delete_topic(&self, name: &str) -> Outcome<Value> {
        let mut state = self.lock();
        state.topics.remove(name).ok_or_else(missing_topic)?;
        for subscription in state.subscriptions.values_mut() {
            if subscription.settings.topic == name {
                DELETED.clone_into(&mut subscription.settings.topic);
                subscription.body["topic"] = DELETED.into();
            }
        }
        Ok(json!({}))
    }

    fn make_subscription(self: &Arc<Self>, asked: &Asked<'_>) -> Outcome<Value> {
        let name = named(asked, "name");
        is_named(&SUBSCRIPTION, &name)?;
        let mut state = self.lock();
        if state.subscriptions.contains_key(&name) {
            return Err(Refusal::new(Code::AlreadyExists, "Subscription already exists"));
        }
        let (body, settings) = settings::subscription(&name, &asked.body, &state.topics, None)?;
        let subscription = Subscription {
            body: body.clone(),
            pump: self.pump(&name, &settings),
            settings,
            backlog: Backlog::new(&name),
        };
        state.subscriptions.insert(name, subscription);
        Ok(body)
    }

    fn change_subscription(self: &Arc<Self>, asked: &Asked<'_>) -> Outcome<Value> {
        let name = named(asked, "name");
        let mut state = self.lock();
        let former = state.subscription(&name)?.body.clone();
        let body = changed(&former, asked, "subscription")?;
        self.become_other(&mut state, &name, &body, &former)
    }

    fn modify_push(self: &Arc<Self>, asked: &Asked<'_>) -> Outcome<Value> {
        let name = named(asked, "subscription");
        let mut state = self.lock();
        let former = state.subscription(&name)?.body.clone();
        let mut body = former.clone();
        body["pushConfig"] = asked.body.get("pushConfig").cloned().unwrap_or_else(|| json!({}));
        self.become_other(&mut state, &name, &body, &former)?;
        Ok(json!({}))
    }

    fn become_other(
        self: &Arc<Self>,
        state: &mut State,
        name: &str,
        body: &Value,
        former: &Value,
    ) -> Outcome<Value> {
        let (body, settings) = settings::subscription(name, body, &state.topics, Some(former))?;
        let subscription = state.subscription_mut(name)?;
        if settings.endpoint != subscription.settings.endpoint {
            subscription.pump = self.pump(name, &settings);
        }
        subscription.body = body.clone();
        subscription.settings = settings;
        self.changed();
        Ok(body)
    }
}

impl State {
    fn topic(&self, name: &str) -> Outcome<&Value> {
        self.topics.get(name).ok_or_else(missing_topic)
    }

    fn subscription(&self, name: &str) -> Outcome<&Subscription> {
        self.subscriptions.get(name).ok_or_else(missing_subscription)
    }

    fn subscription_mut(&mut self, name: &str) -> Outcome<&mut Subscription> {
        self.subscriptions.get_mut(name).ok_or_else(missing_subscription)
    }

    /// Gives a message a number, and every subscription of the topic that wants it the message.
    fn deliver(&mut self, topic: &str, mut message: Message) -> String {
        self.published += 1;
        message.id = self.published.to_string();
        let (id, message) = (message.id.clone(), Arc::new(message));
        for subscription in self.subscriptions.values_mut() {
            let filter = subscription.settings.filter.as_ref();
            if subscription.settings.topic == topic
                && filter.is_none_or(|filter| filter.fits(&message.attributes))
            {
                subscription.backlog.add(self.published, Arc::clone(&message));
            }
        }
        id
    }

    /// Ends the leases that have run out, forgets what was kept too long, and sends dead letters on.
    fn settle(&mut self, now: Instant) {
        loop {
            let topics = &self.topics;
            let letters: Vec<(String, Message)> = (self.subscriptions.iter_mut())
                .flat_map(|(name, one)| {
                    let can_leave = |topic: &str| topics.contains_key(topic);
                    one.backlog.settle(name, &one.settings, now, can_leave)
                })
                .collect();
            if letters.is_empty() {
                return;
            }
            for (topic, letter) in letters {
                self.deliver(&topic, letter);
            }
        }
    }
}

fn missing_topic() -> Refusal {
    Refusal::new(Code::NotFound, "Topic not found")
}

fn missing_subscription() -> Refusal {
    Refusal::new(Code::NotFound, "Subscription does not exist")
}

/// Whether a new one may be called so.
fn is_named(kind: &Kind, name: &str) -> Outcome<()> {
    let id = name.rsplit('/').next().unwrap_or_default();
    if kind.allows(id) {
        return Ok(());
    }
    let message = format!("Invalid [{}] name: (name={name}): {}", kind.collection, kind.rule);
    Err(invalid(message))
}

/// What an update makes of a resource.
fn changed(former: &Value, asked: &Asked<'_>, field: &str) -> Outcome<Value> {
    let paths = mask::paths(asked.text("/updateMask"))
        .ok_or_else(|| Refusal::field("update_mask", "it must name what is to change"))?;
    let empty = Map::new();
    let sent = asked.body.get(field).and_then(Value::as_object).unwrap_or(&empty);
    let mut body = former.as_object().cloned().unwrap_or_default();
    mask::apply(&mut body, sent, &paths);
    Ok(body.into())
}
