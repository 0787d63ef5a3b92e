//! The manifest from outside: what loads, what does not, and what is said then.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test ends where its helper does"
)]

mod bad_input;
mod book;
mod common;
mod file;
mod fit;
mod layers;
mod model;
mod schema;
