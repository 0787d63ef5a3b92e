//! Topics and subscriptions of Pub/Sub.

use serde_json::{Value, json};

use crate::client::{Google, PROJECT};

const PUBSUB: &str = "pubsub.googleapis.com/v1";

fn subscription(id: &str) -> String {
    format!("{PUBSUB}/{PROJECT}/subscriptions/{id}")
}

#[tokio::test]
async fn a_subscription_gets_the_values_that_nobody_gave() {
    let google = Google::start().await;
    let topic = google.topic("orders").await;
    let dead = google.topic("orders-dead").await;
    let account = google.account("pushes").await;
    let body = json!({
        "topic": topic,
        "enableMessageOrdering": true,
        "deadLetterPolicy": {"deadLetterTopic": dead},
        "pushConfig": {"pushEndpoint": "https://orders.run.app/", "oidcToken": {"serviceAccountEmail": account}},
    });
    let made = google
        .ask(&format!("PUT {}", subscription("orders")), body.clone())
        .await
        .ok();
    assert_eq!(
        (&made["ackDeadlineSeconds"], &made["messageRetentionDuration"]),
        (&json!(10), &json!("604800s"))
    );
    assert_eq!(
        (&made["deadLetterPolicy"]["maxDeliveryAttempts"], &made["state"]),
        (&json!(5), &json!("ACTIVE"))
    );
    let again = google.ask(&format!("PUT {}", subscription("orders")), body).await;
    again.refused(409, "ALREADY_EXISTS", "resource=orders");
    let of_topic = google.get(&format!("{PUBSUB}/{topic}/subscriptions")).await.ok();
    assert_eq!(
        of_topic,
        json!({"subscriptions": [format!("{PROJECT}/subscriptions/orders")]})
    );
    google
        .ask(&format!("DELETE {PUBSUB}/{topic}"), Value::Null)
        .await
        .ok();
    let left = google.get(&subscription("orders")).await.ok();
    assert_eq!(left["topic"], "_deleted-topic_");
}

#[tokio::test]
async fn a_wrong_subscription_is_refused() {
    let google = Google::start().await;
    let topic = google.topic("orders").await;
    let put = format!("PUT {}", subscription("orders"));
    let with = |field: &str, value: Value| {
        let mut body = json!({"topic": topic});
        body[field] = value;
        body
    };
    let missing = json!({"topic": format!("{PROJECT}/topics/none")});
    google
        .ask(&put, missing)
        .await
        .refused(404, "NOT_FOUND", "resource=none");
    let wrong = [
        ("ackDeadlineSeconds", json!(5), "from 10 to 600"),
        (
            "retryPolicy",
            json!({"minimumBackoff": "30s", "maximumBackoff": "10s"}),
            "not above",
        ),
        (
            "pushConfig",
            json!({"pushEndpoint": "http://a/"}),
            "Invalid push endpoint",
        ),
        (
            "deadLetterPolicy",
            json!({"deadLetterTopic": topic, "maxDeliveryAttempts": 3}),
            "from 5 to 100",
        ),
        ("retryPolice", json!({}), "no such field"),
        ("labels", json!({"a": "b c"}), "lower-case"),
    ];
    for (field, value, words) in wrong {
        google
            .ask(&put, with(field, value))
            .await
            .refused(400, "INVALID_ARGUMENT", words);
    }
    let mut twice = with("enableExactlyOnceDelivery", true.into());
    twice["pushConfig"] = json!({"pushEndpoint": "https://orders.run.app/"});
    google
        .ask(&put, twice)
        .await
        .refused(400, "INVALID_ARGUMENT", "exactly once");
    let dead = json!({"deadLetterTopic": format!("{PROJECT}/topics/none")});
    google
        .ask(&put, with("deadLetterPolicy", dead))
        .await
        .refused(404, "NOT_FOUND", "none");
    let short = format!("PUT {}", subscription("ab"));
    google
        .ask(&short, with("filter", "".into()))
        .await
        .refused(400, "INVALID_ARGUMENT", "3 to 255");
    let theirs = format!("PUT {}", subscription("google-orders"));
    google
        .ask(&theirs, with("filter", "".into()))
        .await
        .refused(400, "INVALID_ARGUMENT", "not with goog");
}

#[tokio::test]
async fn an_update_changes_what_its_mask_names() {
    let google = Google::start().await;
    let topic = google.topic("orders").await;
    let body = json!({"topic": topic, "filter": "attributes.a = \"b\"", "labels": {"a": "b"}});
    google
        .ask(&format!("PUT {}", subscription("orders")), body)
        .await
        .ok();
    let patch = format!("PATCH {}", subscription("orders"));
    let update =
        json!({"subscription": {"ackDeadlineSeconds": 60, "labels": {}}, "updateMask": "ackDeadlineSeconds"});
    let after = google.ask(&patch, update).await.ok();
    assert_eq!(
        (&after["ackDeadlineSeconds"], &after["labels"]),
        (&json!(60), &json!({"a": "b"}))
    );
    let fixed = json!({"subscription": {"filter": ""}, "updateMask": "filter"});
    google
        .ask(&patch, fixed)
        .await
        .refused(400, "INVALID_ARGUMENT", "cannot change");
    let push = json!({"pushConfig": {"pushEndpoint": "https://a/"}});
    google
        .ask(&format!("POST {}:modifyPushConfig", subscription("orders")), push)
        .await
        .ok();
    let after = google.get(&subscription("orders")).await.ok();
    assert_eq!(after["pushConfig"]["pushEndpoint"], "https://a/");
    let labels = json!({"topic": {"labels": {"c": "d"}}, "updateMask": "labels"});
    let topic = google.ask(&format!("PATCH {PUBSUB}/{topic}"), labels).await.ok();
    assert_eq!(topic["labels"], json!({"c": "d"}));
}

#[tokio::test]
async fn messages_do_not_go_through_the_stand_in() {
    let google = Google::start().await;
    let topic = google.topic("orders").await;
    let body = json!({"messages": [{"data": "aGk="}]});
    let publish = google.ask(&format!("POST {PUBSUB}/{topic}:publish"), body).await;
    publish.refused(501, "UNIMPLEMENTED", "pubsub.projects.topics.publish");
}
