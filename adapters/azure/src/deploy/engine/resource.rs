//! Ids of resources: what they are, what of the manifest they are for, and whether they hold data.

use std::collections::BTreeMap;

use nephos_core::plan::Part;
use serde_json::{Map, Value};

use crate::deploy::template::name;

/// Types of what holds data, or is around it; not of logs, which go with the app. A container holds data if it is a bucket's, and a table if it is no list of leases:
/// those are told by name.
const DATA: [&str; 13] = [
    "microsoft.storage/storageaccounts",
    "microsoft.storage/storageaccounts/blobservices",
    "microsoft.storage/storageaccounts/blobservices/containers",
    "microsoft.storage/storageaccounts/queueservices",
    "microsoft.storage/storageaccounts/queueservices/queues",
    "microsoft.documentdb/databaseaccounts",
    "microsoft.documentdb/databaseaccounts/sqldatabases",
    "microsoft.documentdb/databaseaccounts/sqldatabases/containers",
    "microsoft.servicebus/namespaces",
    "microsoft.servicebus/namespaces/queues",
    "microsoft.eventhub/namespaces",
    "microsoft.eventhub/namespaces/eventhubs",
    "microsoft.keyvault/vaults",
];
/// Those of them among which are some of ours and of the host, which hold nothing that is the app's, and are known by their names.
const MIXED: [&str; 3] = [
    "microsoft.storage/storageaccounts/blobservices/containers",
    "microsoft.storage/storageaccounts/queueservices/queues",
    "microsoft.documentdb/databaseaccounts/sqldatabases/containers",
];

/// A resource's id, taken apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Id {
    /// Its type, as it was written.
    pub(super) kind: String,
    /// Its name with those of its parents.
    pub(super) name: String,
    /// The id that its parent has, or what an extension lies upon.
    pub(super) parent: Option<String>,
    place: String,
}

impl Id {
    /// Reads `/subscriptions/…/resourceGroups/…/providers/<namespace>/<type>/<name>…`.
    pub(super) fn read(id: &str) -> Option<Self> {
        let at = id.to_ascii_lowercase().rfind("/providers/")?;
        let (before, rest) = id.split_at(at);
        let mut parts = rest.trim_start_matches("/providers/").split('/');
        let namespace = parts.next()?;
        let rest: Vec<&str> = parts.collect();
        if rest.len() < 2 || !rest.len().is_multiple_of(2) {
            return None;
        }
        let kinds: Vec<&str> = rest.iter().step_by(2).copied().collect();
        let names: Vec<&str> = rest.iter().skip(1).step_by(2).copied().collect();
        let upon_resource = before.to_ascii_lowercase().contains("/providers/");
        let parent = if names.len() > 1 {
            id.rsplitn(3, '/').nth(2).map(str::to_owned)
        } else {
            upon_resource.then(|| before.to_owned())
        };
        Some(Self {
            kind: format!("{namespace}/{}", kinds.join("/")),
            name: names.join("/"),
            parent,
            place: rest_of(namespace, &kinds, &names),
        })
    }

    /// That of a resource of a group, by its type and its name with those of its parents.
    pub(super) fn of(kind: &str, name: &str) -> Option<Self> {
        let (namespace, kinds) = kind.split_once('/')?;
        let pairs = kinds.split('/').zip(name.split('/'));
        let path: Vec<String> = pairs.map(|(kind, name)| format!("{kind}/{name}")).collect();
        Self::read(&format!("/providers/{namespace}/{}", path.join("/")))
    }

    /// What of the manifest it is for; of what lies upon another, what that is for.
    pub(super) fn part(&self, parts: &BTreeMap<String, Part>) -> Part {
        if let Some(part) = parts.get(&self.place) {
            return part.clone();
        }
        let parent = self.parent.as_deref().and_then(Self::read);
        parent.map_or(Part::App, |parent| parent.part(parts))
    }

    /// Whether it holds data of the app, or is around such.
    pub(super) fn holds_data(&self) -> bool {
        holds_data(&self.kind, &self.name)
    }
}

/// The place within a group by which the template knows what a resource is for.
fn rest_of(namespace: &str, kinds: &[&str], names: &[&str]) -> String {
    let pairs = kinds
        .iter()
        .zip(names)
        .map(|(kind, name)| format!("{kind}/{name}"));
    let rest: Vec<String> = pairs.collect();
    format!("{namespace}/{}", rest.join("/")).to_ascii_lowercase()
}

fn holds_data(kind: &str, name: &str) -> bool {
    let kind = kind.to_ascii_lowercase();
    let own = name.rsplit('/').next().unwrap_or_default();
    DATA.contains(&kind.as_str()) && !(MIXED.contains(&kind.as_str()) && name::is_reserved(own))
}

/// The end of an id that people know it by: its type and its name.
pub(super) fn short(id: &str) -> String {
    Id::read(id).map_or_else(|| id.to_owned(), |id| format!("{} {}", id.kind, id.name))
}

/// The template's resources that hold data, or are around them, and nothing else: without outputs, and without what they wait for of the others.
pub(super) fn only_data(template: &Value) -> Value {
    kept(template, |resource| {
        let text = |name: &str| resource.get(name).and_then(Value::as_str).unwrap_or_default();
        holds_data(text("type"), text("name"))
    })
}

/// The former template's resources that hold data and that the new one lacks, with the new one's others.
pub(super) fn with_data_of(new: &Value, former: &Value) -> Value {
    let mut both = new.clone();
    let data = only_data(former);
    let Some(resources) = both.get_mut("resources").and_then(Value::as_object_mut) else {
        return both;
    };
    let place = |resource: &Value| {
        let text = |name: &str| resource.get(name).and_then(Value::as_str).unwrap_or_default();
        (
            text("type").to_ascii_lowercase(),
            text("name").to_ascii_lowercase(),
        )
    };
    let there: Vec<(String, String)> = resources.values().map(place).collect();
    for (id, resource) in data
        .get("resources")
        .and_then(Value::as_object)
        .into_iter()
        .flatten()
    {
        if !there.contains(&place(resource)) {
            resources.entry(id.clone()).or_insert_with(|| resource.clone());
        }
    }
    let ids: Vec<String> = resources.keys().cloned().collect();
    for resource in resources.values_mut() {
        forget(resource, &ids);
    }
    both
}

/// How many resources a template has.
pub(super) fn count(template: &Value) -> usize {
    template
        .get("resources")
        .and_then(Value::as_object)
        .map_or(0, Map::len)
}

fn kept(template: &Value, keep: impl Fn(&Value) -> bool) -> Value {
    let mut template = template.clone();
    let Some(members) = template.as_object_mut() else {
        return template;
    };
    members.remove("outputs");
    let resources = members.remove("resources").unwrap_or_default();
    let mut left: Map<String, Value> = match resources {
        Value::Object(resources) => resources
            .into_iter()
            .filter(|(_, resource)| keep(resource))
            .collect(),
        _ => Map::new(),
    };
    let ids: Vec<String> = left.keys().cloned().collect();
    for resource in left.values_mut() {
        forget(resource, &ids);
    }
    members.insert("resources".to_owned(), left.into());
    template
}

/// Waits no more for what is not there.
fn forget(resource: &mut Value, there: &[String]) {
    if let Some(Value::Array(depends_on)) = resource.get_mut("dependsOn") {
        depends_on.retain(|id| {
            id.as_str()
                .is_some_and(|id| there.iter().any(|there| there == id))
        });
    }
}

#[cfg(test)]
mod tests {
    use nephos_core::resource::ResourceKind;
    use serde_json::json;

    use super::*;

    const GROUP: &str = "/subscriptions/s/resourceGroups/g";

    #[test]
    fn an_id_tells_type_name_parent_and_what_it_is_for() {
        let id = format!(
            "{GROUP}/providers/Microsoft.Storage/storageAccounts/acct/queueServices/default/queues/Jobs"
        );
        let read = Id::read(&id).unwrap();
        assert_eq!(
            read.kind,
            "Microsoft.Storage/storageAccounts/queueServices/queues"
        );
        assert_eq!(read.name, "acct/default/Jobs");
        assert_eq!(
            read.parent.as_deref(),
            Some(
                "/subscriptions/s/resourceGroups/g/providers/Microsoft.Storage/storageAccounts/acct/queueServices/default"
            )
        );
        let part = Part::Resource {
            kind: ResourceKind::Queue,
            name: "jobs".to_owned(),
        };
        let parts = BTreeMap::from([(
            "microsoft.storage/storageaccounts/acct/queueservices/default/queues/jobs".to_owned(),
            part.clone(),
        )]);
        assert_eq!(read.part(&parts), part);
        let role = Id::read(&format!(
            "{id}/providers/Microsoft.Authorization/roleAssignments/1"
        ))
        .unwrap();
        assert_eq!(role.kind, "Microsoft.Authorization/roleAssignments");
        assert_eq!(role.part(&parts), part.clone());
        assert_eq!(Id::read("/subscriptions/s/resourceGroups/g"), None);
        let queue = Id::of(
            "Microsoft.Storage/storageAccounts/queueServices/queues",
            "acct/default/Jobs",
        )
        .unwrap();
        assert_eq!(
            (queue.name.as_str(), queue.part(&parts)),
            ("acct/default/Jobs", part)
        );
    }

    #[test]
    fn what_holds_data_is_told_from_what_only_helps() {
        for (kind, name, holds) in [
            ("Microsoft.Storage/storageAccounts", "acct", true),
            (
                "Microsoft.Storage/storageAccounts/blobServices/containers",
                "acct/default/snapshots",
                true,
            ),
            (
                "Microsoft.Storage/storageAccounts/blobServices/containers",
                "acct/default/nephos-code-f",
                false,
            ),
            (
                "Microsoft.Storage/storageAccounts/blobServices/containers",
                "acct/default/azure-webjobs-hosts",
                false,
            ),
            (
                "Microsoft.Storage/storageAccounts/queueServices/queues",
                "acct/default/jobs-poison",
                true,
            ),
            (
                "Microsoft.Storage/storageAccounts/queueServices/queues",
                "acct/default/nephos-in-f-1-poison",
                false,
            ),
            (
                "Microsoft.DocumentDB/databaseAccounts/sqlDatabases/containers",
                "a/db/nephos-leases",
                false,
            ),
            ("Microsoft.KeyVault/vaults", "nephos-vault", true),
            ("Microsoft.ServiceBus/namespaces/queues", "ns/nephos-jobs", true),
            ("Microsoft.Web/sites", "f", false),
            ("Microsoft.OperationalInsights/workspaces", "logs", false),
        ] {
            assert_eq!(holds_data(kind, name), holds, "{kind} {name}");
        }
    }

    #[test]
    fn what_is_left_of_a_template_waits_for_nothing_that_is_gone() {
        let template = json!({
            "outputs": {"x": 1},
            "resources": {
                "Storage": {"type": "Microsoft.Storage/storageAccounts", "name": "a"},
                "Jobs": {"type": "Microsoft.Storage/storageAccounts/queueServices/queues", "name": "a/default/jobs", "dependsOn": ["Storage", "Site"]},
                "Site": {"type": "Microsoft.Web/sites", "name": "f"},
            },
        });
        let left = only_data(&template);
        assert_eq!(left["resources"]["Jobs"]["dependsOn"], json!(["Storage"]));
        assert_eq!((left.get("outputs"), left["resources"].get("Site")), (None, None));
        let new = json!({"resources": {"Storage": {"type": "Microsoft.Storage/storageAccounts", "name": "A"}, "Other": {"type": "Microsoft.Web/sites", "name": "g"}}});
        let both = with_data_of(&new, &template);
        let ids: Vec<&String> = both["resources"].as_object().unwrap().keys().collect();
        assert_eq!(ids, ["Jobs", "Other", "Storage"]);
    }
}
