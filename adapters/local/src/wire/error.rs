//! Errors on the wire: all of a core error but the types of its causes, and the HTTP status that goes with its kind.

use std::fmt;

use bytes::Bytes;
use http::StatusCode;
use nephos_core::{Error, ErrorKind};
use serde::{Deserialize, Serialize};

/// The most causes of an error that are kept. They are a list on the wire and a chain in memory, which ends one call inside another:
/// a list of a stranger's length would end the host's stack, and with it the host.
pub const MAX_CAUSES: usize = 64;

/// A core error as JSON. Nothing is lost but the types of its causes, of which the text stays, and those behind the first
/// [`MAX_CAUSES`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WireError {
    /// The kind.
    #[serde(deserialize_with = "known_kind")]
    pub kind: ErrorKind,
    /// The operation that failed.
    pub operation: String,
    /// The sentence alone.
    pub message: String,
    /// The facts, in order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub context: Vec<(String, String)>,
    /// Whether the same call may succeed when it is made again.
    pub retryable: bool,
    /// The causes' texts, outermost first; those behind the first [`MAX_CAUSES`] are not kept.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub causes: Vec<String>,
}

/// A kind that a newer side may know and this one does not is a defect between the two, not a reason to drop the error.
fn known_kind<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<ErrorKind, D::Error> {
    let name = String::deserialize(deserializer)?;
    let known = serde::de::value::StringDeserializer::<serde::de::value::Error>::new(name);
    Ok(ErrorKind::deserialize(known).unwrap_or(ErrorKind::Internal))
}

impl From<&Error> for WireError {
    fn from(error: &Error) -> Self {
        let mut causes = Vec::new();
        let mut source = std::error::Error::source(error);
        while let Some(cause) = source {
            causes.push(cause.to_string());
            source = cause.source();
        }
        Self {
            kind: error.kind(),
            operation: error.operation().to_owned(),
            message: error.message().to_owned(),
            context: error
                .context()
                .map(|(key, value)| (key.to_owned(), value.to_owned()))
                .collect(),
            retryable: error.is_retryable(),
            causes,
        }
    }
}

impl From<WireError> for Error {
    fn from(wire: WireError) -> Self {
        let mut error = Self::new(wire.kind, wire.operation, wire.message);
        for (key, value) in wire.context {
            error = error.with(key, value);
        }
        if error.is_retryable() != wire.retryable {
            error = error.retryable(wire.retryable);
        }
        let cause = wire
            .causes
            .into_iter()
            .take(MAX_CAUSES)
            .rev()
            .fold(None, |source, text| Some(Box::new(Cause { text, source })));
        match cause {
            Some(cause) => error.caused_by(cause as Box<dyn std::error::Error + Send + Sync>),
            None => error,
        }
    }
}

/// A cause of which only the text came over.
#[derive(Debug)]
struct Cause {
    text: String,
    source: Option<Box<Self>>,
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl std::error::Error for Cause {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.source
            .as_deref()
            .map(|source| source as &(dyn std::error::Error + 'static))
    }
}

/// [Problem details](https://www.rfc-editor.org/rfc/rfc9457) with all of the error's fields: for those who may read it, which are the
/// functions and the command, never a stranger behind the gateway.
#[must_use]
pub fn problem(error: &Error, status: StatusCode) -> Bytes {
    #[derive(Serialize)]
    struct Problem<'a> {
        r#type: &'static str,
        title: &'a str,
        status: u16,
        detail: String,
        #[serde(flatten)]
        error: WireError,
    }
    let problem = Problem {
        r#type: "about:blank",
        title: status.canonical_reason().unwrap_or("error"),
        status: status.as_u16(),
        detail: error.to_string(),
        error: WireError::from(error),
    };
    // Texts and numbers always have a JSON form.
    serde_json::to_vec(&problem).unwrap_or_default().into()
}

/// The status that the resource API answers an error of this kind with.
#[must_use]
pub const fn status_of_kind(kind: ErrorKind) -> StatusCode {
    match kind {
        ErrorKind::NotFound => StatusCode::NOT_FOUND,
        ErrorKind::AlreadyExists => StatusCode::CONFLICT,
        ErrorKind::Conflict => StatusCode::PRECONDITION_FAILED,
        ErrorKind::InvalidArgument | ErrorKind::Decode => StatusCode::BAD_REQUEST,
        ErrorKind::PermissionDenied => StatusCode::FORBIDDEN,
        ErrorKind::Unauthenticated => StatusCode::UNAUTHORIZED,
        ErrorKind::ResourceExhausted => StatusCode::INSUFFICIENT_STORAGE,
        ErrorKind::Unsupported => StatusCode::NOT_IMPLEMENTED,
        ErrorKind::DeadlineExceeded => StatusCode::GATEWAY_TIMEOUT,
        ErrorKind::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        ErrorKind::Rejected => StatusCode::UNPROCESSABLE_ENTITY,
        ErrorKind::Crashed => StatusCode::BAD_GATEWAY,
        // Data loss, a handler's error or panic, a cancellation, a defect.
        _ => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

/// The kind of an answer that carries no error in its body, as that to a HEAD.
#[must_use]
pub fn kind_of_status(status: StatusCode) -> ErrorKind {
    match status {
        StatusCode::NOT_FOUND => ErrorKind::NotFound,
        StatusCode::CONFLICT => ErrorKind::AlreadyExists,
        StatusCode::PRECONDITION_FAILED | StatusCode::NOT_MODIFIED => ErrorKind::Conflict,
        StatusCode::FORBIDDEN => ErrorKind::PermissionDenied,
        StatusCode::UNAUTHORIZED => ErrorKind::Unauthenticated,
        StatusCode::PAYLOAD_TOO_LARGE | StatusCode::TOO_MANY_REQUESTS | StatusCode::INSUFFICIENT_STORAGE => {
            ErrorKind::ResourceExhausted
        }
        StatusCode::NOT_IMPLEMENTED => ErrorKind::Unsupported,
        StatusCode::GATEWAY_TIMEOUT => ErrorKind::DeadlineExceeded,
        StatusCode::SERVICE_UNAVAILABLE | StatusCode::BAD_GATEWAY => ErrorKind::Unavailable,
        StatusCode::UNPROCESSABLE_ENTITY => ErrorKind::Rejected,
        status if status.is_client_error() => ErrorKind::InvalidArgument,
        _ => ErrorKind::Internal,
    }
}
