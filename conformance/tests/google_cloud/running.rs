//! A stand-in whose services run, and what a test asks it.

use std::path::PathBuf;
use std::time::Duration;

use nephos_conformance::edge::Edge;
use nephos_conformance::google_cloud::CloudRun;
use nephos_conformance::google_cloud::cloud_run::{Options, Pace};
use nephos_conformance::google_cloud::emulators::{Emulator, Service};
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::client::{Google, PROJECT, REGION};

pub(crate) const RUN: &str = "run.googleapis.com/v2";

/// How long anything may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// Emulators that a test needs.
#[derive(Debug, Default)]
pub(crate) struct Emulators {
    pub(crate) pubsub: Option<Service>,
    pub(crate) firestore: Option<Service>,
}

pub(crate) struct Running {
    pub(crate) google: Google,
    pub(crate) run: CloudRun,
    pub(crate) client: reqwest::Client,
    _edge: Edge,
    _emulators: Emulators,
}

/// The status and the body of an answer.
pub(crate) struct Answered {
    pub(crate) status: u16,
    pub(crate) headers: reqwest::header::HeaderMap,
    pub(crate) text: String,
}

impl Answered {
    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        assert_eq!(self.status, 200, "{}", self.text);
        serde_json::from_str(&self.text).unwrap()
    }
}

impl Running {
    pub(crate) async fn start() -> Self {
        Self::with(Emulators::default(), Pace::default()).await
    }

    pub(crate) async fn with_pubsub() -> Self {
        let pubsub = Some(Emulator::PubSub.start().await.unwrap());
        let emulators = Emulators {
            pubsub,
            ..Emulators::default()
        };
        Self::with(emulators, Pace::default()).await
    }

    pub(crate) async fn with(emulators: Emulators, pace: Pace) -> Self {
        let container = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/google_cloud/container.py");
        Self::of(Some(container), emulators, pace).await
    }

    /// Containers run their images.
    pub(crate) async fn of_images() -> Self {
        Self::of(None, Emulators::default(), Pace::default()).await
    }

    async fn of(binary: Option<PathBuf>, emulators: Emulators, pace: Pace) -> Self {
        // An error says that another test has chosen already.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let google = Google::start().await;
        let edge = Edge::start().await.unwrap();
        google.control.route(&edge);
        let options = Options {
            binary,
            pubsub: emulators.pubsub.as_ref().map(Service::endpoint),
            firestore: emulators.firestore.as_ref().map(Service::endpoint),
            pace,
            ..Options::default()
        };
        let run = CloudRun::start(&google.control, &edge, options).await.unwrap();
        let authority = reqwest::Certificate::from_pem(edge.certificate_pem().as_bytes()).unwrap();
        let client = reqwest::Client::builder()
            .proxy(reqwest::Proxy::https(edge.proxy_url()).unwrap())
            .tls_certs_only([authority])
            .build()
            .unwrap();
        Self {
            google,
            run,
            client,
            _edge: edge,
            _emulators: emulators,
        }
    }

    /// The end of an operation.
    pub(crate) async fn ended(&self, path: &str, operation: &Value) -> Value {
        let name = operation["name"].as_str().unwrap();
        let deadline = Instant::now() + PATIENCE;
        loop {
            let now = self.google.get(&format!("{path}/{name}")).await.ok();
            if now["done"] == true {
                return now;
            }
            assert!(Instant::now() < deadline, "{now:#}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Makes a service of this template, beside its container; its operation's end.
    pub(crate) async fn create(&self, id: &str, template: Value) -> Value {
        let request = format!("POST {RUN}/{REGION}/services?serviceId={id}");
        let body = json!({"template": with_container(template)});
        let operation = self.google.ask(&request, body).await.ok();
        self.ended(RUN, &operation).await
    }

    /// Gives a service another template.
    pub(crate) async fn update(&self, id: &str, template: Value) -> Value {
        let request = format!("PATCH {RUN}/{}", service(id));
        let body = json!({"template": with_container(template)});
        let operation = self.google.ask(&request, body).await.ok();
        self.ended(RUN, &operation).await
    }

    /// Lets these members call a service.
    pub(crate) async fn allow(&self, id: &str, members: &[&str]) {
        let request = format!("POST {RUN}/{}:setIamPolicy", service(id));
        let body = json!({"policy": {"bindings": [{"role": "roles/run.invoker", "members": members}]}});
        self.google.ask(&request, body).await.ok();
    }

    /// A service that anyone may call.
    pub(crate) async fn public(&self, id: &str, template: Value) {
        let made = self.create(id, template).await;
        assert!(made["error"].is_null(), "{made:#}");
        self.allow(id, &["allUsers"]).await;
    }

    /// The answer to a GET without or with a token.
    pub(crate) async fn get(&self, url: &str, token: Option<&str>) -> Answered {
        let mut request = self.client.get(url);
        if let Some(token) = token {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        let answer = request.send().await.unwrap();
        Answered {
            status: answer.status().as_u16(),
            headers: answer.headers().clone(),
            text: answer.text().await.unwrap(),
        }
    }

    /// What a service was posted so far, once it is so.
    pub(crate) async fn seen(&self, id: &str, so: impl Fn(&[Value]) -> bool) -> Vec<Value> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let seen = self.get(&format!("{}/seen", url(id)), None).await.json();
            let seen = seen.as_array().unwrap().clone();
            if so(&seen) {
                return seen;
            }
            assert!(Instant::now() < deadline, "{seen:#?}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// An entry of the log, once there is one with this text.
    pub(crate) async fn logged(&self, text: &str) -> Value {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let entries = self.google.control.logs().entries();
            if let Some(found) = entries.iter().find(|entry| entry.to_string().contains(text)) {
                return found.clone();
            }
            assert!(Instant::now() < deadline, "{entries:#?}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

fn with_container(mut template: Value) -> Value {
    if template["containers"].is_null() {
        let env = template["env"].take();
        template.as_object_mut().unwrap().remove("env");
        let env: Vec<Value> = env
            .as_object()
            .into_iter()
            .flatten()
            .map(|(name, value)| json!({"name": name, "value": value}))
            .collect();
        template["containers"] = json!([{"image": "image:1", "env": env}]);
    }
    template
}

/// The full name of a service.
pub(crate) fn service(id: &str) -> String {
    format!("{REGION}/services/{id}")
}

/// Where it is called.
pub(crate) fn url(id: &str) -> String {
    format!("https://{id}-123456789012.europe-west1.run.app")
}

/// The full name of a topic.
pub(crate) fn topic(id: &str) -> String {
    format!("{PROJECT}/topics/{id}")
}
