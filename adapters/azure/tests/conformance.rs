//! The conformance suite over the emulators of Azure's storage and of Cosmos DB, and the suite's own stand-ins for everything else.

use std::process::ExitCode;

fn main() -> ExitCode {
    nephos_azure::harness::suite()
        .declared(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/declared.json"))
        .main()
}
