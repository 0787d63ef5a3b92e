//! The suite over this adapter: all of it holds.

use nephos_conformance::Suite;

use super::LocalHarness;

/// The conformance suite over the adapter, for its test and for the command. The program that runs it calls [`host`](super::host) first.
#[must_use]
pub fn suite() -> Suite {
    Suite::new(LocalHarness::new())
}
