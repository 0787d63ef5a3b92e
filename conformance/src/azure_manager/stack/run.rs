//! What goes on after a stack was put or deleted: its states, one after the other, to the end.

use std::collections::BTreeSet;
use std::sync::Arc;

use chrono::Utc;
use serde_json::Value;

use super::super::deployment::{self, Deployment};
use super::super::error::Refusal;
use super::super::id::{self, Id};
use super::super::knobs::Deed;
use super::super::resource;
use super::super::state::Shared;
use super::super::template::Template;
use super::super::token;
use super::Stack;
use super::deny;

const UNDELETED: &str = "An error occurred while deleting resources. These resources are still present in the stack but can be deleted manually. Please see the FailedResources property for specific error information. Deletion failures that are known limitations are documented here: https://aka.ms/DeploymentStacksKnownLimitations";

/// The end of a deployment's name: the hour, and letters by chance.
fn suffix() -> String {
    let hour = Utc::now().format("%y%m%d%H");
    format!("{hour}{}", &uuid::Uuid::new_v4().simple().to_string()[..5])
}

/// A stack's update. Nothing of it ends with the request that began it.
pub(super) async fn update(shared: Arc<Shared>, key: String, template: Template, operation: String) {
    // The stand-in is gone if there is no end.
    let Some(end) = updated(&shared, &key, &template, &operation).await else {
        return;
    };
    let (state, error) = end;
    finish(&shared, &key, &operation, state, error);
}

async fn updated(
    shared: &Arc<Shared>,
    key: &str,
    template: &Template,
    operation: &str,
) -> Option<(&'static str, Option<Refusal>)> {
    enter(shared, key, operation, "validating").await?;
    let (name, group) = {
        let state = shared.lock();
        let stack = state.stacks.get(key)?;
        (
            format!("{}-{}", stack.name, suffix()),
            id::group_id(&stack.subscription, &stack.group),
        )
    };
    if let Some(error) = deployment::preflight(shared, template, &name) {
        return Some(("failed", Some(error)));
    }
    let deployment_id = format!("{group}/providers/Microsoft.Resources/deployments/{name}");
    let deployment_key = id::key(&deployment_id);
    {
        let mut state = shared.lock();
        let stack = state.stacks.get_mut(key)?;
        stack.deployment = Some(deployment_id.clone());
        let deployment = Deployment::new(deployment_id.clone(), stack.correlation.clone());
        state.deployments.insert(deployment_key.clone(), deployment);
    }
    enter(shared, key, operation, "deploying").await?;
    let done = deployment::run(shared, template, &deployment_key).await?;
    if done.canceled || done.error.is_some() {
        let mut state = shared.lock();
        let stack = state.stacks.get_mut(key)?;
        // What was made is the stack's, and what it had before still is.
        let known: BTreeSet<String> = stack.managed.iter().map(|id| id::key(id)).collect();
        stack
            .managed
            .extend(done.made.into_iter().filter(|id| !known.contains(&id::key(id))));
        stack.failed = done.failed;
        if done.canceled {
            let error = Refusal::new(
                409,
                "OperationCanceled",
                "The deployment of the stack was canceled.",
            );
            return Some(("canceled", Some(error)));
        }
        let error = Refusal::new(
            409,
            "DeploymentStackDeploymentFailed",
            format!(
                "One or more resources could not be deployed. Correlation id: '{}'.",
                stack.correlation
            ),
        );
        return Some((
            "failed",
            Some(
                done.error
                    .map_or(error.clone(), |cause| error.because(cause.target(deployment_id))),
            ),
        ));
    }
    enter(shared, key, operation, "updatingDenyAssignments").await?;
    let gone = {
        let mut state = shared.lock();
        let stack = state.stacks.get_mut(key)?;
        stack.outputs = done.outputs;
        stack.denied = stack.settings["denySettings"].clone();
        let kept: BTreeSet<String> = template.resources.iter().map(|one| one.id.key()).collect();
        let gone: Vec<String> = stack
            .managed
            .iter()
            .filter(|id| !kept.contains(&id::key(id)))
            .cloned()
            .collect();
        stack.managed = template.resources.iter().map(|one| one.id.text.clone()).collect();
        gone
    };
    let deletes = shared.lock().stacks.get(key)?.settings["actionOnUnmanage"]["resources"] == "delete";
    if !deletes {
        shared.lock().stacks.get_mut(key)?.detached = gone;
        return Some(("succeeded", None));
    }
    if gone.is_empty() {
        return Some(("succeeded", None));
    }
    enter(shared, key, operation, "deletingResources").await?;
    let failed = delete_all(shared, key, gone).await?;
    if !failed {
        return Some(("succeeded", None));
    }
    let correlation = shared.lock().stacks.get(key)?.correlation.clone();
    let error = Refusal::new(
        409,
        "DeploymentStackDeleteResourcesFailed",
        format!("One or more resources could not be deleted. Correlation id: '{correlation}'."),
    )
    .because(Refusal::new(
        409,
        "DeploymentStackDeleteResourcesFailed",
        UNDELETED,
    ));
    Some(("failed", Some(error)))
}

/// A stack's deletion, with its resources or without.
pub(super) async fn remove(shared: Arc<Shared>, key: String, deletes: bool, operation: String) {
    let Some(failed) = removed(&shared, &key, deletes, &operation).await else {
        return;
    };
    if failed {
        let mut error = Refusal::new(
            409,
            "DeploymentStackDeleteFailed",
            "One or more stages of deploymentStack deletion failed.",
        );
        if let Some(stack) = shared.lock().stacks.get(&key) {
            error.message = format!("{} Correlation id: '{}'.", error.message, stack.correlation);
        }
        let error = error.because(Refusal::new(
            409,
            "DeploymentStackDeleteResourcesFailed",
            UNDELETED,
        ));
        finish(&shared, &key, &operation, "failed", Some(error));
        return;
    }
    let mut state = shared.lock();
    state.stacks.remove(&key);
    state.end(&operation, "succeeded", None, Some(Value::Null));
    drop(state);
    shared.tell();
}

async fn removed(shared: &Arc<Shared>, key: &str, deletes: bool, operation: &str) -> Option<bool> {
    if !shared.step().await {
        return None;
    }
    let managed = {
        let mut state = shared.lock();
        let stack = state.stacks.get_mut(key)?;
        stack.denied = Value::Null;
        std::mem::take(&mut stack.managed)
    };
    if !deletes {
        return Some(false);
    }
    enter(shared, key, operation, "deletingResources").await?;
    delete_all(shared, key, managed).await
}

/// Deletes what a stack no longer manages, what was made last first; true if something could not be deleted, which then stays the stack's.
async fn delete_all(shared: &Arc<Shared>, key: &str, ids: Vec<String>) -> Option<bool> {
    let mut ids = ids;
    {
        let state = shared.lock();
        let order = |id: &String| {
            state
                .resources
                .get(&id::key(id))
                .map_or(u64::MAX, |one| one.order)
        };
        ids.sort_by_key(|id| std::cmp::Reverse(order(id)));
    }
    let mut failed = false;
    for text in ids {
        let Some(id) = Id::read(&text) else {
            continue;
        };
        deployment::pause(shared, &id).await?;
        let result = delete_one(shared, &id);
        {
            let mut state = shared.lock();
            let stack = state.stacks.get_mut(key)?;
            match result {
                Ok(()) => stack.deleted.push(text),
                Err(error) => {
                    failed = true;
                    stack.delete_failed.insert(id.key());
                    stack.managed.push(text.clone());
                    stack.failed.push((text, error));
                }
            }
        }
        if !shared.step().await {
            return None;
        }
    }
    Some(failed)
}

fn delete_one(shared: &Shared, id: &Id) -> Result<(), Refusal> {
    let mut state = shared.lock();
    let kind = state
        .resources
        .get(&id.key())
        .map_or(id.kind.clone(), |one| one.kind.name.to_owned());
    let action = format!("{kind}/delete");
    if state.knobs.is_denied(&action, &id.text) {
        return Err(token::unauthorized(shared, &action, &id.text));
    }
    deny::check(&state, &shared.options, id, &kind, true)?;
    if let Some(failure) = state.knobs.failed(id, Deed::Delete) {
        return Err(failure);
    }
    resource::delete(&mut state, &id.key()).map(|_| ())
}

async fn enter(shared: &Shared, key: &str, operation: &str, name: &str) -> Option<()> {
    if !shared.step().await {
        return None;
    }
    let mut state = shared.lock();
    state.end(operation, name, None, None);
    state.stacks.get_mut(key)?.enter(name);
    Some(())
}

fn finish(shared: &Shared, key: &str, operation: &str, name: &'static str, error: Option<Refusal>) {
    let mut state = shared.lock();
    if let Some(stack) = state.stacks.get_mut(key) {
        end(stack, name, error.clone());
    }
    state.end(operation, name, error, None);
    drop(state);
    shared.tell();
}

fn end(stack: &mut Stack, name: &str, error: Option<Refusal>) {
    stack.error = error;
    if name == "succeeded" {
        stack.duration = Some(deployment::duration(stack.started, Utc::now()));
    }
    stack.enter(name);
}
