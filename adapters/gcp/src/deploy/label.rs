//! The marks by which what deployment made is found again, and known for ours: labels where a resource takes labels, one line of its description where it takes none.
//!
//! A notification of a bucket has the labels as its attributes. A database and its fields have no mark: they are known by their names.

use std::collections::BTreeMap;

use nephos_core::deploy::name::short_hash;
use nephos_core::plan::Part;
use nephos_core::resource::ResourceKind;
use serde_json::Value;

/// The labels' names: the marks of all targets, in the form that labels take.
pub const APP: &str = "nephos-app";
/// See [`APP`].
pub const TARGET: &str = "nephos-target";
/// See [`APP`].
pub const NAME: &str = "nephos-name";
/// See [`APP`].
pub const KIND: &str = "nephos-kind";

/// What a description begins with.
const WORD: &str = "nephos";
/// The longest value of a label: <https://cloud.google.com/resource-manager/docs/labels-overview#requirements>.
const MAX_VALUE: usize = 63;
/// The kinds of what is no resource of the manifest.
const FUNCTION: &str = "function";
const WHOLE: &str = "app";

/// Whose something is, and what of the manifest it is for. All are values of labels.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Mark {
    /// The app.
    pub app: String,
    /// The target.
    pub target: String,
    /// The name in the manifest; of what is for the app as a whole, the app's.
    pub name: String,
    /// `function`, a resource's kind, or `app`.
    pub kind: String,
}

impl Mark {
    /// The mark of a part of an app.
    #[must_use]
    pub fn of(app: &str, target: &str, part: &Part) -> Self {
        let (kind, name) = match part {
            Part::App => (WHOLE, app),
            Part::Function { name } => (FUNCTION, name.as_str()),
            Part::Resource { kind, name } => (kind.name(), name.as_str()),
        };
        Self {
            app: value(app),
            target: value(target),
            name: value(name),
            kind: kind.to_owned(),
        }
    }

    /// Whether it is of this app on this target.
    #[must_use]
    pub fn is_of(&self, app: &str, target: &str) -> bool {
        self.app == value(app) && self.target == value(target)
    }

    /// What of the manifest it is for.
    #[must_use]
    pub fn part(&self) -> Part {
        let name = self.name.clone();
        match ResourceKind::ALL
            .into_iter()
            .find(|kind| kind.name() == self.kind)
        {
            Some(kind) => Part::Resource { kind, name },
            None if self.kind == FUNCTION => Part::Function { name },
            None => Part::App,
        }
    }

    /// As labels.
    #[must_use]
    pub fn labels(&self) -> BTreeMap<String, String> {
        [
            (APP, &self.app),
            (TARGET, &self.target),
            (NAME, &self.name),
            (KIND, &self.kind),
        ]
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value.clone()))
        .collect()
    }

    /// The mark among a resource's labels, if they are ours.
    #[must_use]
    pub fn of_labels(labels: &Value) -> Option<Self> {
        Self::read(|name| labels.get(name)?.as_str())
    }

    /// As a description.
    #[must_use]
    pub fn description(&self) -> String {
        format!(
            "{WORD} app={} target={} name={} kind={}",
            self.app, self.target, self.name, self.kind
        )
    }

    /// The mark that a description is.
    #[must_use]
    pub fn of_description(text: &str) -> Option<Self> {
        let mut words = text.split(' ');
        if words.next() != Some(WORD) {
            return None;
        }
        let words: Vec<(&str, &str)> = words.filter_map(|word| word.split_once('=')).collect();
        Self::read(|label| {
            let name = label.strip_prefix("nephos-")?;
            words
                .iter()
                .find(|(word, _)| *word == name)
                .map(|(_, value)| *value)
        })
    }

    fn read<'a>(get: impl Fn(&str) -> Option<&'a str>) -> Option<Self> {
        let text = |name| get(name).map(str::to_owned);
        Some(Self {
            app: text(APP)?,
            target: text(TARGET)?,
            name: text(NAME)?,
            kind: text(KIND)?,
        })
    }
}

/// The filter of a list (<https://google.aip.dev/160>) by which an interface gives only what is of this app on this target.
#[must_use]
pub fn filter(app: &str, target: &str) -> String {
    format!(
        "labels.{APP}={} AND labels.{TARGET}={}",
        value(app),
        value(target)
    )
}

/// A name as the value of a label: lower-case letters, digits, hyphens and underscores. What is none is cut, and told apart by a hash.
#[must_use]
pub fn value(name: &str) -> String {
    let is_taken =
        |letter: &char| letter.is_ascii_lowercase() || letter.is_ascii_digit() || "-_".contains(*letter);
    if name.len() <= MAX_VALUE && name.chars().all(|letter| is_taken(&letter)) {
        return name.to_owned();
    }
    let hash = short_hash(&[name]);
    let kept: String = (name.chars())
        .map(|letter| letter.to_ascii_lowercase())
        .filter(is_taken)
        .take(MAX_VALUE - hash.len() - 1)
        .collect();
    format!("{kept}-{hash}")
}

#[cfg(test)]
mod tests {
    use nephos_core::deploy::mark;
    use serde_json::json;

    use super::*;

    fn parts() -> Vec<Part> {
        let name = || "jobs".to_owned();
        let mut parts = vec![Part::App, Part::Function { name: name() }];
        parts.extend(ResourceKind::ALL.map(|kind| Part::Resource { kind, name: name() }));
        parts
    }

    #[test]
    fn labels_are_the_marks_of_all_targets_in_the_form_that_google_takes() {
        for (label, mark) in [
            (APP, mark::APP),
            (TARGET, mark::TARGET),
            (NAME, mark::NAME),
            (KIND, mark::KIND),
        ] {
            assert_eq!(label, mark.replace(':', "-"));
        }
    }

    #[test]
    fn what_is_written_as_labels_or_as_a_description_is_read_again() {
        for part in parts() {
            let mark = Mark::of("shop", "gcp", &part);
            assert_eq!(mark.part(), part);
            assert_eq!(Mark::of_labels(&json!(mark.labels())), Some(mark.clone()));
            assert_eq!(Mark::of_description(&mark.description()), Some(mark.clone()));
            assert!(mark.is_of("shop", "gcp") && !mark.is_of("shop", "other") && !mark.is_of("shops", "gcp"));
        }
        let mark = Mark::of("shop", "gcp", &parts()[1]);
        assert_eq!(
            mark.description(),
            "nephos app=shop target=gcp name=jobs kind=function"
        );
    }

    #[test]
    fn what_is_of_others_has_no_mark() {
        assert_eq!(Mark::of_labels(&json!({"nephos-app": "shop"})), None);
        assert_eq!(Mark::of_labels(&Value::Null), None);
        for text in [
            "",
            "calls the shop",
            "nephos app=shop target=gcp",
            "x nephos app=a target=b name=c kind=d",
        ] {
            assert_eq!(Mark::of_description(text), None, "{text}");
        }
    }

    #[test]
    fn values_are_short_plain_and_never_shared() {
        assert_eq!(value("face-gate"), "face-gate");
        let names = [
            "Shop",
            "shop.x",
            "shopx",
            &"x".repeat(63),
            &"x".repeat(64),
            &"x".repeat(65),
        ];
        let mut values: Vec<String> = names.map(value).to_vec();
        assert!(values.iter().all(|value| value.len() <= MAX_VALUE));
        assert!(values.iter().all(|value| {
            value
                .bytes()
                .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
        }));
        values.sort_unstable();
        values.dedup();
        assert_eq!(values.len(), names.len());
    }
}
