//! In which order changes are made: what one needs is there before, and whoever is to call or read it may do so. What needs nothing of each other happens at the same time.

use std::collections::{BTreeMap, BTreeSet};

use futures::stream::{FuturesUnordered, StreamExt as _};
use nephos_core::{Error, ErrorKind, Result};

use super::changes::{Changes, is_on_project};
use super::image::repository;
use super::kinds::last;
use crate::deploy::graph::{Graph, Kind};

/// How many changes are under way at once.
const AT_ONCE: usize = 16;

/// One thing to do.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Task {
    /// A resource, by its full name.
    Node(String),
    /// What is given on something, by its full name.
    Give(String),
    /// The image.
    Image,
}

/// Tasks, and what each has to wait for.
pub(super) type Tasks = BTreeMap<Task, BTreeSet<Task>>;

/// All that is to be done before anything goes.
pub(super) fn tasks(graph: &Graph, changes: &Changes) -> Tasks {
    let mut all: Tasks = BTreeMap::new();
    let project = changes.give.keys().find(|on| is_on_project(on));
    let needs_image = |full: &String| {
        graph
            .nodes
            .get(full)
            .is_some_and(|node| node.kind == Kind::Service)
    };
    if changes.nodes.keys().any(needs_image) {
        let repository = repository(graph).map(|node| Task::Node(node.full_name()));
        all.insert(Task::Image, repository.into_iter().collect());
    }
    for full in changes.nodes.keys() {
        let Some(node) = graph.nodes.get(full) else {
            continue;
        };
        let mut before = BTreeSet::new();
        for other in &node.after {
            before.extend([Task::Node(other.clone()), Task::Give(other.clone())]);
            // Whoever works as an account works with what the account may do in the project.
            let is_account = graph
                .nodes
                .get(other)
                .is_some_and(|node| node.kind == Kind::Account);
            if let (true, Some(project)) = (is_account, project) {
                before.insert(Task::Give(project.clone()));
            }
        }
        if node.kind == Kind::Service {
            before.insert(Task::Image);
        }
        all.insert(Task::Node(full.clone()), before);
    }
    let accounts: BTreeMap<&str, &String> = (graph.nodes.iter())
        .filter(|(_, node)| node.kind == Kind::Account)
        .map(|(full, node)| (last(&node.name), full))
        .collect();
    for (on, grants) in &changes.give {
        let mut before = BTreeSet::from([Task::Node(on.clone())]);
        for grant in grants {
            let email = grant.member.strip_prefix("serviceAccount:");
            if let Some(account) = email.and_then(|email| accounts.get(email)) {
                before.insert(Task::Node((*account).clone()));
            }
        }
        all.insert(Task::Give(on.clone()), before);
    }
    // Nobody waits for what is as it is to be.
    let known: BTreeSet<Task> = all.keys().cloned().collect();
    for (task, before) in &mut all {
        before.retain(|other| known.contains(other) && other != task);
    }
    all
}

/// Does all of it. Once one fails nothing else is begun, and what is under way comes to its end; the first failure is the one that is told.
pub(super) async fn all<F>(mut waiting: Tasks, operation: &'static str, run: impl Fn(Task) -> F) -> Result<()>
where
    F: Future<Output = Result<()>>,
{
    let mut under_way = FuturesUnordered::new();
    let mut failure: Option<Error> = None;
    loop {
        while failure.is_none() && under_way.len() < AT_ONCE {
            let ready = waiting.iter().find(|(_, before)| before.is_empty());
            let Some(task) = ready.map(|(task, _)| task.clone()) else {
                break;
            };
            waiting.remove(&task);
            let done = run(task.clone());
            under_way.push(async move { (task, done.await) });
        }
        match under_way.next().await {
            Some((task, Ok(()))) => {
                for before in waiting.values_mut() {
                    before.remove(&task);
                }
            }
            Some((_, Err(error))) => {
                failure.get_or_insert(error);
            }
            None => break,
        }
    }
    match (failure, waiting.keys().next()) {
        (Some(error), _) => Err(error),
        (None, None) => Ok(()),
        (None, Some(task)) => Err(Error::new(
            ErrorKind::Internal,
            operation,
            "the app's resources wait for each other in a circle; this is a defect of Nephos",
        )
        .with("task", format!("{task:?}"))),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use nephos_core::plan::Part;
    use serde_json::json;

    use super::super::changes::Deed;
    use super::*;
    use crate::deploy::graph::{Grant, Node};

    fn graph() -> Graph {
        let mut graph = Graph::default();
        let mut add = |kind: Kind, name: &str, after: &[&String]| {
            let node = Node {
                kind,
                name: name.to_owned(),
                part: Part::App,
                body: json!({}),
                after: after.iter().map(|name| (*name).clone()).collect(),
            };
            let full = node.full_name();
            graph.nodes.insert(full.clone(), node);
            full
        };
        let repository = add(Kind::Repository, "projects/p/locations/r/repositories/x", &[]);
        let own = add(Kind::Account, "projects/p/serviceAccounts/own@x", &[]);
        let caller = add(Kind::Account, "projects/p/serviceAccounts/caller@x", &[]);
        let service = add(
            Kind::Service,
            "projects/p/locations/r/services/s",
            &[&own, &repository],
        );
        add(Kind::Job, "projects/p/locations/r/jobs/j", &[&service, &caller]);
        let mut grant = |on: &str, member: &str| {
            graph.grants.insert(Grant {
                on: on.to_owned(),
                role: "roles/x".to_owned(),
                member: format!("serviceAccount:{member}"),
                condition: None,
                part: Part::App,
            })
        };
        grant(&service, "caller@x");
        grant("//cloudresourcemanager.googleapis.com/projects/p", "own@x");
        graph
    }

    fn changes(graph: &Graph) -> Changes {
        let mut changes = Changes::default();
        for full in graph.nodes.keys() {
            changes.nodes.insert(full.clone(), Deed::Create);
        }
        for grant in &graph.grants {
            changes
                .give
                .entry(grant.on.clone())
                .or_default()
                .push(grant.clone());
        }
        changes
    }

    async fn order(tasks: Tasks, failing: Option<&str>) -> (Vec<String>, Result<()>) {
        let done = Mutex::new(Vec::new());
        let ended = all(tasks, "t", |task| {
            let name = format!("{task:?}");
            let fails = failing.is_some_and(|part| name.contains(part));
            done.lock().unwrap().push(name.clone());
            async move {
                if fails {
                    return Err(Error::new(ErrorKind::Internal, "t", name));
                }
                Ok(())
            }
        })
        .await;
        (done.into_inner().unwrap(), ended)
    }

    #[tokio::test]
    async fn what_is_needed_comes_before_what_needs_it() {
        let graph = graph();
        let tasks = tasks(&graph, &changes(&graph));
        let (done, ended) = order(tasks, None).await;
        ended.unwrap();
        assert_eq!(done.len(), 8, "{done:#?}");
        let at = |part: &str| done.iter().position(|name| name.contains(part)).unwrap();
        for (first, then) in [
            ("repositories", "Image"),
            ("Image", "Node(\"//run"),
            ("own@x", "Give(\"//cloudresourcemanager"),
            ("Give(\"//cloudresourcemanager", "Node(\"//run"),
            ("Node(\"//run", "Give(\"//run"),
            ("caller@x", "Give(\"//run"),
            ("Give(\"//run", "jobs/j"),
        ] {
            assert!(at(first) < at(then), "{first} {then}: {done:#?}");
        }
    }

    #[tokio::test]
    async fn nothing_is_begun_after_a_failure_and_what_waits_in_a_circle_is_told() {
        let graph = graph();
        let tasks = tasks(&graph, &changes(&graph));
        let (done, ended) = order(tasks, Some("Image")).await;
        assert!(ended.unwrap_err().message().contains("Image"));
        assert!(!done.iter().any(|name| name.contains("services")), "{done:#?}");
        let (one, two) = (Task::Give("a".to_owned()), Task::Give("b".to_owned()));
        let circle = Tasks::from([(one.clone(), [two.clone()].into()), (two, [one].into())]);
        let (_, ended) = order(circle, None).await;
        assert!(ended.unwrap_err().message().contains("circle"));
    }

    #[test]
    fn what_is_there_is_not_waited_for() {
        let graph = graph();
        let mut changes = changes(&graph);
        changes.nodes.retain(|full, _| full.contains("jobs"));
        changes.give.clear();
        let tasks = tasks(&graph, &changes);
        assert_eq!(tasks.len(), 1);
        assert!(tasks.values().all(BTreeSet::is_empty));
    }
}
