//! A site: a package with its settings, and the hosts that run it.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use nephos_core::{Error, ErrorKind, Result};
use serde_json::Value;
use tokio::sync::Mutex;

use super::{Here, OPERATION, Pace, name};
use crate::azure_functions::host::{Host, Options, Services};
use crate::azure_functions::package::BindingKind;
use crate::azure_functions::settings::Settings;

/// How long what is under way may take when a package is replaced.
const DRAIN: Duration = Duration::from_secs(60);

#[derive(Debug)]
pub(super) struct Site {
    pub(super) name: String,
    options: Options,
    /// As many instances as there may be.
    instances: usize,
    package: Mutex<PathBuf>,
    hosts: std::sync::Mutex<Vec<Arc<Host>>>,
}

impl Site {
    pub(super) fn new(
        site: &Value,
        package: PathBuf,
        known: &Here,
        more: &[(String, String)],
        services: Services,
        pace: &Pace,
    ) -> Result<Self> {
        let own = site.pointer("/properties/siteConfig/appSettings");
        let mut settings = BTreeMap::new();
        for setting in own.and_then(Value::as_array).into_iter().flatten() {
            let field = |field: &str| setting[field].as_str().unwrap_or_default();
            settings.insert(
                field("name").to_owned(),
                here(field("name"), field("value"), known)?,
            );
        }
        settings.extend(more.iter().cloned());
        settings.insert("FUNCTIONS_WORKER_RUNTIME".to_owned(), "custom".to_owned());
        let most = site
            .pointer("/properties/functionAppConfig/scaleAndConcurrency/maximumInstanceCount")
            .and_then(Value::as_u64)
            .and_then(|most| usize::try_from(most).ok());
        let mut options = Options::new(Settings::new(settings), services);
        options.site = name(site).to_owned();
        options.poll = pace.poll;
        options.lease = pace.lease;
        options.grace = Some(pace.grace);
        Ok(Self {
            name: name(site).to_owned(),
            options,
            instances: most.unwrap_or(usize::MAX).min(pace.instances).max(1),
            package: Mutex::new(package),
            hosts: std::sync::Mutex::default(),
        })
    }

    /// Starts the hosts. Only what takes messages from queues is scaled out: requests have one address here, and of all else an instance has a share.
    pub(super) async fn start(&self) -> Result<()> {
        let package = self.package.lock().await;
        let start = || async {
            let launched = Host::launch(&package, self.options.clone()).await;
            let host = launched.map_err(|error| {
                Error::new(error.kind(), OPERATION, "a site does not start")
                    .with("site", &self.name)
                    .caused_by(error)
            })?;
            // A process that does not come up is deployed all the same: who calls it sees so.
            let _ = host.ready().await;
            Ok::<_, Error>(host)
        };
        let first = start().await?;
        let is_scaled = first.functions().all(|function| {
            matches!(
                function.trigger.kind,
                BindingKind::Queue(_) | BindingKind::ServiceBus(_)
            )
        });
        let others = if is_scaled { self.instances - 1 } else { 0 };
        let others = futures::future::try_join_all((0..others).map(|_| start())).await?;
        let hosts = std::iter::once(first).chain(others).map(Arc::new).collect();
        *self.hosts.lock().unwrap_or_else(PoisonError::into_inner) = hosts;
        Ok(())
    }

    fn hosts(&self) -> Vec<Arc<Host>> {
        self.hosts.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(super) fn host(&self) -> Result<Arc<Host>> {
        self.hosts().into_iter().next().ok_or_else(|| {
            Error::new(ErrorKind::Unavailable, OPERATION, "the site does not run").with("site", &self.name)
        })
    }

    pub(super) async fn update(&self, package: PathBuf) -> Result<()> {
        futures::future::join_all(self.hosts().iter().map(|host| host.stop(DRAIN))).await;
        *self.package.lock().await = package;
        self.start().await
    }

    pub(super) async fn crash(&self) -> Result<()> {
        self.kill().await;
        self.start().await
    }

    pub(super) async fn kill(&self) {
        let hosts = std::mem::take(&mut *self.hosts.lock().unwrap_or_else(PoisonError::into_inner));
        futures::future::join_all(hosts.iter().map(|host| host.kill())).await;
    }

    pub(super) fn logs(&self) -> String {
        let lines = self.hosts().into_iter().flat_map(|host| host.log());
        lines.map(|line| format!("{}: {line}\n", self.name)).collect()
    }
}

/// A setting as it is here: the host looks for services at their own addresses, and what only deployment knows, such as an identity's id, is made up.
fn here(setting: &str, value: &str, known: &Here) -> Result<String> {
    if value.starts_with('[') {
        return Ok("known-when-deployed".to_owned());
    }
    if setting.ends_with("__accountName") {
        return Ok(known.account.clone());
    }
    if setting.ends_with("__accountEndpoint") {
        return Ok(known.cosmos.clone());
    }
    if setting.ends_with("__fullyQualifiedNamespace") {
        return known.namespaces.get(value).cloned().ok_or_else(|| {
            super::refused("a connection is to a namespace that the template does not declare")
                .with("setting", setting)
                .with("value", value)
        });
    }
    Ok(value.to_owned())
}
