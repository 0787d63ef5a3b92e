//! Schedule events: a tick.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

/// One tick of a schedule.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tick {
    /// The schedule as the manifest states it (`every 5 minutes`, or a cron expression).
    pub schedule: String,
    /// The time for which the tick was due, where the target tells it; else when it fired.
    pub due_at: DateTime<Utc>,
    /// Whether it fires late, for a time when nothing was running.
    #[serde(default)]
    pub past_due: bool,
}
