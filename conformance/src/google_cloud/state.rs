//! What the stand-in knows, and what all its parts share.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chrono::{SecondsFormat, Utc};
use serde_json::{Map, Value, json};

use super::cloud_run::World;
use super::error::{Code, Outcome, Refusal};
use super::kinds::{ACCOUNT, Kind};
use super::knobs::{Knobs, Unready};
use super::operation::Operation;
use super::registry::Registry;
use super::tokens::Token;
use crate::discovery::{Documents, Finding};

/// What a stand-in begins with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// The project's id.
    pub project: String,
    /// Its number.
    pub number: String,
    /// The regions that there are.
    pub regions: Vec<String>,
    /// The interfaces that are enabled, by host.
    pub enabled: Vec<String>,
    /// Who asks, by e-mail address.
    pub principal: String,
    /// How often an operation is asked about before it has ended.
    pub looks: u32,
}

impl Default for Options {
    fn default() -> Self {
        let hosts = super::projects::HOSTS.iter();
        Self {
            project: "nephos-tests".to_owned(),
            number: "123456789012".to_owned(),
            regions: vec!["europe-west1".to_owned(), "us-central1".to_owned()],
            enabled: hosts.map(|host| (*host).to_owned()).collect(),
            principal: "deployer@example.com".to_owned(),
            looks: 2,
        }
    }
}

/// Shared by all requests.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) options: Options,
    pub(super) documents: Arc<Documents>,
    state: Mutex<State>,
    /// What runs of it, once a test has that.
    world: OnceLock<Weak<World>>,
}

/// Everything that is.
#[derive(Debug, Default)]
pub(super) struct State {
    /// By name, which has the project's id.
    pub(super) resources: BTreeMap<String, Resource>,
    pub(super) operations: BTreeMap<String, Operation>,
    pub(super) enabled: BTreeSet<String>,
    /// Policies of resources and of the project, by name.
    pub(super) policies: BTreeMap<String, Value>,
    /// What secrets' versions hold, in Base64, by name.
    pub(super) payloads: BTreeMap<String, String>,
    /// The tokens that were given.
    pub(super) tokens: BTreeMap<String, Token>,
    pub(super) knobs: Knobs,
    /// The images of repositories.
    pub(super) registry: Registry,
    /// What was logged, as it came.
    pub(super) logs: Vec<Value>,
    pub(super) requests: Vec<Exchange>,
    pub(super) findings: Vec<Finding>,
    /// What became of revisions that are started, by name.
    pub(super) starts: BTreeMap<String, Start>,
    /// Counts what was made or changed, so that it can be told apart.
    pub(super) count: u64,
}

/// How far a revision's first container has come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Start {
    Pending,
    Ready,
    Failed(Unready),
}

/// Something that exists.
#[derive(Debug, Clone)]
pub(super) struct Resource {
    pub(super) kind: &'static Kind,
    /// As it is told, but for the name of some.
    pub(super) body: Value,
}

/// A request that was answered.
#[derive(Debug, Clone, PartialEq)]
pub struct Exchange {
    /// `POST`
    pub method: String,
    /// `run.googleapis.com`
    pub host: String,
    /// Path and query.
    pub path: String,
    /// What was sent; null if it was no JSON.
    pub body: Value,
    /// What it was answered with; 0 for a connection that was cut.
    pub status: u16,
}

impl Shared {
    pub(super) fn new(options: Options, documents: Arc<Documents>) -> Arc<Self> {
        let state = State {
            enabled: options.enabled.iter().cloned().collect(),
            ..State::default()
        };
        Arc::new(Self {
            options,
            documents,
            state: Mutex::new(state),
            world: OnceLock::new(),
        })
    }

    /// Has services run from now on; false if they do already.
    pub(super) fn set_world(&self, world: &Arc<World>) -> bool {
        self.world.set(Arc::downgrade(world)).is_ok()
    }

    /// What runs of it.
    pub(super) fn world(&self) -> Option<Arc<World>> {
        self.world.get()?.upgrade()
    }

    /// The state, for one request.
    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A name with the project's id, as things are kept.
    pub(super) fn key(&self, name: &str) -> String {
        let number = format!("projects/{}", self.options.number);
        match name.strip_prefix(&number) {
            Some(rest) if rest.is_empty() || rest.starts_with('/') => {
                format!("projects/{}{rest}", self.options.project)
            }
            // An account's e-mail address says which project is meant.
            _ => match name.strip_prefix("projects/-/serviceAccounts/") {
                Some(email) => format!("projects/{}/serviceAccounts/{email}", self.options.project),
                None => name.to_owned(),
            },
        }
    }

    /// A name with the project's number, as some interfaces tell it.
    pub(super) fn numbered(&self, name: &str) -> String {
        let id = format!("projects/{}/", self.options.project);
        match name.strip_prefix(&id) {
            Some(rest) => format!("projects/{}/{rest}", self.options.number),
            None => name.to_owned(),
        }
    }
}

impl State {
    /// A new resource's fields that its service sets.
    pub(super) fn birth(&mut self, kind: &Kind, body: &mut Map<String, Value>) {
        if kind.uid {
            body.insert("uid".to_owned(), uuid::Uuid::new_v4().to_string().into());
        }
        if let Some(field) = kind.created {
            body.insert(field.to_owned(), now().into());
        }
        self.touch(kind, body);
    }

    /// A changed resource's fields that its service sets.
    pub(super) fn touch(&mut self, kind: &Kind, body: &mut Map<String, Value>) {
        if kind.generation {
            let former = body.get("generation").and_then(Value::as_str);
            let next = former.and_then(|text| text.parse::<u64>().ok()).unwrap_or(0) + 1;
            body.insert("generation".to_owned(), next.to_string().into());
        }
        if let Some(field) = kind.updated {
            body.insert(field.to_owned(), now().into());
        }
        self.stamp(kind, body);
    }

    /// A new etag alone, for what changes by itself.
    pub(super) fn stamp(&mut self, kind: &Kind, body: &mut Map<String, Value>) {
        if kind.etag {
            let etag = format!("\"{}\"", self.token());
            body.insert("etag".to_owned(), etag.into());
        }
    }

    /// Opaque text that was never given before.
    pub(super) fn token(&mut self) -> String {
        self.count += 1;
        STANDARD.encode(format!("{}/{}", self.count, now()))
    }

    pub(super) fn get(&self, kind: &Kind, name: &str) -> Outcome<&Resource> {
        self.resources
            .get(name)
            .filter(|resource| resource.kind == kind)
            .ok_or_else(|| match kind.host {
                "pubsub.googleapis.com" => {
                    let id = name.rsplit('/').next().unwrap_or_default();
                    Refusal::new(Code::NotFound, format!("Resource not found (resource={id})."))
                }
                "iam.googleapis.com" => {
                    let id = name.rsplit('/').next().unwrap_or_default();
                    Refusal::new(Code::NotFound, format!("Unknown service account: {id}"))
                }
                _ => Refusal::not_found(name),
            })
    }

    /// Whether there is no such account in the project, so that nothing can run as it.
    pub(super) fn act_as(&self, project: &str, email: &str) -> Outcome<()> {
        let own = format!("@{project}.iam.gserviceaccount.com");
        let name = format!("projects/{project}/serviceAccounts/{email}");
        if email.ends_with(&own) && self.get(&ACCOUNT, &name).is_err() {
            return Err(Refusal::denied("iam.serviceaccounts.actAs", email));
        }
        Ok(())
    }
}

/// This moment, as Google writes it.
pub(super) fn now() -> String {
    Utc::now().to_rfc3339_opts(SecondsFormat::Micros, true)
}

/// The fields of a body, without those that are null: in the JSON of protocol buffers those are not there.
pub(super) fn fields(body: &Value) -> Map<String, Value> {
    match without_nulls(body) {
        Value::Object(fields) => fields,
        _ => Map::new(),
    }
}

fn without_nulls(value: &Value) -> Value {
    match value {
        Value::Object(fields) => fields
            .iter()
            .filter(|(_, value)| !value.is_null())
            .map(|(name, value)| (name.clone(), without_nulls(value)))
            .collect::<Map<_, _>>()
            .into(),
        Value::Array(items) => items.iter().map(without_nulls).collect::<Vec<_>>().into(),
        _ => value.clone(),
    }
}

/// What an empty answer is.
pub(super) fn nothing() -> Value {
    json!({})
}
