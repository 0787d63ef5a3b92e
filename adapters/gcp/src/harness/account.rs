//! A project for the rules of deployment: the engine that `nephos deploy` uses, over the suite's own stand-in of Google's interfaces, and the stand-in's own knowledge to look at what there is.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use http::Method;
use nephos_conformance::discovery::Documents;
use nephos_conformance::edge::Edge;
use nephos_conformance::google_cloud::{Code, Control, Existing, Failure, Options};
use nephos_conformance::probe::program::{build_of, static_program};
use nephos_conformance::{Account, HELLO, Inventory, Meddling};
use nephos_core::adapter::Deployer;
use nephos_core::app::{App, QueueSpec, Resource};
use nephos_core::deploy::Deployment as Order;
use nephos_core::env::Environment;
use nephos_core::{Error, ErrorKind, Result};
use nephos_oci::Image;
use serde_json::{Value, json};

use super::operator;
use crate::config::{Config, PROJECT};
use crate::deploy::engine;
use crate::resources::rest::Rest;

const OPERATION: &str = "harness.account";
/// The target's name.
const TARGET: &str = "gcp";
/// The queue that Google refuses.
const BROKEN: &str = "broken";
/// The build whose code somebody deploys by hand.
const FIRST: u32 = 1;
/// The time-out that somebody else wants.
const OTHER_TIMEOUT: &str = "33s";

/// A project; what stands in for it ends with the last rule that has it.
#[derive(Debug)]
pub(super) struct GcpAccount {
    control: Control,
    config: Config,
    /// What is deployed.
    program: Bytes,
    // Kept, so that it goes on to listen.
    _edge: Edge,
}

impl GcpAccount {
    pub(super) async fn start() -> Result<Self> {
        let documents = Arc::new(Documents::installed()?);
        let options = Options {
            // What takes no time here is there at once.
            looks: 0,
            ..Options::default()
        };
        let (control, edge, program) = futures::future::try_join3(
            Control::start(options, documents),
            Edge::start(),
            static_program(),
        )
        .await?;
        control.route(&edge);
        let environment: Environment = [(PROJECT, control.options().project.as_str())]
            .into_iter()
            .collect();
        let config = operator::config(&environment, &control.token(), &edge)?;
        Ok(Self {
            control,
            config,
            program,
            _edge: edge,
        })
    }

    fn settings(&self) -> Value {
        let options = self.control.options();
        json!({"project": options.project, "region": options.regions.first()})
    }

    /// The app with settings of the target, if it has none.
    fn of_target(&self, app: &App) -> App {
        let mut app = app.clone();
        app.targets
            .entry(TARGET.to_owned())
            .or_insert_with(|| self.settings());
        app
    }

    /// The app's service that is meddled with.
    fn hello(&self, app: &App) -> Result<Existing> {
        let end = format!("/services/{}-{TARGET}-{HELLO}", app.name);
        let found = self
            .control
            .resources()
            .into_iter()
            .find(|one| one.name.ends_with(&end));
        found.ok_or_else(|| {
            Error::new(ErrorKind::NotFound, OPERATION, "the app's service is not there").with("service", end)
        })
    }

    /// Members of the app in the project's policy.
    fn granted(&self, app: &App) -> Inventory {
        let policy = self
            .control
            .policy(&format!("projects/{}", self.control.options().project));
        let bindings = policy
            .as_ref()
            .and_then(|policy| policy["bindings"].as_array())
            .into_iter()
            .flatten();
        let members = bindings.flat_map(|binding| {
            let members = binding["members"].as_array().into_iter().flatten();
            members.filter_map(Value::as_str).map(move |member| {
                (
                    format!("{} of {member}", binding["role"]),
                    binding["condition"].clone(),
                )
            })
        });
        members.filter(|(name, _)| name.contains(&app.name)).collect()
    }
}

#[async_trait]
impl Account for GcpAccount {
    async fn deployer(&self, app: &App, build: u32) -> Result<Box<dyn Deployer>> {
        let order = Order {
            app: self.of_target(app),
            target: TARGET.to_owned(),
            binary: Some(build_of(&self.program, build)),
        };
        engine::open_with(order, self.config.clone())
    }

    /// By name or by mark: what has neither cannot be found to be the app's by anybody.
    async fn inventory(&self, app: &App) -> Result<Inventory> {
        let is_its =
            |one: &Existing| one.name.contains(&app.name) || one.body.to_string().contains(&app.name);
        let all = self.control.resources().into_iter().filter(is_its);
        let mut inventory = self.granted(app);
        inventory.extend(all.map(|one| (format!("{} {}", one.kind, one.name), one.body)));
        Ok(inventory)
    }

    async fn meddle(&self, app: &App, how: Meddling) -> Result<()> {
        let hello = self.hello(app)?;
        let mut template = hello.body["template"].clone();
        if let Value::Object(fields) = &mut template {
            // A new revision gets a name of its own.
            fields.remove("revision");
        }
        match how {
            Meddling::Code => {
                let other = Image::of_binary(&build_of(&self.program, FIRST), &Default::default())?;
                let image = &mut template["containers"][0]["image"];
                let repository = image
                    .as_str()
                    .and_then(|image| image.split('@').next())
                    .unwrap_or_default();
                *image = format!("{repository}@{}", other.digest()).into();
            }
            Meddling::Settings => template["timeout"] = OTHER_TIMEOUT.into(),
        }
        let rest = Rest::new(&self.config, "https://run.googleapis.com/v2")?;
        let path = format!("/{}?updateMask=template", hello.name);
        let body = json!({"template": template});
        rest.call(OPERATION, Method::PATCH, &path, Some(&body))
            .await
            .map(drop)
    }

    fn namesake(&self, app: &App) -> App {
        let mut other = app.clone();
        other.name = "other".to_owned();
        let mut settings = self.settings();
        settings["prefix"] = format!("{}-{TARGET}", app.name).into();
        other.targets.insert(TARGET.to_owned(), settings);
        other
    }

    /// A queue whose topic Google refuses.
    async fn breaking(&self, app: &App) -> Result<App> {
        let mut app = app.clone();
        app.resources
            .insert(BROKEN.to_owned(), Resource::Queue(QueueSpec::default()));
        let topic = format!("/topics/{}-{TARGET}-{BROKEN}", app.name);
        let refusal = Failure::new(Code::InvalidArgument, "this topic cannot be");
        self.control.fail(&topic, refusal);
        Ok(app)
    }
}
