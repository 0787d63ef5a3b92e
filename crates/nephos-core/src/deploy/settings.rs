//! Reads typed values out of the target's settings, and reports the keys that nothing reads.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use serde_json::{Map, Value};

use crate::{Error, ErrorKind, Result};

/// A table of settings, and which of its keys were asked for.
#[derive(Debug)]
pub struct Reader<'a> {
    target: &'a str,
    table: &'a Map<String, Value>,
    known: Vec<&'static str>,
}

impl<'a> Reader<'a> {
    /// Reads `value`, the settings of `target`.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidArgument`] if they are no table.
    pub fn new(target: &'a str, value: &'a Value) -> Result<Self> {
        let Value::Object(table) = value else {
            return Err(Error::new(
                ErrorKind::InvalidArgument,
                "deploy.settings",
                "the settings of a target are a table",
            )
            .with("key", format!("target.{target}")));
        };
        Ok(Self {
            target,
            table,
            known: Vec::new(),
        })
    }

    fn get(&mut self, key: &'static str) -> Option<&'a Value> {
        self.known.push(key);
        self.table.get(key).filter(|value| !value.is_null())
    }

    fn wrong(&self, key: &str, message: impl Into<std::borrow::Cow<'static, str>>, value: &Value) -> Error {
        // A table or list would make the line unreadable, and the key says enough.
        let shown = match value {
            Value::Object(_) => "a table".to_owned(),
            Value::Array(_) => "a list".to_owned(),
            other => other.to_string(),
        };
        Error::new(ErrorKind::InvalidArgument, "deploy.settings", message)
            .with("key", format!("target.{}.{key}", self.target))
            .with("value", shown)
    }

    /// Text that is not empty.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidArgument`] for anything else.
    pub fn text(&mut self, key: &'static str) -> Result<Option<String>> {
        match self.get(key) {
            None => Ok(None),
            Some(Value::String(text)) if !text.trim().is_empty() => Ok(Some(text.clone())),
            Some(other) => Err(self.wrong(key, "the setting must be text that is not empty", other)),
        }
    }

    /// True or false; of a variable of the environment, their names.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidArgument`] for anything else.
    pub fn flag(&mut self, key: &'static str) -> Result<Option<bool>> {
        match self.get(key) {
            None => Ok(None),
            Some(Value::Bool(flag)) => Ok(Some(*flag)),
            Some(Value::String(text)) if text == "true" || text == "false" => Ok(Some(text == "true")),
            Some(other) => Err(self.wrong(key, "the setting must be true or false", other)),
        }
    }

    /// One of these numbers.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidArgument`] for anything else.
    pub fn number(&mut self, key: &'static str, allowed: &[u32]) -> Result<Option<u32>> {
        let Some(value) = self.get(key) else {
            return Ok(None);
        };
        let number = as_u32(value).filter(|number| allowed.contains(number));
        match number {
            Some(number) => Ok(Some(number)),
            None => {
                let list: Vec<String> = allowed.iter().map(u32::to_string).collect();
                let message = format!("the setting must be one of {}", list.join(", "));
                Err(self.wrong(key, message, value))
            }
        }
    }

    /// A number within these bounds.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidArgument`] for anything else.
    pub fn count(&mut self, key: &'static str, allowed: RangeInclusive<u32>) -> Result<Option<u32>> {
        let Some(value) = self.get(key) else {
            return Ok(None);
        };
        match as_u32(value).filter(|number| allowed.contains(number)) {
            Some(number) => Ok(Some(number)),
            None => Err(self.wrong(key, not_within(&allowed), value)),
        }
    }

    /// A table of numbers within these bounds.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidArgument`] for anything else.
    pub fn counts(
        &mut self,
        key: &'static str,
        allowed: RangeInclusive<u32>,
    ) -> Result<BTreeMap<String, u32>> {
        let Some(value) = self.get(key) else {
            return Ok(BTreeMap::new());
        };
        let Value::Object(table) = value else {
            return Err(self.wrong(key, "the setting must be a table of numbers", value));
        };
        table
            .iter()
            .map(
                |(name, value)| match as_u32(value).filter(|number| allowed.contains(number)) {
                    Some(number) => Ok((name.clone(), number)),
                    None => Err(self.wrong(&format!("{key}.{name}"), not_within(&allowed), value)),
                },
            )
            .collect()
    }

    /// One of these words.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidArgument`] for anything else.
    pub fn choice<T: Copy>(&mut self, key: &'static str, choices: &[(&'static str, T)]) -> Result<Option<T>> {
        let Some(value) = self.get(key) else {
            return Ok(None);
        };
        let word = value.as_str().unwrap_or_default();
        match choices.iter().find(|(name, _)| *name == word) {
            Some((_, choice)) => Ok(Some(*choice)),
            None => {
                let names: Vec<&str> = choices.iter().map(|(name, _)| *name).collect();
                let message = match nearest(word, &names) {
                    Some(near) => format!("did you mean `{near}`?"),
                    None => format!("the setting must be one of {}", list(&names)),
                };
                Err(self.wrong(key, message, value))
            }
        }
    }

    /// A table of texts.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidArgument`] for anything else.
    pub fn texts(&mut self, key: &'static str) -> Result<BTreeMap<String, String>> {
        let Some(value) = self.get(key) else {
            return Ok(BTreeMap::new());
        };
        let Value::Object(table) = value else {
            return Err(self.wrong(key, "the setting must be a table of texts", value));
        };
        table
            .iter()
            .map(|(name, value)| match value {
                Value::String(text) if !text.is_empty() => Ok((name.clone(), text.clone())),
                other => Err(self.wrong(
                    &format!("{key}.{name}"),
                    "the setting must be text that is not empty",
                    other,
                )),
            })
            .collect()
    }

    /// A table of anything; null if it is not there.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidArgument`] for anything else.
    pub fn table(&mut self, key: &'static str) -> Result<Value> {
        match self.get(key) {
            None => Ok(Value::Null),
            Some(value @ Value::Object(_)) => Ok(value.clone()),
            Some(other) => Err(self.wrong(key, "the setting must be a table", other)),
        }
    }

    /// Reports a key that nothing asked for.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidArgument`] for such a key, with the one that was probably meant.
    pub fn finish(self) -> Result<()> {
        let Some(key) = self.table.keys().find(|key| !self.known.contains(&key.as_str())) else {
            return Ok(());
        };
        let help = match nearest(key, &self.known) {
            Some(near) => format!("nothing reads this setting; did you mean `{near}`?"),
            None => {
                let mut known = self.known.clone();
                known.sort_unstable();
                format!("nothing reads this setting; there are {}", list(&known))
            }
        };
        Err(Error::new(ErrorKind::InvalidArgument, "deploy.settings", help)
            .with("key", format!("target.{}.{key}", self.target)))
    }
}

/// A number, or a variable of the environment that is one.
fn as_u32(value: &Value) -> Option<u32> {
    let number = match value {
        Value::Number(number) => number.as_u64(),
        Value::String(text) => text.parse().ok(),
        _ => None,
    };
    number.and_then(|number| u32::try_from(number).ok())
}

fn not_within(allowed: &RangeInclusive<u32>) -> String {
    format!(
        "the setting must be a whole number from {} to {}",
        allowed.start(),
        allowed.end()
    )
}

fn list(names: &[&str]) -> String {
    let quoted: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
    quoted.join(", ")
}

/// The known word that was probably meant.
fn nearest<'k>(word: &str, known: &[&'k str]) -> Option<&'k str> {
    let plain = |text: &str| text.to_lowercase().replace('-', "_");
    let word = plain(word);
    // A third of the letters may differ: beyond that a suggestion confuses more than it helps.
    let allowed = (word.chars().count() / 3).clamp(1, 3);
    known
        .iter()
        .map(|candidate| {
            let cut = word.len() >= 3 && candidate.starts_with(&word);
            (if cut { 1 } else { distance(&word, candidate) }, *candidate)
        })
        .filter(|(distance, _)| *distance <= allowed)
        .min()
        .map(|(_, candidate)| candidate)
}

/// How many letters must be added, removed or replaced to get from one to the other.
fn distance(one: &str, other: &str) -> usize {
    let other: Vec<char> = other.chars().collect();
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (line, letter) in one.chars().enumerate() {
        let mut next = vec![line + 1];
        let mut left = line + 1;
        for ((candidate, diagonal), above) in other.iter().zip(&row).zip(row.iter().skip(1)) {
            let replaced = diagonal + usize::from(*candidate != letter);
            left = replaced.min(above + 1).min(left + 1);
            next.push(left);
        }
        row = next;
    }
    row.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn numbers_within_bounds_are_read_and_others_are_told_the_bounds() {
        let settings =
            json!({"many": 3, "few": {"a": 1, "b": "2"}, "wrong": 11, "none": {"a": 0}, "list": []});
        let mut reader = Reader::new("cloud", &settings).unwrap();
        assert_eq!(reader.count("many", 1..=10).unwrap(), Some(3));
        assert_eq!(reader.count("absent", 1..=10).unwrap(), None);
        let few = BTreeMap::from([("a".to_owned(), 1), ("b".to_owned(), 2)]);
        assert_eq!(reader.counts("few", 1..=10).unwrap(), few);
        let error = reader.count("wrong", 1..=10).unwrap_err().to_string();
        assert!(
            error.contains("from 1 to 10") && error.contains("key=target.cloud.wrong"),
            "{error}"
        );
        let error = reader.counts("none", 1..=10).unwrap_err().to_string();
        assert!(error.contains("key=target.cloud.none.a"), "{error}");
        let error = reader.counts("list", 1..=10).unwrap_err().to_string();
        assert!(error.contains("table of numbers"), "{error}");
        reader.finish().unwrap();
    }

    #[test]
    fn a_key_that_nothing_reads_is_told_the_one_that_was_meant() {
        let settings = json!({"regoin": "here"});
        let mut reader = Reader::new("cloud", &settings).unwrap();
        assert_eq!(reader.text("region").unwrap(), None);
        let error = reader.finish().unwrap_err().to_string();
        assert!(error.contains("did you mean `region`?"), "{error}");
    }
}
