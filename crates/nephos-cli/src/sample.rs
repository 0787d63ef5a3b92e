//! Sample events: one for a function's first trigger that is not HTTP, always the same.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use nephos_core::Event;
use nephos_core::app::{App, ObjectEventKind, Trigger};
use nephos_core::event::{
    Attributes, AuthEvent, Change, ChangeKind, Data, Email, Envelope, Message, Notification, ObjectCreated,
    ObjectDeleted, ObjectEvent, ObjectInfo, Payload, Record, Tick, VoiceRequest, VoiceRequestKind,
    cloudevents as wire,
};
use nephos_core::resource::table::Key;

/// A message for whoever takes mail.
const MAIL: &str = "From: someone@example.net\r\nTo: sample@example.net\r\nSubject: sample\r\n\r\nsample\r\n";

/// The event, or `None` for a function that nothing but HTTP calls.
pub(crate) fn event(app: &App, function: &str) -> Option<Event> {
    let triggers = &app.functions.get(function)?.on;
    let data = triggers.iter().find_map(data)?;
    let ty = wire::type_of(&data).unwrap_or_else(|| "dev.nephos.sample".into());
    let attributes = Attributes::new("command", ty)
        .id("sample")
        .subject(function)
        .time(DateTime::<Utc>::UNIX_EPOCH);
    Some(Event::new(attributes, data))
}

fn body() -> Payload {
    Payload {
        content_type: Some("application/json".to_owned()),
        bytes: "{}".into(),
    }
}

fn data(trigger: &Trigger) -> Option<Data> {
    let at = Some(DateTime::<Utc>::UNIX_EPOCH);
    Some(match trigger {
        Trigger::Http { .. } => return None,
        Trigger::Bucket {
            bucket,
            event,
            prefix,
            suffix,
        } => {
            let info = ObjectInfo::new(bucket, format!("{prefix}sample{suffix}"));
            Data::Bucket(match event {
                ObjectEventKind::Deleted => ObjectEvent::Deleted(ObjectDeleted(info)),
                ObjectEventKind::Created | ObjectEventKind::Any => ObjectEvent::Created(ObjectCreated(info)),
            })
        }
        Trigger::Queue { queue, .. } => Data::Queue(vec![Message {
            id: "sample".to_owned(),
            queue: queue.clone(),
            body: body(),
            attributes: BTreeMap::new(),
            group: None,
            attempt: 1,
            sent_at: at,
        }]),
        Trigger::Topic { topic, filter } => Data::Topic(Notification {
            id: "sample".to_owned(),
            topic: topic.clone(),
            body: body(),
            subject: None,
            attributes: filter.clone(),
            published_at: at,
        }),
        Trigger::Stream { stream, .. } => Data::Stream(vec![Record {
            sequence: "sample".to_owned(),
            stream: stream.clone(),
            partition_key: "sample".to_owned(),
            body: body(),
            attributes: BTreeMap::new(),
            appended_at: at,
        }]),
        Trigger::Table { table, events, .. } => Data::Table(vec![change(table, events, at)]),
        Trigger::Schedule { schedule, .. } => Data::Schedule(Tick {
            schedule: schedule.clone(),
            due_at: DateTime::<Utc>::UNIX_EPOCH,
            past_due: false,
        }),
        Trigger::Email { address } => {
            let envelope = Envelope {
                from: "someone@example.net".to_owned(),
                to: vec![address.replace('*', "sample")],
            };
            Data::Email(Box::new(Email::parse(envelope, MAIL.into()).ok()?))
        }
        Trigger::Auth { stage } => Data::Auth(Box::new(AuthEvent {
            stage: stage.clone(),
            directory: "sample".to_owned(),
            client: None,
            user: Some("sample".to_owned()),
            email: Some("sample@example.net".to_owned()),
            attributes: BTreeMap::new(),
            client_data: BTreeMap::new(),
        })),
        Trigger::Voice { skill } => Data::Voice(Box::new(VoiceRequest {
            id: "sample".to_owned(),
            skill: skill.clone(),
            request: VoiceRequestKind::Launch,
            locale: "en-GB".to_owned(),
            user: None,
            session: None,
            new_session: true,
            attributes: BTreeMap::new(),
        })),
    })
}

fn change(
    table: &str,
    events: &BTreeSet<ChangeKind>,
    at: Option<DateTime<Utc>>,
) -> Change<serde_json::Value> {
    let kind = events.first().copied().unwrap_or(ChangeKind::Inserted);
    let item = serde_json::json!({});
    Change {
        sequence: "sample".to_owned(),
        table: table.to_owned(),
        kind,
        key: Key::new("sample"),
        old: (kind != ChangeKind::Inserted).then(|| item.clone()),
        new: (kind != ChangeKind::Removed).then_some(item),
        at,
    }
}
