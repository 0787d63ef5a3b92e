//! What goes in and out of the deploy port: what is deployed, what happens meanwhile, and what is there afterwards. The modules below are what the deploy
//! sides of all targets share.

#[cfg(feature = "package")]
pub mod archive;
pub mod cron;
pub mod mark;
pub mod merge;
#[cfg(feature = "package")]
pub mod name;
pub mod settings;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use chrono::{DateTime, Utc};
use serde::Serialize;

use crate::app::App;
use crate::plan::{Action, Part};

/// What a deployer is opened for: one app on one target.
#[derive(Debug, Clone)]
pub struct Deployment {
    /// The app, loaded for the target.
    pub app: App,
    /// The target's name in the manifest.
    pub target: String,
    /// The functions' binary, built for the target; `None` where none is needed, as for status and logs.
    pub binary: Option<Bytes>,
}

/// What the functions' binary must be to run on a target.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Requirements {
    /// The compiler's targets that it may be built for (`x86_64-unknown-linux-musl`), best first.
    pub triples: Vec<String>,
    /// The newest GNU C library that a binary may ask for, where it is linked to one: major and minor version.
    pub glibc: Option<(u32, u32)>,
    /// Whether it must need nothing of a system around it: it runs in a container that has none.
    pub is_static: bool,
    /// The features of the crate `nephos` that it needs.
    pub features: Vec<String>,
}

impl Requirements {
    /// What one binary must be that runs on both targets: the triples that suit both, in this one's order, the older of the two C libraries, static if one wants it so, and the
    /// features of both. `None` if no triple suits both: then there is no such binary.
    #[must_use]
    pub fn merged(&self, other: &Self) -> Option<Self> {
        let triples: Vec<String> = (self.triples.iter())
            .filter(|triple| other.triples.contains(triple))
            .cloned()
            .collect();
        if triples.is_empty() {
            return None;
        }
        let features: BTreeSet<&String> = self.features.iter().chain(&other.features).collect();
        Some(Self {
            triples,
            glibc: match (self.glibc, other.glibc) {
                (Some(one), Some(two)) => Some(one.min(two)),
                (one, two) => one.or(two),
            },
            is_static: self.is_static || other.is_static,
            features: features.into_iter().cloned().collect(),
        })
    }
}

/// What a deployer makes of an app, before anything is deployed.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Rendered {
    /// The native documents, each with the name of its file (`template.json`).
    pub documents: Vec<Document>,
    /// What will be otherwise than the manifest says, and what is left to do by hand: one sentence each.
    pub notes: Vec<String>,
}

/// A document in the provider's own form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Document {
    /// The name of its file.
    pub name: String,
    /// Its text.
    pub text: String,
}

/// One thing that happens during a deployment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Happening {
    /// Something begins that may take a while.
    Phase {
        /// What, in a few words (`uploading 2.1 MiB`).
        text: String,
    },
    /// A thing at the provider changes.
    Step {
        /// What is done to it.
        action: Action,
        /// What of the manifest it is for.
        part: Part,
        /// The provider's kind.
        kind: String,
        /// The provider's name.
        id: String,
        /// How far it is.
        state: StepState,
        /// What the provider says of it; of a failure, why.
        reason: Option<String>,
    },
    /// Something that one should know, and that keeps nothing from going on.
    Note {
        /// What, as a sentence.
        text: String,
    },
}

/// How far a step is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum StepState {
    /// It has begun.
    Started,
    /// It is done.
    Done,
    /// It failed.
    Failed,
    /// It is being undone, because another failed.
    Undone,
}

/// Is told what happens, one value a happening, in order. Cheap to clone; must not block.
#[derive(Clone)]
pub struct Progress(Arc<dyn Fn(Happening) + Send + Sync>);

impl Progress {
    /// Tells `listener`.
    pub fn new(listener: impl Fn(Happening) + Send + Sync + 'static) -> Self {
        Self(Arc::new(listener))
    }

    /// Tells nobody.
    #[must_use]
    pub fn silent() -> Self {
        Self::new(|_| {})
    }

    /// Something happened.
    pub fn tell(&self, happening: Happening) {
        (self.0)(happening);
    }

    /// Something begins that may take a while.
    pub fn phase(&self, text: impl Into<String>) {
        self.tell(Happening::Phase { text: text.into() });
    }

    /// Something that one should know.
    pub fn note(&self, text: impl Into<String>) {
        self.tell(Happening::Note { text: text.into() });
    }
}

impl fmt::Debug for Progress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Progress")
    }
}

/// What becomes of what holds data when an app is removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Keep {
    /// Buckets, tables and whatever else holds data stay with the provider.
    Data,
    /// Nothing stays; data is deleted for good.
    Nothing,
}

/// That whoever asked for it knows what is removed: made by a command that has asked, or was told not to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Confirmed;

/// What is there after a deployment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Deployed {
    /// The functions, by name.
    pub functions: BTreeMap<String, FunctionStatus>,
    /// How long it took.
    pub took: Duration,
}

/// What was left after an app was removed.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Destroyed {
    /// How many things were removed; 0 if there was nothing.
    pub removed: usize,
    /// What was kept, with its data.
    pub kept: Vec<Kept>,
}

/// Something that stays with the provider.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Kept {
    /// What of the manifest it was for.
    pub part: Part,
    /// The provider's kind.
    pub kind: String,
    /// The provider's name of it.
    pub id: String,
}

/// A deployed app as the provider sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Status {
    /// Where, as in [`Plan`](crate::plan::Plan).
    pub place: String,
    /// What the provider's engine calls the whole.
    pub deployment: String,
    /// How it stands.
    pub health: Health,
    /// The state in the provider's own word; `None` if nothing is deployed.
    pub state: Option<String>,
    /// Why it is in that state, where the provider says so.
    pub reason: Option<String>,
    /// When it was last changed.
    pub changed: Option<DateTime<Utc>>,
    /// The functions, by name.
    pub functions: BTreeMap<String, FunctionStatus>,
}

/// How a deployed app stands, whatever the provider calls it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Health {
    /// Nothing is deployed.
    #[default]
    Absent,
    /// It works, as it is now or as it was before a change that failed and was undone.
    Works,
    /// It is being changed.
    Changing,
    /// A change failed and is not undone.
    Failed,
}

/// A deployed function.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct FunctionStatus {
    /// The provider's name.
    pub id: String,
    /// The version that takes events.
    pub version: Option<String>,
    /// When that version was made.
    pub changed: Option<DateTime<Utc>>,
    /// What the version's code is told from others by: a digest, in the provider's form.
    pub code: Option<String>,
    /// Where it answers HTTP.
    pub url: Option<String>,
}

/// Which lines of a function's log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogQuery {
    /// The functions; empty for all.
    pub functions: Vec<String>,
    /// Only lines that are at most this old.
    pub since: Duration,
    /// Whether to go on with what comes.
    pub follow: Follow,
}

/// Whether to go on with what comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Follow {
    /// Ends after the last line that there is.
    No,
    /// Waits for more until it is dropped.
    Yes,
}

/// A line of a function's log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LogLine {
    /// The function.
    pub function: String,
    /// When it was printed.
    pub at: DateTime<Utc>,
    /// The line, without its end.
    pub line: String,
}

/// A function's answer to a call by hand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Invoked {
    /// Whether the function answered or failed.
    pub result: InvokedResult,
    /// The answer, in the target's wire form.
    pub payload: Bytes,
    /// The last lines that it printed, where the provider hands them over.
    pub log: Vec<String>,
    /// The version that ran.
    pub version: Option<String>,
}

/// Whether a function answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum InvokedResult {
    /// It answered.
    Ok,
    /// It failed, with the provider's word for how.
    Failed(String),
}

/// A function that went from one version to another.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Moved {
    /// The function.
    pub function: String,
    /// The version that took events until now.
    pub from: String,
    /// The version that does from now on.
    pub to: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn requirements(triples: &[&str], glibc: Option<(u32, u32)>, features: &[&str]) -> Requirements {
        let texts = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect();
        Requirements {
            triples: texts(triples),
            glibc,
            is_static: false,
            features: texts(features),
        }
    }

    #[test]
    fn a_binary_for_two_targets_is_what_both_can_run_with_what_both_need() {
        let one = requirements(&["x-musl", "x-gnu"], Some((2, 34)), &["one", "queue"]);
        let two = requirements(&["y-musl", "x-gnu", "x-musl"], Some((2, 31)), &["queue", "two"]);
        let both = one.merged(&two).unwrap();
        assert_eq!(
            both,
            requirements(&["x-musl", "x-gnu"], Some((2, 31)), &["one", "queue", "two"])
        );
        let any = requirements(&["x-gnu"], None, &[]);
        assert_eq!(any.merged(&one).unwrap().glibc, Some((2, 34)));
        let alone = Requirements {
            is_static: true,
            ..any
        };
        assert!(alone.merged(&one).unwrap().is_static && one.merged(&alone).unwrap().is_static);
        assert_eq!(one.merged(&requirements(&["y-musl"], None, &[])), None);
    }
}
