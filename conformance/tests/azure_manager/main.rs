//! The stand-in of Azure Resource Manager over real sockets, and asked by Azure's own SDK for Python.

#![allow(clippy::unwrap_used, reason = "a test says what is wrong by failing")]

mod client;
mod identity;
mod interruptions;
mod log_queries;
mod packages;
mod peers;
mod resources;
mod stacks;
mod templates;
mod what_if;
