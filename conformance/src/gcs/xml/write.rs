//! Documents of the XML API.

use http::{HeaderValue, StatusCode};
use serde::Serialize;

use crate::server::{self, Answer};

/// Of documents that have one.
pub(super) const NAMESPACE: &str = "http://doc.s3.amazonaws.com/2006-03-01";

/// A document, written.
#[derive(Debug)]
pub(in crate::gcs) struct Document(Option<String>);

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Error<'a> {
    code: &'a str,
    message: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    details: Option<&'a str>,
}

impl Document {
    pub(super) fn of(root: &str, content: &impl Serialize) -> Self {
        Self(quick_xml::se::to_string_with_root(root, content).ok())
    }

    pub(in crate::gcs) fn error(code: &str, message: &str, details: &str) -> Self {
        let details = Some(details).filter(|details| *details != message && !details.is_empty());
        Self::of(
            "Error",
            &Error {
                code,
                message,
                details,
            },
        )
    }

    pub(in crate::gcs) fn answer(self, status: StatusCode) -> Answer {
        let (status, body) = match self.0 {
            Some(body) => (status, format!("<?xml version='1.0' encoding='UTF-8'?>{body}")),
            None => (StatusCode::INTERNAL_SERVER_ERROR, String::new()),
        };
        let mut answer = server::answer(status, body);
        answer.headers_mut().insert(
            http::header::CONTENT_TYPE,
            HeaderValue::from_static("application/xml; charset=UTF-8"),
        );
        answer
    }
}

/// Whether XML 1.0 can say a text.
pub(super) fn is_sayable(text: &str) -> bool {
    text.chars().all(|one| {
        matches!(one, '\t' | '\n' | '\r' | '\u{20}'..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'..)
    })
}
