//! What a test has the stand-in do that Azure does at times of its own: refuse, fail, wait, throttle, break off.

use std::collections::{BTreeMap, BTreeSet};

use super::error::Refusal;
use super::id::{self, Id};
use crate::interruptions::Interruptions;

/// What becomes of a request instead of its answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Interruption {
    /// 429 with so many seconds in `Retry-After`.
    Throttled(u64),
    /// This status (500, 503), with a body that says little.
    Status(u16),
    /// The connection is cut, and nothing was done.
    Cut,
    /// What was asked for is done, but the connection is cut before the answer.
    CutAfterwards,
}

/// How a deployment tells the error of a resource's interface: Azure does it in each of these ways.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Nesting {
    /// Below a `ResourceDeploymentFailure`, as of an interface that failed after it had begun.
    #[default]
    Wrapped,
    /// As it is, as of an interface that refused at once.
    Plain,
    /// As JSON in the text of an error's message.
    Embedded,
}

/// What becomes of a resource that is to be made or deleted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// The status of HTTP that the resource's interface answers with.
    pub status: u16,
    /// `QuotaExceeded`
    pub code: String,
    /// What people read.
    pub message: String,
    /// How often it fails; `None` is always.
    pub times: Option<u32>,
    /// Whether it is refused before anything is made, as what a resource's interface checks in advance.
    pub preflight: bool,
    /// How a deployment tells it.
    pub nesting: Nesting,
}

impl Failure {
    /// One that goes on for ever, seen while the resource is made.
    #[must_use]
    pub fn new(status: u16, code: &str, message: &str) -> Self {
        Self {
            status,
            code: code.to_owned(),
            message: message.to_owned(),
            times: None,
            preflight: false,
            nesting: Nesting::Wrapped,
        }
    }

    /// One that passes.
    #[must_use]
    pub fn once(mut self) -> Self {
        self.times = Some(1);
        self
    }

    /// One that is told before anything is made.
    #[must_use]
    pub fn in_advance(mut self) -> Self {
        self.preflight = true;
        self
    }

    /// One that a deployment tells in another way.
    #[must_use]
    pub fn nested(mut self, nesting: Nesting) -> Self {
        self.nesting = nesting;
        self
    }

    fn refusal(&self) -> Refusal {
        Refusal::new(self.status, self.code.clone(), self.message.clone())
    }
}

/// What is done to a resource.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Deed {
    Check,
    Write,
    Delete,
}

/// All knobs.
#[derive(Debug, Default)]
pub(super) struct Knobs {
    interruptions: Interruptions<Interruption>,
    failures: Vec<(String, Deed, Failure)>,
    /// What waits before it is made, by type or id.
    pub(super) paused: BTreeSet<String>,
    /// Which of them something waits at.
    pub(super) waiting: BTreeSet<String>,
    /// Types and ids at which a deployment is cancelled.
    pub(super) canceled: BTreeSet<String>,
    /// Actions that nobody may, with the scope below which.
    pub(super) denied: Vec<(String, String)>,
    /// Types with names that somebody else has.
    pub(super) names: BTreeSet<(String, String)>,
    /// Namespaces that the subscription is not registered for.
    pub(super) unregistered: BTreeSet<String>,
    /// Tokens come from this tenant, which is not the subscription's.
    pub(super) tenant: Option<String>,
    /// Stacks whose list of resources is said to be wrong.
    pub(super) out_of_sync: BTreeSet<String>,
    /// Of each site: how many requests its SCM host stays away, and the next publish's error.
    pub(super) away: BTreeMap<String, u32>,
    pub(super) publish: BTreeMap<String, String>,
    /// Whether logs may not be read.
    pub(super) no_logs: bool,
}

impl Knobs {
    /// Azure reads paths without regard to case.
    pub(super) fn interrupt(&mut self, pattern: &str, times: u32, how: Interruption) {
        self.interruptions.add(&pattern.to_ascii_lowercase(), times, how);
    }

    /// What becomes of this request, if it is one of those.
    pub(super) fn interrupted(&mut self, method: &str, path: &str) -> Option<Interruption> {
        self.interruptions.next(method, &path.to_ascii_lowercase())
    }

    pub(super) fn fail(&mut self, target: &str, deletion: bool, failure: Failure) {
        let deed = match (deletion, failure.preflight) {
            (true, _) => Deed::Delete,
            (false, true) => Deed::Check,
            (false, false) => Deed::Write,
        };
        self.failures.push((target.to_owned(), deed, failure));
    }

    pub(super) fn clear_failures(&mut self) {
        self.failures.clear();
        self.canceled.clear();
    }

    /// The failure that is meant for this resource, counted.
    pub(super) fn failed(&mut self, id: &Id, deed: Deed) -> Option<Refusal> {
        self.failed_so(id, deed).map(|(refusal, _)| refusal)
    }

    /// The same, with how it is told.
    pub(super) fn failed_so(&mut self, id: &Id, deed: Deed) -> Option<(Refusal, Nesting)> {
        let (.., failure) = self
            .failures
            .iter_mut()
            .find(|(target, when, failure)| *when == deed && failure.times != Some(0) && meant(target, id))?;
        if let Some(times) = &mut failure.times {
            *times -= 1;
        }
        Some((failure.refusal(), failure.nesting))
    }

    /// The pause that this resource waits at.
    pub(super) fn pause(&self, id: &Id) -> Option<String> {
        self.paused.iter().find(|target| meant(target, id)).cloned()
    }

    pub(super) fn is_canceled(&self, id: &Id) -> bool {
        self.canceled.iter().any(|target| meant(target, id))
    }

    /// Whether an action at a scope is denied, by exact name or by `*` at the end.
    pub(super) fn is_denied(&self, action: &str, scope: &str) -> bool {
        let scope = id::key(scope);
        self.denied.iter().any(|(denied, below)| {
            let below = id::key(below);
            let fits = match denied.strip_suffix('*') {
                Some(start) => action
                    .to_ascii_lowercase()
                    .starts_with(&start.to_ascii_lowercase()),
                None => denied.eq_ignore_ascii_case(action),
            };
            fits && (below.is_empty() || scope == below || id::is_below(&scope, &below))
        })
    }
}

/// Whether a type, an id, or the end of an id (`/sites/name`) is this resource's.
fn meant(target: &str, id: &Id) -> bool {
    target.eq_ignore_ascii_case(&id.kind) || (target.contains('/') && id.key().ends_with(&id::key(target)))
}
