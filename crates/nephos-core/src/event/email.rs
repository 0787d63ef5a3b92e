//! E-mail events: a message as it was received, its parts already read.

use std::collections::BTreeMap;

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
    /// All headers by lower-case name, undecoded, in the order of the message.
    pub headers: BTreeMap<String, Vec<String>>,
    /// The attachments.
    pub attachments: Vec<Attachment>,
    /// The message as it came (RFC 5322).
    pub source: Bytes,
}
