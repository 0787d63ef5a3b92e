//! A subscription for the rules of deployment: the engine that `nephos deploy` uses, over the suite's own stand-in of Azure Resource Manager, with Azurite for what deployment keeps in an
//! app's storage account, and the stand-in's own knowledge to look at what there is.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use async_trait::async_trait;
use azure_core::http::{Method, Request};
use nephos_conformance::azure_functions::azurite::Azurite;
use nephos_conformance::azure_manager::{Existing, Failure, Manager, Options};
use nephos_conformance::edge::Edge;
use nephos_conformance::probe::binary;
use nephos_conformance::{Account, HELLO, Inventory, Meddling};
use nephos_core::adapter::Deployer;
use nephos_core::app::{App, QueueSpec, Resource};
use nephos_core::deploy::Deployment as Order;
use nephos_core::env::Environment;
use nephos_core::{Error, ErrorKind, Result};
use serde_json::{Value, json};
use tokio::sync::Mutex;

use super::operator;
use crate::config::{Config, ENDPOINTS, STORAGE_KEY};
use crate::deploy::engine;
use crate::deploy::settings::Settings;
use crate::deploy::template::render;
use crate::resources::rest::{Proof, Rest, TokenForm};

const OPERATION: &str = "harness.account";
/// The target's name.
const TARGET: &str = "azure";
/// The queue that Azure refuses.
const BROKEN: &str = "broken";
/// How many apps are deployed at most: each has a storage account.
const APPS: usize = 400;
/// How long a site may take to have what somebody else published.
const PATIENCE: Duration = Duration::from_secs(10);
/// What tokens for the manager and for sites are for.
const SCOPE: &str = "https://management.azure.com/.default";
const SITE: &str = "Microsoft.Web/sites";
/// <https://learn.microsoft.com/azure/templates/microsoft.web/2024-04-01/sites>
const SITE_VERSION: &str = "2024-04-01";

/// A subscription; what stands in for it ends with the last rule that has it.
#[derive(Debug)]
pub(super) struct AzureAccount {
    manager: Manager,
    azurite: Azurite,
    edge: Edge,
    /// The probe's binary.
    binary: PathBuf,
    /// Which of Azurite's accounts stands in for a storage account.
    stores: Mutex<BTreeMap<String, usize>>,
}

impl AzureAccount {
    pub(super) async fn start(binary: PathBuf) -> Result<Self> {
        let (manager, azurite, edge) = futures::future::try_join3(
            Manager::start(Options::default()),
            Azurite::with_accounts(APPS),
            Edge::start(),
        )
        .await?;
        for (beginning, base) in manager.endpoints() {
            edge.route(beginning.trim_start_matches("https://"), &base);
        }
        Ok(Self {
            manager,
            azurite,
            edge,
            binary,
            stores: Mutex::default(),
        })
    }

    fn settings(&self) -> Value {
        let subscription = self
            .manager
            .options()
            .subscriptions
            .first()
            .map(|one| one.id.as_str());
        json!({"location": "westeurope", "subscription": subscription})
    }

    /// The app with settings of the target, if it has none.
    fn of_target(&self, app: &App) -> App {
        let mut app = app.clone();
        app.targets
            .entry(TARGET.to_owned())
            .or_insert_with(|| self.settings());
        app
    }

    /// The configuration of whoever deploys the app. Its storage account's containers, which Azure makes, are made here.
    async fn config(&self, app: &App) -> Result<Config> {
        let settings = Settings::of(app, TARGET)?;
        let template = render(app, TARGET, &settings)?.body;
        let (mut storage, mut containers) = (String::new(), Vec::new());
        for resource in template["resources"]
            .as_object()
            .into_iter()
            .flat_map(serde_json::Map::values)
        {
            let name = resource["name"].as_str().unwrap_or_default();
            match resource["type"].as_str() {
                Some("Microsoft.Storage/storageAccounts") => name.clone_into(&mut storage),
                Some("Microsoft.Storage/storageAccounts/blobServices/containers") => {
                    containers.extend(name.rsplit('/').next().map(str::to_owned));
                }
                _ => {}
            }
        }
        let index = {
            let mut stores = self.stores.lock().await;
            let next = stores.len();
            *stores.entry(storage.clone()).or_insert(next)
        };
        let account = self.azurite.accounts().get(index).ok_or_else(|| {
            Error::new(
                ErrorKind::Unavailable,
                OPERATION,
                "more apps are deployed than there are storage accounts",
            )
        })?;
        for container in &containers {
            account.create_container(container).await?;
        }
        let endpoints =
            json!({format!("https://{storage}.blob.core.windows.net"): account.blobs}).to_string();
        let environment: Environment = [
            (ENDPOINTS, endpoints.as_str()),
            (STORAGE_KEY, account.key.as_str()),
        ]
        .into_iter()
        .collect();
        operator::deployer(&environment, &self.manager, &self.edge)
    }

    fn group(&self, app: &App) -> Result<String> {
        let app = self.of_target(app);
        Ok(Settings::of(&app, TARGET)?.group(&app).to_owned())
    }

    /// The app's site that is meddled with.
    fn hello(&self, app: &App) -> Result<Existing> {
        let all = self.manager.resources(&self.group(app)?).into_values();
        let mut sites = all.filter(|one| one.kind == SITE && one.id.contains(HELLO));
        sites.next().ok_or_else(|| {
            Error::new(ErrorKind::NotFound, OPERATION, "the app's site is not there").with("app", &app.name)
        })
    }

    /// As somebody does who has the package of another build at hand.
    async fn publish_again(&self, app: &App, site: &str) -> Result<()> {
        let missing =
            || Error::new(ErrorKind::NotFound, OPERATION, "the site has no package").with("site", site);
        let first = self
            .manager
            .published(site)
            .into_iter()
            .next()
            .ok_or_else(missing)?;
        let before = self.manager.published(site).len();
        let config = self.config(&self.of_target(app)).await?;
        let address = config.address(&format!(
            "https://{site}.scm.azurewebsites.net/api/publish?RemoteBuild=false&Deployer=hand"
        ))?;
        let rest = Rest::new(
            &config,
            &address,
            Proof::Token(SCOPE.to_owned(), TokenForm::Bearer),
        );
        let mut request = Request::new(address, Method::Post);
        request.insert_header("content-type", "application/zip");
        request.set_body(first.bytes);
        let mut changes = self.manager.watch();
        rest.send(OPERATION, request).await?;
        let published = async {
            while self.manager.published(site).len() == before {
                if changes.changed().await.is_err() {
                    break;
                }
            }
        };
        tokio::time::timeout(PATIENCE, published).await.map_err(|_| {
            Error::new(
                ErrorKind::DeadlineExceeded,
                OPERATION,
                "the site does not take a package",
            )
            .with("site", site)
        })
    }
}

fn last(id: &str) -> &str {
    id.rsplit('/').next().unwrap_or_default()
}

#[async_trait]
impl Account for AzureAccount {
    async fn deployer(&self, app: &App, build: u32) -> Result<Box<dyn Deployer>> {
        let app = self.of_target(app);
        let config = self.config(&app).await?;
        let order = Order {
            app,
            target: TARGET.to_owned(),
            binary: Some(binary::bootstrap(&self.binary, build)?),
        };
        engine::open_with(order, config)
    }

    /// All that is in the app's group, the group, the stack, and what each site runs.
    async fn inventory(&self, app: &App) -> Result<Inventory> {
        let group = self.group(app)?;
        let mut all = Inventory::new();
        if let Some((name, location)) = self
            .manager
            .groups()
            .into_iter()
            .find(|(name, _)| name.eq_ignore_ascii_case(&group))
        {
            let subscription = &self.settings()["subscription"];
            let stack = Settings::of(&self.of_target(app), TARGET)?.stack_name(app, TARGET);
            let id = format!(
                "/subscriptions/{}/resourceGroups/{group}/providers/Microsoft.Resources/deploymentStacks/{stack}",
                subscription.as_str().unwrap_or_default()
            );
            if let Some(stack) = self.manager.stack(&id) {
                all.insert(format!("stack {id}"), stack["properties"]["deploymentId"].clone());
            }
            all.insert(format!("group {name}"), location.into());
        }
        for (id, one) in self.manager.resources(&group) {
            if one.kind == SITE {
                let published: Vec<String> = self
                    .manager
                    .published(last(&id))
                    .into_iter()
                    .map(|one| one.sha256)
                    .collect();
                all.insert(format!("package {id}"), published.into());
            }
            all.insert(format!("{} {id}", one.kind), one.body);
        }
        Ok(all)
    }

    async fn meddle(&self, app: &App, how: Meddling) -> Result<()> {
        let hello = self.hello(app)?;
        match how {
            Meddling::Code => self.publish_again(app, last(&hello.id)).await,
            Meddling::Settings => {
                let mut body = hello.body;
                body["properties"]["clientAffinityEnabled"] = true.into();
                self.manager.put(&hello.id, SITE_VERSION, &body)
            }
        }
    }

    fn namesake(&self, app: &App) -> App {
        let mut other = app.clone();
        other.name = "other".to_owned();
        let mut settings = self.settings();
        settings["stack"] = format!("{}-{TARGET}", app.name).into();
        settings["resource_group"] = app.name.as_str().into();
        other.targets.insert(TARGET.to_owned(), settings);
        other
    }

    /// A queue that Azure refuses.
    async fn breaking(&self, app: &App) -> Result<App> {
        let mut app = app.clone();
        app.resources
            .insert(BROKEN.to_owned(), Resource::Queue(QueueSpec::default()));
        let settings = Settings::of(&self.of_target(&app), TARGET)?;
        let template = render(&self.of_target(&app), TARGET, &settings)?.body;
        let mut names = template["resources"]
            .as_object()
            .into_iter()
            .flat_map(serde_json::Map::values)
            .filter_map(|one| one["name"].as_str());
        let queue = names.find(|name| last(name).contains(BROKEN)).ok_or_else(|| {
            Error::new(
                ErrorKind::Internal,
                OPERATION,
                "the template has no queue of this name",
            )
            .with("queue", BROKEN)
        })?;
        // Of this app's storage account alone.
        let (account, name) = (queue.split('/').next().unwrap_or_default(), last(queue));
        let target = format!("/storageAccounts/{account}/queueServices/default/queues/{name}");
        self.manager.fail(
            &target,
            Failure::new(400, "InvalidResourceName", "this queue cannot be"),
        );
        Ok(app)
    }
}
