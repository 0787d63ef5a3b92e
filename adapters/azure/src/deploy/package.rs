//! What a function's site runs: `host.json`, a folder with `function.json` for each trigger of the host, `nephos.json` with what our own host has to know, and
//! the binary. All of it travels together, so that going back to an earlier package takes all of it along.

mod binding;
mod host;
#[cfg(test)]
mod tests;
mod wiring;

use std::collections::BTreeMap;

use nephos_core::app::App;
use nephos_core::deploy::archive::{self, File, sha256};
use nephos_core::{Error, ErrorKind, Result};
use serde_json::Value;

use super::settings::Settings;
use super::template::layout::Layout;
use crate::package::{FILE, HANDLER};

/// What a site's package holds besides the binary.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Content {
    /// The function.
    pub function: String,
    /// The site's name on Azure.
    pub site: String,
    /// The container of the site's package.
    pub container: String,
    /// The folder of these files among all sites': the function's name, or that with an end for its second site.
    pub folder: String,
    /// Texts by their paths.
    pub files: BTreeMap<String, String>,
}

impl Content {
    /// Whether it is of its function's only site, or of that of requests.
    #[must_use]
    pub fn is_front(&self) -> bool {
        self.folder == self.function
    }

    /// What tells its package with a binary of this digest from others, without packing it.
    #[must_use]
    pub fn fingerprint(&self, binary_sha256: &str) -> String {
        let mut text = format!("{HANDLER} {binary_sha256}\n");
        for (name, content) in &self.files {
            text.push_str(&format!("{name} {}\n", sha256(content.as_bytes())));
        }
        sha256(text.as_bytes())
    }
}

/// A binary as it is in each site's package: compressing it takes seconds, and packages are many.
#[derive(Clone)]
pub struct Handler(Vec<u8>);

impl Handler {
    /// Packs the binary.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidArgument`] if there is nothing in it.
    pub fn new(binary: &[u8]) -> Result<Self> {
        if binary.is_empty() {
            return Err(Error::new(
                ErrorKind::InvalidArgument,
                "deploy.package",
                "the function's binary is empty; build it again",
            ));
        }
        let file = File {
            name: HANDLER,
            bytes: binary,
            executable: true,
        };
        archive::zip(&[file]).map(Self)
    }
}

impl std::fmt::Debug for Handler {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Handler").field(&self.0.len()).finish()
    }
}

/// A site's package.
#[derive(Clone, PartialEq, Eq)]
pub struct Package {
    /// The zip.
    pub bytes: Vec<u8>,
    /// The zip's SHA-256, in lower-case hexadecimal.
    pub sha256: String,
}

impl std::fmt::Debug for Package {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Package")
            .field("bytes", &self.bytes.len())
            .field("sha256", &self.sha256)
            .finish()
    }
}

/// What every site's package holds besides the binary, in order of the functions' names; that of a function's requests comes first.
///
/// # Errors
/// What Azure refuses or cannot do.
pub fn contents(app: &App, target: &str, settings: &Settings) -> Result<Vec<Content>> {
    let layout = Layout::new(app, target, settings)?;
    let mut contents = Vec::with_capacity(layout.sites.len());
    for site in &layout.sites {
        let function = site.function;
        let Some(spec) = app.functions.get(function) else {
            continue;
        };
        let mut files = BTreeMap::new();
        files.insert("host.json".to_owned(), text(host::document(spec, site)));
        files.insert(
            FILE.to_owned(),
            text(wiring::document(&layout, function, spec, site)?),
        );
        for trigger in &site.triggers {
            let name = format!("{}/function.json", trigger.name);
            files.insert(name, text(binding::document(&layout, spec, trigger)));
        }
        contents.push(Content {
            function: function.to_owned(),
            site: layout.site_name(site),
            container: layout.code_container(site),
            folder: site.label.clone(),
            files,
        });
    }
    Ok(contents)
}

/// Packs one function's content with the binary. The same gives the same bytes, whenever and wherever it is packed.
///
/// # Errors
/// [`ErrorKind::Internal`] if it cannot be packed.
pub fn pack(content: &Content, handler: &Handler) -> Result<Package> {
    let files: Vec<_> = content
        .files
        .iter()
        .map(|(name, text)| File {
            name,
            bytes: text.as_bytes(),
            executable: false,
        })
        .collect();
    let bytes = archive::extended(handler.0.clone(), &files)?;
    let sha256 = sha256(&bytes);
    Ok(Package { bytes, sha256 })
}

/// Pretty, its keys in the order of their letters.
fn text(mut value: Value) -> String {
    value.sort_all_objects();
    // Keys are text and numbers finite: this cannot fail.
    let mut text = serde_json::to_string_pretty(&value).unwrap_or_default();
    text.push('\n');
    text
}
