//! The app's deployment stack: what it is now, how it is changed, and what happens meanwhile.
//!
//! <https://learn.microsoft.com/azure/azure-resource-manager/bicep/deployment-stacks>,
//! <https://learn.microsoft.com/rest/api/resources/deployment-stacks>

mod watch;

use std::collections::{BTreeMap, BTreeSet};

use azure_core::http::Method;
use chrono::{DateTime, Utc};
use nephos_core::deploy::{Deployment, Health, Progress, mark};
use nephos_core::plan::Part;
use nephos_core::{Error, ErrorKind, Result};
use serde::Deserialize;
use serde_json::{Value, json};

use self::watch::{Operation, Watch};
use super::arm::{Arm, DEPLOYMENTS, Look};
use super::failure::{Told, cut_off};
use super::resource;

/// The tag with the digest of what was deployed.
pub(super) const DIGEST: &str = "nephos:template";

/// What becomes of resources that leave the stack.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Leaving {
    Delete,
    Detach,
}

impl Leaving {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Delete => "delete",
            Self::Detach => "detach",
        }
    }
}

/// A stack as it is now.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Found {
    #[serde(default)]
    pub(super) tags: Option<BTreeMap<String, String>>,
    pub(super) properties: Properties,
    pub(super) system_data: Option<SystemData>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Properties {
    pub(super) provisioning_state: String,
    pub(super) deployment_id: Option<String>,
    #[serde(default)]
    pub(super) resources: Vec<Managed>,
    #[serde(default)]
    pub(super) failed_resources: Vec<Failed>,
    pub(super) error: Option<Value>,
    pub(super) outputs: Option<Value>,
}

#[derive(Debug, Clone, Deserialize)]
pub(super) struct Managed {
    pub(super) id: String,
}

#[derive(Debug, Clone, Deserialize)]
pub(super) struct Failed {
    pub(super) id: String,
    pub(super) error: Option<Value>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct SystemData {
    pub(super) last_modified_at: Option<DateTime<Utc>>,
}

impl Found {
    pub(super) fn is_busy(&self) -> bool {
        !["succeeded", "failed", "canceled"].contains(&self.state().as_str())
    }

    pub(super) fn works(&self) -> bool {
        self.state() == "succeeded"
    }

    pub(super) fn state(&self) -> String {
        self.properties.provisioning_state.to_ascii_lowercase()
    }

    pub(super) fn health(&self) -> Health {
        match self.state().as_str() {
            "succeeded" => Health::Works,
            "failed" | "canceled" => Health::Failed,
            _ => Health::Changing,
        }
    }

    pub(super) fn modified(&self) -> Option<DateTime<Utc>> {
        self.system_data.as_ref().and_then(|data| data.last_modified_at)
    }

    /// What it manages, by ids in small letters.
    pub(super) fn managed(&self) -> BTreeSet<String> {
        let ids = self.properties.resources.iter();
        ids.map(|managed| managed.id.to_ascii_lowercase()).collect()
    }

    /// The digest of what was deployed last, if that ended well.
    pub(super) fn digest(&self) -> Option<&str> {
        let tags = self.tags.as_ref().filter(|_| self.works());
        tags.and_then(|tags| tags.get(DIGEST)).map(String::as_str)
    }

    fn tag(&self, name: &str) -> Option<&str> {
        self.tags.as_ref()?.get(name).map(String::as_str)
    }

    /// Holds that it is the app's.
    pub(super) fn own(&self, stack: &Stack<'_>, deployment: &Deployment) -> Result<()> {
        let ours = self.tag(mark::APP) == Some(&deployment.app.name)
            && self.tag(mark::TARGET) == Some(&deployment.target);
        if ours {
            return Ok(());
        }
        Err(Error::new(
            ErrorKind::AlreadyExists,
            stack.operation,
            "there is a deployment stack of this name that is not the app's, so it is left alone; choose another name by the target's `stack`",
        )
        .with("stack", stack.name)
        .with("app", self.tag(mark::APP).unwrap_or("none of Nephos")))
    }
}

/// The app's stack.
#[derive(Debug, Clone, Copy)]
pub(super) struct Stack<'a> {
    pub(super) arm: &'a Arm,
    /// The path of its group.
    pub(super) group: &'a str,
    pub(super) name: &'a str,
    pub(super) operation: &'static str,
}

/// What a stack is to be.
#[derive(Debug)]
pub(super) struct Wanted<'a> {
    pub(super) template: &'a Value,
    pub(super) leaving: Leaving,
    pub(super) tags: Value,
    /// Whether Azure keeps others from deleting what it manages.
    pub(super) protect: bool,
    pub(super) parts: &'a BTreeMap<String, Part>,
}

impl Stack<'_> {
    fn path(&self) -> String {
        format!(
            "{}/providers/Microsoft.Resources/deploymentStacks/{}",
            self.group, self.name
        )
    }

    /// The stack, if it is there.
    pub(super) async fn find(&self) -> Result<Option<Found>> {
        let path = format!("{}?api-version={DEPLOYMENTS}", self.path());
        self.arm.find(self.operation, &path).await
    }

    /// The template that was deployed last.
    pub(super) async fn template(&self) -> Result<Value> {
        #[derive(Deserialize)]
        struct Exported {
            template: Value,
        }
        let path = format!("{}/exportTemplate?api-version={DEPLOYMENTS}", self.path());
        let answer = self.arm.call(self.operation, Method::Post, &path, None).await?;
        let exported: Exported = answer.read(self.operation)?;
        Ok(exported.template)
    }

    /// Waits until nothing changes it any more.
    pub(super) async fn settled(&self, progress: &Progress) -> Result<Option<Found>> {
        let mut told = false;
        loop {
            match self.find().await? {
                Some(found) if found.is_busy() => {
                    if !told {
                        progress.phase(format!(
                            "waiting for the change that is under way ({})",
                            found.state()
                        ));
                        told = true;
                    }
                    tokio::time::sleep(super::arm::LOOK).await;
                }
                found => return Ok(found),
            }
        }
    }

    /// Makes it what it is to be, and waits until it is.
    pub(super) async fn put(&self, wanted: &Wanted<'_>, progress: &Progress) -> Result<Found> {
        let path = format!("{}?api-version={DEPLOYMENTS}", self.path());
        let mode = if wanted.protect { "denyDelete" } else { "none" };
        let body = json!({
            "tags": wanted.tags,
            "properties": {
                "description": "An app deployed with nephos.",
                "template": wanted.template,
                "parameters": {},
                "actionOnUnmanage": {"resources": wanted.leaving.name(), "resourceGroups": "detach", "managementGroups": "detach"},
                "denySettings": {"mode": mode, "applyToChildScopes": false, "excludedPrincipals": [], "excludedActions": []},
            },
        });
        let before = self
            .find()
            .await?
            .and_then(|found| found.properties.deployment_id);
        let answer = self
            .arm
            .call(self.operation, Method::Put, &path, Some(&body))
            .await
            .map_err(|error| error.with("stack", self.name))?;
        let mut watch = Watch::new(wanted.parts, before);
        if let Some(going) = Arm::going(&answer) {
            let mut pause = going.pause();
            loop {
                tokio::time::sleep(pause).await;
                let looked = self.arm.look(self.operation, &going).await.map_err(lost)?;
                self.tell(&mut watch, progress).await.map_err(lost)?;
                match looked {
                    Look::Going(next) => pause = next,
                    Look::Ended(_) => break,
                }
            }
        }
        self.tell(&mut watch, progress).await?;
        match self.find().await? {
            Some(found) if found.works() => Ok(found),
            Some(found) => Err(self.failure(&found, &watch)),
            None => Err(Error::new(
                ErrorKind::Conflict,
                self.operation,
                "the stack is gone while it was deployed: somebody else deleted it; run the same command again",
            )
            .with("stack", self.name)),
        }
    }

    /// Deletes it, and waits until it is gone.
    pub(super) async fn delete(&self, leaving: Leaving) -> Result<()> {
        let path = format!(
            "{}?api-version={DEPLOYMENTS}&unmanageAction.Resources={}&unmanageAction.ResourceGroups=detach&unmanageAction.ManagementGroups=detach",
            self.path(),
            leaving.name()
        );
        let answer = self
            .arm
            .call(self.operation, Method::Delete, &path, None)
            .await
            .map_err(|error| error.with("stack", self.name))?;
        let waited = self.arm.wait(self.operation, &answer).await;
        match self.find().await.map_err(lost)? {
            None => Ok(()),
            Some(found) if found.is_busy() => waited.map(drop),
            Some(found) => {
                waited?;
                Err(self.failure(&found, &Watch::new(&BTreeMap::new(), None)))
            }
        }
    }

    /// Tells what happened since the last time.
    async fn tell(&self, watch: &mut Watch<'_>, progress: &Progress) -> Result<()> {
        let Some(found) = self.find().await? else {
            return Ok(());
        };
        let Some(deployment) = found
            .properties
            .deployment_id
            .filter(|id| Some(id) != watch.before.as_ref())
        else {
            return Ok(());
        };
        let path = format!("{deployment}/operations?api-version={DEPLOYMENTS}");
        let operations: Vec<Operation> = self.arm.list(self.operation, &path).await?;
        for operation in operations {
            watch.see(operation.properties, progress);
        }
        Ok(())
    }

    /// Why it is not what it was to be: the first cause.
    fn failure(&self, found: &Found, watch: &Watch<'_>) -> Error {
        let failed = found.properties.failed_resources.iter();
        let of_stack = found.properties.error.as_ref().and_then(Told::read);
        let deleted = failed
            .filter_map(|failed| Some((Told::read(failed.error.as_ref()?)?, failed.id.clone())))
            .next();
        let canceled = found.state() == "canceled";
        let (told, at) = match (watch.first.clone(), deleted, of_stack) {
            (Some((told, at)), ..) => (told, Some(at)),
            (None, Some((told, at)), _) => (told, Some(at)),
            (None, None, Some(told)) if !canceled => (told, None),
            _ => {
                let message = if canceled {
                    "somebody cancelled the deployment; run the same command again"
                } else {
                    "the deployment failed, and Azure does not say why; look at the stack in the portal, and run the same command again"
                };
                return Error::new(ErrorKind::Conflict, self.operation, message)
                    .with("stack", self.name)
                    .with("state", found.state());
            }
        };
        let error = told
            .error(self.operation)
            .with("stack", self.name)
            .with("state", found.state());
        match at {
            Some(at) => error.with("resource", resource::short(&at)),
            None => error,
        }
    }
}

fn lost(error: Error) -> Error {
    cut_off(
        error,
        "Azure is lost while it carries the changes out; it goes on alone; run the same command again: it waits for the end, and goes on from there",
    )
}
