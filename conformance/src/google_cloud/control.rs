//! The stand-in itself: how it is started, what a test turns and what it asks.

use std::sync::Arc;

use nephos_core::{Error, ErrorKind, Result};
use serde_json::Value;

use super::kinds::{BUCKET, BUCKET_NOTIFICATION};
use super::knobs::{Deed, Failure, Interruption, Unready};
use super::logging::Logs;
use super::registry::{self, Image};
use super::state::{Exchange, Options, Shared};
use super::{credentials, projects, route, tokens};
use crate::discovery::{Documents, Finding};
use crate::edge::Edge;
use crate::gcs::{self, Storage};
use crate::server::Server;

/// A running stand-in of Google Cloud's control plane; it ends when it is dropped.
#[derive(Debug)]
pub struct Control {
    shared: Arc<Shared>,
    storage: Storage,
    // Kept, so that it goes on to listen.
    server: Server,
}

/// A resource that exists.
#[derive(Debug, Clone, PartialEq)]
pub struct Existing {
    /// As permissions begin: `run.services`.
    pub kind: &'static str,
    /// Its name, with the project's id.
    pub name: String,
    /// As it is told.
    pub body: Value,
}

impl Control {
    /// Starts one on a free port of the loopback interface.
    ///
    /// # Errors
    /// [`ErrorKind::Unavailable`] if no port can be had.
    pub async fn start(options: Options, documents: Arc<Documents>) -> Result<Self> {
        let shared = Shared::new(options, documents);
        let own = gcs::Options {
            project: shared.options.project.clone(),
            tokens: Vec::new(),
            ..gcs::Options::default()
        };
        let known = Arc::clone(&shared);
        let storage = Storage::join(own, known).await?;
        let (known, door) = (Arc::clone(&shared), storage.door());
        let server = Server::start("Google Cloud", move |request| {
            route::handle(Arc::clone(&known), door.clone(), request)
        })
        .await?;
        Ok(Self {
            shared,
            storage,
            server,
        })
    }

    /// What its parts share, for what runs beside it.
    pub(super) fn shared(&self) -> Arc<Shared> {
        Arc::clone(&self.shared)
    }

    /// Where it answers (`http://127.0.0.1:4000`). The header `Host` says which interface is meant.
    #[must_use]
    pub fn url(&self) -> String {
        self.server.url()
    }

    /// Puts it behind the host names of all interfaces that it has, and of its regions' repositories of images.
    pub fn route(&self, edge: &Edge) {
        for host in projects::HOSTS {
            edge.route(host, &self.url());
        }
        for region in &self.options().regions {
            edge.route(&format!("{region}{}", registry::HOSTS), &self.url());
        }
    }

    /// Cloud Storage in the same project. It answers here by its own host name, and at an address of its own, for the same tokens.
    #[must_use]
    pub fn storage(&self) -> &Storage {
        &self.storage
    }

    /// The options that it was started with.
    #[must_use]
    pub fn options(&self) -> &Options {
        &self.shared.options
    }

    /// A token that counts.
    #[must_use]
    pub fn token(&self) -> String {
        credentials::give(&mut self.shared.lock(), None)
    }

    /// The identity token of a service account, with its e-mail address, for an audience, as `generateIdToken` gives it.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] if there is no such account, or it is disabled.
    pub fn id_token(&self, account: &str, audience: &str) -> Result<String> {
        let found = credentials::account(&self.shared.lock(), &self.shared, account);
        let missing = || {
            let what = "there is no such account, or it is disabled";
            Error::new(ErrorKind::NotFound, "google-cloud.id-token", what).with("account", account)
        };
        tokens::identity(&found.map_err(|_| missing())?, audience, true)
    }

    /// What verifies identity tokens, as `https://www.googleapis.com/oauth2/v3/certs` has it.
    ///
    /// # Errors
    /// [`ErrorKind::Internal`] if the key of tests cannot be read.
    pub fn key_set(&self) -> Result<Value> {
        tokens::key_set()
    }

    /// All tokens that were given are expired.
    pub fn expire_tokens(&self) {
        for token in self.shared.lock().tokens.values_mut() {
            token.counts = false;
        }
    }

    /// What the next `times` requests get whose host and path have `pattern` (`/services`, or with a method before: `POST run.googleapis.com/`).
    pub fn interrupt(&self, pattern: &str, times: u32, how: Interruption) {
        self.shared.lock().knobs.interruptions.add(pattern, times, how);
    }

    /// Has the making of a resource fail: of a kind (`run.services`), or of one by the end of its name (`/services/orders`).
    pub fn fail(&self, target: &str, failure: Failure) {
        self.shared.lock().knobs.fail(target, Deed::Create, failure);
    }

    /// Has the change of a resource fail.
    pub fn fail_update(&self, target: &str, failure: Failure) {
        self.shared.lock().knobs.fail(target, Deed::Update, failure);
    }

    /// Has the deletion of a resource fail, or the destruction of a secret's version.
    pub fn fail_deletion(&self, target: &str, failure: Failure) {
        self.shared.lock().knobs.fail(target, Deed::Delete, failure);
    }

    /// New revisions of a service (by its last name) do not get ready.
    pub fn keep_unready(&self, service: &str, why: Unready) {
        self.shared.lock().knobs.unready.insert(service.to_owned(), why);
    }

    /// Operations of a kind, or on one resource by the end of its name, do not end.
    pub fn pause(&self, target: &str) {
        self.shared.lock().knobs.paused.insert(target.to_owned());
    }

    /// They may end again.
    pub fn resume(&self, target: &str) {
        self.shared.lock().knobs.paused.remove(target);
    }

    /// Nobody has this permission (`run.services.create`, with `*` at its end any that begin so) at or below a name; an empty one is everywhere.
    pub fn deny(&self, permission: &str, below: &str) {
        let denied = (permission.to_owned(), below.to_owned());
        self.shared.lock().knobs.denied.push(denied);
    }

    /// There may be so many of a kind.
    pub fn limit(&self, kind: &str, most: usize) {
        self.shared.lock().knobs.limits.insert(kind.to_owned(), most);
    }

    /// Nothing fails, is denied or limited any more.
    pub fn let_succeed(&self) {
        self.shared.lock().knobs.clear();
    }

    /// The project does not have an interface enabled (`run.googleapis.com`).
    pub fn disable(&self, host: &str) {
        self.shared.lock().enabled.remove(host);
    }

    /// Somebody else changed a resource (by its name): its etag is another.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] if there is none.
    pub fn touch(&self, name: &str) -> Result<()> {
        let missing =
            || Error::new(ErrorKind::NotFound, "google-cloud", "no such resource").with("name", name);
        if let Some(bucket) = name.strip_prefix("projects/_/buckets/") {
            return self.storage.touch(bucket).then_some(()).ok_or_else(missing);
        }
        let mut state = self.shared.lock();
        let found = state.resources.get(name).cloned();
        let mut resource = found.ok_or_else(missing)?;
        if let Value::Object(fields) = &mut resource.body {
            state.touch(resource.kind, fields);
        }
        state.resources.insert(name.to_owned(), resource);
        Ok(())
    }

    /// What exists, by name.
    #[must_use]
    pub fn resources(&self) -> Vec<Existing> {
        let state = self.shared.lock();
        let all = state.resources.iter();
        let mut existing: Vec<Existing> = all
            .map(|(name, resource)| Existing {
                kind: resource.kind.key,
                name: name.clone(),
                body: resource.body.clone(),
            })
            .collect();
        drop(state);
        for (bucket, body, notifications) in self.storage.buckets() {
            let name = format!("projects/_/buckets/{bucket}");
            for body in notifications {
                existing.push(Existing {
                    kind: BUCKET_NOTIFICATION.key,
                    name: format!(
                        "{name}/notificationConfigs/{}",
                        body["id"].as_str().unwrap_or_default()
                    ),
                    body,
                });
            }
            let kind = BUCKET.key;
            existing.push(Existing { kind, name, body });
        }
        existing.sort_by(|one, other| one.name.cmp(&other.name));
        existing
    }

    /// The policy of a resource or of the project, if it was set; a bucket's is named `projects/_/buckets/b`.
    #[must_use]
    pub fn policy(&self, name: &str) -> Option<Value> {
        if let Some(bucket) = name.strip_prefix("projects/_/buckets/") {
            return self.storage.policy(bucket);
        }
        self.shared.lock().policies.get(name).cloned()
    }

    /// An image that was pushed to a repository, by its reference (`europe-west1-docker.pkg.dev/p/r/i@sha256:…`, or with a tag).
    #[must_use]
    pub fn image(&self, reference: &str) -> Option<Image> {
        self.shared.lock().image(&self.shared, reference)
    }

    /// What services log by, and what was logged.
    #[must_use]
    pub fn logs(&self) -> Logs {
        Logs::of(Arc::clone(&self.shared))
    }

    /// The requests that were answered, in order.
    #[must_use]
    pub fn requests(&self) -> Vec<Exchange> {
        self.shared.lock().requests.clone()
    }

    /// What was found in requests, warnings too.
    #[must_use]
    pub fn findings(&self) -> Vec<Finding> {
        self.shared.lock().findings.clone()
    }
}
