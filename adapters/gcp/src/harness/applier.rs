//! Brings a graph about in the suite's own cloud, as far as an app that runs needs it: everything is made once and in its order, and taken away in the reverse order.
//!
//! The deployer does more: it compares, pushes the image of a static binary, undoes what failed. Here every app is new, and its binary is there already.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use http::Method;
use nephos_core::{Error, ErrorKind, Result};
use serde_json::{Value, json};
use tokio::sync::Mutex;
use tokio::time::Instant;

use crate::config::Config;
use crate::deploy::graph::{Graph, Kind, Node};
use crate::resources::rest::Rest;

const OPERATION: &str = "harness.deploy";
/// How long an operation may take.
const PATIENCE: Duration = Duration::from_secs(20);
/// The version of policies that has conditions.
const POLICY: i32 = 3;
/// How often it is looked at.
const LOOK: Duration = Duration::from_millis(20);

/// Who asks.
#[derive(Debug, Clone)]
pub(super) struct Applier {
    config: Config,
    project: String,
    /// Held while the project's policy is changed, which all apps share.
    policy: Arc<Mutex<()>>,
}

fn last(name: &str) -> &str {
    name.rsplit('/').next().unwrap_or_default()
}

/// `projects/p/locations/r` of what is in it.
fn parent(name: &str) -> &str {
    name.rsplitn(3, '/').nth(2).unwrap_or_default()
}

/// `b/…`, as Cloud Storage's paths have it.
fn storage_path(name: &str) -> String {
    name.replacen("projects/_/buckets/", "b/", 1)
}

const fn version(kind: Kind) -> &'static str {
    match kind {
        Kind::Service => "v2",
        Kind::Bucket | Kind::Notification => "storage/v1",
        _ => "v1",
    }
}

impl Applier {
    pub(super) fn new(config: &Config, project: &str) -> Self {
        Self {
            config: config.clone(),
            project: project.to_owned(),
            policy: Arc::default(),
        }
    }

    async fn ask(&self, kind: Kind, method: Method, path: &str, body: Option<&Value>) -> Result<Value> {
        let rest = Rest::new(
            &self.config,
            &format!("https://{}/{}", kind.host(), version(kind)),
        )?;
        let told = rest.call(OPERATION, method, path, body).await;
        told.map_err(|error| error.with("resource", path))
    }

    /// Makes all of it: first the accounts, which roles are given to, then what is needed before what needs it.
    pub(super) async fn apply(&self, graph: &Graph) -> Result<()> {
        let mut made: BTreeSet<&str> = BTreeSet::new();
        let (accounts, mut left): (Vec<_>, Vec<_>) = graph
            .nodes
            .iter()
            .partition(|(_, node)| node.kind == Kind::Account);
        let mut next = accounts;
        while !next.is_empty() {
            let making = next.iter().map(|(name, node)| self.make(graph, name, node));
            futures::future::try_join_all(making).await?;
            if made.is_empty() {
                self.change_policy(|bindings| bindings.extend(self.on_project(graph)))
                    .await?;
            }
            made.extend(next.iter().map(|(name, _)| name.as_str()));
            (next, left) = left
                .into_iter()
                .partition(|(_, node)| node.after.iter().all(|name| made.contains(name.as_str())));
        }
        match left.first() {
            None => Ok(()),
            Some((name, _)) => {
                let message = "what a resource needs is not in its graph";
                Err(Error::new(ErrorKind::Internal, OPERATION, message).with("resource", name))
            }
        }
    }

    /// Makes one, with the roles on it.
    async fn make(&self, graph: &Graph, full_name: &str, node: &Node) -> Result<()> {
        let (name, id) = (node.name.as_str(), last(&node.name));
        let mut body = node.body.clone();
        let posted =
            |parameter: &str, collection: &str| format!("/{}/{collection}?{parameter}={id}", parent(name));
        let (method, path) = match node.kind {
            Kind::Repository => (Method::POST, posted("repositoryId", "repositories")),
            Kind::Secret => (Method::POST, posted("secretId", "secrets")),
            Kind::Database => (Method::POST, posted("databaseId", "databases")),
            Kind::Service => (Method::POST, posted("serviceId", "services")),
            Kind::Account => {
                let id = id.split('@').next().unwrap_or_default();
                body = json!({"accountId": id, "serviceAccount": body});
                (Method::POST, format!("/{}/serviceAccounts", parent(name)))
            }
            Kind::Topic | Kind::Subscription => (Method::PUT, format!("/{name}")),
            Kind::Bucket => {
                body["name"] = id.into();
                (Method::POST, format!("/b?project={}", self.project))
            }
            Kind::Notification => {
                let bucket = storage_path(parent(name));
                (Method::POST, format!("/{bucket}/notificationConfigs"))
            }
            Kind::Field => (Method::PATCH, format!("/{name}?updateMask=ttlConfig")),
            Kind::Trigger => {
                body["name"] = name.into();
                (Method::POST, posted("triggerId", "triggers"))
            }
            Kind::Job => {
                body["name"] = name.into();
                (Method::POST, format!("/{}/jobs", parent(name)))
            }
        };
        let told = self.ask(node.kind, method, &path, Some(&body)).await?;
        self.ended(node.kind, told).await?;
        self.grant(graph, full_name, node).await
    }

    /// Waits until what goes on has ended.
    async fn ended(&self, kind: Kind, mut operation: Value) -> Result<()> {
        let name = operation["name"].as_str().unwrap_or_default().to_owned();
        if !name.contains("/operations/") {
            return Ok(());
        }
        let deadline = Instant::now() + PATIENCE;
        while operation["done"] != true {
            if Instant::now() > deadline {
                let message = "an operation does not end";
                return Err(Error::new(ErrorKind::Unavailable, OPERATION, message).with("operation", name));
            }
            tokio::time::sleep(LOOK).await;
            operation = self.ask(kind, Method::GET, &format!("/{name}"), None).await?;
        }
        match operation.get("error") {
            // The service is there all the same, and whoever calls it sees that nothing of it runs.
            Some(_) if kind == Kind::Service => Ok(()),
            Some(error) => {
                let message = "an operation failed";
                Err(Error::new(ErrorKind::Internal, OPERATION, message).caused_by(error.to_string()))
            }
            None => Ok(()),
        }
    }

    /// The roles on the project.
    fn on_project(&self, graph: &Graph) -> Vec<Value> {
        let on = format!("//cloudresourcemanager.googleapis.com/projects/{}", self.project);
        let grants = graph.grants.iter().filter(|grant| grant.on == on);
        let bindings = grants.map(|grant| {
            let mut binding = json!({"role": grant.role, "members": [grant.member]});
            if let Some(condition) = &grant.condition {
                binding["condition"] = json!({"title": condition.title, "expression": condition.expression});
            }
            binding
        });
        bindings.collect()
    }

    /// Changes the project's policy.
    async fn change_policy(&self, change: impl Fn(&mut Vec<Value>)) -> Result<()> {
        let _one = self.policy.lock().await;
        let rest = Rest::new(&self.config, "https://cloudresourcemanager.googleapis.com/v3")?;
        let path = |verb: &str| format!("/projects/{}:{verb}", self.project);
        let asked = json!({"options": {"requestedPolicyVersion": POLICY}});
        let mut policy: Value = rest.post(OPERATION, &path("getIamPolicy"), &asked).await?;
        let mut bindings = policy["bindings"].as_array().cloned().unwrap_or_default();
        change(&mut bindings);
        policy["bindings"] = bindings.into();
        policy["version"] = POLICY.into();
        let _: Value = rest
            .post(OPERATION, &path("setIamPolicy"), &json!({"policy": policy}))
            .await?;
        Ok(())
    }

    /// Gives the roles on a resource.
    async fn grant(&self, graph: &Graph, full_name: &str, node: &Node) -> Result<()> {
        let mut roles: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        for grant in graph.grants.iter().filter(|grant| grant.on == full_name) {
            roles.entry(&grant.role).or_default().push(&grant.member);
        }
        if roles.is_empty() {
            return Ok(());
        }
        let bindings: Vec<Value> = roles
            .into_iter()
            .map(|(role, members)| json!({"role": role, "members": members}))
            .collect();
        if node.kind == Kind::Bucket {
            let path = format!("/{}/iam", storage_path(&node.name));
            let policy = json!({"bindings": bindings});
            return self
                .ask(node.kind, Method::PUT, &path, Some(&policy))
                .await
                .map(drop);
        }
        let path = format!("/{}:setIamPolicy", node.name);
        let policy = json!({"policy": {"bindings": bindings}});
        self.ask(node.kind, Method::POST, &path, Some(&policy))
            .await
            .map(drop)
    }

    /// Has a service begin another revision, as a new build does.
    pub(super) async fn renew(&self, node: &Node) -> Result<()> {
        let path = format!("/{}?forceNewRevision=true", node.name);
        let told = self
            .ask(node.kind, Method::PATCH, &path, Some(&node.body))
            .await?;
        self.ended(node.kind, told).await
    }

    /// Takes all away but what holds data, which a deployer keeps too.
    pub(super) async fn remove(&self, graph: &Graph) -> Result<()> {
        let ours = self.on_project(graph);
        self.change_policy(|bindings| bindings.retain(|binding| !ours.contains(binding)))
            .await?;
        let kinds = [
            Kind::Job,
            Kind::Trigger,
            Kind::Subscription,
            Kind::Service,
            Kind::Topic,
            Kind::Repository,
            Kind::Account,
        ];
        for kind in kinds {
            let nodes = graph.nodes.values().filter(|node| node.kind == kind);
            let removing = nodes.map(|node| async move {
                let path = format!("/{}", node.name);
                let told = self.ask(kind, Method::DELETE, &path, None).await?;
                self.ended(kind, told).await
            });
            futures::future::try_join_all(removing).await?;
        }
        Ok(())
    }
}
