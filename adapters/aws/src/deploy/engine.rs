//! The deployer: brings an app to AWS through CloudFormation, and new code through Lambda alone.
//!
//! The state is AWS's: a stack of the app's name, known for ours by its tags, and the alias `live` of each function, which triggers call. What is
//! around the functions changes by change sets only. Code that alone differs goes straight to Lambda, in seconds; so the stack's template may name older
//! code than what runs, and each deployment ends by comparing every function's digest with the artifact's.

mod apply;
mod artifacts;
mod buckets;
mod changes;
mod clients;
mod code;
mod destroy;
mod events;
mod failure;
mod features;
mod imports;
mod inspect;
mod invoke;
mod logs;
mod preview;
mod rollback;
mod stack;
mod state;
mod status;

use std::collections::BTreeMap;
use std::sync::OnceLock;

use async_trait::async_trait;
use aws_config::SdkConfig;
use nephos_core::adapter::Deployer;
use nephos_core::deploy::{
    Confirmed, Deployed, Deployment, Destroyed, Document, Invoked, Keep, LogLine, LogQuery, Moved, Progress,
    Rendered, Requirements, Status,
};
use nephos_core::event::Payload;
use nephos_core::plan::Plan;
use nephos_core::{Error, ErrorKind, Result};
use serde_json::Value;
use tokio::sync::OnceCell;

use self::clients::{Account, Clients};
use self::code::Functions;
use self::stack::Stack;
use super::artifact::{self, Artifact};
use super::settings::{Architecture, Settings};
use super::template::{Code, Output, Template, render};
use crate::config;

/// The GNU C library of the runtime `provided.al2023`: <https://docs.aws.amazon.com/linux/al2023/ug/compare-with-al2.html>
const GLIBC: (u32, u32) = (2, 34);
/// Stands in rendered templates for what is known only when it is deployed.
const UNKNOWN: &str = "known-when-deployed";

/// Deploys one app to one target on AWS.
#[derive(Debug)]
pub struct AwsDeployer {
    deployment: Deployment,
    settings: Settings,
    artifact: OnceLock<Artifact>,
    sdk: Option<SdkConfig>,
    clients: OnceCell<Clients>,
}

/// Opens a deployer for an app. No I/O.
///
/// # Errors
/// [`ErrorKind::InvalidArgument`] if the target's settings are wrong.
pub fn open(deployment: Deployment) -> Result<Box<dyn Deployer>> {
    open_on(deployment, None)
}

/// The same with this configuration of the SDK, instead of what its default chain finds; the target's `region` and `profile` are not looked at.
///
/// # Errors
/// As [`open`].
pub fn open_with(deployment: Deployment, sdk: SdkConfig) -> Result<Box<dyn Deployer>> {
    open_on(deployment, Some(sdk))
}

fn open_on(deployment: Deployment, sdk: Option<SdkConfig>) -> Result<Box<dyn Deployer>> {
    let settings = Settings::of(&deployment.app, &deployment.target)?;
    Ok(Box::new(AwsDeployer {
        deployment,
        settings,
        artifact: OnceLock::new(),
        sdk,
        clients: OnceCell::new(),
    }))
}

impl AwsDeployer {
    /// The clients, once account and region are found.
    async fn clients(&self) -> Result<&Clients> {
        let connect = async || {
            if let Some(sdk) = &self.sdk {
                return Clients::connect(sdk.clone()).await;
            }
            let sdk = config::load(self.settings.region.clone(), self.settings.profile.as_deref()).await;
            Clients::connect(sdk)
                .await
                .map_err(|error| config::naming_profile(error, self.settings.profile.as_deref()))
        };
        self.clients.get_or_try_init(connect).await
    }

    /// The app's stack.
    fn stack<'c>(&self, clients: &'c Clients, operation: &'static str) -> Stack<'c> {
        Stack {
            client: &clients.stacks,
            name: self
                .settings
                .stack_name(&self.deployment.app, &self.deployment.target),
            operation,
        }
    }

    /// The binary as Lambda takes it.
    fn artifact(&self) -> Result<&Artifact> {
        if let Some(artifact) = self.artifact.get() {
            return Ok(artifact);
        }
        let binary = self.deployment.binary.as_deref().ok_or_else(|| {
            Error::new(
                ErrorKind::InvalidArgument,
                "deploy.package",
                "this needs the functions' binary; build it first",
            )
        })?;
        let artifact = artifact::zip(binary)?.of_app(&self.deployment.app.name);
        Ok(self.artifact.get_or_init(|| artifact))
    }

    fn rendered(&self, code: &Code) -> Result<Template> {
        render(
            &self.deployment.app,
            &self.deployment.target,
            &self.settings,
            code,
        )
    }

    /// The template for an account: with all names written out by which what outlived an earlier stack is found.
    fn rendered_for(&self, account: &Account, code: &Code) -> Result<Template> {
        Ok(self.rendered(code)?.in_account(&account.id, &account.region))
    }

    /// The template with a placeholder for where the code is, which is known only when it is deployed.
    fn placeholder(&self) -> Result<Template> {
        let key = match &self.deployment.binary {
            Some(_) => self.artifact()?.key.clone(),
            None => format!("nephos/{}/{UNKNOWN}.zip", self.deployment.app.name),
        };
        let bucket = self.settings.artifact_bucket.clone();
        self.rendered(&Code {
            bucket: bucket.unwrap_or_else(|| format!("nephos-artifacts-{UNKNOWN}")),
            key,
        })
    }

    /// What the stack's outputs tell.
    fn outputs(&self) -> Result<BTreeMap<String, Output>> {
        Ok(self.placeholder()?.outputs)
    }

    /// The deployed functions' names at Lambda.
    async fn functions(&self, stack: &Stack<'_>, deployed: &Value) -> Result<Functions> {
        let mut names: BTreeMap<String, String> = inspect::functions(deployed)
            .into_iter()
            .map(|(name, logical)| (logical, name))
            .collect();
        let resources = stack.resources().await?;
        Ok(resources
            .into_iter()
            .filter_map(|resource| {
                let name = names.remove(resource.logical_resource_id.as_deref()?)?;
                Some((name, resource.physical_resource_id?))
            })
            .collect())
    }
}

#[async_trait]
impl Deployer for AwsDeployer {
    fn requirements(&self) -> Result<Requirements> {
        let processor = match self.settings.architecture {
            Architecture::X86_64 => "x86_64",
            Architecture::Arm64 => "aarch64",
        };
        // Static first: that runs on any system.
        let triples = ["musl", "gnu"].map(|libc| format!("{processor}-unknown-linux-{libc}"));
        Ok(Requirements {
            triples: triples.to_vec(),
            glibc: Some(GLIBC),
            is_static: false,
            features: features::of(&self.deployment.app),
        })
    }

    fn render(&self) -> Result<Rendered> {
        let template = self.placeholder()?;
        let document = Document {
            name: "template.json".to_owned(),
            text: template.to_json(),
        };
        Ok(Rendered {
            documents: vec![document],
            notes: template.notes,
        })
    }

    async fn preview(&self, progress: &Progress) -> Result<Plan> {
        self.plan(progress).await
    }

    async fn discard(&self, plan: Plan) -> Result<()> {
        self.give_up(plan).await
    }

    async fn apply(&self, plan: Plan, progress: &Progress) -> Result<Deployed> {
        self.carry_out(plan, progress).await
    }

    async fn destroy(&self, _: Confirmed, keep: Keep, progress: &Progress) -> Result<Destroyed> {
        self.remove(keep, progress).await
    }

    async fn status(&self) -> Result<Status> {
        self.current(self.clients().await?, "deploy.status").await
    }

    async fn logs(&self, query: &LogQuery, sink: &mut (dyn FnMut(LogLine) + Send)) -> Result<()> {
        self.read_logs(query, sink).await
    }

    async fn invoke(&self, function: &str, payload: Payload) -> Result<Invoked> {
        self.call(function, payload).await
    }

    async fn rollback(&self, functions: &[String], progress: &Progress) -> Result<Vec<Moved>> {
        self.roll_back(functions, progress).await
    }
}
