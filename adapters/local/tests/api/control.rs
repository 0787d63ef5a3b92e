//! The command's way to a running engine.

use std::time::Duration;

use futures::StreamExt as _;
use nephos_core::event::{Attributes, Data, Message, Payload, Raw};
use nephos_core::resource::ResourceKind;
use nephos_core::{Error, ErrorKind, Event, Outcome};
use nephos_local::deploy::api::Remote;
use serde_json::json;

use crate::support::{ADMIN, Api};

fn raw(text: &'static str) -> Event {
    let raw = Raw {
        content_type: Some("text/plain".into()),
        bytes: text.into(),
    };
    Event::new(Attributes::new("test", "com.example.thing"), Data::Raw(raw))
}

fn messages() -> Event {
    let message = |id: &str| Message {
        id: id.to_owned(),
        queue: "orders".to_owned(),
        body: Payload::text("x"),
        attributes: Default::default(),
        group: None,
        attempt: 1,
        sent_at: None,
    };
    Event::of(Data::Queue(vec![message("a"), message("b")]))
}

#[tokio::test]
async fn the_engine_tells_its_state_and_its_resources() {
    let api = Api::start().await;
    let remote = Remote::new(&api.base(), ADMIN).unwrap();
    assert_eq!(remote.status().await.unwrap(), json!({"app": "shop"}));
    assert_eq!(
        remote.names(ResourceKind::Queue).await.unwrap(),
        ["orders", "private"]
    );
    assert_eq!(remote.names(ResourceKind::Table).await.unwrap(), ["faces"]);
    assert!(remote.names(ResourceKind::Bucket).await.unwrap().is_empty());
}

#[tokio::test]
async fn a_function_is_called_by_hand_and_its_outcome_comes_over() {
    let api = Api::start().await;
    let remote = Remote::new(&api.base(), ADMIN).unwrap();
    let Outcome::Data(payload) = remote.invoke("echo", &raw("hello")).await.unwrap() else {
        panic!()
    };
    assert_eq!(
        (payload.content_type.as_deref(), &*payload.bytes),
        (Some("text/plain"), &b"hello"[..])
    );

    let Outcome::Batch(batch) = remote.invoke("picky", &messages()).await.unwrap() else {
        panic!()
    };
    assert_eq!(batch.failures()[0].id, "a");

    assert!(matches!(
        remote.invoke("page", &raw("")).await.unwrap(),
        Outcome::Http(_)
    ));
    let failed = remote.invoke("broken", &raw("")).await.unwrap();
    assert_eq!(failed.error().map(Error::to_string).as_deref(), Some("try again"));

    let missing = remote
        .invoke("a function/with signs", &raw(""))
        .await
        .unwrap_err();
    assert_eq!(missing.kind(), ErrorKind::NotFound);
    assert!(
        missing.to_string().contains("function=a function/with signs"),
        "{missing}"
    );
}

#[tokio::test]
async fn an_event_by_hand_reaches_the_triggers() {
    let api = Api::start().await;
    let remote = Remote::new(&api.base(), ADMIN).unwrap();
    assert_eq!(remote.emit(&messages()).await.unwrap(), 3);
    assert_eq!(remote.emit(&raw("x")).await.unwrap(), 1);
}

#[tokio::test]
async fn activity_streams_line_by_line_and_ends_with_the_engine() {
    let api = Api::start().await;
    let remote = Remote::new(&api.base(), ADMIN).unwrap();
    let mut activity = Box::pin(remote.activity().await.unwrap());
    assert_eq!(activity.next().await.unwrap().unwrap(), json!({"n": 1}));
    let second = activity.next().await.unwrap().unwrap();
    assert_eq!(second, json!({"n": 2, "text": "two\nlines"}));

    // The stream never ends by itself: the API cuts it off when it stops, after a while.
    api.stop.cancel();
    let stopped = tokio::time::timeout(Duration::from_secs(20), api.served).await;
    stopped.expect("stopped in time").unwrap().unwrap();
}
