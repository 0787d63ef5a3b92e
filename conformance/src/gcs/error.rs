//! What is refused, in the form of either interface.
//!
//! JSON: <https://cloud.google.com/storage/docs/json_api/v1/status-codes>; XML: <https://cloud.google.com/storage/docs/xml-api/reference-status>.

use http::{HeaderValue, StatusCode};
use serde_json::{Value, json};

use super::xml::write::Document;
use crate::server::{self, Answer};

/// Which interface was asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Interface {
    Json,
    Xml,
}

/// A refusal: a status, JSON's `reason`, XML's `Code`, and a sentence.
#[derive(Debug, Clone)]
pub(super) struct Refusal {
    pub(super) status: u16,
    reason: &'static str,
    code: &'static str,
    message: String,
    /// JSON's `locationType` and `location`.
    location: Option<(&'static str, String)>,
    /// What Google's interfaces tell where they refuse as a whole.
    details: Option<Box<Value>>,
}

/// A result that is refused with an error body.
pub(super) type Outcome<T> = Result<T, Refusal>;

impl Refusal {
    pub(super) fn new(
        status: u16,
        reason: &'static str,
        code: &'static str,
        message: impl Into<String>,
    ) -> Self {
        Self {
            status,
            reason,
            code,
            message: message.into(),
            location: None,
            details: None,
        }
    }

    /// By a status alone.
    pub(super) fn status(status: u16, message: impl Into<String>) -> Self {
        let (reason, code) = match status {
            401 => ("authError", "AuthenticationRequired"),
            403 => ("forbidden", "AccessDenied"),
            404 => ("notFound", "NoSuchBucket"),
            409 => ("conflict", "OperationAborted"),
            412 => ("conditionNotMet", "PreconditionFailed"),
            429 => ("rateLimitExceeded", "TooManyRequests"),
            500 => ("internalError", "InternalError"),
            501..=504 => ("backendError", "ServiceUnavailable"),
            _ => ("invalid", "InvalidArgument"),
        };
        Self::new(status, reason, code, message)
    }

    pub(super) fn with_details(mut self, details: Value) -> Self {
        self.details = details.is_array().then(|| Box::new(details));
        self
    }

    fn at(mut self, kind: &'static str, name: impl Into<String>) -> Self {
        self.location = Some((kind, name.into()));
        self
    }

    /// A value that the documentation does not allow.
    pub(super) fn invalid(message: impl Into<String>) -> Self {
        Self::new(400, "invalid", "InvalidArgument", message)
    }

    /// A value of a query's parameter that the documentation does not allow.
    pub(super) fn parameter(name: &str, message: impl std::fmt::Display) -> Self {
        Self::new(
            400,
            "invalidParameter",
            "InvalidArgument",
            format!("Invalid value for {name}: {message}"),
        )
        .at("parameter", name)
    }

    /// Something without which the request means nothing.
    pub(super) fn required(what: &str) -> Self {
        Self::new(400, "required", "InvalidArgument", format!("Required: {what}")).at("parameter", what)
    }

    /// What Cloud Storage may have and this stand-in does not: it is never ignored.
    pub(super) fn not_built(what: impl std::fmt::Display) -> Self {
        Self::new(
            400,
            "invalid",
            "InvalidArgument",
            format!(
                "The stand-in of Cloud Storage does not have {what}, and ignores nothing: leave it out, or build it."
            ),
        )
    }

    pub(super) fn no_bucket() -> Self {
        Self::new(
            404,
            "notFound",
            "NoSuchBucket",
            "The specified bucket does not exist.",
        )
    }

    pub(super) fn no_object(bucket: &str, name: &str) -> Self {
        Self::new(
            404,
            "notFound",
            "NoSuchKey",
            format!("No such object: {bucket}/{name}"),
        )
    }

    pub(super) fn not_found() -> Self {
        Self::new(404, "notFound", "NoSuchKey", "Not Found")
    }

    pub(super) fn method() -> Self {
        Self::new(
            405,
            "methodNotAllowed",
            "MethodNotAllowed",
            "The specified method is not allowed against this resource.",
        )
    }

    /// A precondition that does not hold.
    pub(super) fn precondition(name: &str) -> Self {
        Self::new(
            412,
            "conditionNotMet",
            "PreconditionFailed",
            "At least one of the pre-conditions you specified did not hold.",
        )
        .at("header", if name.starts_with("if") { "If-Match" } else { name })
    }

    /// What the client has is what there is.
    pub(super) fn not_modified() -> Self {
        Self::new(304, "notModified", "NotModified", "")
    }

    pub(super) fn range() -> Self {
        Self::new(
            416,
            "requestedRangeNotSatisfiable",
            "InvalidRange",
            "The requested range cannot be satisfied.",
        )
        .at("header", "Range")
    }

    pub(super) fn digest(kind: &str, sent: &str, calculated: &str) -> Self {
        Self::new(
            400,
            "invalid",
            "BadDigest",
            format!("Provided {kind} \"{sent}\" doesn't match calculated {kind} \"{calculated}\"."),
        )
    }

    pub(super) fn unauthenticated(reason: &'static str, message: &str) -> Self {
        Self::new(401, reason, "AuthenticationRequired", message).at("header", "Authorization")
    }

    /// What a test wants a request to get.
    pub(super) fn injected(status: u16) -> Self {
        let (reason, code, message) = match status {
            401 => return Self::unauthenticated("authError", "Invalid Credentials"),
            403 => ("forbidden", "AccessDenied", "Access denied."),
            404 => ("notFound", "NoSuchKey", "Not Found"),
            408 => ("requestTimeout", "RequestTimeout", "The request has timed out."),
            429 => (
                "rateLimitExceeded",
                "TooManyRequests",
                "The rate limit was exceeded, reduce your request rate.",
            ),
            500 => (
                "internalError",
                "InternalError",
                "We encountered an internal error. Please try again.",
            ),
            502..=504 => (
                "backendError",
                "ServiceUnavailable",
                "We encountered an internal error. Please try again.",
            ),
            _ => ("invalid", "InvalidArgument", "A test has this request refused."),
        };
        Self::new(status, reason, code, message)
    }

    /// The answer.
    pub(super) fn answer(&self, interface: Interface, head: bool) -> Answer {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::BAD_REQUEST);
        let mut answer = match interface {
            _ if head || self.status == 304 => server::answer(status, ""),
            Interface::Json => server::json(status, &self.json()),
            Interface::Xml => Document::error(self.code, self.general(), &self.message).answer(status),
        };
        if self.status == 401 {
            answer.headers_mut().insert(
                http::header::WWW_AUTHENTICATE,
                HeaderValue::from_static("Bearer realm=\"https://accounts.google.com/\""),
            );
        }
        answer
    }

    /// For people.
    pub(super) fn sentence(&self) -> String {
        format!("{} ({}): {}", self.status, self.reason, self.message)
    }

    fn json(&self) -> Value {
        let mut one = json!({"message": self.message, "domain": "global", "reason": self.reason});
        if let Some((kind, name)) = &self.location {
            one["locationType"] = (*kind).into();
            one["location"] = name.as_str().into();
        }
        let mut error = json!({"code": self.status, "message": self.message, "errors": [one]});
        if let Some(details) = &self.details {
            error["details"] = details.as_ref().clone();
        }
        json!({"error": error})
    }

    /// XML has a general sentence for each code, and what the matter is in `Details`.
    fn general(&self) -> &str {
        match self.code {
            "NoSuchKey" => "The specified key does not exist.",
            "NoSuchBucket" => "The specified bucket does not exist.",
            "NoSuchUpload" => "The requested upload was not found.",
            "PreconditionFailed" => "At least one of the pre-conditions you specified did not hold.",
            "InvalidArgument" => "Invalid argument.",
            "BadDigest" => "The Content-MD5 or checksum you specified did not match what was received.",
            "InvalidRange" => "The requested range cannot be satisfied.",
            "AuthenticationRequired" => "Authentication required.",
            "AccessDenied" => "Access denied.",
            "SignatureDoesNotMatch" => {
                "Access denied. The request signature we calculated does not match the signature you provided. Check your Google secret key and signing method."
            }
            "ExpiredToken" => "The provided token has expired.",
            _ => &self.message,
        }
    }
}
