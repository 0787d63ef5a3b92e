//! Key vaults stay for a while after they were deleted: such a name can only be recovered, or purged.
//!
//! <https://learn.microsoft.com/azure/key-vault/general/soft-delete-overview>

use chrono::{Duration, Utc};
use serde_json::{Value, json};

use super::super::error::{Outcome, Refusal};
use super::super::id::Id;
use super::super::state::{DeletedVault, State};
use super::{Resource, moment, normal};

const KIND: &str = "Microsoft.KeyVault/vaults";
const MORE: &str = "https://go.microsoft.com/fwlink/?linkid=2149745";

pub(super) fn check(state: &State, id: &Id, body: &Value) -> Outcome<()> {
    if !id.kind.eq_ignore_ascii_case(KIND) || state.resources.contains_key(&id.key()) {
        return Ok(());
    }
    let recovers = body["properties"]["createMode"]
        .as_str()
        .is_some_and(|mode| mode.eq_ignore_ascii_case("recover"));
    match (
        state
            .deleted_vaults
            .contains_key(&id.own_name().to_ascii_lowercase()),
        recovers,
    ) {
        (true, false) => Err(Refusal::new(
            409,
            "ConflictError",
            format!(
                "A vault with the same name already exists in deleted state. You need to either recover or purge existing key vault. Follow this link {MORE} for more information on soft delete."
            ),
        )),
        (false, true) => Err(Refusal::new(
            404,
            "SoftDeletedVaultDoesNotExist",
            format!(
                "A soft deleted vault with the given name does not exist. Ensure that the name for the vault that is being attempted to recover is in a recoverable state. For more information on soft delete please follow this link {MORE}"
            ),
        )),
        _ => Ok(()),
    }
}

/// The deleted vault that this one was, if it is recovered. How it was made is not part of what it is.
pub(super) fn recover(state: &mut State, id: &Id, body: &mut Value) -> Option<Resource> {
    if !id.kind.eq_ignore_ascii_case(KIND) {
        return None;
    }
    if let Some(properties) = body["properties"].as_object_mut() {
        properties.remove("createMode");
    }
    state
        .deleted_vaults
        .remove(&id.own_name().to_ascii_lowercase())
        .map(|vault| vault.resource)
}

pub(super) fn keep(state: &mut State, resource: &Resource) {
    let vault = DeletedVault {
        resource: resource.clone(),
        at: Utc::now(),
    };
    state
        .deleted_vaults
        .insert(resource.id.own_name().to_ascii_lowercase(), vault);
}

/// A deleted vault, by its subscription, location and name.
pub(in super::super) fn deleted<'a>(
    state: &'a State,
    subscription: &str,
    location: &str,
    name: &str,
) -> Outcome<&'a DeletedVault> {
    state
        .deleted_vaults
        .get(&name.to_ascii_lowercase())
        .filter(|vault| {
            let there = vault.resource.body["location"].as_str().unwrap_or_default();
            normal(there) == normal(location)
                && vault.resource.id.subscription.eq_ignore_ascii_case(subscription)
        })
        .ok_or_else(|| {
            Refusal::new(
                404,
                "DeletedVaultNotFound",
                format!("The specified deleted vault '{name}' does not exist."),
            )
        })
}

pub(in super::super) fn view_deleted(vault: &DeletedVault) -> Value {
    let resource = &vault.resource;
    let location = normal(resource.body["location"].as_str().unwrap_or_default());
    let days = resource.body["properties"]["softDeleteRetentionInDays"]
        .as_i64()
        .unwrap_or(90);
    let name = resource.id.own_name();
    json!({
        "id": format!("/subscriptions/{}/providers/Microsoft.KeyVault/locations/{location}/deletedVaults/{name}", resource.id.subscription),
        "name": name,
        "type": "Microsoft.KeyVault/deletedVaults",
        "properties": {
            "vaultId": resource.id.text,
            "location": location,
            "tags": resource.body["tags"],
            "deletionDate": moment(vault.at),
            "scheduledPurgeDate": moment(vault.at + Duration::days(days)),
            "purgeProtectionEnabled": resource.body["properties"]["enablePurgeProtection"].as_bool().unwrap_or(false),
        },
    })
}

pub(in super::super) fn purge(state: &mut State, name: &str) -> Outcome<()> {
    let key = name.to_ascii_lowercase();
    let protected = state.deleted_vaults.get(&key).is_some_and(|vault| {
        vault.resource.body["properties"]["enablePurgeProtection"].as_bool() == Some(true)
    });
    if protected {
        return Err(Refusal::new(
            400,
            "MethodNotAllowed",
            "Operation \"Purge Deleted Vault\" is not allowed on this vault. Purge can only be performed on vaults without purge protection.",
        ));
    }
    state.deleted_vaults.remove(&key);
    Ok(())
}
