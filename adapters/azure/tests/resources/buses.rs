//! Ordered queues and streams, over a server that notes what it is asked.

use nephos_azure::config::{Config, ENDPOINTS};
use nephos_core::ErrorKind;
use nephos_core::resource::queue::{Outgoing, Queue};
use nephos_core::resource::stream::{Append, Stream};
use nephos_core::resource::{ResourceKind, Resources};
use serde_json::{Value, json};

use super::open;
use super::server::Server;

fn resources(server: &Server, kind: ResourceKind) -> Resources {
    let endpoints = json!({"sb://ns.servicebus.windows.net": server.url()}).to_string();
    let config = Config::load(&[(ENDPOINTS, endpoints)].into_iter().collect()).unwrap();
    open(&config, kind, "sb://ns.servicebus.windows.net/it", &[])
}

fn queue(server: &Server) -> Queue {
    resources(server, ResourceKind::Queue).queue("it").unwrap()
}

fn stream(server: &Server) -> Stream {
    resources(server, ResourceKind::Stream).stream("it").unwrap()
}

#[tokio::test]
async fn an_ordered_queues_messages_are_sent_one_after_the_other() {
    let server = Server::start("201 Created", &[], "").await;
    let queue = queue(&server);
    let batch = (0..3)
        .map(|n| Outgoing::json(&n).unwrap().group("a").attribute("tenant", "blue"))
        .collect();
    let ids = queue.send_batch(batch).await.unwrap();
    let asked = server.asked();
    assert_eq!(asked.len(), 3);
    for (n, (asked, id)) in asked.iter().zip(ids).enumerate() {
        assert_eq!(asked.line, "POST /it/messages HTTP/1.1");
        assert_eq!(asked.body, n.to_string().as_bytes());
        assert_eq!(asked.headers["content-type"], "application/json");
        assert_eq!(asked.headers["tenant"], "\"blue\"");
        let broker: Value = serde_json::from_str(&asked.headers["brokerproperties"]).unwrap();
        assert_eq!(broker, json!({"MessageId": id, "SessionId": "a"}));
    }
    assert!(queue.capabilities().ordered_groups);
}

#[tokio::test]
async fn a_message_that_an_ordered_queue_does_not_take_is_refused_before_the_first_is_sent() {
    let server = Server::start("201 Created", &[], "").await;
    let bad = Outgoing::new(vec![0xff]).attribute("Tenant", "x");
    let error = queue(&server)
        .send_batch(vec!["good".into(), bad])
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported);
    assert!(error.to_string().contains("attribute=Tenant"), "{error}");
    assert!(server.asked().is_empty());
}

#[tokio::test]
async fn a_streams_records_are_appended_by_key_and_their_sequences_are_not_told() {
    let server = Server::start("201 Created", &[], "").await;
    let mut tagged = Append::new("k", "two");
    tagged.attributes.insert("Tag".to_owned(), "ü".to_owned());
    let sequences = stream(&server)
        .append_batch(vec![Append::new("k", "one"), tagged])
        .await
        .unwrap();
    assert_eq!(sequences, [None, None]);
    let asked = server.asked();
    assert_eq!(asked.len(), 1);
    assert_eq!(asked[0].line, "POST /it/messages?api-version=2014-01 HTTP/1.1");
    assert_eq!(asked[0].headers["brokerproperties"], r#"{"PartitionKey":"k"}"#);
    let sent = asked[0].json();
    assert_eq!(sent[0]["Body"], "one");
    assert_eq!(sent[1]["BrokerProperties"], json!({"PartitionKey": "k"}));
    assert_eq!(sent[1]["UserProperties"]["Tag"], "ü");
}

#[tokio::test]
async fn a_refusal_of_a_bus_is_told_by_its_detail() {
    let body =
        "<Error><Code>401</Code><Detail>claim is empty or token is invalid. TrackingId:1</Detail></Error>";
    let server = Server::start("401 Unauthorized", &[], body).await;
    let error = queue(&server).send("x").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unauthenticated);
    assert!(error.chain().contains("claim is empty"), "{}", error.chain());
    assert!(error.to_string().contains("status=401"), "{error}");
}
