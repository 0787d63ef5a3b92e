//! The embedded host: processes, gateway, resources, and what feeds the triggers.

pub mod activity;
pub mod api;
pub mod bucket;
pub mod engine;
pub mod gateway;
pub mod pool;
pub mod process;
pub mod pump;
pub mod schedule;
pub mod secrets;
pub mod smtp;
pub mod store;
