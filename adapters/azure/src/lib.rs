//! Nephos on Azure: functions on Azure Functions as a custom handler, their triggers, resources, and deployment through deployment stacks.
//!
//! The features `bucket`, `queue`, `topic`, `stream`, `table` and `secret` each bring the drivers of one kind of resource.

// What the codecs share is used by some of them only; a build with them all says what nobody uses.
#![cfg_attr(not(feature = "on-all"), allow(dead_code, unused_variables))]

pub mod document;
pub mod payload;

#[cfg(feature = "sdk")]
pub mod config;
#[cfg(feature = "sdk")]
pub mod error;
#[cfg(feature = "sdk")]
pub mod resources;

#[cfg(feature = "harness")]
pub mod harness;
