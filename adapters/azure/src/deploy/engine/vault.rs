//! Key vaults outlive their deletion: for days nobody gets their name, but whoever recovers them.
//!
//! <https://learn.microsoft.com/azure/key-vault/general/key-vault-recovery>

use azure_core::http::Method;
use nephos_core::{ErrorKind, Result};
use serde_json::Value;

use super::arm::Arm;
use crate::deploy::template::api;

const TYPE: &str = "Microsoft.KeyVault/vaults";

/// The vaults of a template: name and region.
fn vaults(template: &mut Value) -> impl Iterator<Item = &mut Value> {
    let resources = template.get_mut("resources").and_then(Value::as_object_mut);
    resources
        .into_iter()
        .flat_map(|resources| resources.values_mut())
        .filter(|resource| resource.get("type").and_then(Value::as_str) == Some(TYPE))
}

fn path(subscription: &str, vault: &Value, end: &str) -> Option<String> {
    let text = |name: &str| vault.get(name).and_then(Value::as_str);
    Some(format!(
        "/subscriptions/{subscription}/providers/Microsoft.KeyVault/locations/{}/deletedVaults/{}{end}?api-version={}",
        text("location")?,
        text("name")?,
        api::version(TYPE)?
    ))
}

/// Whether a vault of this name was deleted. Who may not ask that of the whole subscription goes on without: the deployment says so if there is one.
async fn deleted(arm: &Arm, path: &str, operation: &'static str) -> Result<bool> {
    match arm.find::<Value>(operation, path).await {
        Ok(found) => Ok(found.is_some()),
        Err(error) if error.kind() == ErrorKind::PermissionDenied => Ok(false),
        Err(error) => Err(error),
    }
}

/// Has the template recover the vaults of its names that were deleted, with their secrets.
pub(super) async fn recover(
    arm: &Arm,
    subscription: &str,
    template: &mut Value,
    operation: &'static str,
) -> Result<()> {
    for vault in vaults(template) {
        let Some(path) = path(subscription, vault, "") else {
            continue;
        };
        if deleted(arm, &path, operation).await?
            && let Some(properties) = vault.get_mut("properties").and_then(Value::as_object_mut)
        {
            properties.insert("createMode".to_owned(), "recover".into());
        }
    }
    Ok(())
}

/// Ends the vaults of a template for good, after they were deleted.
pub(super) async fn purge(
    arm: &Arm,
    subscription: &str,
    template: &mut Value,
    operation: &'static str,
) -> Result<()> {
    for vault in vaults(template) {
        let (Some(look), Some(purge)) = (path(subscription, vault, ""), path(subscription, vault, "/purge"))
        else {
            continue;
        };
        if deleted(arm, &look, operation).await? {
            let answer = arm.call(operation, Method::Post, &purge, None).await?;
            arm.wait(operation, &answer).await?;
        }
    }
    Ok(())
}
