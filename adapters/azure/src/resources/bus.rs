//! Messages as the REST interfaces of Service Bus and Event Hubs take them: <https://learn.microsoft.com/rest/api/servicebus/message-headers-and-properties>.
//!
//! | form | body | properties |
//! |---|---|---|
//! | [`in_json`] | text | of any name and value |
//! | [`in_headers`] | any bytes | headers of the request: names lose their case, values are ASCII |

use std::collections::BTreeMap;

use azure_core::http::{Method, Request, Url};
use nephos_core::event::Payload;
use nephos_core::{Error, ErrorKind, Result};
use serde_json::{Value, json};

use crate::payload;

/// The media type of a list of messages in JSON.
const LIST: &str = "application/vnd.microsoft.servicebus.json";

/// What a message has beside its body.
pub(super) type Properties = BTreeMap<String, String>;

/// The address of a queue or hub where messages are sent.
pub(super) fn messages(url: &Url) -> Url {
    let mut url = url.clone();
    if let Ok(mut parts) = url.path_segments_mut() {
        parts.pop_if_empty().push("messages");
    }
    url
}

/// A message in JSON, if its body is text.
pub(super) fn in_json(body: &Payload, broker: &Value, properties: &Properties) -> Option<Value> {
    let text = std::str::from_utf8(&body.bytes).ok()?;
    let mut message = json!({"Body": text, "BrokerProperties": broker});
    if !properties.is_empty() {
        message["UserProperties"] = json!(properties);
    }
    Some(message)
}

/// The request that sends a list of messages in JSON.
pub(super) fn list(url: &Url, messages: Vec<Value>) -> Request {
    let mut request = Request::new(url.clone(), Method::Post);
    request.insert_header("content-type", LIST);
    request.set_body(bytes::Bytes::from(Value::from(messages).to_string()));
    request
}

/// The request that sends one message as it is, with what it has beside its body in headers.
///
/// # Errors
/// [`ErrorKind::Unsupported`] if a property has no form as a header.
pub(super) fn in_headers(
    operation: &'static str,
    url: &Url,
    body: &Payload,
    broker: &Value,
    properties: &Properties,
) -> Result<Request> {
    let mut request = Request::new(url.clone(), Method::Post);
    let content_type = body.content_type.as_deref().unwrap_or("application/octet-stream");
    request.insert_header(
        "content-type",
        is_header(content_type)
            .then(|| content_type.to_owned())
            .ok_or_else(|| refused(operation, "content type"))?,
    );
    request.insert_header("brokerproperties", ascii(broker));
    for (name, value) in properties {
        if !fits_header(name, value) {
            return Err(refused(operation, name));
        }
        // A property that is text is in quotes.
        request.insert_header(name.clone(), Value::from(value.as_str()).to_string());
    }
    request.set_body(body.bytes.clone());
    Ok(request)
}

/// Whether all properties can be headers.
pub(super) fn fits_headers(properties: &Properties) -> bool {
    properties.iter().all(|(name, value)| fits_header(name, value))
}

/// What a backslash means in a property's quotes is told nowhere, so none is sent that way.
fn fits_header(name: &str, value: &str) -> bool {
    is_free(name) && is_header(value) && !value.contains('\\')
}

/// Names that mean something else in a request, or that a client or proxy adds.
const TAKEN: [&str; 22] = [
    "accept",
    "accept-encoding",
    "authorization",
    "brokerproperties",
    "cache-control",
    "connection",
    "content-encoding",
    "content-length",
    "content-type",
    "cookie",
    "date",
    "expect",
    "forwarded",
    "host",
    "keep-alive",
    "origin",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "user-agent",
    "via",
];

fn is_free(name: &str) -> bool {
    let plain = !name.is_empty()
        && name
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'-' | b'_'));
    plain
        && !TAKEN.contains(&name)
        && !["x-ms-", "if-", "proxy-", "sec-"]
            .iter()
            .any(|start| name.starts_with(start))
}

fn is_header(value: &str) -> bool {
    value.bytes().all(|byte| (b' '..=b'~').contains(&byte))
}

/// JSON of which every sign can stand in a header.
pub(super) fn ascii(value: &Value) -> String {
    let json = value.to_string();
    let mut text = String::with_capacity(json.len());
    for c in json.chars() {
        if (' '..='~').contains(&c) {
            text.push(c);
        } else {
            for unit in c.encode_utf16(&mut [0; 2]) {
                text.push_str(&format!("\\u{unit:04x}"));
            }
        }
    }
    text
}

fn refused(operation: &'static str, name: &str) -> Error {
    Error::new(
        ErrorKind::Unsupported,
        operation,
        "bytes that are not text can have such attributes only beside them whose names are lower-case letters, digits, `-` and `_`, and whose values are ASCII without backslashes; send text, or name them so",
    )
    .with("attribute", name)
}

/// The properties of a message: its attributes, and its media type among them.
pub(super) fn properties(body: &Payload, attributes: &BTreeMap<String, String>) -> Properties {
    payload::to_properties(body.content_type.as_deref(), attributes)
}

#[cfg(test)]
mod tests {
    use azure_core::http::headers::HeaderName;

    use super::*;

    fn payload(bytes: &'static [u8]) -> Payload {
        Payload {
            content_type: Some("image/png".to_owned()),
            bytes: bytes.into(),
        }
    }

    fn attributes(pairs: &[(&str, &str)]) -> Properties {
        pairs
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect()
    }

    #[test]
    fn text_is_in_json_with_attributes_of_any_name() {
        let properties = properties(&payload(b"text"), &attributes(&[("Ünï", "cödé")]));
        let message = in_json(&payload(b"text"), &json!({"PartitionKey": "k"}), &properties).unwrap();
        assert_eq!(
            message,
            json!({
                "Body": "text", "BrokerProperties": {"PartitionKey": "k"},
                "UserProperties": {"Ünï": "cödé", "nephos-content-type": "image/png"},
            })
        );
        assert!(in_json(&payload(b"\xff"), &json!({}), &properties).is_none());
    }

    #[test]
    fn bytes_are_sent_as_they_are_with_attributes_that_fit_a_header() {
        let url = messages(&Url::parse("https://ns.servicebus.windows.net/jobs/").unwrap());
        assert_eq!(url.as_str(), "https://ns.servicebus.windows.net/jobs/messages");
        let request = in_headers(
            "queue.send",
            &url,
            &payload(b"\xff"),
            &json!({"SessionId": "grün"}),
            &attributes(&[("tenant", "a \"b\"")]),
        )
        .unwrap();
        let header = |name: &'static str| request.headers().get_optional_str(&HeaderName::from_static(name));
        assert_eq!(header("content-type"), Some("image/png"));
        assert_eq!(header("brokerproperties"), Some(r#"{"SessionId":"gr\u00fcn"}"#));
        assert_eq!(header("tenant"), Some(r#""a \"b\"""#));
        for pair in [
            ("Tenant", "x"),
            ("a", "ü"),
            ("host", "x"),
            ("x-ms-y", "x"),
            ("a b", "x"),
            ("", "x"),
            ("a", "x\ny"),
            ("a", "x\\y"),
        ] {
            assert!(!fits_headers(&attributes(&[pair])), "{pair:?}");
            let error = in_headers(
                "queue.send",
                &url,
                &payload(b"\xff"),
                &json!({}),
                &attributes(&[pair]),
            )
            .unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Unsupported, "{pair:?}");
        }
    }
}
