//! The conformance suite over the emulators of Azure's storage and of Cosmos DB.

use std::process::ExitCode;

use libtest_mimic::Arguments;
use nephos_azure::harness::AzureHarness;
use nephos_conformance::{Exception, Suite};

/// How many rules run at the same time, unless the command line says otherwise: most of their time they wait for a message to come again.
const SIDE_BY_SIDE: usize = 8;

/// Rules that are known not to hold here, for what Azure itself does otherwise and an adapter has no way to declare, and for a fault of an emulator.
const EXCEPTIONS: [Exception; 3] = [
    Exception {
        rule: "events.auth.stages.neutral-equal",
        // <https://learn.microsoft.com/entra/identity-platform/custom-extension-overview>
        why: "Entra asks at two of the five steps, knows no user before the sign-up, and tells nothing that the client sent along",
    },
    Exception {
        rule: "bucket.keys.to-the-letter",
        why: "storage makes a slash of a backslash in a key, so that two keys would be one object; such a key is refused",
    },
    Exception {
        rule: "table.batch.all-or-nothing",
        // Cosmos DB undoes it: <https://learn.microsoft.com/azure/cosmos-db/transactional-batch>
        why: "the emulator does a batch one after the other, and does not undo what it did before the one that failed",
    },
];

fn main() -> ExitCode {
    let mut arguments = Arguments::from_args();
    arguments.test_threads.get_or_insert(SIDE_BY_SIDE);
    Suite::new(AzureHarness::new())
        .exceptions(&EXCEPTIONS)
        .run(&arguments)
}
