//! Functions on Nephos against the same functions on bare hyper: invocations a second, cold start, memory, size.

use std::path::Path;
use std::time::Duration;

use xtask::shell::{Error, Result};

use super::function::{CASES, Case, Running, Side};
use crate::bench::Bench;
use crate::bench::compare::{self, Pairs, of_medians, row, size_of, turns};
use crate::bench::load::Load;
use crate::bench::report::{Budget, Row};

/// Cold starts of each side; one takes a few milliseconds.
const STARTS: usize = 120;
/// Warm processes of each side; their memory is measured after so long a load.
const PROCESSES: usize = 5;
const USE: Duration = Duration::from_millis(500);
/// Turns are short, so that what else the machine does hits both sides.
const ROUNDS: usize = 24;
const ROUND: Duration = Duration::from_millis(100);
const WARM_UP: Duration = Duration::from_millis(500);
/// The host keeps several connections.
const CONNECTIONS: usize = 8;

/// All rows of both cases, with the programs in `programs`.
///
/// # Errors
/// A function that does not start, or answers wrongly.
pub(crate) fn measure(bench: &Bench, programs: &Path) -> Result<Vec<Row>> {
    let mut rows = Vec::new();
    for case in CASES {
        let folder = bench.folder(&format!("azure-{}", case.name))?;
        let measured = compare(case, programs, &folder);
        rows.extend(measured.map_err(|e| Error::Other(format!("{}: {e}", case.name)))?);
    }
    Ok(rows)
}

fn compare(case: Case, programs: &Path, folder: &Path) -> Result<Vec<Row>> {
    let ours = Side::new(case, case.ours, programs, folder)?;
    let theirs = Side::new(case, case.theirs, programs, folder)?;
    let silent = Side::new(case, case.theirs, programs, folder)?.silent();
    let figure = |what: &str| format!("azure {}, {what}", case.name);
    let (rate, processor) = rates(&ours, &theirs)?;
    Ok(vec![
        row(figure("invocations"), &rate, "/s", Some(Budget::AtLeast(0.95))),
        row(figure("processor time an invocation"), &processor, "us", None),
        of_medians(row(
            figure("cold start to first answer"),
            &turns(
                STARTS,
                || Ok(ours.spawn()?.cold_ms),
                || Ok(theirs.spawn()?.cold_ms),
            )?,
            "ms",
            Some(Budget::AtMost(1.1)),
        )),
        of_medians(row(
            figure("cold start, of a peer that does not log"),
            &turns(
                STARTS,
                || Ok(ours.spawn()?.cold_ms),
                || Ok(silent.spawn()?.cold_ms),
            )?,
            "ms",
            None,
        )),
        row(
            figure("resident when warm"),
            &turns(PROCESSES, || resident(&ours), || resident(&theirs))?,
            "MiB",
            None,
        ),
        row(
            figure("stripped size"),
            &[(size_of(&ours.program)?, size_of(&theirs.program)?)],
            "MB",
            None,
        ),
    ])
}

/// Warm invocations a second, and microseconds of processor time an invocation, of several processes of each side: where one happens to lie in memory, and on which
/// core, makes more of a difference than what is compared.
fn rates(ours: &Side, theirs: &Side) -> Result<(Pairs, Pairs)> {
    let mut all = (Pairs::new(), Pairs::new());
    for _ in 0..PROCESSES {
        let (ours, theirs) = (ours.spawn()?, theirs.spawn()?);
        for side in [&ours, &theirs] {
            load(side, WARM_UP)?;
        }
        let (rates, times) = compare::rates(ROUNDS, ROUND, &ours, &theirs, |running: &Running| {
            let before = running.processor_time()?;
            let rate = load(running, ROUND)?;
            Ok((rate, running.processor_time()? - before))
        })?;
        all.0.extend(rates);
        all.1.extend(times);
    }
    Ok(all)
}

/// Invocations a second under a load of `duration`.
fn load(running: &Running, duration: Duration) -> Result<f64> {
    let load = Load {
        connections: CONNECTIONS,
        duration,
        ..running.load.clone()
    };
    let sample = load
        .run()
        .map_err(|e| Error::Other(format!("the function at http://{}: {e}", load.to)))?;
    Ok(sample.per_second)
}

/// Resident memory after a load, in MiB.
fn resident(side: &Side) -> Result<f64> {
    let running = side.spawn()?;
    load(&running, USE)?;
    #[expect(clippy::cast_precision_loss, reason = "a process's memory fits")]
    Ok(running.memory()?.now_kib as f64 / 1024.0)
}
