//! A function: its role, log group, the function itself, its published version, and the alias `live` that everything calls.

use std::time::Duration;

use nephos_core::app::{FunctionSpec, Isolation, Trigger};
use nephos_core::deploy::merge;
use nephos_core::{Error, ErrorKind, Result};
use serde_json::{Value, json};

use super::body::{Body, Resource};
use super::layout::{Layout, is_asynchronous};
use super::value::{attribute, reference, sub};
use super::{environment, name, policy};
use crate::deploy::settings::Reserve;

/// The alias that all triggers call. A deployment moves it; what is under way ends on the version that it began on.
pub const ALIAS: &str = "live";

const MIB: u64 = 1 << 20;
/// Memory in MiB, time in seconds: <https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html>.
const MIN_MEMORY: u64 = 128;
const MAX_MEMORY: u64 = 10_240;
const MAX_TIMEOUT: u64 = 900;
/// `/tmp` in MiB, the smallest and the largest: <https://docs.aws.amazon.com/lambda/latest/dg/configuration-ephemeral-storage.html>.
const MIN_EPHEMERAL_STORAGE: u64 = 512;
const MAX_EPHEMERAL_STORAGE: u64 = 10_240;
/// Retries of an asynchronous event: <https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-configuring.html>.
const MAX_RETRIES: u32 = 2;
/// The manifest's default of `max_instances`.
const DEFAULT_INSTANCES: u32 = 10;

/// The logical id of the function's alias; its `Ref` is what triggers call.
pub(super) fn alias_id(function: &str) -> String {
    name::id("Live", function)
}

/// Adds the function and what belongs to it, its triggers aside.
pub(super) fn add(layout: &Layout<'_>, body: &mut Body, function: &str, spec: &FunctionSpec) -> Result<()> {
    if spec.isolation == Isolation::Invocation {
        return Err(Error::new(
            ErrorKind::Unsupported,
            "deploy.render",
            "Lambda keeps no process for one invocation only; leave out isolation = \"invocation\" on this target",
        )
        .with("function", function));
    }
    let role = name::id("Role", function);
    let logs = name::id("Logs", function);
    let id = name::id("Function", function);
    let physical = layout.function_name(function);
    let retention = layout.settings.log_retention_days;
    body.add(
        &logs,
        Resource::new(
            "AWS::Logs::LogGroup",
            "logs",
            function,
            json!({"LogGroupName": format!("/aws/lambda/{physical}"), "RetentionInDays": retention}),
        ),
    )?;
    let mut properties = json!({
        "AssumeRolePolicyDocument": trust("lambda.amazonaws.com", None),
        "Policies": [{"PolicyName": "nephos", "PolicyDocument": policy::of(layout, function, spec)?.document()}],
    });
    bound(layout, &mut properties);
    body.add(
        &role,
        Resource::new("AWS::IAM::Role", "role", function, properties),
    )?;

    let mut properties = json!({
        "FunctionName": physical,
        "Runtime": "provided.al2023",
        "Handler": "bootstrap",
        "Architectures": [layout.settings.architecture.name()],
        "Code": {"S3Bucket": layout.code.bucket, "S3Key": layout.code.key},
        "Role": attribute(&role, "Arn"),
        "MemorySize": memory(body, function, spec)?,
        "Timeout": timeout(function, spec)?,
        "Environment": {"Variables": environment::of(layout, function, spec)?},
        "LoggingConfig": {"LogGroup": reference(&logs)},
    });
    if let Value::Object(table) = &mut properties {
        if let Some(storage) = ephemeral_storage(body, function, spec)? {
            table.insert("EphemeralStorage".to_owned(), json!({ "Size": storage }));
        }
        if layout.settings.tracing {
            table.insert("TracingConfig".to_owned(), json!({"Mode": "Active"}));
        }
        if let Some(reserved) = reserved(layout, body, function, spec) {
            table.insert("ReservedConcurrentExecutions".to_owned(), reserved.into());
        }
    }
    let version = version_id(layout, function, spec, &id, &properties);
    body.add(
        &id,
        Resource::new("AWS::Lambda::Function", "function", function, properties),
    )?;
    body.add(
        &version,
        Resource::new(
            "AWS::Lambda::Version",
            "version",
            function,
            json!({"FunctionName": reference(&id)}),
        )
        // `rollback` goes back to versions whose place in the template another has taken. They go with their function.
        .kept(),
    )?;
    body.add(
        &alias_id(function),
        Resource::new(
            "AWS::Lambda::Alias",
            "alias",
            function,
            json!({"FunctionName": reference(&id), "FunctionVersion": attribute(&version, "Version"), "Name": ALIAS}),
        ),
    )?;
    retries(layout, body, function, spec, &id)
}

/// A version cannot change: a new one is a new resource, so its id follows from all that it holds. Publishing what has not changed is an
/// error ("a version for this Lambda function exists"), so nothing else may be in it.
fn version_id(
    layout: &Layout<'_>,
    function: &str,
    spec: &FunctionSpec,
    id: &str,
    properties: &Value,
) -> String {
    let mut versioned = properties.clone();
    if let Some(patch) = layout
        .settings
        .overrides
        .pointer(&format!("/Resources/{id}/Properties"))
    {
        merge::patch(&mut versioned, patch);
    }
    if let Value::Object(table) = &mut versioned {
        // These belong to the function, not to its versions.
        for key in ["ReservedConcurrentExecutions", "RecursiveLoop", "Tags"] {
            table.remove(key);
        }
    }
    // Where the code lies is no part of it either: its key says what it is.
    if let Some(Value::Object(code)) = versioned.get_mut("Code") {
        code.remove("S3Bucket");
    }
    versioned.sort_all_objects();
    let replaced = environment::replaced_with(layout, spec).join(",");
    let hash = name::short_hash(&[&versioned.to_string(), &replaced]);
    format!("{}{hash}", name::id("Version", function))
}

/// Lambda retries asynchronous events itself, and keeps what failed for good.
fn retries(
    layout: &Layout<'_>,
    body: &mut Body,
    function: &str,
    spec: &FunctionSpec,
    id: &str,
) -> Result<()> {
    if !spec.on.iter().any(is_asynchronous) {
        return Ok(());
    }
    let wanted = spec.retry.attempts.saturating_sub(1);
    if wanted > MAX_RETRIES {
        body.note(format!(
            "function `{function}`: events of buckets, topics, schedules and e-mail are tried {} times, not {}: Lambda retries them twice at most",
            MAX_RETRIES + 1,
            spec.retry.attempts
        ));
    }
    let properties = json!({
        "FunctionName": reference(id),
        "Qualifier": ALIAS,
        "MaximumRetryAttempts": wanted.min(MAX_RETRIES),
        "DestinationConfig": {"OnFailure": {"Destination": sub(layout.arn(&spec.dead_letter)?)}},
    });
    body.add(
        &name::id("Retries", function),
        Resource::new("AWS::Lambda::EventInvokeConfig", "retries", function, properties)
            .after([alias_id(function)]),
    )
}

/// Who may take a role: a service, of the own account only where `account` says how to tell.
pub(super) fn trust(service: &str, account: Option<Value>) -> Value {
    let mut statement =
        json!({"Effect": "Allow", "Principal": {"Service": service}, "Action": "sts:AssumeRole"});
    if let (Some(condition), Value::Object(statement)) = (account, &mut statement) {
        statement.insert("Condition".to_owned(), condition);
    }
    json!({"Version": "2012-10-17", "Statement": [statement]})
}

/// Puts the settings' permissions boundary on a role.
pub(super) fn bound(layout: &Layout<'_>, role: &mut Value) {
    if let (Some(boundary), Value::Object(role)) = (&layout.settings.permissions_boundary, role) {
        role.insert("PermissionsBoundary".to_owned(), boundary.as_str().into());
    }
}

fn memory(body: &mut Body, function: &str, spec: &FunctionSpec) -> Result<u64> {
    let mib = spec.memory.div_ceil(MIB);
    if mib > MAX_MEMORY {
        return Err(Error::new(
            ErrorKind::InvalidArgument,
            "deploy.render",
            "the function asks for more memory than Lambda gives",
        )
        .with("function", function)
        .with("memory_mib", mib)
        .with("max_memory_mib", MAX_MEMORY));
    }
    if mib < MIN_MEMORY {
        body.note(format!(
            "function `{function}` gets {MIN_MEMORY} MiB of memory, not {mib}: Lambda gives no less"
        ));
    }
    Ok(mib.max(MIN_MEMORY))
}

/// In MiB. What Lambda gives anyway is not written, so that a version is no other for it.
fn ephemeral_storage(body: &mut Body, function: &str, spec: &FunctionSpec) -> Result<Option<u64>> {
    let Some(mib) = spec.ephemeral_storage.map(|bytes| bytes.div_ceil(MIB)) else {
        return Ok(None);
    };
    if mib > MAX_EPHEMERAL_STORAGE {
        return Err(Error::new(
            ErrorKind::InvalidArgument,
            "deploy.render",
            "the function asks for more space for temporary files than Lambda gives",
        )
        .with("function", function)
        .with("ephemeral_storage_mib", mib)
        .with("max_ephemeral_storage_mib", MAX_EPHEMERAL_STORAGE));
    }
    if mib < MIN_EPHEMERAL_STORAGE {
        body.note(format!(
            "function `{function}` gets {MIN_EPHEMERAL_STORAGE} MiB for temporary files, not {mib}: Lambda gives no less"
        ));
    }
    Ok((mib > MIN_EPHEMERAL_STORAGE).then_some(mib))
}

fn timeout(function: &str, spec: &FunctionSpec) -> Result<u64> {
    let seconds = seconds(spec.timeout);
    if seconds > MAX_TIMEOUT {
        return Err(Error::new(
            ErrorKind::InvalidArgument,
            "deploy.render",
            "the function asks for more time than Lambda gives",
        )
        .with("function", function)
        .with("timeout_s", seconds)
        .with("max_timeout_s", MAX_TIMEOUT));
    }
    Ok(seconds.max(1))
}

/// Whole seconds, rounded up.
pub(super) fn seconds(duration: Duration) -> u64 {
    duration.as_secs() + u64::from(duration.subsec_nanos() > 0)
}

/// The function's own part of the account's concurrency. Lambda refuses reservations that leave the account less than 100 for all other
/// functions: <https://docs.aws.amazon.com/lambda/latest/dg/configuration-concurrency.html>.
fn reserved(layout: &Layout<'_>, body: &mut Body, function: &str, spec: &FunctionSpec) -> Option<u32> {
    let most = spec.max_instances;
    let reserve = match layout.settings.reserve_concurrency {
        Reserve::Few => most < DEFAULT_INSTANCES,
        Reserve::All => true,
        Reserve::None => false,
    };
    if reserve {
        return Some(most);
    }
    // A queue's mapping holds the limit by itself.
    let others = spec
        .on
        .iter()
        .any(|trigger| !matches!(trigger, Trigger::Queue { .. }));
    if most != DEFAULT_INSTANCES && others {
        body.note(format!(
            "function `{function}` may run more than {most} times at once: no concurrency is reserved for it (reserve_concurrency = \"all\" does)"
        ));
    }
    None
}
