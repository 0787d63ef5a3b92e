//! Secrets of Secret Manager. They have no value here: that is set beside deployment, which does not touch it.

use nephos_core::Result;
use nephos_core::app::Resource;
use serde_json::json;

use super::body::Body;
use super::layout::{Layout, part_of};
use crate::deploy::graph::Kind;

/// Adds the secrets that are not kept elsewhere.
pub(super) fn add(layout: &Layout<'_>, body: &mut Body) -> Result<()> {
    for (name, resource) in &layout.app.resources {
        if !matches!(resource, Resource::Secret(_)) {
            continue;
        }
        let secret = layout.secret(name);
        if layout.settings.secrets.contains_key(name) {
            body.note(format!(
                "secret `{name}` is kept elsewhere: give the accounts of the functions that use it the role Secret Manager Secret Accessor on {secret}; deployment changes nothing that it has not made"
            ));
            continue;
        }
        let id = secret.rsplit('/').next().unwrap_or_default();
        body.note(format!(
            "secret `{name}` has no value until you add one: gcloud secrets versions add {id} --project={} --data-file=…",
            layout.project
        ));
        // In the one region, as all else: an organisation may have forbidden others.
        let properties =
            json!({"replication": {"userManaged": {"replicas": [{"location": layout.region()}]}}});
        body.add(
            Kind::Secret,
            secret.clone(),
            part_of(resource, name),
            properties,
            [],
        )?;
    }
    Ok(())
}
