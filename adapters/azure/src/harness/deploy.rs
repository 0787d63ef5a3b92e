//! A deployed app: rendered and packed as `nephos deploy` does it, and brought to the suite's own cloud.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use nephos_conformance::Deployment;
use nephos_conformance::azure_functions::Cloud;
use nephos_conformance::azure_functions::cloud::{Emulators, Pace, Places};
use nephos_conformance::edge::Edge;
use nephos_conformance::probe::binary;
use nephos_core::app::App;
use nephos_core::env::Environment;
use nephos_core::resource::{Binding, Resources};
use nephos_core::wiring::PHYSICAL;
use nephos_core::{Error, ErrorKind, Result};
use serde_json::{Value, json};
use tempfile::TempDir;

use super::operator;
use crate::config::{COSMOS_KEY, ENDPOINTS, STORAGE_KEY};
use crate::deploy::package::{Content, Handler, contents, pack};
use crate::deploy::settings::Settings;
use crate::deploy::template::{OUTPUT_RESOURCES, render};
use crate::package::HTTP;
use crate::resources::AzureDrivers;

const OPERATION: &str = "harness.deploy";
/// The target's name.
const TARGET: &str = "azure";
/// How long after a crash a message comes again that was being handled: no rule waits for Azure's ten minutes.
const LEASE: Duration = Duration::from_secs(3);
/// As many instances as a rule asks for.
const INSTANCES: usize = 4;

/// An app in the cloud.
#[derive(Debug)]
pub(super) struct AzureDeployment {
    cloud: Cloud,
    contents: Vec<Content>,
    binary: PathBuf,
    /// How often it was deployed: each time the packages are others.
    builds: AtomicU32,
    resources: Arc<Resources>,
    packages: TempDir,
}

impl AzureDeployment {
    pub(super) async fn start(emulators: &Arc<Emulators>, mut app: App, binary: &Path) -> Result<Self> {
        let settings =
            json!({"location": "westeurope", "subscription": "00000000-0000-0000-0000-000000000000"});
        app.targets.insert(TARGET.to_owned(), settings);
        let settings = Settings::of(&app, TARGET)?;
        let template = render(&app, TARGET, &settings)?.body;
        let contents: Vec<Content> = (contents(&app, TARGET, &settings)?.into_iter())
            .filter(|content| content.files.keys().any(|file| file.ends_with("/function.json")))
            .collect();
        let folder = tempfile::tempdir().map_err(unwritable)?;
        let packages = packed(&contents, binary, 1, &folder)?;
        let pace = Pace {
            lease: LEASE,
            instances: INSTANCES,
            ..Pace::default()
        };
        let environment = |places: &Places| Vec::from(environment(places));
        let cloud = Cloud::start(emulators, &template, packages, environment, &pace).await?;
        let resources = resources(&app, &template, cloud.places(), emulators.edge())?;
        Ok(Self {
            cloud,
            contents,
            binary: binary.to_owned(),
            builds: AtomicU32::new(1),
            resources: Arc::new(resources),
            packages: folder,
        })
    }

    fn sites(&self) -> impl Iterator<Item = &str> {
        self.contents.iter().map(|content| content.site.as_str())
    }
}

/// The variables by which a process finds the emulators.
fn environment(places: &Places) -> [(String, String); 3] {
    [
        (ENDPOINTS, json!(places.endpoints).to_string()),
        (STORAGE_KEY, places.storage_key.clone()),
        // The emulator takes any.
        (COSMOS_KEY, places.storage_key.clone()),
    ]
    .map(|(name, value)| (name.to_owned(), value))
}

/// This build of each site's package, by the site's name.
fn packed(
    contents: &[Content],
    binary: &Path,
    build: u32,
    folder: &TempDir,
) -> Result<BTreeMap<String, PathBuf>> {
    let handler = Handler::new(&binary::bootstrap(binary, build)?)?;
    let mut packages = BTreeMap::new();
    for content in contents {
        let path = folder.path().join(format!("{}-{build}.zip", content.site));
        std::fs::write(&path, pack(content, &handler)?.bytes).map_err(unwritable)?;
        packages.insert(content.site.clone(), path);
    }
    Ok(packages)
}

/// Handles to the app's resources, by the names that the template's output tells.
fn resources(app: &App, template: &Value, places: &Places, edge: &Edge) -> Result<Resources> {
    let names = &template["outputs"][OUTPUT_RESOURCES]["value"];
    let bindings: Vec<Binding> = app
        .all_bindings()
        .into_iter()
        .map(|mut binding| {
            if let Some(physical) = names[&binding.name].as_str() {
                binding
                    .properties
                    .insert(PHYSICAL.to_owned(), physical.to_owned());
            }
            binding
        })
        .collect();
    let environment: Environment = environment(places).into_iter().collect();
    let config = operator::config(&environment, edge)?;
    Ok(Resources::new(Arc::new(AzureDrivers::new(&config)), bindings))
}

fn unwritable(error: std::io::Error) -> Error {
    Error::new(ErrorKind::Unavailable, OPERATION, "a package cannot be written").caused_by(error)
}

#[async_trait]
impl Deployment for AzureDeployment {
    fn resources(&self) -> Arc<Resources> {
        Arc::clone(&self.resources)
    }

    fn gateway(&self) -> Option<String> {
        let file = format!("{HTTP}/function.json");
        let front = self
            .contents
            .iter()
            .find(|content| content.files.contains_key(&file))?;
        Some(self.cloud.host(&front.site).ok()?.url())
    }

    /// Kills the processes and hosts of the app. What is around them (queues, leases, checkpoints) is the provider's, and does not end.
    async fn crash_and_restart(&self) -> Result<()> {
        futures::future::try_join_all(self.sites().map(|site| self.cloud.crash(site)))
            .await
            .map(drop)
    }

    /// Deploys another build.
    async fn stop_and_restart(&self) -> Result<()> {
        let build = self.builds.fetch_add(1, Ordering::Relaxed) + 1;
        let packages = packed(&self.contents, &self.binary, build, &self.packages)?;
        let updates = packages
            .into_iter()
            .map(|(site, package)| async move { self.cloud.update(&site, package).await });
        futures::future::try_join_all(updates).await.map(drop)
    }

    async fn remove(&self) -> Result<()> {
        if std::env::var_os(LOGS).is_some() {
            eprintln!("{}", self.cloud.logs());
        }
        self.cloud.end().await;
        Ok(())
    }
}

/// Names a variable with which all that the hosts logged is shown when an app is removed.
const LOGS: &str = "NEPHOS_AZURE_LOGS";
