//! What the embedded host tells of its doings: one value for each thing that a person at the terminal, or a machine, may want to know.

use std::sync::Arc;
use std::time::Duration;

use nephos_core::ErrorKind;
use nephos_core::event::TriggerKind;
use serde::Serialize;
use tokio::sync::broadcast;

/// How many activities a slow listener may lag behind before it loses the oldest.
const BACKLOG: usize = 4096;

/// Something that happened in the embedded host.
#[derive(Debug, Clone, Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Activity {
    /// A process of a function was started.
    Started {
        /// The function.
        function: String,
        /// The process.
        pid: u32,
    },
    /// A process of a function ended as it should: idle, replaced, or because the host stops.
    Stopped {
        /// The function.
        function: String,
        /// The process.
        pid: u32,
        /// Why.
        reason: String,
    },
    /// A process of a function ended by itself.
    Crashed {
        /// The function.
        function: String,
        /// The process.
        pid: u32,
        /// How it ended, with the last lines of what it printed.
        reason: String,
    },
    /// An invocation ended.
    Invocation(Invocation),
    /// A line that a function printed.
    Log {
        /// The function.
        function: String,
        /// `stdout` or `stderr`.
        stream: &'static str,
        /// The line, cut where it was too long.
        line: String,
    },
    /// An event or record was given up, and lies in the dead-letter queue.
    DeadLettered {
        /// The function.
        function: String,
        /// The event's or record's id.
        id: String,
        /// Why.
        reason: String,
        /// The queue.
        queue: String,
        /// How often it had been tried.
        attempts: u32,
    },
    /// Something that the host itself could not do; it goes on trying.
    Trouble {
        /// What, and why.
        message: String,
    },
}

/// What came of an invocation.
#[derive(Debug, Clone, Serialize)]
pub struct Invocation {
    /// The function.
    pub function: Arc<str>,
    /// What called it.
    pub trigger: TriggerKind,
    /// The invocation's id.
    pub id: String,
    /// What it was about, in a few words: a key, a queue, a request line.
    pub subject: String,
    /// Which delivery, from 1.
    pub attempt: u32,
    /// How many records it carried; 1 for events without records.
    pub records: usize,
    /// What came of it.
    pub result: InvocationResult,
    /// How long it took, the wait for a process included.
    #[serde(serialize_with = "millis", rename = "duration_ms")]
    pub duration: Duration,
    /// The most memory that its process has held so far, in bytes, where the system tells.
    pub peak_memory: Option<u64>,
    /// Whether a process had to be started for it.
    pub cold: bool,
}

/// What came of an invocation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "result", rename_all = "snake_case")]
pub enum InvocationResult {
    /// Done.
    Ok,
    /// Answered with this status.
    Status {
        /// The HTTP status.
        status: u16,
    },
    /// Some records failed.
    Partial {
        /// How many.
        failed: usize,
        /// The first one's reason.
        reason: String,
    },
    /// All failed.
    Failed {
        /// The kind of error.
        kind: ErrorKind,
        /// Why.
        reason: String,
    },
}

fn millis<S: serde::Serializer>(duration: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_f64((duration.as_secs_f64() * 1e6).round() / 1e3)
}

/// Where activities are told. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Activities(broadcast::Sender<Activity>);

impl Default for Activities {
    fn default() -> Self {
        Self(broadcast::Sender::new(BACKLOG))
    }
}

impl Activities {
    /// Whether anybody listens: making an activity that nobody hears can be left out.
    #[must_use]
    pub fn has_listeners(&self) -> bool {
        self.0.receiver_count() > 0
    }

    /// Tells an activity to all who listen.
    pub fn tell(&self, activity: Activity) {
        // Without a listener it is not an error that nobody hears it.
        let _ = self.0.send(activity);
    }

    /// Tells of something that the host itself could not do.
    pub fn trouble(&self, message: String) {
        if self.has_listeners() {
            self.tell(Activity::Trouble { message });
        } else {
            tracing::warn!("{message}");
        }
    }

    /// Listens from now on.
    #[must_use]
    pub fn listen(&self) -> broadcast::Receiver<Activity> {
        self.0.subscribe()
    }
}
