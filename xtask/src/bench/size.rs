//! A function's size, memory and cold start.

use xtask::shell::{self, Error, Result};

use super::http::{ANSWER, PATH};
use super::load::Load;
use super::nephos::Nephos;
use super::report::{Budget, Row, median};
use super::{Bench, process};

/// The function that is measured, and its program's name.
const FUNCTION: &str = "hello-http";
const STARTS: usize = 5;

/// Builds the function as an author would, and starts it cold.
///
/// # Errors
/// A build that fails, a host that does not start, a function that cannot be found among its processes.
pub(crate) fn measure(bench: &Bench) -> Result<Vec<Row>> {
    let build = ["build", "--quiet", "--profile", "function", "--package", FUNCTION];
    shell::run(shell::cargo().args(build), "the benchmark")?;
    let binary = bench.target.join("function").join(FUNCTION);
    let bytes = std::fs::metadata(&binary)
        .map_err(Error::io("read", &binary))?
        .len();
    let command = bench.nephos()?;

    let (mut first_bytes, mut resident, mut peak) = (Vec::new(), Vec::new(), Vec::new());
    for start in 0..STARTS {
        let state = bench.folder(&format!("size-{start}"))?.join("state");
        let nephos = Nephos::start(&command, &shell::root().join("examples").join(FUNCTION), &state)?;
        let load = Load::get(nephos.gateway, PATH, ANSWER);
        let first = load
            .first_byte()
            .map_err(|e| Error::Other(format!("cold start of {FUNCTION}: {e}")))?;
        first_bytes.push(first.as_secs_f64() * 1e3);
        let pids = process::descendants(nephos.pid(), FUNCTION);
        let [pid] = pids[..] else {
            return Err(Error::Other(format!(
                "expected one process `{FUNCTION}` after one request, found {pids:?}"
            )));
        };
        // Ten thousand requests later a leak would show.
        load.run()
            .map_err(|e| Error::Other(format!("warm requests to {FUNCTION}: {e}")))?;
        let memory =
            process::memory(pid).ok_or_else(|| Error::Other(format!("`{FUNCTION}` ended by itself")))?;
        resident.push(mib(memory.now_kib));
        peak.push(mib(memory.peak_kib));
    }
    #[expect(clippy::cast_precision_loss, reason = "a file's size fits")]
    let megabytes = bytes as f64 / 1e6;
    Ok(vec![
        Row::alone(
            "function, stripped size",
            megabytes,
            "MB",
            Some(Budget::AtMost(6.0)),
        ),
        Row::alone(
            "function, cold spawn to first byte",
            median(&first_bytes),
            "ms",
            Some(Budget::AtMost(50.0)),
        ),
        Row::alone(
            "function, resident when warm",
            median(&resident),
            "MiB",
            Some(Budget::AtMost(12.0)),
        ),
        Row::alone("function, resident at most", median(&peak), "MiB", None),
    ])
}

#[expect(clippy::cast_precision_loss, reason = "a process's memory fits")]
fn mib(kib: u64) -> f64 {
    kib as f64 / 1024.0
}
