//! A neutral event as JSON, every field of it, so that an expectation can be written out in a file.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use futures::FutureExt as _;
use nephos_core::Event;
use nephos_core::event::{
    Attributes, BufferedRequest, Change, Data, Mailbox, Message, Notification, ObjectEvent, Payload, Record,
    RecordFailure, Request,
};
use nephos_core::handler::PathParams;
use serde_json::{Value, json};

pub(super) fn event(event: Event) -> Result<Value, String> {
    let Attributes {
        id,
        source,
        ty,
        subject,
        time,
        extensions,
    } = event.attributes;
    // What has no id and time of its own gets new ones each time it is read.
    let is_new = time.is_some_and(is_now);
    let undecodable: Vec<Value> = event.undecodable.iter().map(failure).collect();
    Ok(json!({
        "id": (!is_new).then_some(id),
        "source": source,
        "type": ty,
        "subject": subject,
        "time": time.filter(|_| !is_new),
        "extensions": extensions,
        "data": data(event.data)?,
        "undecodable": undecodable,
    }))
}

/// A body in memory is read without waiting.
fn read(request: Request) -> Result<BufferedRequest, String> {
    let read = BufferedRequest::read(request, 1 << 20).now_or_never();
    let read = read.ok_or("the request's body is not in memory")?;
    read.map_err(|error| error.chain())
}

/// Whether it was made while this test ran.
fn is_now(time: DateTime<Utc>) -> bool {
    (Utc::now() - time).num_seconds().abs() < 60
}

fn failure(failure: &RecordFailure) -> Value {
    json!({"id": failure.id, "kind": failure.error.kind().name(), "error": failure.error.message()})
}

fn data(data: Data) -> Result<Value, String> {
    Ok(match data {
        Data::Http(request) => {
            let request = read(request)?;
            let parts = request.parts;
            let headers: Vec<(String, String)> = parts
                .headers
                .iter()
                .map(|(name, value)| {
                    (
                        name.to_string(),
                        String::from_utf8_lossy(value.as_bytes()).into_owned(),
                    )
                })
                .collect();
            json!({
                "method": parts.method.as_str(),
                "uri": parts.uri.to_string(),
                "version": format!("{:?}", parts.version),
                "headers": headers,
                "params": parts.extensions.get::<PathParams>().cloned().unwrap_or_default().0,
                "body": bytes(&request.body),
            })
        }
        Data::Bucket(ObjectEvent::Created(object)) => json!({"created": object}),
        Data::Bucket(ObjectEvent::Deleted(object)) => json!({"deleted": object}),
        Data::Queue(messages) => messages.into_iter().map(message).collect(),
        Data::Topic(notification) => self::notification(notification),
        Data::Stream(records) => records.into_iter().map(record).collect(),
        Data::Table(changes) => changes.into_iter().map(change).collect(),
        Data::Schedule(tick) => {
            let due_at = (!is_now(tick.due_at)).then_some(tick.due_at);
            json!({"schedule": tick.schedule, "due_at": due_at, "past_due": tick.past_due})
        }
        Data::Email(email) => json!({
            "from": email.envelope.from,
            "to": email.envelope.to,
            "message_id": email.message_id,
            "header_from": mailboxes(&email.from),
            "header_to": mailboxes(&email.to),
            "header_cc": mailboxes(&email.cc),
            "reply_to": mailboxes(&email.reply_to),
            "subject": email.subject,
            "date": email.date,
            "text": email.text,
            "html": email.html,
            "headers": email.headers,
            "attachments": email.attachments.len(),
            "source": bytes(&email.source),
        }),
        Data::Auth(auth) => json!(auth),
        Data::Voice(voice) => json!(voice),
        // The document itself.
        Data::Raw(raw) => json!({"content_type": raw.content_type}),
        other => return Err(format!("a kind without a form: {other:?}")),
    })
}

fn bytes(bytes: &[u8]) -> Value {
    match std::str::from_utf8(bytes) {
        Ok(text) => json!(text),
        Err(_) => json!({"bytes": bytes}),
    }
}

fn payload(payload: &Payload) -> Value {
    json!({"content_type": payload.content_type, "content": bytes(&payload.bytes)})
}

fn mailboxes(mailboxes: &[Mailbox]) -> Vec<(Option<&str>, &str)> {
    mailboxes
        .iter()
        .map(|mailbox| (mailbox.name.as_deref(), mailbox.address.as_str()))
        .collect()
}

fn message(message: Message<Payload>) -> Value {
    let Message {
        id,
        queue,
        body,
        attributes,
        group,
        attempt,
        sent_at,
    } = message;
    json!({"id": id, "queue": queue, "body": payload(&body), "attributes": attributes, "group": group,
        "attempt": attempt, "sent_at": sent_at})
}

fn notification(notification: Notification<Payload>) -> Value {
    let Notification {
        id,
        topic,
        body,
        subject,
        attributes,
        published_at,
    } = notification;
    json!({"id": id, "topic": topic, "body": payload(&body), "subject": subject, "attributes": attributes,
        "published_at": published_at})
}

fn record(record: Record<Payload>) -> Value {
    let Record {
        sequence,
        stream,
        partition_key,
        body,
        attributes,
        appended_at,
    } = record;
    let (attributes, appended_at): (BTreeMap<String, String>, Option<DateTime<Utc>>) =
        (attributes, appended_at);
    json!({"sequence": sequence, "stream": stream, "partition_key": partition_key, "body": payload(&body),
        "attributes": attributes, "appended_at": appended_at})
}

fn change(change: Change<Value>) -> Value {
    let Change {
        sequence,
        table,
        kind,
        key,
        old,
        new,
        at,
    } = change;
    json!({"sequence": sequence, "table": table, "kind": kind, "key": key, "old": old, "new": new, "at": at})
}
