//! The stand-in itself: how it is started, what a test turns and what it asks.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use http::request::Parts;
use nephos_core::{Error, ErrorKind, Result};
use serde_json::{Map, Value, json};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

use super::json::{buckets, notifications, resource};
use super::knobs::Interruption;
use super::notify::Message;
use super::options::Options;
use super::project::Project;
use super::route;
use super::state::{Exchange, Shared};
use crate::server::{Answer, Server};

/// A running stand-in of Cloud Storage; it ends when it is dropped.
#[derive(Debug)]
pub struct Storage {
    shared: Arc<Shared>,
    // Kept, so that it goes on to listen.
    server: Server,
}

/// Answers requests that came to another server.
#[derive(Debug, Clone)]
pub(crate) struct Door(Arc<Shared>);

impl Door {
    /// Answers one.
    pub(crate) fn answer(&self, parts: Parts, body: Bytes) -> Answer {
        route::whole(&self.0, parts, body)
    }
}

/// An object that is there.
#[derive(Debug, Clone, PartialEq)]
pub struct Existing {
    /// Its bytes.
    pub content: Bytes,
    /// As the JSON API shows it.
    pub resource: Value,
}

impl Storage {
    /// Starts one on a free port of the loopback interface.
    ///
    /// # Errors
    /// [`ErrorKind::Unavailable`] if no port can be had.
    pub async fn start(options: Options) -> Result<Self> {
        let (server, shared) = Server::start_knowing(
            "Google Cloud Storage",
            |address| Arc::new(Shared::new(options, address.to_string(), None)),
            route::handle,
        )
        .await?;
        Ok(Self { shared, server })
    }

    /// Starts one whose buckets are in a project that is there: tokens, permissions and topics are the project's.
    pub(crate) async fn join(options: Options, project: Arc<dyn Project>) -> Result<Self> {
        let (server, shared) = Server::start_knowing(
            "Google Cloud Storage",
            |address| Arc::new(Shared::new(options, address.to_string(), Some(project))),
            route::handle,
        )
        .await?;
        Ok(Self { shared, server })
    }

    /// What answers a request that came elsewhere.
    pub(crate) fn door(&self) -> Door {
        Door(Arc::clone(&self.shared))
    }

    /// Where it answers (`http://127.0.0.1:4000`): the XML API at the root, the JSON API at `/storage/v1`.
    #[must_use]
    pub fn url(&self) -> String {
        self.server.url()
    }

    /// The options that it was started with.
    #[must_use]
    pub fn options(&self) -> &Options {
        &self.shared.options
    }

    /// Makes a bucket, as an insert with its name and without soft deletion would.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidArgument`] for a name that Google does not allow or that is taken.
    pub fn create_bucket(&self, name: &str) -> Result<()> {
        let body = Map::from_iter([
            ("name".to_owned(), Value::from(name)),
            (
                "softDeletePolicy".to_owned(),
                json!({"retentionDurationSeconds": "0"}),
            ),
        ]);
        buckets::create(&self.shared, &body)
            .map(drop)
            .map_err(|refusal| refused("gcs.create-bucket", name, &refusal))
    }

    /// Has a bucket send notifications, as a post of this configuration would; gives its id.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidArgument`] for what Google refuses.
    pub fn notify(&self, bucket: &str, config: &Map<String, Value>) -> Result<String> {
        notifications::create(&self.shared, bucket, config)
            .map(|config| config.id.to_string())
            .map_err(|refusal| refused("gcs.notify", bucket, &refusal))
    }

    /// Gets each message from now on, in the order of what happened.
    #[must_use]
    pub fn subscribe(&self) -> UnboundedReceiver<Message> {
        let (sender, receiver) = unbounded_channel();
        self.shared.lock().listeners.push(sender);
        receiver
    }

    /// Every message so far, first to last.
    #[must_use]
    pub fn messages(&self) -> Vec<Message> {
        self.shared.lock().messages.clone()
    }

    /// The objects of a bucket, by name.
    #[must_use]
    pub fn objects(&self, bucket: &str) -> BTreeMap<String, Existing> {
        let state = self.shared.lock();
        let Some(found) = state.buckets.get(bucket) else {
            return BTreeMap::new();
        };
        found
            .objects
            .iter()
            .map(|(name, object)| {
                let existing = Existing {
                    content: object.content.clone(),
                    resource: resource::view(&state.url, bucket, object),
                };
                (name.clone(), existing)
            })
            .collect()
    }

    /// The buckets, by name: as the JSON API shows them, and their configurations of notifications.
    #[must_use]
    pub fn buckets(&self) -> Vec<(String, Value, Vec<Value>)> {
        let number = self.shared.number();
        let state = self.shared.lock();
        state
            .buckets
            .values()
            .map(|bucket| {
                let configs = bucket.notifications.values();
                let configs = configs
                    .map(|config| config.view(&state.url, &bucket.name))
                    .collect();
                let view = buckets::view(&state.url, &number, bucket);
                (bucket.name.clone(), view, configs)
            })
            .collect()
    }

    /// A bucket's policy, if somebody has set it.
    #[must_use]
    pub fn policy(&self, bucket: &str) -> Option<Value> {
        let state = self.shared.lock();
        let policy = &state.buckets.get(bucket)?.policy;
        policy.bindings.as_ref()?;
        Some(policy.view(bucket, &self.shared.options.project))
    }

    /// Somebody else changed a bucket: its metageneration is another. Tells whether there is such a bucket.
    pub fn touch(&self, bucket: &str) -> bool {
        let mut state = self.shared.lock();
        let (_, now) = state.tick();
        state.bucket_mut(bucket).map(|bucket| bucket.changed(now)).is_ok()
    }

    /// How many uploads were begun and neither ended nor given up: sessions of the JSON API, and multipart uploads of the XML API.
    #[must_use]
    pub fn unfinished(&self) -> usize {
        let state = self.shared.lock();
        let sessions = state
            .sessions
            .values()
            .filter(|session| session.is_open())
            .count();
        sessions + state.multiparts.len()
    }

    /// What the next `times` requests whose path and query have `pattern` get (`uploadType=resumable`, or with a method before: `PUT /bucket/`).
    pub fn interrupt(&self, pattern: &str, times: u32, how: Interruption) {
        self.shared.lock().interruptions.add(pattern, times, how);
    }

    /// A token counts from now on.
    pub fn accept_token(&self, token: &str) {
        self.shared.lock().tokens.insert(token.to_owned());
    }

    /// No token that was accepted counts any more.
    pub fn expire_tokens(&self) {
        self.shared.lock().tokens.clear();
    }

    /// Every request that was answered, first to last.
    #[must_use]
    pub fn requests(&self) -> Vec<Exchange> {
        self.shared.lock().requests.clone()
    }
}

fn refused(operation: &'static str, bucket: &str, refusal: &super::error::Refusal) -> Error {
    Error::new(ErrorKind::InvalidArgument, operation, refusal.sentence()).with("bucket", bucket)
}
