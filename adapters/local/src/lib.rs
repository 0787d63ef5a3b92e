//! Nephos on one machine: no cloud, no account, no other service.
//!
//! The *function side* (feature `host`) runs in the function's own process: it takes events from the embedded host over HTTP with
//! CloudEvents, and reaches resources through the embedded host's API. The *embedded host* (feature `deploy`) starts those processes,
//! holds the resources, and feeds the triggers.

#[cfg(feature = "host")]
pub mod events;
#[cfg(feature = "host")]
pub mod host;
#[cfg(feature = "host")]
pub mod resources;
#[cfg(feature = "host")]
pub mod wire;

#[cfg(feature = "deploy")]
pub mod deploy;

#[cfg(feature = "harness")]
pub mod harness;
