//! What a resource refers to must be there: what it is a part of, what it extends, and whatever ids its body has.

use std::collections::BTreeSet;

use serde_json::Value;

use super::super::Options;
use super::super::error::{Outcome, Refusal};
use super::super::id::{self, Id};
use super::super::kinds::{self, Kind};
use super::super::state::State;
use super::Resource;

/// Parts that are there as soon as what they are parts of is.
const BORN: &[&str] = &["/blobservices/default", "/queueservices/default"];

pub(super) fn check(
    state: &State,
    options: &Options,
    id: &Id,
    kind: &Kind,
    body: &Value,
    hidden: &BTreeSet<String>,
) -> Outcome<()> {
    let there = |text: &str| exists(state, &id::key(text), hidden);
    if let Some(parent) = id.parent().filter(|parent| !there(parent)) {
        return Err(Refusal::new(
            404,
            "ParentResourceNotFound",
            format!(
                "Failed to perform 'write' on resource(s) of type '{}', because the parent resource '{parent}' could not be found.",
                kind.name
            ),
        ));
    }
    if let Some(extended) = id.extended().filter(|extended| !there(extended)) {
        let (kind, name) =
            Id::read(extended).map_or_else(Default::default, |id| (id.kind.clone(), id.name()));
        return Err(Refusal::no_resource(&kind, &name, &id.group));
    }
    let mut texts = Vec::new();
    collect(body, &mut texts);
    for text in texts {
        let text = text.split("/dbs/").next().unwrap_or_default();
        let Some(other) = Id::read(text).filter(|other| kinds::find(&other.kind).is_ok()) else {
            continue;
        };
        if !there(text) {
            return Err(missing(kind, id, &other));
        }
    }
    match kind.name {
        "Microsoft.Authorization/roleAssignments" => check_role(state, options, id, body),
        "Microsoft.Web/sites" => check_site(state, id, body),
        "Microsoft.DocumentDB/databaseAccounts/sqlDatabases/containers" => check_partition(state, id, body),
        _ => Ok(()),
    }
}

fn exists(state: &State, key: &str, hidden: &BTreeSet<String>) -> bool {
    if state.resources.contains_key(key) && !hidden.contains(key) {
        return true;
    }
    BORN.iter().any(|born| {
        key.strip_suffix(born)
            .is_some_and(|parent| state.resources.contains_key(parent) && !hidden.contains(parent))
    })
}

/// All texts of a body, names of fields too.
fn collect<'a>(value: &'a Value, texts: &mut Vec<&'a str>) {
    match value {
        Value::String(text) => texts.push(text),
        Value::Array(list) => list.iter().for_each(|inner| collect(inner, texts)),
        Value::Object(fields) => {
            for (name, inner) in fields {
                texts.push(name);
                collect(inner, texts);
            }
        }
        _ => {}
    }
}

fn missing(kind: &Kind, id: &Id, other: &Id) -> Refusal {
    if other.kind.eq_ignore_ascii_case("Microsoft.Web/serverfarms") {
        return Refusal::new(
            404,
            "NotFound",
            format!("Cannot find ServerFarm with name {}.", other.own_name()),
        );
    }
    if other
        .kind
        .eq_ignore_ascii_case("Microsoft.ManagedIdentity/userAssignedIdentities")
    {
        return Refusal::new(
            400,
            "FailedIdentityOperation",
            format!(
                "Identity operation for resource '{}' failed with error 'Failed to perform resource identity operation. Status: 'BadRequest'. Response: '{{\"error\":{{\"code\":\"BadRequest\",\"message\":\"Resource '{}' was not found.\"}}}}'.'.",
                id.text, other.text
            ),
        );
    }
    let refusal = Refusal::no_resource(&other.kind, &other.name(), &other.group);
    Refusal::new(404, refusal.code, format!("{} ({})", refusal.message, kind.name))
}

fn check_role(state: &State, options: &Options, id: &Id, body: &Value) -> Outcome<()> {
    let properties = &body["properties"];
    let text = |name: &str| properties[name].as_str().unwrap_or_default();
    let (principal, role) = (text("principalId"), text("roleDefinitionId"));
    if uuid::Uuid::try_parse(principal).is_err() {
        return Err(Refusal::new(
            400,
            "InvalidPrincipalId",
            format!("A valid principal ID must be provided for role assignment, not '{principal}'."),
        ));
    }
    let last = role.rsplit('/').next().unwrap_or_default();
    if uuid::Uuid::try_parse(last).is_err() || !role.to_ascii_lowercase().contains("/roledefinitions/") {
        return Err(Refusal::new(
            400,
            "RoleDefinitionDoesNotExist",
            format!("The specified role definition with ID '{last}' does not exist."),
        ));
    }
    // With a type, the directory is not asked.
    let known = |other: &Resource| other.made.get("principalId").and_then(Value::as_str) == Some(principal);
    if text("principalType").is_empty()
        && principal != options.object_id
        && !state.resources.values().any(known)
    {
        return Err(Refusal::new(
            400,
            "PrincipalNotFound",
            format!(
                "Principal {} does not exist in the directory {}. Check that you have the correct principal ID. If you are creating this principal and then immediately assigning a role, this error might be related to a replication delay. In this case, set the role assignment principalType property to a value, such as ServicePrincipal, User, or Group. See https://aka.ms/docs-principaltype",
                principal.replace('-', ""),
                options.tenant
            ),
        ));
    }
    let parts = |other: &Resource| {
        let part = |name: &str| {
            other.body["properties"][name]
                .as_str()
                .unwrap_or_default()
                .to_ascii_lowercase()
        };
        (
            part("principalId"),
            part("roleDefinitionId").rsplit('/').next().map(str::to_owned),
        )
    };
    let own = (principal.to_ascii_lowercase(), Some(last.to_ascii_lowercase()));
    for other in state
        .resources
        .values()
        .filter(|other| other.kind.name == "Microsoft.Authorization/roleAssignments")
    {
        let same = other.id.key() == id.key();
        if same && parts(other) != own {
            return Err(Refusal::new(
                400,
                "RoleAssignmentUpdateNotPermitted",
                "Tenant ID, application ID, principal ID, and scope are not allowed to be updated.",
            ));
        }
        if !same && id::key(&other.id.scope) == id::key(&id.scope) && parts(other) == own {
            return Err(Refusal::new(
                409,
                "RoleAssignmentExists",
                format!(
                    "The role assignment already exists. The ID of the existing role assignment is {}.",
                    other.id.own_name().replace('-', "")
                ),
            ));
        }
    }
    Ok(())
}

/// A plan of Flex Consumption has one app.
fn check_site(state: &State, id: &Id, body: &Value) -> Outcome<()> {
    let Some(plan) = body["properties"]["serverFarmId"].as_str() else {
        return Err(Refusal::new(
            400,
            "BadRequest",
            "The property 'serverFarmId' is required.",
        ));
    };
    let flexible = state.resources.get(&id::key(plan)).is_some_and(|plan| {
        plan.body["sku"]["tier"] == "FlexConsumption" || plan.body["sku"]["name"] == "FC1"
    });
    let crowded = sites_of(state, &id::key(plan)).any(|other| other.id.key() != id.key());
    if flexible && crowded {
        return Err(Refusal::new(
            409,
            "Conflict",
            format!("The plan '{plan}' is of Flex Consumption and has an app already."),
        ));
    }
    Ok(())
}

fn sites_of<'a>(state: &'a State, plan: &'a str) -> impl Iterator<Item = &'a Resource> {
    state.resources.values().filter(move |other| {
        other.kind.name == "Microsoft.Web/sites"
            && other.body["properties"]["serverFarmId"]
                .as_str()
                .map(id::key)
                .as_deref()
                == Some(plan)
    })
}

fn check_partition(state: &State, id: &Id, body: &Value) -> Outcome<()> {
    let key = |body: &Value| body["properties"]["resource"]["partitionKey"]["paths"].clone();
    match state.resources.get(&id.key()) {
        Some(old) if key(&old.body) != key(body) => Err(Refusal::new(
            400,
            "BadRequest",
            "Message: {\"code\":\"BadRequest\",\"message\":\"Document collection partition key cannot be changed.\"}",
        )),
        _ => Ok(()),
    }
}

/// What others need is not deleted.
pub(super) fn check_deletion(state: &State, resource: &Resource) -> Outcome<()> {
    if resource.kind.name == "Microsoft.Web/serverfarms" {
        let key = resource.id.key();
        let names: Vec<&str> = sites_of(state, &key).map(|site| site.id.own_name()).collect();
        if !names.is_empty() {
            return Err(Refusal::new(
                409,
                "Conflict",
                format!(
                    "Server farm '{}' cannot be deleted because it has web app(s) {} assigned to it.",
                    resource.id.own_name(),
                    names.join(", ")
                ),
            ));
        }
    }
    Ok(())
}
