//! Functions that are called over HTTP, against the same functions without Nephos: invocations a second, cold start, memory, size.

use std::time::Duration;

use xtask::shell::{Error, Result};

use super::compare::{self, Pairs, of_best, of_medians, row, size_of, turns};
use super::load::Load;
use super::report::{Budget, Row};
use super::service::{Running, Service};

/// Cold starts of each side; one takes a few milliseconds.
const STARTS: usize = 120;
/// Warm processes of each side; their memory is measured after so long a load.
const PROCESSES: usize = 7;
const USE: Duration = Duration::from_millis(500);
/// Turns are short, so that what else the machine does hits both sides.
const ROUNDS: usize = 24;
const ROUND: Duration = Duration::from_millis(100);
const WARM_UP: Duration = Duration::from_millis(500);
/// Who calls keeps several connections.
const CONNECTIONS: usize = 8;
/// A framework's virtual machine compiles what it runs often, and starts slowly.
const FRAMEWORK_WARM_UP: Duration = Duration::from_secs(3);
const FRAMEWORK_STARTS: usize = 7;

/// All rows of a function against the same on bare hyper. `name` is what the table calls it by.
///
/// # Errors
/// A function that does not start, or answers wrongly.
pub(crate) fn against_bare(name: &str, ours: &Service, theirs: &Service) -> Result<Vec<Row>> {
    let silent = theirs.clone().silent();
    let figure = |what: &str| format!("{name}, {what}");
    let (rate, processor) = rates(ours, theirs, WARM_UP)?;
    let cold = starts(STARTS, ours, theirs)?;
    Ok(vec![
        of_best(
            row(figure("invocations"), &rate, "/s", Some(Budget::AtLeast(0.95))),
            &rate,
            ROUNDS,
        ),
        row(figure("processor time an invocation"), &processor, "us", None),
        of_best(
            row(
                figure("cold start to first answer"),
                &cold,
                "ms",
                Some(Budget::AtMost(1.1)),
            ),
            &cold,
            STARTS,
        ),
        of_medians(row(
            figure("cold start, of a peer that does not log"),
            &starts(STARTS, ours, &silent)?,
            "ms",
            None,
        )),
        row(
            figure("resident when warm"),
            &turns(PROCESSES, || resident(ours), || resident(theirs))?,
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

/// The rows of a function against the same on a framework that the provider has for another language.
///
/// # Errors
/// As [`against_bare`].
pub(crate) fn against_framework(
    name: &str,
    framework: &str,
    ours: &Service,
    theirs: &Service,
) -> Result<Vec<Row>> {
    let figure = |what: &str| format!("{name}, {what}, of {framework}");
    let (rate, _) = rates(ours, theirs, FRAMEWORK_WARM_UP)?;
    Ok(vec![
        row(figure("invocations"), &rate, "/s", Some(Budget::AtLeast(10.0))),
        of_medians(row(
            figure("cold start to first answer"),
            &starts(FRAMEWORK_STARTS, ours, theirs)?,
            "ms",
            None,
        )),
        row(
            figure("resident when warm"),
            &turns(1, || resident(ours), || resident(theirs))?,
            "MiB",
            None,
        ),
    ])
}

fn starts(count: usize, ours: &Service, theirs: &Service) -> Result<Pairs> {
    turns(
        count,
        || Ok(ours.spawn()?.cold_ms),
        || Ok(theirs.spawn()?.cold_ms),
    )
}

/// Warm invocations a second, and microseconds of processor time an invocation, of several processes of each side: where one happens to lie in memory, and on which
/// core, makes more of a difference than what is compared.
fn rates(ours: &Service, theirs: &Service, warm_up: Duration) -> Result<(Pairs, Pairs)> {
    let mut all = (Pairs::new(), Pairs::new());
    for _ in 0..PROCESSES {
        let (ours, theirs) = (ours.spawn()?, theirs.spawn()?);
        for side in [&ours, &theirs] {
            load(side, warm_up)?;
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
fn resident(side: &Service) -> Result<f64> {
    let running = side.spawn()?;
    load(&running, USE)?;
    #[expect(clippy::cast_precision_loss, reason = "a process's memory fits")]
    Ok(running.memory()?.now_kib as f64 / 1024.0)
}
