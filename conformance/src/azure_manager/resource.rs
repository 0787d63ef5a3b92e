//! Resources: what their interfaces check in advance, write, show and delete. A resource's body is kept as it was sent, beside what its service adds.

mod links;
mod made;
mod vault;

use std::collections::BTreeSet;

use chrono::{DateTime, SecondsFormat, Utc};
use serde_json::{Map, Value, json};

use super::Options;
use super::error::{Outcome, Refusal};
use super::id::{self, Id};
use super::kinds::{self, Kind};
use super::state::State;

pub(super) use self::vault::{deleted, purge, view_deleted};

/// A resource that exists.
#[derive(Debug, Clone)]
pub(super) struct Resource {
    pub(super) id: Id,
    pub(super) kind: &'static Kind,
    pub(super) api_version: String,
    /// As it was sent.
    pub(super) body: Value,
    /// The properties that its service adds.
    pub(super) made: Map<String, Value>,
    /// The how manyth it was, so that what was made later can be deleted before.
    pub(super) order: u64,
    pub(super) created: DateTime<Utc>,
}

impl Resource {
    /// What `GET` answers.
    pub(super) fn view(&self, state: &State) -> Value {
        let mut all = json!({"id": self.id.text, "name": self.shown_name(), "type": self.kind.name});
        for (name, value) in self.body.as_object().into_iter().flatten() {
            all[name] = value.clone();
        }
        all["properties"] = self.properties();
        if let Some(location) = self.body["location"].as_str() {
            all["location"] = normal(location).into();
        }
        made::complete_identity(&mut all, state);
        if self.kind.name == "Microsoft.Web/sites" {
            // The settings are secrets: they are only told by an action of their own.
            if let Some(config) = all["properties"]["siteConfig"].as_object_mut() {
                config.remove("appSettings");
            }
        }
        all
    }

    /// What `reference` in a template gives.
    pub(super) fn properties(&self) -> Value {
        let mut all = self.body["properties"].as_object().cloned().unwrap_or_default();
        for (name, value) in &self.made {
            all.insert(name.clone(), value.clone());
        }
        Value::Object(all)
    }

    /// Of an extension and a part of an account only the last part of the name is shown.
    fn shown_name(&self) -> String {
        match self.kind.namespace() {
            "Microsoft.Storage" | "Microsoft.DocumentDB" | "Microsoft.ServiceBus" | "Microsoft.EventHub" => {
                self.id.own_name().to_owned()
            }
            _ => self.id.name(),
        }
    }

    /// As a group's list shows it.
    pub(super) fn summary(&self) -> Value {
        let mut all = json!({"id": self.id.text, "name": self.id.name(), "type": self.kind.name});
        for name in ["location", "kind", "tags", "sku", "identity"] {
            if let Some(value) = self.body.get(name) {
                all[name] = value.clone();
            }
        }
        if let Some(location) = self.body["location"].as_str() {
            all["location"] = normal(location).into();
        }
        all
    }
}

impl Kind {
    pub(super) fn namespace(&self) -> &'static str {
        self.name.split('/').next().unwrap_or_default()
    }
}

/// A location as it is compared: `West Europe` is `westeurope`.
pub(super) fn normal(location: &str) -> String {
    location.replace(' ', "").to_ascii_lowercase()
}

/// A moment as the interfaces write it.
pub(super) fn moment(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Micros, true)
}

/// What is refused before anything is made, of a resource in a template as of one that is sent alone.
pub(super) fn check(state: &State, options: &Options, id: &Id, version: &str, body: &Value) -> Outcome<()> {
    let kind = kinds::find(&id.kind)?;
    let location = body["location"].as_str().unwrap_or_default();
    kind.check_version(version, location)?;
    if state
        .knobs
        .unregistered
        .iter()
        .any(|namespace| namespace.eq_ignore_ascii_case(id.namespace()))
    {
        let message = format!(
            "The subscription is not registered to use namespace '{}'. See https://aka.ms/rps-not-found for how to register subscriptions.",
            kind.namespace()
        );
        let cause =
            Refusal::new(409, "MissingSubscriptionRegistration", message.clone()).target(kind.namespace());
        return Err(Refusal::new(409, "MissingSubscriptionRegistration", message).because(cause));
    }
    kind.check_name(id.own_name())?;
    if kind.tracked {
        check_location(state, options, id, kind, location)?;
    }
    check_tags(body)?;
    if kind.global {
        let taken = (kind.name.to_owned(), id.own_name().to_ascii_lowercase());
        let elsewhere = |other: &Resource| {
            other.kind.name == kind.name
                && other.id.own_name().eq_ignore_ascii_case(id.own_name())
                && other.id.key() != id.key()
        };
        if state.knobs.names.contains(&taken) || state.resources.values().any(elsewhere) {
            return Err(kind.taken(id.own_name()));
        }
    }
    vault::check(state, id, body)
}

fn check_location(state: &State, options: &Options, id: &Id, kind: &Kind, location: &str) -> Outcome<()> {
    if location.is_empty() {
        return Err(Refusal::new(
            400,
            "LocationRequired",
            "The location property is required for this definition.",
        ));
    }
    let known = |list: &[String]| list.iter().any(|other| normal(other) == normal(location));
    let global = normal(location) == "global" && kind.name == "Microsoft.EventGrid/systemTopics";
    if !known(&options.locations) && !global {
        return Err(Refusal::new(
            400,
            "LocationNotAvailableForResourceType",
            format!(
                "The provided location '{location}' is not available for resource type '{}'. List of available regions for the resource type is '{}'.",
                kind.name,
                options
                    .locations
                    .iter()
                    .map(|one| normal(one))
                    .collect::<Vec<_>>()
                    .join(",")
            ),
        ));
    }
    if let Some(existing) = state.resources.get(&id.key()) {
        let there = existing.body["location"].as_str().unwrap_or_default();
        if normal(there) != normal(location) {
            return Err(Refusal::new(
                409,
                "InvalidResourceLocation",
                format!(
                    "The resource '{}' already exists in location '{}' in resource group '{}'. A resource with the same name cannot be created in location '{location}'. Please select a new resource name.",
                    id.name(),
                    normal(there),
                    id.group
                ),
            ));
        }
    }
    Ok(())
}

/// The rules of tags, of resources, groups and stacks.
pub(super) fn check_tags(body: &Value) -> Outcome<()> {
    let Some(tags) = body.get("tags").filter(|tags| !tags.is_null()) else {
        return Ok(());
    };
    let Value::Object(tags) = tags else {
        return Err(Refusal::content("'tags' is no object"));
    };
    if tags.len() > 50 {
        return Err(Refusal::new(400, "TooManyTags", "A resource may have 50 tags."));
    }
    for (name, value) in tags {
        if name.contains(['<', '>', '%', '&', '\\', '?', '/']) {
            return Err(Refusal::new(
                400,
                "InvalidTagNameCharacters",
                format!(
                    "The tag names '{name}' have reserved characters '<,>,%,&,\\,?,/' or control characters."
                ),
            ));
        }
        let Some(text) = value.as_str() else {
            return Err(Refusal::content(format!(
                "the value of the tag '{name}' is no text"
            )));
        };
        if name.is_empty() || name.len() > 512 || text.len() > 256 {
            return Err(Refusal::new(
                400,
                "InvalidTagValueLength",
                format!("The tag '{name}' is too long: a name may have 512 characters, a value 256."),
            ));
        }
    }
    Ok(())
}

/// Makes a resource or replaces it; true if it is new. What is `hidden` may not be referred to: it is made at the same time, not before.
pub(super) fn write(
    state: &mut State,
    options: &Options,
    id: &Id,
    version: &str,
    body: Value,
    hidden: &BTreeSet<String>,
) -> Outcome<bool> {
    let kind = kinds::find(&id.kind)?;
    links::check(state, options, id, kind, &body, hidden)?;
    let mut body = body;
    let recovered = vault::recover(state, id, &mut body);
    let existing = state.resources.get(&id.key()).or(recovered.as_ref());
    let made = made::of(options, id, kind, &body, existing);
    let created = existing.map_or_else(Utc::now, |old| old.created);
    let order = match existing {
        Some(old) => old.order,
        None => state.next(),
    };
    let mut id = id.clone();
    kind.name.clone_into(&mut id.kind);
    let key = id.key();
    let resource = Resource {
        id,
        kind,
        api_version: version.to_owned(),
        body,
        made,
        order,
        created,
    };
    Ok(state.resources.insert(key, resource).is_none())
}

/// Deletes a resource with its parts and extensions; false if it was not there.
pub(super) fn delete(state: &mut State, key: &str) -> Outcome<bool> {
    let Some(resource) = state.resources.get(key).cloned() else {
        return Ok(false);
    };
    links::check_deletion(state, &resource)?;
    if resource.kind.name == "Microsoft.KeyVault/vaults" {
        vault::keep(state, &resource);
    }
    state
        .resources
        .retain(|other, _| other != key && !id::is_below(other, key));
    Ok(true)
}
