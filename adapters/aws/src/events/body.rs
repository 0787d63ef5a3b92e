//! How a body with its media type travels through SQS and SNS, which carry text only: the drivers write it, the codecs read it.
//!
//! The media type is the message attribute [`CONTENT_TYPE`]. A body that is no text that
//! [SQS takes](https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessage.html) is base64, and [`ENCODING`] says so. A message that
//! has neither attribute is the text that it is, with no stated media type: others' messages are read as they are.

use std::collections::BTreeMap;

use nephos_core::Result;
use nephos_core::event::Payload;

use super::base64;

/// The attribute with the body's media type.
pub const CONTENT_TYPE: &str = "nephos-content-type";
/// The attribute that says that the body is encoded; its one value is [`BASE64`].
pub const ENCODING: &str = "nephos-encoding";
/// The body is base64.
pub const BASE64: &str = "base64";

/// The text that carries `payload`, and the attributes that say how; never more than two.
#[must_use]
pub fn encode(payload: &Payload) -> (String, Vec<(&'static str, String)>) {
    let mut attributes = Vec::new();
    if let Some(content_type) = &payload.content_type {
        attributes.push((CONTENT_TYPE, content_type.clone()));
    }
    match std::str::from_utf8(&payload.bytes) {
        // SQS refuses an empty body, which base64 of nothing would be too.
        Ok(text) if is_text(text) && !text.is_empty() => (text.to_owned(), attributes),
        Ok("") => {
            attributes.push((ENCODING, BASE64.to_owned()));
            (EMPTY.to_owned(), attributes)
        }
        _ => {
            attributes.push((ENCODING, BASE64.to_owned()));
            (base64::encode(&payload.bytes), attributes)
        }
    }
}

/// Stands for a body of no bytes: padding alone is no base64 of anything.
const EMPTY: &str = "=";

/// The body of `text`; takes the attributes that say how it travelled.
///
/// # Errors
/// [`ErrorKind::Decode`](nephos_core::ErrorKind::Decode) if it is said to be base64 and is not.
pub fn decode(text: String, attributes: &mut BTreeMap<String, String>) -> Result<Payload> {
    let content_type = attributes.remove(CONTENT_TYPE);
    let encoded = attributes
        .get(ENCODING)
        .is_some_and(|encoding| encoding == BASE64);
    if !encoded {
        return Ok(Payload {
            content_type,
            bytes: text.into(),
        });
    }
    attributes.remove(ENCODING);
    let bytes = if text == EMPTY {
        Vec::new()
    } else {
        base64::decode(&text, "the body is said to be base64, and is not")?
    };
    Ok(Payload {
        content_type,
        bytes: bytes.into(),
    })
}

/// Whether SQS takes it as it is: `#x9 | #xA | #xD | #x20 to #xD7FF | #xE000 to #xFFFD | #x10000 to #x10FFFF`. A carriage return is left out, as XML
/// makes a line feed of it.
fn is_text(text: &str) -> bool {
    text.chars()
        .all(|c| matches!(c, '\t' | '\n' | ' '..='\u{fffd}' | '\u{10000}'..))
}
