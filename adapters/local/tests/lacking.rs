//! The negatives of what no adapter here lacks, over the embedded host without it: what an adapter of another provider will be held to.

use std::process::ExitCode;

use nephos_conformance::{Suite, lacking};
use nephos_local::harness::{LocalHarness, host};

/// Rules that hold with what is in the place of what is lacking: a header beside a signed URL.
const HELD: [&str; 1] = ["bucket.signed-url.headers-are-told"];

fn main() -> ExitCode {
    // A rule may start this program once more to be the host.
    if let Some(code) = host() {
        return code;
    }
    Suite::new(lacking(LocalHarness::new())).undeclared(&HELD).main()
}
