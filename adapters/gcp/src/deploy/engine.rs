//! The deployer: brings an app to Google Cloud by the REST interfaces of its services.
//!
//! The state is Google's: what is the app's is known by its marks (`label`), and found again by them. None of Google's own engines takes a graph and brings it about in the time that a
//! deployment may take, so this one compares what there is with what is to be, field by field, and changes what differs: in the order in which one needs the other, several at once, each with
//! the etag that it was read with. It can be killed at any point, and goes on from there.

mod api;
mod apply;
mod changes;
mod destroy;
mod diff;
mod failure;
mod image;
mod invoke;
mod kinds;
mod logs;
mod order;
mod place;
mod policy;
mod preview;
mod resource;
mod rollback;
mod state;
mod status;
mod undo;

use std::sync::OnceLock;

use async_trait::async_trait;
use nephos_core::Result;
use nephos_core::adapter::Deployer;
use nephos_core::deploy::{
    Confirmed, Deployed, Deployment, Destroyed, Invoked, Keep, LogLine, LogQuery, Moved, Progress, Rendered,
    Requirements, Status,
};
use nephos_core::env::Environment;
use nephos_core::event::Payload;
use nephos_core::plan::Plan;

use self::image::Image;
pub(crate) use self::place::Place;
use super::graph::Graph;
use super::settings::Settings;
use super::template::{Known, render};
use crate::config::Config;

/// Deploys one app to one target on Google Cloud.
#[derive(Debug)]
pub struct GcpDeployer {
    deployment: Deployment,
    settings: Settings,
    config: OnceLock<Config>,
    /// Made once of the binary.
    image: OnceLock<Image>,
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
    Ok(Box::new(GcpDeployer {
        deployment,
        settings,
        config,
        image: OnceLock::new(),
    }))
}

impl GcpDeployer {
    fn config(&self) -> Result<&Config> {
        if let Some(config) = self.config.get() {
            return Ok(config);
        }
        let config = Config::load(&Environment::of_process())?;
        Ok(self.config.get_or_init(|| config))
    }

    fn name(&self) -> String {
        self.settings
            .prefix(&self.deployment.app, &self.deployment.target)
    }

    /// What the app is in a project, with this image; without one as far as its names go.
    fn graph(&self, place: &Place, image: Option<String>) -> Result<Graph> {
        let known = Known {
            number: Some(place.number.clone()),
            image,
        };
        render(
            &self.deployment.app,
            &self.deployment.target,
            &place.settings,
            &known,
        )
    }
}

#[async_trait]
impl Deployer for GcpDeployer {
    fn requirements(&self) -> Result<Requirements> {
        // Instances are x86 alone: https://cloud.google.com/run/docs/container-contract#languages. The image holds nothing but the program.
        let triples = ["x86_64-unknown-linux-musl", "x86_64-unknown-linux-gnu"];
        Ok(Requirements {
            triples: triples.map(str::to_owned).to_vec(),
            glibc: None,
            is_static: true,
            features: super::features(&self.deployment.app),
        })
    }

    fn render(&self) -> Result<Rendered> {
        super::rendered(
            &self.deployment.app,
            &self.deployment.target,
            &self.settings,
            &Known::default(),
        )
    }

    async fn preview(&self, progress: &Progress) -> Result<Plan> {
        self.plan(progress).await
    }

    /// A plan only reads.
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
        self.current(&self.place("deploy.status").await?).await
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
    use nephos_core::app::App;
    use serde_json::json;

    use super::*;

    #[test]
    fn a_binary_is_static_and_has_what_the_target_needs() {
        let app: App = serde_json::from_value(json!({
            "name": "app", "resources": {}, "functions": {}, "targets": {"gcp": {"region": "europe-west1"}},
        }))
        .unwrap();
        let deployment = Deployment {
            app,
            target: "gcp".to_owned(),
            binary: None,
        };
        let requirements = open(deployment).unwrap().requirements().unwrap();
        assert_eq!(requirements.features, ["gcp"]);
        assert!(
            requirements
                .triples
                .iter()
                .all(|triple| triple.starts_with("x86_64"))
        );
        assert!(requirements.is_static);
    }
}
