//! The adapter for Azure against what it stands on: functions called as the Functions host calls them, against bare `hyper`; buckets on Azurite, against
//! bare `object_store`; and rendering.
//!
//! The programs are in `xtask/peers/azure`, a workspace of its own.

mod function;
mod invoke;

use std::process::Command;

use xtask::setup::{self, Purpose};
use xtask::shell::Result;

use super::Bench;
use super::peers::{Peers, renderings, transfers};
use super::report::Row;
use function::CASES;

/// How many functions are rendered: of more, buckets have more triggers than one topic of Event Grid takes.
const SIZES: [u32; 3] = [100, 500, 1_000];

/// Where the programs come from.
const PEERS: Peers = Peers("azure");

/// Functions behind the Functions host.
///
/// # Errors
/// A program that does not build, start, or answer as it should.
pub(crate) fn functions(bench: &Bench) -> Result<Vec<Row>> {
    for case in CASES {
        for package in [case.ours, case.theirs] {
            PEERS.build(bench, package, "function")?;
        }
    }
    invoke::measure(bench, &PEERS.folder(bench).join("function"))
}

/// Objects to Azurite and back.
///
/// # Errors
/// A program that does not build or fails, or prints something else; an emulator that cannot be installed.
pub(crate) fn buckets(bench: &Bench) -> Result<Vec<Row>> {
    let tools = setup::folder(&bench.target);
    setup::install(&tools, &[Purpose::Test])?;
    let program = PEERS.build(bench, "bucket", "function")?;
    transfers("azure", Command::new(program).env(setup::TOOLS_VARIABLE, tools))
}

/// Templates and packages of small and large apps.
///
/// # Errors
/// As [`buckets`].
pub(crate) fn rendering(bench: &Bench) -> Result<Vec<Row>> {
    let program = PEERS.build(bench, "render", "render")?;
    renderings(bench, "azure", &SIZES, Command::new(program))
}
