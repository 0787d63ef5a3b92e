//! The host of Azure Functions with a real process, over real sockets, and with the emulators running.

#![allow(clippy::unwrap_used, reason = "a test says what is wrong by failing")]

mod app;
mod databases;
mod events;
mod http_triggers;
mod packages;
mod peers;
mod process;
mod queues;
mod service_bus;
mod streams;
mod timers;
