//! Queues: delivery, leases, delays, groups, retention.

use std::task::Poll;
use std::time::{Duration, Instant};

use nephos_core::ErrorKind;
use nephos_core::app::QueueSpec;
use nephos_core::event::Payload;
use nephos_core::resource::queue::{Depth, Outgoing, QueueDriver, Receipt};

use super::{Bed, attributes, bodies, receive_all, secs, send};

const NOW: Duration = Duration::ZERO;

#[tokio::test]
async fn a_message_arrives_whole() {
    let bed = Bed::new().await;
    let queue = bed.queue();
    let outgoing = Outgoing {
        body: Payload {
            content_type: Some("image/png".into()),
            bytes: vec![0, 0xff, b'\n'].into(),
        },
        attributes: attributes(&[("a", "1"), ("ü", "\"")]),
        group: Some("g".into()),
        delay: NOW,
    };
    let ids = queue.send_batch(std::slice::from_ref(&outgoing)).await.unwrap();
    let received = receive_all(&queue).await;
    let message = &received[0].message;
    assert_eq!(message.id, ids[0]);
    assert_eq!(message.queue, "jobs");
    assert_eq!(message.body, outgoing.body);
    assert_eq!(message.attributes, outgoing.attributes);
    assert_eq!(message.group.as_deref(), Some("g"));
    assert_eq!(message.attempt, 1);
    assert_eq!(message.sent_at.unwrap().timestamp_millis(), super::START);
}

#[tokio::test]
async fn a_leased_message_is_hidden_until_its_lease_ends_and_its_attempt_counts() {
    let bed = Bed::new().await;
    let queue = bed.queue();
    send(&queue, &["a", "b"]).await;
    assert_eq!(bodies(&queue).await, ["a", "b"]);
    assert_eq!(bodies(&queue).await, [""; 0]);
    bed.clock.advance(secs(30));
    let again = receive_all(&queue).await;
    assert_eq!(
        again.iter().map(|one| one.message.attempt).collect::<Vec<_>>(),
        [2, 2]
    );
}

#[tokio::test]
async fn an_acknowledged_message_is_gone_and_acknowledging_twice_is_fine() {
    let bed = Bed::new().await;
    let queue = bed.queue();
    send(&queue, &["a"]).await;
    let received = receive_all(&queue).await;
    queue.ack(&[received[0].receipt.clone()]).await.unwrap();
    queue.ack(&[received[0].receipt.clone()]).await.unwrap();
    queue.nack(&received[0].receipt, NOW).await.unwrap();
    let error = queue.extend(&received[0].receipt, secs(1)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Conflict);
    bed.clock.advance(secs(3600));
    assert_eq!(bodies(&queue).await, [""; 0]);
}

#[tokio::test]
async fn a_receipt_is_good_after_its_lease_until_another_receives_the_message() {
    let bed = Bed::new().await;
    let queue = bed.queue();
    send(&queue, &["a", "b"]).await;
    let first = receive_all(&queue).await;
    bed.clock.advance(secs(31));
    queue.ack(&[first[0].receipt.clone()]).await.unwrap();
    let second = receive_all(&queue).await;
    assert_eq!(second.len(), 1);
    for error in [
        queue.ack(&[first[1].receipt.clone()]).await.unwrap_err(),
        queue.nack(&first[1].receipt, NOW).await.unwrap_err(),
        queue.extend(&first[1].receipt, secs(1)).await.unwrap_err(),
    ] {
        assert_eq!(error.kind(), ErrorKind::Conflict, "{error}");
    }
    queue.ack(&[second[0].receipt.clone()]).await.unwrap();
    assert_eq!(queue.depth().await.unwrap(), Depth::apart(0, 0, 0));
}

#[tokio::test]
async fn one_stale_receipt_does_not_keep_the_others_from_being_acknowledged() {
    let bed = Bed::new().await;
    let queue = bed.queue();
    send(&queue, &["a", "b"]).await;
    let received = receive_all(&queue).await;
    queue.nack(&received[0].receipt, NOW).await.unwrap();
    let receipts: Vec<_> = received.iter().map(|one| one.receipt.clone()).collect();
    assert_eq!(
        queue.ack(&receipts).await.unwrap_err().kind(),
        ErrorKind::Conflict
    );
    assert_eq!(bodies(&queue).await, ["a"]);
}

#[tokio::test]
async fn what_is_no_receipt_is_refused_and_one_of_a_removed_store_counts_as_gone() {
    let bed = Bed::new().await;
    let queue = bed.queue();
    for text in ["", "x", "abcdef01.x.1", "abcdef01.1.1.1"] {
        let error = queue.ack(&[Receipt(text.into())]).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidArgument, "{text}");
    }
    send(&queue, &["a"]).await;
    assert_eq!(receive_all(&queue).await.len(), 1);
    queue.ack(&[Receipt("zzzzzzzz.1.1".into())]).await.unwrap();
    assert_eq!(queue.depth().await.unwrap().leased, Some(1));
}

#[tokio::test]
async fn a_given_back_message_comes_again_after_the_delay() {
    let bed = Bed::new().await;
    let queue = bed.queue();
    send(&queue, &["a"]).await;
    let received = receive_all(&queue).await;
    queue.nack(&received[0].receipt, secs(10)).await.unwrap();
    bed.clock.advance(secs(9));
    assert_eq!(bodies(&queue).await, [""; 0]);
    assert_eq!(bed.store.next_due("jobs").await.unwrap(), Some(secs(1)));
    bed.clock.advance(secs(1));
    assert_eq!(receive_all(&queue).await[0].message.attempt, 2);
}

#[tokio::test]
async fn an_extended_lease_lasts_longer() {
    let bed = Bed::new().await;
    let queue = bed.queue();
    send(&queue, &["a"]).await;
    let received = receive_all(&queue).await;
    bed.clock.advance(secs(20));
    queue.extend(&received[0].receipt, secs(30)).await.unwrap();
    bed.clock.advance(secs(29));
    assert_eq!(bodies(&queue).await, [""; 0]);
    bed.clock.advance(secs(1));
    assert_eq!(bodies(&queue).await, ["a"]);
}

#[tokio::test]
async fn depth_counts_visible_leased_and_delayed() {
    let bed = Bed::new().await;
    let queue = bed.ordered();
    send(&queue, &["a", "b", "c"]).await;
    let grouped = |text: &str| Outgoing::new(text).group("g");
    let batch = [
        Outgoing::new("later").delay(secs(60)),
        grouped("first"),
        grouped("second"),
    ];
    queue.send_batch(&batch).await.unwrap();
    let received = queue.receive(2, secs(30), NOW).await.unwrap();
    queue.nack(&received[0].receipt, secs(5)).await.unwrap();
    assert_eq!(queue.depth().await.unwrap(), Depth::apart(3, 1, 2));
}

#[tokio::test]
async fn a_group_goes_one_after_the_other_and_others_go_past_it() {
    let bed = Bed::new().await;
    let queue = bed.ordered();
    let batch = [("a1", "a"), ("a2", "a"), ("b1", "b"), ("a3", "a"), ("b2", "b")]
        .map(|(text, group)| Outgoing::new(text).group(group));
    queue.send_batch(&batch).await.unwrap();
    send(&queue, &["free"]).await;
    let received = receive_all(&queue).await;
    assert_eq!(
        received.iter().map(super::body).collect::<Vec<_>>(),
        ["a1", "b1", "free"]
    );
    queue.ack(&[received[1].receipt.clone()]).await.unwrap();
    assert_eq!(bodies(&queue).await, ["b2"]);
    // Given back with a delay, the first of a group still holds up the rest.
    queue.nack(&received[0].receipt, secs(10)).await.unwrap();
    assert_eq!(bodies(&queue).await, [""; 0]);
    bed.clock.advance(secs(10));
    let again = receive_all(&queue).await;
    assert_eq!(super::body(&again[0]), "a1");
    queue.ack(&[again[0].receipt.clone()]).await.unwrap();
    assert_eq!(bodies(&queue).await, ["a2"]);
}

#[tokio::test]
async fn a_queue_that_is_not_ordered_carries_the_group_and_does_not_wait_for_it() {
    let bed = Bed::new().await;
    let queue = bed.queue();
    let batch = ["1", "2"].map(|text| Outgoing::new(text).group("g"));
    queue.send_batch(&batch).await.unwrap();
    let received = receive_all(&queue).await;
    assert_eq!(received.len(), 2);
    assert_eq!(received[1].message.group.as_deref(), Some("g"));
}

#[tokio::test]
async fn a_message_is_not_delivered_after_its_retention_and_its_group_goes_on() {
    let bed = Bed::new().await;
    let spec = QueueSpec {
        ordered: true,
        retention: secs(100),
        ..QueueSpec::default()
    };
    let queue = bed.store.queue("jobs", &spec);
    queue
        .send_batch(&[Outgoing::new("old").group("g")])
        .await
        .unwrap();
    bed.clock.advance(secs(60));
    queue
        .send_batch(&[Outgoing::new("new").group("g")])
        .await
        .unwrap();
    bed.clock.advance(secs(40));
    assert_eq!(bodies(&queue).await, ["new"]);
    bed.clock.advance(secs(70));
    assert_eq!(bed.store.sweep().await.unwrap().messages, 1);
    assert_eq!(queue.depth().await.unwrap(), Depth::apart(0, 0, 0));
}

#[tokio::test]
async fn a_sweep_leaves_what_is_leased() {
    let bed = Bed::new().await;
    let spec = QueueSpec {
        retention: secs(100),
        ..QueueSpec::default()
    };
    let queue = bed.store.queue("jobs", &spec);
    send(&queue, &["a"]).await;
    bed.clock.advance(secs(90));
    assert_eq!(receive_all(&queue).await.len(), 1);
    bed.clock.advance(secs(20));
    assert_eq!(bed.store.sweep().await.unwrap().messages, 0);
    assert_eq!(queue.depth().await.unwrap().leased, Some(1));
    bed.clock.advance(secs(20));
    assert_eq!(bed.store.sweep().await.unwrap().messages, 1);
}

#[tokio::test]
async fn a_queue_keeps_what_it_has_over_a_restart_with_leases_and_groups() {
    let mut bed = Bed::new().await;
    let queue = bed.ordered();
    let batch = ["1", "2"].map(|text| Outgoing::new(text).group("g"));
    queue.send_batch(&batch).await.unwrap();
    let received = receive_all(&queue).await;
    bed.reopen().await;
    let queue = bed.ordered();
    assert_eq!(bodies(&queue).await, [""; 0]);
    queue.ack(&[received[0].receipt.clone()]).await.unwrap();
    assert_eq!(bodies(&queue).await, ["2"]);
}

#[tokio::test]
async fn dead_letters_are_sent_and_acknowledged_together_and_only_by_the_holder() {
    let bed = Bed::new().await;
    let (queue, dead) = (bed.queue(), bed.store.queue("dead", &QueueSpec::default()));
    send(&queue, &["ok", "later", "bad", "lost"]).await;
    let received = receive_all(&queue).await;
    let receipt = |index: usize| received[index].receipt.clone();
    queue.ack(&[receipt(3)]).await.unwrap();
    let letter = |text: &str| Outgoing::new(text).attribute("nephos-reason", "no");
    let settle = || {
        bed.store.settle(
            "jobs",
            vec![receipt(0)],
            vec![(receipt(1), secs(5))],
            vec![
                (receipt(2), "dead".into(), letter("bad")),
                (receipt(3), "dead".into(), letter("lost")),
            ],
        )
    };
    settle().await.unwrap();
    assert_eq!(bodies(&dead).await, ["bad"]);
    // Settling the same again dead-letters nothing twice; the one that was given back is no longer this receiver's.
    assert_eq!(settle().await.unwrap_err().kind(), ErrorKind::Conflict);
    assert_eq!(bodies(&dead).await, [""; 0]);
    bed.clock.advance(secs(5));
    assert_eq!(bodies(&queue).await, ["later"]);
}

#[tokio::test]
async fn sending_to_several_queues_is_all_or_nothing_and_in_order() {
    let bed = Bed::new().await;
    let (one, two) = (bed.queue(), bed.store.queue("two", &QueueSpec::default()));
    let ids = bed
        .store
        .enqueue(vec![
            ("jobs".into(), Outgoing::new("a")),
            ("two".into(), Outgoing::new("b")),
        ])
        .await
        .unwrap();
    assert_eq!(receive_all(&one).await[0].message.id, ids[0]);
    assert_eq!(receive_all(&two).await[0].message.id, ids[1]);
}

#[tokio::test]
async fn a_receiver_that_waits_gets_a_message_when_it_is_sent() {
    let bed = Bed::new().await;
    let queue = bed.queue();
    let waiting = tokio::spawn({
        let queue = queue.clone();
        async move { queue.receive(1, secs(30), secs(60)).await.unwrap() }
    });
    tokio::task::yield_now().await;
    let sent = Instant::now();
    send(&queue, &["a"]).await;
    assert_eq!(super::body(&waiting.await.unwrap()[0]), "a");
    assert!(sent.elapsed() < secs(10), "woken, not timed out");
}

#[tokio::test]
async fn a_receiver_that_waits_in_vain_gets_nothing_when_its_time_is_over() {
    let bed = Bed::new().await;
    let before = Instant::now();
    let wait = Duration::from_millis(40);
    assert!(bed.queue().receive(1, secs(30), wait).await.unwrap().is_empty());
    assert!(before.elapsed() >= wait);
}

#[tokio::test]
async fn a_receiver_that_waits_gets_a_delayed_message_when_it_is_due() {
    let folder = tempfile::tempdir().unwrap();
    let store = super::Store::open(&folder.path().join("store.db")).await.unwrap();
    let queue = store.queue("jobs", &QueueSpec::default());
    let delay = Duration::from_millis(60);
    let before = Instant::now();
    queue
        .send_batch(&[Outgoing::new("a").delay(delay)])
        .await
        .unwrap();
    let received = queue.receive(1, secs(30), secs(60)).await.unwrap();
    assert_eq!(received.len(), 1);
    assert!(before.elapsed() >= Duration::from_millis(50) && before.elapsed() < secs(10));
}

#[tokio::test]
async fn what_was_leased_for_a_caller_that_is_gone_comes_to_the_next_as_if_new() {
    let bed = Bed::new().await;
    let queue = bed.queue();
    for round in 0..50 {
        send(&queue, &["a"]).await;
        // Polled once, so that the request is on its way; then dropped.
        let mut receive = queue.receive(1, secs(3600), NOW);
        if let Poll::Ready(received) = futures::poll!(receive.as_mut()) {
            // The writer was quicker: the caller has the message, and nothing is to be given back.
            queue.ack(&[received.unwrap()[0].receipt.clone()]).await.unwrap();
            continue;
        }
        drop(receive);
        // The next request may overtake what is being given back, but not for long.
        let received = queue.receive(1, secs(30), secs(60)).await.unwrap();
        assert_eq!(received[0].message.attempt, 1, "round {round}");
        queue.ack(&[received[0].receipt.clone()]).await.unwrap();
    }
}

#[tokio::test]
async fn what_a_caller_did_not_live_to_take_is_given_back_in_its_place() {
    let bed = Bed::new().await;
    let queue = bed.ordered();
    let batch = ["1", "2"].map(|text| Outgoing::new(text).group("g"));
    queue.send_batch(&batch).await.unwrap();
    drop(queue.lease(10, secs(3600)).await.unwrap());
    let received = queue.receive(10, secs(30), secs(60)).await.unwrap();
    assert_eq!(
        (super::body(&received[0]).as_str(), received[0].message.attempt),
        ("1", 1)
    );
    queue.ack(&[received[0].receipt.clone()]).await.unwrap();
    assert_eq!(bodies(&queue).await, ["2"]);
}

#[tokio::test]
async fn a_closed_store_says_so() {
    let bed = Bed::new().await;
    let queue = bed.queue();
    bed.store.clone().close().await;
    for error in [
        queue.send_batch(&[Outgoing::new("a")]).await.unwrap_err(),
        queue.receive(1, secs(1), secs(60)).await.unwrap_err(),
        queue.depth().await.unwrap_err(),
    ] {
        assert_eq!(error.kind(), ErrorKind::Unavailable);
        assert!(error.to_string().contains("the store is closed") && !error.is_retryable());
    }
}
