//! The project on disk: its folder, its manifest, its state.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use nephos_core::app::App;

use crate::output::Output;
use crate::targets;

/// Which project is meant, and where its state is: what all subcommands are told alike.
#[derive(Debug, Clone, Default)]
pub(crate) struct Place {
    pub(crate) dir: PathBuf,
    /// Another state folder than the project's own.
    pub(crate) state: Option<PathBuf>,
}

impl Place {
    /// The same, but for the project in `folder`, if one is named.
    pub(crate) fn in_folder(&self, folder: Option<&Path>) -> Self {
        Self {
            dir: folder.unwrap_or(&self.dir).to_owned(),
            state: self.state.clone(),
        }
    }
}

/// A project with its manifest loaded for one target.
#[derive(Debug)]
pub(crate) struct Project {
    pub(crate) dir: PathBuf,
    state: Option<PathBuf>,
    pub(crate) manifest: nephos_manifest::Loaded,
}

impl Project {
    /// Loads the manifest in the place's folder for `target`; warnings are printed.
    pub(crate) fn load(place: &Place, target: Option<&str>, output: Output) -> miette::Result<Self> {
        let dir = place.dir.as_path();
        let environment: BTreeMap<String, String> = std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
            .collect();
        let manifest = nephos_manifest::load(dir, target, &environment, &targets::NAMES)?;
        if !output.json && !manifest.warnings.is_empty() {
            eprintln!("{:?}", miette::Report::new(manifest.warnings.clone()));
        }
        let dir = if dir.is_file() {
            dir.parent().unwrap_or(Path::new(".")).to_owned()
        } else {
            dir.to_owned()
        };
        Ok(Self {
            dir,
            state: place.state.clone(),
            manifest,
        })
    }

    /// The app.
    pub(crate) fn app(&self) -> &App {
        &self.manifest.app
    }

    /// Where the embedded host keeps its state.
    pub(crate) fn state(&self) -> PathBuf {
        self.state.clone().unwrap_or_else(|| self.dir.join(".nephos"))
    }

    /// The state folder, if it is another than the project's own.
    pub(crate) fn other_state(&self) -> Option<&Path> {
        self.state.as_deref()
    }

    /// Where secrets are looked for besides the environment.
    pub(crate) fn secrets(&self) -> PathBuf {
        self.dir.join(nephos_local::deploy::secrets::SECRETS_FILE)
    }
}
