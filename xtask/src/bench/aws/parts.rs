//! Single parts of the adapter, timed by programs of their own that print a line of JSON a figure.

use std::process::Command;

use serde::Deserialize;
use xtask::shell::{self, Result};

use super::{PEERS, store};
use crate::bench::peers::{growing, lines, transfers};
use crate::bench::report::{Budget, Judged, Row};
use crate::bench::{Bench, check};

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
    let program = PEERS.build(bench, "decode", "function")?;
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

/// Objects to a store and back.
///
/// # Errors
/// As [`decoding`].
pub(crate) fn buckets(bench: &Bench) -> Result<Vec<Row>> {
    let program = PEERS.build(bench, "bucket", "function")?;
    let store = store::start()?;
    let mut command = Command::new(program);
    command.arg(format!("http://{store}")).env_clear().envs([
        ("AWS_ACCESS_KEY_ID", "bench"),
        ("AWS_SECRET_ACCESS_KEY", "bench-secret"),
    ]);
    transfers("aws", &mut command)
}

/// Templates of small and large apps.
///
/// # Errors
/// As [`decoding`].
pub(crate) fn rendering(bench: &Bench) -> Result<Vec<Row>> {
    let program = PEERS.build(bench, "render", "render")?;
    growing(bench, "aws render", 1_000.0, &check::SIZES, Command::new(program))
}
