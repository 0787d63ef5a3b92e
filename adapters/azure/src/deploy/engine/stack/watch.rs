//! What happens while a stack is deployed: told once, and kept so far as it tells the first cause of a failure.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use nephos_core::deploy::{Happening, Progress, StepState};
use nephos_core::plan::{Action, Part};
use serde::Deserialize;
use serde_json::Value;

use super::Managed;
use crate::deploy::engine::failure::Told;
use crate::deploy::engine::resource::{self, Id};

#[derive(Debug, Deserialize)]
pub(super) struct Operation {
    pub(super) properties: OperationProperties,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct OperationProperties {
    #[serde(default)]
    provisioning_operation: String,
    #[serde(default)]
    provisioning_state: String,
    timestamp: Option<DateTime<Utc>>,
    target_resource: Option<Managed>,
    status_message: Option<Value>,
}

/// What of a deployment was told already.
#[derive(Debug)]
pub(super) struct Watch<'a> {
    parts: &'a BTreeMap<String, Part>,
    /// The deployment before this one.
    pub(super) before: Option<String>,
    seen: BTreeMap<String, StepState>,
    /// The first thing that failed by itself.
    pub(super) first: Option<(Told, String)>,
    at: Option<DateTime<Utc>>,
}

impl<'a> Watch<'a> {
    pub(super) fn new(parts: &'a BTreeMap<String, Part>, before: Option<String>) -> Self {
        Self {
            parts,
            before,
            seen: BTreeMap::new(),
            first: None,
            at: None,
        }
    }

    pub(super) fn see(&mut self, operation: OperationProperties, progress: &Progress) {
        let Some(target) = operation.target_resource else {
            return;
        };
        // What only looks (`Read`, `EvaluateDeploymentOutput`) changes nothing.
        if !matches!(operation.provisioning_operation.as_str(), "Create" | "Delete") {
            return;
        }
        let state = match operation.provisioning_state.to_ascii_lowercase().as_str() {
            "succeeded" => StepState::Done,
            "failed" | "canceled" => StepState::Failed,
            _ => StepState::Started,
        };
        let told = operation.status_message.as_ref().and_then(Told::read);
        if state == StepState::Failed
            && let Some(told) = &told
        {
            self.failed(told, &target.id, operation.timestamp);
        }
        if self.seen.insert(target.id.clone(), state) == Some(state) {
            return;
        }
        let id = Id::read(&target.id);
        progress.tell(Happening::Step {
            action: if operation.provisioning_operation == "Delete" {
                Action::Delete
            } else {
                Action::Update
            },
            part: id.as_ref().map_or(Part::App, |id| id.part(self.parts)),
            kind: id.as_ref().map_or_else(String::new, |id| id.kind.clone()),
            id: resource::short(&target.id),
            state,
            reason: told.map(|told| told.cause().message.clone()),
        });
    }

    /// The earliest counts, and before all others what no other failure led to.
    fn failed(&mut self, told: &Told, id: &str, at: Option<DateTime<Utc>>) {
        let cause = told.cause();
        if cause.is_wrapper() {
            return;
        }
        let earlier = match (&self.first, at, self.at) {
            (None, ..) => true,
            (Some((first, _)), ..) if first.is_led_to() && !cause.is_led_to() => true,
            (Some((first, _)), ..) if !first.is_led_to() && cause.is_led_to() => false,
            (Some(_), Some(now), Some(then)) => now < then,
            _ => false,
        };
        if earlier {
            self.first = Some((cause.clone(), id.to_owned()));
            self.at = at;
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn operation(id: &str, state: &str, second: u32, error: Value) -> OperationProperties {
        serde_json::from_value(json!({
            "provisioningOperation": "Create", "provisioningState": state, "timestamp": format!("2026-11-28T08:00:{second:02}Z"),
            "targetResource": {"id": id}, "statusMessage": error,
        }))
        .unwrap()
    }

    #[test]
    fn the_first_failure_that_no_other_led_to_is_the_cause() {
        let parts = BTreeMap::new();
        let mut watch = Watch::new(&parts, None);
        let silent = Progress::silent();
        let error = |code: &str| json!({"error": {"code": code, "message": code}});
        watch.see(operation("/a", "Failed", 3, error("Conflict")), &silent);
        watch.see(operation("/b", "Failed", 9, error("QuotaExceeded")), &silent);
        watch.see(operation("/c", "Failed", 5, error("VaultAlreadyExists")), &silent);
        watch.see(operation("/d", "Failed", 1, error("DeploymentFailed")), &silent);
        watch.see(operation("/e", "Succeeded", 0, Value::Null), &silent);
        let (told, at) = watch.first.unwrap();
        assert_eq!((told.code.as_str(), at.as_str()), ("VaultAlreadyExists", "/c"));
    }

    #[test]
    fn each_state_of_a_resource_is_told_once() {
        let parts = BTreeMap::new();
        let mut watch = Watch::new(&parts, None);
        let told = std::sync::Arc::new(std::sync::Mutex::new(Vec::new()));
        let sink = std::sync::Arc::clone(&told);
        let progress = Progress::new(move |happening| {
            if let Happening::Step { state, .. } = happening {
                sink.lock().unwrap().push(state);
            }
        });
        for state in ["Running", "Running", "Succeeded", "Succeeded"] {
            watch.see(operation("/a", state, 1, Value::Null), &progress);
        }
        assert_eq!(*told.lock().unwrap(), [StepState::Started, StepState::Done]);
    }
}
