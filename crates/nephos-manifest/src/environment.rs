//! The strongest layer: `NEPHOS__FUNCTION__RECOGNISE__TIMEOUT="1 min"`.
//!
//! Variables are upper case by custom and know no hyphens, so each part is matched to the names that the manifest declares.

use std::collections::BTreeMap;

use config::{Value, ValueKind};
use nephos_core::resource::ResourceKind;
use toml::de::DeValue;

use crate::diagnostic::{Origin, Problem, ProblemKind};
use crate::layer::{self, Table};
use crate::suggest;
use crate::validate::ROOT_KEYS;

const PREFIX: &str = "NEPHOS__";

/// What the environment sets.
#[derive(Debug, Default)]
pub(crate) struct Variables {
    /// The layer.
    pub(crate) layer: Table,
    /// Each variable's name by the path that it sets.
    pub(crate) names: BTreeMap<Vec<String>, String>,
}

impl Variables {
    /// Reads the variables that begin with `NEPHOS__`; an empty one counts as unset.
    pub(crate) fn read(
        environment: &BTreeMap<String, String>,
        base: &Table,
        problems: &mut Vec<Problem>,
    ) -> Self {
        let mut variables = Self::default();
        let range = (std::ops::Bound::Included(PREFIX), std::ops::Bound::Unbounded);
        let ours = environment
            .range::<str, _>(range)
            .take_while(|(name, _)| name.starts_with(PREFIX))
            .filter(|(_, value)| !value.is_empty());
        for (name, text) in ours {
            let parts: Vec<&str> = name.trim_start_matches(PREFIX).split("__").collect();
            let found = resolve(&parts, base).and_then(|path| Ok((path, parse(name, text)?)));
            match found {
                Ok((path, value)) => {
                    insert(&mut variables.layer, &path, value);
                    variables.names.insert(path, name.clone());
                }
                Err(problem) => problems.push(problem.at(Origin::Variable(name.clone()), "")),
            }
        }
        variables
    }

    /// Whether the value at this path comes from here.
    pub(crate) fn sets(&self, path: &[String]) -> bool {
        let mut table = &self.layer;
        for (depth, key) in path.iter().enumerate() {
            match table.get(key).map(|value| &value.kind) {
                Some(ValueKind::Table(inner)) => table = inner,
                Some(_) => return depth + 1 == path.len(),
                None => return false,
            }
        }
        true
    }
}

/// The path that the parts of a variable's name mean.
fn resolve(parts: &[&str], base: &Table) -> Result<Vec<String>, Box<Problem>> {
    let unknown = |kind, message: String, help| Err(Box::new(Problem::new(kind, message).help(help)));
    if parts.iter().any(|part| part.is_empty()) {
        return unknown(
            ProblemKind::UnknownKey,
            "the variable's name has an empty part".to_owned(),
            Some("write it as in NEPHOS__FUNCTION__RECOGNISE__TIMEOUT".to_owned()),
        );
    }
    let Some((first, rest)) = parts.split_first() else {
        return Ok(Vec::new());
    };
    let root = first.to_lowercase();
    if !ROOT_KEYS.contains(&root.as_str()) {
        let help = suggest::help(&root, "keys", ROOT_KEYS);
        return unknown(ProblemKind::UnknownKey, format!("unknown key `{root}`"), help);
    }
    let mut path = vec![root.clone()];
    let Some((name, keys)) = rest.split_first() else {
        return Ok(path);
    };
    let empty = Table::new();
    let named = inner(base, &root).unwrap_or(&empty);
    let Some(name) = declared(named, name) else {
        let asked = name.to_lowercase().replace('_', "-");
        let kind = if root == "function" {
            ProblemKind::UnknownFunction
        } else if root == "target" {
            ProblemKind::UnknownTarget
        } else {
            ProblemKind::UnknownResource
        };
        let help = suggest::help(&asked, "declared", named.keys().map(String::as_str));
        return unknown(kind, format!("nephos.toml declares no {root} `{asked}`"), help);
    };
    if root == "target" {
        let overlays = keys.first().map(|key| key.to_lowercase());
        if let Some(kind) = overlays.filter(|kind| is_overlay(kind)) {
            return unknown(
                ProblemKind::UnknownKey,
                format!("a variable cannot set a target's `{kind}`"),
                Some("leave out TARGET and its name: the environment overrides every target".to_owned()),
            );
        }
    }
    let mut table = inner(named, name);
    path.push(name.to_owned());
    for (depth, key) in keys.iter().enumerate() {
        let known = table.and_then(|table| declared(table, key)).map(str::to_owned);
        let under = path.get(2).map(String::as_str).filter(|_| depth > 0);
        let key = known.unwrap_or_else(|| match under {
            // A function's own variables are case-sensitive.
            Some("env") => (*key).to_owned(),
            Some("uses") => resource(base, key).unwrap_or_else(|| key.to_lowercase().replace('_', "-")),
            _ => key.to_lowercase(),
        });
        table = table.and_then(|table| inner(table, &key));
        path.push(key);
    }
    Ok(path)
}

pub(crate) fn is_overlay(key: &str) -> bool {
    key == "function" || ResourceKind::ALL.iter().any(|kind| kind.name() == key)
}

fn inner<'t>(table: &'t Table, key: &str) -> Option<&'t Table> {
    match &table.get(key)?.kind {
        ValueKind::Table(table) => Some(table),
        _ => None,
    }
}

/// The key of `table` that a part of a variable's name means.
fn declared<'t>(table: &'t Table, part: &str) -> Option<&'t str> {
    let plain = |text: &str| text.to_lowercase().replace('-', "_");
    let part = plain(part);
    table.keys().map(String::as_str).find(|key| plain(key) == part)
}

fn resource(base: &Table, part: &str) -> Option<String> {
    ResourceKind::ALL
        .iter()
        .find_map(|kind| declared(inner(base, kind.name())?, part))
        .map(str::to_owned)
}

/// A list or table is written as in the file; everything else is text, and read as what its key wants.
fn parse(name: &String, text: &str) -> Result<Value, Box<Problem>> {
    if !text.trim_start().starts_with(['[', '{']) {
        return Ok(Value::new(Some(name), ValueKind::String(text.to_owned())));
    }
    let parsed = DeValue::parse(text.trim()).map_err(|error| {
        Problem::new(
            ProblemKind::Syntax,
            format!("not a TOML value: {}", error.message()),
        )
        .help("write lists and tables as in the file".to_owned())
    })?;
    Ok(layer::value(parsed.get_ref(), Some(name)))
}

fn insert(table: &mut Table, path: &[String], value: Value) {
    match path {
        [] => {}
        [key] => {
            table.insert(key.clone(), value);
        }
        [key, rest @ ..] => {
            let entry = table
                .entry(key.clone())
                .or_insert_with(|| Value::new(None, ValueKind::Table(Table::new())));
            if !matches!(entry.kind, ValueKind::Table(_)) {
                // A shorter variable set the whole; the longer one is the more exact.
                entry.kind = ValueKind::Table(Table::new());
            }
            if let ValueKind::Table(inner) = &mut entry.kind {
                insert(inner, rest, value);
            }
        }
    }
}
