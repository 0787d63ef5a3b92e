//! Names: what they are made of, how long they may be, and what stands for what is not known.

use nephos_gcp::deploy::graph::{Graph, Kind};
use serde_json::json;

use crate::apps::{app, end, node, of_kind, refused, rendered, target};

/// An app that has all kinds, whose names are as long as a manifest lets them be.
fn long() -> Graph {
    let name = |first: char| format!("{first}{}", "x".repeat(62));
    let project = format!("p{}", "z".repeat(29));
    rendered(&app(json!({
        "name": name('a'),
        "resources": {
            name('b'): {"kind": "bucket"}, name('q'): {"kind": "queue"}, name('n'): {"kind": "topic"}, name('c'): {"kind": "stream"},
            name('t'): {"kind": "table", "key": "id", "ttl": "until"}, name('s'): {"kind": "secret"},
        },
        "functions": {
            name('f'): {
                "on": [
                    {"kind": "bucket", "bucket": name('b'), "event": "created", "prefix": "", "suffix": ""},
                    {"kind": "queue", "queue": name('q'), "batch": 1},
                    {"kind": "topic", "topic": name('n'), "filter": {}},
                    {"kind": "stream", "stream": name('c'), "batch": 1},
                    {"kind": "table", "table": name('t'), "events": ["inserted"], "batch": 1},
                    {"kind": "schedule", "schedule": "0 6 * * *", "timezone": "UTC"},
                ],
                "dead_letter": name('d'),
            },
            name('g'): {},
        },
        "targets": target(json!({"project": project})),
    })))
}

#[test]
fn long_names_are_as_long_as_google_takes_and_stay_apart() {
    let graph = long();
    for (kind, most) in [
        (Kind::Service, 49),
        (Kind::Account, 30),
        (Kind::Bucket, 63),
        (Kind::Database, 63),
        (Kind::Trigger, 63),
        (Kind::Repository, 63),
        (Kind::Job, 255),
        (Kind::Topic, 255),
        (Kind::Subscription, 255),
        (Kind::Secret, 255),
    ] {
        let nodes = of_kind(&graph, kind);
        assert!(!nodes.is_empty(), "{kind:?}");
        for node in nodes {
            let name = end(&node.name).split('@').next().unwrap();
            assert!(name.len() <= most, "{kind:?}: {name}");
            assert!(
                name.bytes()
                    .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
                    && name.starts_with(|c: char| c.is_ascii_lowercase())
                    && !name.ends_with('-'),
                "{kind:?}: {name}"
            );
        }
    }
    // Of two functions.
    assert_eq!(of_kind(&graph, Kind::Service).len(), 2);
    assert_eq!(of_kind(&graph, Kind::Account).len(), 3);
}

#[test]
fn short_names_are_long_enough_for_google() {
    let graph = rendered(&app(json!({
        "name": "a",
        "resources": {"t": {"kind": "table", "key": "id"}},
        "functions": {"f": {}},
        "targets": target(json!({"prefix": "a"})),
    })));
    let accounts = of_kind(&graph, Kind::Account);
    let [account] = accounts.as_slice() else {
        panic!("{accounts:?}");
    };
    let name = end(&account.name).split('@').next().unwrap();
    assert!((6..=30).contains(&name.len()), "{name}");
    let database = end(&of_kind(&graph, Kind::Database)[0].name);
    assert!((4..=63).contains(&database.len()), "{database}");
}

#[test]
fn a_service_answers_at_the_address_that_follows_from_its_name() {
    let graph = rendered(&app(
        json!({"functions": {"place": {"on": [{"kind": "auth", "stage": "before_sign_up"}]}}}),
    ));
    assert_eq!(
        node(&graph, Kind::Service, "shop-gcp-place").name,
        "projects/my-shop/locations/europe-west1/services/shop-gcp-place"
    );
    let told = crate::apps::told(&graph, "shop-gcp-place");
    assert_eq!(
        told.callers.auth.unwrap().audiences,
        ["https://shop-gcp-place-123456789012.europe-west1.run.app/.nephos/auth/before_sign_up"]
    );
}

#[test]
fn what_is_not_known_is_told() {
    let graph = rendered(&app(json!({
        "resources": {"b": {"kind": "bucket"}},
        "functions": {"work": {"on": [{"kind": "bucket", "bucket": "b", "event": "created", "prefix": "", "suffix": ""}]}},
        "targets": {"gcp": {"region": "europe-west1"}},
    })));
    let service = node(&graph, Kind::Service, "shop-gcp-work");
    assert!(
        service.name.starts_with("projects/{project}/"),
        "{}",
        service.name
    );
    assert_eq!(service.body["template"]["containers"][0]["image"], "{image}");
    node(&graph, Kind::Bucket, "shop-gcp-b-{project}");
    assert!(
        graph.grants.iter().any(|grant| grant.member
            == "serviceAccount:service-{project-number}@gs-project-accounts.iam.gserviceaccount.com"),
        "{:?}",
        graph.grants
    );
    for placeholder in ["{project}", "{project-number}", "{image}"] {
        let notes: Vec<&String> = graph
            .notes
            .iter()
            .filter(|note| note.starts_with(placeholder))
            .collect();
        assert_eq!(notes.len(), 1, "{placeholder}: {:?}", graph.notes);
    }
    let known = rendered(&app(json!({"functions": {"work": {}}})));
    assert!(
        !known.notes.iter().any(|note| note.contains("stands for")),
        "{:?}",
        known.notes
    );
}

#[test]
fn names_that_are_googles_are_refused() {
    let error = refused(json!({"name": "google-sync"}));
    assert!(error.contains("key=target.gcp.prefix"), "{error}");
    let error = refused(json!({"resources": {"from-google": {"kind": "bucket"}}}));
    assert!(error.contains("bucket=from-google"), "{error}");
}

#[test]
fn two_things_of_one_name_are_refused() {
    // The account that calls with events is named like a function of this name.
    let error = refused(json!({
        "resources": {"q": {"kind": "queue"}},
        "functions": {"nephos-caller": {"on": [{"kind": "queue", "queue": "q", "batch": 1}]}},
    }));
    assert!(
        error.contains("one name on Google Cloud") && error.contains("kind=service account"),
        "{error}"
    );
}

#[test]
fn an_old_organisations_project_has_its_domain_where_google_writes_it() {
    let graph = rendered(&app(json!({
        "resources": {"b": {"kind": "bucket"}},
        "functions": {"work": {"uses": {"b": ["read"]}}},
        "targets": target(json!({"project": "example.com:my-shop"})),
    })));
    let account = of_kind(&graph, Kind::Account)[0];
    assert_eq!(
        account.name,
        "projects/example.com:my-shop/serviceAccounts/shop-gcp-work@my-shop.example.com.iam.gserviceaccount.com"
    );
    let bucket = end(&of_kind(&graph, Kind::Bucket)[0].name);
    assert!(
        bucket.starts_with("shop-gcp-b-my-shop-") && !bucket.contains([':', '.']),
        "{bucket}"
    );
}
