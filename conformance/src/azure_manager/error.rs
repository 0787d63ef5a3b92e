//! What Azure Resource Manager refuses, as its error bodies say it: code, message, target, and the causes below.

use http::StatusCode;
use serde_json::{Value, json};

use crate::server::{self, Answer};

/// One refusal, with what it was caused by.
#[derive(Debug, Clone)]
pub(super) struct Refusal {
    pub(super) status: StatusCode,
    pub(super) code: String,
    pub(super) message: String,
    target: Option<String>,
    details: Vec<Self>,
}

/// A result that is refused with an error body.
pub(super) type Outcome<T> = Result<T, Refusal>;

impl Refusal {
    pub(super) fn new(status: u16, code: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            status: StatusCode::from_u16(status).unwrap_or(StatusCode::BAD_REQUEST),
            code: code.into(),
            message: message.into(),
            target: None,
            details: Vec::new(),
        }
    }

    /// A template that is not valid in itself.
    pub(super) fn template(message: impl std::fmt::Display) -> Self {
        Self::new(
            400,
            "InvalidTemplate",
            format!("Deployment template validation failed: '{message}'."),
        )
    }

    /// A body that does not have the form that the interface documents.
    pub(super) fn content(message: impl std::fmt::Display) -> Self {
        Self::new(
            400,
            "InvalidRequestContent",
            format!("The request content was invalid and could not be deserialized: '{message}'."),
        )
    }

    /// A resource that is not there.
    pub(super) fn no_resource(kind: &str, name: &str, group: &str) -> Self {
        Self::new(
            404,
            "ResourceNotFound",
            format!(
                "The Resource '{kind}/{name}' under resource group '{group}' was not found. For more details please go to https://aka.ms/ARMResourceNotFoundFix"
            ),
        )
    }

    pub(super) fn target(mut self, target: impl Into<String>) -> Self {
        self.target = Some(target.into());
        self
    }

    pub(super) fn because(mut self, cause: Self) -> Self {
        self.details.push(cause);
        self
    }

    /// The error without the object around it.
    pub(super) fn json(&self) -> Value {
        let mut body = json!({"code": self.code, "message": self.message});
        if let Some(target) = &self.target {
            body["target"] = target.as_str().into();
        }
        if !self.details.is_empty() {
            body["details"] = self.details.iter().map(Self::json).collect();
        }
        body
    }

    pub(super) fn answer(&self) -> Answer {
        server::json(self.status, &json!({"error": self.json()}))
    }
}
