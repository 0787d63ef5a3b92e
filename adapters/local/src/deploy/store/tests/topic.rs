//! Topics and streams.

use nephos_core::ErrorKind;
use nephos_core::app::{QueueSpec, StreamSpec};
use nephos_core::resource::stream::{Append, Position, StreamDriver};
use nephos_core::resource::topic::{Publication, TopicDriver};

use super::super::notification;
use super::{Bed, attributes, receive_all, secs};

/// The sequences of all that was appended.
fn told(sequences: Vec<Option<String>>) -> Vec<String> {
    sequences
        .into_iter()
        .map(|sequence| sequence.expect("the embedded stream tells each"))
        .collect()
}

#[tokio::test]
async fn a_notification_goes_to_every_subscription_that_it_fits() {
    let bed = Bed::new().await;
    let topic = bed.store.topic("orders");
    let inbox = |name: &str| bed.store.queue(name, &QueueSpec::default());
    bed.store
        .subscribe("orders", "inbox/a/0", &attributes(&[]))
        .await
        .unwrap();
    bed.store
        .subscribe("orders", "inbox/b/0", &attributes(&[("kind", "paid")]))
        .await
        .unwrap();
    bed.store
        .subscribe("other", "inbox/c/0", &attributes(&[]))
        .await
        .unwrap();
    let batch = [
        Publication::new("one").attribute("kind", "paid").subject("Paid"),
        Publication::new("two").attribute("kind", "sent"),
    ];
    let ids = topic.publish_batch(&batch).await.unwrap();

    let all = receive_all(&inbox("inbox/a/0")).await;
    assert_eq!(all.len(), 2);
    let first = notification(all[0].message.clone());
    assert_eq!(
        (first.id.as_str(), first.topic.as_str()),
        (ids[0].as_str(), "orders")
    );
    assert_eq!(first.subject.as_deref(), Some("Paid"));
    assert_eq!(first.attributes, attributes(&[("kind", "paid")]));
    assert_eq!(first.body.decode::<String>().unwrap(), "one");
    assert_eq!(notification(all[1].message.clone()).subject, None);
    let paid = receive_all(&inbox("inbox/b/0")).await;
    assert_eq!(
        paid.iter().map(|one| one.message.id.as_str()).collect::<Vec<_>>(),
        [ids[0].as_str()]
    );
    assert!(receive_all(&inbox("inbox/c/0")).await.is_empty());
}

#[tokio::test]
async fn subscribing_again_replaces_the_filter_and_others_can_be_ended() {
    let bed = Bed::new().await;
    let topic = bed.store.topic("orders");
    for filter in [attributes(&[("kind", "paid")]), attributes(&[])] {
        bed.store.subscribe("orders", "inbox/a/0", &filter).await.unwrap();
    }
    bed.store
        .subscribe("orders", "inbox/gone/0", &attributes(&[]))
        .await
        .unwrap();
    bed.store
        .unsubscribe_others("orders", &["inbox/a/0".into()])
        .await
        .unwrap();
    topic.publish_batch(&[Publication::new("x")]).await.unwrap();
    let depth = |name: &str| bed.store.queue(name, &QueueSpec::default());
    assert_eq!(receive_all(&depth("inbox/a/0")).await.len(), 1);
    assert!(receive_all(&depth("inbox/gone/0")).await.is_empty());
}

#[tokio::test]
async fn a_stream_is_read_in_order_from_any_position() {
    let mut bed = Bed::new().await;
    let stream = bed.store.stream("clicks", &StreamSpec::default());
    let batch: Vec<_> = (0..5)
        .map(|n| Append {
            attributes: attributes(&[("n", &n.to_string())]),
            ..Append::new(format!("key-{}", n % 2), n.to_string())
        })
        .collect();
    let sequences = told(stream.append_batch(&batch).await.unwrap());
    let page = stream.read(&Position::Oldest, 3).await.unwrap();
    assert_eq!(
        page.records.iter().map(|one| &one.sequence).collect::<Vec<_>>(),
        [&sequences[0], &sequences[1], &sequences[2]]
    );
    assert_eq!(page.records[1].partition_key, "key-1");
    assert_eq!(page.records[1].attributes, attributes(&[("n", "1")]));
    assert!(sequences.is_sorted());

    bed.reopen().await;
    let stream = bed.store.stream("clicks", &StreamSpec::default());
    let rest = stream.read(&page.next, 10).await.unwrap();
    assert_eq!(rest.records.len(), 2);
    let empty = stream.read(&rest.next, 10).await.unwrap();
    assert!(empty.records.is_empty());
    stream.append_batch(&[Append::new("k", "later")]).await.unwrap();
    assert_eq!(stream.read(&empty.next, 10).await.unwrap().records.len(), 1);
    let records = bed.store.records("clicks", 0, 100).await.unwrap();
    assert_eq!(records.len(), 6);
    assert_eq!(
        bed.store
            .records("clicks", records[4].0, 100)
            .await
            .unwrap()
            .len(),
        1
    );
}

#[tokio::test]
async fn a_position_of_another_stream_is_refused() {
    let bed = Bed::new().await;
    let one = bed.store.stream("one", &StreamSpec::default());
    let sequence = told(one.append_batch(&[Append::new("k", "x")]).await.unwrap()).remove(0);
    let two = bed.store.stream("two", &StreamSpec::default());
    for text in [sequence.as_str(), "", "nonsense", "00000000-1"] {
        let error = two.read(&Position::After(text.into()), 1).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidArgument, "{text}");
    }
}

#[tokio::test]
async fn a_record_is_gone_when_its_retention_is_over_and_positions_go_on() {
    let bed = Bed::new().await;
    let spec = StreamSpec {
        retention: secs(100),
        ..StreamSpec::default()
    };
    let stream = bed.store.stream("clicks", &spec);
    let old = told(stream.append_batch(&[Append::new("k", "old")]).await.unwrap());
    bed.clock.advance(secs(100));
    assert!(
        stream
            .read(&Position::Oldest, 10)
            .await
            .unwrap()
            .records
            .is_empty()
    );
    assert_eq!(bed.store.sweep().await.unwrap().records, 1);
    assert!(bed.store.records("clicks", 0, 10).await.unwrap().is_empty());
    let new = told(stream.append_batch(&[Append::new("k", "new")]).await.unwrap());
    assert!(new > old);
    let page = stream.read(&Position::After(old[0].clone()), 10).await.unwrap();
    assert_eq!(page.records[0].sequence, new[0]);
}

#[tokio::test]
async fn a_follower_is_woken_by_what_it_follows_and_by_nothing_else() {
    let bed = Bed::new().await;
    let (mut clicks, mut other) = (bed.store.wake("clicks"), bed.store.wake("other"));
    let stream = bed.store.stream("clicks", &StreamSpec::default());
    stream.append_batch(&[Append::new("k", "x")]).await.unwrap();
    tokio::time::timeout(secs(10), clicks.changed()).await.unwrap();
    let quiet = other.changed();
    futures::pin_mut!(quiet);
    assert!(futures::poll!(quiet).is_pending());
}
