//! An app as a [`Graph`]: pure, no I/O, the same app gives the same graph.
//!
//! What cannot be said on Google Cloud is refused here, before anything is sent; what is said otherwise than the manifest does is told in [`Graph::notes`].

mod body;
mod caller;
mod environment;
mod function;
mod layout;
mod limits;
mod messaging;
mod name;
pub(crate) mod role;
mod schedule;
mod secret;
mod storage;
mod table;
#[cfg(test)]
mod tests;
mod trigger;

use std::time::Duration;

use nephos_core::Result;
use nephos_core::app::App;
use serde_json::{Map, Value, json};

use self::body::Body;
use self::layout::Layout;
use super::graph::Graph;
use super::settings::Settings;

pub use self::limits::{MAX_CONDITIONS, MAX_MEMBERS};
pub use self::name::{IMAGE, NUMBER, PROJECT};

/// How much longer than the function's own time those who call it wait, in seconds: its host ends the handler itself, and must still answer.
const GRACE: u64 = 10;
/// How often more Google's services try than the manifest says: our host counts itself and sends the dead letter, also of a message whose last try killed the process.
const SPARE_ATTEMPTS: u32 = 3;

/// What only deployment knows. Where a value is not there, a placeholder stands in its place, and a note says so.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Known {
    /// The project's number; else [`NUMBER`].
    pub number: Option<String>,
    /// The image's full reference with its digest; else [`IMAGE`].
    pub image: Option<String>,
}

/// Renders the app. If the settings do not say the project, [`PROJECT`] stands for it.
///
/// # Errors
/// [`ErrorKind::InvalidArgument`](nephos_core::ErrorKind::InvalidArgument) or [`ErrorKind::Unsupported`](nephos_core::ErrorKind::Unsupported) for what Google Cloud refuses or cannot do,
/// [`ErrorKind::ResourceExhausted`](nephos_core::ErrorKind::ResourceExhausted) for an app that one project cannot hold.
pub fn render(app: &App, target: &str, settings: &Settings, known: &Known) -> Result<Graph> {
    let layout = Layout::new(app, target, settings, known)?;
    let mut body = assemble(&layout, known)?;
    limits::check(&layout, &body)?;
    limits::notes(&mut body);
    body.finish(&settings.overrides)
}

fn assemble(layout: &Layout<'_>, known: &Known) -> Result<Body> {
    let mut body = Body::new(layout);
    placeholders(layout, known, &mut body);
    function::add_shared(layout, &mut body)?;
    storage::add(layout, &mut body)?;
    messaging::add(layout, &mut body)?;
    table::add(layout, &mut body)?;
    secret::add(layout, &mut body)?;
    caller::add(layout, &mut body)?;
    for (name, spec) in &layout.app.functions {
        function::add(layout, &mut body, name, spec)?;
    }
    schedule::add(layout, &mut body)?;
    function::add_notes(layout, &mut body);
    Ok(body)
}

fn placeholders(layout: &Layout<'_>, known: &Known, body: &mut Body) {
    if layout.settings.project.is_none() {
        body.note(format!(
            "{PROJECT} stands for the project's id here: deployment takes it from GOOGLE_CLOUD_PROJECT or from the credentials, or target.{}.project says it",
            layout.target
        ));
    }
    if known.number.is_none() {
        body.note(format!(
            "{NUMBER} stands for the project's number here, which Google gives and deployment looks up"
        ));
    }
    if known.image.is_none() {
        body.note(format!(
            "{IMAGE} stands for the image here, whose digest follows from the binary and is known once it is pushed"
        ));
    }
}

/// The graph as a document: its resources by their full names, and its grants. Pretty, its keys in the order of their letters.
#[must_use]
pub fn text(graph: &Graph) -> String {
    let resources: Map<String, Value> = (graph.nodes.iter())
        .map(|(name, node)| {
            let document = json!({"kind": node.kind, "body": node.body, "after": node.after});
            (name.clone(), document)
        })
        .collect();
    let mut document = json!({"resources": resources, "grants": graph.grants});
    document.sort_all_objects();
    // Keys are text and numbers finite: this cannot fail.
    let mut text = serde_json::to_string_pretty(&document).unwrap_or_default();
    text.push('\n');
    text
}

/// Whole seconds, rounded up.
fn seconds(duration: Duration) -> u64 {
    duration.as_secs() + u64::from(duration.subsec_nanos() > 0)
}

/// As [JSON has durations](https://protobuf.dev/reference/protobuf/google.protobuf/#duration): `0.200s`.
fn duration(duration: Duration) -> String {
    match duration.subsec_millis() {
        0 => format!("{}s", duration.as_secs()),
        millis => format!("{}.{millis:03}s", duration.as_secs()),
    }
}
