//! Topics, subscriptions, and messages that are pulled.

use nephos_conformance::google_cloud::emulators::Emulator;
use serde_json::{Value, json};

use super::Place;

fn data(received: &[Value]) -> Vec<&str> {
    let data = received
        .iter()
        .map(|one| one["message"]["data"].as_str().unwrap());
    data.collect()
}

#[tokio::test]
async fn topics_and_subscriptions_are_what_googles_emulator_has_too() {
    for place in Place::all(Emulator::PubSub).await {
        let topic = json!({"labels": {"a": "b"}});
        let made = place.ask("PUT topics/news", topic.clone()).await.ok();
        assert_eq!(
            (&made["name"], &made["labels"]),
            (&json!("projects/shop/topics/news"), &topic["labels"])
        );
        place
            .ask("PUT topics/news", topic)
            .await
            .refused(409, "ALREADY_EXISTS", "exists");
        for wrong in ["n", "googol", "9news"] {
            let request = format!("PUT topics/{wrong}");
            place
                .ask(&request, json!({}))
                .await
                .refused(400, "INVALID_ARGUMENT", "Invalid [topics] name");
        }
        for request in ["GET topics/nope", "DELETE topics/nope"] {
            place
                .ask(request, Value::Null)
                .await
                .refused(404, "NOT_FOUND", "not found");
        }
        let of = json!({"topic": "projects/shop/topics/news"});
        let body = json!({"topic": "projects/shop/topics/nope"});
        place
            .ask("PUT subscriptions/heard", body)
            .await
            .refused(404, "NOT_FOUND", "topic does not exist");
        for (field, value, status) in [
            ("ackDeadlineSeconds", json!(601), 400),
            ("messageRetentionDuration", json!("1s"), 400),
            ("retryPolicy", json!({"minimumBackoff": "700s"}), 400),
            (
                "deadLetterPolicy",
                json!({"deadLetterTopic": "projects/shop/topics/nope", "maxDeliveryAttempts": 5}),
                404,
            ),
            (
                "deadLetterPolicy",
                json!({"deadLetterTopic": "projects/shop/topics/news", "maxDeliveryAttempts": 4}),
                400,
            ),
            ("pushConfig", json!({"pushEndpoint": "ftp://x"}), 400),
        ] {
            let mut body = of.clone();
            body[field] = value;
            let answer = place.ask("PUT subscriptions/heard", body).await;
            assert_eq!(answer.status, status, "{field}: {:#}", answer.json);
        }
        let made = place.ask("PUT subscriptions/heard", of.clone()).await.ok();
        assert_eq!(made["ackDeadlineSeconds"], 10);
        assert_eq!(made["messageRetentionDuration"], "604800s");
        place
            .ask("PUT subscriptions/heard", of)
            .await
            .refused(409, "ALREADY_EXISTS", "exists");
        let listed = place.get("topics/news/subscriptions").await.ok();
        assert_eq!(
            listed["subscriptions"],
            json!(["projects/shop/subscriptions/heard"])
        );
        let body = json!({
            "subscription": {"name": "projects/shop/subscriptions/heard", "ackDeadlineSeconds": 20},
            "updateMask": "ackDeadlineSeconds",
        });
        let changed = place.ask("PATCH subscriptions/heard", body).await.ok();
        assert_eq!(changed["ackDeadlineSeconds"], 20);
        let body = json!({
            "subscription": {"name": "projects/shop/subscriptions/heard", "filter": "attributes:a"},
            "updateMask": "filter",
        });
        place
            .ask("PATCH subscriptions/heard", body)
            .await
            .refused(400, "INVALID_ARGUMENT", "filter");
        place.ask("DELETE topics/news", Value::Null).await.ok();
        let orphan = place.get("subscriptions/heard").await.ok();
        assert_eq!(orphan["topic"], "_deleted-topic_");
        place.ask("DELETE subscriptions/heard", Value::Null).await.ok();
        place
            .get("subscriptions/heard")
            .await
            .refused(404, "NOT_FOUND", "does not exist");
    }
}

#[tokio::test]
async fn messages_are_published_pulled_leased_and_acknowledged_as_by_googles_emulator() {
    for place in Place::all(Emulator::PubSub).await {
        place.subscribe("news", json!({})).await;
        for (messages, words) in [
            (json!([]), "No messages"),
            (json!([{}]), "empty"),
            (json!([{"orderingKey": "a"}]), "empty"),
            (json!(vec![json!({"data": "eA=="}); 1001]), "Too many"),
        ] {
            place
                .ask("POST topics/news:publish", json!({"messages": messages}))
                .await
                .refused(400, "INVALID_ARGUMENT", words);
        }
        place
            .ask(
                "POST topics/nope:publish",
                json!({"messages": [{"data": "eA=="}]}),
            )
            .await
            .refused(404, "NOT_FOUND", "not found");
        place
            .ask("POST subscriptions/nope:pull", json!({"maxMessages": 1}))
            .await
            .refused(404, "NOT_FOUND", "does not exist");
        place
            .ask("POST subscriptions/news:pull", json!({"maxMessages": 0}))
            .await
            .refused(400, "INVALID_ARGUMENT", "max_messages");
        place
            .publish(
                "news",
                json!([{"data": "eA==", "attributes": {"a": "b"}, "orderingKey": "k"}]),
            )
            .await;
        let first = place.received("news").await;
        let message = &first[0]["message"];
        assert_eq!(
            (&message["data"], &message["attributes"], &message["orderingKey"]),
            (&json!("eA=="), &json!({"a": "b"}), &json!("k"))
        );
        assert!(message["messageId"].is_string() && message["publishTime"].is_string());
        // Without a dead-letter policy no try is told.
        assert_eq!(first[0].get("deliveryAttempt"), None);
        assert!(place.pull("news").await.is_empty());
        let id = &first[0]["ackId"];
        let nought = json!({"ackDeadlineSeconds": 0});
        place
            .settle("news", "modifyAckDeadline", nought, &[id])
            .await
            .ok();
        let again = place.received("news").await;
        assert_eq!(again[0]["message"]["messageId"], message["messageId"]);
        let foreign = json!("nonsense");
        place
            .settle("news", "acknowledge", json!({}), &[&again[0]["ackId"], &foreign])
            .await
            .refused(400, "INVALID_ARGUMENT", "nonsense");
        place.settle("news", "acknowledge", json!({}), &[]).await.refused(
            400,
            "INVALID_ARGUMENT",
            "No ack ids",
        );
        let last = &again[0]["ackId"];
        for _ in 0..2 {
            place.settle("news", "acknowledge", json!({}), &[last]).await.ok();
        }
        assert!(place.pull("news").await.is_empty());
    }
}

#[tokio::test]
async fn of_one_ordering_key_what_follows_waits_for_what_was_not_taken() {
    let place = Place::stand_in(Emulator::PubSub).await;
    place
        .subscribe("news", json!({"enableMessageOrdering": true}))
        .await;
    let sent = json!([
        {"data": "MQ==", "orderingKey": "k"}, {"data": "Mg==", "orderingKey": "k"}, {"data": "Mw==", "orderingKey": "j"},
    ]);
    place.publish("news", sent).await;
    let first = place.pull("news").await;
    assert_eq!(data(&first), ["MQ==", "Mg==", "Mw=="]);
    place
        .publish("news", json!([{"data": "NA==", "orderingKey": "k"}]))
        .await;
    assert!(
        place.pull("news").await.is_empty(),
        "two with one key are with somebody"
    );
    // The second was acknowledged, and comes again all the same, because the first does.
    place
        .settle(
            "news",
            "acknowledge",
            json!({}),
            &[&first[1]["ackId"], &first[2]["ackId"]],
        )
        .await
        .ok();
    let nought = json!({"ackDeadlineSeconds": 0});
    place
        .settle("news", "modifyAckDeadline", nought, &[&first[0]["ackId"]])
        .await
        .ok();
    let again = place.pull("news").await;
    assert_eq!(data(&again), ["MQ==", "Mg==", "NA=="]);
    let ids: Vec<&Value> = again.iter().map(|one| &one["ackId"]).collect();
    place.settle("news", "acknowledge", json!({}), &ids).await.ok();
    assert!(place.pull("news").await.is_empty());
}

#[tokio::test]
async fn a_filter_a_seek_and_a_pull_that_waits_do_what_they_say() {
    let place = Place::stand_in(Emulator::PubSub).await;
    place
        .subscribe("news", json!({"retainAckedMessages": true}))
        .await;
    let filter = json!({"filter": "attributes.a = \"1\" AND NOT attributes:b"});
    place.also("some", "news", filter).await;
    let request = "POST subscriptions/news:pull";
    let waits = place.ask(request, json!({"maxMessages": 10}));
    let publishes = async {
        let sent = json!([{"data": "MQ==", "attributes": {"a": "1"}}, {"data": "Mg==", "attributes": {"a": "1", "b": ""}}]);
        place.publish("news", sent).await;
    };
    let (waited, ()) = tokio::join!(waits, publishes);
    let waited = waited.ok();
    let received = waited["receivedMessages"].as_array().unwrap();
    assert_eq!(data(received), ["MQ==", "Mg=="]);
    assert_eq!(data(&place.pull("some").await), ["MQ=="]);
    let ids: Vec<&Value> = received.iter().map(|one| &one["ackId"]).collect();
    place.settle("news", "acknowledge", json!({}), &ids).await.ok();
    let seek = "POST subscriptions/news:seek";
    place
        .ask(seek, json!({"time": "2020-01-01T00:00:00Z"}))
        .await
        .ok();
    assert_eq!(place.pull("news").await.len(), 2);
    place
        .ask(seek, json!({"time": "2100-01-01T00:00:00Z"}))
        .await
        .ok();
    assert!(place.pull("news").await.is_empty());
    place
        .ask(seek, json!({"snapshot": "projects/shop/snapshots/s"}))
        .await
        .refused(501, "UNIMPLEMENTED", "snapshot");
}

#[tokio::test]
async fn what_pubsub_refuses_is_refused_where_googles_emulator_takes_it() {
    let place = Place::stand_in(Emulator::PubSub).await;
    place.subscribe("news", json!({})).await;
    let long = |count: usize| "x".repeat(count);
    let named = |name: String| json!({"attributes": {name: "1"}});
    let many: serde_json::Map<String, Value> = (0..101).map(|n| (format!("a{n}"), "".into())).collect();
    for (message, words) in [
        (json!({"data": "!!"}), "data"),
        (named("googx".to_owned()), "goog"),
        (named(String::new()), "1 to 256"),
        (named(long(257)), "1 to 256"),
        (json!({"attributes": {"a": long(1025)}}), "1024"),
        (json!({"attributes": many}), "100"),
        (json!({"data": "eA==", "orderingKey": long(1025)}), "1024"),
        (json!({"data": "eA==", "key": "k"}), "key"),
        (json!({"data": long(10_000_000)}), "payload size"),
    ] {
        place
            .ask("POST topics/news:publish", json!({"messages": [message]}))
            .await
            .refused(400, "INVALID_ARGUMENT", words);
    }
    let receipts: Vec<String> = (0..3000).map(|_| long(200)).collect();
    place
        .ask("POST subscriptions/news:acknowledge", json!({"ackIds": receipts}))
        .await
        .refused(400, "INVALID_ARGUMENT", "payload size");
    place
        .ask(
            "POST subscriptions/news:modifyAckDeadline",
            json!({"ackIds": ["x"], "ackDeadlineSeconds": 601}),
        )
        .await
        .refused(400, "INVALID_ARGUMENT", "600");
    let of = |field: &str, value: Value| {
        let mut body = json!({"topic": "projects/shop/topics/news"});
        body[field] = value;
        body
    };
    for (body, words) in [
        (of("ackDeadlineSeconds", json!(9)), "10 to 600"),
        (of("filter", json!("attributes.a == \"1\"")), "filter"),
        (
            of("pushConfig", json!({"pushEndpoint": "https://example.com"})),
            "push endpoint",
        ),
        (
            of("pushConfig", json!({"pushEndpoint": "http://192.0.2.1/"})),
            "push endpoint",
        ),
        (of("lables", json!({})), "lables"),
    ] {
        place
            .ask("PUT subscriptions/more", body)
            .await
            .refused(400, "INVALID_ARGUMENT", words);
    }
    for (body, words) in [
        (of("bigqueryConfig", json!({"table": "p.d.t"})), "bigqueryConfig"),
        (
            of(
                "pushConfig",
                json!({"pushEndpoint": "http://127.0.0.1:1/", "noWrapper": {"writeMetadata": true}}),
            ),
            "noWrapper",
        ),
    ] {
        place
            .ask("PUT subscriptions/more", body)
            .await
            .refused(501, "UNIMPLEMENTED", words);
    }
    for request in [
        "POST subscriptions/news:detach",
        "GET topics/news:getIamPolicy",
        "PUT snapshots/all",
    ] {
        let body = if request.starts_with("PUT") {
            json!({"subscription": "projects/shop/subscriptions/news"})
        } else {
            Value::Null
        };
        place.ask(request, body).await.refused(501, "UNIMPLEMENTED", "");
    }
}
