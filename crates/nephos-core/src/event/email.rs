//! E-mail events: a message as it was received, its parts already read.

#[cfg(feature = "email-posted")]
pub mod posted;

use bytes::Bytes;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

/// Who the transport says sent and receives it (RFC 5321), which the headers need not agree with.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Envelope {
    /// The return path; empty for a bounce.
    #[serde(default)]
    pub from: String,
    /// The recipients.
    #[serde(default)]
    pub to: Vec<String>,
}

/// A name and an address of a header.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Mailbox {
    /// The display name.
    pub name: Option<String>,
    /// The address (`ann@example.net`).
    pub address: String,
}

/// A file that came along.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attachment {
    /// Its file name, as the sender gave it: never use it as a path.
    pub name: Option<String>,
    /// Its media type.
    pub content_type: String,
    /// Its content, decoded.
    pub content: Bytes,
}

/// An e-mail as it was received.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Email {
    /// The transport's sender and recipients.
    pub envelope: Envelope,
    /// `Message-ID`, without angle brackets.
    pub message_id: Option<String>,
    /// `From`.
    pub from: Vec<Mailbox>,
    /// `To`.
    pub to: Vec<Mailbox>,
    /// `Cc`.
    pub cc: Vec<Mailbox>,
    /// `Reply-To`.
    pub reply_to: Vec<Mailbox>,
    /// `Subject`, decoded.
    pub subject: String,
    /// `Date`.
    pub date: Option<DateTime<Utc>>,
    /// The plain text, if there is any.
    pub text: Option<String>,
    /// The HTML, if there is any. It is the sender's: do not show it unfiltered.
    pub html: Option<String>,
    /// All headers, undecoded, in the order of the message: the name in lower case and the value. One name may come several times.
    pub headers: Vec<(String, String)>,
    /// The attachments.
    pub attachments: Vec<Attachment>,
    /// The message as it came (RFC 5322).
    pub source: Bytes,
}

impl Email {
    /// The values of the headers of this name, in any case of its letters: undecoded, in the order of the message.
    pub fn header(&self, name: &str) -> impl Iterator<Item = &str> {
        self.headers
            .iter()
            .filter(move |(header, _)| header.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
    }
}

#[cfg(feature = "email")]
mod parse {
    //! Reads a message (RFC 5322, MIME) into its parts.

    use bytes::Bytes;
    use chrono::DateTime;
    use mail_parser::{Address, HeaderName, Message, MessageParser, MessagePart, MimeHeaders as _, PartType};

    use super::{Attachment, Email, Envelope, Mailbox};
    use crate::error::{Error, ErrorKind, Result};

    impl Email {
        /// Reads a message as it came. Lenient: what the headers do not tell is empty; text in a charset that is not known is replaced.
        ///
        /// # Errors
        /// [`ErrorKind::Decode`] if `source` has not a single header.
        ///
        /// ```
        /// use nephos_core::event::{Email, Envelope};
        ///
        /// let email = Email::parse(Envelope::default(), "From: Ann <ann@example.net>\r\nSubject: =?utf-8?q?caf=C3=A9?=\r\n\r\nhi\r\n".into())?;
        /// assert_eq!((email.subject.as_str(), email.from[0].address.as_str()), ("café", "ann@example.net"));
        /// # Ok::<(), nephos_core::Error>(())
        /// ```
        pub fn parse(envelope: Envelope, source: Bytes) -> Result<Self> {
            // The parser asserts of some malformed messages, in a debug build, that there are none: whoever can send a mail could end
            // the process that reads it.
            let read = std::panic::catch_unwind(|| Self::read(&source));
            let email = read.ok().flatten().ok_or_else(|| {
                Error::new(
                    ErrorKind::Decode,
                    "email.parse",
                    "the bytes are not an e-mail message",
                )
                .with("bytes", source.len())
            })?;
            Ok(Self {
                envelope,
                source,
                ..email
            })
        }

        /// All but envelope and source; `None` if there is not a single header.
        fn read(source: &[u8]) -> Option<Self> {
            let message = MessageParser::default().parse(source)?;
            if message.headers().is_empty() {
                return None;
            }
            let text = |parts: &[u32]| {
                joined(parts.iter().filter_map(|part| match &message.part(*part)?.body {
                    PartType::Text(text) => Some(text.as_ref()),
                    _ => None,
                }))
            };
            let html = |parts: &[u32]| {
                joined(parts.iter().filter_map(|part| match &message.part(*part)?.body {
                    PartType::Html(html) => Some(html.as_ref()),
                    _ => None,
                }))
            };
            let mut email = Self {
                message_id: message.message_id().map(str::to_owned),
                from: mailboxes(message.from()),
                to: mailboxes(message.to()),
                cc: mailboxes(message.cc()),
                reply_to: mailboxes(message.reply_to()),
                subject: message.subject().unwrap_or_default().to_owned(),
                date: message
                    .date()
                    .filter(|date| date.is_valid())
                    .and_then(|date| DateTime::from_timestamp(date.to_timestamp(), 0)),
                text: text(&message.text_body),
                html: html(&message.html_body),
                attachments: message.attachments().map(attachment).collect(),
                ..Self::default()
            };
            add_headers(&mut email, &message, source);
            Some(email)
        }
    }

    fn joined<'a>(mut texts: impl Iterator<Item = &'a str>) -> Option<String> {
        let mut text = texts.next()?.to_owned();
        for next in texts {
            text.push('\n');
            text.push_str(next);
        }
        Some(text)
    }

    fn mailboxes(address: Option<&Address<'_>>) -> Vec<Mailbox> {
        let Some(address) = address else {
            return Vec::new();
        };
        address
            .iter()
            .map(|mailbox| Mailbox {
                name: mailbox.name().map(str::to_owned),
                address: mailbox.address().unwrap_or_default().to_owned(),
            })
            .collect()
    }

    fn attachment(part: &MessagePart<'_>) -> Attachment {
        let content_type = stated_type(part).unwrap_or_else(|| match &part.body {
            PartType::Message(_) => "message/rfc822".to_owned(),
            PartType::Text(_) => "text/plain".to_owned(),
            _ => "application/octet-stream".to_owned(),
        });
        Attachment {
            name: part.attachment_name().map(str::to_owned),
            content_type,
            content: Bytes::copy_from_slice(part.contents()),
        }
    }

    /// The media type that the part states. One that is none counts as not stated (RFC 2045, 5.2), so that whoever passes it on, as in
    /// the header of an answer, need not check it again.
    fn stated_type(part: &MessagePart<'_>) -> Option<String> {
        let is_token = |text: &str| {
            // https://www.rfc-editor.org/rfc/rfc2045#section-5.1
            let special = |byte: u8| b"()<>@,;:\\\"/[]?=".contains(&byte);
            !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic() && !special(byte))
        };
        let stated = part.content_type()?;
        let (kind, subtype) = (stated.ctype(), stated.subtype()?);
        (is_token(kind) && is_token(subtype)).then(|| format!("{kind}/{subtype}").to_ascii_lowercase())
    }

    fn add_headers(email: &mut Email, message: &Message<'_>, source: &[u8]) {
        for header in message.headers() {
            let (start, end) = (header.offset_start() as usize, header.offset_end() as usize);
            let value = source.get(start..end).unwrap_or_default();
            let name = match &header.name {
                HeaderName::Other(name) => name.as_ref(),
                known => known.as_str(),
            };
            let value = String::from_utf8_lossy(value).trim().to_owned();
            email.headers.push((name.to_ascii_lowercase(), value));
        }
    }
}

#[cfg(all(test, feature = "email"))]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::error::ErrorKind;

    const MESSAGE: &[u8] = b"Return-Path: <bounce@example.net>\r\n\
        From: =?utf-8?q?Ann_=C3=85?= <ann@example.net>\r\n\
        To: gate@example.com, \"Guard, The\" <guard@example.com>\r\n\
        Cc: Friends: bob@example.org;\r\n\
        Subject: A\r\n face\r\n\
        Date: Tue, 3 Feb 2026 10:00:00 +0100\r\n\
        Message-ID: <1@example.net>\r\n\
        X-Camera: one\r\n\
        X-Camera: two\r\n\
        MIME-Version: 1.0\r\n\
        Content-Type: multipart/mixed; boundary=b\r\n\
        \r\n\
        --b\r\n\
        Content-Type: text/plain; charset=iso-8859-1\r\n\
        Content-Transfer-Encoding: quoted-printable\r\n\
        \r\n\
        Gr=FC=DFe\r\n\
        --b\r\n\
        Content-Type: text/html\r\n\
        \r\n\
        <p>hi</p>\r\n\
        --b\r\n\
        Content-Type: image/jpeg; name=\"../face.jpg\"\r\n\
        Content-Disposition: attachment; filename=\"../face.jpg\"\r\n\
        Content-Transfer-Encoding: base64\r\n\
        \r\n\
        /9j/AA==\r\n\
        --b--\r\n";

    #[test]
    fn a_message_is_read_into_its_parts() -> crate::Result<()> {
        let envelope = Envelope {
            from: "bounce@example.net".to_owned(),
            to: vec!["gate@example.com".to_owned()],
        };
        let email = Email::parse(envelope.clone(), Bytes::from_static(MESSAGE))?;
        assert_eq!(email.envelope, envelope);
        assert_eq!(email.from[0].name.as_deref(), Some("Ann Å"));
        let to: Vec<_> = email.to.iter().map(|mailbox| mailbox.address.as_str()).collect();
        assert_eq!(to, ["gate@example.com", "guard@example.com"]);
        assert_eq!(email.cc[0].address, "bob@example.org");
        assert_eq!(email.subject, "A face");
        assert_eq!(email.message_id.as_deref(), Some("1@example.net"));
        assert_eq!(
            email.date.map(|date| date.to_rfc3339()).as_deref(),
            Some("2026-02-03T09:00:00+00:00")
        );
        assert_eq!(email.text.as_deref().map(str::trim_end), Some("Grüße"));
        assert_eq!(email.html.as_deref().map(str::trim_end), Some("<p>hi</p>"));
        assert_eq!(email.header("X-Camera").collect::<Vec<_>>(), ["one", "two"]);
        assert_eq!(
            email.header("from").collect::<Vec<_>>(),
            ["=?utf-8?q?Ann_=C3=85?= <ann@example.net>"]
        );
        assert_eq!(email.header("x-none").count(), 0);
        let attachment = email
            .attachments
            .iter()
            .find(|attachment| attachment.content_type == "image/jpeg")
            .unwrap();
        assert_eq!(attachment.name.as_deref(), Some("../face.jpg"));
        assert_eq!(attachment.content, vec![0xff, 0xd8, 0xff, 0x00]);
        assert_eq!(email.source, MESSAGE);
        Ok(())
    }

    #[test]
    fn a_media_type_that_is_none_counts_as_not_stated() -> crate::Result<()> {
        for (stated, read) in [
            ("Image/PNG; name=a", "image/png"),
            ("image", "application/octet-stream"),
            ("\u{fffd}\u{fffd}", "application/octet-stream"),
            ("image/a b", "application/octet-stream"),
        ] {
            let source = format!(
                "MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\
                 Content-Type: {stated}\r\nContent-Disposition: attachment\r\n\
                 Content-Transfer-Encoding: base64\r\n\r\n/9j/AA==\r\n--b--\r\n"
            );
            let email = Email::parse(Envelope::default(), source.into())?;
            let types: Vec<_> = email
                .attachments
                .iter()
                .map(|file| file.content_type.as_str())
                .collect();
            assert_eq!(types, [read], "{stated}");
        }
        Ok(())
    }

    #[test]
    fn bytes_without_a_header_are_no_message() {
        let error = Email::parse(Envelope::default(), Bytes::new()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Decode);
    }

    #[test]
    fn a_message_that_the_parser_asserts_not_to_exist_is_no_panic() {
        const NESTED: &[u8] = b"Content-Type:multipart;boundary=o\n\n--oContent-Type:message/rfc822\n\n\
            Content-Type:message/rfc822\n\n\n--o--";
        match Email::parse(Envelope::default(), Bytes::from_static(NESTED)) {
            Ok(email) => assert_eq!(email.source, NESTED),
            Err(error) => assert_eq!(error.kind(), ErrorKind::Decode),
        }
    }

    #[test]
    fn a_message_cut_off_at_any_byte_is_never_a_panic() {
        let mut read = 0;
        for end in 0..MESSAGE.len() {
            read += usize::from(Email::parse(Envelope::default(), MESSAGE[..end].into()).is_ok());
        }
        assert!(read > MESSAGE.len() / 2, "{read}");
    }

    proptest! {
        #[test]
        fn no_bytes_are_a_panic(noise in prop::collection::vec(any::<u8>(), 0..512)) {
            let _ = Email::parse(Envelope::default(), noise.into());
        }

        #[test]
        fn no_damage_is_a_panic(at in 0..MESSAGE.len(), noise in prop::collection::vec(any::<u8>(), 0..16)) {
            let mut damaged = MESSAGE.to_vec();
            let end = (at + noise.len()).min(damaged.len());
            damaged.splice(at..end, noise);
            let email = Email::parse(Envelope::default(), damaged.clone().into());
            prop_assert!(email.is_err() || email.is_ok_and(|email| email.source == damaged));
        }
    }
}
