//! Databases of Firestore, and the settings of their fields: <https://cloud.google.com/firestore/docs/reference/rest/v1/projects.databases>. Documents do not go through here.

use serde_json::{Map, Value, json};

use super::error::{Code, Outcome, Refusal};
use super::kinds::{DATABASE, FIELD};
use super::knobs::Deed;
use super::operation::Operation;
use super::request::Asked;
use super::state::{Resource, Shared, State, fields, now};
use super::{list, mask, resource};

/// Locations that are more than one region: <https://cloud.google.com/firestore/docs/locations#location-mr>.
const MULTI: &[&str] = &["nam5", "nam7", "eur3"];

/// What cannot change once the database is there, though its descriptions do not begin so.
const FIXED: &[&str] = &["locationId", "type", "databaseEdition"];

/// The names of enumerations, by their numbers from 1, which Google's generated clients send:
/// <https://github.com/googleapis/googleapis/blob/master/google/firestore/admin/v1/database.proto>.
const NUMBERED: &[(&str, &[&str])] = &[
    ("type", &["FIRESTORE_NATIVE", "DATASTORE_MODE"]),
    (
        "concurrencyMode",
        &["OPTIMISTIC", "PESSIMISTIC", "OPTIMISTIC_WITH_ENTITY_GROUPS"],
    ),
    (
        "deleteProtectionState",
        &["DELETE_PROTECTION_DISABLED", "DELETE_PROTECTION_ENABLED"],
    ),
    (
        "pointInTimeRecoveryEnablement",
        &[
            "POINT_IN_TIME_RECOVERY_ENABLED",
            "POINT_IN_TIME_RECOVERY_DISABLED",
        ],
    ),
    ("appEngineIntegrationMode", &["ENABLED", "DISABLED"]),
    ("databaseEdition", &["STANDARD", "ENTERPRISE"]),
    (
        "realtimeUpdatesMode",
        &["REALTIME_UPDATES_MODE_ENABLED", "REALTIME_UPDATES_MODE_DISABLED"],
    ),
];

/// The days and hours that older versions of documents are kept: <https://cloud.google.com/firestore/docs/pitr>.
const KEPT: [&str; 2] = ["3600s", "604800s"];

/// Stands for all collections, and with the field `*` for the settings that fields have which have none of their own.
const DEFAULT: &str = "__default__";

/// How a field is indexed that nothing was said of.
fn inherited(database: &str, path: &str) -> Value {
    let indexes: Vec<Value> = [
        ("order", "ASCENDING"),
        ("order", "DESCENDING"),
        ("arrayConfig", "CONTAINS"),
    ]
    .into_iter()
    .map(|(what, value)| {
        json!({
            "queryScope": "COLLECTION",
            "fields": [{"fieldPath": path, what: value}],
            "state": "READY",
        })
    })
    .collect();
    json!({
        "ancestorField": format!("{database}/collectionGroups/{DEFAULT}/fields/*"),
        "usesAncestorConfig": true,
        "indexes": indexes,
    })
}

/// What a database becomes when it is made or changed.
pub(super) fn prepare(shared: &Shared, body: &mut Map<String, Value>, former: Option<&Value>) -> Outcome<()> {
    // They are bound to the resource, and told by another interface.
    body.remove("tags");
    for (field, names) in NUMBERED {
        let number = body.get(*field).and_then(Value::as_u64);
        let name = number.and_then(|number| names.get(usize::try_from(number).ok()?.checked_sub(1)?));
        match (number, name) {
            (Some(_), Some(name)) => drop(body.insert((*field).to_owned(), (*name).into())),
            (Some(0), None) => drop(body.remove(*field)),
            (Some(_), None) => {
                return Err(Refusal::field(
                    &format!("database.{field}"),
                    "it has no such value",
                ));
            }
            (None, _) => {}
        }
    }
    let text = |body: &Map<String, Value>, field: &str| {
        let value = body.get(field).and_then(Value::as_str);
        value.unwrap_or_default().to_owned()
    };
    if let Some(former) = former
        && let Some(field) = FIXED.iter().find(|field| body.get(**field) != former.get(field))
    {
        let what = "it cannot change once the database is there";
        return Err(Refusal::field(&format!("database.{field}"), what));
    }
    let location = text(body, "locationId");
    let is_known = MULTI.contains(&location.as_str()) || shared.options.regions.contains(&location);
    if !is_known {
        let what = format!("`{location}` is no location of this project");
        return Err(Refusal::field("database.location_id", &what));
    }
    if text(body, "type") == "DATABASE_TYPE_UNSPECIFIED" {
        return Err(Refusal::field("database.type", "it is required"));
    }
    for (field, value) in [
        ("databaseEdition", "STANDARD"),
        ("concurrencyMode", "PESSIMISTIC"),
        ("appEngineIntegrationMode", "DISABLED"),
        ("deleteProtectionState", "DELETE_PROTECTION_DISABLED"),
        ("pointInTimeRecoveryEnablement", "POINT_IN_TIME_RECOVERY_DISABLED"),
        ("realtimeUpdatesMode", "REALTIME_UPDATES_MODE_ENABLED"),
    ] {
        let value = Value::from(value);
        let given = body.entry(field).or_insert_with(|| value.clone());
        // What is unspecified is as if it were not there.
        if given.as_str().is_some_and(|text| text.ends_with("_UNSPECIFIED")) {
            *given = value;
        }
    }
    if former.is_none() {
        body.insert("earliestVersionTime".to_owned(), now().into());
    }
    let is_enterprise = text(body, "databaseEdition") == "ENTERPRISE";
    if is_enterprise && text(body, "name").ends_with("/(default)") {
        let what = "(default) is an id of the standard edition alone";
        return Err(Refusal::field("database_id", what));
    }
    let [hour, week] = KEPT;
    let recovers = text(body, "pointInTimeRecoveryEnablement") == "POINT_IN_TIME_RECOVERY_ENABLED";
    let kept = if recovers { week } else { hour };
    body.insert("versionRetentionPeriod".to_owned(), kept.into());
    Ok(())
}

/// Whether a database may be deleted.
pub(super) fn may_go(name: &str, body: &Value) -> Outcome<()> {
    if body["deleteProtectionState"] == "DELETE_PROTECTION_ENABLED" {
        let message = format!(
            "Database '{name}' has delete protection enabled. Disable it before deleting the database."
        );
        return Err(Refusal::new(Code::FailedPrecondition, message));
    }
    Ok(())
}

/// `databases.list`, which has no pages.
pub(super) fn databases(shared: &Shared, asked: &Asked<'_>) -> Outcome<Value> {
    if asked.is_set("showDeleted") {
        return Err(super::route::unimplemented(asked));
    }
    let all = resources(&shared.lock(), &DATABASE, &asked.name(shared));
    Ok(if all.is_empty() {
        json!({})
    } else {
        json!({"databases": all})
    })
}

fn resources(state: &State, kind: &super::kinds::Kind, below: &str) -> Vec<Value> {
    let below = format!("{below}/");
    let all = state.resources.iter();
    all.filter(|(name, resource)| resource.kind == kind && name.starts_with(&below))
        .map(|(_, resource)| resource.body.clone())
        .collect()
}

/// The methods of `collectionGroups.fields`. Every field is there; only those that were set are kept.
pub(super) fn field(shared: &Shared, asked: &Asked<'_>) -> Outcome<Value> {
    let name = asked.name(shared);
    let (database, _) = name.split_once("/collectionGroups/").unwrap_or((&name, ""));
    let mut state = shared.lock();
    state.get(&DATABASE, database)?;
    match asked.verb() {
        "get" => {
            named(&name)?;
            state.look(&name);
            Ok(view(&state, &name))
        }
        "list" => listed(&state, asked, &name),
        "patch" => {
            named(&name)?;
            change(&mut state, shared, asked, &name)
        }
        _ => Err(super::route::unimplemented(asked)),
    }
}

/// Collection and path of a field.
fn named(name: &str) -> Outcome<(&str, &str)> {
    let (_, rest) = name.split_once("/collectionGroups/").unwrap_or_default();
    let (collection, path) = rest.split_once("/fields/").unwrap_or_default();
    let wrong = |what: &str| Err(Refusal::field("field.name", what));
    let is_reserved = collection.starts_with("__") && collection.ends_with("__");
    if is_reserved && collection != DEFAULT {
        return wrong("names of collections do not begin and end with two underscores");
    }
    if (collection == DEFAULT) != (path == "*") {
        return wrong("the field * is of the collection __default__, and the only one of it");
    }
    let is_quoted = path.len() > 2 && path.starts_with('`') && path.ends_with('`');
    let is_plain = |part: &str| {
        !part.is_empty()
            && !part.starts_with(|c: char| c.is_ascii_digit())
            && part
                .chars()
                .all(|c| !c.is_ascii() || c.is_ascii_alphanumeric() || c == '_')
    };
    if path != "*" && !is_quoted && !path.split('.').all(is_plain) {
        return wrong("a path with other than letters, digits, _ and points stands in backticks");
    }
    Ok((collection, path))
}

/// A field as it is told.
fn view(state: &State, name: &str) -> Value {
    let mut body = match state.get(&FIELD, name) {
        Ok(kept) => kept.body.clone(),
        Err(_) => json!({"name": name}),
    };
    if body.get("indexConfig").is_none() {
        let (database, _) = name.split_once("/collectionGroups/").unwrap_or((name, ""));
        let path = name.split("/fields/").nth(1).unwrap_or_default();
        body["indexConfig"] = inherited(database, path);
    }
    body
}

/// A page of the fields that were set; those of all collections below `-`.
fn listed(state: &State, asked: &Asked<'_>, parent: &str) -> Outcome<Value> {
    let has = match asked.parameter("filter") {
        Some("ttlConfig:*") => "ttlConfig",
        Some("indexConfig.usesAncestorConfig:false" | "indexConfig.usesAncestorConfig=false") => {
            "indexConfig"
        }
        _ => {
            let what = "it is indexConfig.usesAncestorConfig:false or ttlConfig:*";
            return Err(Refusal::field("filter", what));
        }
    };
    let below = parent.strip_suffix("/-").unwrap_or(parent);
    let mut all = resources(state, &FIELD, below);
    all.retain(|body| body.get(has).is_some());
    let views = all
        .iter()
        .filter_map(|body| body["name"].as_str())
        .map(|name| view(state, name))
        .collect();
    list::cut(asked, "fields", views)
}

fn change(state: &mut State, shared: &Shared, asked: &Asked<'_>, name: &str) -> Outcome<Value> {
    let former = state.get(&FIELD, name).ok().cloned();
    let sent = fields(&asked.body);
    let failure = resource::refuse(state, &FIELD, name, Deed::Update)?;
    if state.is_busy(name) {
        let message = format!("Field '{name}' is being changed already.");
        return Err(Refusal::new(Code::FailedPrecondition, message));
    }
    let before = former.as_ref().map(|kept| fields(&kept.body));
    let mut body = before.clone().unwrap_or_default();
    match mask::paths(asked.parameter("updateMask")) {
        Some(paths) => mask::apply(&mut body, &sent, &paths),
        None => body = sent,
    }
    body.insert("name".to_owned(), name.into());
    // Nothing but these two can be set.
    body.retain(|field, _| ["name", "ttlConfig", "indexConfig"].contains(&field.as_str()));
    let had = before
        .as_ref()
        .is_some_and(|before| before.contains_key("ttlConfig"));
    if body.contains_key("ttlConfig") {
        expires(state, name)?;
        // Only the service says how far it is.
        let state = before.as_ref().and_then(|before| before.get("ttlConfig"));
        let state = state.map_or_else(|| "CREATING".into(), |config| config["state"].clone());
        body["ttlConfig"]["state"] = state;
    }
    if let Some(config) = body.get_mut("indexConfig").and_then(Value::as_object_mut) {
        config.remove("reverting");
        config.insert("usesAncestorConfig".to_owned(), false.into());
    }
    let has = body.contains_key("ttlConfig");
    let resource = Resource {
        kind: &FIELD,
        body: body.into(),
    };
    state.resources.insert(name.to_owned(), resource);
    let mut operation = Operation::new(&FIELD, name, Deed::Update, shared.options.looks);
    operation.former = former;
    operation.failure = failure;
    if had != has {
        operation.change = json!({"ttlConfigDelta": {"changeType": if has { "ADD" } else { "REMOVE" }}});
    }
    Ok(state.begin(operation))
}

/// Whether a field may say when documents expire: one of a collection at most (<https://cloud.google.com/firestore/docs/ttl#limits>).
fn expires(state: &State, name: &str) -> Outcome<()> {
    let (collection, path) = named(name)?;
    if collection == DEFAULT || path == "*" {
        return Err(Refusal::field(
            "field.ttl_config",
            "it is of one field of one collection",
        ));
    }
    let (group, _) = name.split_once("/fields/").unwrap_or((name, ""));
    let other = resources(state, &FIELD, group)
        .into_iter()
        .find(|body| body.get("ttlConfig").is_some() && body["name"] != name);
    match other {
        Some(other) => {
            let message = format!(
                "The collection group has a field with a time to live already: {}.",
                other["name"]
            );
            Err(Refusal::new(Code::FailedPrecondition, message))
        }
        None => Ok(()),
    }
}

/// What goes on with a field ends; as it is then told.
pub(super) fn settle(state: &mut State, name: &str) -> Value {
    if let Some(kept) = state.resources.get_mut(name)
        && let Some(config) = kept.body.get_mut("ttlConfig")
    {
        config["state"] = "ACTIVE".into();
    }
    let body = view(state, name);
    let is_set = state
        .get(&FIELD, name)
        .is_ok_and(|kept| kept.body.get("ttlConfig").is_some() || kept.body.get("indexConfig").is_some());
    if !is_set {
        state.resources.remove(name);
    }
    body
}

/// Whether a database may be called so.
pub(super) fn is_database(id: &str) -> bool {
    let lower = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    let is_named = (4..=63).contains(&id.len())
        && id.bytes().all(lower)
        && id.starts_with(|c: char| c.is_ascii_lowercase())
        && !id.ends_with('-');
    id == "(default)" || (is_named && uuid::Uuid::try_parse(id).is_err())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_of_databases_are_those_of_the_documents() {
        for id in ["(default)", "orders", "a-b9", &"a".repeat(63)] {
            assert!(is_database(id), "{id}");
        }
        let long = "a".repeat(64);
        let wrong = [
            "abc",
            "Orders",
            "9orders",
            "orders-",
            "(other)",
            "a_bc",
            "f81d4fae-7dec-11d0-a765-00a0c91e6bf6",
        ];
        for id in wrong.into_iter().chain([long.as_str()]) {
            assert!(!is_database(id), "{id}");
        }
    }

    #[test]
    fn a_path_with_other_signs_is_quoted() {
        let name = |path: &str| format!("projects/p/databases/d/collectionGroups/c/fields/{path}");
        for path in ["_nephos_expires", "a.b", "`a-b`", "ä"] {
            assert!(named(&name(path)).is_ok(), "{path}");
        }
        for path in ["*", "a-b", "a..b", "9a", "``"] {
            assert!(named(&name(path)).is_err(), "{path}");
        }
    }
}
