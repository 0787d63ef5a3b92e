//! What is worked out of a graph and of what there is.

use std::collections::BTreeSet;

use nephos_core::resource::ResourceKind;

use super::*;
use crate::deploy::graph::full_name;
use crate::deploy::label::Mark;

const OWNER: Owner<'_> = Owner {
    app: "shop",
    target: "gcp",
    ids: Ids {
        project: "p",
        number: "123",
    },
    operation: "deploy.preview",
};

fn part(kind: Kind) -> Part {
    match kind {
        Kind::Service => Part::Function {
            name: "hello".to_owned(),
        },
        Kind::Bucket => Part::Resource {
            kind: ResourceKind::Bucket,
            name: "pictures".to_owned(),
        },
        _ => Part::App,
    }
}

fn node(kind: Kind, name: &str, mut body: Value) -> Node {
    let mark = Mark::of("shop", "gcp", &part(kind));
    if is_marked(kind) {
        body["labels"] = json!(mark.labels());
    }
    Node {
        kind,
        name: name.to_owned(),
        part: part(kind),
        body,
        after: BTreeSet::new(),
    }
}

fn graph(nodes: Vec<Node>) -> Graph {
    let nodes = nodes.into_iter().map(|node| (node.full_name(), node));
    Graph {
        nodes: nodes.collect(),
        ..Graph::default()
    }
}

/// As it is right after it was made.
fn made(node: &Node) -> Thing {
    Thing {
        kind: node.kind,
        name: node.name.clone(),
        body: node.body.clone(),
        mark: node.body.get("labels").and_then(Mark::of_labels),
    }
}

fn state(things: Vec<Thing>) -> State {
    State {
        things: things
            .into_iter()
            .map(|thing| (thing.full_name(), thing))
            .collect(),
        ..State::default()
    }
}

fn told(changes: &Changes, graph: &Graph) -> Vec<String> {
    changes
        .steps(graph)
        .iter()
        .map(|step| step.to_string().split_whitespace().collect::<Vec<_>>().join(" "))
        .collect()
}

fn service() -> Node {
    node(
        Kind::Service,
        "projects/p/locations/r/services/hello",
        json!({"template": {"timeout": "10s"}}),
    )
}

fn bucket() -> Node {
    node(
        Kind::Bucket,
        "projects/_/buckets/pictures-p",
        json!({"location": "EUROPE-WEST1"}),
    )
}

fn subscription(body: Value) -> Node {
    node(Kind::Subscription, "projects/p/subscriptions/jobs", body)
}

#[test]
fn what_is_as_it_is_to_be_is_left_alone_and_what_is_missing_is_made() {
    let graph = graph(vec![service(), bucket()]);
    let changes = Changes::between(&graph, &State::default(), OWNER).unwrap();
    assert_eq!(
        told(&changes, &graph),
        ["+ Cloud Run service hello", "+ Cloud Storage bucket pictures-p"]
    );
    let there = state(vec![made(&service()), made(&bucket())]);
    assert!(Changes::between(&graph, &there, OWNER).unwrap().is_empty());
}

#[test]
fn what_is_no_more_wanted_goes_and_what_holds_data_is_let_go_of_once() {
    let empty = graph(vec![]);
    let there = state(vec![made(&service()), made(&bucket())]);
    let changes = Changes::between(&empty, &there, OWNER).unwrap();
    assert_eq!(
        told(&changes, &empty),
        [
            "- Cloud Run service hello",
            "- Cloud Storage bucket pictures-p its data is kept"
        ]
    );
    let mut kept = made(&bucket());
    kept.body["labels"][KEPT] = "true".into();
    let there = state(vec![kept]);
    assert!(Changes::between(&empty, &there, OWNER).unwrap().is_empty());
    // It is taken again, without the label.
    let back = graph(vec![bucket()]);
    let changes = Changes::between(&back, &there, OWNER).unwrap();
    assert_eq!(changes.adopted, ["pictures-p"]);
    assert_eq!(
        told(&changes, &back),
        [format!("~ Cloud Storage bucket pictures-p (labels.{KEPT})")]
    );
}

#[test]
fn what_is_somebody_elses_is_left_alone() {
    let graph = graph(vec![service()]);
    let mut strangers = made(&service());
    strangers.mark = None;
    let error = Changes::between(&graph, &state(vec![strangers.clone()]), OWNER).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::AlreadyExists);
    assert!(error.to_string().contains("none of Nephos"), "{error}");
    strangers.mark = Some(Mark::of("other", "gcp", &Part::App));
    let error = Changes::between(&graph, &state(vec![strangers]), OWNER).unwrap_err();
    assert!(error.to_string().contains("the app other"), "{error}");
}

#[test]
fn what_cannot_be_changed_is_made_again_unless_it_holds_data() {
    let there = state(vec![made(&subscription(
        json!({"topic": "projects/p/topics/old"}),
    ))]);
    let graph = graph(vec![subscription(json!({"topic": "projects/p/topics/new"}))]);
    let changes = Changes::between(&graph, &there, OWNER).unwrap();
    assert_eq!(
        told(&changes, &graph),
        ["! Pub/Sub subscription jobs (topic) ITS DATA IS LOST"]
    );
    let mut moved = bucket();
    moved.body["location"] = "US".into();
    let moved = super::tests::graph(vec![moved]);
    let error = Changes::between(&moved, &state(vec![made(&bucket())]), OWNER).unwrap_err();
    assert!(error.to_string().contains("field=location"), "{error}");
}

#[test]
fn what_a_graph_says_nothing_of_any_more_is_none() {
    let pushed = subscription(json!({
        "pushConfig": {"pushEndpoint": "https://x"}, "deadLetterPolicy": {"maxDeliveryAttempts": 6}, "ackDeadlineSeconds": 30,
    }));
    let graph = graph(vec![subscription(json!({"ackDeadlineSeconds": 30}))]);
    let changes = Changes::between(&graph, &state(vec![made(&pushed)]), OWNER).unwrap();
    assert_eq!(
        told(&changes, &graph),
        ["~ Pub/Sub subscription jobs (deadLetterPolicy, pushConfig)"]
    );
    let mut warm = service();
    warm.body["template"]["scaling"] = json!({"minInstanceCount": 1, "maxInstanceCount": 2});
    let mut cold = service();
    cold.body["template"]["scaling"] = json!({"maxInstanceCount": 2});
    let graph = super::tests::graph(vec![cold]);
    let changes = Changes::between(&graph, &state(vec![made(&warm)]), OWNER).unwrap();
    assert_eq!(
        told(&changes, &graph),
        ["~ Cloud Run service hello (template.scaling.minInstanceCount)"]
    );
}

#[test]
fn what_does_not_work_is_brought_about_again() {
    let graph = graph(vec![service()]);
    let mut broken = made(&service());
    broken.body["terminalCondition"] = json!({"state": "CONDITION_FAILED", "message": "it does not start"});
    let changes = Changes::between(&graph, &state(vec![broken]), OWNER).unwrap();
    assert_eq!(
        told(&changes, &graph),
        ["~ Cloud Run service hello (template (it does not work))"]
    );
}

#[test]
fn a_digest_tells_changes_of_what_was_read_from_those_of_anything_else() {
    let mut newer = service();
    newer.body["template"]["timeout"] = "20s".into();
    let graph = graph(vec![newer]);
    let digest = |timeout: &str| {
        let mut there = made(&service());
        there.body["template"]["timeout"] = timeout.into();
        let there = state(vec![there]);
        Changes::between(&graph, &there, OWNER)
            .unwrap()
            .digest(&graph, &there)
    };
    assert_eq!(digest("10s"), digest("10s"));
    assert_ne!(digest("10s"), digest("30s"));
}

#[test]
fn roles_are_given_and_taken_where_they_differ() {
    let mut graph = graph(vec![service()]);
    let on = full_name(Kind::Service, &service().name);
    let grant = |member: &str| Grant {
        on: on.clone(),
        role: "roles/run.invoker".to_owned(),
        member: member.to_owned(),
        condition: None,
        part: part(Kind::Service),
    };
    graph
        .grants
        .insert(grant("serviceAccount:caller@p.iam.gserviceaccount.com"));
    let mut there = state(vec![made(&service())]);
    let policy =
        json!({"bindings": [{"role": "roles/run.invoker", "members": ["allUsers", "user:ann@example.com"]}]});
    there.policies.insert(on.clone(), Policy::of(policy));
    let changes = Changes::between(&graph, &there, OWNER).unwrap();
    assert_eq!(
        told(&changes, &graph),
        [
            "+ role roles/run.invoker on hello for caller",
            "- role roles/run.invoker on hello for allUsers"
        ]
    );
}
