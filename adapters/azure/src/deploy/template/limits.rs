//! What one deployment can hold: <https://learn.microsoft.com/azure/azure-resource-manager/templates/best-practices#template-limits>.

use nephos_core::{Error, ErrorKind, Result};

use super::Template;
use crate::deploy::refused;

/// The most resources of one template.
pub const MAX_RESOURCES: usize = 800;
/// The largest template, in bytes: 4 MB.
pub const MAX_BODY_BYTES: usize = 4 << 20;

/// Refuses a template that the manager would.
pub(super) fn check(template: &Template, functions: usize) -> Result<()> {
    let resources = template.resource_count();
    if resources > MAX_RESOURCES {
        return Err(exceeded(
            "the app is more resources than one deployment can hold; split it into several apps, or let functions share triggers",
        )
        .with("resources", resources)
        .with("max_resources", MAX_RESOURCES)
        .with("functions", functions));
    }
    let bytes = template.to_compact_json().len();
    if bytes > MAX_BODY_BYTES {
        return Err(exceeded(
            "the template is larger than Azure Resource Manager takes; split the app into several",
        )
        .with("bytes", bytes)
        .with("max_bytes", MAX_BODY_BYTES)
        .with("resources", resources));
    }
    Ok(())
}

fn exceeded(message: &'static str) -> Error {
    refused(ErrorKind::ResourceExhausted, message)
}
