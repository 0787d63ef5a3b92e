//! What Google Cloud refuses, in the form of its error bodies: <https://cloud.google.com/apis/design/errors>, <https://google.aip.dev/193>.

use http::header::{RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderValue, StatusCode};
use serde_json::{Value, json};

use crate::discovery::{Finding, Level};
use crate::server::{self, Answer};

/// The codes of Google's interfaces: <https://github.com/googleapis/googleapis/blob/master/google/rpc/code.proto>.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Code {
    /// Something in the request cannot be.
    InvalidArgument,
    /// What is asked for does not fit the present state.
    FailedPrecondition,
    /// Nobody is named by the token.
    Unauthenticated,
    /// Who is named may not do it, or the interface is not enabled.
    PermissionDenied,
    /// There is no such thing.
    NotFound,
    /// There is such a thing.
    AlreadyExists,
    /// Somebody else changed it meanwhile.
    Aborted,
    /// Too much of something, or too fast.
    ResourceExhausted,
    /// An error within Google.
    Internal,
    /// This stand-in does not do it.
    Unimplemented,
    /// Nobody answers just now.
    Unavailable,
    /// It took too long.
    DeadlineExceeded,
}

impl Code {
    /// Number, name, and status of HTTP.
    fn parts(self) -> (u8, &'static str, StatusCode) {
        match self {
            Self::InvalidArgument => (3, "INVALID_ARGUMENT", StatusCode::BAD_REQUEST),
            Self::DeadlineExceeded => (4, "DEADLINE_EXCEEDED", StatusCode::GATEWAY_TIMEOUT),
            Self::NotFound => (5, "NOT_FOUND", StatusCode::NOT_FOUND),
            Self::AlreadyExists => (6, "ALREADY_EXISTS", StatusCode::CONFLICT),
            Self::PermissionDenied => (7, "PERMISSION_DENIED", StatusCode::FORBIDDEN),
            Self::ResourceExhausted => (8, "RESOURCE_EXHAUSTED", StatusCode::TOO_MANY_REQUESTS),
            Self::FailedPrecondition => (9, "FAILED_PRECONDITION", StatusCode::BAD_REQUEST),
            Self::Aborted => (10, "ABORTED", StatusCode::CONFLICT),
            Self::Unimplemented => (12, "UNIMPLEMENTED", StatusCode::NOT_IMPLEMENTED),
            Self::Internal => (13, "INTERNAL", StatusCode::INTERNAL_SERVER_ERROR),
            Self::Unavailable => (14, "UNAVAILABLE", StatusCode::SERVICE_UNAVAILABLE),
            Self::Unauthenticated => (16, "UNAUTHENTICATED", StatusCode::UNAUTHORIZED),
        }
    }
}

/// One refusal.
#[derive(Debug, Clone)]
pub(super) struct Refusal {
    code: Code,
    message: String,
    details: Vec<Value>,
    retry_after: Option<u64>,
}

/// A result that is refused with an error body.
pub(super) type Outcome<T> = Result<T, Refusal>;

impl Refusal {
    pub(super) fn new(code: Code, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
            details: Vec::new(),
            retry_after: None,
        }
    }

    /// With a machine's reason (`google.rpc.ErrorInfo`).
    pub(super) fn reason(mut self, reason: &str, metadata: &Value) -> Self {
        self.details.push(json!({
            "@type": "type.googleapis.com/google.rpc.ErrorInfo",
            "reason": reason,
            "domain": "googleapis.com",
            "metadata": metadata,
        }));
        self
    }

    pub(super) fn detail(mut self, detail: Value) -> Self {
        self.details.push(detail);
        self
    }

    pub(super) fn after(mut self, seconds: u64) -> Self {
        self.retry_after = Some(seconds);
        self
    }

    /// One field that cannot be so.
    pub(super) fn field(field: &str, description: &str) -> Self {
        Self::fields(&[(field.to_owned(), description.to_owned())])
    }

    fn fields(violations: &[(String, String)]) -> Self {
        let message = match violations {
            [(field, description), ..] => format!("Invalid value at '{field}': {description}."),
            [] => "Request contains an invalid argument.".to_owned(),
        };
        let violations: Vec<Value> = violations
            .iter()
            .map(|(field, description)| json!({"field": field, "description": description}))
            .collect();
        Self::new(Code::InvalidArgument, message).detail(json!({
            "@type": "type.googleapis.com/google.rpc.BadRequest",
            "fieldViolations": violations,
        }))
    }

    /// A request that its discovery document does not allow; `None` if that is no error.
    pub(super) fn found(findings: &[Finding]) -> Option<Self> {
        let errors: Vec<(String, String)> = findings
            .iter()
            .filter(|finding| finding.level == Level::Error)
            .map(|finding| (finding.place.clone(), finding.what.clone()))
            .collect();
        (!errors.is_empty()).then(|| Self::fields(&errors))
    }

    pub(super) fn not_found(name: &str) -> Self {
        Self::new(Code::NotFound, format!("Resource '{name}' was not found"))
    }

    pub(super) fn denied(permission: &str, resource: &str) -> Self {
        Self::new(
            Code::PermissionDenied,
            format!("Permission '{permission}' denied on resource '{resource}' (or it may not exist)."),
        )
        .reason(
            "IAM_PERMISSION_DENIED",
            &json!({"permission": permission, "resource": resource}),
        )
    }

    pub(super) fn throttled(seconds: u64, host: &str) -> Self {
        Self::new(
            Code::ResourceExhausted,
            "Quota exceeded for quota metric 'Write requests' and limit 'Write requests per minute'.",
        )
        .reason("RATE_LIMIT_EXCEEDED", &json!({"service": host}))
        .after(seconds)
    }

    /// Its status of HTTP.
    pub(super) fn http(&self) -> StatusCode {
        self.code.parts().2
    }

    /// After how many seconds to try again.
    pub(super) fn seconds(&self) -> Option<u64> {
        self.retry_after
    }

    /// The error of an operation.
    pub(super) fn status(&self) -> Value {
        let mut status = json!({"code": self.code.parts().0, "message": self.message});
        if !self.details.is_empty() {
            status["details"] = self.details.clone().into();
        }
        status
    }

    pub(super) fn answer(&self) -> Answer {
        let (_, name, status) = self.code.parts();
        let mut error = json!({"code": status.as_u16(), "message": self.message, "status": name});
        if !self.details.is_empty() {
            error["details"] = self.details.clone().into();
        }
        let mut answer = server::json(status, &json!({"error": error}));
        if let Some(seconds) = self.retry_after {
            answer
                .headers_mut()
                .insert(RETRY_AFTER, HeaderValue::from(seconds));
        }
        if self.code == Code::Unauthenticated {
            let challenge = HeaderValue::from_static("Bearer realm=\"https://accounts.google.com/\"");
            answer.headers_mut().insert(WWW_AUTHENTICATE, challenge);
        }
        answer
    }
}
