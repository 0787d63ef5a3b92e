//! The conformance suite over the emulators of Azure's storage and of Cosmos DB.

use std::process::ExitCode;

use libtest_mimic::Arguments;
use nephos_azure::harness::AzureHarness;
use nephos_conformance::{Exception, Suite};

/// How many rules run at the same time, unless the command line says otherwise: most of their time they wait for a message to come again.
const SIDE_BY_SIDE: usize = 8;

/// The kinds of resource that have an emulator.
const GROUPS: [&str; 3] = ["bucket", "queue", "table"];

/// Rules that are known not to hold here, each for what Azure itself does not do, and a resource has no way to declare.
const EXCEPTIONS: [Exception; 1] = [Exception {
    rule: "bucket.keys.to-the-letter",
    why: "storage makes a slash of a backslash in a key, so that two keys would be one object; such a key is refused",
}];

fn main() -> ExitCode {
    let mut arguments = Arguments::from_args();
    arguments.test_threads.get_or_insert(SIDE_BY_SIDE);
    Suite::new(AzureHarness::new())
        .groups(&GROUPS)
        .exceptions(&EXCEPTIONS)
        .run(&arguments)
}
