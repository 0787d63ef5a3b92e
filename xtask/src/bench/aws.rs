//! The adapter for AWS against the crates that it stands on: functions under one local Runtime API, decoding, buckets, and rendering.
//!
//! The programs are in `xtask/peers/aws`, a workspace of its own.

mod function;
mod invoke;
mod parts;
mod runtime_api;
mod store;
mod wire;

use xtask::shell::Result;

use super::Bench;
use super::peers::Peers;
use super::report::Row;
use function::CASES;

/// Where the programs come from.
const PEERS: Peers = Peers("aws");

/// Functions on Lambda.
///
/// # Errors
/// A program that does not build, start, or answer as it should.
pub(crate) fn functions(bench: &Bench) -> Result<Vec<Row>> {
    for case in CASES {
        for package in [case.ours, case.theirs].into_iter().chain(case.silent) {
            PEERS.build(bench, package, "function")?;
        }
    }
    invoke::measure(&PEERS.folder(bench).join("function"))
}

/// The parts of the adapter, each measured even where another could not be.
pub(crate) use parts::{buckets, decoding, rendering};
