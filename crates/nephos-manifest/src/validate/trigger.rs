//! Triggers: exactly one kind each, on a resource of that kind.

use std::collections::{BTreeMap, BTreeSet};

use nephos_core::app::{ObjectEventKind, Resource, Trigger};
use nephos_core::event::{AuthStage, ChangeKind, TriggerKind};
use nephos_core::resource::ResourceKind;

use super::function::unknown_resource;
use super::reader::{Checker, Field, Section};
use super::route;
use crate::diagnostic::{Problem, ProblemKind};
use crate::schedule::{self, Schedule, ScheduleError};
use crate::spans::Path;
use crate::suggest;

/// The kinds, each with the keys that may stand beside it.
const KINDS: [(&str, &[&str]); 10] = [
    ("http", &[]),
    ("bucket", &["event", "prefix", "suffix"]),
    ("queue", &["batch"]),
    ("topic", &["filter"]),
    ("stream", &["batch"]),
    ("table", &["events", "batch"]),
    ("schedule", &["timezone"]),
    ("email", &[]),
    ("auth", &[]),
    ("voice", &[]),
];

const LARGEST_BATCH: u32 = 10_000;

const STAGES: [(&str, AuthStage); 5] = [
    ("before_sign_up", AuthStage::BeforeSignUp),
    ("after_sign_up", AuthStage::AfterSignUp),
    ("before_sign_in", AuthStage::BeforeSignIn),
    ("after_sign_in", AuthStage::AfterSignIn),
    ("before_token", AuthStage::BeforeToken),
];

const CHANGES: [(&str, ChangeKind); 3] = [
    ("inserted", ChangeKind::Inserted),
    ("modified", ChangeKind::Modified),
    ("removed", ChangeKind::Removed),
];

/// One trigger; none where it cannot be told what calls the function.
pub(super) fn read(
    checker: &mut Checker<'_>,
    field: Field<'_>,
    resources: &BTreeMap<String, Resource>,
) -> Option<Trigger> {
    let section = checker.table(field, "a table such as { queue = \"incoming\" }")?;
    let kind = kind(checker, &section)?;
    let (_, beside) = KINDS.iter().find(|(name, _)| *name == kind)?;
    let keys: Vec<&str> = std::iter::once(kind).chain(beside.iter().copied()).collect();
    checker.only(&section, &keys);
    let main = section.field(kind)?;
    let text = checker.filled(main)?;
    let watched = ResourceKind::ALL
        .into_iter()
        .find(|resource| resource.name() == kind);
    if let Some(watched) = watched {
        resource(checker, main, text, watched, resources);
    }
    let name = text.to_owned();
    Some(match kind {
        "http" => {
            let route = route::parse(checker, main, text)?;
            Trigger::Http {
                method: route.method,
                path: route.path,
            }
        }
        "bucket" => bucket(checker, &section, name),
        "queue" => Trigger::Queue {
            queue: name,
            batch: batch(checker, &section, 10),
        },
        "topic" => Trigger::Topic {
            topic: name,
            filter: section
                .field("filter")
                .map(|field| checker.texts(field))
                .unwrap_or_default(),
        },
        "stream" => Trigger::Stream {
            stream: name,
            batch: batch(checker, &section, 100),
        },
        "table" => Trigger::Table {
            table: name,
            events: changes(checker, &section),
            batch: batch(checker, &section, 100),
        },
        "schedule" => schedule(checker, &section, main, text)?,
        "email" => {
            email(checker, main, text)?;
            Trigger::Email { address: name }
        }
        "auth" => Trigger::Auth {
            stage: stage(checker, main, text)?,
        },
        "voice" => Trigger::Voice { skill: name },
        _ => return None,
    })
}

/// The one key that is a kind.
fn kind(checker: &mut Checker<'_>, section: &Section<'_>) -> Option<&'static str> {
    let found: Vec<&str> = KINDS
        .iter()
        .map(|(name, _)| *name)
        .filter(|name| section.table.contains_key(*name))
        .collect();
    match found.as_slice() {
        [kind] => Some(KINDS.iter().find(|(name, _)| name == kind)?.0),
        [] => {
            let names = KINDS.map(|(name, _)| name);
            let near = section
                .keys()
                .into_iter()
                .find_map(|key| Some((key, suggest::nearest(key, names)?)));
            let help = near.map_or_else(
                || format!("give it one of {}", suggest::list(&names)),
                |(_, near)| format!("did you mean `{near}`?"),
            );
            let problem = Problem::new(
                ProblemKind::AmbiguousTrigger,
                format!("{} has no kind", section.path),
            )
            .help(help);
            let label = "what calls the function?";
            match near {
                Some((key, _)) => checker.key(&Path::Key(&section.path, key), label, problem),
                None => checker.value(&section.path, label, problem),
            }
            None
        }
        several => {
            let message = format!(
                "{} has {} kinds: {}",
                section.path,
                several.len(),
                suggest::list(several)
            );
            let problem = Problem::new(ProblemKind::AmbiguousTrigger, message)
                .help("write a trigger of its own, in braces, for each".to_owned());
            checker.value(&section.path, "one kind each", problem);
            None
        }
    }
}

/// Checks that the resource is there and of the trigger's kind.
fn resource(
    checker: &mut Checker<'_>,
    field: Field<'_>,
    name: &str,
    kind: ResourceKind,
    resources: &BTreeMap<String, Resource>,
) {
    match resources.get(name) {
        None => unknown_resource(checker, &field.path, name, Some(kind), resources),
        Some(resource) if resource.kind() != kind => {
            let actual = resource.kind();
            let problem = Problem::new(
                ProblemKind::WrongKind,
                format!("`{name}` is a {actual}, not a {kind}"),
            );
            let problem = if TriggerKind::ALL
                .iter()
                .any(|trigger| trigger.name() == actual.name())
            {
                problem.help(format!("write {{ {actual} = \"{name}\" }}"))
            } else {
                problem.help(format!("a {actual} calls no function"))
            };
            checker.value(&field.path, &format!("a {actual}"), problem);
        }
        Some(_) => {}
    }
}

fn bucket(checker: &mut Checker<'_>, section: &Section<'_>, bucket: String) -> Trigger {
    let event = section.field("event").and_then(|field| {
        let choices = [
            ("created", ObjectEventKind::Created),
            ("deleted", ObjectEventKind::Deleted),
            ("any", ObjectEventKind::Any),
        ];
        checker.choice(field, &choices)
    });
    let mut part = |key| {
        let field = section.field(key)?;
        checker.text(field).map(str::to_owned)
    };
    Trigger::Bucket {
        bucket,
        event: event.unwrap_or_default(),
        prefix: part("prefix").unwrap_or_default(),
        suffix: part("suffix").unwrap_or_default(),
    }
}

fn batch(checker: &mut Checker<'_>, section: &Section<'_>, default: u32) -> u32 {
    section
        .field("batch")
        .and_then(|field| checker.number(field, &(1..=LARGEST_BATCH)))
        .unwrap_or(default)
}

fn changes(checker: &mut Checker<'_>, section: &Section<'_>) -> BTreeSet<ChangeKind> {
    let all = || CHANGES.iter().map(|(_, kind)| *kind).collect();
    let Some(field) = section.field("events") else {
        return all();
    };
    let items = checker.items(field, "events = [\"inserted\", \"modified\"]");
    if matches!(&field.value.kind, config::ValueKind::Array(items) if items.is_empty()) {
        let message = format!("{} is empty, so nothing would call the function", field.path);
        checker.invalid(&field.path, message, "leave it out for all changes".to_owned());
    }
    items
        .iter()
        .enumerate()
        .filter_map(|(index, value)| {
            let path = Path::Index(&field.path, index);
            checker.choice(Field { value, path }, &CHANGES)
        })
        .collect()
}

fn schedule(
    checker: &mut Checker<'_>,
    section: &Section<'_>,
    main: Field<'_>,
    text: &str,
) -> Option<Trigger> {
    let zone = section.field("timezone");
    let timezone = match zone {
        None => "UTC".to_owned(),
        Some(field) => {
            let name = checker.text(field)?;
            if let Err(error) = schedule::timezone(name) {
                wrong_schedule(checker, field, error);
            }
            name.to_owned()
        }
    };
    let every = match Schedule::parse(text) {
        Ok(Schedule::Every(interval)) => Some(interval),
        Ok(Schedule::Cron(_)) => None,
        Err(error) => {
            wrong_schedule(checker, main, error);
            return None;
        }
    };
    if let (Some(_), Some(field)) = (every, zone) {
        let problem = Problem::new(
            ProblemKind::NoEffect,
            format!("{} has no effect on `every …`", field.path),
        )
        .help("leave it out, or write cron fields".to_owned())
        .warning();
        checker.key(&field.path, "not used", problem);
    }
    Some(Trigger::Schedule {
        schedule: text.to_owned(),
        every,
        timezone,
    })
}

fn wrong_schedule(checker: &mut Checker<'_>, field: Field<'_>, error: ScheduleError) {
    let problem = Problem::new(ProblemKind::InvalidSchedule, error.message).help(error.help);
    checker.value(&field.path, "here", problem);
}

/// An address, `*@domain`, or `*`.
fn email(checker: &mut Checker<'_>, field: Field<'_>, text: &str) -> Option<()> {
    let is_atom = |letter: char| letter.is_ascii_alphanumeric() || "!#$%&'*+/=?^_`{|}~-".contains(letter);
    let is_local = |local: &str| {
        !local.is_empty()
            && local.len() <= 64
            && local
                .split('.')
                .all(|atom| !atom.is_empty() && atom.chars().all(is_atom))
    };
    let is_label = |label: &str| {
        !label.is_empty()
            && label.len() <= 63
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label
                .chars()
                .all(|letter| letter.is_ascii_alphanumeric() || letter == '-')
    };
    let fits = text == "*"
        || text.rsplit_once('@').is_some_and(|(local, domain)| {
            let pattern = local == "*" || (is_local(local) && !local.contains('*'));
            pattern && domain.len() <= 253 && domain.split('.').all(is_label)
        });
    if fits {
        return Some(());
    }
    let help =
        "write an address (\"orders@example.net\"), all of a domain (\"*@example.net\"), or \"*\"".to_owned();
    checker.invalid(&field.path, format_args!("`{text}` is no e-mail address"), help);
    None
}

/// A step by its name; a step that only one provider has passes, with a warning.
fn stage(checker: &mut Checker<'_>, field: Field<'_>, text: &str) -> Option<AuthStage> {
    if let Some((_, stage)) = STAGES.iter().find(|(name, _)| *name == text) {
        return Some(stage.clone());
    }
    let names = STAGES.iter().map(|(name, _)| *name);
    let known: Vec<&str> = names.clone().collect();
    if let Some(near) = suggest::nearest(text, names) {
        let help = format!("did you mean `{near}`?");
        checker.invalid(
            &field.path,
            format_args!("there is no step `{text}` of sign-up or sign-in"),
            help,
        );
        return None;
    }
    let problem = Problem::new(
        ProblemKind::InvalidValue,
        format!("`{text}` is not a step that every target has"),
    )
    .help(format!("the steps of every target are {}", suggest::list(&known)))
    .warning();
    checker.value(&field.path, "taken to be a provider's own step", problem);
    Some(AuthStage::Other(text.to_owned()))
}
