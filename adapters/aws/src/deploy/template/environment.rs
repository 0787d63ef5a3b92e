//! The function's environment: who it is, what it may use, what calls it.

use std::collections::BTreeMap;

use nephos_core::app::{FunctionSpec, Resource, Trigger};
use nephos_core::env;
use nephos_core::wiring::PHYSICAL;
use nephos_core::{Error, ErrorKind, Result};
use serde_json::{Map, Value, json};

use super::layout::Layout;
use super::value::{literal, literal_json, sub};
use super::{layout, mail};
use crate::deploy::settings::HttpFront;
use crate::variables::{MAIL, STREAMING};

/// All names and values together: <https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html>.
const MAX_BYTES: usize = 4096;
/// Names that Lambda keeps for itself, besides those that begin with `AWS_LAMBDA_`:
/// <https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html>.
const RESERVED: [&str; 11] = [
    "_HANDLER",
    "_X_AMZN_TRACE_ID",
    "AWS_DEFAULT_REGION",
    "AWS_REGION",
    "AWS_EXECUTION_ENV",
    "AWS_ACCESS_KEY",
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "LAMBDA_TASK_ROOT",
    "LAMBDA_RUNTIME_DIR",
];

/// The variables, each as a value of the template.
pub(super) fn of(layout: &Layout<'_>, function: &str, spec: &FunctionSpec) -> Result<Value> {
    let mut texts: BTreeMap<&str, String> = BTreeMap::new();
    for (name, value) in &spec.env {
        check_name(function, name)?;
        texts.insert(name, literal(value));
    }
    texts.insert(env::FUNCTION, literal(function));
    texts.insert(env::APP, literal(&layout.app.name));
    texts.insert(env::TARGET, literal(layout.target));
    let wiring = wiring(layout, function, spec)?;
    if wiring != "{}" {
        texts.insert(env::WIRING, wiring);
    }
    let has_routes = spec
        .on
        .iter()
        .any(|trigger| matches!(trigger, Trigger::Http { .. }));
    if has_routes && layout.settings.http == HttpFront::FunctionUrl && layout.settings.response_streaming {
        texts.insert(STREAMING, "1".to_owned());
    }
    if spec
        .on
        .iter()
        .any(|trigger| matches!(trigger, Trigger::Email { .. }))
    {
        texts.insert(MAIL, format!("{}/{}", mail::bucket_name(layout)?, mail::PREFIX));
    }
    let bytes: usize = texts
        .iter()
        .map(|(name, text)| name.len() + least_bytes(text))
        .sum();
    if bytes > MAX_BYTES {
        return Err(Error::new(
            ErrorKind::ResourceExhausted,
            "deploy.render",
            "the function's environment is larger than Lambda takes; let it use fewer resources, or shorten its own variables",
        )
        .with("function", function)
        .with("bytes_at_least", bytes)
        .with("max_bytes", MAX_BYTES));
    }
    let variables: Map<String, Value> = texts
        .into_iter()
        .map(|(name, text)| (name.to_owned(), sub(text)))
        .collect();
    Ok(variables.into())
}

fn check_name(function: &str, name: &str) -> Result<()> {
    let form = name.len() >= 2
        && name.starts_with(|letter: char| letter.is_ascii_alphabetic())
        && name
            .bytes()
            .all(|letter| letter.is_ascii_alphanumeric() || letter == b'_');
    let reserved = RESERVED.contains(&name) || name.starts_with("AWS_LAMBDA_");
    if form && !reserved {
        return Ok(());
    }
    let message = if reserved {
        "Lambda keeps this variable for itself; choose another name"
    } else {
        "Lambda takes variables of two or more letters, digits and underscores that begin with a letter"
    };
    Err(Error::new(ErrorKind::InvalidArgument, "deploy.render", message)
        .with("function", function)
        .with("variable", name))
}

/// What the function is told of its resources and triggers, with the names that CloudFormation fills in. Time-out and tries are Lambda's own settings.
fn wiring(layout: &Layout<'_>, function: &str, spec: &FunctionSpec) -> Result<String> {
    let mut wiring = layout.app.wiring(function).unwrap_or_default();
    wiring.timeout = None;
    wiring.retry = None;
    // An API has matched the route already.
    if layout.settings.http != HttpFront::FunctionUrl {
        wiring.routes.clear();
    }
    let mut value = serde_json::to_value(&wiring).map_err(|error| {
        Error::new(
            ErrorKind::Internal,
            "deploy.render",
            "what the function is told cannot be written as JSON",
        )
        .caused_by(error)
    })?;
    literal_json(&mut value);
    // The names that AWS makes hold nothing that JSON would escape.
    for (index, binding) in wiring.bindings.iter().enumerate() {
        if binding.url.is_none()
            && let Some(Value::Object(table)) = value.pointer_mut(&format!("/bindings/{index}"))
            && let Value::Object(properties) = table.entry("properties").or_insert_with(|| json!({}))
        {
            properties.insert(PHYSICAL.to_owned(), layout.physical(&binding.name)?.into());
        }
    }
    let sources = sources(layout, spec)?;
    if let Value::Object(told) = &mut value {
        if !sources.is_empty() {
            told.insert("sources".to_owned(), sources.into());
        }
        if spec.has_dead_letters() {
            told.insert(
                "dead_letter".to_owned(),
                layout.physical(&spec.dead_letter)?.into(),
            );
        }
    }
    Ok(value.to_string())
}

/// What the function's triggers watch, by their names on AWS. Schedules are not among them: their ticks say themselves what they are.
fn sources(layout: &Layout<'_>, spec: &FunctionSpec) -> Result<Map<String, Value>> {
    let mut sources = Map::new();
    for trigger in &spec.on {
        let Some(name) = trigger.resource() else { continue };
        let key = match layout.resource(name)? {
            Resource::Bucket(bucket) if bucket.url.is_some() => continue,
            Resource::Bucket(_) => layout.bucket_name(name)?,
            _ => layout.arn(name)?,
        };
        sources.insert(key, literal(name).into());
    }
    Ok(sources)
}

/// How long a text is at least once it is filled in: of what is filled in only the account's and region's length is known, and the shortest
/// name that the other things have.
fn least_bytes(text: &str) -> usize {
    const ACCOUNT: &str = "${AWS::AccountId}";
    const SHORTEST: usize = 20;
    let mut bytes = 0;
    let mut rest = text;
    while let Some(at) = rest.find("${") {
        bytes += at;
        let (_, after) = rest.split_at(at);
        let end = after.find('}').map_or(after.len(), |end| end + 1);
        let (variable, tail) = after.split_at(end);
        bytes += match variable {
            ACCOUNT => 12,
            "${AWS::Region}" => 9,
            "${AWS::Partition}" => 3,
            _ if variable.starts_with("${!") => variable.len() - 1,
            _ => SHORTEST,
        };
        rest = tail;
    }
    bytes + rest.len()
}

/// What belongs to the function's published version and is not in its own properties: whatever makes CloudFormation replace a resource gives
/// it another name, which the function's variables then hold.
pub(super) fn replaced_with(layout: &Layout<'_>, spec: &FunctionSpec) -> Vec<String> {
    let watched = spec.on.iter().filter_map(Trigger::resource);
    let mut names: Vec<&str> = spec
        .uses
        .keys()
        .map(String::as_str)
        .chain(watched)
        .chain([spec.dead_letter.as_str()])
        .collect();
    names.sort_unstable();
    names.dedup();
    names
        .into_iter()
        .filter_map(|name| {
            let resource = layout.app.resources.get(name)?;
            let immutable = match resource {
                Resource::Queue(_) => layout
                    .queues
                    .get(name)
                    .is_some_and(|queue| queue.ordered)
                    .to_string(),
                Resource::Table(table) => {
                    format!(
                        "{}/{}",
                        table.schema.key,
                        table.schema.sort.as_deref().unwrap_or_default()
                    )
                }
                _ => String::new(),
            };
            Some(format!("{}={immutable}", layout::resource_id(resource, name)))
        })
        .collect()
}
