//! What there is of an app, as Google tells it: found by its marks, list by list, so that a plan of many functions costs few requests.

use std::collections::{BTreeMap, BTreeSet};

use nephos_core::plan::Part;
use nephos_core::{Error, ErrorKind, Result};
use serde_json::Value;

use super::Place;
use super::api::{all, escaped};
use super::failure::is_disabled;
use super::kinds::{self, Scope, last, parent};
use super::policy::{PROJECTS, Policy};
use crate::deploy::graph::{Graph, Kind, full_name};
use crate::deploy::label::{self, Mark};

/// The label of what deployment let go of with its data.
pub(super) const KEPT: &str = "nephos-kept";

/// A resource that there is.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Thing {
    pub(super) kind: Kind,
    /// Its name as in a graph.
    pub(super) name: String,
    pub(super) body: Value,
    /// Whose it is, if it says so.
    pub(super) mark: Option<Mark>,
}

/// All that there is: the app's, and what has a name that the app's is to have.
#[derive(Debug, Clone, Default)]
pub(super) struct State {
    /// By full names.
    pub(super) things: BTreeMap<String, Thing>,
    /// The policies of what the graph grants something on, by full names.
    pub(super) policies: BTreeMap<String, Policy>,
    /// What could not be looked for: one sentence each.
    pub(super) notes: Vec<String>,
}

impl Thing {
    fn read(kind: Kind, body: Value, project: &str, number: &str) -> Option<Self> {
        let name = match kind {
            Kind::Bucket => format!("projects/_/buckets/{}", body.get("name")?.as_str()?),
            _ => with_id(body.get("name")?.as_str()?, project, number),
        };
        Some(Self {
            kind,
            name,
            mark: mark(kind, &body),
            body,
        })
    }

    pub(super) fn full_name(&self) -> String {
        full_name(self.kind, &self.name)
    }

    pub(super) fn text(&self, field: &str) -> Option<&str> {
        self.body.get(field)?.as_str()
    }

    /// What of the manifest it is for.
    pub(super) fn part(&self) -> Part {
        self.mark.as_ref().map_or(Part::App, Mark::part)
    }

    /// Whether deployment let go of it.
    pub(super) fn is_kept(&self) -> bool {
        self.body
            .get("labels")
            .is_some_and(|labels| labels.get(KEPT).is_some())
    }

    /// Whether something goes on with it.
    pub(super) fn is_busy(&self) -> bool {
        self.kind == Kind::Service && self.body.get("reconciling") == Some(&Value::Bool(true))
    }

    /// What keeps it from working, though it is as it was to be: a revision that did not get ready, a trigger that is half made.
    pub(super) fn fault(&self) -> Option<String> {
        match self.kind {
            Kind::Service if !self.is_busy() => {
                let condition = self.body.get("terminalCondition")?;
                let failed = condition.get("state")?.as_str()? == "CONDITION_FAILED";
                let message = condition
                    .get("message")
                    .and_then(Value::as_str)
                    .unwrap_or("it is not ready");
                failed.then(|| message.to_owned())
            }
            // https://cloud.google.com/eventarc/docs/reference/rest/v1/projects.locations.triggers: the reasons why it fails.
            Kind::Trigger => {
                let conditions = self.body.get("conditions")?.as_object()?;
                let (_, condition) = conditions.iter().next()?;
                let message = condition
                    .get("message")
                    .and_then(Value::as_str)
                    .unwrap_or("it fails");
                Some(message.to_owned())
            }
            _ => None,
        }
    }

    /// Whether the operation that made it failed, and left it.
    pub(super) fn is_half_made(&self) -> bool {
        self.kind == Kind::Trigger && self.fault().is_some()
    }

    /// What changes when somebody changes it: of two readings they are the same if nobody did.
    pub(super) fn spec(&self) -> Value {
        if let Some(generation) = self.body.get("generation") {
            return generation.clone();
        }
        let mut body = self.body.clone();
        if let Value::Object(fields) = &mut body {
            for field in ["etag", "updateTime", "conditions", "metageneration", "updated"] {
                fields.remove(field);
            }
        }
        body
    }
}

impl State {
    /// Those that are the app's.
    pub(super) fn ours<'a>(
        &'a self,
        app: &'a str,
        target: &'a str,
    ) -> impl Iterator<Item = (&'a String, &'a Thing)> {
        let is_ours = move |thing: &Thing| thing.mark.as_ref().is_some_and(|mark| mark.is_of(app, target));
        self.things.iter().filter(move |(_, thing)| is_ours(thing))
    }

    fn take(&mut self, thing: Thing) {
        self.things.insert(thing.full_name(), thing);
    }
}

/// The mark of a body.
fn mark(kind: Kind, body: &Value) -> Option<Mark> {
    match kind {
        Kind::Job | Kind::Account => Mark::of_description(body.get("description")?.as_str()?),
        Kind::Notification => Mark::of_labels(body.get("custom_attributes")?),
        Kind::Database | Kind::Field => None,
        _ => Mark::of_labels(body.get("labels")?),
    }
}

/// Whether what is of a kind says whose it is.
pub(super) const fn is_marked(kind: Kind) -> bool {
    !matches!(kind, Kind::Database | Kind::Field)
}

/// A name with the project's id, where a service tells its number.
fn with_id(name: &str, project: &str, number: &str) -> String {
    match name.strip_prefix(&format!("projects/{number}/")) {
        Some(rest) => format!("projects/{project}/{rest}"),
        None => name.to_owned(),
    }
}

impl Place {
    /// Reads all that there is, and the policies of what the graph grants something on.
    pub(super) async fn read(&self, graph: &Graph) -> Result<State> {
        let mut state = State::default();
        let collections = self.collections(graph);
        let lists = collections
            .iter()
            .map(|(kind, parent)| self.listed(*kind, parent, graph));
        let lists = all(lists.collect()).await?;
        for thing in lists.into_iter().flatten() {
            let full = thing.full_name();
            if thing.mark.as_ref().is_some_and(|mark| self.is_mine(mark)) || graph.nodes.contains_key(&full) {
                state.take(thing);
            }
        }
        self.read_single(graph, &mut state).await?;
        self.read_notifications(graph, &mut state).await?;
        self.read_policies(graph, &mut state).await?;
        Ok(state)
    }

    pub(super) fn is_mine(&self, mark: &Mark) -> bool {
        mark.is_of(&self.app, &self.target)
    }

    /// The collections that the app's resources are in, of those services that the project has enabled.
    fn collections(&self, graph: &Graph) -> BTreeSet<(Kind, String)> {
        let mut all = BTreeSet::new();
        for kind in kinds::GOING {
            let parent = match kinds::of(kind).scope {
                Scope::Project => format!("projects/{}", self.project),
                Scope::Region => self.regional(),
                Scope::Within => continue,
            };
            all.insert((kind, parent));
        }
        for node in graph.nodes.values() {
            if kinds::of(node.kind).scope == Scope::Region {
                all.insert((node.kind, parent(&node.name).to_owned()));
            }
        }
        all.retain(|(kind, _)| self.is_enabled(kind.host()));
        all
    }

    /// Those of a kind in a parent.
    pub(super) async fn listed(&self, kind: Kind, parent: &str, graph: &Graph) -> Result<Vec<Thing>> {
        let interface = kinds::of(kind);
        let mut path = match kind {
            Kind::Bucket => format!("/storage/v1/b?project={}&{}", self.project, interface.page),
            _ => format!(
                "/{}/{}/{}?{}",
                interface.version,
                escaped(parent),
                interface.collection,
                interface.page
            ),
        };
        if interface.filtered {
            let filter = label::filter(&self.app, &self.target);
            path = format!("{path}&filter={}", escaped(&filter));
        }
        match self.api.list(kind.host(), &path, interface.items).await {
            Ok(bodies) => Ok(bodies
                .into_iter()
                .filter_map(|body| Thing::read(kind, body, &self.project, &self.number))
                .collect()),
            // What the app has none of may have been taken out of the project's services.
            Err(error) if is_disabled(&error) && graph.nodes.values().all(|node| node.kind != kind) => {
                Ok(Vec::new())
            }
            Err(error) => Err(error.with("listing", kind.title())),
        }
    }

    /// Those of the graph that no list has: what other projects or no labels have, and fields.
    async fn read_single(&self, graph: &Graph, state: &mut State) -> Result<()> {
        let is_missing = |kind: Kind, full: &String| match kind {
            Kind::Bucket => !state.things.contains_key(full),
            Kind::Notification => false,
            Kind::Field => true,
            _ => kinds::of(kind).filtered && !state.things.contains_key(full),
        };
        let databases: BTreeSet<&str> = (state.things.values())
            .filter(|thing| thing.kind == Kind::Database)
            .map(|thing| thing.name.as_str())
            .collect();
        let wanted: Vec<(Kind, String)> = (graph.nodes.iter())
            .filter(|(full, node)| is_missing(node.kind, full) && self.is_enabled(node.kind.host()))
            .filter(|(_, node)| {
                let above = node.name.split("/collectionGroups/").next().unwrap_or_default();
                node.kind != Kind::Field || databases.contains(above)
            })
            .map(|(_, node)| (node.kind, node.name.clone()))
            .collect();
        let found = wanted.iter().map(|(kind, name)| self.get(*kind, name));
        let found = all(found.collect()).await?;
        for thing in found.into_iter().flatten() {
            state.take(thing);
        }
        Ok(())
    }

    /// One resource, if it is there.
    pub(super) async fn get(&self, kind: Kind, name: &str) -> Result<Option<Thing>> {
        if kind == Kind::Notification {
            let all = self.notifications(parent(name)).await?;
            return Ok(all.into_iter().find(|one| one.name == name));
        }
        match self.api.find(kind.host(), &kinds::path(kind, name)).await {
            Ok(body) => Ok(body.and_then(|mut body| {
                // A field of a database is told by the name that it was asked by.
                if kind == Kind::Field
                    && let Value::Object(fields) = &mut body
                {
                    fields.insert("name".to_owned(), name.into());
                }
                Thing::read(kind, body, &self.project, &self.number)
            })),
            Err(error) if kind == Kind::Bucket && error.kind() == ErrorKind::PermissionDenied => Err(Error::new(
                ErrorKind::AlreadyExists,
                self.api.operation,
                "a bucket of this name is somebody else's: all of Google Cloud shares their names; choose another by `prefix` of the target in nephos.toml",
            )
            .with("bucket", last(name))
            .caused_by(error.chain())),
            Err(error) => Err(error.with("resource", format!("{} {}", kind.title(), last(name)))),
        }
    }

    async fn read_notifications(&self, graph: &Graph, state: &mut State) -> Result<()> {
        let of_graph = (graph.nodes.values())
            .filter(|node| node.kind == Kind::Notification)
            .map(|node| parent(&node.name).to_owned());
        let mut buckets: BTreeSet<String> = of_graph.collect();
        buckets.extend(
            (state.ours(&self.app, &self.target))
                .filter(|(_, thing)| thing.kind == Kind::Bucket)
                .map(|(_, thing)| thing.name.clone()),
        );
        buckets.retain(|bucket| state.things.contains_key(&full_name(Kind::Bucket, bucket)));
        let lists = buckets.iter().map(|bucket| self.notifications(bucket));
        let lists = all(lists.collect()).await?;
        for thing in lists.into_iter().flatten() {
            let is_ours = thing.mark.as_ref().is_some_and(|mark| self.is_mine(mark));
            // Others may send their own to whatever topics they like; two of one topic are told apart by their number.
            if !is_ours {
                continue;
            }
            let twice = state.things.contains_key(&thing.full_name());
            let number = thing.text("id").unwrap_or_default().to_owned();
            let name = if twice {
                format!("{}#{number}", thing.name)
            } else {
                thing.name.clone()
            };
            state.take(Thing { name, ..thing });
        }
        Ok(())
    }

    /// The notifications of a bucket, named by their topics.
    async fn notifications(&self, bucket: &str) -> Result<Vec<Thing>> {
        let path = format!(
            "/storage/v1/b/{}/notificationConfigs?alt=json",
            escaped(last(bucket))
        );
        let bodies = self.api.list(Kind::Notification.host(), &path, "items").await?;
        let named = |body: Value| {
            let topic = last(body.get("topic")?.as_str()?).to_owned();
            Some(Thing {
                kind: Kind::Notification,
                name: format!("{bucket}/notificationConfigs/{topic}"),
                mark: mark(Kind::Notification, &body),
                body,
            })
        };
        Ok(bodies.into_iter().filter_map(named).collect())
    }

    async fn read_policies(&self, graph: &Graph, state: &mut State) -> Result<()> {
        let project = format!("{PROJECTS}{}", self.project);
        let mut names: BTreeSet<String> = graph.grants.iter().map(|grant| grant.on.clone()).collect();
        names.insert(project.clone());
        // A policy of what is not there yet is empty; what is not of the graph is somebody else's, and is there.
        names.retain(|name| state.things.contains_key(name) || !graph.nodes.contains_key(name));
        // What has no grants any more may have had some.
        names.extend(
            (state.ours(&self.app, &self.target))
                .filter(|(name, thing)| graph.nodes.contains_key(*name) && has_policy(thing.kind))
                .map(|(name, _)| name.clone()),
        );
        let found = all(names.iter().map(|name| self.policy(name)).collect());
        let found = found.await?;
        state.policies.extend(found);
        Ok(())
    }
}

/// Whether its policy is read also where the graph gives nothing on it, for what it may have given. Of an account that is no more than the right to sign as itself.
const fn has_policy(kind: Kind) -> bool {
    matches!(
        kind,
        Kind::Service | Kind::Topic | Kind::Subscription | Kind::Bucket | Kind::Secret
    )
}

#[cfg(test)]
mod tests;
