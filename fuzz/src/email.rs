//! E-mail: any message is read or refused, reading does not make much of little, and a message comes back through CloudEvents as the same.

use bytes::Bytes;
use nephos_core::ErrorKind;
use nephos_core::event::{Data, Email, Envelope, Event};

/// Text of one byte a character may become UTF-8 of three; the fourth is for what joins the parts.
const GROWTH: usize = 4;

/// Reads `data` as a message (RFC 5322).
pub fn check(data: &[u8]) {
    let source = Bytes::copy_from_slice(data);
    let envelope = Envelope {
        from: "ann@example.net".to_owned(),
        to: vec!["gate@example.net".to_owned()],
    };
    let email = match Email::parse(envelope.clone(), source.clone()) {
        Ok(email) => email,
        Err(error) => {
            assert_eq!(error.kind(), ErrorKind::Decode, "{error}");
            return crate::check_error(&error);
        }
    };
    assert_eq!((&email.source, &email.envelope), (&source, &envelope));
    assert!(!email.headers.is_empty(), "a message has a header");
    for (name, _) in &email.headers {
        assert!(!name.bytes().any(|byte| byte.is_ascii_uppercase()), "{name}");
        assert!(email.header(name).next().is_some(), "{name} has no value");
    }
    let length = |text: &Option<String>| text.as_deref().map_or(0, str::len);
    let attached: usize = email
        .attachments
        .iter()
        .map(|attachment| attachment.content.len())
        .sum();
    let read = length(&email.text) + length(&email.html) + attached;
    assert!(read <= GROWTH * data.len(), "{} bytes became {read}", data.len());
    for attachment in &email.attachments {
        let (kind, subtype) = attachment.content_type.split_once('/').unwrap_or_default();
        assert!(!kind.is_empty() && !subtype.is_empty(), "{attachment:?}");
        http::HeaderValue::from_str(&attachment.content_type).expect("a media type fits a header");
    }
    crate::cloudevents::comes_back(Event::of(Data::Email(Box::new(email))));
}
