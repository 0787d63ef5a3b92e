//! Where it goes: the project with its number, what it has enabled, and the region.

use std::collections::BTreeSet;
use std::path::PathBuf;

use futures::future::try_join;
use http::Method;
use nephos_core::env::Environment;
use nephos_core::{Error, ErrorKind, Result};
use serde_json::{Value, json};

use super::GcpDeployer;
use super::api::{Api, escaped};
use super::changes::Owner;
use super::diff::Ids;
use super::kinds::last;
use crate::config::Config;
use crate::deploy::graph::Graph;
use crate::deploy::settings::Settings;

const MANAGER: &str = "cloudresourcemanager.googleapis.com";
const USAGE: &str = "serviceusage.googleapis.com";
/// What every deployment asks beside the services of its resources.
const ALWAYS: [&str; 2] = [MANAGER, "iam.googleapis.com"];
/// How many interfaces are enabled by one request.
const ENABLED_AT_ONCE: usize = 20;

/// Where the app goes, once the project is found.
#[derive(Debug, Clone)]
pub(crate) struct Place {
    pub(super) api: Api,
    pub(super) app: String,
    pub(super) target: String,
    /// The project's id and number.
    pub(super) project: String,
    pub(super) number: String,
    pub(super) region: String,
    /// The settings with the project in them, by which all names are known.
    pub(super) settings: Settings,
    /// The hosts of the interfaces that are enabled, if who deploys may know.
    enabled: Option<BTreeSet<String>>,
}

impl GcpDeployer {
    /// Finds the project, and what follows from it.
    pub(super) async fn place(&self, operation: &'static str) -> Result<Place> {
        let config = self.config()?;
        let project = match &self.settings.project {
            Some(project) => project.clone(),
            None => project(config)?,
        };
        let api = Api::new(config, operation);
        let (number, enabled) = try_join(number(&api, &project), enabled(&api, &project)).await?;
        Ok(Place {
            api,
            app: self.deployment.app.name.clone(),
            target: self.deployment.target.clone(),
            number,
            region: self.settings.region.clone(),
            settings: Settings {
                project: Some(project.clone()),
                ..self.settings.clone()
            },
            project,
            enabled,
        })
    }
}

impl Place {
    pub(super) fn ids(&self) -> Ids<'_> {
        Ids {
            project: &self.project,
            number: &self.number,
        }
    }

    pub(super) fn owner(&self) -> Owner<'_> {
        Owner {
            app: &self.app,
            target: &self.target,
            ids: self.ids(),
            operation: self.api.operation,
        }
    }

    /// The parent of what is in the region.
    pub(super) fn regional(&self) -> String {
        format!("projects/{}/locations/{}", self.project, self.region)
    }

    /// As people read it.
    pub(super) fn title(&self) -> String {
        format!("{}, {}", self.project, self.region)
    }

    /// Whether an interface may be asked; so it may where nobody tells.
    pub(super) fn is_enabled(&self, host: &str) -> bool {
        (self.enabled.as_ref()).is_none_or(|enabled| enabled.contains(host))
    }

    /// The interfaces that a graph needs and the project has not enabled.
    ///
    /// # Errors
    /// [`ErrorKind::PermissionDenied`] if there are some, and deployment is not to enable them.
    pub(super) fn lacking(&self, graph: &Graph) -> Result<Vec<String>> {
        let mut needed: BTreeSet<&str> = graph.nodes.values().map(|node| node.kind.host()).collect();
        needed.extend(ALWAYS);
        let lacking: Vec<String> = (needed.into_iter())
            .filter(|host| !self.is_enabled(host))
            .map(str::to_owned)
            .collect();
        if lacking.is_empty() || self.settings.enable_apis {
            return Ok(lacking);
        }
        Err(Error::new(
            ErrorKind::PermissionDenied,
            self.api.operation,
            format!(
                "the project has not enabled what the app needs; enable it (`gcloud services enable {} --project {}`) and wait a few minutes, or set `enable_apis = true` of the target in nephos.toml",
                lacking.join(" "),
                self.project
            ),
        ))
    }

    /// Enables interfaces, and waits until they are: <https://cloud.google.com/service-usage/docs/reference/rest/v1/services/batchEnable>.
    pub(super) async fn enable(&mut self, hosts: &[String]) -> Result<()> {
        for hosts in hosts.chunks(ENABLED_AT_ONCE) {
            let path = format!("/v1/projects/{}/services:batchEnable", self.project);
            let body = json!({"serviceIds": hosts});
            let answer = self.api.call(USAGE, Method::POST, &path, Some(&body)).await?;
            self.api.wait(USAGE, "v1", answer).await?;
        }
        self.api.wait_for(hosts);
        if let Some(enabled) = &mut self.enabled {
            enabled.extend(hosts.iter().cloned());
        }
        Ok(())
    }
}

/// The project of the environment, or of whoever's credentials there are.
fn project(config: &Config) -> Result<String> {
    match config.project() {
        Ok(project) => Ok(project.to_owned()),
        Err(error) => credentials_project(&Environment::of_process()).ok_or(error),
    }
}

/// The project that the credentials' file is of: <https://cloud.google.com/docs/authentication/application-default-credentials>.
fn credentials_project(environment: &Environment) -> Option<String> {
    let own = environment
        .get("GOOGLE_APPLICATION_CREDENTIALS")
        .map(PathBuf::from);
    let file = own.or_else(|| {
        let home = environment.get("HOME")?;
        Some(PathBuf::from(home).join(".config/gcloud/application_default_credentials.json"))
    })?;
    let text = std::fs::read(file).ok()?;
    let credentials: Value = serde_json::from_slice(&text).ok()?;
    let named = |field: &str| credentials.get(field)?.as_str().map(str::to_owned);
    named("project_id").or_else(|| named("quota_project_id"))
}

/// The project's number: <https://cloud.google.com/resource-manager/reference/rest/v3/projects/get>.
async fn number(api: &Api, project: &str) -> Result<String> {
    let path = format!("/v3/projects/{}", escaped(project));
    let found = api.call(MANAGER, Method::GET, &path, None).await;
    let found = found.map_err(|error| error.with("project", project))?;
    let state = found.get("state").and_then(Value::as_str).unwrap_or("ACTIVE");
    if state != "ACTIVE" {
        return Err(Error::new(
            ErrorKind::NotFound,
            api.operation,
            "the project is being deleted; choose another by `project` of the target in nephos.toml",
        )
        .with("project", project)
        .with("state", state));
    }
    let name = found.get("name").and_then(Value::as_str).unwrap_or_default();
    Ok(last(name).to_owned())
}

/// What is enabled; `None` if who deploys may not know, or the interface that tells is not enabled itself.
async fn enabled(api: &Api, project: &str) -> Result<Option<BTreeSet<String>>> {
    let path = format!(
        "/v1/projects/{}/services?filter=state:ENABLED&pageSize=200",
        escaped(project)
    );
    match api.list(USAGE, &path, "services").await {
        Ok(services) => Ok(Some(
            (services.iter())
                .filter_map(|service| service.get("name")?.as_str())
                .map(|name| last(name).to_owned())
                .collect(),
        )),
        Err(error) if error.kind() == ErrorKind::PermissionDenied => Ok(None),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_credentials_file_may_say_which_project() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("key.json");
        let environment: Environment = [("GOOGLE_APPLICATION_CREDENTIALS", file.to_str().unwrap())]
            .into_iter()
            .collect();
        assert_eq!(credentials_project(&environment), None);
        for (text, project) in [
            (r#"{"project_id": "one", "quota_project_id": "two"}"#, Some("one")),
            (r#"{"quota_project_id": "two"}"#, Some("two")),
            ("{}", None),
            ("no JSON", None),
        ] {
            std::fs::write(&file, text).unwrap();
            assert_eq!(credentials_project(&environment).as_deref(), project, "{text}");
        }
    }
}
