//! The conformance suite over what the emulator of AWS answered once: it needs no emulator. With `NEPHOS_RECORD` it needs one, and records anew.

use std::process::ExitCode;

use libtest_mimic::Arguments;

/// When set, the rules run over the emulator, and what it answers is recorded.
const RECORD: &str = "NEPHOS_RECORD";

/// How many rules run at the same time, unless the command line says otherwise: in a replay they only wait, and the emulator does one thing after the other.
const SIDE_BY_SIDE: (usize, usize) = (32, 8);

fn main() -> ExitCode {
    let mut arguments = Arguments::from_args();
    let (suite, side_by_side) = match std::env::var_os(RECORD) {
        None => (nephos_aws::harness::replay(), SIDE_BY_SIDE.0),
        Some(_) => (nephos_aws::harness::record(), SIDE_BY_SIDE.1),
    };
    arguments.test_threads.get_or_insert(side_by_side);
    suite.run(&arguments)
}
