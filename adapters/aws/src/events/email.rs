//! Receipts of SES: <https://docs.aws.amazon.com/ses/latest/dg/receiving-email-action-lambda-event.html>.
//!
//! A receipt has the headers, never the body. Where the rule stores the message in S3, [`location`] says where: the host fetches it from there.
//! Of a rule that first stores it and then calls the function, only deployment knows the place ([`MAIL`](crate::variables::MAIL)).

use bytes::Bytes;
use chrono::DateTime;
use nephos_core::event::{Attributes, Data, Email, Envelope, Mailbox, RecordFailure};
use nephos_core::{Event, Result};
use serde::Deserialize;

use super::text::{Str, Text};
use super::time::Time;
use super::{Wiring, records};

/// Extension: the S3 bucket that holds the message.
const BUCKET: &str = "awsbucket";
/// Extension: the message's key in that bucket.
const KEY: &str = "awskey";

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Record<'a> {
    #[serde(default, borrow)]
    event_source: Text<'a>,
    #[serde(borrow)]
    ses: Ses<'a>,
}

#[derive(Deserialize)]
struct Ses<'a> {
    #[serde(borrow)]
    mail: Mail<'a>,
    #[serde(borrow)]
    receipt: Receipt<'a>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Mail<'a> {
    message_id: String,
    source: String,
    #[serde(default)]
    timestamp: Option<Time>,
    #[serde(default, borrow)]
    destination: Vec<Str<'a>>,
    #[serde(default, borrow)]
    headers: Vec<Header<'a>>,
    #[serde(default)]
    headers_truncated: bool,
    #[serde(default, borrow)]
    common_headers: CommonHeaders<'a>,
}

#[derive(Deserialize)]
struct Header<'a> {
    #[serde(borrow)]
    name: Str<'a>,
    value: String,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct CommonHeaders<'a> {
    #[serde(default, borrow)]
    from: Vec<Str<'a>>,
    #[serde(default, borrow)]
    to: Vec<Str<'a>>,
    #[serde(default, borrow)]
    cc: Vec<Str<'a>>,
    #[serde(default, borrow)]
    reply_to: Vec<Str<'a>>,
    #[serde(default)]
    subject: Option<String>,
    #[serde(default, borrow)]
    date: Option<Str<'a>>,
    #[serde(default, borrow)]
    message_id: Option<Str<'a>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Receipt<'a> {
    #[serde(default)]
    recipients: Vec<String>,
    #[serde(default, borrow)]
    spam_verdict: Verdict<'a>,
    #[serde(default, borrow)]
    virus_verdict: Verdict<'a>,
    #[serde(default, borrow)]
    spf_verdict: Verdict<'a>,
    #[serde(default, borrow)]
    dkim_verdict: Verdict<'a>,
    #[serde(default, borrow)]
    dmarc_verdict: Verdict<'a>,
    #[serde(default, borrow)]
    dmarc_policy: Text<'a>,
    #[serde(borrow)]
    action: Action<'a>,
}

#[derive(Default, Deserialize)]
struct Verdict<'a> {
    #[serde(default, borrow)]
    status: Text<'a>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Action<'a> {
    #[serde(default, borrow, rename = "type")]
    ty: Text<'a>,
    #[serde(default, borrow)]
    bucket_name: Text<'a>,
    #[serde(default, borrow)]
    object_key: Text<'a>,
}

/// Where a message is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Location {
    /// The S3 bucket, by its name on AWS.
    pub bucket: String,
    /// The key.
    pub key: String,
}

/// Where the message of an e-mail event is stored; `None` if its rule stores it nowhere, and the headers are all there is.
#[must_use]
pub fn location(event: &Event) -> Option<Location> {
    let extensions = &event.attributes.extensions;
    Some(Location {
        bucket: extensions.get(BUCKET)?.clone(),
        key: extensions.get(KEY)?.clone(),
    })
}

/// One event for each record: a neutral event is one message.
pub(super) fn decode(document: &str, wiring: &Wiring) -> Result<Vec<Event>> {
    let (events, failures) = records::read(
        document,
        |_| None,
        |record: Record<'_>| {
            if record.event_source.is("aws:ses") {
                Ok(event(record.ses, wiring))
            } else {
                Err(records::failure("", records::of_another_source()))
            }
        },
    )?;
    // A receipt has no place in the answer in which it could fail alone.
    match failures.into_iter().next() {
        Some(RecordFailure { error, .. }) => Err(error),
        None => Ok(events),
    }
}

fn event(ses: Ses<'_>, wiring: &Wiring) -> Event {
    let Ses { mail, receipt } = ses;
    let headers = mail.headers.into_iter().map(|Header { name, value }| {
        let mut name = name.0.into_owned();
        name.make_ascii_lowercase();
        (name, value)
    });
    let common = mail.common_headers;
    let to = if receipt.recipients.is_empty() {
        mail.destination
            .into_iter()
            .map(|Str(to)| to.into_owned())
            .collect()
    } else {
        // Those of the recipients whom the rule is for.
        receipt.recipients
    };
    let email = Email {
        envelope: Envelope {
            from: mail.source,
            to,
        },
        message_id: common
            .message_id
            .map(|Str(id)| id.trim().trim_matches(['<', '>']).to_owned()),
        from: mailboxes(&common.from),
        to: mailboxes(&common.to),
        cc: mailboxes(&common.cc),
        reply_to: mailboxes(&common.reply_to),
        subject: common.subject.unwrap_or_default(),
        date: common
            .date
            .and_then(|Str(date)| DateTime::parse_from_rfc2822(&date).ok())
            .map(|date| date.to_utc()),
        text: None,
        html: None,
        headers: headers.collect(),
        attachments: Vec::new(),
        source: Bytes::new(),
    };
    let data = Data::Email(Box::new(email));
    let mut event = Event::new(
        Attributes::known(
            &data,
            Some(mail.message_id),
            mail.timestamp.map(|Time(time)| time),
        ),
        data,
    );
    let action = receipt.action;
    let place = match (action.bucket_name.as_deref(), action.object_key.as_deref()) {
        (Some(bucket), Some(key)) if action.ty.is("S3") => Some((bucket.to_owned(), key.to_owned())),
        _ => wiring
            .mail
            .as_ref()
            .map(|(bucket, prefix)| (bucket.clone(), format!("{prefix}{}", event.attributes.id))),
    };
    if let Some((bucket, key)) = place {
        let extensions = &mut event.attributes.extensions;
        extensions.insert(BUCKET.into(), bucket);
        extensions.insert(KEY.into(), key);
    }
    let truncated = mail.headers_truncated.then_some("true");
    let facts = [
        ("awsheaderstruncated", truncated),
        ("awsspam", receipt.spam_verdict.status.as_deref()),
        ("awsvirus", receipt.virus_verdict.status.as_deref()),
        ("awsspf", receipt.spf_verdict.status.as_deref()),
        ("awsdkim", receipt.dkim_verdict.status.as_deref()),
        ("awsdmarc", receipt.dmarc_verdict.status.as_deref()),
        ("awsdmarcpolicy", receipt.dmarc_policy.as_deref()),
    ];
    for (name, value) in facts {
        if let Some(value) = value {
            event.attributes.extensions.insert(name.into(), value.to_owned());
        }
    }
    event
}

/// Mailboxes as SES splits them: `Ann <ann@example.net>`, or an address alone.
fn mailboxes(texts: &[Str<'_>]) -> Vec<Mailbox> {
    texts
        .iter()
        .map(|Str(text)| {
            match text
                .trim()
                .strip_suffix('>')
                .and_then(|text| text.rsplit_once('<'))
            {
                Some((name, address)) => Mailbox {
                    name: Some(name.trim().trim_matches('"').to_owned()).filter(|name| !name.is_empty()),
                    address: address.trim().to_owned(),
                },
                None => Mailbox {
                    name: None,
                    address: text.trim().to_owned(),
                },
            }
        })
        .collect()
}
