//! Nephos on AWS: functions on Lambda, their triggers, resources, and deployment through CloudFormation.
//!
//! The *function side* (feature `host`) takes events from the Lambda Runtime API, and reads those of the kinds of trigger whose features are on (`on-http`,
//! …, `on-voice`; `on-all`); the features `bucket`, `queue`, `topic`, `stream`, `table` and
//! `secret` each bring the drivers of one kind of resource. The *deploy side* (feature `deploy`) makes a CloudFormation template of an app, and
//! deploys it.

// What the codecs share is used by some of them only; a build with them all says what nobody uses.
#![cfg_attr(not(feature = "on-all"), allow(dead_code, unused_variables))]

pub mod events;
mod number;
pub mod payload;
pub mod variables;

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
