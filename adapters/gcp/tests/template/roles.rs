//! Who may do what: a function's account no more than its `uses` and triggers need, and nowhere else; Google's own accounts what they need for that.

use std::collections::BTreeSet;

use nephos_gcp::deploy::graph::{Graph, Kind};
use serde_json::{Value, json};

use crate::apps::{CASES, app, case, end, rendered, target};

const PUBLISHER: &str = "roles/pubsub.publisher";
const SUBSCRIBER: &str = "roles/pubsub.subscriber";
const INVOKER: &str = "roles/run.invoker";
const PUBSUB: &str = "serviceAccount:service-123456789012@gcp-sa-pubsub.iam.gserviceaccount.com";
const STORAGE: &str = "serviceAccount:service-123456789012@gs-project-accounts.iam.gserviceaccount.com";

fn account(name: &str) -> String {
    format!("serviceAccount:shop-gcp-{name}@my-shop.iam.gserviceaccount.com")
}

/// Roles, each with the host and the end of what it is on, and its condition.
type Roles = BTreeSet<(String, String, String, Option<String>)>;

fn roles(graph: &Graph, member: &str) -> Roles {
    let grants = graph.grants.iter().filter(|grant| grant.member == member);
    grants
        .map(|grant| {
            let host = grant.on.trim_start_matches("//").split('.').next().unwrap();
            let condition = grant
                .condition
                .as_ref()
                .map(|condition| condition.expression.clone());
            (
                grant.role.clone(),
                host.to_owned(),
                end(&grant.on).to_owned(),
                condition,
            )
        })
        .collect()
}

fn set(roles: &[(&str, &str, &str)]) -> Roles {
    roles
        .iter()
        .map(|(role, host, on)| ((*role).to_owned(), (*host).to_owned(), (*on).to_owned(), None))
        .collect()
}

fn of_uses(uses: &Value) -> Graph {
    rendered(&app(json!({
        "resources": {
            "bucket": {"kind": "bucket"}, "queue": {"kind": "queue"}, "ordered": {"kind": "queue", "ordered": true}, "topic": {"kind": "topic"},
            "stream": {"kind": "stream"}, "table": {"kind": "table", "key": "id"}, "secret": {"kind": "secret"}, "elsewhere": {"kind": "secret"},
            "outside": {"kind": "bucket", "url": "s3://evidence", "credentials": "secret"},
        },
        "functions": {"work": {"uses": uses}},
        "targets": target(json!({"secrets": {"elsewhere": "projects/ours/secrets/s"}})),
    })))
}

#[test]
fn each_access_has_its_role_on_the_very_resource() {
    let bucket = "shop-gcp-bucket-my-shop";
    let own = "shop-gcp-work@my-shop.iam.gserviceaccount.com";
    let viewer = ("roles/storage.objectViewer", "storage", bucket);
    let writer = ("roles/storage.legacyBucketWriter", "storage", bucket);
    let signs = ("roles/iam.serviceAccountTokenCreator", "iam", own);
    let topic = |name| (PUBLISHER, "pubsub", name);
    let secret = (
        "roles/secretmanager.secretAccessor",
        "secretmanager",
        "shop-gcp-secret",
    );
    for (uses, expected) in [
        (json!({}), set(&[])),
        (json!({"bucket": ["read"]}), set(&[viewer, signs])),
        (json!({"bucket": ["write"]}), set(&[writer, signs])),
        (json!({"bucket": ["delete"]}), set(&[writer, signs])),
        (
            json!({"bucket": ["read", "delete"]}),
            set(&[viewer, writer, signs]),
        ),
        (json!({"queue": ["send"]}), set(&[topic("shop-gcp-queue")])),
        (
            json!({"queue": ["receive"]}),
            set(&[(SUBSCRIBER, "pubsub", "shop-gcp-queue")]),
        ),
        (json!({"ordered": ["send"]}), set(&[topic("shop-gcp-ordered")])),
        (json!({"topic": ["publish"]}), set(&[topic("shop-gcp-topic")])),
        (json!({"stream": ["write"]}), set(&[topic("shop-gcp-stream")])),
        (json!({"secret": ["read"]}), set(&[secret])),
        (json!({"outside": ["write"]}), set(&[secret])),
        (json!({"elsewhere": ["read"]}), set(&[])),
    ] {
        let graph = of_uses(&uses);
        assert_eq!(roles(&graph, &account("work")), expected, "{uses}");
        // What is sent goes to the topic, and what is received comes by the subscription.
        for grant in &graph.grants {
            let expected = match grant.role.as_str() {
                PUBLISHER => "/topics/",
                SUBSCRIBER => "/subscriptions/",
                _ => "",
            };
            assert!(grant.on.contains(expected), "{grant:?}");
        }
    }
}

#[test]
fn tables_are_given_one_by_one_under_a_condition_on_the_projects_own_policy() {
    for (access, role) in [
        (json!(["read"]), "roles/datastore.viewer"),
        (json!(["write"]), "roles/datastore.user"),
        (json!(["read", "delete"]), "roles/datastore.user"),
    ] {
        let graph = of_uses(&json!({ "table": access }));
        let expected = BTreeSet::from([(
            role.to_owned(),
            "cloudresourcemanager".to_owned(),
            "my-shop".to_owned(),
            Some("resource.name == \"projects/my-shop/databases/shop-gcp-table\"".to_owned()),
        )]);
        assert_eq!(roles(&graph, &account("work")), expected, "{access}");
    }
}

#[test]
fn google_may_push_move_dead_letters_and_publish_notifications_and_calls_as_one_account() {
    let graph = rendered(&app(json!({
        "resources": {
            "bucket": {"kind": "bucket"}, "jobs": {"kind": "queue"}, "stream": {"kind": "stream"}, "table": {"kind": "table", "key": "id"},
        },
        "functions": {
            "upload": {"on": [{"kind": "bucket", "bucket": "bucket", "event": "created", "prefix": "", "suffix": ""}]},
            "queue": {"on": [{"kind": "queue", "queue": "jobs", "batch": 1}]},
            "stream": {"on": [{"kind": "stream", "stream": "stream", "batch": 1}], "dead_letter": "queue-dead-letter"},
            "table": {"on": [{"kind": "table", "table": "table", "events": ["inserted"], "batch": 1}]},
            "web": {"on": [{"kind": "http", "method": null, "path": "/"}]},
            "alone": {},
        },
    })));
    // For dead letters alone.
    for function in ["upload", "table"] {
        let letters = format!("shop-gcp-{function}-dead-letter");
        let expected = set(&[(PUBLISHER, "pubsub", letters.as_str())]);
        assert_eq!(roles(&graph, &account(function)), expected);
    }
    for function in ["queue", "stream"] {
        let expected = set(&[(PUBLISHER, "pubsub", "shop-gcp-queue-dead-letter")]);
        assert_eq!(roles(&graph, &account(function)), expected);
    }
    assert_eq!(roles(&graph, &account("web")), set(&[]));
    assert_eq!(
        roles(&graph, "allUsers"),
        set(&[(INVOKER, "run", "shop-gcp-web")])
    );
    let called = ["upload", "queue", "stream", "table"].map(|function| format!("shop-gcp-{function}"));
    let mut expected = set(&called
        .each_ref()
        .map(|service| (INVOKER, "run", service.as_str())));
    expected.extend(set(&[(
        "roles/eventarc.eventReceiver",
        "cloudresourcemanager",
        "my-shop",
    )]));
    assert_eq!(roles(&graph, &account("nephos-caller")), expected);

    let notified: Vec<&str> = (graph.nodes.values())
        .filter(|node| node.kind == Kind::Notification)
        .map(|node| end(&node.name))
        .collect();
    let &[inbox] = notified.as_slice() else {
        panic!("{notified:?}");
    };
    assert_eq!(roles(&graph, STORAGE), set(&[(PUBLISHER, "pubsub", inbox)]));
    let streamed = (graph.nodes.values())
        .find(|node| node.kind == Kind::Subscription && node.name.contains("stream-stream"))
        .map(|node| end(&node.name))
        .unwrap();
    let caller = "shop-gcp-nephos-caller@my-shop.iam.gserviceaccount.com";
    let letters = |name| (PUBLISHER, "pubsub", name);
    let moves = |name| (SUBSCRIBER, "pubsub", name);
    assert_eq!(
        roles(&graph, PUBSUB),
        set(&[
            letters("shop-gcp-upload-dead-letter"),
            letters("shop-gcp-queue-dead-letter"),
            moves(inbox),
            moves("shop-gcp-jobs"),
            moves(streamed),
            ("roles/iam.serviceAccountOpenIdTokenCreator", "iam", caller),
        ])
    );
}

#[test]
fn an_app_without_events_has_no_account_that_calls() {
    let graph = rendered(&case("hello-http"));
    let accounts = graph.nodes.values().filter(|node| node.kind == Kind::Account);
    assert_eq!(accounts.count(), 1);
    let members: BTreeSet<&str> = graph.grants.iter().map(|grant| grant.member.as_str()).collect();
    assert_eq!(members, ["allUsers"].into());
}

#[test]
fn whoever_is_given_anything_is_an_account_of_the_graph_or_googles() {
    for name in CASES {
        let graph = rendered(&case(name));
        let ours: BTreeSet<String> = (graph.nodes.values())
            .filter(|node| node.kind == Kind::Account)
            .map(|node| format!("serviceAccount:{}", end(&node.name)))
            .collect();
        for grant in &graph.grants {
            let is_googles =
                grant.member.contains("@gcp-sa-pubsub.") || grant.member.contains("@gs-project-accounts.");
            assert!(
                ours.contains(&grant.member) || is_googles || grant.member == "allUsers",
                "{name}: {grant:?}"
            );
            let is_project = grant
                .on
                .starts_with("//cloudresourcemanager.googleapis.com/projects/");
            assert!(
                is_project || graph.nodes.contains_key(&grant.on),
                "{name}: {grant:?}"
            );
            // On the project nobody is given anything but ours.
            assert!(!is_project || ours.contains(&grant.member), "{name}: {grant:?}");
            if grant.member == "allUsers" {
                assert_eq!(grant.role, INVOKER);
            }
        }
    }
}
