//! An app as a template for Azure Resource Manager, for one deployment stack in a resource group: pure, no I/O, the same app gives the same text.
//!
//! What cannot be said on Azure is refused here, before anything is sent; what is said otherwise than the manifest does is told in
//! [`Template::notes`].

pub(super) mod api;
mod body;
mod caller;
pub(super) mod environment;
mod event_grid;
mod function;
pub(super) mod layout;
mod limits;
mod messaging;
pub(super) mod name;
mod observe;
mod role;
mod schedule;
mod storage;
mod table;
#[cfg(test)]
mod tests;
pub(super) mod trigger;
mod value;
mod vault;

use std::collections::BTreeMap;
use std::time::Duration;

use nephos_core::Result;
use nephos_core::app::{App, Resource};
use nephos_core::plan::Part;
use serde_json::{Map, Value, json};

use self::body::Body;
use self::layout::Layout;
use super::settings::Settings;

pub use self::limits::{MAX_BODY_BYTES, MAX_RESOURCES};
pub use self::name::PLACEHOLDER;

/// The form of the template, which names its resources.
const SCHEMA: &str = "https://schema.management.azure.com/schemas/2019-04-01/deploymentTemplate.json#";
/// How often more the host tries than the manifest says: our host counts itself and sends the dead letter, also of a message whose last try killed the
/// process.
const SPARE_ATTEMPTS: u32 = 3;

/// The output with the sites' addresses by function.
pub const OUTPUT_FUNCTIONS: &str = "functions";
/// The output with the sites' names by the folders of their packages' files.
pub const OUTPUT_SITES: &str = "sites";
/// The output with the resources' own names by their names in the manifest.
pub const OUTPUT_RESOURCES: &str = "resources";

/// A rendered template.
#[derive(Debug, Clone, PartialEq)]
pub struct Template {
    /// The template itself, overrides applied.
    pub body: Value,
    /// What of the manifest each resource is for, by its place within the group in small letters (`microsoft.web/sites/…`). Role assignments, whose names
    /// the manager works out, are not among them.
    pub parts: BTreeMap<String, Part>,
    /// What will be otherwise than the manifest says, and what is left to do by hand: one sentence each.
    pub notes: Vec<String>,
}

impl Template {
    /// The text, pretty, its keys in the order of their letters.
    #[must_use]
    pub fn to_json(&self) -> String {
        let mut body = self.body.clone();
        body.sort_all_objects();
        // Keys are text and numbers finite: this cannot fail.
        let mut text = serde_json::to_string_pretty(&body).unwrap_or_default();
        text.push('\n');
        text
    }

    /// The text without spaces: what is sent.
    #[must_use]
    pub fn to_compact_json(&self) -> String {
        let mut body = self.body.clone();
        body.sort_all_objects();
        body.to_string()
    }

    /// How many resources it has.
    #[must_use]
    pub fn resource_count(&self) -> usize {
        self.resources().map_or(0, Map::len)
    }

    fn resources(&self) -> Option<&Map<String, Value>> {
        self.body.get("resources").and_then(Value::as_object)
    }
}

/// Renders the app. Names that all of Azure shares end in [`PLACEHOLDER`] as long as the settings do not say the subscription.
///
/// # Errors
/// [`ErrorKind::InvalidArgument`](nephos_core::ErrorKind::InvalidArgument) or
/// [`ErrorKind::Unsupported`](nephos_core::ErrorKind::Unsupported) for what Azure refuses or cannot do,
/// [`ErrorKind::ResourceExhausted`](nephos_core::ErrorKind::ResourceExhausted) for an app that one deployment cannot hold.
pub fn render(app: &App, target: &str, settings: &Settings) -> Result<Template> {
    let template = assemble(app, target, settings)?;
    limits::check(&template, app.functions.len())?;
    Ok(template)
}

/// Renders without looking at the limits of the whole: for an app that is to be split, or measured.
///
/// # Errors
/// As [`render`], but for [`ErrorKind::ResourceExhausted`](nephos_core::ErrorKind::ResourceExhausted).
pub fn assemble(app: &App, target: &str, settings: &Settings) -> Result<Template> {
    let layout = Layout::new(app, target, settings)?;
    let mut body = Body::new(&layout);
    if settings.subscription.is_none() {
        body.note(format!(
            "names that all of Azure shares end in {PLACEHOLDER} here: what they end in follows from the subscription, which deployment finds, or which target.{target}.subscription says"
        ));
    }
    observe::add(&layout, &mut body)?;
    storage::add(&layout, &mut body)?;
    messaging::add(&layout, &mut body)?;
    table::add(&layout, &mut body)?;
    vault::add(&layout, &mut body)?;
    event_grid::add(&layout, &mut body)?;
    caller::add(&layout, &mut body)?;
    let mut grants = BTreeMap::new();
    for (name, spec) in &app.functions {
        grants.insert(name, role::of(&layout, name, spec)?);
    }
    table::add_roles(&layout, &mut body, &role::table_roles(grants.values()))?;
    for (name, spec) in &app.functions {
        if let Some(grants) = grants.get(name) {
            function::add(&layout, &mut body, name, spec, grants)?;
        }
    }
    let small: Vec<String> = (app.functions.iter())
        .filter(|(_, spec)| function::is_below_smallest(spec))
        .map(|(name, _)| format!("`{name}`"))
        .collect();
    if !small.is_empty() {
        body.note(format!(
            "instances of 512 MiB, the smallest of Flex Consumption, are what these functions get, which ask for less: {}",
            small.join(", ")
        ));
    }
    outputs(&layout, &mut body)?;
    Ok(body.finish(&settings.overrides))
}

/// One output for all of a kind, because a template has 64 at most.
fn outputs(layout: &Layout<'_>, body: &mut Body) -> Result<()> {
    let functions: BTreeMap<&str, String> = layout
        .sites
        .iter()
        .rev()
        // Of two, the one of requests comes first, and so last here.
        .map(|site| (site.function, layout.site_url(site)))
        .collect();
    let sites: BTreeMap<&str, String> = (layout.sites.iter())
        .map(|site| (site.label.as_str(), layout.site_name(site)))
        .collect();
    let mut resources: BTreeMap<&str, String> = BTreeMap::new();
    for (name, resource) in &layout.app.resources {
        if !matches!(resource, Resource::Bucket(bucket) if bucket.url.is_some()) {
            resources.insert(name, layout.physical(name)?);
        }
    }
    body.output(OUTPUT_FUNCTIONS, "object", json!(functions));
    body.output(OUTPUT_SITES, "object", json!(sites));
    body.output(OUTPUT_RESOURCES, "object", json!(resources));
    Ok(())
}

/// Whole seconds, rounded up.
pub(super) fn seconds(duration: Duration) -> u64 {
    duration.as_secs() + u64::from(duration.subsec_nanos() > 0)
}

/// How often the host tries, with what our host needs besides.
pub(super) fn attempts_of(attempts: u32) -> u32 {
    attempts.saturating_add(SPARE_ATTEMPTS)
}
