//! The stand-in itself: how it is started, what a test turns and what it asks.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use chrono::Utc;
use nephos_core::{Error, ErrorKind, Result};
use serde_json::Value;
use tokio::sync::watch;

use super::id::{self, Id};
use super::knobs::{Failure, Interruption};
use super::logs::Line;
use super::options::Options;
use super::resource;
use super::route;
use super::scm::{self, Published};
use super::state::{Exchange, Shared, Taken};
use crate::server::Server;

const OPERATION: &str = "azure-manager";
/// How long a test waits for something that goes on.
const PATIENCE: Duration = Duration::from_secs(60);

/// A running stand-in of Azure Resource Manager; it ends when it is dropped.
#[derive(Debug)]
pub struct Manager {
    shared: Arc<Shared>,
    // Kept, so that it goes on to listen.
    server: Server,
}

/// A resource that exists.
#[derive(Debug, Clone, PartialEq)]
pub struct Existing {
    /// Its whole id.
    pub id: String,
    /// `Microsoft.Web/sites`
    pub kind: String,
    /// As it was sent, with values instead of expressions.
    pub body: Value,
    /// The properties that its service added.
    pub added: Value,
}

impl Manager {
    /// Starts one on a free port of the loopback interface.
    ///
    /// # Errors
    /// [`ErrorKind::Unavailable`] if no port can be had.
    pub async fn start(options: Options) -> Result<Self> {
        let (server, shared) = Server::start_knowing(
            "Azure Resource Manager",
            |address| Shared::new(options, format!("http://{address}")),
            route::handle,
        )
        .await?;
        Ok(Self { shared, server })
    }

    /// Where it answers (`http://127.0.0.1:4000`): the management interface is at the root.
    #[must_use]
    pub fn url(&self) -> String {
        self.server.url()
    }

    /// The options that it was started with.
    #[must_use]
    pub fn options(&self) -> &Options {
        &self.shared.options
    }

    /// The variables with which the SDKs find the identity endpoint.
    #[must_use]
    pub fn environment(&self) -> BTreeMap<String, String> {
        BTreeMap::from([
            (
                "IDENTITY_ENDPOINT".to_owned(),
                format!("{}/msi/token", self.url()),
            ),
            (
                "IDENTITY_HEADER".to_owned(),
                self.shared.options.identity_header.clone(),
            ),
        ])
    }

    /// The entries of `NEPHOS_AZURE_ENDPOINTS`: from the beginning of an address of Azure to what stands there instead.
    #[must_use]
    pub fn endpoints(&self) -> BTreeMap<String, String> {
        BTreeMap::from([
            ("https://management.azure.com".to_owned(), self.url()),
            (
                "https://*.scm.azurewebsites.net".to_owned(),
                format!("{}/scm/*", self.url()),
            ),
            (
                "https://api.loganalytics.azure.com".to_owned(),
                format!("{}/logs", self.url()),
            ),
        ])
    }

    /// What the next `times` requests whose path has `pattern` get (`whatIf`, or with a method before: `PUT /deploymentStacks/`).
    pub fn interrupt(&self, pattern: &str, times: u32, how: Interruption) {
        self.shared.lock().knobs.interrupt(pattern, times, how);
    }

    /// Has the making of a resource fail: all of a type (`Microsoft.Web/sites`), or one by the end of its id (`/sites/name`).
    pub fn fail(&self, target: &str, failure: Failure) {
        self.shared.lock().knobs.fail(target, false, failure);
    }

    /// Has the deletion of a resource fail.
    pub fn fail_deletion(&self, target: &str, failure: Failure) {
        self.shared.lock().knobs.fail(target, true, failure);
    }

    /// Has a deployment end as cancelled when it comes to such a resource.
    pub fn cancel_at(&self, target: &str) {
        self.shared.lock().knobs.canceled.insert(target.to_owned());
    }

    /// Nothing fails or is cancelled any more.
    pub fn let_succeed(&self) {
        self.shared.lock().knobs.clear_failures();
    }

    /// Has whatever makes or deletes such a resource wait before it.
    pub fn pause(&self, target: &str) {
        self.shared.lock().knobs.paused.insert(target.to_owned());
    }

    /// Waits until something waits at a pause.
    ///
    /// # Errors
    /// [`ErrorKind::DeadlineExceeded`] if nothing comes to it.
    pub async fn paused(&self, target: &str) -> Result<()> {
        let reached = self
            .shared
            .until(|state| state.knobs.waiting.contains(target).then_some(()));
        self.patient(reached, target).await
    }

    /// Lets what waits go on.
    pub fn resume(&self, target: &str) {
        self.shared.lock().knobs.paused.remove(target);
        self.shared.tell();
    }

    /// Nobody may do this (`Microsoft.Web/sites/write`, with `*` at its end any that begin so) at or below a scope; an empty one is everywhere.
    pub fn deny(&self, action: &str, scope: &str) {
        self.shared
            .lock()
            .knobs
            .denied
            .push((action.to_owned(), scope.to_owned()));
    }

    /// All may be done again.
    pub fn allow_all(&self) {
        let mut state = self.shared.lock();
        state.knobs.denied.clear();
        state.knobs.no_logs = false;
    }

    /// Logs may not be read.
    pub fn deny_logs(&self) {
        self.shared.lock().knobs.no_logs = true;
    }

    /// Tokens come from another directory than the subscription's.
    pub fn use_tenant(&self, tenant: &str) {
        self.shared.lock().knobs.tenant = Some(tenant.to_owned());
    }

    /// All tokens that were given are expired.
    pub fn expire_tokens(&self) {
        self.shared.lock().tokens.revoke();
    }

    /// Somebody else in Azure has a resource of this type and name.
    pub fn take_name(&self, kind: &str, name: &str) {
        let kind = super::kinds::find(kind).map_or(kind, |kind| kind.name).to_owned();
        self.shared
            .lock()
            .knobs
            .names
            .insert((kind, name.to_ascii_lowercase()));
    }

    /// The subscription is not registered for a namespace (`Microsoft.Web`).
    pub fn unregister(&self, namespace: &str) {
        self.shared.lock().knobs.unregistered.insert(namespace.to_owned());
    }

    /// A stack's list of what it manages is said to be wrong, until it is put or deleted all the same.
    pub fn put_out_of_sync(&self, stack: &str) {
        self.shared.lock().knobs.out_of_sync.insert(id::key(stack));
    }

    /// Somebody else changed a stack (by its id): the moment and the author of its last change are others.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] if there is none.
    pub fn touch_stack(&self, stack: &str) -> Result<()> {
        let mut state = self.shared.lock();
        let found = state
            .stacks
            .get_mut(&id::key(stack))
            .ok_or_else(|| missing(stack))?;
        found.modified = Utc::now();
        found.modified_by = Some("somebody@example.com".to_owned());
        Ok(())
    }

    /// Somebody else makes a resource, or makes it otherwise.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidArgument`] for what Azure refuses.
    pub fn put(&self, resource: &str, version: &str, body: &Value) -> Result<()> {
        let refused =
            |message: String| Error::new(ErrorKind::InvalidArgument, OPERATION, message).with("id", resource);
        let id = Id::read(resource).ok_or_else(|| refused("this is no id of a resource".to_owned()))?;
        let mut state = self.shared.lock();
        let options = &self.shared.options;
        resource::check(&state, options, &id, version, body)
            .and_then(|()| {
                resource::write(
                    &mut state,
                    options,
                    &id,
                    version,
                    body.clone(),
                    &Default::default(),
                )
            })
            .map_err(|refusal| refused(format!("{}: {}", refusal.code, refusal.message)))?;
        drop(state);
        self.shared.tell();
        Ok(())
    }

    /// Somebody else deletes a resource, whatever protects it.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] if there is none; [`ErrorKind::Conflict`] if others need it.
    pub fn delete(&self, resource: &str) -> Result<()> {
        let was = resource::delete(&mut self.shared.lock(), &id::key(resource)).map_err(|refusal| {
            Error::new(ErrorKind::Conflict, OPERATION, refusal.message).with("id", resource)
        })?;
        self.shared.tell();
        if was { Ok(()) } else { Err(missing(resource)) }
    }

    /// A site's SCM host answers 503 to so many requests.
    pub fn keep_scm_away(&self, site: &str, requests: u32) {
        self.shared
            .lock()
            .knobs
            .away
            .insert(site.to_ascii_lowercase(), requests);
    }

    /// A site's next publish fails so.
    pub fn fail_publish(&self, site: &str, message: &str) {
        self.shared
            .lock()
            .knobs
            .publish
            .insert(site.to_ascii_lowercase(), message.to_owned());
    }

    /// The packages that a site took, the last of them runs.
    #[must_use]
    pub fn published(&self, site: &str) -> Vec<Published> {
        let state = self.shared.lock();
        state
            .sites
            .get(&site.to_ascii_lowercase())
            .map(|known| known.published.clone())
            .unwrap_or_default()
    }

    /// The master key that `listkeys` gives of a site.
    #[must_use]
    pub fn master_key(&self, site: &str) -> String {
        scm::master_key(site)
    }

    /// A line comes to the logs.
    pub fn log(&self, line: Line) {
        self.shared.lock().lines.push((line, Utc::now()));
    }

    /// What exists in a group now, by id.
    #[must_use]
    pub fn resources(&self, group: &str) -> BTreeMap<String, Existing> {
        let state = self.shared.lock();
        state
            .resources
            .values()
            .filter(|one| one.id.group.eq_ignore_ascii_case(group))
            .map(|one| {
                let existing = Existing {
                    id: one.id.text.clone(),
                    kind: one.kind.name.to_owned(),
                    body: one.body.clone(),
                    added: Value::Object(one.made.clone()),
                };
                (one.id.text.clone(), existing)
            })
            .collect()
    }

    /// The groups that are there: name and location.
    #[must_use]
    pub fn groups(&self) -> Vec<(String, String)> {
        let state = self.shared.lock();
        state
            .groups
            .values()
            .map(|group| (group.name.clone(), group.location.clone()))
            .collect()
    }

    /// A stack (by its id) as `GET` answers it.
    #[must_use]
    pub fn stack(&self, stack: &str) -> Option<Value> {
        let state = self.shared.lock();
        state
            .stacks
            .get(&id::key(stack))
            .map(|stack| stack.view(&self.shared))
    }

    /// All states of a stack (by its id) since it was put or deleted last, in order.
    #[must_use]
    pub fn states(&self, stack: &str) -> Vec<String> {
        let state = self.shared.lock();
        state
            .stacks
            .get(&id::key(stack))
            .map(|stack| stack.states.clone())
            .unwrap_or_default()
    }

    /// Waits until a stack has this state.
    ///
    /// # Errors
    /// [`ErrorKind::DeadlineExceeded`] if it does not come to it.
    pub async fn reached(&self, stack: &str, name: &str) -> Result<()> {
        let key = id::key(stack);
        let reached = self.shared.until(|state| {
            state
                .stacks
                .get(&key)
                .is_some_and(|stack| stack.state == name)
                .then_some(())
        });
        self.patient(reached, stack).await
    }

    async fn patient(&self, reached: impl Future<Output = Option<()>>, what: &str) -> Result<()> {
        let late =
            || Error::new(ErrorKind::DeadlineExceeded, OPERATION, "it did not come to this").with("at", what);
        tokio::time::timeout(PATIENCE, reached)
            .await
            .map_err(|_| late())?
            .ok_or_else(late)
    }

    /// Every template and body that was taken, first to last.
    #[must_use]
    pub fn taken(&self) -> Vec<Taken> {
        self.shared.lock().taken.clone()
    }

    /// Every request that was answered, first to last.
    #[must_use]
    pub fn requests(&self) -> Vec<Exchange> {
        self.shared.lock().requests.clone()
    }

    /// Says when something is different: for stand-ins that make the real thing of what is here.
    #[must_use]
    pub fn watch(&self) -> watch::Receiver<u64> {
        self.shared.watch()
    }
}

impl Drop for Manager {
    fn drop(&mut self) {
        self.shared.stop.cancel();
    }
}

fn missing(what: &str) -> Error {
    Error::new(ErrorKind::NotFound, OPERATION, "there is none").with("id", what)
}
