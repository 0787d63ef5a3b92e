//! Schedules: when the next tick is due.
