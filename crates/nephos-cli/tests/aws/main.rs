//! Drives the built `nephos` command against an emulator of AWS: what it deploys there runs there.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test that cannot go on fails"
)]

mod apps;
mod change;
mod kept;
mod life;
mod permissions;
mod refusals;
mod sdk;
mod sign_on;
mod store;
mod support;
mod triggers;
mod trouble;
