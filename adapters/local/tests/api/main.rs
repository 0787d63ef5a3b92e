//! The resource API over real sockets: a function's drivers on one side, the store on the other.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test that cannot go on fails"
)]

mod control;
mod errors;
mod function;
mod resources;
mod support;
