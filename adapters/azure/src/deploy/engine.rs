//! The deployer: what an app becomes on Azure, and what its binary must be.
//!
//! It renders; the operations that need Azure Resource Manager are not there yet, and say so. What is rendered can be deployed with Azure's own command.

use std::collections::BTreeSet;

use async_trait::async_trait;
use nephos_core::adapter::Deployer;
use nephos_core::app::{App, Trigger};
use nephos_core::deploy::{
    Confirmed, Deployed, Deployment, Destroyed, Invoked, Keep, LogLine, LogQuery, Moved, Progress, Rendered,
    Requirements, Status,
};
use nephos_core::event::Payload;
use nephos_core::plan::Plan;
use nephos_core::{Error, ErrorKind, Result};

use super::settings::Settings;

/// The GNU C library of the image that runs custom handlers, Debian 12 as far as its sources tell: <https://github.com/Azure/azure-functions-docker>.
const GLIBC: (u32, u32) = (2, 36);

/// Deploys one app to one target on Azure.
#[derive(Debug)]
pub struct AzureDeployer {
    deployment: Deployment,
    settings: Settings,
}

/// Opens a deployer for an app. No I/O.
///
/// # Errors
/// [`ErrorKind::InvalidArgument`] if the target's settings are wrong.
pub fn open(deployment: Deployment) -> Result<Box<dyn Deployer>> {
    let settings = Settings::of(&deployment.app, &deployment.target)?;
    Ok(Box::new(AzureDeployer { deployment, settings }))
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

/// What this version does not do yet.
fn not_yet<T>(operation: &'static str) -> Result<T> {
    Err(Error::new(
        ErrorKind::Unsupported,
        operation,
        "this version of Nephos renders an app for Azure and does not deploy it yet; `nephos render --target azure --out FOLDER` writes the template, for `az stack group create`, and what goes into each function's package beside the binary, for `az functionapp deployment source config-zip`",
    ))
}

#[async_trait]
impl Deployer for AzureDeployer {
    fn requirements(&self) -> Result<Requirements> {
        // https://learn.microsoft.com/azure/azure-functions/flex-consumption-plan: x64 only.
        let triples = ["x86_64-unknown-linux-musl", "x86_64-unknown-linux-gnu"];
        Ok(Requirements {
            triples: triples.map(str::to_owned).to_vec(),
            glibc: Some(GLIBC),
            features: features(&self.deployment.app),
        })
    }

    fn render(&self) -> Result<Rendered> {
        super::rendered(&self.deployment.app, &self.deployment.target, &self.settings)
    }

    async fn preview(&self, _progress: &Progress) -> Result<Plan> {
        not_yet("deploy.preview")
    }

    async fn discard(&self, _plan: Plan) -> Result<()> {
        not_yet("deploy.discard")
    }

    async fn apply(&self, _plan: Plan, _progress: &Progress) -> Result<Deployed> {
        not_yet("deploy.apply")
    }

    async fn destroy(&self, _confirmed: Confirmed, _keep: Keep, _progress: &Progress) -> Result<Destroyed> {
        not_yet("deploy.destroy")
    }

    async fn status(&self) -> Result<Status> {
        not_yet("deploy.status")
    }

    async fn logs(&self, _query: &LogQuery, _sink: &mut (dyn FnMut(LogLine) + Send)) -> Result<()> {
        not_yet("deploy.logs")
    }

    async fn invoke(&self, _function: &str, _payload: Payload) -> Result<Invoked> {
        not_yet("deploy.invoke")
    }

    async fn rollback(&self, _functions: &[String], _progress: &Progress) -> Result<Vec<Moved>> {
        not_yet("deploy.rollback")
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn deployer() -> Box<dyn Deployer> {
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
        open(Deployment {
            app,
            target: "azure".to_owned(),
            binary: None,
        })
        .unwrap()
    }

    #[test]
    fn a_function_of_mails_can_read_the_mail_services_secret() {
        let requirements = deployer().requirements().unwrap();
        assert_eq!(requirements.features, ["azure", "on-email", "queue", "secret"]);
        assert!(requirements.triples[0].starts_with("x86_64"));
    }

    #[tokio::test]
    async fn what_is_not_done_yet_says_what_can_be_done_instead() {
        let error = deployer().preview(&Progress::new(|_| ())).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unsupported);
        assert!(error.to_string().contains("az stack group create"), "{error}");
    }
}
