//! Deployment: an app becomes a graph of what it is on Google Cloud, and the graph is brought about.

pub mod engine;
pub mod graph;
pub mod label;
pub mod settings;
pub mod template;

use std::collections::BTreeSet;

use nephos_core::app::{App, Trigger};
use nephos_core::deploy::{Document, Rendered};
use nephos_core::{Error, ErrorKind, Result};

use self::settings::Settings;
use self::template::Known;

/// The file of the rendered graph.
pub const GRAPH: &str = "graph.json";

/// The app as it would be deployed, with the notes.
///
/// # Errors
/// What Google Cloud refuses or cannot do, as [`template::render`].
pub fn rendered(app: &App, target: &str, settings: &Settings, known: &Known) -> Result<Rendered> {
    let graph = template::render(app, target, settings, known)?;
    Ok(Rendered {
        documents: vec![Document {
            name: GRAPH.to_owned(),
            text: template::text(&graph),
        }],
        notes: graph.notes,
    })
}

/// The features of the crate `nephos` that the functions' binary needs.
#[must_use]
pub fn features(app: &App) -> Vec<String> {
    let mut features: BTreeSet<String> = app.features();
    features.insert("gcp".to_owned());
    let mut triggers = app.functions.values().flat_map(|function| &function.on);
    // The mail service proves itself by a secret.
    if triggers.any(|trigger| matches!(trigger, Trigger::Email { .. })) {
        features.insert("secret".to_owned());
    }
    features.into_iter().collect()
}

/// What the target cannot do, or takes otherwise.
fn refused(kind: ErrorKind, message: &'static str) -> Error {
    Error::new(kind, "deploy.render", message)
}
