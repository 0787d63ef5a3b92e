//! Functions: limits, triggers, what they may use, and what becomes of failures.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::RangeInclusive;
use std::time::Duration;

use nephos_core::app::{FunctionSpec, Isolation, Resource, Retry, Trigger};
use nephos_core::resource::{Access, ResourceKind};

use super::reader::{Checker, Field};
use super::{name, trigger};
use crate::diagnostic::{Problem, ProblemKind};
use crate::spans::Path;
use crate::suggest;

const FUNCTION: [&str; 11] = [
    "memory",
    "ephemeral_storage",
    "timeout",
    "on",
    "uses",
    "env",
    "retry",
    "dead_letter",
    "concurrency",
    "max_instances",
    "isolation",
];
const RETRY: [&str; 3] = ["attempts", "backoff", "max_backoff"];

const MEMORY: RangeInclusive<u64> = 16 << 20..=64 << 30;
const EPHEMERAL_STORAGE: RangeInclusive<u64> = 1 << 20..=64 << 30;
const DEFAULT_MEMORY: u64 = 256 << 20;
const DAY: Duration = Duration::from_secs(24 * 3600);
const TIMEOUT: RangeInclusive<Duration> = Duration::from_millis(1)..=DAY;
const BACKOFF: RangeInclusive<Duration> = Duration::ZERO..=DAY;

/// The queue for the dead letters of a function that names none.
pub(super) fn default_dead_letter(function: &str) -> String {
    format!("{function}-dead-letter")
}

/// One function, with defaults where a value is wrong.
pub(super) fn read(
    checker: &mut Checker<'_>,
    field: Field<'_>,
    name: &str,
    resources: &BTreeMap<String, Resource>,
) -> Option<FunctionSpec> {
    let section = checker.section(field, &FUNCTION)?;
    let mut limit = |key, most, default| {
        let field = section.field(key)?;
        Some(checker.number(field, &(1..=most)).unwrap_or(default))
    };
    let concurrency = limit("concurrency", 1000, 80).unwrap_or(80);
    let max_instances = limit("max_instances", 10_000, 10).unwrap_or(10);
    let memory = section
        .field("memory")
        .and_then(|field| checker.size(field, &MEMORY));
    let ephemeral_storage = section
        .field("ephemeral_storage")
        .and_then(|field| checker.size(field, &EPHEMERAL_STORAGE));
    let timeout = section
        .field("timeout")
        .and_then(|field| checker.duration(field, &TIMEOUT));
    let on = section
        .field("on")
        .map(|field| triggers(checker, field, resources))
        .unwrap_or_default();
    let isolation = section.field("isolation").and_then(|field| {
        let choices = [
            ("process", Isolation::Process),
            ("invocation", Isolation::Invocation),
        ];
        checker.choice(field, &choices)
    });
    let dead_letter = section
        .field("dead_letter")
        .and_then(|field| dead_letter(checker, field, &on, resources));
    Some(FunctionSpec {
        memory: memory.unwrap_or(DEFAULT_MEMORY),
        ephemeral_storage,
        timeout: timeout.unwrap_or(Duration::from_secs(30)),
        uses: section
            .field("uses")
            .map(|field| uses(checker, field, resources))
            .unwrap_or_default(),
        env: section
            .field("env")
            .map(|field| env(checker, field))
            .unwrap_or_default(),
        retry: section
            .field("retry")
            .map(|field| retry(checker, field))
            .unwrap_or_default(),
        dead_letter: dead_letter.unwrap_or_else(|| default_dead_letter(name)),
        concurrency,
        max_instances,
        isolation: isolation.unwrap_or_default(),
        on,
    })
}

fn triggers(
    checker: &mut Checker<'_>,
    field: Field<'_>,
    resources: &BTreeMap<String, Resource>,
) -> Vec<Trigger> {
    let items = checker.items(field, "on = [{ queue = \"incoming\" }]");
    items
        .iter()
        .enumerate()
        .filter_map(|(index, value)| {
            let path = Path::Index(&field.path, index);
            trigger::read(checker, Field { value, path }, resources)
        })
        .collect()
}

fn uses(
    checker: &mut Checker<'_>,
    field: Field<'_>,
    resources: &BTreeMap<String, Resource>,
) -> BTreeMap<String, BTreeSet<Access>> {
    let Some(section) = checker.table(field, "a table such as { faces = [\"read\"] }") else {
        return BTreeMap::new();
    };
    let mut uses = BTreeMap::new();
    for name in section.keys() {
        let Some(field) = section.field(name) else {
            continue;
        };
        let Some(resource) = resources.get(name) else {
            unknown_resource(checker, &field.path, name, None, resources);
            continue;
        };
        uses.insert(name.to_owned(), access(checker, field, name, resource.kind()));
    }
    uses
}

fn access(
    checker: &mut Checker<'_>,
    field: Field<'_>,
    resource: &str,
    kind: ResourceKind,
) -> BTreeSet<Access> {
    let allowed: Vec<&str> = kind.access().iter().map(|access| access.name()).collect();
    let example = format!("{resource} = [\"{}\"]", allowed.join("\", \""));
    let items = checker.items(field, &example);
    if matches!(&field.value.kind, config::ValueKind::Array(items) if items.is_empty()) {
        let message = format!("{} allows nothing", field.path);
        checker.invalid(&field.path, message, format!("write {example}, or leave it out"));
    }
    let mut granted = BTreeSet::new();
    for (index, value) in items.iter().enumerate() {
        let path = Path::Index(&field.path, index);
        let Some(text) = checker.text(Field { value, path }) else {
            continue;
        };
        match kind.access().iter().find(|access| access.name() == text) {
            Some(access) => {
                granted.insert(*access);
            }
            None => {
                let help = suggest::help(text, &format!("a {kind} has"), allowed.iter().copied());
                let message = format!("a {kind} such as `{resource}` has no access `{text}`");
                let problem = Problem::new(ProblemKind::UnknownAccess, message).help(help);
                checker.value(&path, "not of this kind", problem);
            }
        }
    }
    granted
}

/// Reports a name that nothing is declared under; `kind` narrows what is suggested.
pub(super) fn unknown_resource(
    checker: &mut Checker<'_>,
    path: &Path<'_>,
    name: &str,
    kind: Option<ResourceKind>,
    resources: &BTreeMap<String, Resource>,
) {
    let known = resources
        .iter()
        .filter(|(_, resource)| kind.is_none_or(|kind| resource.kind() == kind))
        .map(|(name, _)| name.as_str());
    let what = kind.map_or("resource", ResourceKind::name);
    let near = checker
        .may_search()
        .then(|| suggest::nearest(name, known))
        .flatten();
    let help = near.map_or_else(
        || match kind {
            Some(kind) => format!("declare it: [{kind}.{name}]"),
            None => format!("declare it, as in [bucket.{name}] or [table.{name}]"),
        },
        |near| format!("did you mean `{near}`?"),
    );
    let problem = Problem::new(
        ProblemKind::UnknownResource,
        format!("the manifest declares no {what} `{name}`"),
    )
    .help(help);
    // In `uses` the name is the key; elsewhere it is the value.
    if kind.is_none() {
        checker.key(path, "not declared", problem);
    } else {
        checker.value(path, "not declared", problem);
    }
}

fn env(checker: &mut Checker<'_>, field: Field<'_>) -> BTreeMap<String, String> {
    let env = checker.texts(field);
    for name in env.keys() {
        let path = Path::Key(&field.path, name);
        let (reason, help) = if !name::is_variable(name) {
            (
                "is not the name of an environment variable",
                "such names are letters, digits and underscores: LOG_LEVEL",
            )
        } else if name.starts_with("NEPHOS_") {
            (
                "is kept for the host",
                "choose a name that does not begin with NEPHOS_",
            )
        } else {
            continue;
        };
        let problem =
            Problem::new(ProblemKind::InvalidName, format!("`{name}` {reason}")).help(help.to_owned());
        checker.key(&path, "here", problem);
    }
    env
}

fn retry(checker: &mut Checker<'_>, field: Field<'_>) -> Retry {
    let default = Retry::default();
    let Some(section) = checker.section(field, &RETRY) else {
        return default;
    };
    let attempts = section
        .field("attempts")
        .and_then(|field| checker.number(field, &(1..=1000)));
    let backoff = section
        .field("backoff")
        .and_then(|field| checker.duration(field, &BACKOFF))
        .unwrap_or(default.backoff);
    let max_backoff = section
        .field("max_backoff")
        .and_then(|field| checker.duration(field, &BACKOFF));
    if let Some(most) = max_backoff.filter(|most| *most < backoff)
        && let Some(field) = section.field("max_backoff")
    {
        let show = crate::units::show;
        let message = format!("{} is {}, which is less than `backoff`", field.path, show(most));
        checker.invalid(
            &field.path,
            message,
            format!("make it at least {}", show(backoff)),
        );
    }
    Retry {
        attempts: attempts.unwrap_or(default.attempts),
        backoff,
        max_backoff: max_backoff.unwrap_or_else(|| default.max_backoff.max(backoff)),
    }
}

fn dead_letter(
    checker: &mut Checker<'_>,
    field: Field<'_>,
    on: &[Trigger],
    resources: &BTreeMap<String, Resource>,
) -> Option<String> {
    let queue = checker.filled(field)?;
    match resources.get(queue) {
        None => unknown_resource(checker, &field.path, queue, Some(ResourceKind::Queue), resources),
        Some(Resource::Queue(_)) => {
            let own = on
                .iter()
                .any(|trigger| matches!(trigger, Trigger::Queue { queue: own, .. } if own == queue));
            if own {
                let message = format!("{} is the queue that the function receives from", field.path);
                let help = "a failed message would come back for ever: name another queue, or leave it out"
                    .to_owned();
                checker.invalid(&field.path, message, help);
            }
        }
        Some(other) => {
            let message = format!(
                "{} must be a queue, and `{queue}` is a {}",
                field.path,
                other.kind()
            );
            let problem = Problem::new(ProblemKind::WrongKind, message)
                .help("name a declared queue, or leave it out for one of its own".to_owned());
            checker.value(&field.path, "not a queue", problem);
        }
    }
    Some(queue.to_owned())
}
