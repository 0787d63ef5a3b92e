//! Functions on Nephos against the same functions without it: invocations a second, cold start, memory, size.

use std::path::Path;
use std::time::Duration;

use xtask::shell::{Error, Result};

use super::function::{CASES, Case, Running, Side};
use crate::bench::compare::{self, Pairs, of_medians, row, size_of, turns};
use crate::bench::report::{Budget, Row};

/// Cold starts of each side; one takes a few milliseconds.
const STARTS: usize = 60;
/// Processes of each side whose memory is measured, after so many invocations.
const PROCESSES: usize = 5;
const INVOCATIONS: u64 = 5_000;
/// Turns are short, so that what else the machine does hits both sides.
const ROUNDS: usize = 120;
const ROUND: Duration = Duration::from_millis(50);
const WARM_UP: u64 = 2_000;

/// All rows of both cases, with the programs in `folder`.
///
/// # Errors
/// A function that does not start, or answers wrongly.
pub(crate) fn measure(folder: &Path) -> Result<Vec<Row>> {
    let mut rows = Vec::new();
    for case in CASES {
        rows.extend(compare(case, folder).map_err(|e| Error::Other(format!("{}: {e}", case.name)))?);
    }
    Ok(rows)
}

fn compare(case: Case, folder: &Path) -> Result<Vec<Row>> {
    let ours = Side::new(case, case.ours, folder)?;
    let theirs = Side::new(case, case.theirs, folder)?;
    let figure = |what: &str| format!("lambda {}, {what}", case.name);
    let (rate, processor) = rates(&ours, &theirs)?;
    let size = [size_of(&ours.program)?, size_of(&theirs.program)?];
    let mut rows = vec![
        row(figure("invocations"), &rate, "/s", Some(Budget::AtLeast(0.95))),
        row(figure("processor time an invocation"), &processor, "us", None),
        of_medians(row(
            figure("cold start to first poll"),
            &turns(
                STARTS,
                || Ok(ours.spawn()?.cold_ms),
                || Ok(theirs.spawn()?.cold_ms),
            )?,
            "ms",
            Some(Budget::AtMost(1.1)),
        )),
        row(
            figure("resident when warm"),
            &turns(PROCESSES, || resident(&ours), || resident(&theirs))?,
            "MiB",
            Some(Budget::AtMost(1.15)),
        ),
        row(
            figure("stripped size"),
            &[(size[0], size[1])],
            "MB",
            Some(Budget::AtMost(1.3)),
        ),
    ];
    if let Some(silent) = case.silent {
        let sizes = (size[0], size_of(&folder.join(silent))?);
        rows.push(row(
            figure("size against a function that cannot log"),
            &[sizes],
            "MB",
            None,
        ));
    }
    Ok(rows)
}

/// Resident memory after many invocations, in MiB.
fn resident(side: &Side) -> Result<f64> {
    let running = side.spawn()?;
    running.api.invoke(INVOCATIONS)?;
    #[expect(clippy::cast_precision_loss, reason = "a process's memory fits")]
    Ok(running.memory()?.now_kib as f64 / 1024.0)
}

/// Warm invocations a second, and microseconds of processor time an invocation.
fn rates(ours: &Side, theirs: &Side) -> Result<(Pairs, Pairs)> {
    let (ours, theirs) = (ours.spawn()?, theirs.spawn()?);
    for side in [&ours, &theirs] {
        side.api.invoke(WARM_UP)?;
    }
    compare::rates(ROUNDS, ROUND, &ours, &theirs, |running: &Running<'_>| {
        let before = running.processor_time()?;
        let rate = running.api.rate(ROUND)?;
        Ok((rate, running.processor_time()? - before))
    })
}
