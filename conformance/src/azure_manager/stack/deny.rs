//! Deny assignments: what a stack manages is not deleted (or not changed) by others, as long as its deny settings are in force.

use serde_json::Value;

use super::super::Options;
use super::super::error::{Outcome, Refusal};
use super::super::id::{self, Id};
use super::super::state::State;
use super::Stack;

impl Stack {
    /// Whether its deny settings forbid an action on a resource.
    fn denies(&self, key: &str, action: &str, is_deletion: bool, principal: &str) -> bool {
        let settings = &self.denied;
        let forbidden = match settings["mode"].as_str() {
            Some("denyDelete") => is_deletion,
            Some("denyWriteAndDelete") => true,
            _ => false,
        };
        let lists = |name: &str, text: &str| {
            settings[name]
                .as_array()
                .into_iter()
                .flatten()
                .filter_map(Value::as_str)
                .any(|other| other.eq_ignore_ascii_case(text))
        };
        let below = settings["applyToChildScopes"] == true;
        let meant = self
            .managed
            .iter()
            .map(|id| id::key(id))
            .any(|managed| managed == key || (below && id::is_below(key, &managed)));
        forbidden && meant && !lists("excludedPrincipals", principal) && !lists("excludedActions", action)
    }
}

/// What is said to somebody who changes or deletes what a stack protects. A stack's own changes are not asked for here, but what it deletes
/// below a resource that it keeps is.
pub(in super::super) fn check(
    state: &State,
    options: &Options,
    id: &Id,
    kind: &str,
    is_deletion: bool,
) -> Outcome<()> {
    let action = format!("{kind}/{}", if is_deletion { "delete" } else { "write" });
    let key = id.key();
    let Some(stack) = state
        .stacks
        .values()
        .find(|stack| stack.denies(&key, &action, is_deletion, &options.object_id))
    else {
        return Ok(());
    };
    Err(Refusal::new(
        403,
        "DenyAssignmentAuthorizationFailed",
        format!(
            "The client '{}' with object id '{}' has permission to perform action '{action}' on scope '{}'; however, the access is denied because of the deny assignment with name 'Deny assignment '{}' created by Deployment Stack '{}'.' and Id '{}' at scope '{}'.",
            options.client_id,
            options.object_id,
            id.text,
            stack.correlation,
            stack.id,
            stack.correlation.replace('-', ""),
            id.text
        ),
    ))
}
