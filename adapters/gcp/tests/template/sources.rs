//! Where events come from: notifications, subscriptions, Eventarc's triggers and jobs.

use std::collections::{BTreeMap, BTreeSet};

use nephos_gcp::deploy::graph::Kind;
use nephos_gcp::resources::queue::ORDERED;
use serde_json::{Value, json};

use crate::apps::{app, case, end, node, of_kind, rendered, told};

#[test]
fn keys_and_kinds_of_a_bucket_become_its_notifications() {
    let graph = rendered(&case("every-trigger"));
    let filters: BTreeMap<String, Value> = of_kind(&graph, Kind::Notification)
        .into_iter()
        .map(|node| {
            assert_eq!(node.body["payload_format"], "JSON_API_V1");
            // It goes to the topic that it is named by, which is there before it.
            let topic = node.body["topic"].as_str().unwrap();
            assert_eq!(end(topic), end(&node.name));
            assert!(node.after.contains(topic));
            let prefix = node.body["object_name_prefix"].as_str().unwrap().to_owned();
            (prefix, node.body["event_types"].clone())
        })
        .collect();
    assert_eq!(
        filters,
        [
            ("in/".to_owned(), json!(["OBJECT_FINALIZE", "OBJECT_DELETE"])),
            ("raw/".to_owned(), json!(["OBJECT_FINALIZE"]))
        ]
        .into()
    );
    let sources = told(&graph, "every-bucket").wiring.sources;
    assert_eq!(sources["every-uploads-my-shop"], "uploads");
}

#[test]
fn queues_are_pushed_or_pulled_and_in_order_where_they_are_to_be() {
    let graph = rendered(&case("every-trigger"));
    let of = |name: &str| node(&graph, Kind::Subscription, name).body.clone();
    // Only what is pulled can be delivered exactly once: https://cloud.google.com/pubsub/docs/exactly-once-delivery
    let pushed = of("every-jobs");
    assert!(pushed["pushConfig"]["pushEndpoint"].is_string());
    assert_eq!(pushed.get("enableExactlyOnceDelivery"), None);
    assert_eq!(
        pushed["deadLetterPolicy"]["deadLetterTopic"],
        "projects/my-shop/topics/every-queue-dead-letter"
    );
    assert_eq!(pushed["ackDeadlineSeconds"], 40);
    let pulled = of("every-returned");
    assert_eq!(pulled.get("pushConfig"), None);
    assert_eq!(pulled["enableExactlyOnceDelivery"], true);
    assert_eq!(pulled["ackDeadlineSeconds"], 120);
    assert_eq!(pulled["deadLetterPolicy"]["maxDeliveryAttempts"], 100);
    // What goes there is kept: a topic without a subscription loses all.
    of("every-returned-undelivered");
    // Nobody receives dead letters, so nobody's tries are counted.
    assert_eq!(of("every-queue-dead-letter").get("deadLetterPolicy"), None);
    let in_order: BTreeSet<&str> = of_kind(&graph, Kind::Subscription)
        .into_iter()
        .filter(|node| node.body.get("enableMessageOrdering").is_some())
        .map(|node| node.body["topic"].as_str().unwrap())
        .collect();
    assert_eq!(
        in_order,
        [
            "projects/my-shop/topics/every-clicks",
            "projects/my-shop/topics/every-ordered-jobs"
        ]
        .into()
    );
    for node in of_kind(&graph, Kind::Subscription) {
        assert_eq!(
            node.body["expirationPolicy"],
            json!({}),
            "one that is not used for a month would go"
        );
    }
    // The driver knows which queue keeps order.
    let told = told(&graph, "every-stream").wiring;
    let ordered = told
        .bindings
        .iter()
        .find(|binding| binding.name == "ordered-jobs")
        .unwrap();
    assert_eq!(ordered.properties[ORDERED], "true");
}

#[test]
fn a_table_is_a_database_of_its_own_and_items_expire_where_one_says_when() {
    let graph = rendered(&app(json!({
        "resources": {
            "plain": {"kind": "table", "key": "id"}, "brief": {"kind": "table", "key": "id", "ttl": "until"}, "watched": {"kind": "table", "key": "id"},
        },
        "functions": {
            "all": {"on": [{"kind": "table", "table": "watched", "events": ["inserted", "removed"], "batch": 1}]},
            "new": {"on": [{"kind": "table", "table": "watched", "events": ["inserted"], "batch": 1}]},
        },
    })));
    let databases: BTreeSet<&str> = of_kind(&graph, Kind::Database)
        .into_iter()
        .map(|node| end(&node.name))
        .collect();
    assert_eq!(
        databases,
        ["shop-gcp-brief", "shop-gcp-plain", "shop-gcp-watched"].into()
    );
    let fields: Vec<&str> = of_kind(&graph, Kind::Field)
        .into_iter()
        .map(|node| node.name.as_str())
        .collect();
    assert_eq!(
        fields,
        ["projects/my-shop/databases/shop-gcp-brief/collectionGroups/brief/fields/_nephos_expires"]
    );
    let filters: BTreeSet<String> = of_kind(&graph, Kind::Trigger)
        .into_iter()
        .map(|node| {
            let filters = node.body["eventFilters"].as_array().unwrap();
            let value = |attribute: &str| {
                let filter = filters
                    .iter()
                    .find(|filter| filter["attribute"] == attribute)
                    .unwrap();
                filter["value"].as_str().unwrap().to_owned()
            };
            format!("{} {} {}", value("type"), value("database"), value("document"))
        })
        .collect();
    let of = |change: &str| format!("google.cloud.firestore.document.v1.{change} shop-gcp-watched watched/*");
    assert_eq!(filters, [of("written"), of("created")].into());
}

#[test]
fn a_schedule_without_a_time_zone_of_its_own_is_in_utc() {
    let graph = rendered(&app(json!({"functions": {"work": {"on": [
        {"kind": "schedule", "schedule": "every hour", "every": {"secs": 3600, "nanos": 0}, "timezone": "Europe/London"},
        {"kind": "schedule", "schedule": "30 6 * * MON", "timezone": "Europe/London"},
    ]}}})));
    let jobs: BTreeSet<(&str, &str)> = of_kind(&graph, Kind::Job)
        .into_iter()
        .map(|node| {
            (
                node.body["schedule"].as_str().unwrap(),
                node.body["timeZone"].as_str().unwrap(),
            )
        })
        .collect();
    assert_eq!(
        jobs,
        [("0 * * * *", "UTC"), ("30 6 * * 1", "Europe/London")].into()
    );
}
