//! The conformance suite over the emulator of AWS.

use std::process::ExitCode;

use libtest_mimic::Arguments;
use nephos_aws::harness::AwsHarness;
use nephos_conformance::{Exception, Suite};

/// How many rules run at the same time, unless the command line says otherwise: most of their time they wait for a message to come again.
const SIDE_BY_SIDE: usize = 8;

/// Rules that are known not to hold here.
const EXCEPTIONS: [Exception; 1] = [Exception {
    rule: "bucket.signed-url.tampered-is-refused",
    // S3 refuses a URL that lacks any of them: <https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-query-string-auth.html>
    why: "the emulator takes a URL whose algorithm was left out for one that root signed",
}];

fn main() -> ExitCode {
    let mut arguments = Arguments::from_args();
    arguments.test_threads.get_or_insert(SIDE_BY_SIDE);
    Suite::new(AwsHarness::new())
        .exceptions(&EXCEPTIONS)
        .run(&arguments)
}
