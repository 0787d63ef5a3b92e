//! Damaged input: a bad record fails alone, and no bytes make a panic.

use serde_json::{Value, json};

use super::super::{
    BUCKET_CREATED, EMAIL_RECEIVED, HTTP_REQUEST, QUEUE_MESSAGE, SCHEDULE_TICK, STREAM_RECORD,
    TABLE_INSERTED, TOPIC_NOTIFICATION, VOICE_REQUEST, from_cloudevents,
};
use crate::error::{Disposition, ErrorKind};
use crate::event::{Data, Event};

fn read(events: Value) -> crate::Result<Event> {
    from_cloudevents(serde_json::from_value(events).unwrap())
}

fn event(ty: &str, id: &str, rest: &Value) -> Value {
    let mut event = json!({"specversion": "1.0", "type": ty, "source": "table/faces", "id": id});
    event
        .as_object_mut()
        .unwrap()
        .extend(rest.as_object().unwrap().clone());
    event
}

fn bad_ids(event: &Event) -> Vec<&str> {
    event
        .undecodable
        .iter()
        .map(|failure| {
            assert_eq!(failure.error.disposition(), Disposition::Reject);
            failure.id.as_str()
        })
        .collect()
}

#[test]
fn a_step_that_type_and_data_name_differently_is_refused() {
    let of = |ty: &str| {
        read(json!([event(
            ty,
            "1",
            &json!({"data": {"stage": "before_token"}})
        )]))
    };
    assert!(of("dev.nephos.auth.before_token").is_ok());
    let error = of("dev.nephos.auth.after_sign_in").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Decode);
    assert!(error.to_string().contains("stage=before_token"), "{error}");
}

#[test]
fn a_bad_record_fails_alone_under_its_id() {
    let good = json!({"data": {"key": {"partition": "a"}, "new": {"face_id": "a"}}});
    let event = read(json!([
        event(TABLE_INSERTED, "1", &good),
        event(TABLE_INSERTED, "2", &json!({"data": {"new": {}}})),
        event(
            TABLE_INSERTED,
            "3",
            &json!({"data": "text", "datacontenttype": "text/plain"})
        ),
        event(
            TABLE_INSERTED,
            "4",
            &json!({"data": "x", "sequence": "four", "datacontenttype": "text/plain"})
        ),
        event(QUEUE_MESSAGE, "5", &json!({})),
        event(TABLE_INSERTED, "6", &good),
    ]))
    .unwrap();
    assert_eq!(event.record_ids(), ["1", "6"]);
    assert_eq!(bad_ids(&event), ["2", "3", "four", "5"]);
}

#[test]
fn a_message_with_an_impossible_attempt_or_attributes_fails_alone() {
    let event = read(json!([
        event(QUEUE_MESSAGE, "1", &json!({"attempt": 0})),
        event(QUEUE_MESSAGE, "2", &json!({"attempt": "many"})),
        event(QUEUE_MESSAGE, "3", &json!({"attributes": "[1]"})),
        event(QUEUE_MESSAGE, "4", &json!({})),
    ]))
    .unwrap();
    assert_eq!(event.record_ids(), ["4"]);
    assert_eq!(bad_ids(&event), ["1", "2", "3"]);
}

#[test]
fn none_and_several_of_a_single_kind_are_errors() {
    let tick = event(SCHEDULE_TICK, "1", &json!({}));
    for events in [json!([]), json!([tick, tick])] {
        assert_eq!(read(events).unwrap_err().kind(), ErrorKind::Decode);
    }
}

#[test]
fn unreadable_batch_attributes_do_not_lose_the_records() {
    let event = read(json!([event(QUEUE_MESSAGE, "1", &json!({"batch": "{"}))])).unwrap();
    assert_eq!(
        (event.record_ids(), event.attributes.id.as_str()),
        (vec!["1"], "1")
    );
}

#[test]
fn a_request_that_is_none_is_an_error() {
    for (name, value) in [
        ("method", "G T"),
        ("uri", "http://["),
        ("headers", "[[\"a b\",\"c\"]]"),
        ("headers", "[[\"a\",\"\u{20ac}\"]]"),
        ("headers", "{"),
        ("pathparams", "7"),
    ] {
        let error = read(json!([event(HTTP_REQUEST, "1", &json!({name: value}))])).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Decode, "{name}={value}");
    }
}

#[test]
fn a_text_cut_off_at_any_byte_is_never_a_panic() {
    let data = json!({
        "bucket": "b", "key": "k", "schedule": "s", "due_at": "2026-01-01T00:00:00Z", "stage": "before_token",
        "id": "1", "skill": "s", "request": {"type": "launch"},
    })
    .to_string();
    for ty in [
        BUCKET_CREATED,
        QUEUE_MESSAGE,
        TOPIC_NOTIFICATION,
        STREAM_RECORD,
        TABLE_INSERTED,
        SCHEDULE_TICK,
        EMAIL_RECEIVED,
        VOICE_REQUEST,
        HTTP_REQUEST,
        "dev.nephos.auth.before_token",
        "com.example",
    ] {
        for end in 0..=data.len() {
            let part = json!({"data": data[..end], "datacontenttype": "text/plain"});
            // Whether it can be read depends on the kind; that it comes back is what counts.
            let _ = read(json!([event(ty, "1", &part)]));
        }
    }
    let whole = event(
        BUCKET_CREATED,
        "1",
        &json!({"data": data, "datacontenttype": "text/plain"}),
    );
    let read = read(json!([whole])).unwrap();
    assert!(matches!(read.data, Data::Bucket(_)));
}
