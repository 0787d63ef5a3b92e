//! What-if: what a template would change, told without changing anything.
//!
//! <https://learn.microsoft.com/rest/api/resources/deployments/what-if>

use std::collections::BTreeSet;
use std::sync::Arc;

use http::{HeaderValue, StatusCode};
use serde_json::{Value, json};

use super::deployment::{self, references};
use super::error::{Outcome, Refusal};
use super::expression::{self, Fault};
use super::id;
use super::request::Asked;
use super::resource::{self, Resource};
use super::stack::Address;
use super::state::{Shared, State, Taken};
use super::template::Template;
use crate::server::{self, Answer};

pub(super) const VERSIONS: &[&str] = &[
    "2021-04-01",
    "2022-09-01",
    "2023-07-01",
    "2024-03-01",
    "2024-07-01",
    "2024-11-01",
    "2025-04-01",
    "2026-06-01",
];

/// `POST …/deployments/{d}/whatIf`
pub(super) fn post(shared: &Arc<Shared>, asked: &Asked, address: &Address) -> Outcome<Answer> {
    asked.version_of(VERSIONS)?;
    let body = asked.json()?;
    let properties = &body["properties"];
    let mode = properties["mode"].as_str().unwrap_or_default();
    if !mode.eq_ignore_ascii_case("Incremental") {
        return Err(Refusal::content(format!(
            "properties.mode must be Incremental here, not '{mode}'"
        )));
    }
    let place = super::groups::place(shared, &shared.lock(), &address.subscription, &address.group)?;
    let action = "Microsoft.Resources/deployments/whatIf/action";
    if shared.lock().knobs.is_denied(action, &address.id()) {
        return Err(super::token::unauthorized(shared, action, &address.id()));
    }
    let template = Template::read(&properties["template"], place)?;
    let full = properties["whatIfSettings"]["resultFormat"] != "ResourceIdOnly";
    let mut state = shared.lock();
    let evaluated = template.evaluated(&|_| Err(Fault::Deferred))?;
    state.taken.push(Taken {
        id: address.id(),
        by: "whatIf",
        sent: template.raw.clone(),
        evaluated,
    });
    let operation = state.begin("Running");
    drop(state);
    let url = format!(
        "{}/subscriptions/{}/operationresults/{operation}?api-version=2024-03-01",
        shared.url, address.subscription
    );
    let task = Arc::clone(shared);
    let name = address.name.clone();
    tokio::spawn(async move {
        if !task.step().await {
            return;
        }
        let result = match deployment::preflight(&task, &template, &name) {
            Some(error) => json!({"status": "Failed", "error": error.json()}),
            None => match changes(&task, &template, full) {
                Ok(changes) => {
                    json!({"status": "Succeeded", "properties": {"correlationId": operation, "changes": changes}})
                }
                Err(error) => json!({"status": "Failed", "error": error.json()}),
            },
        };
        task.lock().end(&operation, "Succeeded", None, Some(result));
        task.tell();
    });
    let mut answer = server::answer(StatusCode::ACCEPTED, "");
    for (name, text) in [
        ("location", url),
        ("retry-after", shared.options.retry_after.to_string()),
    ] {
        if let Ok(value) = HeaderValue::from_str(&text) {
            answer.headers_mut().insert(name, value);
        }
    }
    Ok(answer)
}

fn changes(shared: &Shared, template: &Template, full: bool) -> Outcome<Vec<Value>> {
    let state = shared.lock();
    let known: BTreeSet<String> = template
        .resources
        .iter()
        .filter(|one| state.resources.contains_key(&one.id.key()))
        .map(|one| one.symbol.clone())
        .collect();
    let mut all = Vec::new();
    for one in &template.resources {
        let foreseen = expression::foresee(&one.body, &template.place, &references(&state, template, &known));
        let body = foreseen.map_err(|fault| Refusal::template(format!("{fault:?}")))?;
        let mut after = json!({"id": one.id.text, "name": one.id.name(), "type": one.kind.name, "apiVersion": one.api_version});
        for (name, value) in body.as_object().into_iter().flatten() {
            after[name] = value.clone();
        }
        let mut change = json!({"resourceId": one.id.text});
        match state.resources.get(&one.id.key()) {
            None => {
                change["changeType"] = "Create".into();
                if full {
                    change["after"] = after;
                }
            }
            Some(existing) => {
                let before = seen(shared, &state, existing);
                let delta = delta(&before, &body);
                change["changeType"] = if delta.is_empty() { "NoChange" } else { "Modify" }.into();
                if full {
                    change["after"] = merged(&before, &after);
                    change["before"] = before;
                    change["delta"] = delta.into();
                }
            }
        }
        all.push(change);
    }
    let kept: BTreeSet<String> = template.resources.iter().map(|one| one.id.key()).collect();
    for key in state.in_group(&template.place.subscription, &template.place.group) {
        // Parts and extensions of resources are not looked for.
        let Some(other) = state
            .resources
            .get(&key)
            .filter(|other| other.kind.tracked && !kept.contains(&key))
        else {
            continue;
        };
        let mut change = json!({"resourceId": other.id.text, "changeType": "Ignore"});
        if full {
            change["before"] = seen(shared, &state, other);
            change["after"] = change["before"].clone();
        }
        all.push(change);
    }
    Ok(all)
}

/// An existing resource as what-if sees it.
fn seen(shared: &Shared, state: &State, resource: &Resource) -> Value {
    let mut all = resource.view(state);
    all["apiVersion"] = resource.api_version.as_str().into();
    if !shared.options.noise {
        // Without noise, what a service does not tell is known all the same.
        all["properties"] = resource.properties();
        if let Some(identity) = resource.body.get("identity") {
            all["identity"] = identity.clone();
        }
    }
    all
}

/// What is there, with what the template says of it.
fn merged(before: &Value, after: &Value) -> Value {
    match (before, after) {
        (Value::Object(before), Value::Object(after)) => {
            let mut all = before.clone();
            for (name, value) in after {
                let inner = all.get(name).map_or(value.clone(), |old| merged(old, value));
                all.insert(name.clone(), inner);
            }
            Value::Object(all)
        }
        _ => after.clone(),
    }
}

/// What the template says otherwise than it is. What it does not speak of stays as it is, so that is no change.
fn delta(before: &Value, after: &Value) -> Vec<Value> {
    let mut all = Vec::new();
    compare("", before, after, &mut all);
    all
}

fn compare(path: &str, before: &Value, after: &Value, all: &mut Vec<Value>) {
    let Value::Object(fields) = after else {
        return;
    };
    for (name, value) in fields {
        let here = if path.is_empty() {
            name.clone()
        } else {
            format!("{path}.{name}")
        };
        let old = before.as_object().and_then(|fields| {
            fields
                .iter()
                .find(|(other, _)| other.eq_ignore_ascii_case(name))
                .map(|(_, value)| value)
        });
        match (old, value) {
            (None | Some(Value::Null), Value::Null) => {}
            (None | Some(Value::Null), Value::Object(inner)) if inner.is_empty() => {}
            (None | Some(Value::Null), _) => {
                all.push(
                    json!({"path": here, "propertyChangeType": "Create", "before": null, "after": value}),
                );
            }
            (Some(old @ Value::Object(_)), Value::Object(_)) => compare(&here, old, value, all),
            (Some(Value::Array(old)), Value::Array(new)) => {
                let children = array(old, new);
                if !children.is_empty() {
                    all.push(json!({"path": here, "propertyChangeType": "Array", "before": null, "after": null, "children": children}));
                }
            }
            (Some(old), new) if is_same(&here, old, new) => {}
            (Some(old), new) => {
                all.push(json!({"path": here, "propertyChangeType": "Modify", "before": old, "after": new}));
            }
        }
    }
}

fn is_same(path: &str, old: &Value, new: &Value) -> bool {
    match (old.as_str(), new.as_str()) {
        (Some(old), Some(new)) if path == "location" || path.ends_with("locationName") => {
            resource::normal(old) == resource::normal(new)
        }
        (Some(old), Some(new)) if old.starts_with("/subscriptions/") => id::key(old) == id::key(new),
        _ => old == new,
    }
}

fn array(old: &[Value], new: &[Value]) -> Vec<Value> {
    let mut all = Vec::new();
    for (at, value) in new.iter().enumerate() {
        match old.get(at) {
            None => all.push(json!({"path": at.to_string(), "propertyChangeType": "Create", "before": null, "after": value})),
            Some(before @ Value::Object(_)) if value.is_object() => {
                let inner = delta(before, value);
                if !inner.is_empty() {
                    all.push(json!({"path": at.to_string(), "propertyChangeType": "Modify", "before": null, "after": null, "children": inner}));
                }
            }
            Some(before) if is_same("", before, value) => {}
            Some(before) => all.push(json!({"path": at.to_string(), "propertyChangeType": "Modify", "before": before, "after": value})),
        }
    }
    for (at, value) in old.iter().enumerate().skip(new.len()) {
        all.push(
            json!({"path": at.to_string(), "propertyChangeType": "Delete", "before": value, "after": null}),
        );
    }
    all
}
