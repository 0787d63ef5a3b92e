//! Tests of the codec: there and back, damaged deliveries, damaged answers.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Request, StatusCode};
use http_body_util::BodyExt as _;
use nephos_core::event::{
    AuthDecision, Body, Change, ChangeKind, Data, Message, ObjectCreated, ObjectEvent, ObjectInfo, Payload,
    Record, Tick, VoiceResponse,
};
use nephos_core::handler::PathParams;
use nephos_core::resource::table::Key;
use nephos_core::{BatchOutcome, Error, ErrorKind, Event, Outcome, Result, TraceContext, TriggerKind};
use proptest::prelude::*;

use super::{decode_delivery, decode_http, decode_outcome, encode_delivery, encode_http, encode_outcome};
use crate::wire::{EVENT_BATCH_JSON, Meta, OUTCOME, OutcomeKind};

fn meta() -> Meta {
    Meta {
        invocation_id: "i-1".to_owned(),
        timeout: Duration::from_secs(3),
        attempt: 2,
        trace: TraceContext::default(),
    }
}

fn message(id: &str, body: Payload) -> Message<Payload> {
    Message {
        id: id.to_owned(),
        queue: "orders".to_owned(),
        body,
        attributes: BTreeMap::from([("colour".to_owned(), "blau".to_owned())]),
        group: Some("g".to_owned()),
        attempt: 2,
        sent_at: None,
    }
}

fn there_and_back(event: &Event) -> Event {
    let request = encode_delivery(event, &meta()).unwrap();
    assert_eq!(Meta::read(request.headers()).unwrap(), meta());
    let (parts, body) = request.into_parts();
    let back = decode_delivery(&parts.headers, body.clone()).unwrap();
    assert_eq!(back.raw.as_ref().map(|raw| &raw.bytes), Some(&body));
    back
}

fn changes() -> Vec<Change<serde_json::Value>> {
    vec![Change {
        sequence: "12".to_owned(),
        table: "faces".to_owned(),
        kind: ChangeKind::Modified,
        key: Key::sorted("ann", "2026"),
        old: Some(serde_json::json!({"id": "ann", "n": 1})),
        new: Some(serde_json::json!({"id": "ann", "n": 2})),
        at: None,
    }]
}

#[test]
fn events_with_and_without_records_come_over_whole() {
    let messages = vec![
        message("a", Payload::text("hé")),
        message("b", Payload::bytes(vec![0, 255])),
    ];
    let back = there_and_back(&Event::of(Data::Queue(messages.clone())));
    let Data::Queue(received) = back.data else {
        panic!("{:?}", back.data)
    };
    assert_eq!(received, messages);

    let back = there_and_back(&Event::of(Data::Table(changes())));
    let Data::Table(received) = back.data else {
        panic!("{:?}", back.data)
    };
    assert_eq!(received, changes());

    let created = ObjectEvent::Created(ObjectCreated(ObjectInfo::new("snapshots", "a b/ü.jpg")));
    let event = Event::of(Data::Bucket(created.clone()));
    let back = there_and_back(&event);
    assert_eq!(back.attributes, event.attributes);
    let Data::Bucket(received) = back.data else {
        panic!("{:?}", back.data)
    };
    assert_eq!(received, created);
}

#[test]
fn a_damaged_record_with_an_id_fails_alone() {
    let event = Event::of(Data::Queue(vec![
        message("a", "1".into()),
        message("b", "2".into()),
    ]));
    let (parts, body) = encode_delivery(&event, &meta()).unwrap().into_parts();
    let mut json: serde_json::Value = serde_json::from_slice(&body).unwrap();
    json[0].as_object_mut().unwrap().remove("specversion");
    let event = decode_delivery(&parts.headers, json.to_string().into()).unwrap();
    assert_eq!(event.record_ids(), ["b"]);
    assert_eq!(event.undecodable.len(), 1);
    assert_eq!(event.undecodable[0].id, "a");

    json[0].as_object_mut().unwrap().remove("id");
    let error = decode_delivery(&parts.headers, json.to_string().into()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Decode);
}

#[test]
fn a_delivery_cut_at_any_byte_is_an_error_and_not_a_panic() {
    let tick = Tick {
        schedule: "every 5 minutes".to_owned(),
        due_at: chrono::DateTime::UNIX_EPOCH,
        past_due: true,
    };
    for event in [
        Event::of(Data::Table(changes())),
        Event::of(Data::Schedule(tick)),
        Event::of(Data::Queue(vec![message("a", "ü".into())])),
    ] {
        let (parts, body) = encode_delivery(&event, &meta()).unwrap().into_parts();
        for end in 0..body.len() {
            let error = decode_delivery(&parts.headers, body.slice(..end)).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Decode, "cut at {end}");
        }
        assert!(decode_delivery(&parts.headers, body).is_ok());
    }
}

#[test]
fn a_delivery_that_is_no_event_says_so() {
    let error = decode_delivery(&HeaderMap::new(), Bytes::from_static(b"{}")).unwrap_err();
    assert!(error.to_string().contains("content type"), "{error}");
    let mut headers = HeaderMap::new();
    headers.insert("content-type", HeaderValue::from_static(EVENT_BATCH_JSON));
    let error = decode_delivery(&headers, Bytes::from_static(b"[]")).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Decode);
}

#[test]
fn an_http_request_is_the_clients_own_and_the_hosts_headers_are_not_in_it() {
    let params = PathParams([("id".to_owned(), "7/ü".to_owned())].into());
    let mut request = Request::post("/orders/7?x=1")
        .header("nephos-attempt", "99")
        .header("accept", "text/html")
        .body(Body::from("hi"))
        .unwrap();
    encode_http(request.headers_mut(), &meta(), &params).unwrap();
    let (event, read) = decode_http(request).unwrap();
    assert_eq!(read, meta());
    assert_eq!(event.kind(), TriggerKind::Http);
    let Data::Http(request) = event.data else {
        panic!("{:?}", event.data)
    };
    assert_eq!(request.uri(), "/orders/7?x=1");
    assert_eq!(request.headers().len(), 1);
    assert_eq!(request.extensions().get::<PathParams>(), Some(&params));
}

async fn answer(outcome: Outcome, ids: &[&str]) -> Result<Outcome> {
    let (parts, body) = encode_outcome(outcome).into_parts();
    let bytes = body.collect().await.unwrap().to_bytes();
    decode_outcome(parts, bytes, ids)
}

#[tokio::test]
async fn every_outcome_comes_over_whole() {
    assert!(matches!(answer(Outcome::Ack, &[]).await, Ok(Outcome::Ack)));

    let error = Error::reject("no such article")
        .with("article", 7)
        .caused_by("gone");
    let text = format!("{error:?}");
    let back = answer(Outcome::Failed(error), &[]).await.unwrap();
    assert_eq!(format!("{:?}", back.error().unwrap()), text);

    let mut batch = BatchOutcome::new();
    batch.retry("a", "later");
    batch.reject("b", "never");
    let text = format!("{batch:?}");
    let Ok(Outcome::Batch(back)) = answer(Outcome::Batch(batch), &["a", "b", "c"]).await else {
        panic!()
    };
    assert_eq!(format!("{back:?}"), text);

    let decision = AuthDecision::deny("not you").claim("tier", 3);
    let Ok(Outcome::Auth(back)) = answer(Outcome::Auth(Box::new(decision.clone())), &[]).await else {
        panic!()
    };
    assert_eq!(*back, decision);

    let voice = VoiceResponse::ask("who?", "hello?");
    let Ok(Outcome::Voice(back)) = answer(Outcome::Voice(Box::new(voice.clone())), &[]).await else {
        panic!()
    };
    assert_eq!(*back, voice);

    for payload in [
        Payload::text("hé"),
        Payload::default(),
        Payload::bytes(vec![0, 255]),
    ] {
        let Ok(Outcome::Data(back)) = answer(Outcome::Data(payload.clone()), &[]).await else {
            panic!()
        };
        assert_eq!(back, payload);
    }

    let response = http::Response::builder()
        .status(418)
        .header("x-tea", "green")
        .body(Body::from("short"))
        .unwrap();
    let Ok(Outcome::Http(back)) = answer(Outcome::Http(response), &[]).await else {
        panic!()
    };
    assert_eq!(
        (back.status(), back.headers().len()),
        (StatusCode::IM_A_TEAPOT, 1)
    );
}

#[test]
fn the_status_of_a_failure_tells_whether_to_try_again() {
    for (error, status) in [
        (Error::reject("no"), StatusCode::UNPROCESSABLE_ENTITY),
        (Error::retry("later"), StatusCode::INTERNAL_SERVER_ERROR),
        (
            Error::new(ErrorKind::DeadlineExceeded, "handler", "too long"),
            StatusCode::GATEWAY_TIMEOUT,
        ),
    ] {
        let response = encode_outcome(Outcome::Failed(error));
        assert_eq!(response.status(), status);
        assert_eq!(OutcomeKind::of(response.headers()), Some(OutcomeKind::Failed));
    }
}

fn parts(kind: Option<OutcomeKind>) -> http::response::Parts {
    let mut response = http::Response::new(());
    if let Some(kind) = kind {
        response.headers_mut().insert(OUTCOME, kind.value());
    }
    response.into_parts().0
}

#[tokio::test]
async fn a_damaged_answer_fails_the_whole_event_for_another_try() {
    let mut batch = BatchOutcome::new();
    batch.retry("b", "later");
    let (head, body) = encode_outcome(Outcome::Batch(batch)).into_parts();
    let bytes = body.collect().await.unwrap().to_bytes();
    for end in 0..bytes.len() {
        let error = decode_outcome(head.clone(), bytes.slice(..end), &["a", "b"]).unwrap_err();
        assert_eq!(
            error.disposition(),
            nephos_core::Disposition::Retry,
            "cut at {end}"
        );
    }
    assert!(decode_outcome(head.clone(), bytes.clone(), &["a", "b"]).is_ok());

    let error = decode_outcome(head, bytes, &["a", "c"]).unwrap_err();
    assert!(error.to_string().contains("id=b"), "{error}");
    assert_eq!(error.disposition(), nephos_core::Disposition::Retry);

    let error = decode_outcome(parts(None), Bytes::from_static(b"ok"), &["a"]).unwrap_err();
    assert_eq!(error.disposition(), nephos_core::Disposition::Retry);
}

proptest! {
    #[test]
    fn any_bytes_are_read_or_refused_without_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..200), json in "[\\[\\{\\}\\]\":,a-z0-9.]{0,60}") {
        let mut headers = HeaderMap::new();
        headers.insert("content-type", HeaderValue::from_static(EVENT_BATCH_JSON));
        for body in [Bytes::from(bytes), Bytes::from(json)] {
            if let Err(error) = decode_delivery(&headers, body.clone()) {
                prop_assert_eq!(error.kind(), ErrorKind::Decode);
            }
            for kind in [OutcomeKind::Batch, OutcomeKind::Failed, OutcomeKind::Auth, OutcomeKind::Voice] {
                if let Err(error) = decode_outcome(parts(Some(kind)), body.clone(), &["a"]) {
                    prop_assert_eq!(error.kind(), ErrorKind::Internal);
                }
            }
        }
    }

    #[test]
    fn any_record_comes_over_to_the_byte(key in "\\PC{1,12}", body in prop::collection::vec(any::<u8>(), 0..100), attributes in prop::collection::btree_map("\\PC{0,6}", "\\PC{0,6}", 0..3), content_type in prop::option::of("[a-z]{1,6}/[a-z+]{1,8}")) {
        let records = vec![Record {
            sequence: "1".to_owned(),
            stream: "clicks".to_owned(),
            partition_key: key,
            body: Payload { content_type, bytes: body.into() },
            attributes,
            appended_at: None,
        }];
        let back = there_and_back(&Event::of(Data::Stream(records.clone())));
        let Data::Stream(received) = back.data else { return Err(TestCaseError::fail("not a stream")) };
        prop_assert_eq!(received, records);
    }
}
