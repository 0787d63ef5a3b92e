//! Nephos on Azure: functions on Azure Functions as a custom handler, their triggers, resources, and deployment through deployment stacks.

#[cfg(any(
    feature = "on-http",
    feature = "asynchronous",
    feature = "on-auth",
    feature = "on-voice"
))]
pub mod events;
pub mod payload;

#[cfg(feature = "deploy")]
pub mod deploy;
