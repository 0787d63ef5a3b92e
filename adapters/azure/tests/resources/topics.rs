//! Topics, over a server that notes what it is asked.

use nephos_azure::config::{Config, ENDPOINTS};
use nephos_azure::error::{CODE, RETRY_AFTER};
use nephos_core::ErrorKind;
use nephos_core::event::Data;
use nephos_core::event::cloudevents::{CloudEvent, from_cloudevents};
use nephos_core::resource::ResourceKind;
use nephos_core::resource::topic::{Publication, Topic};
use serde_json::json;

use super::open;
use super::server::Server;

const PHYSICAL: &str = "https://news-12345678.westeurope-1.eventgrid.azure.net/api/events";

fn topic(server: &Server) -> Topic {
    let endpoints =
        json!({"https://news-12345678.westeurope-1.eventgrid.azure.net": server.url()}).to_string();
    let config = Config::load(&[(ENDPOINTS, endpoints)].into_iter().collect()).unwrap();
    open(&config, ResourceKind::Topic, PHYSICAL, &[])
        .topic("it")
        .unwrap()
}

#[tokio::test]
async fn notifications_are_published_as_a_list_of_cloud_events() {
    let server = Server::start("200 OK", &[], "").await;
    let publication = Publication::new(vec![0xff, 0])
        .subject("a subject")
        .attribute("Tenant", "blü");
    let ids = topic(&server)
        .publish_batch(vec![publication.clone(), "text".into()])
        .await
        .unwrap();
    let asked = server.asked();
    assert_eq!(asked.len(), 1);
    assert_eq!(asked[0].line, "POST /api/events?api-version=2018-01-01 HTTP/1.1");
    assert_eq!(
        asked[0].headers["content-type"],
        "application/cloudevents-batch+json; charset=utf-8"
    );
    // No token goes over plain HTTP.
    assert!(!asked[0].headers.contains_key("authorization"));
    let events: Vec<CloudEvent> = serde_json::from_value(asked[0].json()).unwrap();
    assert_eq!(events.len(), 2);
    let read = from_cloudevents(vec![events[0].clone()]).unwrap();
    let Data::Topic(notification) = read.data else {
        panic!("no notification")
    };
    assert_eq!(notification.id, ids[0]);
    assert_eq!(notification.body.bytes, publication.body.bytes);
    assert_eq!(notification.attributes, publication.attributes);
    assert_eq!(notification.subject, publication.subject);
    assert!(notification.published_at.is_some());
}

#[tokio::test]
async fn what_one_request_does_not_take_is_split_and_what_is_too_large_is_refused_first() {
    let server = Server::start("200 OK", &[], "").await;
    let topic = topic(&server);
    let large = "x".repeat(400_000);
    topic
        .publish_batch(vec![Publication::new(large.as_str()); 5])
        .await
        .unwrap();
    let sizes: Vec<usize> = server.asked().iter().map(|asked| asked.body.len()).collect();
    assert_eq!(sizes.len(), 3, "{sizes:?}");
    assert!(sizes.iter().all(|size| *size <= 1_048_576), "{sizes:?}");

    let bytes = vec![0xff; topic.capabilities().max_message_bytes];
    let error = topic
        .publish_batch(vec!["small".into(), Publication::new(bytes)])
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ResourceExhausted);
    assert_eq!(server.asked().len(), 3, "nothing was sent");
}

#[tokio::test]
async fn a_refusal_is_told_with_its_code_and_the_driver_does_not_ask_again() {
    let body = r#"{"error":{"code":"Unauthorized","message":"The request authorization key is not authorized for NEWS"}}"#;
    let server = Server::start("401 Unauthorized", &[("x-ms-request-id", "4711")], body).await;
    let error = topic(&server).publish("x").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unauthenticated);
    let facts: Vec<_> = error.context().collect();
    assert!(
        facts.contains(&(CODE, "Unauthorized")) && facts.contains(&("topic", "it")),
        "{error}"
    );
    assert_eq!(server.asked().len(), 1);

    let server = Server::start("429 Too Many Requests", &[("Retry-After", "7")], "").await;
    let error = topic(&server)
        .driver()
        .publish_batch(&["x".into()])
        .await
        .unwrap_err();
    assert!(error.is_retryable());
    assert!(error.context().any(|fact| fact == (RETRY_AFTER, "7")), "{error}");
    assert_eq!(server.asked().len(), 1, "the driver asks once");
}

#[tokio::test]
async fn a_server_that_is_not_there_is_unavailable() {
    let endpoints =
        json!({"https://news-12345678.westeurope-1.eventgrid.azure.net": "http://127.0.0.1:9"}).to_string();
    let config = Config::load(&[(ENDPOINTS, endpoints)].into_iter().collect()).unwrap();
    let topic = open(&config, ResourceKind::Topic, PHYSICAL, &[])
        .topic("it")
        .unwrap();
    let error = topic.driver().publish_batch(&["x".into()]).await.unwrap_err();
    assert_eq!(
        (error.kind(), error.is_retryable()),
        (ErrorKind::Unavailable, true),
        "{error:?}"
    );
}
