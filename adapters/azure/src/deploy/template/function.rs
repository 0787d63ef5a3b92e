//! A function: its identity, what that may do, its sites and their plans.

use nephos_core::app::{FunctionSpec, Isolation, Trigger};
use nephos_core::plan::Part;
use nephos_core::{ErrorKind, Result};
use serde_json::{Map, Value, json};

use super::body::{Body, Resource};
use super::layout::{Layout, Site};
use super::role::{self, Grants};
use super::trigger::Source;
use super::value::{expression, resource_id};
use super::{api, environment, name, observe, seconds};
use crate::deploy::refused;
use crate::deploy::settings::{HTTP_CONCURRENCY, INSTANCES};
use crate::package::{ENTRA, HTTP};

const MIB: u64 = 1 << 20;
/// The sizes of an instance in MiB, the files it can hold besides, and how long a caller over HTTP is waited for:
/// <https://learn.microsoft.com/azure/azure-functions/flex-consumption-plan#instance-sizes>,
/// <https://learn.microsoft.com/azure/azure-functions/functions-scale>.
const MEMORY: [u64; 3] = [512, 2048, 4096];
const STORAGE_MIB: u64 = 800;
const HTTP_TIMEOUT: u64 = 230;
/// The runtime of a program of one's own, and its only version.
const RUNTIME: (&str, &str) = ("custom", "1.0");

/// Adds the function and what belongs to it.
pub(super) fn add(
    layout: &Layout<'_>,
    body: &mut Body,
    function: &str,
    spec: &FunctionSpec,
    grants: &Grants,
) -> Result<()> {
    if spec.isolation == Isolation::Invocation {
        return Err(refused(
            ErrorKind::Unsupported,
            "Azure keeps no process for one invocation only; leave out isolation = \"invocation\" on this target",
        )
        .with("function", function));
    }
    notes(layout, body, function, spec);
    let part = Part::Function {
        name: function.to_owned(),
    };
    let identity = name::id("Identity", function);
    body.add(
        &identity,
        Resource::new(
            &api::IDENTITY,
            layout.identity_name(function),
            "identity",
            part.clone(),
        )
        .properties(json!({})),
    )?;
    let mut before = role::add(layout, body, function, &identity, grants)?;
    before.extend([identity.clone(), observe::INSIGHTS.to_owned()]);
    let memory = memory(body, function, spec)?;
    for one in layout.sites_of(function) {
        site(layout, body, one, spec, &identity, memory, &before)?;
    }
    Ok(())
}

/// One site with its plan, which no other can be in: <https://learn.microsoft.com/azure/azure-functions/flex-consumption-plan>.
fn site(
    layout: &Layout<'_>,
    body: &mut Body,
    site: &Site<'_>,
    spec: &FunctionSpec,
    identity: &str,
    memory: u64,
    before: &[String],
) -> Result<()> {
    let part = Part::Function {
        name: site.function.to_owned(),
    };
    let plan = name::id("Plan", &site.label);
    body.add(
        &plan,
        Resource::new(&api::PLAN, layout.plan_name(site), "plan", part.clone())
            .with("kind", "functionapp".into())
            .with("sku", json!({"name": "FC1", "tier": "FlexConsumption"}))
            .properties(json!({"reserved": true})),
    )?;
    let own_id = format!(
        "[{}]",
        resource_id(api::IDENTITY.name, &[&layout.identity_name(site.function)])
    );
    let properties = json!({
        "serverFarmId": expression(resource_id(api::PLAN.name, &[&layout.plan_name(site)])),
        "httpsOnly": true,
        "functionAppConfig": {
            "deployment": {"storage": {
                "type": "blobContainer",
                "value": format!("https://{}.blob.core.windows.net/{}", layout.storage(), layout.code_container(site)),
                "authentication": {"type": "UserAssignedIdentity", "userAssignedIdentityResourceId": own_id},
            }},
            "runtime": {"name": RUNTIME.0, "version": RUNTIME.1},
            "scaleAndConcurrency": scale(layout, site, spec, memory)?,
        },
        "siteConfig": {
            "appSettings": environment::of(layout, site, spec, identity)?,
            "minTlsVersion": "1.2",
        },
    });
    let signs_in = |trigger: &&Trigger| matches!(trigger, Trigger::Auth { .. });
    if site.callers.iter().any(signs_in) {
        authentication(layout, body, site, part.clone())?;
    }
    body.add(
        &name::id("Function", &site.label),
        Resource::new(&api::SITE, layout.site_name(site), "function", part)
            .with("kind", "functionapp,linux".into())
            .with(
                "identity",
                json!({"type": "UserAssigned", "userAssignedIdentities": {own_id: {}}}),
            )
            .after(
                before
                    .iter()
                    .cloned()
                    .chain([plan, name::id("Code", &site.label)]),
            )
            .properties(properties),
    )
}

/// The site's own check of tokens, before a request comes to the function: who calls for a step of sign-in is Entra, which brings one for the app registration. A
/// request without a token passes, as other callers have other proofs; the function's host holds that a step's has one.
/// <https://learn.microsoft.com/azure/app-service/configure-authentication-file-based>
fn authentication(layout: &Layout<'_>, body: &mut Body, site: &Site<'_>, part: Part) -> Result<()> {
    let (Some(tenant), Some(app)) = (&layout.settings.auth_tenant, &layout.settings.auth_app) else {
        return Ok(());
    };
    let name = format!("{}/authsettingsV2", layout.site_name(site));
    body.add(
        &name::id("Authentication", &site.label),
        Resource::new(&api::SITE_CONFIG, name, "authentication", part)
            .after([name::id("Function", &site.label)])
            .properties(json!({
                "platform": {"enabled": true},
                "globalValidation": {"unauthenticatedClientAction": "AllowAnonymous"},
                "identityProviders": {"azureActiveDirectory": {
                    "enabled": true,
                    "registration": {
                        "clientId": app,
                        "openIdIssuer": format!("https://login.microsoftonline.com/{tenant}/v2.0"),
                    },
                    "validation": {
                        "allowedAudiences": [app],
                        "defaultAuthorizationPolicy": {"allowedApplications": [ENTRA]},
                    },
                }},
                "login": {"tokenStore": {"enabled": false}},
            })),
    )
}

fn scale(layout: &Layout<'_>, site: &Site<'_>, spec: &FunctionSpec, memory: u64) -> Result<Value> {
    let function = site.function;
    let instances = layout.settings.max_instances.unwrap_or(spec.max_instances);
    if !INSTANCES.contains(&instances) {
        return Err(refused(
            ErrorKind::InvalidArgument,
            "the function asks for more instances than Flex Consumption gives",
        )
        .with("function", function)
        .with("max_instances", instances)
        .with("most", INSTANCES.end()));
    }
    let mut scale = Map::new();
    scale.insert("instanceMemoryMB".to_owned(), memory.into());
    scale.insert("maximumInstanceCount".to_owned(), instances.into());
    if let Some(count) = layout.settings.always_ready.get(function) {
        // Requests are a group of their own, every other trigger is one for itself.
        let groups: Vec<Value> = (site.triggers.iter())
            .map(|trigger| {
                let group = match trigger.source {
                    Source::Http => "http".to_owned(),
                    _ => format!("function:{}", trigger.name),
                };
                json!({"name": group, "instanceCount": count})
            })
            .collect();
        scale.insert("alwaysReady".to_owned(), groups.into());
    }
    if site.triggers.iter().any(|trigger| trigger.name == HTTP) {
        let most = layout.settings.http_concurrency.unwrap_or(spec.concurrency);
        let most = most.clamp(*HTTP_CONCURRENCY.start(), *HTTP_CONCURRENCY.end());
        scale.insert(
            "triggers".to_owned(),
            json!({"http": {"perInstanceConcurrency": most}}),
        );
    }
    Ok(scale.into())
}

/// Whether a function asks for less than the smallest instance.
pub(super) fn is_below_smallest(spec: &FunctionSpec) -> bool {
    spec.memory.div_ceil(MIB) < MEMORY[0]
}

/// The smallest instance that holds it.
fn memory(body: &mut Body, function: &str, spec: &FunctionSpec) -> Result<u64> {
    let wanted = spec.memory.div_ceil(MIB);
    let Some(given) = MEMORY.into_iter().find(|size| wanted <= *size) else {
        return Err(refused(
            ErrorKind::InvalidArgument,
            "the function asks for more memory than Flex Consumption gives",
        )
        .with("function", function)
        .with("memory_mib", wanted)
        .with("max_memory_mib", MEMORY.last().copied().unwrap_or_default()));
    };
    // That all have the smallest at least is said once.
    if given != wanted && !is_below_smallest(spec) {
        body.note(format!(
            "function `{function}` gets instances of {given} MiB, not {wanted}: Flex Consumption has 512, 2048 and 4096, and the Functions host takes its part of them"
        ));
    }
    let storage = spec.ephemeral_storage.map_or(0, |bytes| bytes.div_ceil(MIB));
    if storage > STORAGE_MIB {
        return Err(refused(
            ErrorKind::InvalidArgument,
            "the function asks for more space for temporary files than Flex Consumption gives",
        )
        .with("function", function)
        .with("ephemeral_storage_mib", storage)
        .with("max_ephemeral_storage_mib", STORAGE_MIB));
    }
    Ok(given)
}

/// What will be otherwise than the manifest says.
fn notes(layout: &Layout<'_>, body: &mut Body, function: &str, spec: &FunctionSpec) {
    if layout.sites_of(function).count() > 1 {
        body.note(format!(
            "function `{function}` is called by requests and by something else, so it gets two sites of the same code, each with instances of its own: what one keeps in memory, the other does not see"
        ));
    }
    for trigger in &spec.on {
        match trigger {
            Trigger::Queue { queue, batch } if *batch > 1 => body.note(format!(
                "function `{function}` is called with one message of queue `{queue}` at a time, not {batch}: the Functions host hands single messages to a program"
            )),
            Trigger::Bucket { bucket, .. } => {
                if let Some(nephos_core::app::Resource::Bucket(spec)) = layout.app.resources.get(bucket)
                    && let Some(url) = &spec.url
                {
                    body.note(format!(
                        "function `{function}` is not called for objects of bucket `{bucket}`: Azure is not told what happens in {url}"
                    ));
                }
            }
            Trigger::Table { table, .. } => body.note(format!(
                "function `{function}` is told what an item of table `{table}` is now, not what it was, and of several changes in a row perhaps only the last; it is not told of items that expire or are removed: so is the change feed of Cosmos DB"
            )),
            Trigger::Http { path, .. } if seconds(spec.timeout) > HTTP_TIMEOUT => body.note(format!(
                "function `{function}`: callers of {path} are answered with an error after {HTTP_TIMEOUT} s, though the function may take {} s",
                seconds(spec.timeout)
            )),
            _ => {}
        }
    }
}
