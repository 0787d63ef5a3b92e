//! The adapter for Google Cloud against what it stands on: functions called as Cloud Run's callers do, against bare `hyper` and against Google's own framework for
//! Node.js; buckets on the suite's stand-in of Cloud Storage, against bare `object_store`; rendering and planning.
//!
//! The programs are in `xtask/peers/gcp`, a workspace of its own.

mod function;

use std::process::Command;

use xtask::setup::{self, Purpose};
use xtask::shell::{self, Error, Result};

use super::Bench;
use super::peers::{Peers, growing, transfers};
use super::report::Row;
use super::serving::{against_bare, against_framework};
use function::{CASES, Case, Framework};

/// How many functions are rendered: Google Cloud has not more services in a project.
const SIZES: [u32; 3] = [100, 500, 1_000];

/// How long a thousand functions may take.
const LIMIT_MS: f64 = 2_000.0;

/// Where the programs come from.
const PEERS: Peers = Peers("gcp");

/// Functions on Cloud Run.
///
/// # Errors
/// A program that does not build, start, or answer as it should.
pub(crate) fn functions(bench: &Bench) -> Result<Vec<Row>> {
    each(bench, |case, programs, folder| {
        PEERS.build(bench, case.theirs, "function")?;
        against_bare(
            &name(case),
            &case.side(case.ours, programs, folder),
            &case.side(case.theirs, programs, folder),
        )
    })
}

/// The same functions against Google's framework.
///
/// # Errors
/// As [`functions`]; a framework that cannot be installed, by the name of what is missing.
pub(crate) fn frameworks(bench: &Bench) -> Result<Vec<Row>> {
    let tools = setup::bench_folder(&bench.target);
    setup::install(&tools, &[Purpose::Bench])?;
    let framework = Framework {
        installed: tools.join("npm/node_modules/@google-cloud/functions-framework"),
        functions: shell::root().join("xtask/peers/gcp/node"),
    };
    each(bench, |case, programs, folder| {
        against_framework(
            &name(case),
            "functions-framework on Node.js",
            &case.side(case.ours, programs, folder),
            &case.of_framework(&framework, folder)?,
        )
    })
}

fn name(case: &Case) -> String {
    format!("gcp {}", case.name)
}

/// What is measured of each case, with the function on Nephos built.
fn each(
    bench: &Bench,
    measure: impl Fn(&Case, &std::path::Path, &std::path::Path) -> Result<Vec<Row>>,
) -> Result<Vec<Row>> {
    let mut rows = Vec::new();
    for case in &CASES {
        PEERS.build(bench, case.ours, "function")?;
        let programs = PEERS.folder(bench).join("function");
        let folder = bench.folder(&format!("gcp-{}", case.ours))?;
        let measured = measure(case, &programs, &folder);
        rows.extend(measured.map_err(|e| Error::Other(format!("{}: {e}", case.name)))?);
    }
    Ok(rows)
}

/// Objects to the stand-in of Cloud Storage and back.
///
/// # Errors
/// A program that does not build or fails, or prints something else.
pub(crate) fn buckets(bench: &Bench) -> Result<Vec<Row>> {
    let program = PEERS.build(bench, "bucket", "function")?;
    transfers("gcp", &mut Command::new(program))
}

/// Graphs of small and large apps.
///
/// # Errors
/// As [`buckets`].
pub(crate) fn rendering(bench: &Bench) -> Result<Vec<Row>> {
    let program = PEERS.build(bench, "render", "render")?;
    growing(bench, "gcp render", LIMIT_MS, &SIZES, Command::new(program))
}

/// Plans of small and large apps, against the stand-in of the control plane.
///
/// # Errors
/// As [`buckets`]; documents of Google's that cannot be installed.
pub(crate) fn planning(bench: &Bench) -> Result<Vec<Row>> {
    let tools = setup::folder(&bench.target);
    setup::install(&tools, &[Purpose::Test])?;
    let mut command = Command::new(PEERS.build(bench, "plan", "render")?);
    command.env(setup::TOOLS_VARIABLE, tools);
    growing(bench, "gcp plan", LIMIT_MS, &SIZES, command)
}
