//! The key vault. Its secrets have no value in the template: that is set beside it, and no deployment touches it.

use nephos_core::Result;
use nephos_core::app::Resource as AppResource;
use nephos_core::plan::Part;
use serde_json::json;

use super::api;
use super::body::{Body, Resource};
use super::layout::{Layout, Service};
use super::value::expression;

/// The vault's symbolic name.
pub(super) const VAULT: &str = "Vault";
/// For how long a deleted vault keeps its name, in days: the shortest time there is, so that an app can be removed and deployed again.
const SOFT_DELETE_DAYS: u32 = 7;

/// Adds the vault, if the app has a secret that is not kept elsewhere.
pub(super) fn add(layout: &Layout<'_>, body: &mut Body) -> Result<()> {
    for (name, address) in &layout.settings.secrets {
        body.note(format!(
            "secret `{name}` is kept elsewhere: give the identities of the functions that use it the role `Key Vault Secrets User` on {address}; the stack reaches no further than its own group"
        ));
    }
    if !layout.services.contains(&Service::Secrets) {
        return Ok(());
    }
    let vault = layout.vault();
    for (name, resource) in &layout.app.resources {
        if matches!(resource, AppResource::Secret(_)) && !layout.settings.secrets.contains_key(name) {
            body.note(format!(
                "secret `{name}` has no value until you set one: az keyvault secret set --vault-name {vault} --name {name} --file …"
            ));
        }
    }
    body.add(
        VAULT,
        Resource::new(&api::VAULT, &vault, "vault", Part::App).properties(json!({
            "sku": {"family": "A", "name": "standard"},
            "tenantId": expression("subscription().tenantId"),
            "enableRbacAuthorization": true,
            "enableSoftDelete": true,
            "softDeleteRetentionInDays": SOFT_DELETE_DAYS,
        })),
    )
}
