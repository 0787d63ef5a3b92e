//! Nephos on Azure: functions on Azure Functions as a custom handler, their triggers, resources, and deployment through deployment stacks.

// A build with some of the codecs has no use for all of their helpers.
#![cfg_attr(not(feature = "on-all"), allow(dead_code, unused_variables))]

#[cfg(any(
    feature = "on-http",
    feature = "asynchronous",
    feature = "on-auth",
    feature = "on-voice"
))]
pub mod events;
pub mod package;
pub mod payload;

#[cfg(feature = "deploy")]
pub mod deploy;
#[cfg(feature = "host")]
pub mod host;
