//! The variables of a function's container: who it is, what it may use and how its events come, and its own.

use std::collections::BTreeMap;

use nephos_core::app::{FunctionSpec, Resource, Trigger};
use nephos_core::event::AuthStage;
use nephos_core::wiring::PHYSICAL;
use nephos_core::{Error, ErrorKind, Result, env};
use serde_json::{Value, json};

use super::layout::Layout;
use crate::config::PROJECT;
use crate::deploy::refused;
use crate::resources::queue::ORDERED;
use crate::wiring::{AUTH_PATH, AuthCaller, Caller, Callers, MailCaller, Service, Source};

/// What Cloud Run sets itself: <https://cloud.google.com/run/docs/container-contract#env-vars>; and what the function's host reads.
const RESERVED_NAMES: [&str; 5] = ["K_CONFIGURATION", "K_REVISION", "K_SERVICE", "PORT", PROJECT];
const RESERVED: [&str; 3] = ["CLOUD_RUN_", "NEPHOS", "X_GOOGLE_"];
/// The longest variable: <https://cloud.google.com/run/quotas>.
const MAX_BYTES: usize = 32 << 10;

/// The variables, as the list that a container takes.
pub(super) fn of(layout: &Layout<'_>, function: &str, spec: &FunctionSpec) -> Result<Value> {
    let mut variables: BTreeMap<&str, String> = BTreeMap::new();
    for (name, value) in &spec.env {
        check_name(function, name)?;
        variables.insert(name, value.clone());
    }
    let told = serde_json::to_string(&wiring(layout, function, spec)?).map_err(|error| {
        Error::new(
            ErrorKind::Internal,
            "deploy.render",
            "what the function is told cannot be written as JSON",
        )
        .caused_by(error)
    })?;
    variables.extend([
        (env::FUNCTION, function.to_owned()),
        (env::APP, layout.app.name.clone()),
        (env::TARGET, layout.target.to_owned()),
        (env::WIRING, told),
        (PROJECT, layout.project.clone()),
    ]);
    if let Some((name, value)) = variables.iter().find(|(_, value)| value.len() > MAX_BYTES) {
        return Err(refused(
            ErrorKind::ResourceExhausted,
            "a variable is longer than Cloud Run takes; of the one that tells what the function uses and is called by, split the function into several",
        )
        .with("function", function)
        .with("variable", name)
        .with("bytes", value.len())
        .with("max_bytes", MAX_BYTES));
    }
    let list: Vec<Value> = variables
        .into_iter()
        .map(|(name, value)| json!({"name": name, "value": value}))
        .collect();
    Ok(list.into())
}

fn check_name(function: &str, name: &str) -> Result<()> {
    let form = !name.starts_with(|letter: char| letter.is_ascii_digit())
        && !name.is_empty()
        && (name.bytes()).all(|letter| letter.is_ascii_alphanumeric() || b"_-.".contains(&letter));
    let reserved =
        RESERVED_NAMES.contains(&name) || RESERVED.iter().any(|reserved| name.starts_with(reserved));
    if form && !reserved {
        return Ok(());
    }
    let message = if reserved {
        "Cloud Run or Nephos keeps this variable for itself; choose another name"
    } else {
        "Cloud Run takes variables of letters, digits and `_`, `-` and `.`, that do not begin with a digit"
    };
    Err(refused(ErrorKind::InvalidArgument, message)
        .with("function", function)
        .with("variable", name))
}

/// What the function's host reads.
fn wiring(layout: &Layout<'_>, function: &str, spec: &FunctionSpec) -> Result<Service> {
    let mut wiring = layout.app.wiring(function).unwrap_or_default();
    for binding in &mut wiring.bindings {
        if binding.url.is_some() {
            continue;
        }
        let physical = layout.physical(&binding.name)?;
        binding.properties.insert(PHYSICAL.to_owned(), physical);
        if let Resource::Queue(queue) = layout.resource(&binding.name)?
            && queue.ordered
        {
            binding.properties.insert(ORDERED.to_owned(), "true".to_owned());
        }
    }
    for trigger in &spec.on {
        if let Some((name, source)) = source(layout, trigger)? {
            wiring.sources.insert(source, name.to_owned());
        }
    }
    if spec.has_dead_letters() {
        wiring.dead_letter = Some(layout.topic(&spec.dead_letter));
    }
    let caller = match layout.is_public(function) {
        true => Caller::Token {
            audience: layout.url(function),
            email: layout.caller(),
        },
        false => Caller::Platform,
    };
    let events = layout
        .calls(function)
        .into_iter()
        .flat_map(|called| &called.events);
    let triggers = events.map(|event| {
        let source = Source {
            trigger: event.trigger.clone(),
            by: event.source.form(),
            caller: caller.clone(),
        };
        (event.name.clone(), source)
    });
    Ok(Service {
        triggers: triggers.collect(),
        callers: callers(layout, function),
        wiring,
    })
}

/// What a trigger watches, by the name under which events have it: of a bucket its own, of a skill its id, of all else the path tells it.
fn source<'a>(layout: &Layout<'_>, trigger: &'a Trigger) -> Result<Option<(&'a str, String)>> {
    Ok(match trigger {
        Trigger::Voice { skill } => {
            let id = layout.settings.skills.get(skill);
            id.map(|id| (skill.as_str(), id.clone()))
        }
        Trigger::Bucket { bucket, .. } => match layout.resource(bucket)? {
            Resource::Bucket(spec) if spec.url.is_none() => Some((bucket, layout.bucket(bucket)?)),
            _ => None,
        },
        _ => None,
    })
}

/// By what those who wait for an answer prove who they are.
fn callers(layout: &Layout<'_>, function: &str) -> Callers {
    let mut callers = Callers::default();
    let mut stages: Vec<AuthStage> = Vec::new();
    for trigger in layout
        .calls(function)
        .into_iter()
        .flat_map(|called| &called.callers)
    {
        match trigger {
            Trigger::Email { address } => {
                callers.addresses.push(address.clone());
                callers.mail = layout.settings.mail_secret.as_ref().map(|secret| MailCaller {
                    secret: match layout.app.resources.contains_key(secret) {
                        true => layout.secret(secret),
                        // The full name of one that exists already.
                        false => secret.clone(),
                    },
                });
            }
            Trigger::Auth { stage } => stages.push(stage.clone()),
            Trigger::Voice { skill } => callers.skills.push(skill.clone()),
            _ => {}
        }
    }
    if !stages.is_empty() {
        let url = layout.url(function);
        callers.auth = Some(AuthCaller {
            project: layout.project.clone(),
            // The token is for the URL by which the step is registered.
            audiences: (stages.iter())
                .map(|stage| format!("{url}{AUTH_PATH}{}", stage.name()))
                .collect(),
            stages,
        });
    }
    callers
}
