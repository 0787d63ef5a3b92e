//! The probe: functions that do what the event tells them, and report each invocation into the queue [`OBSERVED`], so that any target is
//! observed through portable resources only. The functions themselves are in the crate `nephos-probe`.

pub mod binary;
pub mod program;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use nephos_core::app::{App, FunctionSpec, Isolation, QueueSpec, Resource, Retry, Trigger};
use nephos_core::event::Payload;
use nephos_core::resource::Access;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::mutants::Fault;

/// The queue into which the probe reports.
pub const OBSERVED: &str = "observed";
/// The queue of dead letters.
pub const DEAD: &str = "dead";

/// The function that gives a whole batch one outcome. No rule deploys it: it is what a mutant puts in the place of another.
pub const TOGETHER: &str = "together";
/// The variable that makes the probe itself wrong, by the name of a [`Slip`].
pub const SLIP: &str = "PROBE_SLIP";

/// What is behind the tag of what is told again after [`Act::Tell`].
pub const AFTER: &str = ", after";
/// How long `/slow` of the function `teller` takes.
pub const SLOW: Duration = Duration::from_secs(4);
/// What `/chunks` answers, one after the other.
pub const CHUNKS: [&str; 2] = ["the first\n", "the last\n"];
/// How long it waits before the second.
pub const PAUSE: Duration = Duration::from_millis(1500);
/// The variable with how many milliseconds the process takes until it is ready.
pub const INIT_MS: &str = "PROBE_INIT_MS";
/// The variable that makes the process end before it is ready.
pub const INIT_FAILS: &str = "PROBE_INIT_FAILS";

/// How the probe is made wrong, for mutants of what happens inside a function's process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Slip {
    /// What is to be refused for good fails as if it could work later.
    RejectRetried,
    /// A panic ends the process.
    PanicEndsProcess,
    /// What a panic said is answered.
    PanicTold,
    /// The trace is not seen.
    TraceHidden,
    /// The query of a request is not seen.
    QueryHidden,
    /// All answers have the status 200.
    StatusFlattened,
    /// A failure of a record that is not in the batch counts as one of the record that reported it.
    UnknownIsOwn,
    /// An error ends the process.
    ErrorEndsProcess,
    /// What should end the process does not.
    ExitIgnored,
    /// Nothing of an answer comes before all of it.
    ChunkHeld,
    /// An answer ends after its first chunk.
    ChunkLost,
    /// The cookies of an answer are one.
    CookiesJoined,
    /// The process ends before it is ready.
    InitFails,
}

impl Slip {
    /// Its name in the variable.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::RejectRetried => "reject-retried",
            Self::PanicEndsProcess => "panic-ends-process",
            Self::PanicTold => "panic-told",
            Self::TraceHidden => "trace-hidden",
            Self::QueryHidden => "query-hidden",
            Self::StatusFlattened => "status-flattened",
            Self::UnknownIsOwn => "unknown-is-own",
            Self::ErrorEndsProcess => "error-ends-process",
            Self::ExitIgnored => "exit-ignored",
            Self::ChunkHeld => "chunk-held",
            Self::ChunkLost => "chunk-lost",
            Self::CookiesJoined => "cookies-joined",
            Self::InitFails => "init-fails",
        }
    }

    /// Whether this process is wrong in this way.
    #[must_use]
    pub fn is_made(self) -> bool {
        std::env::var(SLIP).is_ok_and(|name| name == self.name())
    }
}

/// What the probe is told to do with an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Act {
    /// Succeed.
    #[default]
    Ok,
    /// Fail with an error that is retried.
    Retry,
    /// Fail for good.
    Reject,
    /// Panic.
    Panic,
    /// End the process.
    Exit,
    /// Sleep for [`Command::ms`], then succeed.
    Sleep,
    /// Report the failure of a record that is not in the batch.
    Unknown,
    /// Sleep for [`Command::ms`], and report once more, under the tag with [`AFTER`] behind it. Of the function `worker` only.
    Tell,
}

/// The body of a message, record or notification; an item's attribute `command`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Command {
    /// What the rule knows the event by.
    pub tag: String,
    /// What to do.
    #[serde(default)]
    pub act: Act,
    /// For how many attempts; the ones after it succeed. 0 is all.
    #[serde(default)]
    pub times: u32,
    /// How long to sleep, in milliseconds.
    #[serde(default)]
    pub ms: u64,
}

impl Command {
    /// Succeeds.
    pub fn ok(tag: impl Into<String>) -> Self {
        Self {
            tag: tag.into(),
            ..Self::default()
        }
    }

    /// Does `act` on the first `times` attempts, or on all if that is 0.
    pub fn new(tag: impl Into<String>, act: Act, times: u32) -> Self {
        Self {
            tag: tag.into(),
            act,
            times,
            ms: 0,
        }
    }

    /// Sleeps on the first `times` attempts.
    pub fn sleep(tag: impl Into<String>, ms: u64, times: u32) -> Self {
        Self {
            tag: tag.into(),
            act: Act::Sleep,
            times,
            ms,
        }
    }

    /// What to do on this attempt.
    #[must_use]
    pub fn act_on(&self, attempt: u32) -> Act {
        if self.times == 0 || attempt <= self.times {
            self.act
        } else {
            Act::Ok
        }
    }
}

/// One invocation, or one record of it, as the probe saw it before it did anything.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Observation {
    /// The function.
    pub function: String,
    /// The event's tag.
    pub tag: String,
    /// The attempt.
    pub attempt: u32,
    /// The event's, message's or record's id.
    pub id: String,
    /// The invocation's id.
    pub invocation: String,
    /// The time left, in milliseconds.
    pub deadline_ms: Option<u64>,
    /// When, in microseconds since 1970-01-01 UTC by the function's clock.
    pub at_us: i64,
    /// The process.
    pub pid: u32,
    /// What else the function has to tell.
    #[serde(default)]
    pub note: Value,
}

/// An observation made wrong, if the fault concerns what the probe saw.
pub(crate) fn falsify(body: &mut Payload, fault: Fault) {
    let concerned = matches!(
        fault,
        Fault::AttemptAlwaysOne
            | Fault::IdChanges
            | Fault::DeadlineHidden
            | Fault::InvocationIdsSame
            | Fault::FunctionHidden
            | Fault::AttemptMadeUp
            | Fault::OldLost
            | Fault::KindConfused
            | Fault::PretendsCapability
            | Fault::Lacking
    );
    if !concerned {
        return;
    }
    let Ok(mut observation) = serde_json::from_slice::<Observation>(&body.bytes) else {
        return;
    };
    match fault {
        Fault::AttemptAlwaysOne => observation.attempt = 1,
        Fault::AttemptMadeUp => observation.attempt += 1,
        Fault::IdChanges => observation.id = format!("{}-{}", observation.id, observation.attempt),
        Fault::DeadlineHidden => observation.deadline_ms = None,
        Fault::OldLost | Fault::KindConfused | Fault::PretendsCapability | Fault::Lacking => {
            change(&mut observation.note, fault);
        }
        Fault::InvocationIdsSame => observation.invocation = "same".to_owned(),
        _ => observation.function = "hidden".to_owned(),
    }
    if let Ok(wrong) = Payload::json(&observation) {
        *body = wrong;
    }
}

/// What is noted of a table's change, made wrong.
fn change(note: &mut Value, fault: Fault) {
    let Some(fields) = note.as_object_mut().filter(|fields| fields.contains_key("old")) else {
        return;
    };
    match fault {
        Fault::OldLost => fields["old"] = Value::Null,
        Fault::Lacking => {
            fields["old"] = Value::Null;
            fields["kind"] = "modified".into();
        }
        Fault::KindConfused => {
            let wrong = match fields["kind"].as_str() {
                Some("inserted") => "modified",
                Some("modified") => "removed",
                _ => "inserted",
            };
            fields["kind"] = wrong.into();
        }
        Fault::PretendsCapability if fields["old"].is_null() => fields["old"] = "made up".into(),
        _ => {}
    }
}

/// An app without functions, of a name of its own.
#[must_use]
pub fn app() -> App {
    let name = uuid::Uuid::new_v4().simple().to_string();
    let queue = || Resource::Queue(QueueSpec::default());
    App {
        name: format!("probe-{}", &name[..8]),
        resources: BTreeMap::from([(OBSERVED.to_owned(), queue()), (DEAD.to_owned(), queue())]),
        functions: BTreeMap::new(),
        targets: BTreeMap::new(),
    }
}

/// One of the probe's functions: three tries, 200 ms and 400 ms apart, 10 s each, two processes at most.
#[must_use]
pub fn function(on: impl IntoIterator<Item = Trigger>) -> FunctionSpec {
    FunctionSpec {
        memory: 128 << 20,
        ephemeral_storage: None,
        timeout: Duration::from_secs(10),
        on: on.into_iter().collect(),
        uses: BTreeMap::from([(OBSERVED.to_owned(), BTreeSet::from([Access::Send]))]),
        env: BTreeMap::new(),
        retry: Retry {
            attempts: 3,
            backoff: Duration::from_millis(200),
            max_backoff: Duration::from_secs(1),
        },
        dead_letter: DEAD.to_owned(),
        concurrency: 1,
        max_instances: 2,
        isolation: Isolation::Process,
    }
}
