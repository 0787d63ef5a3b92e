//! The deployer: brings an app to Azure as one deployment stack, and new code by One Deploy alone.
//!
//! The state is Azure's: a stack of the app's name, known for ours by its tags, with the digest of the template that it was made of; and in each site's container the
//! packages that it ran. What is around the functions changes by the stack only. Code that alone differs goes straight to its sites.

mod account;
mod apply;
mod arm;
mod code;
mod destroy;
mod failure;
mod invoke;
mod logs;
mod preview;
mod resource;
mod rollback;
mod stack;
mod status;
mod vault;

use std::collections::BTreeSet;
use std::sync::OnceLock;

use async_trait::async_trait;
use nephos_core::Result;
use nephos_core::adapter::Deployer;
use nephos_core::app::{App, Trigger};
use nephos_core::deploy::archive::sha256;
use nephos_core::deploy::{
    Confirmed, Deployed, Deployment, Destroyed, Invoked, Keep, LogLine, LogQuery, Moved, Progress, Rendered,
    Requirements, Status,
};
use nephos_core::env::Environment;
use nephos_core::event::Payload;
use nephos_core::plan::Plan;
use serde_json::Value;

use self::arm::Arm;
use self::stack::Stack;
use super::package::Handler;
use super::settings::Settings;
use super::template::layout::Layout;
use super::template::{Template, render};
use crate::config::Config;

/// The GNU C library of the image that runs custom handlers, Debian 12 as far as its sources tell: <https://github.com/Azure/azure-functions-docker>.
const GLIBC: (u32, u32) = (2, 36);

/// Deploys one app to one target on Azure.
#[derive(Debug)]
pub struct AzureDeployer {
    deployment: Deployment,
    settings: Settings,
    config: OnceLock<Config>,
    /// Made when the first package is.
    handler: OnceLock<Handler>,
}

/// Where the app goes, once the subscription is found.
#[derive(Debug)]
struct Place {
    config: Config,
    arm: Arm,
    subscription: String,
    /// The path of the resource group.
    group: String,
    /// The stack's name.
    stack: String,
    /// The settings with the subscription in them, by which all names are known.
    settings: Settings,
}

impl Place {
    fn stack(&self, operation: &'static str) -> Stack<'_> {
        Stack {
            arm: &self.arm,
            group: &self.group,
            name: &self.stack,
            operation,
        }
    }
}

/// Opens a deployer for an app. No I/O.
///
/// # Errors
/// [`ErrorKind::InvalidArgument`](nephos_core::ErrorKind::InvalidArgument) if the target's settings are wrong.
pub fn open(deployment: Deployment) -> Result<Box<dyn Deployer>> {
    open_on(deployment, OnceLock::new())
}

/// The same with this configuration, instead of what the process's variables say.
///
/// # Errors
/// As [`open`].
pub fn open_with(deployment: Deployment, config: Config) -> Result<Box<dyn Deployer>> {
    open_on(deployment, OnceLock::from(config))
}

fn open_on(deployment: Deployment, config: OnceLock<Config>) -> Result<Box<dyn Deployer>> {
    let settings = Settings::of(&deployment.app, &deployment.target)?;
    Ok(Box::new(AzureDeployer {
        deployment,
        settings,
        config,
        handler: OnceLock::new(),
    }))
}

impl AzureDeployer {
    fn config(&self) -> Result<&Config> {
        if let Some(config) = self.config.get() {
            return Ok(config);
        }
        let config = Config::load(&Environment::of_process())?;
        Ok(self.config.get_or_init(|| config))
    }

    /// Finds the subscription, and what follows from it.
    async fn place(&self, operation: &'static str) -> Result<Place> {
        let config = self.config()?;
        let arm = Arm::new(config)?;
        let variable = Environment::of_process()
            .get(account::SUBSCRIPTION)
            .map(str::to_owned);
        let named = self.settings.subscription.clone().or(variable);
        let subscription = account::subscription(&arm, named.as_deref(), operation).await?;
        Ok(Place {
            config: config.clone(),
            arm,
            group: self.group_path(&subscription),
            stack: self
                .settings
                .stack_name(&self.deployment.app, &self.deployment.target),
            settings: Settings {
                subscription: Some(subscription.clone()),
                ..self.settings.clone()
            },
            subscription,
        })
    }

    fn place_name(&self, place: &Place) -> String {
        format!("{}, {}", place.subscription, self.settings.location)
    }

    fn template(&self, place: &Place) -> Result<Template> {
        render(&self.deployment.app, &self.deployment.target, &place.settings)
    }

    fn layout<'a>(&'a self, place: &'a Place) -> Result<Layout<'a>> {
        Layout::new(&self.deployment.app, &self.deployment.target, &place.settings)
    }

    /// The name of the storage account.
    fn storage(&self, place: &Place) -> Result<String> {
        Ok(self.layout(place)?.storage())
    }

    /// The id of the component of Application Insights.
    fn insights(&self, place: &Place) -> Result<String> {
        let name = self.layout(place)?.insights();
        Ok(format!(
            "{}/providers/Microsoft.Insights/components/{name}",
            place.group
        ))
    }

    /// What tells a stack that was made of this template from others.
    fn digest(&self, template: &Template) -> String {
        let text = format!("{} protect={}", template.to_compact_json(), self.settings.protect);
        sha256(text.as_bytes())
    }

    /// The stack's tags; without a digest it is in no state that could be deployed again.
    fn stack_tags(&self, digest: &str) -> Value {
        let mut tags = self.tags();
        if let (Value::Object(tags), false) = (&mut tags, digest.is_empty()) {
            tags.insert(stack::DIGEST.to_owned(), digest.into());
        }
        tags
    }
}

/// The features of the crate `nephos`, in order: what the app's functions are, and what their host does for them.
fn features(app: &App) -> Vec<String> {
    let mut features: BTreeSet<String> = app.features();
    features.insert("azure".to_owned());
    let mut triggers = app.functions.values().flat_map(|function| &function.on);
    // The mail service proves itself by a secret.
    if triggers.any(|trigger| matches!(trigger, Trigger::Email { .. })) {
        features.insert("secret".to_owned());
    }
    features.into_iter().collect()
}

#[async_trait]
impl Deployer for AzureDeployer {
    fn requirements(&self) -> Result<Requirements> {
        // https://learn.microsoft.com/azure/azure-functions/flex-consumption-plan: x64 only.
        let triples = ["x86_64-unknown-linux-musl", "x86_64-unknown-linux-gnu"];
        Ok(Requirements {
            triples: triples.map(str::to_owned).to_vec(),
            glibc: Some(GLIBC),
            is_static: false,
            features: features(&self.deployment.app),
        })
    }

    fn render(&self) -> Result<Rendered> {
        super::rendered(&self.deployment.app, &self.deployment.target, &self.settings)
    }

    async fn preview(&self, progress: &Progress) -> Result<Plan> {
        self.plan(progress).await
    }

    /// A what-if leaves nothing behind.
    async fn discard(&self, _plan: Plan) -> Result<()> {
        Ok(())
    }

    async fn apply(&self, plan: Plan, progress: &Progress) -> Result<Deployed> {
        self.carry_out(plan, progress).await
    }

    async fn destroy(&self, _: Confirmed, keep: Keep, progress: &Progress) -> Result<Destroyed> {
        self.remove(keep, progress).await
    }

    async fn status(&self) -> Result<Status> {
        let operation = "deploy.status";
        self.current(&self.place(operation).await?, operation).await
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

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_function_of_mails_can_read_the_mail_services_secret() {
        let duration = json!({"secs": 1, "nanos": 0});
        let app: App = serde_json::from_value(json!({
            "name": "app",
            "resources": {},
            "functions": {"f": {
                "memory": 1, "timeout": duration, "on": [{"kind": "email", "address": "*"}], "uses": {}, "env": {}, "dead_letter": "letters",
                "retry": {"attempts": 3, "backoff": duration, "max_backoff": duration},
                "concurrency": 1, "max_instances": 1, "isolation": "process",
            }},
            "targets": {"azure": {"location": "westeurope"}},
        }))
        .unwrap();
        let deployment = Deployment {
            app,
            target: "azure".to_owned(),
            binary: None,
        };
        let requirements = open(deployment).unwrap().requirements().unwrap();
        assert_eq!(requirements.features, ["azure", "on-email", "queue", "secret"]);
        assert!(requirements.triples[0].starts_with("x86_64"));
    }
}
