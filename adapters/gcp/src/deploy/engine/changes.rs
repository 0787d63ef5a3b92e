//! What is to be done so that what there is becomes what the graph says. Pure: what is read goes in, and a plan's steps come out.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use nephos_core::deploy::archive::sha256;
use nephos_core::plan::{Action, Data, Part, Step};
use nephos_core::resource::ResourceKind;
use nephos_core::{Error, ErrorKind, Result};
use serde_json::{Value, json};

use super::diff::{self, Differences, Ids};
use super::kinds::{self, is_as_made, last};
use super::policy::{self, PROJECTS, Policy};
use super::state::{KEPT, State, Thing, is_marked};
use crate::deploy::graph::{Grant, Graph, Kind, Node, full_name};
use crate::deploy::template::role::table_of;

/// What plans call a role on something.
pub(super) const ROLE: &str = "role";
/// What plans call an interface of the project.
pub(super) const INTERFACE: &str = "interface";

/// Whose deployment it is, and where.
#[derive(Debug, Clone, Copy)]
pub(super) struct Owner<'a> {
    pub(super) app: &'a str,
    pub(super) target: &'a str,
    pub(super) ids: Ids<'a>,
    pub(super) operation: &'static str,
}

/// What is done to a resource of the graph.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Deed {
    Create,
    Update(Differences),
    /// It is made again: it cannot be changed, or is half made.
    Replace(Option<String>),
}

/// All that is to be done.
#[derive(Debug, Default)]
pub(super) struct Changes {
    /// Interfaces that are to be enabled.
    pub(super) enable: Vec<String>,
    /// By full names.
    pub(super) nodes: BTreeMap<String, Deed>,
    /// What is given, by the full names of what it is on.
    pub(super) give: BTreeMap<String, Vec<Grant>>,
    /// What is taken away.
    pub(super) take: BTreeMap<String, Vec<Grant>>,
    /// What is no more wanted, and goes.
    pub(super) gone: Vec<Thing>,
    /// What is no more wanted, and stays with its data.
    pub(super) left: Vec<Thing>,
    /// What an earlier deployment let go of, and is taken again.
    pub(super) adopted: Vec<String>,
}

/// The body that a resource is to have, given what there is.
pub(super) fn wanted(node: &Node, thing: Option<&Thing>) -> Value {
    let mut body = node.body.clone();
    if thing.is_some_and(Thing::is_kept)
        && let Value::Object(fields) = &mut body
    {
        let labels = fields.entry("labels").or_insert_with(|| json!({}));
        if let Value::Object(labels) = labels {
            labels.insert(KEPT.to_owned(), Value::Null);
        }
    }
    for path in kinds::of(node.kind).ours {
        clear(&mut body, path);
    }
    body
}

/// Says of a field that it is to be none, if nothing is said of it.
fn clear(body: &mut Value, path: &str) {
    let Value::Object(fields) = body else { return };
    match path.split_once('.') {
        Some((first, rest)) => {
            if let Some(within) = fields.get_mut(first) {
                clear(within, rest);
            }
        }
        None => {
            fields.entry(path).or_insert(Value::Null);
        }
    }
}

/// The addresses of the app's accounts: those that are to be, and those that are.
pub(super) fn accounts(graph: &Graph, state: &State, owner: Owner<'_>) -> BTreeSet<String> {
    let of_graph = graph.nodes.values().filter(|node| node.kind == Kind::Account);
    let mut all: BTreeSet<String> = of_graph.map(|node| last(&node.name).to_owned()).collect();
    let of_state = state
        .ours(owner.app, owner.target)
        .filter(|(_, thing)| thing.kind == Kind::Account);
    all.extend(of_state.map(|(_, thing)| last(&thing.name).to_owned()));
    all
}

impl Changes {
    /// Works out what is to be done.
    ///
    /// # Errors
    /// What has a name of the app's and is somebody else's; a change that would lose data.
    pub(super) fn between(graph: &Graph, state: &State, owner: Owner<'_>) -> Result<Self> {
        let mut changes = Self::default();
        for (full, node) in &graph.nodes {
            let Some(thing) = state.things.get(full) else {
                changes.nodes.insert(full.clone(), Deed::Create);
                continue;
            };
            is_free(thing, owner)?;
            if thing.is_kept() {
                changes.adopted.push(last(&thing.name).to_owned());
            }
            if let Some(deed) = deed(node, thing, owner)? {
                changes.nodes.insert(full.clone(), deed);
            }
        }
        changes.grants(graph, state, owner);
        for (full, thing) in state.ours(owner.app, owner.target) {
            if graph.nodes.contains_key(full) {
                continue;
            }
            if !thing.kind.holds_data() {
                changes.gone.push(thing.clone());
            } else if !thing.is_kept() {
                changes.left.push(thing.clone());
            }
        }
        let place = |thing: &Thing| kinds::GOING.iter().position(|kind| *kind == thing.kind);
        changes.gone.sort_by_key(place);
        Ok(changes)
    }

    fn grants(&mut self, graph: &Graph, state: &State, owner: Owner<'_>) {
        let accounts = accounts(graph, state, owner);
        let mut names: BTreeMap<&str, Vec<&Grant>> = BTreeMap::new();
        for name in state.policies.keys() {
            names.entry(name).or_default();
        }
        for grant in &graph.grants {
            names.entry(&grant.on).or_default().push(grant);
        }
        let nothing = Policy::default();
        for (name, wanted) in names {
            let of_thing = graph.nodes.get(name).map(|node| node.part.clone());
            let part = |member: &str| {
                let is_of =
                    |thing: &&Thing| member.contains(last(&thing.name)) && thing.kind == Kind::Account;
                let account = state.things.values().find(is_of).map(Thing::part);
                of_thing.clone().or(account).unwrap_or(Part::App)
            };
            let there = state.policies.get(name).unwrap_or(&nothing);
            let is_strangers = !graph.nodes.contains_key(name);
            let (give, take) = policy::difference(name, &wanted, there, &accounts, is_strangers, part);
            if !give.is_empty() {
                self.give.insert(name.to_owned(), give);
            }
            if !take.is_empty() {
                self.take.insert(name.to_owned(), take);
            }
        }
    }

    /// For tests: a plan is asked for its steps.
    #[cfg(test)]
    pub(super) fn is_empty(&self) -> bool {
        self.enable.is_empty()
            && self.nodes.is_empty()
            && self.give.is_empty()
            && self.take.is_empty()
            && self.gone.is_empty()
            && self.left.is_empty()
    }

    /// The changes as a plan's steps, in the order in which they are made.
    pub(super) fn steps(&self, graph: &Graph) -> Vec<Step> {
        let mut steps: Vec<Step> = self.enable.iter().map(|host| interface(host)).collect();
        for (full, deed) in &self.nodes {
            if let Some(node) = graph.nodes.get(full) {
                steps.push(deed.step(node));
            }
        }
        let grants = |all: &BTreeMap<String, Vec<Grant>>, action| -> Vec<Step> {
            all.values().flatten().map(|grant| role(grant, action)).collect()
        };
        steps.extend(grants(&self.give, Action::Create));
        steps.extend(grants(&self.take, Action::Delete));
        steps.extend(self.gone.iter().map(|thing| going(thing, Data::Untouched)));
        steps.extend(self.left.iter().map(|thing| going(thing, Data::Kept)));
        steps.extend(self.unmarked(graph));
        steps
    }

    /// The databases of tables that are no more wanted. Nothing is done to them: who could use them no longer can, and they stay with their data.
    fn unmarked(&self, graph: &Graph) -> Vec<Step> {
        let conditions = self
            .take
            .values()
            .flatten()
            .filter_map(|grant| grant.condition.as_ref());
        let left: BTreeMap<&str, &str> = conditions
            .filter_map(table_of)
            .filter(|(_, database)| !graph.nodes.contains_key(&full_name(Kind::Database, database)))
            .map(|(table, database)| (database, table))
            .collect();
        let told = left.into_iter().map(|(database, table)| {
            let part = Part::Resource {
                kind: ResourceKind::Table,
                name: table.to_owned(),
            };
            step(Kind::Database, database, part, Action::Delete, None, Data::Kept)
        });
        told.collect()
    }

    /// What tells these changes, made for what was read, from others.
    pub(super) fn digest(&self, graph: &Graph, state: &State) -> String {
        let mut text = String::new();
        // Writing to a string cannot fail.
        for step in self.steps(graph) {
            let _ = writeln!(
                text,
                "{} {} {} {:?}",
                step.action.name(),
                step.kind,
                step.id,
                step.why
            );
        }
        for full in self.nodes.keys() {
            if let (Some(node), Some(thing)) = (graph.nodes.get(full), state.things.get(full)) {
                let _ = writeln!(text, "{full} {}", diff::named(&node.body, &thing.body));
            }
            if let Some(node) = graph.nodes.get(full) {
                let _ = writeln!(text, "{full} {}", node.body);
            }
        }
        sha256(text.as_bytes())
    }
}

impl Deed {
    pub(super) fn step(&self, node: &Node) -> Step {
        let (action, why) = match self {
            Self::Create => (Action::Create, None),
            Self::Update(differences) => (Action::Update, differences.why()),
            Self::Replace(why) => (Action::Replace, why.clone()),
        };
        // A subscription's messages go with it.
        let data = if action == Action::Replace && node.kind == Kind::Subscription {
            Data::Lost
        } else {
            Data::Untouched
        };
        step(node.kind, &node.name, node.part.clone(), action, why, data)
    }
}

fn step(kind: Kind, name: &str, part: Part, action: Action, why: Option<String>, data: Data) -> Step {
    Step {
        action,
        part,
        kind: kind.title().to_owned(),
        id: title(name).to_owned(),
        why,
        data,
    }
}

/// What people call a resource: the last part of its name, and of an account what stands before its domain.
pub(super) fn title(name: &str) -> &str {
    last(name).split('@').next().unwrap_or_default()
}

/// The step of what goes, or is let go of.
pub(super) fn going(thing: &Thing, data: Data) -> Step {
    step(thing.kind, &thing.name, thing.part(), Action::Delete, None, data)
}

pub(super) fn role(grant: &Grant, action: Action) -> Step {
    Step {
        action,
        part: grant.part.clone(),
        kind: ROLE.to_owned(),
        id: policy::title(grant),
        why: grant.condition.as_ref().map(|condition| condition.title.clone()),
        data: Data::Untouched,
    }
}

pub(super) fn interface(host: &str) -> Step {
    Step {
        action: Action::Create,
        part: Part::App,
        kind: INTERFACE.to_owned(),
        id: host.to_owned(),
        why: None,
        data: Data::Untouched,
    }
}

/// Refuses what is somebody else's.
fn is_free(thing: &Thing, owner: Owner<'_>) -> Result<()> {
    let of = match &thing.mark {
        _ if !is_marked(thing.kind) => return Ok(()),
        Some(mark) if mark.is_of(owner.app, owner.target) => return Ok(()),
        Some(mark) => format!("the app {} on its target {}", mark.app, mark.target),
        None => "none of Nephos".to_owned(),
    };
    Err(Error::new(
        ErrorKind::AlreadyExists,
        owner.operation,
        "something of this name is there that is not this app's, so it is left alone; remove it, or have names begin otherwise by `prefix` of the target in nephos.toml",
    )
    .with("thing", format!("{} {}", thing.kind.title(), last(&thing.name)))
    .with("of", of))
}

/// What is done to a resource that is there.
fn deed(node: &Node, thing: &Thing, owner: Owner<'_>) -> Result<Option<Deed>> {
    let differences = diff::between(node.kind, &wanted(node, Some(thing)), &thing.body, owner.ids);
    if let Some(field) = differences.fixed(node.kind)
        && (node.kind.holds_data() || node.kind == Kind::Repository)
    {
        return Err(is_as_made(node.kind, &node.name, field, owner.operation));
    }
    if let Some(fault) = thing.fault() {
        return Ok(Some(match node.kind {
            Kind::Trigger => Deed::Replace(Some(format!("half made: {fault}"))),
            // Its template is sent again, so that there is another revision.
            _ => Deed::Update(differences.again("template")),
        }));
    }
    Ok(
        (!differences.is_empty()).then(|| match differences.action(node.kind) {
            Action::Replace => Deed::Replace(differences.why()),
            _ => Deed::Update(differences),
        }),
    )
}

/// Whether a grant is on the project.
pub(super) fn is_on_project(on: &str) -> bool {
    on.starts_with(PROJECTS)
}

#[cfg(test)]
mod tests;
