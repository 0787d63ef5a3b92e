//! Apps on Azure, as far as they can run here: the command renders and builds them, the host stand-in of the conformance suite runs each function's package, with the emulators
//! of storage and Cosmos DB; events are made, and effects read back, by Azure's own SDK of another language.

#![allow(clippy::unwrap_used, reason = "a test says what is wrong by failing")]

mod account;
mod apps;
mod bodies;
mod cloud;
mod life;
mod python;
mod triggers;
mod trouble;
mod two_sites;
mod voice;

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
