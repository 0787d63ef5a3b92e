//! Services and revisions of Cloud Run: <https://cloud.google.com/run/docs/reference/rest/v2/projects.locations.services>.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::error::{Code, Outcome, Refusal};
use super::kinds::{REVISION, SERVICE};
use super::knobs::Unready;
use super::request::Asked;
use super::secrets;
use super::state::{Resource, Shared, Start, State, now};

const LATEST: &str = "TRAFFIC_TARGET_ALLOCATION_TYPE_LATEST";

/// What the service sets in a service, and an update does not replace.
const OWN: &[&str] = &[
    "name",
    "uid",
    "generation",
    "createTime",
    "updateTime",
    "creator",
    "lastModifier",
    "observedGeneration",
    "terminalCondition",
    "conditions",
    "latestReadyRevision",
    "latestCreatedRevision",
    "trafficStatuses",
    "uri",
    "urls",
    "reconciling",
    "etag",
];

/// Variables that the container gets from Cloud Run: <https://cloud.google.com/run/docs/container-contract#env-vars>.
const RESERVED: &[&str] = &["PORT", "K_SERVICE", "K_REVISION", "K_CONFIGURATION"];

/// Reasons that a condition tells in `revisionReason`, and not in `reason`.
const OF_REVISIONS: &[&str] = &[
    "PENDING",
    "RESERVE",
    "RETIRED",
    "RETIRING",
    "RECREATING",
    "HEALTH_CHECK_CONTAINER_ERROR",
    "CUSTOMIZED_PATH_RESPONSE_PENDING",
    "MIN_INSTANCES_NOT_PROVISIONED",
    "ACTIVE_REVISION_LIMIT_REACHED",
    "NO_DEPLOYMENT",
    "HEALTH_CHECK_SKIPPED",
    "MIN_INSTANCES_WARMING",
];

/// A service that an update without a mask makes of another.
pub(super) fn replaced(former: &Value, mut sent: Map<String, Value>) -> Map<String, Value> {
    for field in OWN {
        match former.get(field) {
            Some(value) => sent.insert((*field).to_owned(), value.clone()),
            None => sent.remove(*field),
        };
    }
    sent
}

/// What a service becomes when it is made or changed: defaults, a new revision, and what goes on.
pub(super) fn prepare(
    state: &mut State,
    shared: &Shared,
    asked: &Asked<'_>,
    name: &str,
    body: &mut Map<String, Value>,
    former: Option<&Value>,
) -> Outcome<()> {
    let default = |body: &mut Map<String, Value>, field: &str, value: Value| {
        body.entry(field).or_insert(value);
    };
    default(body, "ingress", "INGRESS_TRAFFIC_ALL".into());
    default(body, "launchStage", "GA".into());
    default(body, "traffic", json!([{"type": LATEST, "percent": 100}]));
    let mut template = match body.remove("template") {
        Some(Value::Object(template)) => template,
        _ => return Err(Refusal::field("service.template", "it is required")),
    };
    let account = format!("{}-compute@developer.gserviceaccount.com", shared.options.number);
    default(&mut template, "serviceAccount", account.into());
    default(&mut template, "timeout", "300s".into());
    default(&mut template, "maxInstanceRequestConcurrency", 80.into());
    default(&mut template, "scaling", json!({"maxInstanceCount": 100}));
    if let Some(email) = template["serviceAccount"].as_str() {
        state.act_as(&shared.options.project, email)?;
    }
    containers(&mut template)?;
    let template = Value::Object(template);
    let is_new =
        former.is_none_or(|former| former["template"] != template) || asked.is_set("forceNewRevision");
    body.insert("template".to_owned(), template.clone());
    traffic(state, name, body)?;
    let (service, region) = (last(name), name.split('/').nth(3).unwrap_or_default());
    let uri = format!("https://{service}-{}.{region}.run.app", shared.options.number);
    body.insert("uri".to_owned(), uri.clone().into());
    body.insert("urls".to_owned(), json!([uri]));
    body.entry("creator")
        .or_insert_with(|| shared.options.principal.clone().into());
    let differs = former.is_none_or(|former| former != &Value::Object(body.clone()));
    if is_new {
        let next = 1 + former
            .and_then(|former| former["generation"].as_str()?.parse::<u64>().ok())
            .unwrap_or(0);
        let revision = revise(state, name, &template, next)?;
        if shared.world().is_some() {
            state.starts.insert(revision.clone(), Start::Pending);
        }
        body.insert("latestCreatedRevision".to_owned(), revision.into());
    }
    if is_new || differs {
        let modifier = shared.options.principal.clone();
        body.insert("lastModifier".to_owned(), modifier.into());
        body.insert("reconciling".to_owned(), true.into());
        body.insert(
            "terminalCondition".to_owned(),
            condition("Ready", "CONDITION_RECONCILING"),
        );
    }
    Ok(())
}

fn containers(template: &mut Map<String, Value>) -> Outcome<()> {
    let containers = template.get_mut("containers").and_then(Value::as_array_mut);
    let containers = containers.filter(|all| !all.is_empty()).ok_or_else(|| {
        Refusal::field(
            "service.template.containers",
            "a revision has at least one container",
        )
    })?;
    let is_alone = containers.len() == 1;
    let mut serving = 0;
    for (index, container) in containers.iter_mut().enumerate() {
        let place = |field: &str| format!("service.template.containers[{index}].{field}");
        if is_alone && container.get("ports").is_none() {
            container["ports"] = json!([{"name": "http1", "containerPort": 8080}]);
        }
        let ports = container["ports"].as_array().map_or(0, Vec::len);
        if ports > 1 {
            return Err(Refusal::field(
                &place("ports"),
                "a container has one port at most",
            ));
        }
        serving += ports;
        if container["resources"].get("limits").is_none() {
            container["resources"]["limits"] = json!({"cpu": "1000m", "memory": "512Mi"});
        }
        let mut seen = Vec::new();
        for variable in container["env"].as_array().into_iter().flatten() {
            let name = variable["name"].as_str().unwrap_or_default();
            if RESERVED.contains(&name) {
                let message = format!(
                    "The following reserved env names were provided: {name}. These values are automatically set by the system."
                );
                return Err(Refusal::field(&place("env"), &message));
            }
            if seen.contains(&name) {
                return Err(Refusal::field(&place("env"), &format!("`{name}` is there twice")));
            }
            seen.push(name);
        }
    }
    if serving == 1 {
        Ok(())
    } else {
        let what = "exactly one container has a port";
        Err(Refusal::field("service.template.containers", what))
    }
}

/// What traffic may be: all of it, and only to revisions that there are.
fn traffic(state: &State, service: &str, body: &Map<String, Value>) -> Outcome<()> {
    let targets = body.get("traffic").and_then(Value::as_array);
    let mut sum = 0;
    for target in targets.into_iter().flatten() {
        sum += target["percent"].as_i64().unwrap_or(0);
        if let Some(revision) = target["revision"].as_str().filter(|name| !name.is_empty()) {
            let name = format!("{service}/revisions/{}", last(revision));
            if state.get(&REVISION, &name).is_err() {
                let what = format!("revision '{revision}' was not found");
                return Err(Refusal::field("service.traffic", &what));
            }
        }
    }
    if sum == 100 {
        Ok(())
    } else {
        let what = format!("the percentages are {sum} together, not 100");
        Err(Refusal::field("service.traffic", &what))
    }
}

/// A new revision of the template; its name.
fn revise(state: &mut State, service: &str, template: &Value, generation: u64) -> Outcome<String> {
    let id = last(service).to_owned();
    let chosen = template["revision"].as_str().filter(|name| !name.is_empty());
    let revision = match chosen {
        Some(name) if !name.starts_with(&format!("{id}-")) || !REVISION.allows(name) => {
            let what = format!("`{name}` is no name: {}", REVISION.rule);
            return Err(Refusal::field("service.template.revision", &what));
        }
        Some(name) => name.to_owned(),
        None => {
            state.count += 1;
            format!("{id}-{generation:05}-{}", letters(state.count))
        }
    };
    let name = format!("{service}/revisions/{revision}");
    if state.resources.contains_key(&name) {
        return Err(Refusal::new(
            Code::AlreadyExists,
            format!("Revision named '{revision}' with different configuration already exists."),
        ));
    }
    let mut body = Map::new();
    for (field, value) in template.as_object().into_iter().flatten() {
        if field != "revision" {
            body.insert(field.clone(), value.clone());
        }
    }
    body.insert("name".to_owned(), name.clone().into());
    body.insert("service".to_owned(), id.into());
    body.insert("reconciling".to_owned(), true.into());
    body.insert(
        "conditions".to_owned(),
        json!([condition("Ready", "CONDITION_RECONCILING")]),
    );
    state.birth(&REVISION, &mut body);
    let resource = Resource {
        kind: &REVISION,
        body: body.into(),
    };
    state.resources.insert(name.clone(), resource);
    Ok(name)
}

/// Three letters that another number does not have, up to 17,576.
fn letters(mut number: u64) -> String {
    (0..3)
        .map(|_| {
            let letter = b'a' + u8::try_from(number % 26).unwrap_or(0);
            number /= 26;
            char::from(letter)
        })
        .collect()
}

/// Whether the newest revision of a service is still being started.
pub(super) fn is_starting(
    resources: &BTreeMap<String, Resource>,
    starts: &BTreeMap<String, Start>,
    service: &str,
) -> bool {
    let newest = resources
        .get(service)
        .and_then(|service| service.body["latestCreatedRevision"].as_str());
    newest.is_some_and(|revision| starts.get(revision) == Some(&Start::Pending))
}

/// What goes on with a service ends: its newest revision serves, or never will.
pub(super) fn settle(state: &mut State, name: &str) -> Outcome<()> {
    let mut service = state.get(&SERVICE, name)?.body.clone();
    let revision = service["latestCreatedRevision"]
        .as_str()
        .unwrap_or_default()
        .to_owned();
    let told = state.knobs.unready.get(last(name)).cloned();
    let unready = told
        .or_else(|| unreadable(state, name, &service["template"]))
        .or_else(|| match state.starts.get(&revision) {
            Some(Start::Failed(why)) => Some(why.clone()),
            _ => None,
        });
    let is_ready = service["latestReadyRevision"] == revision.as_str();
    let failed = unready.filter(|_| !is_ready);
    if let Some(found) = state.resources.get_mut(&revision) {
        found.body["reconciling"] = false.into();
        found.body["observedGeneration"] = found.body["generation"].clone();
        let ready = match &failed {
            None => condition("Ready", "CONDITION_SUCCEEDED"),
            Some(why) => unready_condition(why, &why.message),
        };
        found.body["conditions"] = json!([ready]);
    }
    service["reconciling"] = false.into();
    service["observedGeneration"] = service["generation"].clone();
    let message = failed.as_ref().map(|why| {
        format!(
            "Revision '{}' is not ready and cannot serve traffic. {}",
            last(&revision),
            why.message
        )
    });
    match (&failed, &message) {
        (Some(why), Some(message)) => {
            state.starts.insert(revision.clone(), Start::Failed(why.clone()));
            service["terminalCondition"] = unready_condition(why, message);
            let mut configured = unready_condition(why, message);
            configured["type"] = "ConfigurationsReady".into();
            service["conditions"] = json!([condition("RoutesReady", "CONDITION_SUCCEEDED"), configured]);
        }
        _ => {
            state.starts.remove(&revision);
            service["latestReadyRevision"] = revision.into();
            service["terminalCondition"] = condition("Ready", "CONDITION_SUCCEEDED");
            let both = ["RoutesReady", "ConfigurationsReady"];
            service["conditions"] = both
                .map(|kind| condition(kind, "CONDITION_SUCCEEDED"))
                .to_vec()
                .into();
            service["trafficStatuses"] = service["traffic"].clone();
        }
    }
    if let Value::Object(fields) = &mut service {
        state.stamp(&SERVICE, fields);
    }
    if let Some(kept) = state.resources.get_mut(name) {
        kept.body = service;
    }
    match message {
        Some(message) => Err(Refusal::new(Code::FailedPrecondition, message)),
        None => Ok(()),
    }
}

/// A revision cannot start without the secrets that it refers to.
fn unreadable(state: &State, name: &str, template: &Value) -> Option<Unready> {
    let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
    let mut wanted = Vec::new();
    for container in list(&template["containers"]) {
        for variable in list(&container["env"]) {
            let from = &variable["valueSource"]["secretKeyRef"];
            wanted.push((from["secret"].clone(), from["version"].clone()));
        }
    }
    for volume in list(&template["volumes"]) {
        let from = &volume["secret"];
        let items = list(&from["items"]);
        if items.is_empty() {
            wanted.push((from["secret"].clone(), "latest".into()));
        }
        for item in items {
            wanted.push((from["secret"].clone(), item["version"].clone()));
        }
    }
    let project = name.split('/').take(2).collect::<Vec<_>>().join("/");
    wanted.iter().find_map(|(secret, version)| {
        let secret = secret.as_str()?;
        let version = version
            .as_str()
            .filter(|text| !text.is_empty())
            .unwrap_or("latest");
        // A secret of another project is not known here.
        let is_own = !secret.contains('/') || secret.starts_with(&format!("{project}/"));
        let full = format!("{project}/secrets/{}", last(secret));
        (is_own && !secrets::is_readable(state, &full, version)).then(|| Unready {
            reason: "SECRETS_ACCESS_CHECK_FAILED".to_owned(),
            message: format!("Secret {full}/versions/{version} was not found."),
        })
    })
}

/// Whether a revision may be deleted: not the newest, and none that gets requests.
pub(super) fn may_go(state: &State, name: &str) -> Outcome<()> {
    let service = name.split("/revisions/").next().unwrap_or_default();
    let service = &state.get(&SERVICE, service)?.body;
    let targets = service["traffic"].as_array().into_iter().flatten();
    let serves = targets
        .filter_map(|target| target["revision"].as_str())
        .any(|revision| last(revision) == last(name));
    if serves || service["latestCreatedRevision"] == name || service["latestReadyRevision"] == name {
        let message = format!("Revision '{}' is in use and cannot be deleted.", last(name));
        return Err(Refusal::new(Code::FailedPrecondition, message));
    }
    Ok(())
}

fn condition(kind: &str, state: &str) -> Value {
    json!({"type": kind, "state": state, "lastTransitionTime": now()})
}

fn unready_condition(why: &Unready, message: &str) -> Value {
    let mut condition = condition("Ready", "CONDITION_FAILED");
    let field = if OF_REVISIONS.contains(&why.reason.as_str()) {
        "revisionReason"
    } else {
        "reason"
    };
    condition[field] = why.reason.clone().into();
    condition["message"] = message.into();
    condition["severity"] = "ERROR".into();
    condition
}

fn last(name: &str) -> &str {
    name.rsplit('/').next().unwrap_or_default()
}
