//! Deployment stacks of a resource group: what they manage, and what becomes of what they no longer have.
//!
//! <https://learn.microsoft.com/rest/api/resources/deployment-stacks>, version 2024-03-01

mod check;
mod deny;
mod run;

use std::collections::BTreeSet;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use http::{HeaderValue, StatusCode};
use serde_json::{Value, json};

use super::error::{Outcome, Refusal};
use super::id;
use super::request::Asked;
use super::resource::{check_tags, moment};
use super::state::{Shared, Taken};
use super::template::Template;
use crate::server::{self, Answer};

use self::check::{busy, check_name, check_rights, check_sync, not_found, settings};
pub(super) use self::deny::check as check_deny;

pub(super) const VERSIONS: &[&str] = &["2024-03-01", "2025-07-01"];
const ENDED: &[&str] = &["succeeded", "failed", "canceled"];

/// A deployment stack.
#[derive(Debug, Clone)]
pub(super) struct Stack {
    id: String,
    name: String,
    subscription: String,
    group: String,
    tags: Value,
    /// Its properties as they were sent, but the template.
    settings: Value,
    template: Value,
    pub(super) state: String,
    /// All states since the last request, in order.
    pub(super) states: Vec<String>,
    /// What it manages, as ids.
    pub(super) managed: Vec<String>,
    delete_failed: BTreeSet<String>,
    detached: Vec<String>,
    deleted: Vec<String>,
    failed: Vec<(String, Refusal)>,
    /// The deny settings that are in force.
    denied: Value,
    deployment: Option<String>,
    correlation: String,
    outputs: Option<Value>,
    error: Option<Refusal>,
    created: DateTime<Utc>,
    pub(super) modified: DateTime<Utc>,
    started: DateTime<Utc>,
    pub(super) modified_by: Option<String>,
    duration: Option<String>,
}

/// Where a stack is.
#[derive(Debug, Clone)]
pub(super) struct Address {
    pub(super) subscription: String,
    pub(super) group: String,
    pub(super) name: String,
}

impl Address {
    pub(super) fn id(&self) -> String {
        format!(
            "{}/providers/Microsoft.Resources/deploymentStacks/{}",
            id::group_id(&self.subscription, &self.group),
            self.name
        )
    }
}

impl Stack {
    fn is_ended(&self) -> bool {
        ENDED.contains(&self.state.as_str())
    }

    fn enter(&mut self, state: &str) {
        state.clone_into(&mut self.state);
        self.states.push(state.to_owned());
    }

    /// What `GET` answers; the template is only told by `exportTemplate`.
    pub(super) fn view(&self, shared: &Shared) -> Value {
        let mode = self.denied["mode"].as_str().unwrap_or("none");
        let plain = |list: &[String]| list.iter().map(|id| json!({"id": id})).collect::<Value>();
        let managed = self.managed.iter().map(|id| {
            let status = if self.delete_failed.contains(&id::key(id)) {
                "deleteFailed"
            } else {
                "managed"
            };
            json!({"id": id, "status": status, "denyStatus": mode})
        });
        let mut properties = self.settings.clone();
        properties["provisioningState"] = self.state.as_str().into();
        properties["correlationId"] = self.correlation.as_str().into();
        properties["resources"] = managed.collect();
        properties["detachedResources"] = plain(&self.detached);
        properties["deletedResources"] = plain(&self.deleted);
        properties["failedResources"] = self
            .failed
            .iter()
            .map(|(id, error)| json!({"id": id, "error": error.json()}))
            .collect();
        if let Some(deployment) = &self.deployment {
            properties["deploymentId"] = deployment.as_str().into();
        }
        if let Some(outputs) = &self.outputs {
            properties["outputs"] = outputs.clone();
        }
        if let Some(error) = &self.error {
            properties["error"] = error.json();
        }
        if let Some(duration) = &self.duration {
            properties["duration"] = duration.as_str().into();
        }
        let who = shared.options.object_id.as_str();
        json!({
            "id": self.id,
            "name": self.name,
            "type": "Microsoft.Resources/deploymentStacks",
            "tags": self.tags,
            "properties": properties,
            "systemData": {
                "createdBy": who, "createdByType": "ManagedIdentity", "createdAt": moment(self.created),
                "lastModifiedBy": self.modified_by.as_deref().unwrap_or(who), "lastModifiedByType": "ManagedIdentity",
                "lastModifiedAt": moment(self.modified),
            },
        })
    }
}

pub(super) fn get(shared: &Shared, address: &Address) -> Outcome<Answer> {
    let state = shared.lock();
    state.group(&address.subscription, &address.group)?;
    check_rights(
        shared,
        &state,
        address,
        "Microsoft.Resources/deploymentStacks/read",
        false,
    )?;
    let stack = state
        .stacks
        .get(&id::key(&address.id()))
        .ok_or_else(|| not_found(address))?;
    Ok(server::json(StatusCode::OK, &stack.view(shared)))
}

pub(super) fn list(shared: &Shared, subscription: &str, group: &str) -> Outcome<Answer> {
    let state = shared.lock();
    state.group(subscription, group)?;
    let below = id::key(&id::group_id(subscription, group));
    let list: Vec<Value> = state
        .stacks
        .iter()
        .filter(|(key, _)| id::is_below(key, &below))
        .map(|(_, stack)| stack.view(shared))
        .collect();
    Ok(server::json(StatusCode::OK, &json!({"value": list})))
}

pub(super) fn export(shared: &Shared, address: &Address) -> Outcome<Answer> {
    let state = shared.lock();
    let action = "Microsoft.Resources/deploymentStacks/exportTemplate/action";
    check_rights(shared, &state, address, action, false)?;
    let stack = state
        .stacks
        .get(&id::key(&address.id()))
        .ok_or_else(|| not_found(address))?;
    Ok(server::json(StatusCode::OK, &json!({"template": stack.template})))
}

/// `PUT`: what can be refused at once is; the rest goes on.
pub(super) fn put(shared: &Arc<Shared>, asked: &Asked, address: &Address) -> Outcome<Answer> {
    asked.version_of(VERSIONS)?;
    let body = asked.json()?;
    check_name(&address.name)?;
    check_tags(&body)?;
    let settings = settings(&body)?;
    let denies = settings["denySettings"]["mode"] != "none";
    let key = id::key(&address.id());
    let (place, bypass) = {
        let state = shared.lock();
        let place = super::groups::place(shared, &state, &address.subscription, &address.group)?;
        let old = state.stacks.get(&key);
        let denied = old.is_some_and(|old| !old.denied.is_null() && old.denied["mode"] != "none");
        check_rights(
            shared,
            &state,
            address,
            "Microsoft.Resources/deploymentStacks/write",
            denies || denied,
        )?;
        if let Some(old) = old.filter(|old| !old.is_ended()) {
            return Err(busy(old));
        }
        (place, body["properties"]["bypassStackOutOfSyncError"] == true)
    };
    check_sync(shared, &key, bypass)?;
    let template = Template::read(&body["properties"]["template"], place)?;
    let mut state = shared.lock();
    if let Some(old) = state.stacks.get(&key).filter(|old| !old.is_ended()) {
        return Err(busy(old));
    }
    let evaluated = template.evaluated(&|_| Err(super::expression::Fault::Deferred))?;
    state.taken.push(Taken {
        id: address.id(),
        by: "stack",
        sent: template.raw.clone(),
        evaluated,
    });
    let now = Utc::now();
    let old = state.stacks.get(&key).cloned();
    let is_new = old.is_none();
    let mut stack = Stack {
        id: address.id(),
        name: address.name.clone(),
        subscription: address.subscription.clone(),
        group: address.group.clone(),
        tags: body.get("tags").cloned().unwrap_or_else(|| json!({})),
        settings,
        template: template.raw.clone(),
        state: String::new(),
        states: Vec::new(),
        managed: old.as_ref().map(|old| old.managed.clone()).unwrap_or_default(),
        delete_failed: BTreeSet::new(),
        detached: Vec::new(),
        deleted: Vec::new(),
        failed: Vec::new(),
        denied: old.as_ref().map_or(Value::Null, |old| old.denied.clone()),
        deployment: old.as_ref().and_then(|old| old.deployment.clone()),
        correlation: uuid::Uuid::new_v4().to_string(),
        outputs: old.as_ref().and_then(|old| old.outputs.clone()),
        error: None,
        created: old.as_ref().map_or(now, |old| old.created),
        modified: now,
        started: now,
        modified_by: None,
        duration: old.and_then(|old| old.duration),
    };
    stack.enter("creating");
    let view = stack.view(shared);
    state.stacks.insert(key.clone(), stack);
    let operation = state.begin("creating");
    let location = template.place.location.clone();
    drop(state);
    tokio::spawn(run::update(Arc::clone(shared), key, template, operation.clone()));
    let status = if is_new {
        StatusCode::CREATED
    } else {
        StatusCode::OK
    };
    let mut answer = server::json(status, &view);
    follow(shared, &mut answer, address, &location, &operation, false);
    Ok(answer)
}

/// `DELETE`, with what becomes of the resources in the query.
pub(super) fn delete(shared: &Arc<Shared>, asked: &Asked, address: &Address) -> Outcome<Answer> {
    asked.version_of(VERSIONS)?;
    let deletes = match asked.query.get("unmanageAction.Resources") {
        Some("delete") => true,
        None | Some("detach") => false,
        Some(other) => {
            return Err(Refusal::new(
                400,
                "InvalidParameter",
                format!("unmanageAction.Resources must be delete or detach, not {other}"),
            ));
        }
    };
    let key = id::key(&address.id());
    let bypass = asked
        .query
        .get("bypassStackOutOfSyncError")
        .is_some_and(|text| text.eq_ignore_ascii_case("true"));
    let location = {
        let state = shared.lock();
        let location = state
            .group(&address.subscription, &address.group)?
            .location
            .clone();
        let Some(stack) = state.stacks.get(&key) else {
            return Ok(server::answer(StatusCode::NO_CONTENT, ""));
        };
        let denies = !stack.denied.is_null() && stack.denied["mode"] != "none";
        check_rights(
            shared,
            &state,
            address,
            "Microsoft.Resources/deploymentStacks/delete",
            denies,
        )?;
        if !stack.is_ended() {
            return Err(busy(stack));
        }
        location
    };
    check_sync(shared, &key, bypass)?;
    let mut state = shared.lock();
    if let Some(stack) = state.stacks.get_mut(&key) {
        stack.states.clear();
        stack.enter("deleting");
        stack.modified = Utc::now();
        stack.started = stack.modified;
        stack.failed.clear();
    }
    let operation = state.begin("deleting");
    drop(state);
    tokio::spawn(run::remove(Arc::clone(shared), key, deletes, operation.clone()));
    let mut answer = server::answer(StatusCode::ACCEPTED, "");
    follow(shared, &mut answer, address, &location, &operation, true);
    Ok(answer)
}

/// Where the operation can be asked about.
fn follow(
    shared: &Shared,
    answer: &mut Answer,
    address: &Address,
    location: &str,
    operation: &str,
    deletion: bool,
) {
    let url = |what: &str| {
        format!(
            "{}/subscriptions/{}/providers/Microsoft.Resources/locations/{location}/{what}/{operation}?api-version=2024-03-01",
            shared.url, address.subscription
        )
    };
    let mut set = |name: &'static str, text: String| {
        if let Ok(value) = HeaderValue::from_str(&text) {
            answer.headers_mut().insert(name, value);
        }
    };
    set("azure-asyncoperation", url("deploymentStackOperationStatus"));
    if deletion {
        set("location", url("deploymentStackOperationResults"));
    }
    set("retry-after", shared.options.retry_after.to_string());
}
