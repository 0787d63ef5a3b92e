//! Deployments: a template's resources are made one after the other in the order of what depends on what, and each is an operation that can be listed.
//!
//! Nothing is undone: what was made before a failure stays made. <https://learn.microsoft.com/rest/api/resources/deployment-operations>

use std::collections::BTreeSet;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use super::error::Refusal;
use super::expression::{self, Fault};
use super::id::{self, Id};
use super::knobs::Deed;
use super::resource::{self, moment};
use super::state::{Shared, State};
use super::template::{Planned, Template};
use super::token;

const SEE_OPERATIONS: &str = "At least one resource deployment operation failed. Please list deployment operations for details. Please see https://aka.ms/arm-deployment-operations for usage details.";

/// A deployment, running or ended.
#[derive(Debug, Clone)]
pub(super) struct Deployment {
    pub(super) id: String,
    pub(super) state: &'static str,
    pub(super) correlation: String,
    at: DateTime<Utc>,
    operations: Vec<Step>,
    outputs: Option<Value>,
    error: Option<Refusal>,
}

#[derive(Debug, Clone)]
struct Step {
    id: String,
    doing: &'static str,
    state: &'static str,
    target: Option<Id>,
    started: DateTime<Utc>,
    at: DateTime<Utc>,
    error: Option<Refusal>,
}

/// How a deployment ended.
#[derive(Debug, Default)]
pub(super) struct Done {
    pub(super) made: Vec<String>,
    pub(super) failed: Vec<(String, Refusal)>,
    pub(super) canceled: bool,
    pub(super) outputs: Option<Value>,
    pub(super) error: Option<Refusal>,
}

impl Deployment {
    pub(super) fn new(id: String, correlation: String) -> Self {
        Self {
            id,
            state: "Running",
            correlation,
            at: Utc::now(),
            operations: Vec::new(),
            outputs: None,
            error: None,
        }
    }

    pub(super) fn view(&self) -> Value {
        let name = self.id.rsplit('/').next().unwrap_or_default();
        let mut all = json!({
            "id": self.id,
            "name": name,
            "type": "Microsoft.Resources/deployments",
            "properties": {
                "provisioningState": self.state, "correlationId": self.correlation, "timestamp": moment(self.at), "mode": "Incremental",
                "duration": duration(self.at, Utc::now()),
            },
        });
        if let Some(outputs) = &self.outputs {
            all["properties"]["outputs"] = outputs.clone();
        }
        if let Some(error) = &self.error {
            all["properties"]["error"] = error.json();
        }
        all
    }

    /// One page of the operations, newest last, and whether there are more.
    pub(super) fn page(&self, skip: usize, size: usize) -> (Vec<Value>, bool) {
        let list = self.operations.iter().skip(skip).take(size);
        (
            list.map(|step| step.view(&self.id)).collect(),
            self.operations.len() > skip + size,
        )
    }

    pub(super) fn operation(&self, id: &str) -> Option<Value> {
        self.operations
            .iter()
            .find(|step| step.id == id)
            .map(|step| step.view(&self.id))
    }

    fn begin(&mut self, doing: &'static str, target: Option<Id>) -> usize {
        let now = Utc::now();
        self.operations.push(Step {
            id: uuid::Uuid::new_v4().simple().to_string()[..16].to_uppercase(),
            doing,
            state: "Running",
            target,
            started: now,
            at: now,
            error: None,
        });
        self.operations.len() - 1
    }

    fn end(&mut self, step: usize, state: &'static str, error: Option<Refusal>) {
        if let Some(step) = self.operations.get_mut(step) {
            step.state = state;
            step.at = Utc::now();
            step.error = error;
        }
    }
}

impl Step {
    fn view(&self, deployment: &str) -> Value {
        let mut properties = json!({
            "provisioningOperation": self.doing, "provisioningState": self.state, "timestamp": moment(self.at),
            "duration": duration(self.started, self.at), "trackingId": uuid::Uuid::new_v5(&uuid::Uuid::NAMESPACE_OID, self.id.as_bytes()).to_string(),
        });
        match (&self.error, self.state) {
            (Some(error), _) => {
                properties["statusCode"] = error
                    .status
                    .canonical_reason()
                    .unwrap_or("Conflict")
                    .replace(' ', "")
                    .into();
                properties["statusMessage"] = json!({"status": self.state, "error": error.json()});
            }
            (None, "Succeeded") => properties["statusCode"] = "OK".into(),
            (None, _) => {}
        }
        if let Some(target) = &self.target {
            properties["targetResource"] =
                json!({"id": target.text, "resourceType": target.kind, "resourceName": target.name()});
        }
        json!({"id": format!("{deployment}/operations/{}", self.id), "operationId": self.id, "properties": properties})
    }
}

/// A span of time as ISO 8601 writes it.
pub(super) fn duration(from: DateTime<Utc>, to: DateTime<Utc>) -> String {
    let millis = (to - from).num_milliseconds().max(0);
    format!("PT{}.{:03}S", millis / 1000, millis % 1000)
}

/// What `reference` of a resource gives to something that may refer to those resources only.
pub(super) fn references<'a>(
    state: &'a State,
    template: &'a Template,
    known: &'a BTreeSet<String>,
) -> impl Fn(&str) -> Result<Value, Fault> + 'a {
    move |symbol| {
        let planned = template.resources.iter().find(|one| one.symbol == symbol);
        let there = planned
            .filter(|_| known.contains(symbol))
            .and_then(|one| state.resources.get(&one.id.key()));
        there.map(resource::Resource::properties).ok_or(Fault::Deferred)
    }
}

/// What is refused before anything is made: everything that the resources' interfaces check in advance.
pub(super) fn preflight(shared: &Shared, template: &Template, name: &str) -> Option<Refusal> {
    let mut state = shared.lock();
    let mut refused = Vec::new();
    for one in &template.resources {
        let action = format!("{}/write", one.kind.name);
        if state.knobs.is_denied(&action, &one.id.text) {
            let options = &shared.options;
            return Some(Refusal::new(
                403,
                "InvalidTemplateDeployment",
                format!(
                    "Deployment failed with multiple errors: 'Authorization failed for template resource '{}' of type '{}'. The client '{}' with object id '{}' does not have permission to perform action '{action}' at scope '{}'.'",
                    one.id.own_name(), one.kind.name, options.client_id, options.object_id, one.id.text
                ),
            ).because(token::unauthorized(shared, &action, &one.id.text)));
        }
        // Values that are not known yet are not checked in advance either.
        let body = expression::foresee(&one.body, &template.place, &|_| Err(Fault::Deferred));
        let checked = match body {
            Err(Fault::Invalid(message)) => Err(Refusal::template(message)),
            Err(Fault::Deferred) => Ok(()),
            Ok(body) => resource::check(&state, &shared.options, &one.id, &one.api_version, &body),
        };
        refused.extend(checked.err().or_else(|| state.knobs.failed(&one.id, Deed::Check)));
    }
    // These are told as they are, without what they are part of.
    const ALONE: &[&str] = &[
        "NoRegisteredProviderFound",
        "MissingSubscriptionRegistration",
        "LocationNotAvailableForResourceType",
        "InvalidTemplate",
    ];
    if let Some(alone) = refused.iter().find(|one| ALONE.contains(&one.code.as_str())) {
        return Some(alone.clone());
    }
    if refused.is_empty() {
        return None;
    }
    let message = format!(
        "The template deployment '{name}' is not valid according to the validation procedure. The tracking id is '{}'. See inner errors for details.",
        uuid::Uuid::new_v4()
    );
    Some(refused.into_iter().fold(
        Refusal::new(400, "InvalidTemplateDeployment", message),
        Refusal::because,
    ))
}

/// Makes all that a template has.
pub(super) async fn run(shared: &Arc<Shared>, template: &Template, key: &str) -> Option<Done> {
    let existed: BTreeSet<String> = {
        let state = shared.lock();
        let keys = template.resources.iter().map(|one| one.id.key());
        keys.filter(|key| state.resources.contains_key(key)).collect()
    };
    let mut done = Done::default();
    let mut made: BTreeSet<String> = BTreeSet::new();
    let mut waiting: Vec<&Planned> = template.resources.iter().collect();
    while !done.canceled {
        let (ready, rest): (Vec<_>, Vec<_>) = waiting
            .into_iter()
            .partition(|one| one.depends.iter().all(|other| made.contains(other)));
        waiting = rest;
        if ready.is_empty() {
            break;
        }
        let steps: Vec<usize> = with(shared, key, |deployment| {
            ready
                .iter()
                .map(|one| deployment.begin("Create", Some(one.id.clone())))
                .collect()
        })?;
        if !shared.step().await {
            return None;
        }
        for (one, step) in ready.into_iter().zip(steps) {
            pause(shared, &one.id).await?;
            if done.canceled || shared.lock().knobs.is_canceled(&one.id) {
                done.canceled = true;
                with(shared, key, |deployment| deployment.end(step, "Canceled", None))?;
                continue;
            }
            let result = make(shared, template, one, &existed);
            match result {
                Ok(()) => {
                    made.insert(one.symbol.clone());
                    done.made.push(one.id.text.clone());
                    with(shared, key, |deployment| deployment.end(step, "Succeeded", None))?;
                }
                Err(cause) => {
                    let error = wrapped(cause);
                    done.failed.push((one.id.text.clone(), error.clone()));
                    with(shared, key, |deployment| {
                        deployment.end(step, "Failed", Some(error))
                    })?;
                }
            }
            if !shared.step().await {
                return None;
            }
        }
    }
    finish(shared, template, key, &mut done, &made)?;
    Some(done)
}

fn with<T>(shared: &Shared, key: &str, change: impl FnOnce(&mut Deployment) -> T) -> Option<T> {
    shared.lock().deployments.get_mut(key).map(change)
}

/// Waits where a test said so.
pub(super) async fn pause(shared: &Shared, id: &Id) -> Option<()> {
    let Some(target) = shared.lock().knobs.pause(id) else {
        return Some(());
    };
    shared.lock().knobs.waiting.insert(target.clone());
    shared.tell();
    shared
        .until(|state| (!state.knobs.paused.contains(&target)).then_some(()))
        .await?;
    shared.lock().knobs.waiting.remove(&target);
    Some(())
}

fn make(
    shared: &Shared,
    template: &Template,
    one: &Planned,
    existed: &BTreeSet<String>,
) -> Result<(), Refusal> {
    let mut state = shared.lock();
    if let Some(failure) = state.knobs.failed(&one.id, Deed::Write) {
        return Err(failure);
    }
    let body = expression::evaluate(
        &one.body,
        &template.place,
        &references(&state, template, &one.all_depends),
    )
    .map_err(|fault| {
        Refusal::template(match fault {
            Fault::Invalid(message) => message,
            Fault::Deferred => format!("what '{}' refers to is not there", one.symbol),
        })
    })?;
    // What is made side by side with it, or after it, is not there for it.
    let hidden = template
        .resources
        .iter()
        .filter(|other| !one.all_depends.contains(&other.symbol) && !existed.contains(&other.id.key()))
        .map(|other| other.id.key())
        .collect();
    resource::check(&state, &shared.options, &one.id, &one.api_version, &body)?;
    resource::write(
        &mut state,
        &shared.options,
        &one.id,
        &one.api_version,
        body,
        &hidden,
    )
    .map(|_| ())
}

/// An error of a resource's interface as a deployment tells it.
fn wrapped(cause: Refusal) -> Refusal {
    Refusal::new(
        cause.status.as_u16(),
        "ResourceDeploymentFailure",
        "The resource write operation failed to complete successfully, because it reached terminal provisioning state 'Failed'.",
    )
    .because(cause)
}

fn finish(
    shared: &Shared,
    template: &Template,
    key: &str,
    done: &mut Done,
    made: &BTreeSet<String>,
) -> Option<()> {
    if done.failed.is_empty() && !done.canceled {
        let outputs = template.outputs(&references(&shared.lock(), template, made));
        with(shared, key, |deployment| {
            let step = deployment.begin("EvaluateDeploymentOutput", None);
            deployment.end(
                step,
                if outputs.is_ok() { "Succeeded" } else { "Failed" },
                outputs.as_ref().err().cloned(),
            );
        })?;
        match outputs {
            Ok(outputs) => done.outputs = Some(outputs),
            Err(error) => done.failed.push((id::key(key), error)),
        }
    }
    if !done.failed.is_empty() {
        let error = Refusal::new(409, "DeploymentFailed", SEE_OPERATIONS);
        let causes = done
            .failed
            .iter()
            .filter(|_| !shared.options.terse)
            .map(|(target, cause)| cause.clone().target(target));
        done.error = Some(causes.fold(error, Refusal::because));
    }
    with(shared, key, |deployment| {
        deployment.state = match (done.canceled, done.error.is_some()) {
            (true, _) => "Canceled",
            (false, true) => "Failed",
            (false, false) => "Succeeded",
        };
        deployment.outputs.clone_from(&done.outputs);
        deployment.error.clone_from(&done.error);
    })
}
