//! The graph while it grows: resources with their marks, grants, notes.

use std::collections::{BTreeMap, BTreeSet};

use nephos_core::deploy::merge;
use nephos_core::plan::Part;
use nephos_core::{Error, ErrorKind, Result};
use serde_json::{Map, Value, json};

use super::layout::Layout;
use crate::deploy::graph::{Condition, Grant, Graph, Kind, Node, full_name};
use crate::deploy::label::Mark;
use crate::deploy::refused;

/// The longest description of an account: <https://cloud.google.com/iam/docs/reference/rest/v1/projects.serviceAccounts>. A job's may be longer.
const MAX_DESCRIPTION: usize = 256;

/// The growing graph.
#[derive(Debug)]
pub(super) struct Body {
    app: String,
    target: String,
    labels: BTreeMap<String, String>,
    graph: Graph,
    noted: BTreeSet<String>,
}

impl Body {
    pub(super) fn new(layout: &Layout<'_>) -> Self {
        Self {
            app: layout.app.name.clone(),
            target: layout.target.to_owned(),
            labels: layout.settings.labels.clone(),
            graph: Graph::default(),
            noted: BTreeSet::new(),
        }
    }

    /// Adds a resource with its mark, made after what has these full names, and returns its own.
    ///
    /// # Errors
    /// If its name is taken.
    pub(super) fn add(
        &mut self,
        kind: Kind,
        name: String,
        part: Part,
        mut body: Value,
        after: impl IntoIterator<Item = String>,
    ) -> Result<String> {
        let mark = Mark::of(&self.app, &self.target, &part);
        self.mark(kind, &mark, &mut body);
        let full = full_name(kind, &name);
        let node = Node {
            kind,
            name,
            part,
            body,
            after: after.into_iter().collect(),
        };
        if let Some(taken) = self.graph.nodes.insert(full.clone(), node) {
            return Err(refused(
                ErrorKind::InvalidArgument,
                "two things of the app would have one name on Google Cloud; give one of them another name",
            )
            .with("name", taken.name)
            .with("kind", kind.title())
            .with("of", taken.part));
        }
        Ok(full)
    }

    /// Writes the mark where the kind has room for it.
    fn mark(&self, kind: Kind, mark: &Mark, body: &mut Value) {
        let labels = || {
            let mut labels = self.labels.clone();
            labels.extend(mark.labels());
            json!(labels)
        };
        match kind {
            Kind::Service => {
                set(body, "labels", labels());
                if let Some(template) = body.get_mut("template") {
                    // Of a revision, by which logs and costs are told apart.
                    set(template, "labels", labels());
                }
            }
            Kind::Repository
            | Kind::Secret
            | Kind::Topic
            | Kind::Subscription
            | Kind::Bucket
            | Kind::Trigger => {
                set(body, "labels", labels());
            }
            // All of them come with each message, so there are no others among them.
            Kind::Notification => set(body, "custom_attributes", json!(mark.labels())),
            Kind::Account | Kind::Job => {
                let text = mark.description();
                debug_assert!(text.len() <= MAX_DESCRIPTION, "each of its values is a label's");
                set(body, "description", text.into());
            }
            Kind::Database | Kind::Field => {}
        }
    }

    /// Lets somebody do something.
    pub(super) fn grant(&mut self, on: &str, role: &str, member: &str, part: Part) {
        self.grant_if(on, role, member, part, None);
    }

    /// The same under a condition.
    pub(super) fn grant_if(
        &mut self,
        on: &str,
        role: &str,
        member: &str,
        part: Part,
        condition: Option<Condition>,
    ) {
        self.graph.grants.insert(Grant {
            on: on.to_owned(),
            role: role.to_owned(),
            member: member.to_owned(),
            condition,
            part,
        });
    }

    /// Adds a note, once.
    pub(super) fn note(&mut self, note: String) {
        if self.noted.insert(note.clone()) {
            self.graph.notes.push(note);
        }
    }

    pub(super) fn graph(&self) -> &Graph {
        &self.graph
    }

    /// The graph with the overrides laid over its bodies.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidArgument`] for an override of what there is not, or of anything but a body.
    pub(super) fn finish(mut self, overrides: &Value) -> Result<Graph> {
        let wrong = |name: &str, message: &'static str| -> Error {
            Error::new(ErrorKind::InvalidArgument, "deploy.settings", message)
                .with("key", format!("target.{}.overrides", self.target))
                .with("name", name)
        };
        let empty = Map::new();
        for (name, change) in overrides.as_object().unwrap_or(&empty) {
            let Some(node) = self.graph.nodes.get_mut(name) else {
                return Err(wrong(
                    name,
                    "the app has no resource of this full name; `nephos render` shows them",
                ));
            };
            let is_body = |change: &Map<String, Value>| change.len() == 1 && change.contains_key("body");
            match change.as_object().filter(|change| is_body(change)) {
                Some(change) => merge::patch(&mut node.body, &change["body"]),
                None => {
                    return Err(wrong(
                        name,
                        "an override changes a resource's `body`, and nothing beside it",
                    ));
                }
            }
        }
        Ok(self.graph)
    }
}

fn set(body: &mut Value, key: &str, value: Value) {
    if let Value::Object(body) = body {
        body.insert(key.to_owned(), value);
    }
}
