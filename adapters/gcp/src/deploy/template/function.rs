//! A function: its account, its service on Cloud Run, and who may call that.

use nephos_core::app::{FunctionSpec, Isolation, Resource, Trigger};
use nephos_core::plan::Part;
use nephos_core::{ErrorKind, Result};
use serde_json::{Value, json};

use super::body::Body;
use super::layout::{self, Layout};
use super::{GRACE, environment, role, seconds};
use crate::deploy::graph::{Kind, full_name};
use crate::deploy::refused;
use crate::deploy::settings::{CONCURRENCY, INSTANCES};

const MIB: u64 = 1 << 20;
/// The memory of an instance in MiB: <https://cloud.google.com/run/docs/configuring/services/memory-limits>.
const MEMORY: std::ops::RangeInclusive<u64> = 128..=32_768;
/// The least processors of more memory than so many MiB, on the same page; and the least memory of so many processors:
/// <https://cloud.google.com/run/docs/configuring/services/cpu>.
const PROCESSORS_OF: [(u64, u32); 4] = [(24_576, 8), (16_384, 6), (8_192, 4), (4_096, 2)];
const MEMORY_OF: [(u32, u64); 3] = [(4, 2_048), (6, 4_096), (8, 4_096)];
/// The longest request: <https://cloud.google.com/run/docs/configuring/request-timeout>.
const MAX_TIMEOUT: u64 = 3_600;
/// How long a sign-in waits: <https://cloud.google.com/identity-platform/docs/blocking-functions>.
const SIGN_IN_WAITS: u64 = 7;
const INVOKER: &str = "roles/run.invoker";

/// Adds the repository of the image, and the account that calls services with events.
pub(super) fn add_shared(layout: &Layout<'_>, body: &mut Body) -> Result<()> {
    body.add(
        Kind::Repository,
        layout.repository(),
        Part::App,
        json!({"format": "DOCKER"}),
        [],
    )?;
    if layout.has_events() {
        let title = format!("{}: calls functions with events", layout.prefix);
        account(layout, body, &layout.caller(), &title, Part::App)?;
    }
    Ok(())
}

fn account(layout: &Layout<'_>, body: &mut Body, address: &str, title: &str, part: Part) -> Result<String> {
    // The longest there is: https://cloud.google.com/iam/docs/reference/rest/v1/projects.serviceAccounts
    let title: String = title.chars().take(100).collect();
    body.add(
        Kind::Account,
        layout.account_name(address),
        part,
        json!({"displayName": title}),
        [],
    )
}

/// Adds a function and what belongs to it.
pub(super) fn add(layout: &Layout<'_>, body: &mut Body, function: &str, spec: &FunctionSpec) -> Result<()> {
    if spec.isolation == Isolation::Invocation {
        return Err(refused(
            ErrorKind::Unsupported,
            "Cloud Run keeps no process for one invocation only; leave out isolation = \"invocation\" on this target",
        )
        .with("function", function));
    }
    notes(layout, body, function, spec);
    let part = || layout::function(function);
    let address = layout.account(function);
    let title = format!("{}: function {function}", layout.prefix);
    let own = account(layout, body, &address, &title, part())?;
    let mut after = role::add(layout, body, function, spec)?;
    after.insert(own);
    after.insert(full_name(Kind::Repository, &layout.repository()));
    let service = service(layout, function, spec, &address)?;
    let made = body.add(Kind::Service, layout.service(function), part(), service, after)?;
    if layout.is_public(function) {
        body.grant(&made, INVOKER, "allUsers", part());
    }
    if layout
        .calls(function)
        .is_some_and(|called| !called.events.is_empty())
    {
        let caller = format!("serviceAccount:{}", layout.caller());
        body.grant(&made, INVOKER, &caller, part());
    }
    Ok(())
}

fn service(layout: &Layout<'_>, function: &str, spec: &FunctionSpec, address: &str) -> Result<Value> {
    let timeout = seconds(spec.timeout);
    if timeout > MAX_TIMEOUT {
        return Err(refused(
            ErrorKind::InvalidArgument,
            "the function may take longer than Cloud Run lets a request take, an hour; shorten its time-out, or do the work in pieces",
        )
        .with("function", function)
        .with("timeout_s", timeout)
        .with("max_timeout_s", MAX_TIMEOUT));
    }
    let memory = memory(function, spec)?;
    let most = layout.settings.max_instances.unwrap_or(spec.max_instances);
    if !INSTANCES.contains(&most) {
        return Err(refused(
            ErrorKind::InvalidArgument,
            "the function asks for more instances than Cloud Run gives; lower its `max_instances`, or set the target's",
        )
        .with("function", function)
        .with("max_instances", most)
        .with("most", INSTANCES.end()));
    }
    let mut scaling = json!({"maxInstanceCount": most});
    if let Some(least) = layout.settings.min_instances.get(function) {
        if *least > most {
            return Err(refused(
                ErrorKind::InvalidArgument,
                "more instances of the function are to be kept than it may have; lower target's `min_instances`, or raise the function's `max_instances`",
            )
            .with("function", function)
            .with("min_instances", least)
            .with("max_instances", most));
        }
        scaling["minInstanceCount"] = (*least).into();
    }
    let concurrency = layout.settings.concurrency.unwrap_or(spec.concurrency);
    Ok(json!({
        "ingress": "INGRESS_TRAFFIC_ALL",
        "template": {
            "serviceAccount": address,
            // The function's host ends the handler itself, and must still answer.
            "timeout": format!("{}s", (timeout + GRACE).min(MAX_TIMEOUT)),
            "maxInstanceRequestConcurrency": concurrency.clamp(*CONCURRENCY.start(), *CONCURRENCY.end()),
            "scaling": scaling,
            "containers": [{
                "image": layout.image,
                "env": environment::of(layout, function, spec)?,
                "resources": {
                    "limits": {"cpu": processors(layout, function, memory)?.to_string(), "memory": format!("{memory}Mi")},
                    "cpuIdle": true,
                    "startupCpuBoost": true,
                },
            }],
        },
        "traffic": [{"type": "TRAFFIC_TARGET_ALLOCATION_TYPE_LATEST", "percent": 100}],
    }))
}

/// What a function asks for, in MiB, with its temporary files, which are in memory.
fn wanted(spec: &FunctionSpec) -> u64 {
    let storage = spec.ephemeral_storage.map_or(0, |bytes| bytes.div_ceil(MIB));
    spec.memory.div_ceil(MIB) + storage
}

fn memory(function: &str, spec: &FunctionSpec) -> Result<u64> {
    let wanted = wanted(spec);
    if wanted > *MEMORY.end() {
        return Err(refused(
            ErrorKind::InvalidArgument,
            "the function asks for more memory than Cloud Run gives, its temporary files counted, which are in memory there; lower `memory` or `ephemeral_storage`",
        )
        .with("function", function)
        .with("memory_mib", wanted)
        .with("max_memory_mib", MEMORY.end()));
    }
    Ok(wanted.max(*MEMORY.start()))
}

/// As many as the settings say, or the memory needs.
fn processors(layout: &Layout<'_>, function: &str, memory: u64) -> Result<u32> {
    let least = PROCESSORS_OF.iter().find(|(above, _)| memory > *above);
    let least = least.map_or(1, |(_, count)| *count);
    let Some(set) = layout.settings.cpu.get(function) else {
        return Ok(least);
    };
    let wrong = |message| {
        refused(ErrorKind::InvalidArgument, message)
            .with("function", function)
            .with("cpu", set)
            .with("memory_mib", memory)
    };
    if *set < least {
        return Err(wrong(
            "so much memory needs more processors on Cloud Run; raise `cpu` in the target's settings, or leave it out",
        )
        .with("least_cpu", least));
    }
    match MEMORY_OF.iter().find(|(count, _)| count == set) {
        Some((_, least)) if memory < *least => Err(wrong(
            "so many processors need more memory on Cloud Run; raise the function's `memory`, or lower `cpu` in the target's settings",
        )
        .with("least_memory_mib", least)),
        _ => Ok(*set),
    }
}

/// What will be otherwise than the manifest says.
fn notes(layout: &Layout<'_>, body: &mut Body, function: &str, spec: &FunctionSpec) {
    if let Some(storage) = spec.ephemeral_storage {
        body.note(format!(
            "function `{function}` gets {} MiB more memory for its temporary files: on Cloud Run they are in memory",
            storage.div_ceil(MIB)
        ));
    }
    let by_requests = layout.calls(function).is_some_and(|called| called.by_requests);
    if by_requests && !layout.settings.public {
        body.note(format!(
            "function `{function}` answers only those who have the role Cloud Run Invoker on its service (public = false)"
        ));
    }
    for trigger in &spec.on {
        match trigger {
            Trigger::Bucket { bucket, .. } => {
                if let Some(Resource::Bucket(spec)) = layout.app.resources.get(bucket)
                    && let Some(url) = &spec.url
                {
                    body.note(format!(
                        "function `{function}` is not called for objects of bucket `{bucket}`: Google Cloud is not told what happens in {url}"
                    ));
                }
            }
            Trigger::Auth { .. } if seconds(spec.timeout) > SIGN_IN_WAITS => body.note(format!(
                "function `{function}`: a step of sign-in fails after {SIGN_IN_WAITS} s, though the function may take {} s",
                seconds(spec.timeout)
            )),
            _ => {}
        }
    }
}

/// What is otherwise of many functions, once for all of them.
pub(super) fn add_notes(layout: &Layout<'_>, body: &mut Body) {
    let (mut small, mut alone) = (Vec::new(), Vec::new());
    for (function, spec) in &layout.app.functions {
        if wanted(spec) < *MEMORY.start() {
            small.push(format!("`{function}`"));
        }
        for trigger in &spec.on {
            let (Trigger::Queue { batch, .. } | Trigger::Stream { batch, .. } | Trigger::Table { batch, .. }) =
                trigger
            else {
                continue;
            };
            if *batch > 1 {
                let name = trigger.resource().unwrap_or_default();
                alone.push(format!("`{function}` ({batch} of {} `{name}`)", trigger.kind()));
            }
        }
    }
    if !small.is_empty() {
        body.note(format!(
            "instances of {} MiB, the smallest of Cloud Run, are what these functions get, which ask for less: {}",
            MEMORY.start(),
            small.join(", ")
        ));
    }
    if !alone.is_empty() {
        body.note(format!(
            "events come one at a time on Google Cloud, not in batches, for which these functions ask: {}",
            alone.join(", ")
        ));
    }
}
