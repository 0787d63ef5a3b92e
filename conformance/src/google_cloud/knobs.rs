//! What a test has the stand-in do that Google does at times of its own: refuse, fail, wait, throttle, break off.

use std::collections::{BTreeMap, BTreeSet};

use super::error::{Code, Refusal};
use super::kinds::Kind;
use crate::interruptions::Interruptions;

/// What becomes of a request instead of its answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Interruption {
    /// 429 with so many seconds in `Retry-After`.
    Throttled(u64),
    /// An error of Google's own ([`Code::Internal`], [`Code::Unavailable`]).
    Broken(Code),
    /// The connection is cut, and nothing was done.
    Cut,
    /// What was asked for is done, but the connection is cut before the answer.
    CutAfterwards,
}

/// When something fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum When {
    /// The request is refused.
    AtOnce,
    /// The operation ends with the error, and nothing is left. Without an operation it is as at once.
    Later,
    /// The operation ends with the error, and what was made up to then stays.
    Halfway,
}

/// What becomes of a resource that is to be made, changed or deleted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    code: Code,
    message: String,
    when: When,
    /// How many go well before it.
    after: u32,
    times: Option<u32>,
}

impl Failure {
    /// One that goes on for ever, told at once.
    #[must_use]
    pub fn new(code: Code, message: &str) -> Self {
        Self {
            code,
            message: message.to_owned(),
            when: When::AtOnce,
            after: 0,
            times: None,
        }
    }

    /// Told at another time.
    #[must_use]
    pub fn told(mut self, when: When) -> Self {
        self.when = when;
        self
    }

    /// One that happens to the `nth` alone, counted from 1.
    #[must_use]
    pub fn on(mut self, nth: u32) -> Self {
        self.after = nth.saturating_sub(1);
        self.times = Some(1);
        self
    }

    fn refusal(&self) -> Refusal {
        Refusal::new(self.code, self.message.clone())
    }
}

/// Why a revision of Cloud Run never gets ready.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unready {
    /// A reason of the condition (`reason` or `revisionReason`): `HEALTH_CHECK_CONTAINER_ERROR`, `CONTAINER_MISSING`.
    pub reason: String,
    /// What people read.
    pub message: String,
}

/// What is done to a resource.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Deed {
    Create,
    Update,
    Delete,
}

/// All knobs.
#[derive(Debug, Default)]
pub(super) struct Knobs {
    pub(super) interruptions: Interruptions<Interruption>,
    failures: Vec<(String, Deed, Failure)>,
    /// Kinds and names whose operations wait.
    pub(super) paused: BTreeSet<String>,
    /// Permissions that nobody has, with the name at or below which.
    pub(super) denied: Vec<(String, String)>,
    /// How many there may be of a kind.
    pub(super) limits: BTreeMap<String, usize>,
    /// Services whose new revisions do not get ready.
    pub(super) unready: BTreeMap<String, Unready>,
}

impl Knobs {
    pub(super) fn fail(&mut self, target: &str, deed: Deed, failure: Failure) {
        self.failures.push((target.to_owned(), deed, failure));
    }

    pub(super) fn clear(&mut self) {
        self.failures.clear();
        self.unready.clear();
        self.denied.clear();
        self.limits.clear();
    }

    /// The failure that is meant for this deed, counted.
    pub(super) fn failed(&mut self, kind: &Kind, name: &str, deed: Deed) -> Option<(Refusal, When)> {
        let mut found = None;
        for (target, when, failure) in &mut self.failures {
            if *when != deed || failure.times == Some(0) || !is_meant(target, kind, name) {
                continue;
            }
            if failure.after > 0 {
                failure.after -= 1;
            } else if found.is_none() {
                failure.times = failure.times.map(|times| times.saturating_sub(1));
                found = Some((failure.refusal(), failure.when));
            }
        }
        found
    }

    pub(super) fn is_paused(&self, kind: &Kind, name: &str) -> bool {
        self.paused.iter().any(|target| is_meant(target, kind, name))
    }

    /// Whether a permission is denied on a resource, by exact name or by `*` at the end.
    pub(super) fn is_denied(&self, permission: &str, resource: &str) -> bool {
        self.denied.iter().any(|(denied, below)| {
            let fits = match denied.strip_suffix('*') {
                Some(start) => permission.starts_with(start),
                None => denied == permission,
            };
            let rest = resource.strip_prefix(below.as_str());
            fits && rest.is_some_and(|rest| below.is_empty() || rest.is_empty() || rest.starts_with('/'))
        })
    }
}

/// Whether a kind (`run.services`), or the end of a name (`/services/orders`), is this resource's.
fn is_meant(target: &str, kind: &Kind, name: &str) -> bool {
    target == kind.key || (target.contains('/') && format!("/{name}").ends_with(target))
}
