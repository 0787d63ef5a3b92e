//! The golden graphs against Google's discovery documents, as the requests that make their resources: they name every field that an interface takes.

use nephos_conformance::discovery::{Documents, Finding};
use nephos_core::app::App;
use nephos_gcp::deploy::graph::{Grant, Graph, Kind, Node};
use serde_json::{Value, json};

use crate::apps::{CASES, case, rendered};

/// A request.
struct Request {
    method: &'static str,
    path: String,
    query: String,
    body: Value,
}

/// What makes the resource.
fn made(node: &Node) -> Request {
    let (parent, id) = node.name.rsplit_once('/').unwrap();
    let (above, _) = parent.rsplit_once('/').unwrap_or_default();
    let mut body = node.body.clone();
    let post = |path: String, query: String, body: Value| Request {
        method: "POST",
        path,
        query,
        body,
    };
    match node.kind {
        Kind::Repository => post(format!("/v1/{parent}"), format!("repositoryId={id}"), body),
        Kind::Account => {
            let account = id.split('@').next().unwrap();
            let body = json!({"accountId": account, "serviceAccount": body});
            post(format!("/v1/{parent}"), String::new(), body)
        }
        Kind::Secret => post(format!("/v1/{parent}"), format!("secretId={id}"), body),
        Kind::Topic | Kind::Subscription => Request {
            method: "PUT",
            path: format!("/v1/{}", node.name),
            query: String::new(),
            body,
        },
        Kind::Bucket => {
            body["name"] = id.into();
            post("/storage/v1/b".to_owned(), "project=my-shop".to_owned(), body)
        }
        Kind::Notification => {
            let bucket = above.rsplit('/').next().unwrap();
            let path = format!("/storage/v1/b/{bucket}/notificationConfigs");
            post(path, String::new(), body)
        }
        Kind::Database => post(format!("/v1/{parent}"), format!("databaseId={id}"), body),
        Kind::Field => {
            body["name"] = node.name.as_str().into();
            Request {
                method: "PATCH",
                path: format!("/v1/{}", node.name),
                query: "updateMask=ttlConfig".to_owned(),
                body,
            }
        }
        Kind::Service => post(format!("/v2/{parent}"), format!("serviceId={id}"), body),
        Kind::Trigger => {
            body["name"] = node.name.as_str().into();
            post(format!("/v1/{parent}"), format!("triggerId={id}"), body)
        }
        Kind::Job => {
            body["name"] = node.name.as_str().into();
            post(format!("/v1/{parent}"), String::new(), body)
        }
    }
}

/// What gives the role, and the host that it is asked of.
fn given(grant: &Grant) -> (&str, Request) {
    let (host, name) = grant.on.trim_start_matches("//").split_once('/').unwrap();
    let mut binding = json!({"role": grant.role, "members": [grant.member]});
    if let Some(condition) = &grant.condition {
        binding["condition"] = json!({"title": condition.title, "expression": condition.expression});
    }
    let policy = json!({"version": 3, "bindings": [binding]});
    let version = match host {
        "run.googleapis.com" => "v2",
        "cloudresourcemanager.googleapis.com" => "v3",
        _ => "v1",
    };
    let request = match name.strip_prefix("projects/_/buckets/") {
        Some(bucket) => Request {
            method: "PUT",
            path: format!("/storage/v1/b/{bucket}/iam"),
            query: String::new(),
            body: policy,
        },
        None => Request {
            method: "POST",
            path: format!("/{version}/{name}:setIamPolicy"),
            query: String::new(),
            body: json!({"policy": policy}),
        },
    };
    (host, request)
}

/// All that the documents have against making the graph's resources and giving its roles.
fn lint(documents: &Documents, graph: &Graph) -> Vec<Finding> {
    let mut findings = Vec::new();
    let made = graph.nodes.values().map(|node| (node.kind.host(), made(node)));
    for (host, request) in made.chain(graph.grants.iter().map(given)) {
        match documents.find(host, request.method, &request.path) {
            Ok(call) => {
                // A path of one form can be several methods'.
                let is_policy = request.path.ends_with(":setIamPolicy") || request.path.ends_with("/iam");
                assert_eq!(
                    is_policy,
                    call.id().to_lowercase().ends_with("setiampolicy"),
                    "{}",
                    call.id()
                );
                findings.extend(call.check(&request.query, Some(&request.body), None));
            }
            Err(finding) => findings.push(finding),
        }
    }
    findings
}

fn graphs() -> impl Iterator<Item = (&'static str, Graph)> {
    CASES.into_iter().map(|name| {
        let mut app: App = case(name);
        // Placeholders are no names.
        for settings in app.targets.values_mut() {
            settings["project"] = "my-shop".into();
        }
        (name, rendered(&app))
    })
}

#[test]
fn googles_documents_have_every_field_that_the_graphs_set() {
    let documents = Documents::installed().unwrap();
    let mut kinds = std::collections::BTreeSet::new();
    for (name, graph) in graphs() {
        assert_eq!(lint(&documents, &graph), [], "{name}");
        kinds.extend(graph.nodes.values().map(|node| node.kind));
    }
    assert_eq!(kinds.len(), 12, "a kind that no graph has is not held: {kinds:?}");
}

#[test]
fn the_check_rejects_each_mistake_that_is_made_on_purpose() {
    let documents = Documents::installed().unwrap();
    let good = rendered(&case("every-trigger"));
    // In the first resource of a kind: where, what is put there (null takes it away), and what must be said of it.
    let seeds: [(Kind, &str, Value, &str); 19] = [
        (
            Kind::Service,
            "/template/containers/0/img",
            json!("x"),
            "no such field",
        ),
        (
            Kind::Service,
            "/template/service_account",
            json!("x"),
            "`serviceAccount` is one",
        ),
        (Kind::Service, "/template/timeout", json!("a while"), "timeout"),
        (
            Kind::Service,
            "/template/maxInstanceRequestConcurrency",
            json!("many"),
            "maxInstanceRequestConcurrency",
        ),
        (Kind::Service, "/ingress", json!("ALL"), "ingress"),
        (
            Kind::Service,
            "/uri",
            json!("https://x"),
            "only the service sets it",
        ),
        (Kind::Topic, "/label", json!({}), "no such field"),
        (Kind::Subscription, "/topic", json!(null), "is required"),
        (
            Kind::Subscription,
            "/pushConfig/oidcToken/email",
            json!("x"),
            "no such field",
        ),
        (
            Kind::Subscription,
            "/ackDeadlineSeconds",
            json!("soon"),
            "ackDeadlineSeconds",
        ),
        (
            Kind::Secret,
            "/replication/userManaged/replicas",
            json!({}),
            "not a list",
        ),
        (
            Kind::Bucket,
            "/iamConfiguration/uniformBucketLevelAccess/enabled",
            json!("yes"),
            "enabled",
        ),
        (
            Kind::Notification,
            "/eventTypes",
            json!([]),
            "`event_types` is one",
        ),
        (Kind::Database, "/type", json!("NATIVE"), "type"),
        (Kind::Field, "/ttl", json!({}), "no such field"),
        (Kind::Trigger, "/destination", json!(null), "is required"),
        (Kind::Job, "/httpTarget/httpMethod", json!("SEND"), "httpMethod"),
        (Kind::Account, "/email", json!("x"), "only the service sets it"),
        (Kind::Repository, "/format", json!("docker"), "format"),
    ];
    for (kind, place, value, part) in seeds {
        let mut bad = good.clone();
        let node = bad.nodes.values_mut().find(|node| {
            // Of subscriptions, one that is pushed.
            node.kind == kind && (kind != Kind::Subscription || node.body.get("pushConfig").is_some())
        });
        let (parent, key) = place.rsplit_once('/').unwrap();
        let body = node.unwrap().body.pointer_mut(parent).unwrap();
        match value.is_null() {
            true => drop(body.as_object_mut().unwrap().remove(key).unwrap()),
            false => body[key] = value,
        }
        let findings = lint(&documents, &bad);
        let told: Vec<String> = findings.iter().map(ToString::to_string).collect();
        assert!(
            matches!(told.as_slice(), [one] if one.contains(part)),
            "{place}: {told:?}"
        );
    }
}

#[test]
fn a_role_on_what_takes_no_policy_is_rejected() {
    let documents = Documents::installed().unwrap();
    let mut bad = rendered(&case("orders"));
    let database = bad
        .nodes
        .values()
        .find(|node| node.kind == Kind::Database)
        .unwrap();
    let on = database.full_name();
    let mut grant = bad.grants.first().unwrap().clone();
    grant.on.clone_from(&on);
    bad.grants.insert(grant);
    let told: Vec<String> = lint(&documents, &bad).iter().map(ToString::to_string).collect();
    assert!(
        matches!(told.as_slice(), [one] if one.contains("no method has POST") && one.contains("setIamPolicy")),
        "{told:?}"
    );
}
