//! Each kind goes to CloudEvents JSON and comes back the same; what is damaged is an error and never a panic.

mod any;
mod damaged;

use proptest::prelude::*;

use super::*;
use crate::event::{Body, BufferedRequest, Message, Payload, Raw, Request};
use crate::handler::PathParams;

/// Over the wire and back.
fn sent(events: &[CloudEvent]) -> Event {
    let json = serde_json::to_vec(events).unwrap();
    from_cloudevents(serde_json::from_slice(&json).unwrap()).unwrap()
}

/// Through the wire's JSON, and handed over in memory.
fn both_ways(event: &Event) {
    let written = to_cloudevents(event).unwrap();
    for read in [sent(&written), from_cloudevents(written).unwrap()] {
        assert_eq!(format!("{:?}", read.data), format!("{:?}", event.data));
        assert_eq!(read.attributes, event.attributes);
        assert!(read.undecodable.is_empty());
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn messages_come_back(messages in prop::collection::vec(any::message(), 1..4)) {
        both_ways(&Event::of(Data::Queue(messages)));
    }

    #[test]
    fn records_come_back(records in prop::collection::vec(any::record(), 1..4)) {
        both_ways(&Event::of(Data::Stream(records)));
    }

    #[test]
    fn changes_come_back(changes in prop::collection::vec(any::change(), 1..4)) {
        both_ways(&Event::of(Data::Table(changes)));
    }

    #[test]
    fn a_batch_keeps_attributes_of_its_own(
        messages in prop::collection::vec(any::message(), 1..3),
        attributes in any::attributes("dev.nephos.queue.message"),
    ) {
        both_ways(&Event::new(attributes, Data::Queue(messages)));
    }

    #[test]
    fn notifications_come_back(
        notification in any::notification(),
        attributes in any::attributes(TOPIC_NOTIFICATION),
    ) {
        both_ways(&Event::of(Data::Topic(notification.clone())));
        both_ways(&Event::new(attributes, Data::Topic(notification)));
    }

    #[test]
    fn objects_ticks_auth_and_voice_come_back(data in any::structured()) {
        both_ways(&Event::of(data));
    }

    #[test]
    fn raw_events_come_back(raw in any::payload(), attributes in any::attributes("com.example.thing")) {
        both_ways(&Event::new(attributes, Data::Raw(Raw::from(raw))));
    }

    #[test]
    fn requests_come_back(request in any::request()) {
        let attributes = Attributes::new("http", HTTP_REQUEST);
        let written = request_to_cloudevent(&attributes, &request).unwrap();
        let read = sent(&[written]);
        assert_eq!(read.attributes, attributes);
        let Data::Http(received) = read.data else { panic!("not a request") };
        assert_eq!(received.extensions().get::<PathParams>(), request.parts.extensions.get());
        let received = tokio::runtime::Builder::new_current_thread()
            .build()
            .unwrap()
            .block_on(BufferedRequest::read(received, 1 << 20))
            .unwrap();
        assert_eq!(received.body, request.body);
        assert_eq!(
            (received.parts.method, received.parts.uri, received.parts.version, received.parts.headers),
            (request.parts.method, request.parts.uri, request.parts.version, request.parts.headers)
        );
    }
}

#[cfg(feature = "email")]
#[test]
fn mail_comes_back() {
    use crate::event::{Email, Envelope};
    let source = &b"From: Ann <ann@example.net>\r\nSubject: hi\r\n\r\nGr\xfc\xdfe\r\n"[..];
    let envelope = Envelope {
        from: String::new(),
        to: vec!["gate@example.net".to_owned()],
    };
    let email = Email::parse(envelope, source.into()).unwrap();
    both_ways(&Event::of(Data::Email(Box::new(email))));
}

#[cfg(not(feature = "email"))]
#[test]
fn mail_without_the_feature_names_the_feature() {
    let event = Event::of(Data::Email(Box::default()));
    let error = from_cloudevents(to_cloudevents(&event).unwrap()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported);
    assert!(error.to_string().contains("feature `email`"), "{error}");
}

#[test]
fn a_message_looks_as_documented() {
    let message = Message {
        id: "m-1".to_owned(),
        queue: "orders".to_owned(),
        body: Payload::json(&serde_json::json!({"id": 7})).unwrap(),
        attributes: [("tenant".to_owned(), "a".to_owned())].into(),
        group: Some("g".to_owned()),
        attempt: 2,
        sent_at: chrono::DateTime::from_timestamp(0, 0),
    };
    let written = to_cloudevents(&Event::of(Data::Queue(vec![message]))).unwrap();
    assert_eq!(
        serde_json::to_value(&written[0]).unwrap(),
        serde_json::json!({
            "specversion": "1.0",
            "type": "dev.nephos.queue.message",
            "source": "queue/orders",
            "id": "m-1",
            "time": "1970-01-01T00:00:00Z",
            "datacontenttype": "text/plain; charset=utf-8",
            "bodytype": "application/json",
            "data": "{\"id\":7}",
            "partitionkey": "g",
            "attempt": 2,
            "attributes": "{\"tenant\":\"a\"}",
        })
    );
}

#[test]
fn json_data_of_another_sender_is_a_json_body() {
    let foreign = serde_json::json!([{
        "specversion": "1.0", "type": QUEUE_MESSAGE, "source": "https://broker.example/q", "id": "1",
        "datacontenttype": "application/json", "data": {"id": 7}, "priority": 5,
    }]);
    let event = from_cloudevents(serde_json::from_value(foreign).unwrap()).unwrap();
    assert_eq!(event.attributes.extensions["priority"], "5");
    let Data::Queue(messages) = event.data else {
        panic!("not a message");
    };
    assert_eq!(messages[0].queue, "https://broker.example/q");
    assert_eq!(
        (messages[0].body.content_type.as_deref(), messages[0].attempt),
        (Some("application/json"), 1)
    );
    assert_eq!(messages[0].body.bytes, "{\"id\":7}");
}

#[test]
fn a_data_schema_is_not_lost() {
    let foreign = serde_json::json!([{
        "specversion": "1.0", "type": "com.example.thing", "source": "/x", "id": "1",
        "dataschema": "https://example.com/schema", "data": {"id": 7},
    }]);
    let event = from_cloudevents(serde_json::from_value(foreign).unwrap()).unwrap();
    assert_eq!(
        event.attributes.extensions["dataschema"],
        "https://example.com/schema"
    );
    both_ways(&event);
}

#[test]
fn types_and_kinds_agree() {
    for ty in [
        BUCKET_CREATED,
        BUCKET_DELETED,
        QUEUE_MESSAGE,
        TOPIC_NOTIFICATION,
        STREAM_RECORD,
        TABLE_INSERTED,
        TABLE_MODIFIED,
        TABLE_REMOVED,
        SCHEDULE_TICK,
        EMAIL_RECEIVED,
        VOICE_REQUEST,
        HTTP_REQUEST,
        "dev.nephos.auth.before_token",
    ] {
        let kind = kind_of(ty);
        assert!(ty.contains(kind.name()), "{ty} is of kind {kind}");
    }
    assert_eq!(kind_of("com.example"), TriggerKind::Raw);
}

#[test]
fn a_streaming_request_is_refused_with_the_way_out() {
    let event = Event::of(Data::Http(Request::new(Body::empty())));
    let error = to_cloudevents(&event).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported);
    assert!(error.to_string().contains("request_to_cloudevent"), "{error}");
}

#[test]
fn attributes_that_the_standard_forbids_are_refused() {
    let raw = |attributes: Attributes| to_cloudevents(&Event::new(attributes, Data::Raw(Raw::default())));
    for name in ["id", "Tenant", "tenant_id", "", "bodytype"] {
        let mut attributes = Attributes::new("/x", "com.example");
        attributes.extensions.insert(name.into(), "v".to_owned());
        assert_eq!(
            raw(attributes).unwrap_err().kind(),
            ErrorKind::InvalidArgument,
            "{name}"
        );
    }
    assert!(raw(Attributes::new("", "com.example")).is_err());
    let late = chrono::DateTime::from_timestamp(300_000_000_000, 0).unwrap();
    assert!(raw(Attributes::new("/x", "com.example").time(late)).is_err());
    assert!(raw(Attributes::new("/x", QUEUE_MESSAGE)).is_err());
}
