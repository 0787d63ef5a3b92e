//! Outcomes: what a function answers a delivery with.

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::response::Parts;
use http::{HeaderValue, Response, StatusCode};
use nephos_core::event::{Body, Payload};
use nephos_core::{BatchOutcome, Disposition, Error, ErrorKind, Outcome, Result};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::wire::{JSON, OUTCOME, OutcomeKind, PROBLEM_JSON, WireError, problem};

/// The records that failed.
#[derive(Serialize, Deserialize)]
struct Failures {
    failures: Vec<Failure>,
}

#[derive(Serialize, Deserialize)]
struct Failure {
    id: String,
    error: WireError,
}

/// Writes an outcome as the answer to a delivery. An HTTP response stays what it is, its body streaming.
#[must_use]
pub fn encode_outcome(outcome: Outcome) -> Response<Body> {
    match outcome {
        Outcome::Http(mut response) => {
            response.headers_mut().insert(OUTCOME, OutcomeKind::Http.value());
            response
        }
        Outcome::Ack => answer(OutcomeKind::Ack, StatusCode::NO_CONTENT, None, Bytes::new()),
        Outcome::Failed(error) => failed(&error),
        Outcome::Batch(batch) => {
            let failures = batch
                .failures()
                .iter()
                .map(|failure| Failure {
                    id: failure.id.clone(),
                    error: WireError::from(&failure.error),
                })
                .collect();
            json(OutcomeKind::Batch, &Failures { failures })
        }
        Outcome::Auth(decision) => json(OutcomeKind::Auth, &decision),
        Outcome::Voice(response) => json(OutcomeKind::Voice, &response),
        Outcome::Data(payload) => {
            // A media type that no header can hold is none.
            let content_type = payload
                .content_type
                .and_then(|content_type| HeaderValue::try_from(content_type).ok());
            answer(OutcomeKind::Data, StatusCode::OK, content_type, payload.bytes)
        }
        // The kinds that the core may come to have.
        _ => failed(&Error::new(
            ErrorKind::Unsupported,
            "outcome.encode",
            "the local protocol has no form for this outcome",
        )),
    }
}

/// Whoever reads only the status still learns whether to try again.
fn failed(error: &Error) -> Response<Body> {
    let status = match (error.kind(), error.disposition()) {
        (ErrorKind::DeadlineExceeded, _) => StatusCode::GATEWAY_TIMEOUT,
        (_, Disposition::Reject) => StatusCode::UNPROCESSABLE_ENTITY,
        (_, Disposition::Retry) => StatusCode::INTERNAL_SERVER_ERROR,
    };
    answer(
        OutcomeKind::Failed,
        status,
        Some(HeaderValue::from_static(PROBLEM_JSON)),
        problem(error, status),
    )
}

fn json<T: Serialize>(kind: OutcomeKind, value: &T) -> Response<Body> {
    match serde_json::to_vec(value) {
        Ok(bytes) => answer(
            kind,
            StatusCode::OK,
            Some(HeaderValue::from_static(JSON)),
            bytes.into(),
        ),
        Err(error) => failed(
            &Error::new(
                ErrorKind::Handler,
                "outcome.encode",
                "the handler's answer cannot be written as JSON",
            )
            .caused_by(error),
        ),
    }
}

fn answer(
    kind: OutcomeKind,
    status: StatusCode,
    content_type: Option<HeaderValue>,
    bytes: Bytes,
) -> Response<Body> {
    let mut response = Response::new(Body::from(bytes));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(OUTCOME, kind.value());
    if let Some(content_type) = content_type {
        headers.insert(CONTENT_TYPE, content_type);
    }
    response
}

/// Reads the answer to a delivery of records with these ids; none for kinds without records.
///
/// # Errors
/// [`ErrorKind::Internal`] if the answer cannot be read, or reports a failure of a record that was not delivered: acknowledging any of
/// them could lose what was meant, so all must be delivered again.
pub fn decode_outcome(mut parts: Parts, bytes: Bytes, record_ids: &[&str]) -> Result<Outcome> {
    let Some(kind) = OutcomeKind::of(&parts.headers) else {
        return Err(unreadable(
            &parts,
            "the function's answer does not say what it is",
        ));
    };
    match kind {
        OutcomeKind::Http => {
            parts.headers.remove(&OUTCOME);
            Ok(Outcome::Http(Response::from_parts(parts, Body::from(bytes))))
        }
        OutcomeKind::Ack => Ok(Outcome::Ack),
        OutcomeKind::Failed => {
            let error: WireError = read(&parts, &bytes)?;
            Ok(Outcome::Failed(error.into()))
        }
        OutcomeKind::Batch => batch(&parts, &bytes, record_ids),
        OutcomeKind::Auth => read(&parts, &bytes).map(Outcome::Auth),
        OutcomeKind::Voice => read(&parts, &bytes).map(Outcome::Voice),
        OutcomeKind::Data => Ok(Outcome::Data(Payload {
            content_type: parts
                .headers
                .get(CONTENT_TYPE)
                .and_then(|value| value.to_str().ok())
                .map(str::to_owned),
            bytes,
        })),
    }
}

fn batch(parts: &Parts, bytes: &[u8], record_ids: &[&str]) -> Result<Outcome> {
    let Failures { failures } = read(parts, bytes)?;
    let mut outcome = BatchOutcome::new();
    for Failure { id, error } in failures {
        if !record_ids.contains(&id.as_str()) {
            return Err(unreadable(
                parts,
                "the function reported a failure of a record that it was not given",
            )
            .with("id", id));
        }
        outcome.fail(id, error.into());
    }
    Ok(outcome.into())
}

fn read<T: DeserializeOwned>(parts: &Parts, bytes: &[u8]) -> Result<T> {
    serde_json::from_slice(bytes)
        .map_err(|error| unreadable(parts, "the function's answer cannot be read").caused_by(error))
}

fn unreadable(parts: &Parts, message: &'static str) -> Error {
    Error::new(ErrorKind::Internal, "outcome.decode", message).with("status", parts.status.as_u16())
}
