//! The conformance suite over the emulator of AWS.

use std::process::ExitCode;

fn main() -> ExitCode {
    nephos_aws::harness::suite()
        .declared(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/declared.json"))
        .main()
}
