//! The suite over this adapter: what does not hold here, with the reason, and what cannot be proven.

use nephos_conformance::{Exception, Suite};

use super::GcpHarness;

/// How many rules run at the same time: most of their time they wait for a message to come again.
const SIDE_BY_SIDE: usize = 8;

/// Rules that are known not to hold here, for what Google Cloud itself does otherwise and a resource has no way to declare, and for faults of emulators and stand-ins.
const EXCEPTIONS: [Exception; 8] = [
    Exception {
        rule: "queue.depth.counts",
        why: UNCOUNTED,
    },
    Exception {
        rule: "queue.depth.leased-apart",
        why: UNCOUNTED,
    },
    Exception {
        rule: "semantics.ok.acknowledges",
        why: UNCOUNTED,
    },
    Exception {
        rule: "access.stream.only-what-is-declared",
        // <https://cloud.google.com/pubsub/docs/replay-overview>
        why: "Pub/Sub lets nobody read a stream from a place of their choice, so that an app whose function asks for it is refused before anything is deployed",
    },
    Exception {
        rule: "events.queue.batch.in-order",
        why: ONE_BY_ONE,
    },
    Exception {
        rule: "events.stream.records.neutral-equal",
        why: ONE_BY_ONE,
    },
    Exception {
        rule: "events.table.change.neutral-equal",
        why: ONE_BY_ONE,
    },
    Exception {
        rule: "events.auth.client",
        // <https://cloud.google.com/identity-platform/docs/blocking-functions#get_user_and_context_information>
        why: "a project of Identity Platform knows no clients apart, and its events tell none",
    },
];

/// <https://cloud.google.com/pubsub/docs/push#receive_push>, <https://cloud.google.com/eventarc/docs/cloudevents>; one by one the other rules of the kind hold them.
const ONE_BY_ONE: &str = "Pub/Sub and Eventarc send each message and each change in a request of its own, so that there is no event of several";

/// <https://cloud.google.com/pubsub/docs/monitoring#monitoring_the_backlog>
const UNCOUNTED: &str =
    "Pub/Sub counts messages in Cloud Monitoring alone, minutes late, so that a queue tells no depth";

/// Rules that hold here whatever the app says.
const UNPROVEN: [Exception; 4] = [
    Exception {
        rule: "semantics.batch.one-of-n-each-record",
        why: ONE_AT_ONCE,
    },
    Exception {
        rule: "semantics.batch.one-of-n-outcome",
        why: ONE_AT_ONCE,
    },
    Exception {
        rule: "semantics.batch.unknown-id-retries-all",
        why: ONE_AT_ONCE,
    },
    Exception {
        rule: "semantics.error.backs-off",
        // Pub/Sub itself does what the policy says: <https://cloud.google.com/pubsub/docs/handling-failures#exponential_backoff>
        why: "Google's emulator waits a second before it pushes a message again, and longer each time, whatever the subscription's policy says",
    },
];

/// <https://cloud.google.com/pubsub/docs/push#receive_push>
const ONE_AT_ONCE: &str =
    "Pub/Sub pushes each message in a request of its own, so that no failure can be another's";

/// The conformance suite over the adapter, for its test and for the command.
#[must_use]
pub fn suite() -> Suite {
    Suite::new(GcpHarness::new())
        .side_by_side(SIDE_BY_SIDE)
        .exceptions(&EXCEPTIONS)
        .unproven(&UNPROVEN)
}
