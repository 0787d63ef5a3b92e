//! From merged values to an [`App`]. Everything is looked at; nothing stops at the first mistake.

mod clash;
mod function;
mod name;
pub(crate) mod reader;
mod resource;
mod route;
mod target;
mod trigger;
mod usage;

use std::collections::BTreeMap;

use config::Value;
use nephos_core::app::{App, QueueSpec, Resource, Trigger};

use self::reader::{Checker, Field, Section};
use crate::diagnostic::{Origin, Problem, ProblemKind};
use crate::layer::Table;
use crate::spans::Path;

pub(crate) use self::target::{chosen, overlay, overlays};

/// What stands at the top of a manifest.
pub(crate) const ROOT_KEYS: [&str; 9] = [
    "app", "bucket", "queue", "topic", "stream", "table", "secret", "function", "target",
];

/// The app that `root` declares; as whole as can be where there are problems.
pub(crate) fn app(checker: &mut Checker<'_>, root: &Table, known_targets: &[&str]) -> App {
    let root = Section {
        table: root,
        path: Path::Root,
    };
    checker.only(&root, &ROOT_KEYS);
    let name = match root.field("app") {
        Some(field) => checker
            .text(field)
            .filter(|name| name::check(checker, &field.path, "the app's name", name))
            .unwrap_or_default()
            .to_owned(),
        None => {
            let problem = Problem::new(ProblemKind::MissingKey, "the manifest has no `app`")
                .help("name the app in the first line: app = \"my-app\"".to_owned());
            checker.add(problem.at(Origin::Span(0..0), "here"));
            String::new()
        }
    };
    let mut resources = resource::read(checker, &root);
    let mut functions = BTreeMap::new();
    if let Some(field) = root.field("function")
        && let Some(section) = checker.table(field, "a table for each function, such as [function.recognise]")
    {
        for name in section.keys() {
            let Some(field) = section.field(name) else {
                continue;
            };
            name::check(checker, &field.path, "the function's name", name);
            if let Some(function) = function::read(checker, field, name, &resources) {
                functions.insert(name.to_owned(), function);
            }
        }
    }
    route::check(checker, &functions);
    clash::check(checker, &functions);
    usage::check(checker, &functions, &resources);
    let targets = target::read(checker, &root, known_targets);
    dead_letters(checker, &functions, &mut resources);
    App {
        name,
        resources,
        functions,
        targets,
    }
}

/// Makes the queues that functions need for their dead letters and that nobody declared.
fn dead_letters(
    checker: &mut Checker<'_>,
    functions: &BTreeMap<String, nephos_core::app::FunctionSpec>,
    resources: &mut BTreeMap<String, Resource>,
) {
    for (name, function) in functions {
        let queue = &function.dead_letter;
        if !function.has_dead_letters() || *queue != function::default_dead_letter(name) {
            continue;
        }
        let kind = Path::Key(&Path::Root, "function");
        let path = Path::Key(&kind, name);
        match resources.get(queue) {
            None if queue.len() > name::LONGEST => {
                let message =
                    format!("the name `{name}` is too long for a dead-letter queue of its own, `{queue}`");
                let problem = Problem::new(ProblemKind::InvalidName, message)
                    .help("name a declared queue: dead_letter = \"…\", or shorten the name".to_owned());
                checker.key(&path, "here", problem);
            }
            None => {
                let implicit = QueueSpec {
                    implicit: true,
                    ..QueueSpec::default()
                };
                resources.insert(queue.clone(), Resource::Queue(implicit));
            }
            Some(Resource::Queue(_)) => {
                let own = function
                    .on
                    .iter()
                    .any(|trigger| matches!(trigger, Trigger::Queue { queue: own, .. } if own == queue));
                if own {
                    let message = format!(
                        "function `{name}` receives from `{queue}`, which is its own dead-letter queue as long as it names no other"
                    );
                    let problem = Problem::new(ProblemKind::InvalidValue, message).help(
                        "a failed message would come back for ever: name another queue, dead_letter = \"…\""
                            .to_owned(),
                    );
                    checker.key(&path, "here", problem);
                }
            }
            Some(other) => {
                let message = format!(
                    "function `{name}` needs a dead-letter queue, and `{queue}` is a {}",
                    other.kind()
                );
                let problem = Problem::new(ProblemKind::WrongKind, message)
                    .help("name a declared queue: dead_letter = \"…\"".to_owned());
                checker.key(&path, "here", problem);
            }
        }
    }
}

/// Reads one entry of an overlay laid over what it changes, for its problems only.
pub(crate) fn entry(
    checker: &mut Checker<'_>,
    kind: &str,
    name: &str,
    value: &Value,
    resources: &BTreeMap<String, Resource>,
) {
    let kinds = Path::Key(&Path::Root, kind);
    let field = Field {
        value,
        path: Path::Key(&kinds, name),
    };
    if kind == "function" {
        function::read(checker, field, name, resources);
    } else {
        resource::entry(checker, kind, field);
    }
}
