//! Where logs and traces go: one workspace, and one component of Application Insights over it.

use nephos_core::Result;
use nephos_core::plan::Part;
use serde_json::json;

use super::api;
use super::body::{Body, Resource};
use super::layout::Layout;
use super::value::{expression, resource_id};

/// The component's symbolic name.
pub(super) const INSIGHTS: &str = "Insights";
const WORKSPACE: &str = "Logs";

/// Adds the workspace and the component.
pub(super) fn add(layout: &Layout<'_>, body: &mut Body) -> Result<()> {
    let workspace = layout.workspace();
    let days = layout.settings.log_retention_days;
    body.add(
        WORKSPACE,
        Resource::new(&api::WORKSPACE, &workspace, "logs", Part::App)
            .properties(json!({"retentionInDays": days, "sku": {"name": "PerGB2018"}})),
    )?;
    body.add(
        INSIGHTS,
        Resource::new(&api::INSIGHTS, layout.insights(), "insights", Part::App)
            .with("kind", "web".into())
            .after([WORKSPACE])
            .properties(json!({
                "Application_Type": "web",
                "IngestionMode": "LogAnalytics",
                "WorkspaceResourceId": expression(resource_id(api::WORKSPACE.name, &[&workspace])),
            })),
    )
}
