//! Layers for the `config` crate: the file, a target's overlay and the environment, each as a source.

use config::{ConfigError, Map, Source, Value, ValueKind};
use toml::de::{DeTable, DeValue};

/// A table of values.
pub(crate) type Table = Map<String, Value>;

/// One layer, already read.
#[derive(Debug, Clone)]
pub(crate) struct Layer(pub(crate) Table);

impl Source for Layer {
    fn clone_into_box(&self) -> Box<dyn Source + Send + Sync> {
        Box::new(self.clone())
    }

    fn collect(&self) -> Result<Table, ConfigError> {
        Ok(self.0.clone())
    }
}

/// Lays the layers over one another, the last on top: tables are merged, everything else is replaced.
pub(crate) fn merge(layers: impl IntoIterator<Item = Table>) -> Result<Table, ConfigError> {
    let mut merged = Value::new(None, ValueKind::Table(Table::new()));
    for layer in layers {
        Layer(layer).collect_to(&mut merged)?;
    }
    Ok(entries(merged).unwrap_or_default())
}

/// Lays `changes` over `base`, and gives back what was there: entries that no layer touches are neither copied nor merged.
///
/// An entry is what has a kind and a name (`function.recognise`), or a value at the top (`app`).
pub(crate) fn overlay(base: &mut Table, changes: Vec<Table>) -> Result<Table, ConfigError> {
    let mut touched = Table::new();
    for (kind, change) in changes.iter().flatten() {
        match (&change.kind, base.get_mut(kind).map(|value| &mut value.kind)) {
            (ValueKind::Table(change), Some(ValueKind::Table(entries))) => {
                let moved: Table = change
                    .keys()
                    .filter_map(|name| entries.remove_entry(name))
                    .collect();
                extend(&mut touched, kind, moved);
            }
            _ => restore(&mut touched, base.remove_entry(kind).into_iter().collect()),
        }
    }
    let merged = merge(std::iter::once(touched.clone()).chain(changes))?;
    restore(base, merged);
    Ok(touched)
}

/// Puts entries in the place of those of the same kind and name.
pub(crate) fn restore(base: &mut Table, entries: Table) {
    for (kind, value) in entries {
        let both_are_tables = matches!(
            (&value.kind, base.get(&kind).map(|value| &value.kind)),
            (ValueKind::Table(_), Some(ValueKind::Table(_)))
        );
        if both_are_tables {
            extend(base, &kind, self::entries(value).unwrap_or_default());
        } else {
            base.insert(kind, value);
        }
    }
}

fn extend(table: &mut Table, kind: &str, entries: Table) {
    let value = table
        .entry(kind.to_owned())
        .or_insert_with(|| Value::new(None, ValueKind::Table(Table::new())));
    if let ValueKind::Table(table) = &mut value.kind {
        table.extend(entries);
    }
}

fn entries(value: Value) -> Option<Table> {
    match value.kind {
        ValueKind::Table(table) => Some(table),
        _ => None,
    }
}

/// The values of a parsed text, without their places.
pub(crate) fn table(parsed: &DeTable<'_>) -> Table {
    parsed
        .iter()
        .map(|(key, entry)| (key.get_ref().clone().into_owned(), value(entry.get_ref(), None)))
        .collect()
}

/// One value; `origin` is the environment variable that it comes from.
pub(crate) fn value(parsed: &DeValue<'_>, origin: Option<&String>) -> Value {
    let kind = match parsed {
        DeValue::String(text) => ValueKind::String(text.clone().into_owned()),
        DeValue::Integer(integer) => i64::from_str_radix(integer.as_str(), integer.radix()).map_or_else(
            // No number in a manifest is that large: it only has to be refused as what was written.
            |_| ValueKind::Float(integer.as_str().parse().unwrap_or(f64::INFINITY)),
            ValueKind::I64,
        ),
        DeValue::Float(float) => ValueKind::Float(float.as_str().parse().unwrap_or(f64::NAN)),
        DeValue::Boolean(boolean) => ValueKind::Boolean(*boolean),
        DeValue::Datetime(datetime) => ValueKind::String(datetime.to_string()),
        DeValue::Array(array) => {
            ValueKind::Array(array.iter().map(|item| value(item.get_ref(), origin)).collect())
        }
        DeValue::Table(table) => ValueKind::Table(
            table
                .iter()
                .map(|(key, entry)| (key.get_ref().clone().into_owned(), value(entry.get_ref(), origin)))
                .collect(),
        ),
    };
    Value::new(origin, kind)
}

/// A value as JSON, for what is passed on as it is.
pub(crate) fn json(value: &Value) -> serde_json::Value {
    match &value.kind {
        ValueKind::Nil => serde_json::Value::Null,
        ValueKind::Boolean(boolean) => (*boolean).into(),
        ValueKind::I64(number) => (*number).into(),
        ValueKind::U64(number) => (*number).into(),
        ValueKind::I128(number) => number.to_string().into(),
        ValueKind::U128(number) => number.to_string().into(),
        ValueKind::Float(number) => (*number).into(),
        ValueKind::String(text) => text.clone().into(),
        ValueKind::Array(items) => items.iter().map(json).collect(),
        ValueKind::Table(table) => table
            .iter()
            .map(|(key, value)| (key.clone(), json(value)))
            .collect::<serde_json::Map<_, _>>()
            .into(),
    }
}

/// The type of a value, with its article.
pub(crate) fn type_name(value: &Value) -> &'static str {
    match &value.kind {
        ValueKind::Nil => "nothing",
        ValueKind::Boolean(_) => "a boolean",
        ValueKind::I64(_) | ValueKind::I128(_) | ValueKind::U64(_) | ValueKind::U128(_) => "a whole number",
        ValueKind::Float(_) => "a number with a fraction",
        ValueKind::String(_) => "text",
        ValueKind::Table(_) => "a table",
        ValueKind::Array(_) => "a list",
    }
}
