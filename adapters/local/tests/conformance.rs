//! The conformance suite over the embedded host.

use std::process::ExitCode;

use nephos_conformance::Suite;
use nephos_local::harness::{LocalHarness, build_probe, host};

fn main() -> ExitCode {
    // The rules that kill the host start this program once more to be it.
    if let Some(code) = host() {
        return code;
    }
    match build_probe() {
        Ok(probe) => Suite::new(LocalHarness::new(probe))
            .declared(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/declared.json"))
            .main(),
        Err(error) => {
            eprintln!("error: {}", error.chain());
            ExitCode::FAILURE
        }
    }
}
