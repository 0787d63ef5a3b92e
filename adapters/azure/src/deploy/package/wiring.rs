//! `nephos.json`: what our host has to know of the function.

use nephos_core::app::{FunctionSpec, Resource, Trigger};
use nephos_core::wiring::PHYSICAL;
use nephos_core::{Error, ErrorKind, Result};
use serde_json::Value;

use crate::deploy::template::layout::{Layout, Site};
use crate::deploy::template::trigger::trigger_name;
use crate::package::{AuthCaller, Callers, HTTP, MailCaller, Package};

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
    if !site.triggers.iter().any(|trigger| trigger.name == HTTP) {
        wiring.routes.clear();
    }
    if spec.has_dead_letters() {
        wiring.dead_letter = Some(layout.queue_address(&spec.dead_letter));
    }
    let own =
        (site.triggers.iter()).filter_map(|trigger| Some((trigger.name.clone(), trigger.spec?.clone())));
    let callers = (site.callers.iter()).map(|trigger| (trigger_name(trigger), (*trigger).clone()));
    let package = Package {
        triggers: own.chain(callers).collect(),
        forwarding: site.forwarding(),
        callers: callers_of(layout, site)?,
        wiring,
    };
    serde_json::to_value(&package).map_err(|error| {
        Error::new(
            ErrorKind::Internal,
            "deploy.render",
            "the function's package cannot be described as JSON",
        )
        .caused_by(error)
    })
}

/// What a trigger watches, by the name under which events have it: of a bucket its container's, of a skill its id, of all else its address.
fn source<'a>(layout: &Layout<'_>, trigger: &'a Trigger) -> Result<Option<(&'a str, String)>> {
    if let Trigger::Voice { skill } = trigger {
        let id = layout.settings.skills.get(skill);
        return Ok(id.map(|id| (skill.as_str(), id.clone())));
    }
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
fn callers_of(layout: &Layout<'_>, site: &Site<'_>) -> Result<Callers> {
    let settings = layout.settings;
    let mut callers = Callers::default();
    for trigger in &site.callers {
        match trigger {
            Trigger::Email { .. } => {
                if let Some(secret) = &settings.mail_secret {
                    callers.mail = Some(MailCaller {
                        secret: match layout.app.resources.contains_key(secret) {
                            true => layout.physical(secret)?,
                            // The address of one that exists already.
                            false => secret.clone(),
                        },
                    });
                }
            }
            Trigger::Auth { .. } => {
                callers.auth = Some(AuthCaller {
                    tenant: settings.auth_tenant.clone().unwrap_or_default(),
                    app: settings.auth_app.clone().unwrap_or_default(),
                });
            }
            _ => {}
        }
    }
    Ok(callers)
}
