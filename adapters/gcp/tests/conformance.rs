//! The conformance suite over Google's own emulators of Pub/Sub and Firestore, and the suite's stand-ins of Cloud Storage and Secret Manager.

use std::process::ExitCode;

use libtest_mimic::Arguments;
use nephos_conformance::{Exception, Suite};
use nephos_gcp::harness::GcpHarness;

/// How many rules run at the same time, unless the command line says otherwise: most of their time they wait for a message to come again.
const SIDE_BY_SIDE: usize = 8;

/// The groups that need no host.
const GROUPS: [&str; 5] = ["bucket", "queue", "stream", "table", "secret"];

/// Rules that are known not to hold here, for what Google Cloud itself does otherwise and a resource has no way to declare, and for faults of emulators and stand-ins.
const EXCEPTIONS: [Exception; 2] = [
    Exception {
        rule: "queue.depth.counts",
        why: UNCOUNTED,
    },
    Exception {
        rule: "queue.depth.leased-apart",
        why: UNCOUNTED,
    },
];

/// <https://cloud.google.com/pubsub/docs/monitoring#monitoring_the_backlog>
const UNCOUNTED: &str =
    "Pub/Sub counts messages in Cloud Monitoring alone, minutes late, so that a queue tells no depth";

fn main() -> ExitCode {
    let mut arguments = Arguments::from_args();
    arguments.test_threads.get_or_insert(SIDE_BY_SIDE);
    Suite::new(GcpHarness::new())
        .groups(&GROUPS)
        .exceptions(&EXCEPTIONS)
        .declared(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/declared.json"))
        .run(&arguments)
}
