//! What goes with a body besides its bytes, as JSON beside it.

use std::collections::BTreeMap;

use nephos_core::event::Payload;
use nephos_core::{Error, ErrorKind, Result};
use serde::{Deserialize, Serialize};

/// Media type and attributes.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct Head {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) content_type: Option<String>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) attributes: BTreeMap<String, String>,
}

impl Head {
    /// The head of a body with these attributes, as it is stored.
    pub(crate) fn text(body: &Payload, attributes: &BTreeMap<String, String>) -> String {
        let head = Self {
            content_type: body.content_type.clone(),
            attributes: attributes.clone(),
        };
        // Keys are text: this cannot fail.
        serde_json::to_string(&head).unwrap_or_default()
    }

    /// The stored head again.
    ///
    /// # Errors
    /// [`ErrorKind::DataLoss`] if somebody else wrote it.
    pub(crate) fn read(text: &[u8], operation: &'static str) -> Result<Self> {
        serde_json::from_slice(text).map_err(|error| {
            Error::new(
                ErrorKind::DataLoss,
                operation,
                "what Redis holds was not written by this adapter",
            )
            .caused_by(error)
        })
    }

    /// The body, with the media type that it had.
    pub(crate) fn body(&self, bytes: Vec<u8>) -> Payload {
        Payload {
            content_type: self.content_type.clone(),
            bytes: bytes.into(),
        }
    }
}
