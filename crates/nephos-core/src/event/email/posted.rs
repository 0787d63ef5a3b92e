//! Inbound e-mail, which a service that receives mail posts to the function: the message itself, or a form with it. For targets that have none of their own.
//!
//! | post | message | envelope |
//! |---|---|---|
//! | `message/rfc822` or any other type that is no form | the body | the headers `X-Envelope-From` and `X-Envelope-To` |
//! | `multipart/form-data` | the field `email` ([SendGrid](https://www.twilio.com/docs/sendgrid/for-developers/parsing-email/setting-up-the-inbound-parse-webhook), with "raw" on), `body-mime` ([Mailgun](https://documentation.mailgun.com/docs/mailgun/user-manual/receive-forward-store)), `message` or `raw` | the field `envelope` (JSON), or `sender` and `recipient` |
//!
//! Without an envelope, it is what the message's `Return-Path` and `Delivered-To`, or its `From` and `To` tell. A service that takes the message apart must be
//! set to post it whole: what it leaves out cannot be made again.
//!
//! Who posts must be verified before, by a secret that it [brings](proof).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use futures::FutureExt as _;
use http::header::{AUTHORIZATION, CONTENT_TYPE};
use http::{HeaderMap, Uri};
use serde::Deserialize;

use crate::event::{Attributes, BufferedRequest, Data, Email, Envelope, Raw};
use crate::{Error, ErrorKind, Event, Result};

/// The fields of a form that may hold the whole message.
const MESSAGES: [&str; 4] = ["email", "body-mime", "message", "raw"];

const ENVELOPE_FROM: &str = "x-envelope-from";
const ENVELOPE_TO: &str = "x-envelope-to";

/// Reads a request whose body is a message, or a form with one.
///
/// # Errors
/// [`ErrorKind::Decode`] if there is no message in it.
pub fn decode(request: &BufferedRequest) -> Result<Event> {
    let headers = &request.parts.headers;
    let content_type = headers.get(CONTENT_TYPE).and_then(|ty| ty.to_str().ok());
    let posted = match content_type.and_then(|ty| multer::parse_boundary(ty).ok()) {
        Some(boundary) => form(request.body.clone(), boundary)?,
        None if content_type.is_some_and(is_urlencoded) => {
            return Err(refused(
                "the message was posted as application/x-www-form-urlencoded; let the mail service post multipart/form-data, or the message itself",
            ));
        }
        None => Posted {
            envelope: of_headers(headers),
            source: request.body.clone(),
        },
    };
    let mut email = Email::parse(posted.envelope, posted.source)?;
    complete(&mut email);
    // Who posts tells no time: the message's own is the nearest to when it was sent.
    let sent_at = email.date;
    let data = Data::Email(Box::new(email));
    let id = match &data {
        // A service that posts again posts the same message.
        Data::Email(email) => email.message_id.clone().filter(|id| !id.is_empty()),
        _ => None,
    };
    let raw = Raw {
        content_type: content_type.map(|ty| ty.to_owned().into()),
        bytes: request.body.clone(),
    };
    Ok(Event::new(Attributes::known(&data, id, sent_at), data).with_raw(raw))
}

/// Whether a trigger's address (`ann@example.net`, `*@example.net` or `*`) means this recipient.
#[must_use]
pub fn fits(address: &str, recipient: &str) -> bool {
    if address == "*" {
        return true;
    }
    match address.strip_prefix("*@") {
        Some(domain) => recipient
            .rsplit_once('@')
            .is_some_and(|(_, of)| of.eq_ignore_ascii_case(domain)),
        None => address.eq_ignore_ascii_case(recipient),
    }
}

/// The secret by which a service proves itself: the password of [basic authentication](https://www.rfc-editor.org/rfc/rfc7617), or `key` in the query. To be compared in constant time.
#[must_use]
pub fn proof(uri: &Uri, headers: &HeaderMap) -> Option<String> {
    password(headers).or_else(|| key(uri))
}

fn password(headers: &HeaderMap) -> Option<String> {
    let (scheme, encoded) = headers.get(AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    let decoded = (scheme.eq_ignore_ascii_case("basic")).then(|| STANDARD.decode(encoded.trim()).ok())??;
    let text = String::from_utf8(decoded).ok()?;
    text.split_once(':').map(|(_, password)| password.to_owned())
}

fn key(uri: &Uri) -> Option<String> {
    let mut pairs = url::form_urlencoded::parse(uri.query()?.as_bytes());
    pairs
        .find(|(name, _)| name == "key")
        .map(|(_, value)| value.into_owned())
}

fn is_urlencoded(content_type: &str) -> bool {
    let essence = content_type.split(';').next().unwrap_or_default().trim();
    essence.eq_ignore_ascii_case("application/x-www-form-urlencoded")
}

struct Posted {
    envelope: Envelope,
    source: Bytes,
}

fn of_headers(headers: &HeaderMap) -> Envelope {
    let values = |name: &str| {
        let values = headers.get_all(name).iter();
        values
            .filter_map(|value| value.to_str().ok())
            .flat_map(|value| value.split(','))
            .map(address)
            .filter(|address| !address.is_empty())
            .collect::<Vec<String>>()
    };
    Envelope {
        from: values(ENVELOPE_FROM).into_iter().next().unwrap_or_default(),
        to: values(ENVELOPE_TO),
    }
}

/// As SendGrid writes it: `{"to":["gate@example.com"],"from":"ann@example.net"}`.
#[derive(Deserialize)]
struct Written {
    #[serde(default)]
    from: String,
    #[serde(default)]
    to: Vec<String>,
}

fn form(body: Bytes, boundary: String) -> Result<Posted> {
    let stream = futures::stream::iter([Ok::<_, std::convert::Infallible>(body)]);
    let form = multer::Multipart::new(stream, boundary);
    // The body is there, so nothing waits.
    let fields = fields(form)
        .now_or_never()
        .ok_or_else(|| refused("the form breaks off"))??;
    let field = |name: &str| {
        fields
            .iter()
            .find(|(found, _)| found == name)
            .map(|(_, value)| value)
    };
    let text = |name: &str| field(name).map(|value| String::from_utf8_lossy(value).into_owned());
    let source = MESSAGES.iter().find_map(|name| field(name)).cloned().ok_or_else(|| {
        refused("the form has no field with the whole message; set the mail service to post the raw message (MIME)")
    })?;
    let envelope = match text("envelope") {
        Some(json) => {
            let written: Written = serde_json::from_str(&json).map_err(|error| {
                refused("the form's envelope is not the JSON that it should be").caused_by(error)
            })?;
            Envelope {
                from: written.from,
                to: written.to,
            }
        }
        None => Envelope {
            from: text("sender").as_deref().map(address).unwrap_or_default(),
            to: text("recipient")
                .iter()
                .flat_map(|to| to.split(','))
                .map(address)
                .filter(|to| !to.is_empty())
                .collect(),
        },
    };
    Ok(Posted { envelope, source })
}

async fn fields(mut form: multer::Multipart<'_>) -> Result<Vec<(String, Bytes)>> {
    let unreadable = |error: multer::Error| refused("the form cannot be read").caused_by(error);
    let mut fields = Vec::new();
    while let Some(field) = form.next_field().await.map_err(unreadable)? {
        let name = field.name().unwrap_or_default().to_owned();
        fields.push((name, field.bytes().await.map_err(unreadable)?));
    }
    Ok(fields)
}

/// What the transport said, where nobody told it, by what the message says.
fn complete(email: &mut Email) {
    if email.envelope.from.is_empty() && email.envelope.to.is_empty() {
        let from = email.header("return-path").next().map(address);
        let from = from.or_else(|| email.from.first().map(|mailbox| mailbox.address.clone()));
        email.envelope.from = from.unwrap_or_default();
    }
    if email.envelope.to.is_empty() {
        let delivered: Vec<String> = email
            .header("delivered-to")
            .map(address)
            .filter(|to| !to.is_empty())
            .collect();
        email.envelope.to = if delivered.is_empty() {
            let named = email.to.iter().chain(&email.cc);
            named.map(|mailbox| mailbox.address.clone()).collect()
        } else {
            delivered
        };
    }
}

fn address(text: &str) -> String {
    text.trim().trim_matches(['<', '>']).to_owned()
}

fn refused(what: &'static str) -> Error {
    Error::new(ErrorKind::Decode, "event.decode", what)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{any, proptest};

    use super::*;
    use crate::event::Body;

    const MESSAGE: &str = "Return-Path: <bounce@example.net>\r\nFrom: Ann <ann@example.net>\r\nTo: gate@example.com\r\n\
        Message-ID: <1@example.net>\r\nSubject: A face\r\n\r\nhi\r\n";

    fn post(content_type: &str, headers: &[(&str, &str)], body: impl Into<Bytes>) -> BufferedRequest {
        let mut request = http::Request::builder()
            .method("POST")
            .header("content-type", content_type);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let (parts, _) = request.body(Body::empty()).unwrap().into_parts();
        BufferedRequest {
            parts,
            body: body.into(),
        }
    }

    fn form_of(fields: &[(&str, &str)]) -> BufferedRequest {
        let mut body = String::new();
        for (name, value) in fields {
            body += &format!("--b\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n");
        }
        post("multipart/form-data; boundary=b", &[], body + "--b--\r\n")
    }

    fn read(request: &BufferedRequest) -> Email {
        let event = decode(request).unwrap();
        assert_eq!(event.attributes.id, "1@example.net");
        assert_eq!(event.raw.unwrap().bytes, request.body);
        match event.data {
            Data::Email(email) => *email,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_message_is_posted_as_it_is_or_in_a_form() {
        let alone = post(
            "message/rfc822",
            &[("X-Envelope-From", "a@b.c"), ("X-Envelope-To", "d@e.f, <g@h.i>")],
            MESSAGE,
        );
        let raw = form_of(&[
            ("email", MESSAGE),
            ("envelope", r#"{"to":["d@e.f","g@h.i"],"from":"a@b.c"}"#),
        ]);
        let mime = form_of(&[
            ("recipient", "d@e.f,g@h.i"),
            ("sender", "a@b.c"),
            ("body-mime", MESSAGE),
        ]);
        for request in [alone, raw, mime] {
            let email = read(&request);
            assert_eq!(email.source, MESSAGE);
            assert_eq!(email.subject, "A face");
            assert_eq!(email.envelope.from, "a@b.c");
            assert_eq!(email.envelope.to, ["d@e.f", "g@h.i"]);
        }
    }

    #[test]
    fn without_an_envelope_the_message_tells() {
        let email = read(&post("application/octet-stream", &[], MESSAGE));
        assert_eq!(email.envelope.from, "bounce@example.net");
        assert_eq!(email.envelope.to, ["gate@example.com"]);
        let delivered = format!("Delivered-To: <box@example.com>\r\n{MESSAGE}");
        let email = read(&post("message/rfc822", &[], delivered));
        assert_eq!(email.envelope.to, ["box@example.com"]);
    }

    #[test]
    fn a_post_without_a_message_says_what_to_do() {
        let parts = form_of(&[("from", "a@b.c"), ("text", "hi")]);
        assert!(decode(&parts).unwrap_err().to_string().contains("raw message"));
        let encoded = post("application/x-www-form-urlencoded", &[], "email=hi");
        assert!(
            decode(&encoded)
                .unwrap_err()
                .to_string()
                .contains("multipart/form-data")
        );
        let envelope = form_of(&[("email", MESSAGE), ("envelope", "{")]);
        assert!(decode(&envelope).is_err());
        let cut = post("multipart/form-data; boundary=b", &[], "--b\r\nContent-Disp");
        assert_eq!(decode(&cut).unwrap_err().kind(), ErrorKind::Decode);
        assert!(decode(&post("message/rfc822", &[], "")).is_err());
    }

    #[test]
    fn an_address_means_itself_its_domain_or_all() {
        assert!(fits("Ann@example.net", "ann@EXAMPLE.net"));
        assert!(fits("*@example.net", "bob@example.NET"));
        assert!(fits("*", "anyone"));
        assert!(!fits("*@example.net", "bob@sub.example.net"));
        assert!(!fits("ann@example.net", "bob@example.net"));
    }

    #[test]
    fn the_secret_is_the_password_or_a_key_in_the_query() {
        let with = |value: &'static str| {
            let headers = [(AUTHORIZATION, http::HeaderValue::from_static(value))].into_iter();
            proof(&Uri::from_static("/mail"), &headers.collect())
        };
        // user:a:b
        assert_eq!(with("Basic dXNlcjphOmI="), Some("a:b".to_owned()));
        assert_eq!(with("Bearer dXNlcjphOmI="), None);
        assert_eq!(with("Basic ?"), None);
        let asked = |uri: &'static str| proof(&Uri::from_static(uri), &HeaderMap::new());
        assert_eq!(asked("/mail?a=1&key=a%20b"), Some("a b".to_owned()));
        assert_eq!(asked("/mail"), None);
    }

    proptest! {
        #[test]
        fn no_bytes_are_a_panic(bytes in any::<Vec<u8>>(), with in any::<bool>()) {
            let mut body = if with { b"--b\r\nContent-Disposition: form-data; name=\"email\"\r\n\r\n".to_vec() } else { Vec::new() };
            body.extend(bytes);
            let _ = decode(&post("multipart/form-data; boundary=b", &[], body.clone()));
            let _ = decode(&post("message/rfc822", &[], body));
        }
    }
}
