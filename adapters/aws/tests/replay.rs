//! The conformance suite over what the emulator of AWS answered once: it needs no emulator. With `NEPHOS_RECORD` it needs one, and records anew.

use std::process::ExitCode;

/// When set, the rules run over the emulator, and what it answers is recorded.
const RECORD: &str = "NEPHOS_RECORD";

fn main() -> ExitCode {
    let suite = match std::env::var_os(RECORD) {
        None => nephos_aws::harness::replay(),
        Some(_) => nephos_aws::harness::record(),
    };
    suite.main()
}
