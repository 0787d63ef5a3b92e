//! The stand-ins of Pub/Sub's messages and Firestore's documents. What Google's emulators do as well is asked of them too, where they are installed.

mod documents;
mod exact;
mod messages;
mod pushes;
mod queries;

use std::sync::{Arc, Weak};
use std::time::Duration;

use bytes::Bytes;
use http::Request;
use http_body_util::{BodyExt as _, Full};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use nephos_conformance::discovery::Documents;
use nephos_conformance::google_cloud::data::StandIn;
use nephos_conformance::google_cloud::emulators::{Choice, Emulator, Service};
use serde_json::{Value, json};
use tokio::sync::Mutex;

use crate::client::Answered;

/// The most that anything here takes.
const PATIENCE: Duration = Duration::from_secs(30);

/// What is asked. Of Google's emulators all tests share one, so that each place has a project of its own, which is called `shop` on this side.
pub(crate) struct Place {
    service: Arc<Service>,
    project: String,
    client: Client<HttpConnector, Full<Bytes>>,
}

/// Google's emulator, which ends with the last test that asks it.
async fn googles(of: Emulator) -> Arc<Service> {
    static RUNNING: [Mutex<Weak<Service>>; 2] = [const { Mutex::const_new(Weak::new()) }; 2];
    let mut running = RUNNING[usize::from(of == Emulator::PubSub)].lock().await;
    if let Some(service) = running.upgrade() {
        return service;
    }
    let started = Arc::new(Service::Google(of.start_googles().await.unwrap()));
    *running = Arc::downgrade(&started);
    started
}

impl Place {
    fn of(service: Arc<Service>) -> Self {
        Self {
            service,
            project: format!("shop{}", uuid::Uuid::new_v4().simple()),
            client: Client::builder(TokioExecutor::new()).build_http(),
        }
    }

    /// The stand-in.
    pub(crate) async fn stand_in(of: Emulator) -> Self {
        let documents = Arc::new(Documents::installed().unwrap());
        let stand_in = StandIn::start(of, documents).await.unwrap();
        Self::of(Arc::new(Service::StandIn(stand_in)))
    }

    /// The stand-in, and Google's emulator where it is there.
    pub(crate) async fn all(of: Emulator) -> Vec<Self> {
        let mut all = vec![Self::stand_in(of).await];
        if let Choice::Google = Choice::find().unwrap() {
            all.push(Self::of(googles(of).await));
        }
        all
    }

    /// `PUT topics/news`, within the project.
    pub(crate) async fn ask(&self, request: &str, body: Value) -> Answered {
        let (method, path) = request.split_once(' ').unwrap();
        let request = Request::builder()
            .method(method)
            .uri(format!(
                "{}/v1/projects/{}/{path}",
                self.service.endpoint(),
                self.project
            ))
            .header("authorization", "Bearer owner")
            .header("content-type", "application/json");
        let bytes = if body.is_null() {
            Bytes::new()
        } else {
            let theirs = format!("projects/{}/", self.project);
            body.to_string().replace("projects/shop/", &theirs).into()
        };
        let answer = self
            .client
            .request(request.body(Full::new(bytes)).unwrap())
            .await
            .unwrap();
        let (parts, body) = answer.into_parts();
        let bytes = body.collect().await.unwrap().to_bytes();
        let ours = String::from_utf8_lossy(&bytes).replace(&self.project, "shop");
        Answered {
            status: parts.status,
            headers: parts.headers,
            json: serde_json::from_str(&ours).unwrap_or(Value::Null),
        }
    }

    pub(crate) async fn get(&self, path: &str) -> Answered {
        self.ask(&format!("GET {path}"), Value::Null).await
    }

    /// Makes a topic and a subscription with its name.
    pub(crate) async fn subscribe(&self, name: &str, options: Value) {
        self.ask(&format!("PUT topics/{name}"), json!({})).await.ok();
        self.also(name, name, options).await;
    }

    /// Makes a subscription of a topic.
    pub(crate) async fn also(&self, name: &str, topic: &str, mut options: Value) {
        options["topic"] = format!("projects/shop/topics/{topic}").into();
        self.ask(&format!("PUT subscriptions/{name}"), options).await.ok();
    }

    pub(crate) async fn publish(&self, topic: &str, messages: Value) {
        let body = json!({"messages": messages});
        self.ask(&format!("POST topics/{topic}:publish"), body).await.ok();
    }

    /// What a subscription has just now.
    pub(crate) async fn pull(&self, name: &str) -> Vec<Value> {
        let body = json!({"maxMessages": 100, "returnImmediately": true});
        let pulled = self
            .ask(&format!("POST subscriptions/{name}:pull"), body)
            .await
            .ok();
        pulled["receivedMessages"].as_array().cloned().unwrap_or_default()
    }

    /// The same, until there is something.
    pub(crate) async fn received(&self, name: &str) -> Vec<Value> {
        let deadline = tokio::time::Instant::now() + PATIENCE;
        loop {
            let received = self.pull(name).await;
            if !received.is_empty() {
                return received;
            }
            assert!(
                tokio::time::Instant::now() < deadline,
                "nothing comes from {name}"
            );
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    pub(crate) async fn settle(&self, name: &str, verb: &str, mut body: Value, ids: &[&Value]) -> Answered {
        body["ackIds"] = json!(ids);
        self.ask(&format!("POST subscriptions/{name}:{verb}"), body).await
    }
}
