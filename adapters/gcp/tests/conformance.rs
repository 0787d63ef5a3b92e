//! The conformance suite over Google's own emulators of Pub/Sub and Firestore, or stand-ins where they are not installed, and the suite's own stand-ins for everything else.

use std::process::ExitCode;

fn main() -> ExitCode {
    nephos_gcp::harness::suite()
        .declared(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/declared.json"))
        .main()
}
