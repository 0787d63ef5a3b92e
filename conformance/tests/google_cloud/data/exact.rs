//! Exactly-once delivery, tries, and dead letters.

use nephos_conformance::google_cloud::emulators::Emulator;
use serde_json::json;

use super::Place;

#[tokio::test]
async fn where_delivery_is_exactly_once_a_lost_lease_is_told_and_the_others_count() {
    for place in Place::all(Emulator::PubSub).await {
        place
            .subscribe("once", json!({"enableExactlyOnceDelivery": true}))
            .await;
        place
            .publish("once", json!([{"data": "MQ=="}, {"data": "Mg=="}]))
            .await;
        let first = place.received("once").await;
        let (one, other) = (&first[0]["ackId"], &first[1]["ackId"]);
        let nought = json!({"ackDeadlineSeconds": 0});
        place
            .settle("once", "modifyAckDeadline", nought, &[one])
            .await
            .ok();
        let again = place.received("once").await;
        assert_ne!(&again[0]["ackId"], one);
        let longer = json!({"ackDeadlineSeconds": 30});
        for (verb, body) in [("acknowledge", json!({})), ("modifyAckDeadline", longer)] {
            place
                .settle("once", verb, body, &[one])
                .await
                .refused(400, "INVALID_ARGUMENT", "");
        }
        place
            .settle("once", "acknowledge", json!({}), &[one, other])
            .await
            .refused(400, "INVALID_ARGUMENT", "");
        // The other one counted, and does so only once.
        place
            .settle("once", "acknowledge", json!({}), &[other])
            .await
            .refused(400, "INVALID_ARGUMENT", "");
        assert!(place.pull("once").await.is_empty());
    }
}

#[tokio::test]
async fn what_was_tried_too_often_goes_to_the_dead_letter_topic_with_where_it_comes_from() {
    for place in Place::all(Emulator::PubSub).await {
        place.subscribe("dead", json!({})).await;
        let policy = json!({"deadLetterTopic": "projects/shop/topics/dead", "maxDeliveryAttempts": 5});
        place.subscribe("jobs", json!({"deadLetterPolicy": policy})).await;
        place
            .publish("jobs", json!([{"data": "MQ==", "attributes": {"a": "b"}}]))
            .await;
        for attempt in 1..=5 {
            let received = place.received("jobs").await;
            assert_eq!(received[0]["deliveryAttempt"], attempt);
            let nought = json!({"ackDeadlineSeconds": 0});
            let id = &received[0]["ackId"];
            place
                .settle("jobs", "modifyAckDeadline", nought, &[id])
                .await
                .ok();
        }
        // Google's emulator sends it on when the next try would be due.
        assert!(place.pull("jobs").await.is_empty());
        let letters = place.received("dead").await;
        let message = &letters[0]["message"];
        assert_eq!(message["data"], "MQ==");
        let attributes = &message["attributes"];
        let source = |what: &str| &attributes[format!("CloudPubSubDeadLetterSource{what}")];
        assert_eq!(
            (
                &attributes["a"],
                source("DeliveryCount"),
                source("Subscription"),
                source("SubscriptionProject")
            ),
            (&json!("b"), &json!("5"), &json!("jobs"), &json!("shop"))
        );
        assert!(place.pull("jobs").await.is_empty());
    }
}

#[tokio::test]
async fn a_message_comes_again_when_its_lease_has_ended() {
    let place = Place::stand_in(Emulator::PubSub).await;
    place
        .subscribe("jobs", json!({"enableExactlyOnceDelivery": true}))
        .await;
    place.publish("jobs", json!([{"data": "MQ=="}])).await;
    let first = place.received("jobs").await;
    let id = &first[0]["ackId"];
    let second = json!({"ackDeadlineSeconds": 1});
    place
        .settle("jobs", "modifyAckDeadline", second, &[id])
        .await
        .ok();
    assert!(place.pull("jobs").await.is_empty());
    let again = place.received("jobs").await;
    assert_eq!(again[0]["message"]["messageId"], first[0]["message"]["messageId"]);
    let refused = place.settle("jobs", "acknowledge", json!({}), &[id]).await;
    let error = refused.refused(400, "INVALID_ARGUMENT", "acknowledgement");
    let told = &error["details"][0]["metadata"][id.as_str().unwrap()];
    assert_eq!(told, "PERMANENT_FAILURE_INVALID_ACK_ID");
}
