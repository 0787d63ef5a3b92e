//! Templates as others read them: against the text that was agreed to, cfn-lint, and the policies that they grant.
#![cfg(feature = "deploy")]
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test that cannot be prepared has failed"
)]

mod apps;
#[cfg(feature = "harness")]
mod deployed;
#[cfg(feature = "harness")]
mod enforced;
mod golden;
mod limits;
mod lint;
mod policy;
mod refused;
#[cfg(feature = "harness")]
mod stack;
mod wiring;
