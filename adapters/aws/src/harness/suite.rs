//! The suite over this adapter: what does not hold here, with the reason, and what cannot be proven.

use nephos_conformance::{Exception, Suite};

use super::AwsHarness;

/// How many rules run at the same time: most of their time they wait for a message to come again.
const SIDE_BY_SIDE: usize = 8;

/// On AWS the mapping goes on from the first record that failed: <https://docs.aws.amazon.com/lambda/latest/dg/services-kinesis-batchfailurereporting.html>
const NO_PARTIAL_FAILURE: &str = "the emulator's mapping of a stream does not read batchItemFailures, and goes past the record that failed";

/// Rules that are known not to hold here, each for a fault of the emulator: what AWS itself does otherwise, the harness does not declare.
pub(super) const EXCEPTIONS: [Exception; 8] = [
    Exception {
        rule: "bucket.signed-url.tampered-is-refused",
        // S3 refuses a URL that lacks any of them: <https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-query-string-auth.html>
        why: "the emulator takes a URL whose algorithm was left out for one that root signed",
    },
    Exception {
        rule: "semantics.stream.stops-at-the-first-failure",
        why: NO_PARTIAL_FAILURE,
    },
    Exception {
        rule: "semantics.stream.goes-on-behind-a-dead-letter",
        why: NO_PARTIAL_FAILURE,
    },
    Exception {
        rule: "semantics.stream.gives-up-only-what-was-tried",
        why: NO_PARTIAL_FAILURE,
    },
    Exception {
        rule: "semantics.table.stops-at-the-first-failure",
        why: NO_PARTIAL_FAILURE,
    },
    Exception {
        rule: "semantics.topic.subscribers-fail-alone",
        // <https://docs.aws.amazon.com/lambda/latest/dg/with-sns.html>
        why: "the emulator calls a topic's subscriber once, where SNS gives the notification to Lambda, which tries again",
    },
    Exception {
        rule: "semantics.http.path-parameters-query-and-body",
        why: "the emulator gives the function a decoded path, in which the slash of a parameter cannot be told from one between two",
    },
    Exception {
        rule: "semantics.http.panic-is-500-and-tells-nothing",
        // A URL answers 502: <https://docs.aws.amazon.com/lambda/latest/dg/urls-invocation.html>
        why: "the emulator shows who calls a function's URL what the function told Lambda of its error, where AWS keeps it for the log",
    },
];

/// Rules that hold here whatever the app says.
const UNPROVEN: [Exception; 1] = [Exception {
    rule: "semantics.error.backs-off",
    why: "the wait between two tries is the queue's visibility time-out, not the app's backoff",
}];

/// The conformance suite over the adapter, for its test and for the command.
#[must_use]
pub fn suite() -> Suite {
    Suite::new(AwsHarness::new())
        .side_by_side(SIDE_BY_SIDE)
        .exceptions(&EXCEPTIONS)
        .unproven(&UNPROVEN)
}
