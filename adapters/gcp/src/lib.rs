//! Nephos on Google Cloud: functions on Cloud Run, their triggers and resources.
//!
//! The features `bucket`, `queue`, `topic`, `stream`, `table` and `secret` each bring the drivers of one kind of resource.

#[cfg(feature = "sdk")]
#[cfg_attr(
    not(feature = "harness"),
    allow(
        dead_code,
        reason = "of some kinds; a build with them all says what nobody uses"
    )
)]
pub mod config;
#[cfg(feature = "table")]
pub mod document;
#[cfg(feature = "sdk")]
#[cfg_attr(
    not(feature = "harness"),
    allow(
        dead_code,
        reason = "of some kinds; a build with them all says what nobody uses"
    )
)]
pub mod error;
pub mod payload;
#[cfg(feature = "sdk")]
pub mod resources;

#[cfg(feature = "harness")]
pub mod harness;
