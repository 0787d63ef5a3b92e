//! Apps on Google Cloud: the command brings them to the stand-in of Google's interfaces, which answers by Google's own host names and holds every request against Google's own documents.

#![allow(clippy::unwrap_used, reason = "a test says what is wrong by failing")]

mod account;
mod apps;
mod cloud;
mod life;
mod python;
mod together;
mod triggers;
mod trouble;

#[path = "../examples/mod.rs"]
mod examples;

// The third party's store, and who looks into it.
#[allow(
    dead_code,
    clippy::expect_used,
    reason = "what only the tests on AWS need, which are written so"
)]
#[path = "../aws/sdk.rs"]
mod sdk;
#[path = "../aws/store.rs"]
mod store;
