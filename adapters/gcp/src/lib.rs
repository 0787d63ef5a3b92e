//! Nephos on Google Cloud: functions on Cloud Run, their triggers and resources.
//!
//! The *function side* (feature `host`) takes requests on Cloud Run, and reads those of the kinds of trigger whose features are on (`on-http`, …, `on-voice`; `on-all`).
//! The features `bucket`, `queue`, `topic`, `stream`, `table` and `secret` each bring the drivers of one kind of resource.
//! The *deploy side* (feature `deploy`) makes a graph of an app, and brings it about.

// What the codecs share is used by some of them only; a build with them all says what nobody uses.
#![cfg_attr(not(feature = "on-all"), allow(dead_code, unused_variables))]

#[cfg(any(
    feature = "on-http",
    feature = "asynchronous",
    feature = "on-auth",
    feature = "on-voice"
))]
pub mod events;
#[cfg(feature = "host")]
pub mod host;
pub mod wiring;

#[cfg(feature = "sdk")]
#[cfg_attr(
    not(feature = "harness"),
    allow(
        dead_code,
        reason = "of some kinds; a build with them all says what nobody uses"
    )
)]
pub mod config;
#[cfg(any(feature = "table", feature = "on-table"))]
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

#[cfg(feature = "deploy")]
pub mod deploy;

#[cfg(feature = "harness")]
pub mod harness;
