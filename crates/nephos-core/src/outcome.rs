//! What came of an invocation, and how a handler's return value becomes it.

use axum_core::response::IntoResponse;
use serde::Serialize;

use crate::error::{BoxError, Error, ErrorKind, Result};
use crate::event::{AuthDecision, Message, Payload, RecordFailure, Response, VoiceResponse};

/// What came of an invocation; the host encodes it as its provider wants it.
#[derive(Debug)]
#[non_exhaustive]
pub enum Outcome {
    /// Done with: acknowledge the event with all its records.
    Ack,
    /// Failed as a whole; the error's [disposition](Error::disposition) says whether it is retried or dead-lettered.
    Failed(Error),
    /// Some records failed; the others are acknowledged.
    Batch(BatchOutcome),
    /// An HTTP response, its body perhaps still streaming.
    Http(Response),
    /// The answer to a sign-up or sign-in step.
    Auth(Box<AuthDecision>),
    /// The answer to a voice request.
    Voice(Box<VoiceResponse>),
    /// The answer to a direct invocation.
    Data(Payload),
}

impl Outcome {
    /// The error, if the event failed as a whole.
    #[must_use]
    pub fn error(&self) -> Option<&Error> {
        match self {
            Self::Failed(error) => Some(error),
            _ => None,
        }
    }
}

/// Which records of a batch failed; the others are acknowledged.
///
/// ```
/// use nephos_core::{BatchOutcome, Error};
///
/// let mut outcome = BatchOutcome::new();
/// outcome.retry("message-7", "the warehouse did not answer");
/// outcome.fail("message-9", Error::reject("no such article"));
/// assert_eq!(outcome.failures().len(), 2);
/// ```
#[derive(Debug, Default)]
pub struct BatchOutcome {
    failures: Vec<RecordFailure>,
}

impl BatchOutcome {
    /// No record failed so far.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The record of this id failed; the error says whether it is retried or dead-lettered.
    pub fn fail(&mut self, id: impl Into<String>, error: Error) {
        self.failures.push(RecordFailure { id: id.into(), error });
    }

    /// The record of this id is delivered again.
    pub fn retry(&mut self, id: impl Into<String>, reason: impl std::fmt::Display) {
        self.fail(id, Error::retry(reason));
    }

    /// The record of this id goes to the dead-letter queue.
    pub fn reject(&mut self, id: impl Into<String>, reason: impl std::fmt::Display) {
        self.fail(id, Error::reject(reason));
    }

    /// The records that failed, in the order in which they were reported.
    #[must_use]
    pub fn failures(&self) -> &[RecordFailure] {
        &self.failures
    }

    /// The records that failed.
    #[must_use]
    pub fn into_failures(self) -> Vec<RecordFailure> {
        self.failures
    }

    /// Adds failures found elsewhere.
    pub fn extend(&mut self, failures: impl IntoIterator<Item = RecordFailure>) {
        self.failures.extend(failures);
    }

    /// Adds what stands behind a failed message of its group: delivered, it would overtake it. For hosts whose queues do not hold a group back by
    /// themselves; what is dead-lettered must be taken out before, as it stands in nobody's way.
    pub fn hold_groups(&mut self, messages: &[Message<Payload>]) {
        let mut blocked: Vec<&str> = Vec::new();
        for message in messages {
            let Some(group) = message.group.as_deref() else {
                continue;
            };
            if self.failures.iter().any(|failure| failure.id == message.id) {
                blocked.push(group);
            } else if blocked.contains(&group) {
                let error = Error::new(
                    ErrorKind::Cancelled,
                    "handler",
                    "a message before it failed, and order must be kept",
                );
                self.fail(&message.id, error);
            }
        }
    }
}

impl From<BatchOutcome> for Outcome {
    /// No failure is [`Outcome::Ack`].
    fn from(batch: BatchOutcome) -> Self {
        if batch.failures.is_empty() {
            Self::Ack
        } else {
            Self::Batch(batch)
        }
    }
}

/// Which kind of answer an event expects; each event type names one, and handlers may return what fits it.
pub mod answer {
    /// Nothing but success or failure.
    #[derive(Debug, Clone, Copy)]
    pub enum Ack {}
    /// Success or failure of each record.
    #[derive(Debug, Clone, Copy)]
    pub enum Records {}
    /// An HTTP response.
    #[derive(Debug, Clone, Copy)]
    pub enum Http {}
    /// A decision on a sign-up or sign-in step.
    #[derive(Debug, Clone, Copy)]
    pub enum Auth {}
    /// Something to say.
    #[derive(Debug, Clone, Copy)]
    pub enum Voice {}
    /// Any serialisable value, or nothing.
    #[derive(Debug, Clone, Copy)]
    pub enum Data {}
}

/// What a handler may return, given the kind of answer that its event expects (one of [`answer`]'s types).
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be what this function returns",
    note = "an event function returns `Result<()>`; a batch function also `Result<BatchOutcome>`",
    note = "an HTTP function returns what axum's `IntoResponse` accepts, or a `Result` of it",
    note = "an auth function returns `Result<AuthDecision>`, a voice function `Result<VoiceResponse>`"
)]
pub trait IntoOutcome<Answer> {
    /// The outcome.
    fn into_outcome(self) -> Outcome;
}

fn failed(error: impl Into<BoxError>) -> Outcome {
    Outcome::Failed(Error::from_handler(error))
}

impl IntoOutcome<answer::Ack> for () {
    fn into_outcome(self) -> Outcome {
        Outcome::Ack
    }
}

impl<E: Into<BoxError>> IntoOutcome<answer::Ack> for Result<(), E> {
    fn into_outcome(self) -> Outcome {
        self.map_or_else(failed, |()| Outcome::Ack)
    }
}

impl IntoOutcome<answer::Records> for () {
    fn into_outcome(self) -> Outcome {
        Outcome::Ack
    }
}

impl<E: Into<BoxError>> IntoOutcome<answer::Records> for Result<(), E> {
    fn into_outcome(self) -> Outcome {
        self.map_or_else(failed, |()| Outcome::Ack)
    }
}

impl IntoOutcome<answer::Records> for BatchOutcome {
    fn into_outcome(self) -> Outcome {
        self.into()
    }
}

impl<E: Into<BoxError>> IntoOutcome<answer::Records> for Result<BatchOutcome, E> {
    fn into_outcome(self) -> Outcome {
        self.map_or_else(failed, Outcome::from)
    }
}

impl<R: IntoResponse> IntoOutcome<answer::Http> for R {
    fn into_outcome(self) -> Outcome {
        Outcome::Http(self.into_response())
    }
}

impl IntoOutcome<answer::Auth> for AuthDecision {
    fn into_outcome(self) -> Outcome {
        Outcome::Auth(Box::new(self))
    }
}

impl<E: Into<BoxError>> IntoOutcome<answer::Auth> for Result<AuthDecision, E> {
    fn into_outcome(self) -> Outcome {
        self.map_or_else(failed, IntoOutcome::into_outcome)
    }
}

impl IntoOutcome<answer::Voice> for VoiceResponse {
    fn into_outcome(self) -> Outcome {
        Outcome::Voice(Box::new(self))
    }
}

impl<E: Into<BoxError>> IntoOutcome<answer::Voice> for Result<VoiceResponse, E> {
    fn into_outcome(self) -> Outcome {
        self.map_or_else(failed, IntoOutcome::into_outcome)
    }
}

impl IntoOutcome<answer::Data> for () {
    fn into_outcome(self) -> Outcome {
        Outcome::Ack
    }
}

impl<T: Serialize, E: Into<BoxError>> IntoOutcome<answer::Data> for Result<T, E> {
    fn into_outcome(self) -> Outcome {
        match self.map(|value| Payload::json(&value)) {
            // `Ok(())` is "done", not the JSON value null.
            Ok(Ok(payload)) if payload.bytes.as_ref() == b"null" => Outcome::Ack,
            Ok(Ok(payload)) => Outcome::Data(payload),
            Ok(Err(error)) => Outcome::Failed(error),
            Err(error) => failed(error),
        }
    }
}

/// The status that an error has as an HTTP answer.
#[must_use]
pub fn http_status(error: &Error) -> http::StatusCode {
    use crate::error::ErrorKind;
    use http::StatusCode;
    match error.kind() {
        ErrorKind::NotFound => StatusCode::NOT_FOUND,
        ErrorKind::AlreadyExists | ErrorKind::Conflict => StatusCode::CONFLICT,
        ErrorKind::InvalidArgument | ErrorKind::Decode => StatusCode::BAD_REQUEST,
        ErrorKind::Rejected => StatusCode::UNPROCESSABLE_ENTITY,
        ErrorKind::Unsupported => StatusCode::NOT_IMPLEMENTED,
        ErrorKind::DeadlineExceeded => StatusCode::GATEWAY_TIMEOUT,
        ErrorKind::ResourceExhausted if error.operation() == crate::event::READ => {
            StatusCode::PAYLOAD_TOO_LARGE
        }
        ErrorKind::Unavailable if error.operation() == crate::event::READ => StatusCode::BAD_REQUEST,
        ErrorKind::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        // A caller cannot do anything about the function's own permissions, quotas or defects.
        _ => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

impl IntoResponse for Error {
    /// [Problem details](https://www.rfc-editor.org/rfc/rfc9457). A client error says what it was; a server error only that there was one:
    /// the reason goes to the log, not to strangers.
    fn into_response(self) -> Response {
        let status = http_status(&self);
        let detail = if status.is_client_error() {
            Some(self.message())
        } else {
            None
        };
        if status.is_server_error() {
            tracing::error!(error = %self.chain(), status = status.as_u16(), "the handler answered with an error");
        } else {
            tracing::debug!(error = %self.chain(), status = status.as_u16(), "the handler refused a request");
        }
        problem(status, detail)
    }
}

/// The media type of [`problem_json`].
pub const PROBLEM_JSON: &str = "application/problem+json";

/// An answer with [problem details](https://www.rfc-editor.org/rfc/rfc9457): the status, and what went wrong if the caller may know it.
#[must_use]
pub fn problem(status: http::StatusCode, detail: Option<&str>) -> Response {
    let mut response = Response::new(problem_json(status, detail).into());
    *response.status_mut() = status;
    response.headers_mut().insert(
        http::header::CONTENT_TYPE,
        http::HeaderValue::from_static(PROBLEM_JSON),
    );
    response
}

/// The body of [`problem`].
#[must_use]
pub fn problem_json(status: http::StatusCode, detail: Option<&str>) -> String {
    serde_json::json!({
        "type": "about:blank",
        "title": status.canonical_reason(),
        "status": status.as_u16(),
        "detail": detail,
    })
    .to_string()
}
