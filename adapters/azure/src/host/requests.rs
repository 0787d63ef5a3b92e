//! Clients' requests that the Functions host wrapped, and the answers to all of them. Those that it forwarded come from `site`.

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderValue, StatusCode};
use nephos_core::event::{Body, BufferedRequest, Response, read_body};
use nephos_core::outcome::problem;
use nephos_core::{Error, ErrorKind, Outcome};

use super::site::Site;
use crate::events::http::{self as codec, Routed, answer};

/// The largest answer to a wrapped request, in bytes: it travels as text within JSON.
const MAX_ANSWER_BYTES: usize = 32 << 20;

impl Site {
    /// The answer to a request that the Functions host wrapped, wrapped in turn.
    pub(super) async fn wrapped(&self, invocation: &BufferedRequest) -> Response {
        let headers = &invocation.parts.headers;
        let deadline = self.deadline();
        let response =
            match codec::decode_wrapped(&invocation.body, codec::invocation_id(headers), &self.routes) {
                Ok(Routed::Refused(response)) => response,
                Ok(Routed::To(event)) => {
                    let context = self.context(headers, 1);
                    self.respond(self.function.dispatch(event, context).await)
                }
                Err(error) => {
                    tracing::error!(error = %error.chain(), "a request could not be read");
                    problem(StatusCode::BAD_REQUEST, None)
                }
            };
        let (parts, body) = response.into_parts();
        let written = match read_body(body, MAX_ANSWER_BYTES, deadline).await {
            Ok(bytes) => answer::encode(&parts, &bytes),
            Err(error) => Err(error),
        };
        match written {
            Ok(answer) => json(answer),
            Err(error) => {
                // The host answers an invocation that failed with 500 itself.
                tracing::error!(error = %error.chain(), "a response could not be given to the Functions host");
                failed(&error)
            }
        }
    }

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
