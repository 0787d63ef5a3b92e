//! Every operation of every kind of resource, from a function's handle to the store and back.

use std::collections::BTreeMap;
use std::time::Duration;

use nephos_core::ErrorKind;
use nephos_core::event::Payload;
use nephos_core::resource::Drivers as _;
use nephos_core::resource::bucket::Bucket;
use nephos_core::resource::queue::{Depth, Outgoing};
use nephos_core::resource::stream::{Append, Position};
use nephos_core::resource::table::{Condition, Key, Query, Write};
use nephos_core::resource::topic::Publication;
use nephos_local::resources::LocalDrivers;
use nephos_local::resources::client::Client;
use serde_json::{Value, json};

use crate::support::{Api, WORKER};

const LEASE: Duration = Duration::from_secs(30);
const NOW: Duration = Duration::ZERO;

#[tokio::test]
async fn a_queue_sends_receives_and_settles() {
    let api = Api::start().await;
    let queue = api.resources().queue("orders").unwrap();
    let sent = vec![
        Outgoing::new(Payload::bytes(vec![0, 0xff, b'x'])).attribute("colour", "grün"),
        Outgoing::new("second").group("g"),
        Outgoing::new("later").delay(Duration::from_secs(3600)),
    ];
    let ids = queue.send_batch(sent).await.unwrap();
    assert_eq!(ids.len(), 3);
    let depth = queue.depth().await.unwrap();
    assert_eq!(depth, Depth::apart(2, 0, 1));

    let received = queue.receive(10, LEASE, NOW).await.unwrap();
    assert_eq!(received.len(), 2);
    let first = received.iter().find(|one| one.message.id == ids[0]).unwrap();
    assert_eq!(first.message.body, Payload::bytes(vec![0, 0xff, b'x']));
    assert_eq!(
        first.message.attributes,
        BTreeMap::from([("colour".to_owned(), "grün".to_owned())])
    );
    assert_eq!(
        (first.message.queue.as_str(), first.message.attempt),
        ("orders", 1)
    );
    assert!(first.message.sent_at.is_some());
    let second = received.iter().find(|one| one.message.id == ids[1]).unwrap();
    assert_eq!(second.message.group.as_deref(), Some("g"));

    queue.extend(&first.receipt, LEASE).await.unwrap();
    queue.ack(&first.receipt).await.unwrap();
    queue.ack(&first.receipt).await.unwrap();
    queue.nack(&second.receipt, NOW).await.unwrap();
    let again = queue.receive(10, LEASE, Duration::from_secs(5)).await.unwrap();
    assert_eq!(again.len(), 1);
    assert_eq!(
        (again[0].message.id.as_str(), again[0].message.attempt),
        (ids[1].as_str(), 2)
    );
    let stale = queue.ack(&second.receipt).await.unwrap_err();
    assert_eq!(stale.kind(), ErrorKind::Conflict, "{stale:?}");
}

#[tokio::test]
async fn a_batch_of_many_messages_arrives_whole_and_in_order() {
    let api = Api::start().await;
    let queue = api.resources().queue("orders").unwrap();
    let sent = (0..2500)
        .map(|n| Outgoing::new(n.to_string()).group("one"))
        .collect();
    let ids = queue.send_batch(sent).await.unwrap();
    assert_eq!(ids.len(), 2500);
    assert_eq!(queue.depth().await.unwrap().visible, 2500);
    let first = queue.receive(1, LEASE, NOW).await.unwrap();
    assert_eq!(
        (first[0].message.id.as_str(), &*first[0].message.body.bytes),
        (ids[0].as_str(), &b"0"[..])
    );
}

#[tokio::test]
async fn a_topic_publishes() {
    let api = Api::start().await;
    let topic = api.resources().topic("news").unwrap();
    let batch = vec![
        Publication::new("a").subject("s").attribute("k", "v"),
        Publication::new("b"),
    ];
    let ids = topic.publish_batch(batch).await.unwrap();
    assert_eq!(ids.len(), 2);
    assert_ne!(ids[0], ids[1]);
}

#[tokio::test]
async fn a_stream_appends_and_reads_on() {
    let api = Api::start().await;
    let stream = api.resources().stream("clicks").unwrap();
    let mut with_attribute = Append::new("ann", Payload::bytes(vec![0xfe]));
    with_attribute.attributes.insert("k".to_owned(), "v".to_owned());
    let sequences = stream
        .append_batch(vec![with_attribute, Append::new("bob", "two")])
        .await
        .unwrap();
    let page = stream.read(&Position::Oldest, 1).await.unwrap();
    assert_eq!(page.records.len(), 1);
    let record = &page.records[0];
    assert_eq!(
        (&record.sequence, record.partition_key.as_str()),
        (sequences[0].as_ref().unwrap(), "ann")
    );
    assert_eq!(record.body, Payload::bytes(vec![0xfe]));
    assert_eq!(record.attributes.get("k").map(String::as_str), Some("v"));
    let page = stream.read(&page.next, 10).await.unwrap();
    assert_eq!(page.records.len(), 1);
    assert_eq!(Some(&page.records[0].sequence), sequences[1].as_ref());
    let page = stream.read(&page.next, 10).await.unwrap();
    assert!(page.records.is_empty());
}

#[tokio::test]
async fn a_table_writes_gets_queries_and_scans() {
    let api = Api::start().await;
    let table = api.resources().table("faces").unwrap();
    let item = |at: &str, n: u32| json!({"id": "ann", "at": at, "n": n});
    let version = table.put_if_absent(&item("1", 1)).await.unwrap();
    let exists = table.put_if_absent(&item("1", 2)).await.unwrap_err();
    assert_eq!(exists.kind(), ErrorKind::AlreadyExists);
    table.put_if_version(&item("1", 3), &version).await.unwrap();
    let stale = table.put_if_version(&item("1", 4), &version).await.unwrap_err();
    assert_eq!(stale.kind(), ErrorKind::Conflict);
    let puts = ["2", "3"].map(|at| Write::Put {
        item: item(at, 9),
        condition: Condition::Always,
    });
    let versions = table.write_batch(puts.into()).await.unwrap();
    assert!(versions.len() == 2 && versions.iter().all(Option::is_some));

    let got = table
        .get::<Value>(Key::sorted("ann", "1"))
        .await
        .unwrap()
        .unwrap();
    assert_eq!(got, item("1", 3));
    assert!(
        table
            .get::<Value>(Key::sorted("ann", "9"))
            .await
            .unwrap()
            .is_none()
    );

    let query = Query::partition("ann").between("2", "3").descending().limit(1);
    let page = table.query::<Value>(&query).await.unwrap();
    assert_eq!(page.items[0].item, item("3", 9));
    let page = table.query::<Value>(&query.cursor(page.next)).await.unwrap();
    assert_eq!(page.items[0].item, item("2", 9));
    let page = table.scan::<Value>(10, None).await.unwrap();
    assert_eq!(page.items.len(), 3);
}

#[tokio::test]
async fn a_secret_comes_over_to_the_byte() {
    let api = Api::start().await;
    let value = api.resources().secret("api-key").unwrap().get().await.unwrap();
    assert_eq!(value.expose().as_ref(), [0xff, b's']);
    assert_eq!(value.version(), Some("v1"));
}

#[tokio::test]
async fn a_bucket_is_behind_the_same_tokens() {
    let api = Api::start().await;
    let bucket = api.resources().bucket("photos").unwrap();
    bucket.put("2026/a b%ü.jpg", vec![0xff, 0xd8]).await.unwrap();
    assert_eq!(bucket.get("2026/a b%ü.jpg").await.unwrap().as_ref(), [0xff, 0xd8]);
    let missing = bucket.get("other").await.unwrap_err();
    assert_eq!(missing.kind(), ErrorKind::NotFound, "{missing:?}");

    // Not by its handle, and neither by the API itself: the function may read and write, not delete.
    let drivers = LocalDrivers::new(Client::new(&api.base(), WORKER).unwrap());
    let binding = api
        .app
        .bindings("worker")
        .into_iter()
        .find(|binding| binding.name == "photos")
        .unwrap();
    let all = Bucket::new("photos", drivers.bucket(&binding).unwrap());
    let denied = all.delete("2026/a b%ü.jpg").await.unwrap_err();
    assert_eq!(denied.kind(), ErrorKind::PermissionDenied, "{denied:?}");
    assert!(bucket.get("2026/a b%ü.jpg").await.is_ok());
}
