//! Deployment: an app becomes a template for Azure Resource Manager and a package for each function's site.

pub mod engine;
pub mod package;
pub mod settings;
pub mod template;

use nephos_core::app::App;
use nephos_core::deploy::{Document, Rendered};
use nephos_core::{Error, ErrorKind, Result};

use self::settings::Settings;

/// All native documents of the app, as they would be deployed: the template, and what a site's package holds besides the binary.
///
/// # Errors
/// What Azure refuses or cannot do, as [`template::render`] and [`package::contents`].
pub fn rendered(app: &App, target: &str, settings: &Settings) -> Result<Rendered> {
    let template = template::render(app, target, settings)?;
    let mut documents = vec![Document {
        name: "template.json".to_owned(),
        text: template.to_json(),
    }];
    let contents = package::contents(app, target, settings)?;
    for content in &contents {
        for (name, text) in &content.files {
            documents.push(Document {
                name: format!("{}/{name}", content.folder),
                text: text.clone(),
            });
        }
    }
    Ok(Rendered {
        documents,
        notes: template.notes,
    })
}

/// What the target cannot do, or takes otherwise.
fn refused(kind: ErrorKind, message: &'static str) -> Error {
    Error::new(kind, "deploy.render", message)
}
