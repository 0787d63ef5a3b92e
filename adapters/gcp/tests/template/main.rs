//! Graphs as others read them: against the text that was agreed to, Google's own discovery documents, and the roles that they give.
#![expect(clippy::unwrap_used, reason = "a test that cannot be prepared has failed")]

mod apps;
mod golden;
mod limits;
mod lint;
mod names;
mod refused;
mod roles;
mod sources;
mod wiring;
