//! Cursors: the place behind an earlier page, as text that says what it is of.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use nephos_core::{Error, ErrorKind, Result};
use serde::{Deserialize, Serialize};

/// A place.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Cursor {
    /// Of a query: the index of the last item.
    Index(String),
    /// Of a scan: the full name of the last document.
    Name(String),
}

impl Cursor {
    pub(super) fn write(&self) -> String {
        // Text in an enum has a form as JSON.
        URL_SAFE_NO_PAD.encode(serde_json::to_vec(self).unwrap_or_default())
    }

    pub(super) fn read(operation: &'static str, text: &str) -> Result<Self> {
        let read = URL_SAFE_NO_PAD
            .decode(text)
            .ok()
            .and_then(|bytes| serde_json::from_slice(&bytes).ok());
        read.ok_or_else(|| foreign(operation))
    }
}

pub(super) fn foreign(operation: &'static str) -> Error {
    Error::new(
        ErrorKind::InvalidArgument,
        operation,
        "the cursor is not one of this table; begin without one",
    )
}
