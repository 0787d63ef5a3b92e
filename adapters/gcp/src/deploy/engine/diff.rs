//! Which fields of a resource are not as they are to be. Only what the graph names is looked at: what Google fills in, or tells of itself, is none of ours.

use std::collections::BTreeSet;

use nephos_core::plan::Action;
use serde_json::{Map, Value};

use super::kinds::{self, Change};
use crate::deploy::graph::Kind;

/// How many of the fields that differ are named.
const NAMED: usize = 4;

/// What a resource is in the project whose id and number these are: services tell names with one or the other.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ids<'a> {
    pub(super) project: &'a str,
    pub(super) number: &'a str,
}

/// What differs.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Differences {
    /// The fields at the top, which a change names.
    pub(super) fields: BTreeSet<String>,
    /// The paths, for people.
    paths: BTreeSet<String>,
}

impl Differences {
    pub(super) fn is_empty(&self) -> bool {
        self.fields.is_empty()
    }

    /// Whether it is changed where it is, or made again.
    pub(super) fn action(&self, kind: Kind) -> Action {
        if self.fixed(kind).is_some() || kinds::of(kind).change == Change::Never {
            Action::Replace
        } else {
            Action::Update
        }
    }

    /// A field that stays as it was made.
    pub(super) fn fixed(&self, kind: Kind) -> Option<&str> {
        let fixed = kinds::of(kind).fixed;
        self.fields
            .iter()
            .map(String::as_str)
            .find(|field| fixed.contains(field))
    }

    /// The same with a field that is sent again, though it is as it is to be.
    pub(super) fn again(mut self, field: &str) -> Self {
        self.fields.insert(field.to_owned());
        self.paths.insert(format!("{field} (it does not work)"));
        self
    }

    /// Which fields, in a few words.
    pub(super) fn why(&self) -> Option<String> {
        let mut named: Vec<&str> = self.paths.iter().take(NAMED).map(String::as_str).collect();
        let more = format!("{} more", self.paths.len().saturating_sub(NAMED));
        if self.paths.len() > NAMED {
            named.push(&more);
        }
        (!named.is_empty()).then(|| named.join(", "))
    }
}

/// What differs between what is wanted and what is there.
pub(super) fn between(kind: Kind, wanted: &Value, actual: &Value, ids: Ids<'_>) -> Differences {
    let mut differences = Differences::default();
    for (field, wanted) in wanted.as_object().into_iter().flatten() {
        let actual = actual.get(field).unwrap_or(&Value::Null);
        let mut paths = BTreeSet::new();
        // A field's time to live is on if it is there, whatever it says.
        if kind == Kind::Field {
            if wanted.is_null() != actual.is_null() {
                paths.insert(field.clone());
            }
        } else {
            compare(field, wanted, actual, ids, &mut paths);
        }
        if !paths.is_empty() {
            differences.fields.insert(field.clone());
            differences.paths.extend(paths);
        }
    }
    differences
}

/// The part of what is there that the graph names, by which a change by somebody else is found.
pub(super) fn named(wanted: &Value, actual: &Value) -> Value {
    match (wanted, actual) {
        (Value::Object(wanted), Value::Object(actual)) => wanted
            .iter()
            .filter_map(|(name, wanted)| Some((name.clone(), named(wanted, actual.get(name)?))))
            .collect::<Map<_, _>>()
            .into(),
        _ => actual.clone(),
    }
}

fn compare(path: &str, wanted: &Value, actual: &Value, ids: Ids<'_>, paths: &mut BTreeSet<String>) {
    match (wanted, actual) {
        (Value::Object(wanted), Value::Object(_) | Value::Null) => {
            for (name, wanted) in wanted {
                let actual = actual.get(name).unwrap_or(&Value::Null);
                compare(&format!("{path}.{name}"), wanted, actual, ids, paths);
            }
        }
        (Value::Array(wanted), Value::Array(actual)) if wanted.len() == actual.len() => {
            if is_unordered(path) {
                let is_there = |one: &&Value| !actual.iter().any(|other| are_same(path, one, other, ids));
                if wanted.iter().any(|one| is_there(&one)) {
                    paths.insert(path.to_owned());
                }
                return;
            }
            for (wanted, actual) in wanted.iter().zip(actual) {
                // A list is written as a whole, so its items have no places for people; what is named has its name.
                let at = wanted.get("name").and_then(Value::as_str);
                let at = at.map_or_else(|| path.to_owned(), |name| format!("{path}.{name}"));
                compare(&at, wanted, actual, ids, paths);
            }
        }
        _ if is_same(path, wanted, actual, ids) => {}
        _ => {
            paths.insert(path.to_owned());
        }
    }
}

fn are_same(path: &str, wanted: &Value, actual: &Value, ids: Ids<'_>) -> bool {
    let mut paths = BTreeSet::new();
    compare(path, wanted, actual, ids, &mut paths);
    paths.is_empty()
}

/// Lists that services tell in an order of their own.
fn is_unordered(path: &str) -> bool {
    matches!(path, "eventFilters" | "event_types")
}

/// Whether two values mean the same: of what is empty or zero the JSON of Google's interfaces leaves the field out.
fn is_same(path: &str, wanted: &Value, actual: &Value, ids: Ids<'_>) -> bool {
    if wanted == actual || (is_nothing(wanted) && is_nothing(actual)) {
        return true;
    }
    match (wanted, actual) {
        (Value::String(wanted), Value::String(actual)) => {
            let with_id = |text: &str| {
                let number = format!("projects/{}/", ids.number);
                text.replace(&number, &format!("projects/{}/", ids.project))
            };
            with_id(wanted) == with_id(actual)
                || (is_enumeration(path) && wanted.eq_ignore_ascii_case(actual))
                || same_amount(wanted, actual)
        }
        // 64-bit numbers are text: <https://protobuf.dev/programming-guides/json/>.
        (Value::Number(number), Value::String(text)) | (Value::String(text), Value::Number(number)) => {
            number.to_string() == *text
        }
        _ => false,
    }
}

/// What Cloud Storage tells in capitals.
fn is_enumeration(path: &str) -> bool {
    matches!(path, "location" | "storageClass")
}

fn is_nothing(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(false) => true,
        Value::Number(number) => number.as_f64() == Some(0.0),
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Object(fields) => fields.is_empty(),
        Value::Bool(true) => false,
    }
}

/// Durations (`60s`, `60.000s`) and amounts of processors (`1`, `1000m`).
fn same_amount(one: &str, other: &str) -> bool {
    let number = |text: &str| {
        let (text, unit) = match (text.strip_suffix('s'), text.strip_suffix('m')) {
            (Some(seconds), _) => (seconds, 1.0),
            (_, Some(parts)) => (parts, 0.001),
            _ => (text, 1.0),
        };
        text.parse::<f64>().ok().map(|number| number * unit)
    };
    let same_unit = one.ends_with('s') == other.ends_with('s');
    matches!((number(one), number(other)), (Some(one), Some(other)) if same_unit && (one - other).abs() < 1e-9)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const IDS: Ids<'_> = Ids {
        project: "p",
        number: "123",
    };

    fn why(kind: Kind, wanted: &Value, actual: &Value) -> Option<String> {
        between(kind, wanted, actual, IDS).why()
    }

    #[test]
    fn what_google_fills_in_or_writes_otherwise_is_no_difference() {
        let wanted = json!({
            "labels": {"a": "b"}, "description": "", "invokerIamDisabled": false, "defaultUriDisabled": null,
            "template": {"timeout": "60s", "containers": [{
                "image": "i", "env": [{"name": "A", "value": ""}], "resources": {"limits": {"cpu": "1", "memory": "512Mi"}},
            }]},
            "secret": "projects/p/secrets/s", "count": "5",
        });
        let actual = json!({
            "labels": {"a": "b", "of-others": "x"}, "uid": "u", "etag": "\"e\"", "createTime": "2026-11-28T00:00:00Z",
            "template": {"timeout": "60.000s", "serviceAccount": "x", "containers": [{
                "image": "i", "ports": [{"containerPort": 8080}], "env": [{"name": "A"}], "resources": {"cpuIdle": true, "limits": {"cpu": "1000m", "memory": "512Mi"}},
            }]},
            "secret": "projects/123/secrets/s", "count": 5,
        });
        assert_eq!(why(Kind::Service, &wanted, &actual), None);
        assert_eq!(
            why(
                Kind::Bucket,
                &json!({"location": "europe-west1"}),
                &json!({"location": "EUROPE-WEST1"})
            ),
            None
        );
        let filters = |order: [usize; 2]| {
            let both = [
                json!({"attribute": "type", "value": "t"}),
                json!({"attribute": "database", "value": "d"}),
            ];
            json!({"eventFilters": order.map(|index| both[index].clone())})
        };
        assert_eq!(why(Kind::Trigger, &filters([0, 1]), &filters([1, 0])), None);
    }

    #[test]
    fn what_differs_is_named_by_its_path() {
        let wanted = json!({"template": {"containers": [{"image": "new", "env": [{"name": "A", "value": "1"}, {"name": "B", "value": "2"}]}]}});
        let actual = json!({"template": {"containers": [{"image": "old", "env": [{"name": "A", "value": "0"}, {"name": "B", "value": "2"}]}]}});
        assert_eq!(
            why(Kind::Service, &wanted, &actual).unwrap(),
            "template.containers.env.A.value, template.containers.image"
        );
        let differences = between(Kind::Service, &wanted, &actual, IDS);
        assert_eq!(differences.fields, BTreeSet::from(["template".to_owned()]));
        assert_eq!(differences.action(Kind::Service), Action::Update);
        // An entry that is gone, and a field that is to be gone.
        let fewer = json!({"template": {"containers": [{"env": []}]}, "description": null});
        let more =
            json!({"template": {"containers": [{"env": [{"name": "A"}]}]}, "description": "of others"});
        assert_eq!(
            why(Kind::Service, &fewer, &more).unwrap(),
            "description, template.containers.env"
        );
        let many: Value = (0..6)
            .map(|number| (number.to_string(), json!(1)))
            .collect::<Map<_, _>>()
            .into();
        assert_eq!(why(Kind::Job, &many, &json!({})).unwrap(), "0, 1, 2, 3, 2 more");
    }

    #[test]
    fn what_stays_as_it_was_made_is_made_again() {
        let (wanted, actual) = (
            json!({"topic": "projects/p/topics/a"}),
            json!({"topic": "projects/p/topics/b"}),
        );
        let differences = between(Kind::Subscription, &wanted, &actual, IDS);
        assert_eq!(differences.action(Kind::Subscription), Action::Replace);
        assert_eq!(differences.fixed(Kind::Subscription), Some("topic"));
        let notification = between(
            Kind::Notification,
            &json!({"event_types": ["A"]}),
            &json!({}),
            IDS,
        );
        assert_eq!(notification.action(Kind::Notification), Action::Replace);
    }

    #[test]
    fn a_time_to_live_is_there_or_not() {
        let wanted = json!({"ttlConfig": {}});
        assert!(
            between(
                Kind::Field,
                &wanted,
                &json!({"ttlConfig": {"state": "ACTIVE"}}),
                IDS
            )
            .is_empty()
        );
        assert!(!between(Kind::Field, &wanted, &json!({"name": "n"}), IDS).is_empty());
    }

    #[test]
    fn amounts_are_the_same_only_of_one_unit() {
        assert!(same_amount("60s", "60.0s") && same_amount("2", "2000m") && same_amount("0.5", "500m"));
        assert!(!same_amount("60s", "60") && !same_amount("1", "2") && !same_amount("512Mi", "512Mj"));
    }

    #[test]
    fn of_what_is_there_only_what_is_ours_is_looked_at() {
        assert_eq!(
            named(
                &json!({"a": {"b": 1}, "c": null}),
                &json!({"a": {"b": 2, "x": 3}, "y": 4})
            ),
            json!({"a": {"b": 2}})
        );
    }
}
