//! The suite over this adapter: what does not hold here, with the reason, and what cannot be proven.

use nephos_conformance::{Exception, Suite};

use super::AzureHarness;

/// How many rules run at the same time: most of their time they wait for a message to come again.
const SIDE_BY_SIDE: usize = 8;

/// Rules that are known not to hold here, for what Azure itself does otherwise and a bucket has no way to declare, and for faults of emulators and stand-ins.
const EXCEPTIONS: [Exception; 2] = [
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

/// What a Storage queue does: <https://learn.microsoft.com/azure/azure-functions/functions-bindings-storage-queue-trigger>
const ONE_BY_ONE: &str =
    "a Storage queue's messages are handed over one by one, so that no failure can be another's";

/// Rules that hold here whatever the app says.
const UNPROVEN: [Exception; 4] = [
    Exception {
        rule: "semantics.batch.one-of-n-each-record",
        why: ONE_BY_ONE,
    },
    Exception {
        rule: "semantics.batch.one-of-n-outcome",
        why: ONE_BY_ONE,
    },
    Exception {
        rule: "semantics.batch.unknown-id-retries-all",
        why: ONE_BY_ONE,
    },
    Exception {
        rule: "semantics.error.backs-off",
        why: "the Functions host waits whole seconds between two tries, one at least",
    },
];

/// The conformance suite over the adapter, for its test and for the command.
#[must_use]
pub fn suite() -> Suite {
    Suite::new(AzureHarness::new())
        .side_by_side(SIDE_BY_SIDE)
        .exceptions(&EXCEPTIONS)
        .unproven(&UNPROVEN)
}
