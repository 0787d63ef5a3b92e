//! Single parts of the adapter, timed by programs of their own that print a line of JSON a figure.

use std::path::PathBuf;
use std::process::Command;

use serde::Deserialize;
use xtask::shell::{self, Error, Result};

use super::store;
use crate::bench::report::{Budget, Judged, Row};
use crate::bench::{Bench, check};

/// Builds a program; what a function does is measured as functions are built.
fn program(bench: &Bench, name: &str, profile: &str) -> Result<PathBuf> {
    super::build(bench, name, profile)?;
    Ok(bench.target.join(profile).join(name))
}

#[derive(Deserialize)]
struct Decoding {
    trigger: String,
    nephos_ns: f64,
    peer_ns: f64,
    ratio: f64,
}

/// Documents of Lambda, from bytes to an event.
///
/// # Errors
/// A program that does not build or fails, or prints something else.
pub(crate) fn decoding(bench: &Bench) -> Result<Vec<Row>> {
    let program = program(bench, "decode", "function")?;
    let payloads = shell::root().join("adapters/aws/tests/payloads");
    let lines: Vec<Decoding> = lines(Command::new(program).arg(payloads))?;
    Ok(lines
        .into_iter()
        .map(|line| Row {
            peer: Some(line.peer_ns / 1e3),
            ratio: Some(line.ratio),
            judged: Judged::Ratio,
            // `aws_lambda_events` has no type for Alexa; its peer is JSON without a type.
            ..Row::alone(
                format!("decode, {}", line.trigger),
                line.nephos_ns / 1e3,
                "us",
                (line.trigger != "Alexa").then_some(Budget::AtMost(1.0)),
            )
        })
        .collect())
}

#[derive(Deserialize)]
struct Transfer {
    operation: String,
    size: String,
    nephos_us: f64,
    peer_us: f64,
    /// How many times as fast as the peer.
    speed: f64,
}

/// Objects to a store and back.
///
/// # Errors
/// As [`decoding`].
pub(crate) fn buckets(bench: &Bench) -> Result<Vec<Row>> {
    let program = program(bench, "bucket", "function")?;
    let store = store::start()?;
    let mut command = Command::new(program);
    command.arg(format!("http://{store}")).env_clear().envs([
        ("AWS_ACCESS_KEY_ID", "bench"),
        ("AWS_SECRET_ACCESS_KEY", "bench-secret"),
    ]);
    let lines: Vec<Transfer> = lines(&mut command)?;
    Ok(lines
        .into_iter()
        .map(|line| Row {
            peer: Some(1e6 / line.peer_us),
            ratio: Some(line.speed),
            judged: Judged::Ratio,
            ..Row::alone(
                format!("bucket, {} {}", line.operation, line.size),
                1e6 / line.nephos_us,
                "/s",
                Some(Budget::AtLeast(0.98)),
            )
        })
        .collect())
}

#[derive(Deserialize)]
struct Rendering {
    functions: u32,
    ms: f64,
}

/// Templates of small and large apps.
///
/// # Errors
/// As [`decoding`].
pub(crate) fn rendering(bench: &Bench) -> Result<Vec<Row>> {
    let program = program(bench, "render", "render")?;
    let folder = bench.folder("render")?;
    let mut command = Command::new(program);
    for size in check::SIZES {
        let path = folder.join(format!("{size}.toml"));
        std::fs::write(&path, check::manifest(size)).map_err(Error::io("write", &path))?;
        command.arg(path);
    }
    let lines: Vec<Rendering> = lines(&mut command)?;
    let mut rows: Vec<Row> = lines
        .iter()
        .map(|line| {
            let budget = (line.functions == 1_000).then_some(Budget::AtMost(1_000.0));
            Row::alone(
                format!("render, {} functions", line.functions),
                line.ms,
                "ms",
                budget,
            )
        })
        .collect();
    let each =
        |pair: &[Rendering]| (pair[1].ms - pair[0].ms) / f64::from(pair[1].functions - pair[0].functions);
    let growth: Vec<f64> = lines.windows(2).map(each).collect();
    if let [early, late] = growth[..] {
        rows.push(Row::alone(
            "render, growth of a function more, from 100 to 10,000 (1 is linear)",
            late / early,
            "x",
            Some(Budget::AtMost(check::LINEAR)),
        ));
    }
    Ok(rows)
}

fn lines<T: for<'de> Deserialize<'de>>(command: &mut Command) -> Result<Vec<T>> {
    let text = shell::output(command, "the benchmark")?;
    text.lines()
        .map(|line| {
            serde_json::from_str(line)
                .map_err(|e| Error::Other(format!("`{}` printed {line:?}: {e}", shell::line(command))))
        })
        .collect()
}
