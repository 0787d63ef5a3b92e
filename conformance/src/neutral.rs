//! Neutral equality: two events as plain values, without what each provider tells in its own way or not at all.

use std::collections::BTreeMap;

use http::header::COOKIE;
use nephos_core::Event;
use nephos_core::event::{BufferedRequest, Data, ObjectEvent, Payload};
use nephos_core::handler::PathParams;
use serde_json::{Value, json};

use crate::rule::Violation;

/// The largest body that is read.
const MAX_BODY: usize = 64 << 20;

/// An event as a value: type, source, subject, content. Ids and times of events without records are left to rules of their own, and extensions to the
/// provider. Of a request, headers that several values have are lists, and their order among each other says nothing.
pub(crate) async fn of(event: Event) -> Result<Value, Violation> {
    let attributes = &event.attributes;
    let head = json!({"type": attributes.ty, "source": attributes.source, "subject": attributes.subject});
    let undecodable: Vec<_> = event
        .undecodable
        .iter()
        .map(|failure| failure.id.as_str())
        .collect();
    let undecodable = json!(undecodable);
    let data = match event.data {
        Data::Http(request) => {
            let request = BufferedRequest::read(request, MAX_BODY).await?;
            let parts = &request.parts;
            let params = parts.extensions.get::<PathParams>().cloned().unwrap_or_default();
            json!({
                "method": parts.method.as_str(),
                "target": parts.uri.path_and_query().map(http::uri::PathAndQuery::as_str),
                "params": params.0,
                "headers": headers(&parts.headers),
                "body": bytes(&request.body),
            })
        }
        Data::Bucket(event) => {
            let kind = match &event {
                ObjectEvent::Created(_) => "created",
                ObjectEvent::Deleted(_) => "deleted",
            };
            json!({"kind": kind, "object": event.object()})
        }
        Data::Queue(messages) => messages
            .iter()
            .map(|message| {
                json!({
                    "id": message.id, "queue": message.queue, "body": body(&message.body), "attributes": message.attributes,
                    "group": message.group, "attempt": message.attempt, "sent_at": message.sent_at,
                })
            })
            .collect(),
        Data::Topic(notification) => json!({
            "id": notification.id, "topic": notification.topic, "body": body(&notification.body), "subject": notification.subject,
            "attributes": notification.attributes, "published_at": notification.published_at,
        }),
        Data::Stream(records) => records
            .iter()
            .map(|record| {
                json!({
                    "sequence": record.sequence, "stream": record.stream, "partition_key": record.partition_key,
                    "body": body(&record.body), "attributes": record.attributes, "appended_at": record.appended_at,
                })
            })
            .collect(),
        Data::Table(changes) => changes
            .iter()
            .map(|change| {
                json!({
                    "sequence": change.sequence, "table": change.table, "kind": change.kind, "key": change.key,
                    "old": change.old, "new": change.new, "at": change.at,
                })
            })
            .collect(),
        Data::Schedule(tick) => json!(tick),
        Data::Email(email) => json!({
            "envelope": email.envelope, "message_id": email.message_id, "from": email.from, "to": email.to, "cc": email.cc,
            "reply_to": email.reply_to, "subject": email.subject, "date": email.date, "text": email.text, "html": email.html,
            "headers": by_name(&email.headers), "source": bytes(&email.source),
            "attachments": email.attachments.iter().map(|attachment| json!({
                "name": attachment.name, "content_type": attachment.content_type, "content": bytes(&attachment.content),
            })).collect::<Vec<_>>(),
        }),
        Data::Auth(step) => json!(*step),
        Data::Voice(request) => json!(*request),
        // A provider's own media type for what it does not know is its own.
        Data::Raw(raw) => bytes(&raw.bytes),
        other => return Err(Violation::new(format!("no such kind of event is known here: {other:?}"))),
    };
    Ok(json!({"head": head, "data": data, "undecodable": undecodable}))
}

fn body(payload: &Payload) -> Value {
    json!({"content_type": payload.content_type, "bytes": bytes(&payload.bytes)})
}

/// Text as text, so that a violation can be read; what is none, or is long, by its bytes' sum.
fn bytes(bytes: &[u8]) -> Value {
    const SHOWN: usize = 4096;
    match std::str::from_utf8(bytes) {
        Ok(text) if text.len() <= SHOWN => json!(text),
        _ => json!({"length": bytes.len(), "hash": hash(bytes), "begins": bytes[..bytes.len().min(16)]}),
    }
}

/// FNV-1a: to tell two bodies apart, not to withstand anyone.
fn hash(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

/// Values by name: [RFC 9110](https://www.rfc-editor.org/rfc/rfc9110#section-5.3) lets anyone on the way join several values of one name by commas.
fn headers(headers: &http::HeaderMap) -> BTreeMap<String, Vec<String>> {
    let mut read: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (name, value) in headers {
        let separator = if name == COOKIE { ';' } else { ',' };
        let text = String::from_utf8_lossy(value.as_bytes()).into_owned();
        read.entry(name.to_string())
            .or_default()
            .extend(text.split(separator).map(|value| value.trim().to_owned()));
    }
    read
}

/// Where two events differ, if they do. What a request has in headers beside the expected ones is the way's, and what is told of an object besides (its version, the size of
/// one that is gone) is the provider's.
pub(crate) fn differences(expected: &Value, actual: &Value) -> Option<String> {
    let mut found = Vec::new();
    compare(expected, actual, "", &mut found);
    (!found.is_empty()).then(|| found.join("; "))
}

fn compare(expected: &Value, actual: &Value, place: &str, found: &mut Vec<String>) {
    match (expected, actual) {
        (Value::Object(wanted), Value::Object(given)) => {
            let names = wanted.keys().chain(
                given
                    .keys()
                    .filter(|name| !wanted.contains_key(*name))
                    .filter(|_| !["/data/headers", "/data/object"].contains(&place)),
            );
            for name in names {
                let of = |fields: &serde_json::Map<String, Value>| {
                    fields.get(name).cloned().unwrap_or_else(|| "(absent)".into())
                };
                compare(&of(wanted), &of(given), &format!("{place}/{name}"), found);
            }
        }
        (Value::Array(wanted), Value::Array(given)) if wanted.len() == given.len() => {
            for (index, (wanted, given)) in wanted.iter().zip(given).enumerate() {
                compare(wanted, given, &format!("{place}/{index}"), found);
            }
        }
        _ if expected == actual => {}
        _ => found.push(format!("{place} is {actual}, not {expected}")),
    }
}

/// Headers by name: their order among each other says nothing, that of one name's values does.
fn by_name(headers: &[(String, String)]) -> BTreeMap<&str, Vec<&str>> {
    let mut by_name: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for (name, value) in headers {
        by_name.entry(name).or_default().push(value);
    }
    by_name
}
