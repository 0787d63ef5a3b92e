//! Reading values by type, with a diagnostic for each that does not fit. Nothing here stops at the first.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::RangeInclusive;
use std::time::Duration;

use config::{Value, ValueKind};

use crate::diagnostic::{Origin, Problem, ProblemKind};
use crate::layer::{Table, type_name};
use crate::spans::{Layers, Part, Path};
use crate::{suggest, units};

/// How many problems search for the name that was meant.
const SEARCHES: usize = 100;

/// A value and the way to it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Field<'v> {
    /// The value.
    pub(crate) value: &'v Value,
    /// The way to it.
    pub(crate) path: Path<'v>,
}

impl Field<'_> {
    /// Whether it comes from an environment variable, where everything is text.
    fn is_variable(&self) -> bool {
        self.value.origin().is_some()
    }
}

/// A table whose keys were checked.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Section<'v> {
    /// Its entries.
    pub(crate) table: &'v Table,
    /// The way to it.
    pub(crate) path: Path<'v>,
}

impl Section<'_> {
    /// The value of a key, if it is there.
    pub(crate) fn field<'s>(&'s self, key: &'s str) -> Option<Field<'s>> {
        self.table.get(key).map(|value| Field {
            value,
            path: Path::Key(&self.path, key),
        })
    }

    /// Its keys in order of their letters, so that reports do not change from run to run.
    pub(crate) fn keys(&self) -> Vec<&str> {
        let mut keys: Vec<&str> = self.table.keys().map(String::as_str).collect();
        keys.sort_unstable();
        keys
    }
}

/// Collects problems.
#[derive(Debug)]
pub(crate) struct Checker<'a> {
    layers: Layers<'a>,
    problems: Vec<Problem>,
}

impl<'a> Checker<'a> {
    pub(crate) fn new(layers: Layers<'a>) -> Self {
        Self {
            layers,
            problems: Vec::new(),
        }
    }

    pub(crate) fn into_problems(self) -> Vec<Problem> {
        self.problems
    }

    /// Whether there are still so few problems that each may search all names for the one that was meant. Beyond that the search would
    /// take the square of the manifest's size.
    pub(crate) fn may_search(&self) -> bool {
        self.problems.len() < SEARCHES
    }

    /// Adds a problem that points at nothing.
    pub(crate) fn add(&mut self, problem: Problem) {
        self.problems.push(problem);
    }

    /// Adds a problem of a value.
    pub(crate) fn value(&mut self, path: &Path<'_>, label: &str, problem: Problem) {
        let origin = self.locate(path, Part::Value);
        self.problems.push(problem.at(origin, label));
    }

    /// Adds a problem of a key.
    pub(crate) fn key(&mut self, path: &Path<'_>, label: &str, problem: Problem) {
        let origin = self.locate(path, Part::Key);
        self.problems.push(problem.at(origin, label));
    }

    pub(crate) fn locate(&self, path: &Path<'_>, part: Part) -> Origin {
        self.layers.locate(path, part)
    }

    /// A table with none but these keys.
    pub(crate) fn section<'v>(&mut self, field: Field<'v>, keys: &[&str]) -> Option<Section<'v>> {
        let section = self.table(field, "a table")?;
        self.only(&section, keys);
        Some(section)
    }

    /// A table with any keys; `wanted` is what the message asks for.
    pub(crate) fn table<'v>(&mut self, field: Field<'v>, wanted: &str) -> Option<Section<'v>> {
        match &field.value.kind {
            ValueKind::Table(table) => Some(Section {
                table,
                path: field.path,
            }),
            _ => {
                // `[[function.name]]` reads as a list of tables.
                let doubled = matches!(&field.value.kind, ValueKind::Array(items) if matches!(
                    items.first().map(|item| &item.kind),
                    Some(ValueKind::Table(_))
                ));
                let help =
                    doubled.then(|| "write its name in single brackets, as in [function.name]".to_owned());
                self.wrong_type(field, wanted, help);
                None
            }
        }
    }

    /// Reports keys that are not among these.
    pub(crate) fn only(&mut self, section: &Section<'_>, keys: &[&str]) {
        crate::work::step(section.table.len());
        for key in section.table.keys() {
            if !keys.contains(&key.as_str()) {
                let place = match section.path {
                    Path::Root => String::new(),
                    path => format!(" of {path}"),
                };
                let problem = Problem::new(ProblemKind::UnknownKey, format!("unknown key `{key}`{place}"))
                    .help(suggest::help(key, "keys", keys.iter().copied()));
                self.key(&Path::Key(&section.path, key), "nothing reads this", problem);
            }
        }
    }

    /// Reports that a key is not there.
    pub(crate) fn missing(&mut self, path: &Path<'_>, key: &str, help: &str) {
        let problem =
            Problem::new(ProblemKind::MissingKey, format!("{path} has no `{key}`")).help(help.to_owned());
        self.key(path, "here", problem);
    }

    pub(crate) fn wrong_type(&mut self, field: Field<'_>, wanted: &str, help: Option<String>) {
        let found = type_name(field.value);
        let problem = Problem::new(
            ProblemKind::WrongType,
            format!("{} must be {wanted}, not {found}", field.path),
        )
        .help(help);
        self.value(&field.path, found, problem);
    }

    /// Reports a value that has the right type and is wrong all the same.
    pub(crate) fn invalid(
        &mut self,
        path: &Path<'_>,
        message: impl fmt::Display,
        help: impl Into<Option<String>>,
    ) {
        let problem = Problem::new(ProblemKind::InvalidValue, message.to_string()).help(help);
        self.value(path, "here", problem);
    }

    /// Text.
    pub(crate) fn text<'v>(&mut self, field: Field<'v>) -> Option<&'v str> {
        match &field.value.kind {
            ValueKind::String(text) => Some(text),
            kind => {
                let help = match kind {
                    ValueKind::I64(_) | ValueKind::Boolean(_) => {
                        Some(format!("write \"{}\" in quotation marks", field.value))
                    }
                    _ => None,
                };
                self.wrong_type(field, "text", help);
                None
            }
        }
    }

    /// Text that is not empty.
    pub(crate) fn filled<'v>(&mut self, field: Field<'v>) -> Option<&'v str> {
        let text = self.text(field)?;
        if text.trim().is_empty() {
            self.invalid(&field.path, format_args!("{} is empty", field.path), None);
            return None;
        }
        Some(text)
    }

    /// True or false.
    pub(crate) fn boolean(&mut self, field: Field<'_>) -> Option<bool> {
        match &field.value.kind {
            ValueKind::Boolean(boolean) => Some(*boolean),
            ValueKind::String(text) if field.is_variable() && text.parse::<bool>().is_ok() => {
                text.parse().ok()
            }
            ValueKind::String(text) if text.parse::<bool>().is_ok() => {
                let help = format!("write {text} without quotation marks");
                self.wrong_type(field, "true or false", Some(help));
                None
            }
            _ => {
                self.wrong_type(field, "true or false", None);
                None
            }
        }
    }

    /// A whole number within a range.
    pub(crate) fn number(&mut self, field: Field<'_>, range: &RangeInclusive<u32>) -> Option<u32> {
        let number = match &field.value.kind {
            ValueKind::I64(number) => *number,
            ValueKind::String(text) if field.is_variable() && text.trim().parse::<i64>().is_ok() => {
                text.trim().parse().unwrap_or(-1)
            }
            ValueKind::String(text) if text.parse::<i64>().is_ok() => {
                let help = format!("write {text} without quotation marks");
                self.wrong_type(field, "a whole number", Some(help));
                return None;
            }
            _ => {
                self.wrong_type(field, "a whole number", None);
                return None;
            }
        };
        let fits = u32::try_from(number).ok().filter(|number| range.contains(number));
        if fits.is_none() {
            let message = format!("{} cannot be {number}", field.path);
            let help = format!("it can be {} to {}", range.start(), range.end());
            self.invalid(&field.path, message, help);
        }
        fits
    }

    /// A duration within a range.
    pub(crate) fn duration(
        &mut self,
        field: Field<'_>,
        range: &RangeInclusive<Duration>,
    ) -> Option<Duration> {
        let length = self.unit(field, "s", "a duration such as \"30 s\"", units::duration)?;
        if range.contains(&length) {
            return Some(length);
        }
        let message = format!("{} cannot be {}", field.path, units::show(length));
        let (least, most) = (units::show(*range.start()), units::show(*range.end()));
        self.invalid(&field.path, message, format!("it can be {least} to {most}"));
        None
    }

    /// A size within a range.
    pub(crate) fn size(&mut self, field: Field<'_>, range: &RangeInclusive<u64>) -> Option<u64> {
        let bytes = self.unit(field, "MiB", "a size such as \"512 MiB\"", units::size)?;
        if range.contains(&bytes) {
            return Some(bytes);
        }
        let message = format!("{} cannot be {}", field.path, units::show_size(bytes));
        let (least, most) = (units::show_size(*range.start()), units::show_size(*range.end()));
        self.invalid(&field.path, message, format!("it can be {least} to {most}"));
        None
    }

    fn unit<T>(
        &mut self,
        field: Field<'_>,
        unit: &str,
        wanted: &str,
        parse: impl Fn(&str) -> Result<T, units::UnitError>,
    ) -> Option<T> {
        let text = match &field.value.kind {
            ValueKind::String(text) => text,
            kind => {
                let help = match kind {
                    ValueKind::I64(_) | ValueKind::Float(_) => {
                        Some(format!("write \"{} {unit}\"", field.value))
                    }
                    _ => None,
                };
                self.wrong_type(field, wanted, help);
                return None;
            }
        };
        match parse(text) {
            Ok(value) => Some(value),
            Err(error) => {
                let message = format!("{}: {}", field.path, error.message);
                let problem = Problem::new(ProblemKind::WrongUnit, message).help(error.help);
                self.value(&field.path, "here", problem);
                None
            }
        }
    }

    /// One of a few words.
    pub(crate) fn choice<T: Copy>(&mut self, field: Field<'_>, choices: &[(&str, T)]) -> Option<T> {
        let text = self.text(field)?;
        let found = choices.iter().find(|(name, _)| *name == text);
        if found.is_none() {
            let help = suggest::help(text, "it can be", choices.iter().map(|(name, _)| *name));
            self.invalid(
                &field.path,
                format_args!("{} cannot be `{text}`", field.path),
                help,
            );
        }
        found.map(|(_, choice)| *choice)
    }

    /// The items of a list.
    pub(crate) fn items<'v>(&mut self, field: Field<'v>, example: &str) -> &'v [Value] {
        match &field.value.kind {
            ValueKind::Array(items) => items,
            _ => {
                self.wrong_type(field, "a list", Some(format!("write it as in {example}")));
                &[]
            }
        }
    }

    /// A table of texts.
    pub(crate) fn texts(&mut self, field: Field<'_>) -> BTreeMap<String, String> {
        let Some(section) = self.table(field, "a table of texts") else {
            return BTreeMap::new();
        };
        section
            .keys()
            .into_iter()
            .filter_map(|key| Some((key.to_owned(), self.text(section.field(key)?)?.to_owned())))
            .collect()
    }
}
