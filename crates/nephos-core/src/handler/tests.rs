//! Each event type takes what fits it, and what a handler returns becomes an outcome.

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::*;
use crate::error::{Error, ErrorKind};
use crate::event::{
    AuthDecision, AuthEvent, AuthStage, Batch, Body, BufferedRequest, Change, ChangeKind, Data, Email,
    Message, Notification, ObjectCreated, ObjectDeleted, ObjectEvent, ObjectInfo, Payload, Raw, Record,
    Response, Tick, VoiceRequest, VoiceRequestKind, VoiceResponse,
};
use crate::resource::table::Key;

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Order {
    id: String,
}

fn order() -> Payload {
    Payload::json(&Order { id: "a-1".to_owned() }).unwrap()
}

async fn call<Args, H: Handler<Args>>(handler: H, data: Data) -> Outcome {
    let cx = Context::builder("test").build();
    Function::new("test", handler).dispatch(Event::of(data), cx).await
}

fn acked(outcome: &Outcome) {
    assert!(matches!(outcome, Outcome::Ack), "{outcome:?}");
}

fn message(body: Payload) -> Message<Payload> {
    Message {
        id: "m".to_owned(),
        queue: "orders".to_owned(),
        body,
        attributes: [("k".to_owned(), "v".to_owned())].into(),
        group: Some("g".to_owned()),
        attempt: 2,
        sent_at: None,
    }
}

#[tokio::test]
async fn a_message_arrives_with_its_body_as_type_text_or_bytes() {
    acked(
        &call(
            |message: Message<Order>| async move {
                assert_eq!(message.body.id, "a-1");
                assert_eq!(
                    (message.attributes["k"].as_str(), message.group.as_deref()),
                    ("v", Some("g"))
                );
            },
            Data::Queue(vec![message(order())]),
        )
        .await,
    );
    acked(
        &call(
            |message: Message<String>| async move { assert_eq!(message.body, r#"{"id":"a-1"}"#) },
            Data::Queue(vec![message(order())]),
        )
        .await,
    );
    acked(
        &call(
            |message: Message<Bytes>| async move { assert_eq!(message.body, vec![0xff, 0x00]) },
            Data::Queue(vec![message(Payload::bytes(vec![0xff, 0x00]))]),
        )
        .await,
    );
}

#[tokio::test]
async fn records_notifications_and_changes_arrive_typed() {
    let record = Record {
        sequence: "7".to_owned(),
        stream: "clicks".to_owned(),
        partition_key: "ann".to_owned(),
        body: order(),
        attributes: BTreeMap::new(),
        appended_at: None,
    };
    acked(
        &call(
            |records: Batch<Record<Order>>| async move {
                assert_eq!((records.len(), records[0].partition_key.as_str()), (1, "ann"));
            },
            Data::Stream(vec![record]),
        )
        .await,
    );
    let notification = Notification {
        id: "n".to_owned(),
        topic: "news".to_owned(),
        body: order(),
        subject: Some("s".to_owned()),
        attributes: BTreeMap::new(),
        published_at: None,
    };
    acked(
        &call(
            |notification: Notification<Order>| async move {
                assert_eq!(
                    (notification.body.id.as_str(), notification.subject.as_deref()),
                    ("a-1", Some("s"))
                );
            },
            Data::Topic(notification),
        )
        .await,
    );
    let change = Change {
        sequence: "1".to_owned(),
        table: "orders".to_owned(),
        kind: ChangeKind::Removed,
        key: Key::new("a-1"),
        old: Some(serde_json::json!({"id": "a-1"})),
        new: None,
        at: None,
    };
    acked(
        &call(
            |change: Change<Order>| async move {
                assert_eq!((change.old.unwrap().id.as_str(), change.new), ("a-1", None));
            },
            Data::Table(vec![change]),
        )
        .await,
    );
}

#[tokio::test]
async fn a_changed_item_that_does_not_fit_names_image_and_field() {
    let change = Change {
        sequence: "1".to_owned(),
        table: "orders".to_owned(),
        kind: ChangeKind::Inserted,
        key: Key::new("a-1"),
        old: None,
        new: Some(serde_json::json!({"id": 7})),
        at: None,
    };
    let outcome = call(|_: Change<Order>| async {}, Data::Table(vec![change])).await;
    let Outcome::Batch(batch) = outcome else {
        panic!("{outcome:?}");
    };
    let error = &batch.failures()[0].error;
    assert_eq!(error.kind(), ErrorKind::Decode);
    assert!(error.to_string().contains("image=new, field=id"), "{error}");
}

#[tokio::test]
async fn objects_created_and_deleted_are_told_apart() {
    let created = || Data::Bucket(ObjectEvent::Created(ObjectCreated(ObjectInfo::new("b", "k"))));
    acked(
        &call(
            |object: ObjectCreated| async move { assert_eq!(object.key, "k") },
            created(),
        )
        .await,
    );
    acked(
        &call(
            |event: ObjectEvent| async move { assert_eq!(event.object().key, "k") },
            created(),
        )
        .await,
    );
    let outcome = call(|_: ObjectDeleted| async {}, created()).await;
    let text = outcome.error().unwrap().to_string();
    assert!(
        text.contains("event=dev.nephos.bucket.object.created") && text.contains("ObjectDeleted"),
        "{text}"
    );
}

#[tokio::test]
async fn ticks_mail_and_raw_bytes_arrive() {
    let tick = Tick {
        schedule: "every 1 minute".to_owned(),
        due_at: chrono::Utc::now(),
        past_due: true,
    };
    acked(
        &call(
            |tick: Tick| async move { assert!(tick.past_due) },
            Data::Schedule(tick),
        )
        .await,
    );
    acked(
        &call(
            |email: Email| async move { assert_eq!(email.subject, "hi") },
            Data::Email(Box::new(Email {
                subject: "hi".to_owned(),
                ..Email::default()
            })),
        )
        .await,
    );
    acked(
        &call(
            |raw: Raw| async move { assert_eq!(raw.bytes, "{}") },
            Data::Raw(Raw::json("{}")),
        )
        .await,
    );
}

#[tokio::test]
async fn a_raw_handler_takes_any_event_of_which_the_bytes_were_kept() {
    let function = Function::new("raw", |raw: Raw| async move { Ok::<_, Error>(raw.bytes.len()) });
    let event = Event::of(Data::Queue(vec![message(order())])).with_raw(Raw::json("{\"Records\":[]}"));
    let cx = Context::builder("raw").build();
    let outcome = function.dispatch(event, cx).await;
    let Outcome::Data(payload) = outcome else {
        panic!("{outcome:?}");
    };
    assert_eq!(payload.bytes, "14");
}

#[tokio::test]
async fn auth_and_voice_are_answered() {
    let auth = AuthEvent {
        stage: AuthStage::BeforeToken,
        directory: String::new(),
        client: None,
        user: None,
        email: None,
        attributes: BTreeMap::new(),
        client_data: BTreeMap::new(),
    };
    let outcome = call(
        |auth: AuthEvent| async move {
            assert_eq!(auth.stage, AuthStage::BeforeToken);
            AuthDecision::allow().claim("role", "guest")
        },
        Data::Auth(Box::new(auth)),
    )
    .await;
    assert!(
        matches!(&outcome, Outcome::Auth(decision) if decision.claims["role"] == "guest"),
        "{outcome:?}"
    );
    let voice = VoiceRequest {
        id: "v".to_owned(),
        skill: "s".to_owned(),
        request: VoiceRequestKind::Launch,
        locale: String::new(),
        user: None,
        session: None,
        new_session: true,
        attributes: BTreeMap::new(),
    };
    let outcome = call(
        |_: VoiceRequest| async { Ok::<_, Error>(VoiceResponse::tell("hello")) },
        Data::Voice(Box::new(voice)),
    )
    .await;
    assert!(
        matches!(&outcome, Outcome::Voice(response) if response.speech.as_deref() == Some("hello")),
        "{outcome:?}"
    );
}

async fn read(outcome: Outcome) -> (u16, String, serde_json::Value) {
    let Outcome::Http(response) = outcome else {
        panic!("{outcome:?}");
    };
    let (parts, body): (_, Body) = Response::into_parts(response);
    let read = BufferedRequest::read(Request::new(body), 1 << 20).await.unwrap();
    let content_type = parts
        .headers
        .get("content-type")
        .map(|value| value.to_str().unwrap().to_owned());
    (
        parts.status.as_u16(),
        content_type.unwrap_or_default(),
        read.json()
            .unwrap_or_else(|_| String::from_utf8(read.body.to_vec()).unwrap().into()),
    )
}

#[tokio::test]
async fn a_whole_router_is_a_function_and_reaches_its_context() {
    use axum::extract::Path;
    use axum::routing::get;
    use axum::{Extension, Router};

    let router = Router::new().route(
        "/orders/{id}",
        get(
            |Path(id): Path<String>, Extension(cx): Extension<Context>| async move {
                format!("{id} on attempt {}", cx.attempt())
            },
        ),
    );
    let function = Function::service("orders", router);
    assert_eq!(function.info().trigger, Some(TriggerKind::Http));
    for (path, expected) in [("/orders/7", (200, "7 on attempt 3")), ("/", (404, ""))] {
        let mut request = Request::new(Body::empty());
        *request.uri_mut() = path.parse().unwrap();
        let cx = Context::builder("orders").attempt(3).build();
        let outcome = function.dispatch(Event::of(Data::Http(request)), cx).await;
        let (status, _, body) = read(outcome).await;
        assert_eq!((status, body.as_str().unwrap()), expected);
    }
}

#[tokio::test]
async fn an_http_error_is_problem_details_and_a_servers_reason_stays_inside() {
    let answer = |error: fn() -> Error| async move {
        let handler = move |_: Request| async move { Err::<String, _>(error()) };
        read(call(handler, Data::Http(Request::new(Body::empty()))).await).await
    };
    let (status, content_type, body) =
        answer(|| Error::reject("an order needs an id").with("internal", "x")).await;
    assert_eq!((status, content_type.as_str()), (422, "application/problem+json"));
    assert_eq!(
        body,
        serde_json::json!({
            "type": "about:blank", "title": "Unprocessable Entity", "status": 422, "detail": "an order needs an id"
        })
    );
    let (status, _, body) = answer(|| {
        Error::new(ErrorKind::Internal, "db", "the password of db-7 is wrong")
            .caused_by(std::io::Error::other("secret host"))
    })
    .await;
    assert_eq!(status, 500);
    assert_eq!(body["detail"], serde_json::Value::Null);
    let text = body.to_string();
    assert!(!text.contains("password") && !text.contains("secret"), "{text}");
}

#[tokio::test]
async fn a_body_that_is_too_long_is_the_callers_mistake() {
    let handler = |request: Request| async move {
        let body = BufferedRequest::read(request, 3).await?;
        Ok::<_, Error>(body.body)
    };
    let (status, ..) = read(call(handler, Data::Http(Request::new(Body::from("four")))).await).await;
    assert_eq!(status, 413);
}

#[tokio::test]
async fn what_a_direct_invocation_returns_is_its_data_and_nothing_is_done() {
    let data = || Data::Raw(Raw::json("1"));
    acked(&call(|_: Raw| async { Ok::<_, Error>(()) }, data()).await);
    let outcome = call(
        |_: Event| async { Ok::<_, Error>(Order { id: "x".to_owned() }) },
        data(),
    )
    .await;
    assert!(
        matches!(&outcome, Outcome::Data(payload) if payload.bytes == r#"{"id":"x"}"#),
        "{outcome:?}"
    );
    let outcome = call(
        |_: Event| async { Err::<(), _>(std::io::Error::other("gone")) },
        data(),
    )
    .await;
    assert_eq!(outcome.error().unwrap().kind(), ErrorKind::Handler);
}

#[test]
fn a_function_tells_what_it_takes() {
    async fn fulfil(_batch: Batch<Message<Order>>) {}
    let function = Function::new("fulfil", fulfil).at("src/main.rs:3");
    let info = function.info();
    assert_eq!(
        (
            info.name.as_str(),
            info.trigger,
            info.shape,
            info.location.as_deref()
        ),
        (
            "fulfil",
            Some(TriggerKind::Queue),
            Shape::Batch,
            Some("src/main.rs:3")
        )
    );
    assert!(info.event_type.contains("Order"), "{}", info.event_type);
    let json = serde_json::to_string(info).unwrap();
    assert_eq!(&serde_json::from_str::<FunctionInfo>(&json).unwrap(), info);
}
