//! Nephos on Azure: functions on Azure Functions as a custom handler, their triggers, resources, and deployment through deployment stacks.
//!
//! The *function side* (feature `host`) takes invocations of the Functions host, and reads those of the kinds of trigger whose features are on (`on-http`, …, `on-voice`;
//! `on-all`); the features `bucket`, `queue`, `topic`, `stream`, `table` and `secret` each bring the drivers of one kind of resource. The *deploy side* (feature
//! `deploy`) makes a deployment stack's template and the functions' packages of an app.

// What the codecs share is used by some of them only; a build with them all says what nobody uses.
#![cfg_attr(not(feature = "on-all"), allow(dead_code, unused_variables))]

pub mod document;
#[cfg(any(
    feature = "on-http",
    feature = "asynchronous",
    feature = "on-auth",
    feature = "on-voice"
))]
pub mod events;
pub mod package;
pub mod payload;

#[cfg(feature = "host")]
pub mod host;

#[cfg(feature = "sdk")]
pub mod config;
#[cfg(feature = "sdk")]
pub mod error;
#[cfg(feature = "sdk")]
pub mod resources;

#[cfg(feature = "deploy")]
pub mod deploy;

#[cfg(feature = "harness")]
pub mod harness;
