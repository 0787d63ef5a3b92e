//! What the stand-in knows, and what all its parts share.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use chrono::{DateTime, Utc};
use serde_json::{Map, Value, json};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::Options;
use super::deployment::Deployment;
use super::error::{Outcome, Refusal};
use super::id;
use super::knobs::Knobs;
use super::logs::Line;
use super::resource::Resource;
use super::scm::Site;
use super::stack::Stack;
use super::token::Tokens;

/// Shared by all requests and all that goes on in the background.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) options: Options,
    pub(super) url: String,
    state: Mutex<State>,
    changed: watch::Sender<u64>,
    pub(super) stop: CancellationToken,
}

/// Everything that is.
#[derive(Debug, Default)]
pub(super) struct State {
    pub(super) groups: BTreeMap<String, Group>,
    pub(super) resources: BTreeMap<String, Resource>,
    /// Vaults that were deleted and not purged, by name.
    pub(super) deleted_vaults: BTreeMap<String, DeletedVault>,
    pub(super) stacks: BTreeMap<String, Stack>,
    pub(super) deployments: BTreeMap<String, Deployment>,
    pub(super) operations: BTreeMap<String, Operation>,
    pub(super) tokens: Tokens,
    pub(super) knobs: Knobs,
    pub(super) requests: Vec<Exchange>,
    pub(super) taken: Vec<Taken>,
    pub(super) sites: BTreeMap<String, Site>,
    /// With the moment at which each came.
    pub(super) lines: Vec<(Line, DateTime<Utc>)>,
    /// Counts what was made, so that what was made first can be told.
    pub(super) count: u64,
}

/// A group of resources.
#[derive(Debug, Clone)]
pub(super) struct Group {
    pub(super) subscription: String,
    pub(super) name: String,
    pub(super) location: String,
    pub(super) tags: Map<String, Value>,
    pub(super) deleting: bool,
}

/// A vault that can be recovered.
#[derive(Debug, Clone)]
pub(super) struct DeletedVault {
    pub(super) resource: Resource,
    pub(super) at: DateTime<Utc>,
}

/// Something that goes on, asked about at an address of its own.
#[derive(Debug, Clone)]
pub(super) struct Operation {
    pub(super) status: String,
    pub(super) error: Option<Refusal>,
    /// What `Location` gives at the end.
    pub(super) result: Option<Value>,
}

/// A request that was answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exchange {
    /// `PUT`
    pub method: String,
    /// Path and query.
    pub path: String,
    /// What was sent, if it was JSON; else null.
    pub body: Value,
    /// What it was answered with; 0 for a connection that was cut.
    pub status: u16,
}

/// A template or body that was taken.
#[derive(Debug, Clone, PartialEq)]
pub struct Taken {
    /// Of which stack, deployment or resource.
    pub id: String,
    /// `stack`, `whatIf` or `resource`.
    pub by: &'static str,
    /// As it was sent.
    pub sent: Value,
    /// With values instead of expressions, as far as they were known.
    pub evaluated: Value,
}

impl Shared {
    pub(super) fn new(options: Options, url: String) -> Arc<Self> {
        let mut state = State::default();
        for (subscription, group, location) in &options.groups {
            state.groups.insert(
                id::key(&id::group_id(subscription, group)),
                Group {
                    subscription: subscription.clone(),
                    name: group.clone(),
                    location: location.clone(),
                    tags: Map::new(),
                    deleting: false,
                },
            );
        }
        Arc::new(Self {
            options,
            url,
            state: Mutex::new(state),
            changed: watch::Sender::new(0),
            stop: CancellationToken::new(),
        })
    }

    /// The state, for as long as nothing is waited for.
    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Tells all that wait that something is different.
    pub(super) fn tell(&self) {
        self.changed.send_modify(|count| *count += 1);
    }

    pub(super) fn watch(&self) -> watch::Receiver<u64> {
        self.changed.subscribe()
    }

    /// One step of something that goes on; false if the stand-in is gone.
    pub(super) async fn step(&self) -> bool {
        self.tell();
        tokio::select! {
            () = self.stop.cancelled() => false,
            () = tokio::time::sleep(self.options.step) => true,
        }
    }

    /// Waits until `question` has an answer; `None` if the stand-in is gone.
    pub(super) async fn until<T>(&self, question: impl Fn(&mut State) -> Option<T>) -> Option<T> {
        let mut changes = self.watch();
        loop {
            changes.borrow_and_update();
            if let Some(answer) = question(&mut self.lock()) {
                return Some(answer);
            }
            tokio::select! {
                () = self.stop.cancelled() => return None,
                changed = changes.changed() => changed.ok()?,
            }
        }
    }
}

impl State {
    /// A group, or what is said of one that is not there.
    pub(super) fn group(&self, subscription: &str, group: &str) -> Outcome<&Group> {
        self.groups
            .get(&id::key(&id::group_id(subscription, group)))
            .ok_or_else(|| {
                Refusal::new(
                    404,
                    "ResourceGroupNotFound",
                    format!("Resource group '{group}' could not be found."),
                )
            })
    }

    /// A new operation; gives its id.
    pub(super) fn begin(&mut self, status: &str) -> String {
        let id = uuid::Uuid::new_v4().to_string();
        let operation = Operation {
            status: status.to_owned(),
            error: None,
            result: None,
        };
        self.operations.insert(id.clone(), operation);
        id
    }

    pub(super) fn end(
        &mut self,
        operation: &str,
        status: &str,
        error: Option<Refusal>,
        result: Option<Value>,
    ) {
        if let Some(operation) = self.operations.get_mut(operation) {
            status.clone_into(&mut operation.status);
            operation.error = error;
            operation.result = result;
        }
    }

    pub(super) fn next(&mut self) -> u64 {
        self.count += 1;
        self.count
    }

    /// All resources below a group, by their keys.
    pub(super) fn in_group(&self, subscription: &str, group: &str) -> BTreeSet<String> {
        let below = id::key(&id::group_id(subscription, group));
        self.resources
            .keys()
            .filter(|key| id::is_below(key, &below))
            .cloned()
            .collect()
    }
}

impl Group {
    pub(super) fn id(&self) -> String {
        id::group_id(&self.subscription, &self.name)
    }

    pub(super) fn view(&self) -> Value {
        json!({
            "id": self.id(),
            "name": self.name,
            "type": "Microsoft.Resources/resourceGroups",
            "location": self.location,
            "tags": self.tags,
            "properties": {"provisioningState": if self.deleting { "Deleting" } else { "Succeeded" }},
        })
    }
}
