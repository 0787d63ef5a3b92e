//! Wiring: what deployment tells a function's process of the function's resources and triggers. Written on the deploy side, read by the host, in one form
//! for all targets; an adapter adds the provider's names.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::app::{App, Resource, Retry, Trigger};
use crate::resource::{Binding, ResourceKind};
use crate::route::RouteSpec;
use crate::{Error, ErrorKind, Result};

/// The property of a [`Binding`] with the resource's own name at the provider.
pub const PHYSICAL: &str = "physical";

/// A table's key attributes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TableKeys {
    /// The partition key.
    pub key: String,
    /// The sort key, if the table has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sort: Option<String>,
}

/// What deployment tells of one function. A field that a target's provider tells in another way, or that its host does not ask for, is left empty there.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Wiring {
    /// What the function uses, each with the provider's name in the property [`PHYSICAL`].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub bindings: Vec<Binding>,
    /// The manifest's names of what the function's triggers watch, by the provider's names.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub sources: BTreeMap<String, String>,
    /// The key attributes of the tables that the function's triggers watch, by the table's name in the manifest.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub table_keys: BTreeMap<String, TableKeys>,
    /// The function's own routes, where nothing before it has matched them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub routes: Vec<RouteSpec>,
    /// The provider's name of the function's dead-letter queue.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dead_letter: Option<String>,
    /// How long one invocation may take, where the provider does not tell.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout: Option<Duration>,
    /// How often an event is tried, where the host counts itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry: Option<Retry>,
}

impl Wiring {
    /// The manifest's name of what the provider calls `physical`; of what deployment did not name, the last part of its own name.
    #[must_use]
    pub fn source<'a>(&'a self, physical: &'a str) -> &'a str {
        source(&self.sources, physical)
    }

    /// The key attributes of the tables that the function watches or uses.
    #[must_use]
    pub fn keys(&self) -> BTreeMap<String, TableKeys> {
        let used = (self.bindings.iter())
            .filter_map(|binding| Some((binding.name.clone(), keys_of_binding(binding)?)));
        used.chain(self.table_keys.clone()).collect()
    }

    /// The key attributes of one table that the function watches or uses.
    #[must_use]
    pub fn keys_of(&self, table: &str) -> Option<TableKeys> {
        if let Some(keys) = self.table_keys.get(table) {
            return Some(keys.clone());
        }
        let bindings = self.bindings.iter().filter(|binding| binding.name == table);
        bindings.filter_map(keys_of_binding).next_back()
    }
}

fn keys_of_binding(binding: &Binding) -> Option<TableKeys> {
    Some(TableKeys {
        key: binding.properties.get("key")?.clone(),
        sort: binding.properties.get("sort").cloned(),
    })
}

/// As [`Wiring::source`], of sources alone.
#[must_use]
pub fn source<'a>(sources: &'a BTreeMap<String, String>, physical: &'a str) -> &'a str {
    match sources.get(physical) {
        Some(name) => name,
        None => physical.rsplit([':', '/']).next().unwrap_or(physical),
    }
}

/// The provider's name of a binding's resource.
///
/// # Errors
/// [`ErrorKind::InvalidArgument`] if the binding lacks it: the function was not deployed by this version.
pub fn physical(binding: &Binding) -> Result<&str> {
    binding
        .properties
        .get(PHYSICAL)
        .map(String::as_str)
        .ok_or_else(|| {
            Error::new(
                ErrorKind::InvalidArgument,
                "resource.open",
                "the binding does not say what the provider calls the resource; deploy the function again",
            )
            .with("resource", &binding.name)
            .with("property", PHYSICAL)
        })
}

impl App {
    /// All that every target knows of a function's wiring: bindings, keys of watched tables, routes, time-out and tries. The adapter adds the
    /// provider's names, and takes away what its provider tells in another way. `None` for a function that the app does not have.
    ///
    /// The secret with an outside bucket's credentials is among the bindings, without any access unless the function may read it: the bucket's driver needs
    /// its name.
    #[must_use]
    pub fn wiring(&self, function: &str) -> Option<Wiring> {
        let spec = self.functions.get(function)?;
        let mut bindings = self.bindings(function);
        let credentials: Vec<Binding> = bindings
            .iter()
            .filter(|binding| binding.kind == ResourceKind::Bucket)
            .filter_map(|binding| binding.properties.get("credentials"))
            .filter_map(|name| self.binding(name, [].into()))
            .collect();
        for binding in credentials {
            if bindings.iter().all(|other| other.name != binding.name) {
                bindings.push(binding);
            }
        }
        let mut wiring = Wiring {
            bindings,
            timeout: Some(spec.timeout),
            retry: Some(spec.retry.clone()),
            ..Wiring::default()
        };
        for trigger in &spec.on {
            match trigger {
                Trigger::Http { method, path } => wiring.routes.push(RouteSpec {
                    method: method.clone(),
                    path: path.clone(),
                }),
                // Of the tables that the function uses, the bindings have the keys.
                Trigger::Table { table, .. } if !spec.uses.contains_key(table) => {
                    if let Some(Resource::Table(watched)) = self.resources.get(table) {
                        let keys = TableKeys {
                            key: watched.schema.key.clone(),
                            sort: watched.schema.sort.clone(),
                        };
                        wiring.table_keys.insert(table.clone(), keys);
                    }
                }
                _ => {}
            }
        }
        Some(wiring)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn app() -> App {
        serde_json::from_value(json!({
            "name": "shop",
            "resources": {
                "archive": {"kind": "bucket", "url": "store://evidence", "credentials": "keys"},
                "orders": {"kind": "table", "key": "id", "sort": "at"},
                "faces": {"kind": "table", "key": "face_id"},
                "keys": {"kind": "secret"},
            },
            "functions": {"f": {
                "memory": 1, "timeout": {"secs": 30, "nanos": 0}, "env": {}, "dead_letter": "letters",
                "on": [
                    {"kind": "http", "method": "GET", "path": "/orders/{id}"},
                    {"kind": "table", "table": "orders", "events": ["inserted"], "batch": 1},
                    {"kind": "table", "table": "faces", "events": ["inserted"], "batch": 1},
                ],
                "uses": {"archive": ["write"], "orders": ["read"]},
                "retry": Retry::default(), "concurrency": 1, "max_instances": 1, "isolation": "process",
            }},
        }))
        .unwrap()
    }

    #[test]
    fn a_function_is_told_all_that_every_target_knows_of_it() {
        let wiring = app().wiring("f").unwrap();
        let names: Vec<&str> = wiring
            .bindings
            .iter()
            .map(|binding| binding.name.as_str())
            .collect();
        assert_eq!(names, ["archive", "orders", "keys"]);
        assert!(
            wiring.bindings[2].access.is_empty(),
            "the driver reads it, the function may not"
        );
        assert_eq!(wiring.routes[0].path, "/orders/{id}");
        assert_eq!(wiring.timeout, Some(Duration::from_secs(30)));
        let keys: Vec<String> = wiring.table_keys.keys().cloned().collect();
        assert_eq!(keys, ["faces"], "of used tables the bindings have them");
        let keys = wiring.keys();
        assert_eq!(
            (keys["orders"].key.as_str(), keys["orders"].sort.as_deref()),
            ("id", Some("at"))
        );
        assert_eq!(keys["faces"].key, "face_id");
        assert_eq!(app().wiring("stranger"), None);
    }

    #[test]
    fn what_is_written_is_read_again() {
        let wiring = app().wiring("f").unwrap();
        let text = serde_json::to_string(&wiring).unwrap();
        assert_eq!(serde_json::from_str::<Wiring>(&text).unwrap(), wiring);
        assert_eq!(serde_json::to_string(&Wiring::default()).unwrap(), "{}");
    }

    #[test]
    fn sources_have_the_manifests_names_where_deployment_gave_them() {
        let queue = "urn:queue:shop-jobs-1X2Y";
        let wiring = Wiring {
            sources: [(queue.to_owned(), "jobs".to_owned())].into(),
            ..Wiring::default()
        };
        assert_eq!(wiring.source(queue), "jobs");
        assert_eq!(wiring.source("urn:queue:other"), "other");
        assert_eq!(wiring.source("a-bucket"), "a-bucket");
    }

    #[test]
    fn a_binding_without_the_providers_name_says_what_to_do() {
        let binding = app().binding("orders", [].into()).unwrap();
        let error = physical(&binding).unwrap_err();
        assert!(error.to_string().contains("deploy the function again"), "{error}");
    }
}
