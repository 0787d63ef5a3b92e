//! What goes on for a while: <https://google.aip.dev/151>. It ends after it was asked about a number of times, unless a test has it wait.

use serde_json::{Value, json};

use super::error::{Code, Outcome, Refusal};
use super::kinds::{self, Kind};
use super::knobs::{Deed, When};
use super::list;
use super::request::Asked;
use super::state::{Resource, Shared, State, now};
use super::{firestore, run, triggers};

/// One operation.
#[derive(Debug, Clone)]
pub(super) struct Operation {
    pub(super) kind: &'static Kind,
    /// The name of what it is about.
    pub(super) target: String,
    pub(super) deed: Deed,
    /// What was there before.
    pub(super) former: Option<Resource>,
    pub(super) failure: Option<(Refusal, When)>,
    /// What its metadata tell of the change itself.
    pub(super) change: Value,
    left: u32,
    created: String,
    ended: Option<String>,
    outcome: Option<Result<Value, Refusal>>,
}

impl Operation {
    pub(super) fn new(kind: &'static Kind, target: &str, deed: Deed, looks: u32) -> Self {
        Self {
            kind,
            target: target.to_owned(),
            deed,
            former: None,
            failure: None,
            change: Value::Null,
            left: looks,
            created: now(),
            ended: None,
            outcome: None,
        }
    }

    /// One that has ended.
    pub(super) fn ended(kind: &'static Kind, target: &str, deed: Deed, response: Value) -> Self {
        Self {
            ended: Some(now()),
            outcome: Some(Ok(response)),
            ..Self::new(kind, target, deed, 0)
        }
    }

    fn is_running(&self) -> bool {
        self.outcome.is_none()
    }

    fn view(&self, name: &str) -> Value {
        let verb = match self.deed {
            Deed::Create => "create",
            Deed::Update => "update",
            Deed::Delete => "delete",
        };
        let mut view = json!({"name": name});
        // Each interface tells something else of what goes on.
        view["metadata"] = match self.kind.host {
            "run.googleapis.com" => json!({"@type": self.kind.type_url, "name": self.target}),
            "artifactregistry.googleapis.com" => {
                json!({"@type": "type.googleapis.com/google.devtools.artifactregistry.v1.OperationMetadata"})
            }
            "firestore.googleapis.com" => self.of_firestore(),
            _ => json!({
                "@type": "type.googleapis.com/google.cloud.eventarc.v1.OperationMetadata",
                "createTime": self.created,
                "target": self.target,
                "verb": verb,
                "requestedCancellation": false,
                "apiVersion": "v1",
            }),
        };
        match &self.outcome {
            None => {}
            Some(Ok(response)) => {
                view["done"] = true.into();
                view["response"] = response.clone();
            }
            Some(Err(refusal)) => {
                view["done"] = true.into();
                view["error"] = refusal.status();
            }
        }
        view
    }

    /// Firestore tells times and states of fields alone.
    fn of_firestore(&self) -> Value {
        let name = match (self.kind == &kinds::FIELD, self.deed) {
            (true, _) => "FieldOperation",
            (false, Deed::Create) => "CreateDatabase",
            (false, Deed::Update) => "UpdateDatabase",
            (false, Deed::Delete) => "DeleteDatabase",
        };
        let mut metadata =
            json!({"@type": format!("type.googleapis.com/google.firestore.admin.v1.{name}Metadata")});
        if self.kind == &kinds::FIELD {
            metadata["field"] = self.target.clone().into();
            metadata["startTime"] = self.created.clone().into();
            metadata["state"] = match &self.outcome {
                None => "PROCESSING",
                Some(Ok(_)) => "SUCCESSFUL",
                Some(Err(_)) => "FAILED",
            }
            .into();
            if let Some(ended) = &self.ended {
                metadata["endTime"] = ended.clone().into();
            }
            for (name, value) in self.change.as_object().into_iter().flatten() {
                metadata[name] = value.clone();
            }
        }
        metadata
    }
}

impl State {
    /// Starts an operation and tells it. One that needs no looks has ended already.
    pub(super) fn begin(&mut self, operation: Operation) -> Value {
        let parts: Vec<&str> = operation.target.split('/').take(4).collect();
        let name = format!("{}/operations/{}", parts.join("/"), uuid::Uuid::new_v4());
        let is_due = operation.left == 0 && operation.is_running();
        self.operations.insert(name.clone(), operation);
        if is_due {
            self.advance(|other, _| other == name, true);
        }
        self.operations
            .get(&name)
            .map_or(Value::Null, |operation| operation.view(&name))
    }

    /// Whether something goes on with this resource.
    pub(super) fn is_busy(&self, target: &str) -> bool {
        self.operations
            .values()
            .any(|operation| operation.is_running() && operation.target == target)
    }

    /// Somebody looks at a resource, or at its operation: what goes on there goes on.
    pub(super) fn look(&mut self, name: &str) {
        self.advance(|operation, target| operation == name || target == name, false);
    }

    fn advance(&mut self, is_seen: impl Fn(&str, &str) -> bool, at_once: bool) {
        let mut due = Vec::new();
        for (name, operation) in &mut self.operations {
            let paused = self.knobs.is_paused(operation.kind, &operation.target);
            let starts = operation.deed != Deed::Delete
                && run::is_starting(&self.resources, &self.starts, &operation.target);
            if !operation.is_running() || paused || starts || !is_seen(name, &operation.target) {
                continue;
            }
            operation.left = if at_once {
                0
            } else {
                operation.left.saturating_sub(1)
            };
            if operation.left == 0 {
                due.push((name.clone(), operation.clone()));
            }
        }
        for (name, operation) in due {
            let outcome = self.finish(&operation);
            if let Some(kept) = self.operations.get_mut(&name) {
                kept.ended = Some(now());
                kept.outcome = Some(outcome);
            }
        }
    }

    fn finish(&mut self, operation: &Operation) -> Result<Value, Refusal> {
        let target = &operation.target;
        match &operation.failure {
            Some((refusal, When::Halfway)) => {
                triggers::stay_halfway(self, operation, refusal);
                return Err(refusal.clone());
            }
            Some((refusal, _)) => {
                match &operation.former {
                    Some(former) => self.resources.insert(target.clone(), former.clone()),
                    None => self.remove(target),
                };
                return Err(refusal.clone());
            }
            None => {}
        }
        if operation.deed == Deed::Delete {
            let gone = self.remove(target).or_else(|| operation.former.clone());
            // Other interfaces give what is gone.
            if operation.kind == &kinds::REPOSITORY {
                return Ok(json!({"@type": "type.googleapis.com/google.protobuf.Empty"}));
            }
            return Ok(typed(
                operation.kind,
                &gone.map_or(Value::Null, |resource| resource.body),
            ));
        }
        if operation.kind == &kinds::SERVICE {
            run::settle(self, target)?;
        }
        if operation.kind == &kinds::FIELD {
            return Ok(typed(operation.kind, &firestore::settle(self, target)));
        }
        let body = &self.get(operation.kind, target)?.body;
        Ok(typed(operation.kind, body))
    }

    /// Takes a resource away, with all that is in it.
    pub(super) fn remove(&mut self, name: &str) -> Option<Resource> {
        let below = format!("{name}/");
        let is_of = |other: &String| *other == name || other.starts_with(&below);
        self.policies.retain(|other, _| !is_of(other));
        self.payloads.retain(|other, _| !is_of(other));
        self.registry.forget(name);
        let found = self.resources.remove(name);
        self.resources.retain(|other, _| !is_of(other));
        found
    }
}

/// A body as an operation's response.
pub(super) fn typed(kind: &Kind, body: &Value) -> Value {
    let mut response = json!({"@type": kind.type_url});
    for (name, value) in body.as_object().into_iter().flatten() {
        response[name] = value.clone();
    }
    response
}

/// `operations.get`, `.wait`, `.list` and `.delete`.
pub(super) fn ask(shared: &Shared, asked: &Asked<'_>) -> Outcome<Value> {
    let mut state = shared.lock();
    let name = asked.name(shared);
    if asked.verb() == "list" {
        let below = format!("{name}/operations/");
        let host = asked.call.id().split('.').next().unwrap_or_default();
        let all = state
            .operations
            .iter()
            .filter(|(name, one)| name.starts_with(&below) && one.kind.key.split('.').next() == Some(host))
            .map(|(name, one)| one.view(name))
            .collect();
        return list::cut(asked, "operations", all);
    }
    let missing = || Refusal::new(Code::NotFound, format!("Operation '{name}' was not found"));
    let is_running = state.operations.get(&name).ok_or_else(missing)?.is_running();
    match asked.verb() {
        "get" => state.look(&name),
        "wait" => state.advance(|other, _| other == name, true),
        "delete" if is_running => {
            let message = "The operation is still running and cannot be deleted.";
            return Err(Refusal::new(Code::FailedPrecondition, message));
        }
        "delete" => {
            state.operations.remove(&name);
            return Ok(json!({}));
        }
        _ => return Err(super::route::unimplemented(asked)),
    }
    state
        .operations
        .get(&name)
        .map(|operation| operation.view(&name))
        .ok_or_else(missing)
}
