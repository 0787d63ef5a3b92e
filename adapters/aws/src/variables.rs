//! What deployment tells a function's process besides what every target tells (`nephos_core::wiring`): both sides read the names here.

/// The variable with where the mails of an `email` trigger are stored before the function is called: `<bucket>/<prefix>`, to which SES adds the
/// [message's id](https://docs.aws.amazon.com/ses/latest/dg/receiving-email-action-s3.html). The receipt of a Lambda action does not say.
pub const MAIL: &str = "NEPHOS_AWS_MAIL";

/// The variable that is 1 where the function's URL
/// [streams responses](https://docs.aws.amazon.com/lambda/latest/dg/configuration-response-streaming.html).
pub const STREAMING: &str = "NEPHOS_AWS_STREAMING";
