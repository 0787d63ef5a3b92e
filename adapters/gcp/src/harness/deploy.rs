//! A deployed app: rendered as `nephos deploy` renders it, and brought to the suite's own cloud.

use std::sync::Arc;

use async_trait::async_trait;
use nephos_conformance::Deployment;
use nephos_conformance::google_cloud::cloud_run::Gateway;
use nephos_core::app::{App, Resource, Trigger};
use nephos_core::plan::Part;
use nephos_core::resource::{Binding, ResourceKind, Resources};
use nephos_core::wiring::PHYSICAL;
use nephos_core::{Error, ErrorKind, Result};
use serde_json::json;

use super::apps::Apps;
use crate::deploy::graph::{Graph, Kind, Node};
use crate::deploy::settings::Settings;
use crate::deploy::template::{Known, render};
use crate::resources::GcpDrivers;
use crate::resources::queue::ORDERED;

/// The target's name.
const TARGET: &str = "gcp";

/// An app in the cloud.
#[derive(Debug)]
pub(super) struct GcpDeployment {
    apps: Arc<Apps>,
    graph: Graph,
    resources: Arc<Resources>,
    gateway: Option<Gateway>,
}

impl GcpDeployment {
    pub(super) async fn start(apps: Arc<Apps>, mut app: App) -> Result<Self> {
        let (project, region) = (apps.project(), apps.region());
        app.targets
            .insert(TARGET.to_owned(), json!({"project": project, "region": region}));
        let settings = Settings::of(&app, TARGET)?;
        let known = Known {
            number: Some(apps.control.options().number.clone()),
            // Every container runs the probe, whatever its image.
            image: Some(format!("{region}-docker.pkg.dev/{project}/{0}/{0}:1", app.name)),
        };
        let graph = render(&app, TARGET, &settings, &known)?;
        apps.applier.apply(&graph).await?;
        let resources = Arc::new(resources(&apps, &app, &graph)?);
        let gateway = match front(&app, &graph) {
            Some(service) => Some(apps.run.gateway(&service.name).await?),
            None => None,
        };
        Ok(Self {
            apps,
            graph,
            resources,
            gateway,
        })
    }

    fn services(&self) -> impl Iterator<Item = &Node> {
        let nodes = self.graph.nodes.values();
        nodes.filter(|node| node.kind == Kind::Service)
    }
}

/// The service that answers requests of clients.
fn front<'a>(app: &App, graph: &'a Graph) -> Option<&'a Node> {
    let is_front = |name: &String| {
        let function = app.functions.get(name);
        function.is_some_and(|function| function.on.iter().any(|on| matches!(on, Trigger::Http { .. })))
    };
    graph.nodes.values().find(|node| {
        node.kind == Kind::Service && matches!(&node.part, Part::Function { name } if is_front(name))
    })
}

/// Handles to the app's resources, by the names that they have in the graph.
fn resources(apps: &Apps, app: &App, graph: &Graph) -> Result<Resources> {
    let bindings = app.all_bindings().into_iter().map(|mut binding| {
        let physical = physical(graph, &binding)?;
        binding.properties.insert(PHYSICAL.to_owned(), physical);
        if matches!(app.resources.get(&binding.name), Some(Resource::Queue(queue)) if queue.ordered) {
            binding.properties.insert(ORDERED.to_owned(), "true".to_owned());
        }
        Ok(binding)
    });
    let bindings = bindings.collect::<Result<Vec<Binding>>>()?;
    Ok(Resources::new(Arc::new(GcpDrivers::new(&apps.config)), bindings))
}

fn physical(graph: &Graph, binding: &Binding) -> Result<String> {
    let kind = match binding.kind {
        ResourceKind::Bucket => Kind::Bucket,
        ResourceKind::Table => Kind::Database,
        ResourceKind::Secret => Kind::Secret,
        _ => Kind::Topic,
    };
    let is_its = |node: &&Node| {
        node.kind == kind && matches!(&node.part, Part::Resource { name, .. } if *name == binding.name)
    };
    // A queue may have a topic of what nobody took beside its own, whose name is longer.
    let nodes = graph.nodes.values().filter(is_its);
    let node = nodes.min_by_key(|node| node.name.len()).ok_or_else(|| {
        let message = "a resource of the app is not in its graph";
        Error::new(ErrorKind::Internal, "harness.deploy", message).with("resource", &binding.name)
    })?;
    Ok(match kind {
        Kind::Bucket => node.name.trim_start_matches("projects/_/buckets/").to_owned(),
        Kind::Database => format!("{}/documents/{}", node.name, binding.name),
        _ => node.name.clone(),
    })
}

#[async_trait]
impl Deployment for GcpDeployment {
    fn resources(&self) -> Arc<Resources> {
        Arc::clone(&self.resources)
    }

    fn gateway(&self) -> Option<String> {
        self.gateway.as_ref().map(Gateway::url)
    }

    /// Kills the app's instances. What is around them (messages, leases) is Google's, and does not end; others start with the next request.
    async fn crash_and_restart(&self) -> Result<()> {
        futures::future::join_all(self.services().map(|node| self.apps.run.crash(&node.name))).await;
        Ok(())
    }

    /// Deploys another revision.
    async fn stop_and_restart(&self) -> Result<()> {
        futures::future::try_join_all(self.services().map(|node| self.apps.applier.renew(node)))
            .await
            .map(drop)
    }

    async fn remove(&self) -> Result<()> {
        if std::env::var_os(LOGS).is_some() {
            self.show();
        }
        for node in self.services() {
            self.apps.run.crash(&node.name).await;
        }
        self.apps.applier.remove(&self.graph).await
    }
}

/// Names a variable with which all that was logged is shown when an app is removed.
const LOGS: &str = "NEPHOS_GCP_LOGS";

impl GcpDeployment {
    fn show(&self) {
        let services: Vec<&str> = self
            .services()
            .filter_map(|node| node.name.rsplit('/').next())
            .collect();
        for entry in self.apps.control.logs().entries() {
            let service = entry["resource"]["labels"]["service_name"].as_str();
            if service.is_some_and(|service| services.contains(&service)) {
                eprintln!("{entry}");
            }
        }
        let requests = self.apps.control.requests();
        for refused in requests.iter().filter(|request| request.status >= 400) {
            eprintln!(
                "{} {} {}{}",
                refused.status, refused.method, refused.host, refused.path
            );
        }
        for finding in self.apps.control.findings() {
            eprintln!("{finding}");
        }
    }
}
