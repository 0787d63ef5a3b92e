//! Drivers over the embedded host's resource API.

pub mod bucket;
pub mod client;
pub mod queue;
pub mod secret;
pub mod stream;
pub mod table;
pub mod topic;
