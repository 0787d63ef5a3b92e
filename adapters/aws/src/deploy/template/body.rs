//! The template while it grows: resources with their tags and metadata, outputs, notes.

use std::collections::{BTreeMap, BTreeSet};

use nephos_core::app::App;
use nephos_core::deploy::merge;
use nephos_core::{Error, ErrorKind, Result};
use serde_json::{Map, Value, json};

use super::{META_KIND, META_NAME, Output, TAG_APP, TAG_TARGET, Template};
use crate::deploy::settings::Settings;

/// The form in which a type of resource takes tags.
#[derive(Debug, Clone, Copy)]
enum Tags {
    /// A list of `Key` and `Value`.
    List,
    /// A table.
    Table,
}

/// Which types take tags, and how: the page of each type in
/// <https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-template-resource-type-ref.html>.
fn tags(ty: &str) -> Option<Tags> {
    match ty {
        "AWS::Lambda::Function"
        | "AWS::Lambda::EventSourceMapping"
        | "AWS::IAM::Role"
        | "AWS::Logs::LogGroup"
        | "AWS::S3::Bucket"
        | "AWS::SQS::Queue"
        | "AWS::SNS::Topic"
        | "AWS::Kinesis::Stream"
        | "AWS::DynamoDB::Table"
        | "AWS::SecretsManager::Secret" => Some(Tags::List),
        "AWS::ApiGatewayV2::Api" | "AWS::ApiGatewayV2::Stage" => Some(Tags::Table),
        _ => None,
    }
}

/// One resource.
#[derive(Debug)]
pub(super) struct Resource {
    ty: &'static str,
    kind: &'static str,
    name: String,
    properties: Value,
    depends_on: Vec<String>,
    stays: Stays,
}

/// What becomes of a resource that the stack does not want any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stays {
    /// It goes.
    No,
    /// It stays.
    Yes,
    /// It stays, and so does the one that another replaces; not if its very creation is rolled back.
    WithItsData,
}

impl Resource {
    /// A resource of type `ty` that is the part `kind` of what the manifest calls `name`.
    pub(super) fn new(ty: &'static str, kind: &'static str, name: &str, properties: Value) -> Self {
        Self {
            ty,
            kind,
            name: name.to_owned(),
            properties,
            depends_on: Vec::new(),
            stays: Stays::No,
        }
    }

    /// Made after these, and removed before them.
    pub(super) fn after(mut self, ids: impl IntoIterator<Item = String>) -> Self {
        self.depends_on.extend(ids);
        self.depends_on.sort_unstable();
        self.depends_on.dedup();
        self
    }

    /// Outlives the stack and its own removal from the template, unless its very creation was rolled back.
    pub(super) fn retained(mut self) -> Self {
        self.stays = Stays::WithItsData;
        self
    }

    /// Outlives its own removal from the template, and the stack.
    pub(super) fn kept(mut self) -> Self {
        self.stays = Stays::Yes;
        self
    }
}

/// The growing template.
#[derive(Debug)]
pub(super) struct Body {
    description: String,
    metadata: Map<String, Value>,
    tags: BTreeMap<String, String>,
    resources: Map<String, Value>,
    outputs: Map<String, Value>,
    told: BTreeMap<String, Output>,
    notes: Vec<String>,
    noted: BTreeSet<String>,
}

impl Body {
    pub(super) fn new(app: &App, target: &str, settings: &Settings) -> Self {
        let mut tags = settings.tags.clone();
        tags.insert(TAG_APP.to_owned(), app.name.clone());
        tags.insert(TAG_TARGET.to_owned(), target.to_owned());
        let metadata = [(TAG_APP, app.name.as_str()), (TAG_TARGET, target)]
            .map(|(key, value)| (key.to_owned(), value.into()))
            .into_iter()
            .collect();
        Self {
            description: format!("The app {}, deployed by nephos", app.name),
            metadata,
            tags,
            resources: Map::new(),
            outputs: Map::new(),
            told: BTreeMap::new(),
            notes: Vec::new(),
            noted: BTreeSet::new(),
        }
    }

    /// Adds a resource.
    ///
    /// # Errors
    /// If the id is taken: two triggers that AWS cannot tell apart.
    pub(super) fn add(&mut self, id: &str, resource: Resource) -> Result<()> {
        let mut properties = resource.properties;
        if let Some(form) = tags(resource.ty)
            && let Value::Object(properties) = &mut properties
        {
            let tags = match form {
                Tags::List => self
                    .tags
                    .iter()
                    .map(|(key, value)| json!({"Key": key, "Value": value}))
                    .collect::<Vec<_>>()
                    .into(),
                Tags::Table => json!(self.tags),
            };
            properties.insert("Tags".to_owned(), tags);
        }
        let mut metadata = self.metadata.clone();
        metadata.insert(META_NAME.to_owned(), resource.name.clone().into());
        metadata.insert(META_KIND.to_owned(), resource.kind.into());
        let mut entry = Map::new();
        entry.insert("Type".to_owned(), resource.ty.into());
        entry.insert("Metadata".to_owned(), metadata.into());
        entry.insert("Properties".to_owned(), properties);
        if !resource.depends_on.is_empty() {
            entry.insert("DependsOn".to_owned(), resource.depends_on.into());
        }
        match resource.stays {
            Stays::No => {}
            Stays::Yes => {
                entry.insert("DeletionPolicy".to_owned(), "Retain".into());
            }
            Stays::WithItsData => {
                entry.insert("DeletionPolicy".to_owned(), "RetainExceptOnCreate".into());
                entry.insert("UpdateReplacePolicy".to_owned(), "Retain".into());
            }
        }
        if self.resources.insert(id.to_owned(), entry.into()).is_some() {
            return Err(Error::new(
                ErrorKind::InvalidArgument,
                "deploy.render",
                "the function has two triggers on the same source, and AWS keeps one; make one of them, or give one to another function",
            )
            .with("name", resource.name)
            .with("part", resource.kind)
            .with("id", id));
        }
        Ok(())
    }

    /// Whether there is a resource of this id.
    pub(super) fn has(&self, id: &str) -> bool {
        self.resources.contains_key(id)
    }

    /// Adds an output.
    pub(super) fn output(&mut self, key: &str, value: Value, output: Output) {
        self.outputs.insert(key.to_owned(), json!({ "Value": value }));
        self.told.insert(key.to_owned(), output);
    }

    /// How many outputs there are.
    pub(super) fn output_count(&self) -> usize {
        self.outputs.len()
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
            "AWSTemplateFormatVersion": "2010-09-09",
            "Description": self.description,
            "Metadata": self.metadata,
            "Resources": self.resources,
        });
        if !self.outputs.is_empty()
            && let Value::Object(body) = &mut body
        {
            body.insert("Outputs".to_owned(), self.outputs.into());
        }
        if !overrides.is_null() {
            merge::patch(&mut body, overrides);
        }
        let mut outputs = self.told;
        outputs.retain(|key, _| {
            body.pointer("/Outputs")
                .is_some_and(|outputs| outputs.get(key).is_some())
        });
        Template {
            body,
            outputs,
            notes: self.notes,
        }
    }
}
