//! The conformance suite over the embedded host.

use std::process::ExitCode;

fn main() -> ExitCode {
    // The rules that kill the host start this program once more to be it.
    if let Some(code) = nephos_local::harness::host() {
        return code;
    }
    nephos_local::harness::suite()
        .declared(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/declared.json"))
        .main()
}
