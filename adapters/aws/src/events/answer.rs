//! Outcomes as the JSON that Lambda expects of each kind of document.

#[cfg(feature = "on-auth")]
use nephos_core::event::AuthDecision;
use nephos_core::event::Payload;
use nephos_core::{BatchOutcome, Error, ErrorKind, Outcome, Result};
use serde::Serialize;
use serde_json::Value;
use serde_json::value::RawValue;

#[cfg(feature = "on-auth")]
use super::auth;
#[cfg(feature = "on-http")]
use super::http::HttpReply;
use super::{Kind, base64, malformed};

const ENCODE: &str = "outcome.encode";

/// The answer to an invocation. Its JSON is what Lambda gets.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub enum Reply {
    /// Nothing: Lambda only wants to know that it went well.
    Null(()),
    /// The records that come again, all others being done with; written for none too, as an answer without the list counts
    /// [as a success](https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-errorhandling.html) only by chance of its form.
    Records(Failures),
    /// An HTTP response.
    #[cfg(feature = "on-http")]
    Http(HttpReply),
    /// A document.
    Json(Value),
    /// The handler's own JSON.
    Raw(Box<RawValue>),
}

/// [The partial answer](https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-errorhandling.html#services-sqs-batchfailurereporting) of SQS, and of
/// [Kinesis](https://docs.aws.amazon.com/lambda/latest/dg/services-kinesis-batchfailurereporting.html) and
/// [DynamoDB](https://docs.aws.amazon.com/lambda/latest/dg/services-ddb-batchfailurereporting.html), which begin again at the first that is named. It
/// counts only if the event source mapping has `ReportBatchItemFailures`.
#[derive(Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Failures {
    batch_item_failures: Vec<Failure>,
}

#[derive(Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
struct Failure {
    item_identifier: String,
}

impl From<BatchOutcome> for Failures {
    fn from(batch: BatchOutcome) -> Self {
        let failures = batch.into_failures().into_iter();
        Self {
            batch_item_failures: failures
                .map(|failure| Failure {
                    item_identifier: failure.id,
                })
                .collect(),
        }
    }
}

/// Writes the outcome of a document of this kind.
///
/// Lambda knows only success and failure of a record: one that was rejected comes again like any other, until the queue's or mapping's own limit
/// dead-letters it. The host sends it to the dead-letter queue itself where it can, and takes it out of the outcome before.
///
/// # Errors
/// The invocation's error, which Lambda is to be told: the outcome's own, a refused sign-in step's, or [`ErrorKind::Internal`] for an outcome that
/// the kind has no answer for. An HTTP response is one: its body must be read first, see `http::encode`.
pub fn encode(kind: Kind, document: &[u8], outcome: Outcome) -> Result<Reply> {
    match (outcome, kind) {
        (Outcome::Failed(error), _) => Err(error),
        (Outcome::Ack, kind) if kind.has_records() => Ok(Reply::Records(Failures::default())),
        (Outcome::Batch(batch), kind) if kind.has_records() => Ok(Reply::Records(batch.into())),
        #[cfg(feature = "on-auth")]
        (Outcome::Auth(decision), Kind::Auth) => auth::encode(document, &decision).map(Reply::Json),
        // Cognito wants its document back.
        #[cfg(feature = "on-auth")]
        (Outcome::Ack, Kind::Auth) => auth::encode(document, &AuthDecision::allow()).map(Reply::Json),
        #[cfg(feature = "on-voice")]
        (Outcome::Voice(response), Kind::Voice) => Ok(Reply::Json(nephos_alexa::encode(&response))),
        #[cfg(feature = "on-voice")]
        (Outcome::Ack, Kind::Voice) => Ok(Reply::Json(nephos_alexa::silence())),
        // Without a status, the gateway would make a body of the null.
        (Outcome::Ack, Kind::Http) => Ok(Reply::Json(serde_json::json!({"statusCode": 204}))),
        (Outcome::Ack, _) => Ok(Reply::Null(())),
        (Outcome::Data(payload), _) => data(payload),
        (outcome, kind) => Err(Error::new(
            ErrorKind::Internal,
            ENCODE,
            "there is no such answer to this kind of event",
        )
        .with("kind", format!("{kind:?}"))
        .with("outcome", name(&outcome))),
    }
}

/// A handler's own answer: JSON as it is, anything else as text, or as base64 where it is none.
fn data(payload: Payload) -> Result<Reply> {
    let is_json = payload.is_json();
    match String::from_utf8(payload.bytes.into()) {
        Ok(text) if is_json => RawValue::from_string(text)
            .map(Reply::Raw)
            .map_err(|error| malformed("the handler's answer is said to be JSON, and is not", error)),
        Ok(text) => Ok(Reply::Json(text.into())),
        Err(error) => Ok(Reply::Json(base64::encode(error.as_bytes()).into())),
    }
}

fn name(outcome: &Outcome) -> &'static str {
    match outcome {
        Outcome::Ack => "ack",
        Outcome::Failed(_) => "failed",
        Outcome::Batch(_) => "batch",
        Outcome::Http(_) => "http",
        Outcome::Auth(_) => "auth",
        Outcome::Voice(_) => "voice",
        Outcome::Data(_) => "data",
        _ => "unknown",
    }
}
