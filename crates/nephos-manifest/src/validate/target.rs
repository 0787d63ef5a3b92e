//! Targets: which there are, their settings, and the overlays that change functions and resources on one of them.

use std::collections::BTreeMap;

use config::{ConfigError, Value, ValueKind};
use nephos_core::app::Resource;

use super::reader::{Checker, Section};
use crate::diagnostic::{Problem, ProblemKind};
use crate::environment::is_overlay;
use crate::layer::{self, Table};
use crate::spans::{Layers, Path};
use crate::suggest;

/// The settings of each target, without its overlay.
pub(super) fn read(
    checker: &mut Checker<'_>,
    root: &Section<'_>,
    known: &[&str],
) -> BTreeMap<String, serde_json::Value> {
    let mut targets = BTreeMap::new();
    let Some(field) = root.field("target") else {
        return targets;
    };
    let Some(section) = checker.table(field, "a table for each target, such as [target.local]") else {
        return targets;
    };
    for name in section.keys() {
        let Some(field) = section.field(name) else {
            continue;
        };
        if !known.contains(&name) {
            unknown(checker, &field.path, name, known);
        }
        let Some(settings) = checker.table(field, "a table") else {
            continue;
        };
        let own = settings
            .table
            .iter()
            .filter(|(key, value)| !(is_overlay(key) && matches!(value.kind, ValueKind::Table(_))))
            .map(|(key, value)| (key.clone(), layer::json(value)))
            .collect::<serde_json::Map<_, _>>();
        targets.insert(name.to_owned(), own.into());
    }
    targets
}

/// A name like a known one is a mistake; any other may be a target that this command was built without.
fn unknown(checker: &mut Checker<'_>, path: &Path<'_>, name: &str, known: &[&str]) {
    let problem = Problem::new(ProblemKind::UnknownTarget, format!("there is no target `{name}`"));
    let problem = match suggest::nearest(name, known.iter().copied()) {
        Some(near) => problem.help(format!("did you mean `{near}`?")),
        None => problem
            .help(format!(
                "this command knows {}; the settings of others are not checked",
                suggest::list(known)
            ))
            .warning(),
    };
    checker.key(path, "unknown", problem);
}

/// The problem of a chosen target that there is not.
pub(crate) fn chosen(name: &str, known: &[&str]) -> Option<Problem> {
    if known.contains(&name) {
        return None;
    }
    Some(
        Problem::new(ProblemKind::UnknownTarget, format!("there is no target `{name}`")).help(suggest::help(
            name,
            "targets",
            known.iter().copied(),
        )),
    )
}

/// What a target's overlay changes: its entries for functions and resources that the manifest declares.
pub(crate) fn overlay(base: &Table, target: &str) -> Table {
    let mut overlay = Table::new();
    for (kind, entries) in overlay_tables(base, target) {
        let known: Table = entries
            .iter()
            .filter(|(name, value)| {
                matches!(value.kind, ValueKind::Table(_)) && base_entry(base, kind, name).is_some()
            })
            .map(|(name, value)| (name.clone(), value.clone()))
            .collect();
        overlay.insert(kind.clone(), Value::new(None, ValueKind::Table(known)));
    }
    overlay
}

/// Checks the overlays of all targets, each laid over what it changes; what the chosen one changes was checked with the app.
///
/// # Errors
/// Where layers cannot be merged.
pub(crate) fn overlays(
    layers: Layers<'_>,
    base: &Table,
    resources: &BTreeMap<String, Resource>,
    problems: &mut Vec<Problem>,
) -> Result<(), ConfigError> {
    let Some(targets) = inner(base, "target") else {
        return Ok(());
    };
    for target in targets.keys() {
        let mut checker = Checker::new(Layers {
            target: Some(target),
            ..layers
        });
        names(&mut checker, base, target);
        if layers.target == Some(target) {
            problems.extend(checker.into_problems());
            continue;
        }
        let changes = overlay(base, target);
        let merged = layer::merge([unchanged(base, &changes), changes])?;
        for kind in merged.keys() {
            let Some(entries) = inner(&merged, kind) else {
                continue;
            };
            for (name, value) in entries {
                super::entry(&mut checker, kind, name, value, resources);
            }
        }
        problems.extend(checker.into_problems());
    }
    Ok(())
}

/// What an overlay changes, as it is without it.
fn unchanged(base: &Table, changes: &Table) -> Table {
    let mut unchanged = Table::new();
    for (kind, change) in changes {
        let (ValueKind::Table(change), Some(entries)) = (&change.kind, inner(base, kind)) else {
            continue;
        };
        let entries: Table = change
            .keys()
            .filter_map(|name| Some((name.clone(), entries.get(name)?.clone())))
            .collect();
        unchanged.insert(kind.clone(), Value::new(None, ValueKind::Table(entries)));
    }
    unchanged
}

/// Reports what the overlay of `target` would change and is not there, or is no table.
fn names(checker: &mut Checker<'_>, base: &Table, target: &str) {
    let targets = Path::Key(&Path::Root, "target");
    let target_path = Path::Key(&targets, target);
    for (kind, entries) in overlay_tables(base, target) {
        let kind_path = Path::Key(&target_path, kind);
        for (name, value) in entries {
            let path = Path::Key(&kind_path, name);
            if base_entry(base, kind, name).is_none() {
                let declared =
                    inner(base, kind).map(|table| table.keys().map(String::as_str).collect::<Vec<_>>());
                let problem_kind = if kind == "function" {
                    ProblemKind::UnknownFunction
                } else {
                    ProblemKind::UnknownResource
                };
                let message =
                    format!("target `{target}` changes {kind} `{name}`, which the manifest does not declare");
                let declared = declared.filter(|_| checker.may_search()).unwrap_or_default();
                let help = suggest::help(name, "declared", declared);
                let problem = Problem::new(problem_kind, message).help(help);
                checker.key(&path, "not declared", problem);
            } else if !matches!(value.kind, ValueKind::Table(_)) {
                checker.wrong_type(super::reader::Field { value, path }, "a table", None);
            }
        }
    }
}

fn overlay_tables<'t>(base: &'t Table, target: &str) -> impl Iterator<Item = (&'t String, &'t Table)> {
    inner(base, "target")
        .and_then(|targets| inner(targets, target))
        .into_iter()
        .flatten()
        .filter(|(kind, _)| is_overlay(kind))
        .filter_map(|(kind, value)| match &value.kind {
            ValueKind::Table(table) => Some((kind, table)),
            _ => None,
        })
}

fn base_entry<'t>(base: &'t Table, kind: &str, name: &str) -> Option<&'t Value> {
    inner(base, kind)?.get(name)
}

fn inner<'t>(table: &'t Table, key: &str) -> Option<&'t Table> {
    match &table.get(key)?.kind {
        ValueKind::Table(table) => Some(table),
        _ => None,
    }
}
