//! What the Functions host is told of an event that nobody waits for: done with, or failed. It knows nothing between: of a batch that failed in part, all comes again.

use bytes::Bytes;
use http::StatusCode;
use nephos_core::{Error, ErrorKind, Outcome, Result};
use serde_json::json;
use serde_json::value::RawValue;

/// The media type that an answer must have.
pub const CONTENT_TYPE: &str = "application/json";

/// The answer to an event that is done with and has nothing to say, as most are.
const DONE: &str = r#"{"Logs":[],"Outputs":{},"ReturnValue":null}"#;

/// An answer to the host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// 200, or 500 for what comes again: [any status outside
    /// 200 to 299](https://learn.microsoft.com/azure/azure-functions/functions-custom-handlers#response-payload) fails the invocation.
    pub status: StatusCode,
    /// JSON.
    pub body: Bytes,
}

/// Writes an outcome. Records and events that are given up must have been taken out before: the host knows no way to reject.
///
/// # Errors
/// [`ErrorKind::Internal`] for an outcome that only a caller who waits can be told.
pub fn encode(outcome: Outcome) -> Result<Answer> {
    let done = || Answer {
        status: StatusCode::OK,
        body: Bytes::from_static(DONE.as_bytes()),
    };
    let payload = match outcome {
        Outcome::Ack => return Ok(done()),
        Outcome::Batch(batch) if batch.failures().is_empty() => return Ok(done()),
        Outcome::Batch(batch) => {
            let failures = batch.failures().iter();
            let reasons: Vec<String> = failures
                .map(|failure| format!("{}: {}", failure.id, failure.error.chain()))
                .collect();
            return Ok(failed(&reasons));
        }
        Outcome::Failed(error) => return Ok(failed(&[error.chain()])),
        Outcome::Data(payload) => payload,
        _ => {
            return Err(Error::new(
                ErrorKind::Internal,
                "outcome.encode",
                "there is no such answer to an event that nobody waits for",
            ));
        }
    };
    let value = if payload.is_json() {
        let json = std::str::from_utf8(&payload.bytes).ok();
        let json = json.and_then(|text| RawValue::from_string(text.to_owned()).ok());
        json!(json.ok_or_else(|| {
            Error::new(
                ErrorKind::Decode,
                "outcome.encode",
                "the handler's answer is said to be JSON, and is not",
            )
        })?)
    } else {
        json!(String::from_utf8_lossy(&payload.bytes))
    };
    let body = json!({"Outputs": {}, "Logs": [], "ReturnValue": value}).to_string();
    Ok(Answer {
        status: StatusCode::OK,
        body: body.into(),
    })
}

fn failed(reasons: &[String]) -> Answer {
    Answer {
        status: StatusCode::INTERNAL_SERVER_ERROR,
        body: json!({"Outputs": {}, "Logs": reasons, "ReturnValue": null})
            .to_string()
            .into(),
    }
}

#[cfg(test)]
mod tests {
    use nephos_core::BatchOutcome;
    use nephos_core::event::{AuthDecision, Payload};
    use serde_json::Value;

    use super::*;

    fn told(outcome: Outcome) -> (u16, Value) {
        let Answer { status, body } = encode(outcome).unwrap();
        (status.as_u16(), serde_json::from_slice(&body).unwrap())
    }

    #[test]
    fn success_and_failure_are_all_that_the_host_knows() {
        let done = json!({"Outputs": {}, "Logs": [], "ReturnValue": null});
        assert_eq!(told(Outcome::Ack), (200, done.clone()));
        assert_eq!(told(BatchOutcome::new().into()), (200, done));
        let mut batch = BatchOutcome::new();
        batch.retry("m-1", "later");
        let (status, body) = told(batch.into());
        assert_eq!((status, &body["Logs"][0]), (500, &json!("m-1: later")));
        let (status, body) = told(Outcome::Failed(Error::retry("no luck")));
        assert_eq!((status, &body["Logs"][0]), (500, &json!("no luck")));
    }

    #[test]
    fn data_is_the_return_value_and_what_needs_a_caller_is_refused() {
        let payload = Payload::json(&json!({"a": 1})).unwrap();
        assert_eq!(told(Outcome::Data(payload)).1["ReturnValue"], json!({"a": 1}));
        assert_eq!(told(Outcome::Data(Payload::text("hi"))).1["ReturnValue"], "hi");
        let damaged = Payload {
            content_type: Some("application/json".to_owned()),
            bytes: "{".into(),
        };
        assert_eq!(
            encode(Outcome::Data(damaged)).unwrap_err().kind(),
            ErrorKind::Decode
        );
        let decision = Outcome::Auth(Box::new(AuthDecision::allow()));
        assert_eq!(encode(decision).unwrap_err().kind(), ErrorKind::Internal);
    }
}
