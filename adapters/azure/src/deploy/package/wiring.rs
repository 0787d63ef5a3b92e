//! `nephos.json`: what our host has to know of the function.

use std::collections::BTreeMap;

use nephos_core::app::{FunctionSpec, Resource, Trigger};
use nephos_core::wiring::PHYSICAL;
use nephos_core::{Error, ErrorKind, Result};
use serde_json::{Map, Value, json};

use crate::deploy::template::layout::{Layout, Site};
use crate::deploy::template::trigger::trigger_name;

/// The document.
pub(super) fn document(
    layout: &Layout<'_>,
    function: &str,
    spec: &FunctionSpec,
    site: &Site<'_>,
) -> Result<Value> {
    let mut wiring = layout.app.wiring(function).unwrap_or_default();
    for binding in &mut wiring.bindings {
        if binding.url.is_none() {
            let physical = layout.physical(&binding.name)?;
            binding.properties.insert(PHYSICAL.to_owned(), physical);
        }
    }
    for trigger in &spec.on {
        if let Some((name, source)) = source(layout, trigger)? {
            wiring.sources.insert(source, name.to_owned());
        }
    }
    if spec.has_dead_letters() {
        wiring.dead_letter = Some(layout.queue_address(&spec.dead_letter));
    }
    let own = site
        .triggers
        .iter()
        .filter_map(|trigger| Some((trigger.name.clone(), trigger.spec?)));
    let callers = site
        .callers
        .iter()
        .map(|trigger| (trigger_name(trigger), *trigger));
    let triggers: BTreeMap<String, &Trigger> = own.chain(callers).collect();
    let mut document = json!({
        "wiring": value(&wiring)?,
        "triggers": value(&triggers)?,
        "forwarding": site.forwarding(),
    });
    let callers = callers_of(layout, site)?;
    if let (false, Value::Object(document)) = (callers.is_empty(), &mut document) {
        document.insert("callers".to_owned(), callers.into());
    }
    Ok(document)
}

/// What a trigger watches, by the name under which events have it: of a bucket its container's, of all else its address.
fn source<'a>(layout: &Layout<'_>, trigger: &'a Trigger) -> Result<Option<(&'a str, String)>> {
    let Some(name) = trigger.resource() else {
        return Ok(None);
    };
    Ok(match layout.resource(name)? {
        Resource::Bucket(bucket) if bucket.url.is_some() => None,
        Resource::Bucket(_) => Some((name, layout.container(name))),
        _ => Some((name, layout.physical(name)?)),
    })
}

/// By what those who call over HTTP prove who they are.
fn callers_of(layout: &Layout<'_>, site: &Site<'_>) -> Result<Map<String, Value>> {
    let settings = layout.settings;
    let mut callers = Map::new();
    let mut skills = Map::new();
    for trigger in &site.callers {
        match trigger {
            Trigger::Email { .. } => {
                if let Some(secret) = &settings.mail_secret {
                    let mail = json!({"form": settings.mail_form.name(), "secret": layout.physical(secret)?});
                    callers.insert("mail".to_owned(), mail);
                }
            }
            Trigger::Auth { .. } => {
                let auth = json!({"tenant": settings.auth_tenant, "app": settings.auth_app});
                callers.insert("auth".to_owned(), auth);
            }
            Trigger::Voice { skill } => {
                if let Some(id) = settings.skills.get(skill) {
                    skills.insert(skill.clone(), id.as_str().into());
                }
            }
            _ => {}
        }
    }
    if !skills.is_empty() {
        callers.insert("skills".to_owned(), skills.into());
    }
    Ok(callers)
}

fn value(document: &impl serde::Serialize) -> Result<Value> {
    serde_json::to_value(document).map_err(|error| {
        Error::new(
            ErrorKind::Internal,
            "deploy.render",
            "the function's wiring cannot be written as JSON",
        )
        .caused_by(error)
    })
}
