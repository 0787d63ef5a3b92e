//! Messages, as SQS writes them.

use std::collections::BTreeMap;
use std::time::Duration;

use aws_sdk_sqs::types::{Message as SqsMessage, MessageAttributeValue};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use nephos_core::event::Payload;
use nephos_core::{Error, ErrorKind, Result};

use crate::payload::{self, Wire};

/// The body and the attributes of a message.
pub(super) fn content(message: &SqsMessage) -> (Payload, BTreeMap<String, String>) {
    let wire = Wire {
        body: message.body().unwrap_or_default().to_owned(),
        attributes: message
            .message_attributes()
            .into_iter()
            .flatten()
            .filter_map(|(name, value)| Some((name.clone(), value_of(value)?)))
            .collect(),
    };
    match payload::decode(wire.clone()) {
        Ok(content) => (content.body, content.attributes),
        // One message that cannot be read must not keep the others from being received: it comes as it is.
        Err(error) => {
            tracing::warn!(error = %error.chain(), id = message.message_id(), "a message cannot be decoded");
            let body = Payload {
                content_type: None,
                bytes: wire.body.into(),
            };
            (body, wire.attributes)
        }
    }
}

/// An attribute's text; of one that others sent as bytes, their Base64, as in an event of Lambda.
fn value_of(value: &MessageAttributeValue) -> Option<String> {
    match value.string_value() {
        Some(text) => Some(text.to_owned()),
        None => value.binary_value().map(|bytes| STANDARD.encode(bytes)),
    }
}

/// An attribute.
pub(super) fn text(value: &str) -> Result<MessageAttributeValue> {
    MessageAttributeValue::builder()
        .data_type("String")
        .string_value(value)
        .build()
        .map_err(|error| incomplete("queue.send", error))
}

/// The error of a request that lacks something.
pub(super) fn incomplete(
    operation: &'static str,
    error: impl std::error::Error + Send + Sync + 'static,
) -> Error {
    Error::new(
        ErrorKind::Internal,
        operation,
        "the request lacks something that SQS demands",
    )
    .caused_by(error)
}

/// SQS counts whole seconds: what is less would be none.
pub(super) fn seconds(time: Duration) -> i32 {
    let whole = time.as_secs() + u64::from(time.subsec_nanos() > 0);
    i32::try_from(whole).unwrap_or(i32::MAX)
}
