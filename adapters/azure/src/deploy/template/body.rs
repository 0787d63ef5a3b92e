//! The template while it grows: resources with their tags, outputs, notes.

use std::collections::{BTreeMap, BTreeSet};

use nephos_core::deploy::{mark, merge};
use nephos_core::plan::Part;
use nephos_core::{ErrorKind, Result};
use serde_json::{Map, Value, json};

use super::api::{self, Type};
use super::layout::Layout;
use super::value::literal;
use super::{SCHEMA, Template};
use crate::deploy::refused;

/// One resource.
#[derive(Debug)]
pub(super) struct Resource {
    ty: &'static Type,
    name: String,
    kind: &'static str,
    part: Part,
    members: Map<String, Value>,
    depends_on: BTreeSet<String>,
}

impl Resource {
    /// A resource of type `ty`, called `name` (its parents' names before it, with slashes), that is the part `kind` of `part`.
    pub(super) fn new(ty: &'static Type, name: impl Into<String>, kind: &'static str, part: Part) -> Self {
        Self {
            ty,
            name: name.into(),
            kind,
            part,
            members: Map::new(),
            depends_on: BTreeSet::new(),
        }
    }

    /// Sets a member beside the properties.
    pub(super) fn with(mut self, member: &str, value: Value) -> Self {
        self.members.insert(member.to_owned(), value);
        self
    }

    /// Sets the properties.
    pub(super) fn properties(self, properties: Value) -> Self {
        self.with("properties", properties)
    }

    /// Made after these.
    pub(super) fn after<I: Into<String>>(mut self, ids: impl IntoIterator<Item = I>) -> Self {
        self.depends_on.extend(ids.into_iter().map(Into::into));
        self
    }
}

/// The growing template.
#[derive(Debug)]
pub(super) struct Body {
    app: String,
    target: String,
    location: String,
    tags: BTreeMap<String, String>,
    resources: Map<String, Value>,
    outputs: Map<String, Value>,
    parts: BTreeMap<String, Part>,
    /// The symbolic names in small letters: names that differ in nothing else could be taken for one.
    ids: BTreeSet<String>,
    notes: Vec<String>,
    noted: BTreeSet<String>,
    /// The last of those that are made one after the other.
    last: Option<String>,
}

impl Body {
    pub(super) fn new(layout: &Layout<'_>) -> Self {
        let mut tags = layout.settings.tags.clone();
        tags.insert(mark::APP.to_owned(), layout.app.name.clone());
        tags.insert(mark::TARGET.to_owned(), layout.target.to_owned());
        Self {
            app: layout.app.name.clone(),
            target: layout.target.to_owned(),
            location: layout.settings.location.clone(),
            tags,
            resources: Map::new(),
            outputs: Map::new(),
            parts: BTreeMap::new(),
            ids: BTreeSet::new(),
            notes: Vec::new(),
            noted: BTreeSet::new(),
            last: None,
        }
    }

    /// Adds a resource.
    ///
    /// # Errors
    /// If the symbolic name or the name on Azure is taken.
    pub(super) fn add(&mut self, id: &str, resource: Resource) -> Result<()> {
        let Resource {
            ty,
            name,
            kind,
            part,
            members,
            depends_on,
        } = resource;
        let mut entry = Map::new();
        entry.insert("type".to_owned(), ty.name.into());
        entry.insert("apiVersion".to_owned(), ty.version.into());
        entry.insert("name".to_owned(), name.as_str().into());
        if ty.located {
            entry.insert("location".to_owned(), self.location.as_str().into());
        }
        if ty.tagged {
            let mut tags = self.tags.clone();
            let (of, called) = match &part {
                Part::App => (kind, self.app.as_str()),
                Part::Function { name } | Part::Resource { name, .. } => (kind, name.as_str()),
            };
            tags.insert(mark::KIND.to_owned(), of.to_owned());
            tags.insert(mark::NAME.to_owned(), called.to_owned());
            let tags: BTreeMap<String, String> = tags
                .into_iter()
                .map(|(name, value)| (name, literal(&value)))
                .collect();
            entry.insert("tags".to_owned(), json!(tags));
        }
        if !depends_on.is_empty() {
            entry.insert("dependsOn".to_owned(), json!(depends_on));
        }
        entry.extend(members);
        // A name that the manager works out is known to it alone.
        let taken = if ty.extension || name.starts_with('[') {
            None
        } else {
            self.parts.insert(api::path(ty.name, &name), part)
        };
        self.resources.insert(id.to_owned(), entry.into());
        if !self.ids.insert(id.to_ascii_lowercase()) || taken.is_some() {
            return Err(refused(
                ErrorKind::InvalidArgument,
                "two things of the app would have one name on Azure; give one of them another name",
            )
            .with("name", name)
            .with("type", ty.name)
            .with("id", id));
        }
        Ok(())
    }

    /// Adds a resource that is made after all others that were added so: their service takes one change at a time
    /// (<https://github.com/hashicorp/terraform-provider-azurerm/issues/15842>).
    ///
    /// # Errors
    /// As [`add`](Self::add).
    pub(super) fn add_in_turn(&mut self, id: &str, resource: Resource) -> Result<()> {
        let resource = resource.after(self.last.replace(id.to_owned()));
        self.add(id, resource)
    }

    /// Adds an output.
    pub(super) fn output(&mut self, key: &str, ty: &str, value: Value) {
        self.outputs
            .insert(key.to_owned(), json!({"type": ty, "value": value}));
    }

    /// Adds a note, once.
    pub(super) fn note(&mut self, note: String) {
        if self.noted.insert(note.clone()) {
            self.notes.push(note);
        }
    }

    /// The template with the overrides laid over it.
    pub(super) fn finish(self, overrides: &Value) -> Template {
        let mut body = json!({
            "$schema": SCHEMA,
            "languageVersion": "2.0",
            "contentVersion": "1.0.0.0",
            "metadata": {mark::APP: self.app, mark::TARGET: self.target},
            "resources": self.resources,
            "outputs": self.outputs,
        });
        if !overrides.is_null() {
            merge::patch(&mut body, overrides);
        }
        Template {
            body,
            parts: self.parts,
            notes: self.notes,
        }
    }
}
