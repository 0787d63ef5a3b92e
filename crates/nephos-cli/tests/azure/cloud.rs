//! A project, rendered and built by the command, in the suite's own cloud.

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::sync::Arc;

use nephos_conformance::azure_functions::cloud::{Emulators, Pace, Places};
use nephos_conformance::azure_functions::{self, Host};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::examples::{done, nephos};

/// An app that runs. Everything ends when it is dropped.
#[derive(Debug)]
pub(crate) struct Cloud {
    pub(crate) cloud: azure_functions::Cloud,
    pub(crate) emulators: Arc<Emulators>,
    /// The sites' names by the folders of their packages.
    sites: BTreeMap<String, String>,
    _packages: TempDir,
}

impl Cloud {
    /// Renders a project by the command, and starts what comes of it with this binary.
    pub(crate) async fn start(project: &Path, binary: &Path) -> Self {
        let packages = tempfile::tempdir().unwrap();
        let out = packages.path().join("out");
        done(&nephos(
            &["render", "--target", "azure", "--out", out.to_str().unwrap()],
            project,
        ));
        let template: Value =
            serde_json::from_slice(&std::fs::read(out.join("template.json")).unwrap()).unwrap();
        let sites: BTreeMap<String, String> =
            serde_json::from_value(template["outputs"]["sites"]["value"].clone()).unwrap();
        let mut folders = BTreeMap::new();
        for (folder, site) in &sites {
            let folder = out.join(folder);
            // A function that nothing calls has no triggers, and its host nothing to do.
            let has_triggers = std::fs::read_dir(&folder)
                .unwrap()
                .any(|entry| entry.unwrap().path().is_dir());
            if has_triggers {
                let handler = folder.join("handler");
                std::fs::copy(binary, &handler).unwrap();
                std::fs::set_permissions(&handler, std::fs::Permissions::from_mode(0o755)).unwrap();
                folders.insert(site.clone(), folder);
            }
        }
        let emulators = Emulators::start(1).await.unwrap();
        let pace = Pace::default();
        let cloud = azure_functions::Cloud::start(&emulators, &template, folders, settings, &pace)
            .await
            .unwrap();
        // Vaults of others, which a manifest may name.
        emulators.edge().route("*.vault.azure.net", &cloud.vault().url());
        Self {
            cloud,
            emulators,
            sites,
            _packages: packages,
        }
    }

    /// The host of a site, by the folder of its package.
    pub(crate) fn site(&self, folder: &str) -> Arc<Host> {
        self.cloud.host(&self.sites[folder]).unwrap()
    }

    /// What all hosts logged, for a failure's message.
    pub(crate) fn logs(&self) -> String {
        self.cloud.logs()
    }
}

/// The settings by which the process finds the emulators at the addresses of Azure.
fn settings(places: &Places) -> Vec<(String, String)> {
    [
        ("NEPHOS_AZURE_ENDPOINTS", json!(places.endpoints).to_string()),
        ("NEPHOS_AZURE_STORAGE_KEY", places.storage_key.clone()),
        ("NEPHOS_AZURE_COSMOS_KEY", places.storage_key.clone()),
    ]
    .map(|(name, value)| (name.to_owned(), value))
    .into()
}
