//! Answers to clients and to others who wait.

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderValue, StatusCode};
use nephos_core::event::{Body, Response};
use nephos_core::outcome::problem;
use nephos_core::{Error, ErrorKind, Outcome};

use super::site::Site;

impl Site {
    /// A handler's response, or, of a failure, only that there was one: the reason is for the log.
    pub(super) fn respond(&self, outcome: Outcome) -> Response {
        let error = match outcome {
            Outcome::Http(response) => return response,
            Outcome::Failed(error) => error,
            _ => Error::new(
                ErrorKind::Internal,
                "http.answer",
                "the function answered a request with what is no response",
            ),
        };
        tracing::error!(error = %error.chain(), "a request failed");
        failed(&error)
    }
}

/// The status that a client sees of a failure that is none of its own doing.
pub(super) fn failed(error: &Error) -> Response {
    let status = match error.kind() {
        ErrorKind::DeadlineExceeded => StatusCode::GATEWAY_TIMEOUT,
        _ => StatusCode::INTERNAL_SERVER_ERROR,
    };
    problem(status, None)
}

/// An answer in JSON.
pub(super) fn json(bytes: Bytes) -> Response {
    let mut response = Response::new(Body::from(bytes));
    response
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}
