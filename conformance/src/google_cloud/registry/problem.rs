//! What a registry refuses: <https://github.com/opencontainers/distribution-spec/blob/main/spec.md#error-codes>.

use http::{HeaderValue, StatusCode};
use serde_json::json;

use crate::google_cloud::error::Refusal;
use crate::server::{self, Answer};

/// A refusal with its code.
#[derive(Debug, Clone)]
pub(super) struct Problem {
    status: StatusCode,
    code: &'static str,
    message: String,
    headers: Vec<(&'static str, String)>,
}

/// A result that is refused in the registry's form.
pub(super) type Attempt<T> = Result<T, Problem>;

impl Problem {
    pub(super) fn new(status: u16, code: &'static str, message: impl Into<String>) -> Self {
        Self {
            status: StatusCode::from_u16(status).unwrap_or(StatusCode::BAD_REQUEST),
            code,
            message: message.into(),
            headers: Vec::new(),
        }
    }

    /// A refusal of Google's interfaces as a whole.
    pub(super) fn of(refusal: &Refusal) -> Self {
        let status = refusal.http();
        let code = match status.as_u16() {
            401 => "UNAUTHORIZED",
            403 => "DENIED",
            404 => "NAME_UNKNOWN",
            429 => "TOOMANYREQUESTS",
            500.. => "UNKNOWN",
            _ => "UNSUPPORTED",
        };
        let message = refusal.status()["message"]
            .as_str()
            .unwrap_or_default()
            .to_owned();
        let mut problem = Self::new(status.as_u16(), code, message);
        if let Some(seconds) = refusal.seconds() {
            problem = problem.header("retry-after", seconds.to_string());
        }
        problem
    }

    pub(super) fn header(mut self, name: &'static str, value: String) -> Self {
        self.headers.push((name, value));
        self
    }

    /// With where a token is to be had.
    pub(super) fn challenge(self, challenge: String) -> Self {
        self.header("www-authenticate", challenge)
    }

    pub(super) fn method() -> Self {
        Self::new(405, "UNSUPPORTED", "The operation is unsupported.")
    }

    pub(super) fn answer(&self) -> Answer {
        let body = json!({"errors": [{"code": self.code, "message": self.message}]});
        let mut answer = server::json(self.status, &body);
        for (name, value) in &self.headers {
            if let Ok(value) = HeaderValue::from_str(value) {
                answer.headers_mut().insert(*name, value);
            }
        }
        answer
    }
}
