//! Graphs and what functions are told, together: what one names, the other makes.

use std::collections::{BTreeMap, BTreeSet};

use nephos_core::app::Resource;
use nephos_gcp::deploy::features;
use nephos_gcp::deploy::graph::{Graph, Kind, full_name};
use nephos_gcp::deploy::label::Mark;
use nephos_gcp::wiring::{Caller, Form};
use serde_json::{Value, json};

use crate::apps::{CASES, NUMBER, PROJECT, app, case, end, node, of_kind, rendered, target, told, variables};

/// The functions of a graph by their services' ids.
fn functions(graph: &Graph) -> BTreeMap<String, String> {
    of_kind(graph, Kind::Service)
        .into_iter()
        .map(|node| {
            let mark = Mark::of_labels(&node.body["labels"]).unwrap();
            (end(&node.name).to_owned(), mark.name)
        })
        .collect()
}

/// Where events are sent: the URLs of pushes and jobs, and of Eventarc's triggers as such; with the form in which they come.
fn destinations(graph: &Graph, region: &str) -> BTreeMap<String, Form> {
    let url = |service: &str| format!("https://{service}-{NUMBER}.{region}.run.app");
    graph
        .nodes
        .values()
        .filter_map(|node| match node.kind {
            Kind::Subscription => {
                let push = node.body.get("pushConfig")?;
                let endpoint = push["pushEndpoint"].as_str()?;
                // The token is for the service, and of the account that may call it.
                let audience = push["oidcToken"]["audience"].as_str()?;
                assert!(endpoint.starts_with(audience), "{endpoint}");
                Some((endpoint.to_owned(), Form::Push))
            }
            Kind::Job => {
                let target = &node.body["httpTarget"];
                let uri = target["uri"].as_str()?;
                assert!(
                    uri.starts_with(target["oidcToken"]["audience"].as_str()?),
                    "{uri}"
                );
                Some((uri.to_owned(), Form::Scheduler))
            }
            Kind::Trigger => {
                let run = &node.body["destination"]["cloudRun"];
                let service = run["service"].as_str()?;
                Some((
                    format!("{}{}", url(service), run["path"].as_str()?),
                    Form::CloudEvent,
                ))
            }
            _ => None,
        })
        .collect()
}

#[test]
fn events_are_sent_where_a_function_takes_them_and_nowhere_else() {
    let mut kinds = BTreeSet::new();
    for name in CASES {
        let app = case(name);
        if app.targets["gcp"].get("project").is_none() {
            continue;
        }
        let region = app.targets["gcp"]["region"].as_str().unwrap();
        let graph = rendered(&app);
        let mut taken = BTreeMap::new();
        for (service, function) in functions(&graph) {
            for (trigger, source) in told(&graph, &service).triggers {
                assert!(
                    app.functions[&function].on.contains(&source.trigger),
                    "{name}: {trigger}"
                );
                kinds.insert(source.trigger.kind());
                let url = format!(
                    "https://{service}-{NUMBER}.{region}.run.app{}",
                    source.path(&trigger)
                );
                taken.insert(url, source.by);
            }
        }
        assert_eq!(destinations(&graph, region), taken, "{name}");
    }
    assert_eq!(kinds.len(), 6, "{kinds:?}");
}

#[test]
fn all_that_calls_a_function_is_told_to_it() {
    for name in CASES {
        let app = case(name);
        let graph = rendered(&app);
        let functions = functions(&graph);
        assert_eq!(functions.len(), app.functions.len());
        for (service, function) in functions {
            let told = told(&graph, &service);
            let steps = told.callers.auth.map_or(0, |auth| auth.stages.len());
            let count = told.triggers.len()
                + told.wiring.routes.len()
                + told.callers.addresses.len()
                + told.callers.skills.len()
                + steps;
            let spec = &app.functions[&function];
            assert_eq!(count, spec.on.len(), "{name}: {function}");
            assert_eq!(told.wiring.timeout, Some(spec.timeout));
            assert_eq!(told.wiring.retry.as_ref(), Some(&spec.retry));
            assert_eq!(told.wiring.dead_letter.is_some(), spec.has_dead_letters());
        }
    }
}

#[test]
fn what_a_function_opens_is_made_before_it() {
    for name in CASES {
        let app = case(name);
        let graph = rendered(&app);
        for (service, function) in functions(&graph) {
            let service = node(&graph, Kind::Service, &service);
            let told = told(&graph, end(&service.name));
            let mut opened = Vec::new();
            for binding in &told.wiring.bindings {
                if binding.url.is_some() {
                    continue;
                }
                let physical = binding.properties["physical"].as_str();
                opened.push(match &app.resources[&binding.name] {
                    Resource::Bucket(_) => full_name(Kind::Bucket, &format!("projects/_/buckets/{physical}")),
                    Resource::Queue(_) | Resource::Topic(_) | Resource::Stream(_) => {
                        full_name(Kind::Topic, physical)
                    }
                    Resource::Table(_) => {
                        let (database, collection) = physical.split_once("/documents/").unwrap();
                        assert_eq!(collection, binding.name);
                        full_name(Kind::Database, database)
                    }
                    Resource::Secret(_) if physical.starts_with("projects/ours/") => continue,
                    Resource::Secret(_) => full_name(Kind::Secret, physical),
                });
            }
            opened.extend(
                told.wiring
                    .dead_letter
                    .map(|topic| full_name(Kind::Topic, &topic)),
            );
            for full in opened {
                assert!(graph.nodes.contains_key(&full), "{name}: {function}: {full}");
                assert!(service.after.contains(&full), "{name}: {function}: {full}");
            }
        }
    }
}

#[test]
fn what_comes_before_something_is_there_and_nothing_waits_for_itself() {
    for name in CASES {
        let graph = rendered(&case(name));
        let mut done: BTreeSet<&str> = BTreeSet::new();
        while done.len() < graph.nodes.len() {
            let ready: Vec<&str> = (graph.nodes.iter())
                .filter(|(name, _)| !done.contains(name.as_str()))
                .filter(|(_, node)| node.after.iter().all(|before| done.contains(before.as_str())))
                .map(|(name, _)| name.as_str())
                .collect();
            assert!(
                !ready.is_empty(),
                "{name}: {:?} of {:#?}",
                done,
                graph.nodes.keys()
            );
            done.extend(ready);
        }
    }
}

#[test]
fn all_that_can_bear_a_mark_says_whose_it_is_and_what_for() {
    for name in CASES {
        let app = case(name);
        let graph = rendered(&app);
        for node in graph.nodes.values() {
            let mark = match node.kind {
                Kind::Database | Kind::Field => continue,
                Kind::Account | Kind::Job => Mark::of_description(node.body["description"].as_str().unwrap()),
                Kind::Notification => Mark::of_labels(&node.body["custom_attributes"]),
                _ => Mark::of_labels(&node.body["labels"]),
            };
            let mark = mark.unwrap_or_else(|| panic!("{name}: {node:?}"));
            assert!(mark.is_of(&app.name, "gcp"));
            assert_eq!(mark.part(), node.part, "{name}: {}", node.name);
        }
    }
    let graph = rendered(&case("every-trigger"));
    let service = node(&graph, Kind::Service, "every-http");
    assert_eq!(service.body["labels"]["team"], "web");
    assert_eq!(service.body["template"]["labels"], service.body["labels"]);
}

#[test]
fn a_function_knows_who_it_is_and_has_its_own_variables() {
    let graph = rendered(&case("every-trigger"));
    let variables: BTreeMap<String, String> = variables(&graph, "every-http").into_iter().collect();
    for (name, value) in [
        ("NEPHOS_FUNCTION", "http"),
        ("NEPHOS_APP", "every-trigger"),
        ("NEPHOS_TARGET", "gcp"),
        ("GOOGLE_CLOUD_PROJECT", PROJECT),
        ("GREETING", "say \"hello\" for ${PRICE}"),
        ("LIST", "[1, 2]"),
    ] {
        assert_eq!(variables[name], value, "{name}");
    }
    assert_eq!(variables.len(), 7);
}

#[test]
fn who_calls_a_public_function_with_events_brings_a_token_for_it() {
    let graph = rendered(&case("every-trigger"));
    let caller = |service: &str| {
        let triggers = told(&graph, service).triggers;
        let callers: Vec<Caller> = triggers.into_values().map(|source| source.caller).collect();
        let [caller] = callers.as_slice() else {
            panic!("{callers:?}");
        };
        caller.clone()
    };
    // By requests too.
    let expected = Caller::Token {
        audience: format!("https://every-queue-{NUMBER}.us-east5.run.app"),
        email: "every-nephos-caller@my-shop.iam.gserviceaccount.com".to_owned(),
    };
    assert_eq!(caller("every-queue"), expected);
    assert_eq!(caller("every-stream"), Caller::Platform);
}

#[test]
fn those_who_wait_are_known_by_what_the_function_is_told() {
    let graph = rendered(&case("every-trigger"));
    let email = told(&graph, "every-email").callers;
    assert_eq!(email.mail.unwrap().secret, "projects/ours/secrets/password");
    assert_eq!(email.addresses, ["*@example.net", "desk@example.org"]);
    let auth = told(&graph, "every-auth").callers.auth.unwrap();
    assert_eq!(auth.project, PROJECT);
    let url = format!("https://every-auth-{NUMBER}.us-east5.run.app/.nephos/auth");
    assert_eq!(
        auth.audiences,
        [format!("{url}/before_sign_up"), format!("{url}/beforeSendSms")]
    );
    let voice = told(&graph, "every-voice");
    assert_eq!(voice.callers.skills, ["kitchen"]);
    assert_eq!(voice.wiring.sources["amzn1.ask.skill.0a1b2c3d"], "kitchen");
    assert!(told(&graph, "every-http").callers.is_empty());
}

#[test]
fn a_build_has_what_the_host_needs_besides() {
    let of = |on: Value| {
        features(&app(
            json!({"functions": {"work": {"on": [on]}}, "targets": target(json!({}))}),
        ))
    };
    assert_eq!(
        of(json!({"kind": "http", "method": null, "path": "/"})),
        ["gcp", "on-http"]
    );
    assert_eq!(
        of(json!({"kind": "email", "address": "*"})),
        ["gcp", "on-email", "queue", "secret"]
    );
}
