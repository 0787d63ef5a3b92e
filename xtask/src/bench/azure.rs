//! The adapter for Azure against what it stands on: functions called as the Functions host calls them, against bare `hyper`; buckets on Azurite, against
//! bare `object_store`; and rendering.
//!
//! The programs are in `xtask/peers/azure`, a workspace of its own.

mod function;

use std::process::Command;

use xtask::setup::{self, Purpose};
use xtask::shell::{Error, Result};

use super::Bench;
use super::peers::{Peers, growing, transfers};
use super::report::Row;
use super::serving::against_bare;
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
    let mut rows = Vec::new();
    for case in CASES {
        for package in [case.ours, case.theirs] {
            PEERS.build(bench, package, "function")?;
        }
        let programs = PEERS.folder(bench).join("function");
        let folder = bench.folder(&format!("azure-{}", case.name))?;
        let ours = case.side(case.ours, &programs, &folder)?;
        let theirs = case.side(case.theirs, &programs, &folder)?;
        let measured = against_bare(&format!("azure {}", case.name), &ours, &theirs);
        rows.extend(measured.map_err(|e| Error::Other(format!("{}: {e}", case.name)))?);
    }
    Ok(rows)
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
    growing(bench, "azure render", 1_000.0, &SIZES, Command::new(program))
}
