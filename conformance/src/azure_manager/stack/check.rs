//! What is refused of a request for a stack before anything goes on.

use serde_json::Value;

use super::super::error::{Outcome, Refusal};
use super::super::state::{Shared, State};
use super::super::token;
use super::{Address, Stack};

pub(super) fn not_found(address: &Address) -> Refusal {
    Refusal::new(
        404,
        "DeploymentStackNotFound",
        format!("The Deployment stack '{}' could not be found.", address.name),
    )
}

pub(super) fn busy(stack: &Stack) -> Refusal {
    Refusal::new(
        409,
        "DeploymentStackInNonTerminalState",
        format!(
            "The deployment stack '{}' could not be updated because it is currently in a non-terminal state, '{}'. Please wait for the current operation to complete.",
            stack.id, stack.state
        ),
    )
}

/// The properties of a stack that is put, without its template.
pub(super) fn settings(body: &Value) -> Outcome<Value> {
    let properties = &body["properties"];
    let Value::Object(fields) = properties else {
        return Err(Refusal::content("a stack has no 'properties'"));
    };
    let one_of = |pointer: &str, known: &[&str], required: bool| match properties.pointer(pointer) {
        None | Some(Value::Null) if !required => Ok(()),
        Some(Value::String(text)) if known.contains(&text.as_str()) => Ok(()),
        other => Err(Refusal::content(format!(
            "properties{} must be one of {}, not {}",
            pointer.replace('/', "."),
            known.join(", "),
            other.unwrap_or(&Value::Null)
        ))),
    };
    one_of("/actionOnUnmanage/resources", &["delete", "detach"], true)?;
    one_of("/actionOnUnmanage/resourceGroups", &["delete", "detach"], false)?;
    one_of("/actionOnUnmanage/managementGroups", &["delete", "detach"], false)?;
    one_of(
        "/denySettings/mode",
        &["denyDelete", "denyWriteAndDelete", "none"],
        true,
    )?;
    for (name, most) in [("excludedPrincipals", 5), ("excludedActions", 200)] {
        let count = properties["denySettings"][name].as_array().map_or(0, Vec::len);
        if count > most {
            return Err(Refusal::content(format!(
                "denySettings.{name} may have {most} entries"
            )));
        }
    }
    if properties["description"]
        .as_str()
        .is_some_and(|text| text.chars().count() > 4096)
    {
        return Err(Refusal::content("a description may have 4096 characters"));
    }
    const KNOWN: &[&str] = &[
        "template",
        "templateLink",
        "parameters",
        "parametersLink",
        "actionOnUnmanage",
        "debugSetting",
        "deploymentScope",
        "description",
        "denySettings",
        "bypassStackOutOfSyncError",
        "validationLevel",
        "extensionConfigs",
        "externalInputs",
        "externalInputDefinitions",
    ];
    if let Some(other) = fields.keys().find(|name| !KNOWN.contains(&name.as_str())) {
        return Err(Refusal::content(format!(
            "Could not find member '{other}' on object of type 'DeploymentStackProperties'"
        )));
    }
    let mut settings = properties.clone();
    if let Some(fields) = settings.as_object_mut() {
        fields.remove("template");
        fields.remove("bypassStackOutOfSyncError");
    }
    Ok(settings)
}

/// The rights that a change of a stack needs.
pub(super) fn check_rights(
    shared: &Shared,
    state: &State,
    address: &Address,
    action: &str,
    denies: bool,
) -> Outcome<()> {
    let mut actions = vec![action];
    if denies {
        actions.push("Microsoft.Resources/deploymentStacks/manageDenySetting/action");
    }
    match actions
        .into_iter()
        .find(|action| state.knobs.is_denied(action, &address.id()))
    {
        Some(action) => Err(token::unauthorized(shared, action, &address.id())),
        None => Ok(()),
    }
}

pub(super) fn check_name(name: &str) -> Outcome<()> {
    let fits = name.chars().all(|c| c.is_alphanumeric() || "-_.()".contains(c));
    if fits && (1..=90).contains(&name.chars().count()) && !name.ends_with('.') {
        return Ok(());
    }
    Err(Refusal::new(
        400,
        "InvalidDeploymentStackName",
        format!("The name '{name}' of the stack is not valid."),
    ))
}

pub(super) fn check_sync(shared: &Shared, key: &str, bypass: bool) -> Outcome<()> {
    let mut state = shared.lock();
    if !state.knobs.out_of_sync.contains(key) {
        return Ok(());
    }
    if bypass {
        state.knobs.out_of_sync.remove(key);
        return Ok(());
    }
    Err(Refusal::new(
        409,
        "DeploymentStackOutOfSync",
        format!(
            "The deployment stack '{key}' may not have an accurate list of managed resources. To prevent resources from being accidentally deleted, check that the managed resource list doesn't have any additional values. To bypass this warning, specify the 'BypassStackOutOfSyncError' flag."
        ),
    ))
}
