//! The conformance suite over the embedded host.

use std::process::ExitCode;

use libtest_mimic::Arguments;
use nephos_conformance::Suite;
use nephos_local::harness::LocalHarness;

fn main() -> ExitCode {
    Suite::new(LocalHarness::new())
        .groups(&["bucket", "queue", "topic", "stream", "table", "secret"])
        .run(&Arguments::from_args())
}
