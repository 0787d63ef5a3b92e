//! A template of language version 2.0: what is not valid in itself is refused before anything is made.
//!
//! <https://learn.microsoft.com/azure/azure-resource-manager/templates/syntax>

mod order;

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};

use super::error::{Outcome, Refusal};
use super::expression::{self, Fault, Place};
use super::id::{self, Id};
use super::kinds::{self, Kind};

/// How many resources a template may have, and outputs.
const RESOURCES: usize = 800;
const OUTPUTS: usize = 64;
/// How large it may be.
const SIZE: usize = 4 * 1024 * 1024;

const SECTIONS: &[&str] = &[
    "$schema",
    "apiProfile",
    "contentVersion",
    "definitions",
    "functions",
    "languageVersion",
    "metadata",
    "outputs",
    "parameters",
    "resources",
    "variables",
];
/// What the template says of a resource, beside the resource's body.
const ENVELOPE: &[&str] = &["type", "apiVersion", "name", "dependsOn", "scope"];
const BODY: &[&str] = &[
    "location",
    "tags",
    "sku",
    "kind",
    "identity",
    "properties",
    "zones",
    "plan",
    "managedBy",
    "extendedLocation",
    "comments",
    "metadata",
];

/// A template, read.
#[derive(Debug, Clone)]
pub(super) struct Template {
    /// As it was sent.
    pub(super) raw: Value,
    pub(super) place: Place,
    /// In an order in which each comes after what it depends on.
    pub(super) resources: Vec<Planned>,
    outputs: Map<String, Value>,
}

/// One resource of a template.
#[derive(Debug, Clone)]
pub(super) struct Planned {
    pub(super) symbol: String,
    pub(super) kind: &'static Kind,
    pub(super) api_version: String,
    pub(super) id: Id,
    /// What its interface takes, expressions as they were written.
    pub(super) body: Value,
    /// The symbols that it directly depends on, by `dependsOn` or by `reference`.
    pub(super) depends: BTreeSet<String>,
    /// These, and what they depend on.
    pub(super) all_depends: BTreeSet<String>,
}

fn invalid(fault: Fault) -> Refusal {
    match fault {
        Fault::Invalid(message) => Refusal::template(message),
        Fault::Deferred => Refusal::template("a value is not known before resources are made"),
    }
}

/// Nothing can be referred to where the resource's own id is made.
fn nowhere(_: &str) -> Result<Value, Fault> {
    Err(Fault::Invalid(
        "The template function 'reference' is not expected at this location. Please see https://aka.ms/arm-functions for usage details."
            .to_owned(),
    ))
}

impl Template {
    pub(super) fn read(raw: &Value, place: Place) -> Outcome<Self> {
        let Value::Object(sections) = raw else {
            return Err(Refusal::content("the template is no JSON object"));
        };
        if raw.to_string().len() > SIZE {
            return Err(Refusal::template("the template is larger than 4 MB"));
        }
        if let Some(other) = sections.keys().find(|name| !SECTIONS.contains(&name.as_str())) {
            return Err(Refusal::content(format!(
                "Could not find member '{other}' on object of type 'Template'"
            )));
        }
        for name in ["$schema", "contentVersion"] {
            if !sections.get(name).is_some_and(Value::is_string) {
                return Err(Refusal::template(format!(
                    "Template property '{name}' is missing"
                )));
            }
        }
        if sections.get("languageVersion").and_then(Value::as_str) != Some("2.0") {
            return Err(Refusal::template(
                "resources are an object only in the language version '2.0'",
            ));
        }
        for name in ["parameters", "variables", "functions"] {
            if sections
                .get(name)
                .and_then(Value::as_object)
                .is_some_and(|all| !all.is_empty())
            {
                return Err(Refusal::template(format!(
                    "{name} are not evaluated here: the stand-in knows templates without them"
                )));
            }
        }
        let Some(Value::Object(resources)) = sections.get("resources") else {
            return Err(Refusal::template(
                "'resources' is no object of resources by their symbolic names",
            ));
        };
        if resources.len() > RESOURCES {
            return Err(Refusal::template(format!(
                "The number of template resources limit exceeded. Limit: '{RESOURCES}' and actual: '{}'. Please see https://aka.ms/arm-limits for usage details.",
                resources.len()
            )));
        }
        let mut planned = Vec::new();
        for (symbol, resource) in resources {
            planned.push(Planned::read(symbol, resource, resources, &place)?);
        }
        let mut seen = BTreeMap::new();
        for one in &planned {
            if let Some(other) = seen.insert(one.id.key(), &one.symbol) {
                return Err(Refusal::template(format!(
                    "The resource '{}' is defined multiple times in a template ('{other}', '{}'). Please see https://aka.ms/arm-syntax-resources for usage details.",
                    one.id.text, one.symbol
                )));
            }
        }
        let outputs = match sections.get("outputs") {
            None => Map::new(),
            Some(Value::Object(outputs)) => outputs.clone(),
            Some(_) => return Err(Refusal::template("'outputs' is no object")),
        };
        check_outputs(&outputs, resources)?;
        Ok(Self {
            raw: raw.clone(),
            place,
            resources: order::sorted(planned)?,
            outputs,
        })
    }

    /// The outputs, evaluated and of the types that they say.
    pub(super) fn outputs(&self, references: expression::References<'_>) -> Outcome<Value> {
        let mut all = Map::new();
        for (name, output) in &self.outputs {
            let value = expression::evaluate(&output["value"], &self.place, references).map_err(invalid)?;
            let ty = output["type"].as_str().unwrap_or_default();
            let fits = match ty.to_ascii_lowercase().as_str() {
                "array" => value.is_array(),
                "bool" => value.is_boolean(),
                "int" => value.is_i64() || value.is_u64(),
                "object" | "secureobject" => value.is_object(),
                _ => value.is_string(),
            };
            if !fits {
                return Err(Refusal::new(
                    400,
                    "DeploymentOutputEvaluationFailed",
                    format!(
                        "The template output '{name}' is not valid: its type is '{ty}', its value is {value}."
                    ),
                ));
            }
            all.insert(name.clone(), json!({"type": capitalized(ty), "value": value}));
        }
        Ok(Value::Object(all))
    }

    /// The template with values instead of expressions, as far as they are known.
    pub(super) fn evaluated(&self, references: expression::References<'_>) -> Outcome<Value> {
        expression::foresee(&self.raw, &self.place, references).map_err(invalid)
    }
}

fn capitalized(ty: &str) -> String {
    match ty.to_ascii_lowercase().as_str() {
        "secureobject" => "SecureObject".to_owned(),
        "securestring" => "SecureString".to_owned(),
        other => {
            let (first, rest) = other.split_at(other.len().min(1));
            first.to_ascii_uppercase() + rest
        }
    }
}

fn check_outputs(outputs: &Map<String, Value>, resources: &Map<String, Value>) -> Outcome<()> {
    if outputs.len() > OUTPUTS {
        return Err(Refusal::template(format!(
            "a template may have {OUTPUTS} outputs"
        )));
    }
    const TYPES: &[&str] = &[
        "array",
        "bool",
        "int",
        "object",
        "securestring",
        "secureobject",
        "string",
    ];
    for (name, output) in outputs {
        let ty = output["type"].as_str().unwrap_or_default();
        if !TYPES.contains(&ty.to_ascii_lowercase().as_str()) {
            return Err(Refusal::template(format!(
                "The template output '{name}' is not valid: '{ty}' is no type. Please see https://aka.ms/arm-syntax-outputs for usage details."
            )));
        }
        if output.get("value").is_none() {
            return Err(Refusal::template(format!(
                "The template output '{name}' is not valid: it has no value."
            )));
        }
        references_of(&format!("outputs.{name}"), output, resources)?;
    }
    Ok(())
}

/// The symbols that a value's calls of `reference` name; each must be in the template.
fn references_of(symbol: &str, value: &Value, resources: &Map<String, Value>) -> Outcome<BTreeSet<String>> {
    let mut all = BTreeSet::new();
    expression::visit(value, &mut |one| {
        if let Some(other) = one.referred() {
            all.insert(other.to_owned());
        }
    })
    .map_err(|fault| match fault {
        Fault::Invalid(message) => Refusal::template(format!(
            "The template resource '{symbol}' is not valid: {message}"
        )),
        Fault::Deferred => invalid(fault),
    })?;
    if let Some(other) = all.iter().find(|other| !resources.contains_key(*other)) {
        return Err(no_such(symbol, other));
    }
    Ok(all)
}

fn no_such(symbol: &str, other: &str) -> Refusal {
    Refusal::template(format!(
        "The template resource '{symbol}' reference to '{other}' is not valid: could not find template resource or resource copy with this name. Please see https://aka.ms/arm-function-reference for usage details."
    ))
}

impl Planned {
    fn read(symbol: &str, resource: &Value, resources: &Map<String, Value>, place: &Place) -> Outcome<Self> {
        let Value::Object(fields) = resource else {
            return Err(Refusal::template(format!(
                "The template resource '{symbol}' is no object."
            )));
        };
        if let Some(other) = fields
            .keys()
            .find(|name| !ENVELOPE.contains(&name.as_str()) && !BODY.contains(&name.as_str()))
        {
            return Err(Refusal::content(format!(
                "Could not find member '{other}' on object of type 'TemplateResource'. Path 'properties.template.resources.{symbol}.{other}'"
            )));
        }
        let text = |name: &str| {
            fields.get(name).and_then(Value::as_str).filter(|text| !text.is_empty()).ok_or_else(|| {
                Refusal::template(format!(
                    "The template resource '{symbol}' is not valid. The '{name}' property is required. Please see https://aka.ms/arm-syntax-resources for usage details."
                ))
            })
        };
        let kind = text("type")?;
        let api_version = text("apiVersion")?;
        let name = known(text("name")?, place)?;
        if kind.split('/').count() != name.split('/').count() + 1 {
            return Err(Refusal::template(format!(
                "The template resource '{symbol}' for type '{kind}' has incorrect segment lengths. A nested resource type must have identical number of segments as its resource name. A root resource type must have segment length one greater than its resource name. Please see https://aka.ms/arm-syntax-resources for usage details."
            )));
        }
        let scope = match fields.get("scope").and_then(Value::as_str) {
            None => id::group_id(&place.subscription, &place.group),
            Some(scope) => scope_id(symbol, &known(scope, place)?, place)?,
        };
        let (namespace, types) = kind.split_once('/').unwrap_or((kind, ""));
        let mut path = format!("{scope}/providers/{namespace}");
        for (one, part) in types.split('/').zip(name.split('/')) {
            path.push_str(&format!("/{one}/{part}"));
        }
        let id = Id::read(&path).ok_or_else(|| {
            Refusal::template(format!(
                "The template resource '{symbol}' has no valid name: '{name}'"
            ))
        })?;
        let mut depends = references_of(symbol, resource, resources)?;
        for one in fields
            .get("dependsOn")
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
        {
            let other = one.as_str().unwrap_or_default();
            if !resources.contains_key(other) {
                return Err(no_such(symbol, other));
            }
            depends.insert(other.to_owned());
        }
        let body = fields
            .iter()
            .filter(|(name, _)| !ENVELOPE.contains(&name.as_str()));
        Ok(Self {
            symbol: symbol.to_owned(),
            kind: kinds::find(kind)?,
            api_version: api_version.to_owned(),
            id,
            body: Value::Object(body.map(|(name, value)| (name.clone(), value.clone())).collect()),
            depends,
            all_depends: BTreeSet::new(),
        })
    }
}

/// A text whose value must be known before anything is made.
fn known(text: &str, place: &Place) -> Outcome<String> {
    match expression::evaluate(&text.into(), place, &nowhere).map_err(invalid)? {
        Value::String(text) => Ok(text),
        other => Err(Refusal::template(format!("{other} is no text"))),
    }
}

/// The id that a resource's `scope` names: a whole id, or a type with names, one after the other, below the group.
fn scope_id(symbol: &str, scope: &str, place: &Place) -> Outcome<String> {
    let id = if scope.starts_with('/') {
        scope.to_owned()
    } else {
        format!(
            "{}/providers/{scope}",
            id::group_id(&place.subscription, &place.group)
        )
    };
    if Id::read(&id).is_none() {
        return Err(Refusal::template(format!(
            "The template resource '{symbol}' has an invalid scope: '{scope}'"
        )));
    }
    Ok(id)
}
