//! The adapter for AWS against the crates that it stands on: functions under one local Runtime API, decoding, buckets, and rendering.
//!
//! The programs are in `xtask/peers/aws`, a workspace of its own.

mod function;
mod invoke;
mod parts;
mod runtime_api;
mod store;
mod wire;

use std::path::PathBuf;

use xtask::shell::{self, Result};

use super::Bench;
use super::report::Row;
use function::CASES;

/// Functions on Lambda.
///
/// # Errors
/// A program that does not build, start, or answer as it should.
pub(crate) fn functions(bench: &Bench) -> Result<Vec<Row>> {
    for case in CASES {
        for package in [case.ours, case.theirs].into_iter().chain(case.silent) {
            build(bench, package, "function")?;
        }
    }
    invoke::measure(&bench.target.join("function"))
}

/// The parts of the adapter, each measured even where another could not be.
pub(crate) use parts::{buckets, decoding, rendering};

fn source() -> PathBuf {
    shell::root().join("xtask/peers/aws")
}

/// Builds one program alone, so that it has only the features that it asks for.
fn build(bench: &Bench, package: &str, profile: &str) -> Result<()> {
    let mut cargo = shell::cargo();
    cargo
        .args([
            "build",
            "--quiet",
            "--locked",
            "--profile",
            profile,
            "--package",
            package,
            "--manifest-path",
        ])
        .arg(source().join("Cargo.toml"))
        .arg("--target-dir")
        .arg(&bench.target);
    shell::run(&mut cargo, "the benchmark")
}
