//! Queues that keep order, in Service Bus, and streams, in Event Hubs.

use nephos_core::app::{QueueSpec, Resource as AppResource, StreamSpec};
use nephos_core::plan::Part;
use nephos_core::resource::ResourceKind;
use nephos_core::{ErrorKind, Result};
use serde_json::json;

use super::body::{Body, Resource};
use super::layout::{Layout, Service, resource_id};
use super::storage::part;
use super::trigger::Source;
use super::{api, name, seconds};
use crate::deploy::refused;

/// The symbolic names of the namespaces.
pub(super) const BUS: &str = "ServiceBus";
pub(super) const HUBS: &str = "EventHubs";
/// The longest lock of a message, in seconds: <https://learn.microsoft.com/azure/service-bus-messaging/service-bus-quotas>.
const MAX_LOCK: u64 = 300;
/// How long an event hub of the standard tier keeps records in hours, and how many partitions it has:
/// <https://learn.microsoft.com/azure/event-hubs/event-hubs-quotas>.
const RETENTION_HOURS: std::ops::RangeInclusive<u64> = 1..=168;
const MAX_PARTITIONS: u32 = 32;

/// Adds the namespaces that the app needs, and what is in them.
pub(super) fn add(layout: &Layout<'_>, body: &mut Body) -> Result<()> {
    for (service, id, ty, namespace, what) in [
        (
            Service::OrderedQueues,
            BUS,
            &api::BUS,
            layout.service_bus(),
            "ordered queues are in Service Bus",
        ),
        (
            Service::Streams,
            HUBS,
            &api::HUBS,
            layout.event_hubs(),
            "streams are in Event Hubs",
        ),
    ] {
        if !layout.services.contains(&service) {
            continue;
        }
        body.note(format!(
            "{what}, whose standard tier costs money also while nothing is sent"
        ));
        body.add(
            id,
            Resource::new(ty, namespace, "namespace", Part::App)
                .with("sku", json!({"name": "Standard", "tier": "Standard"}))
                .properties(json!({"disableLocalAuth": true, "minimumTlsVersion": "1.2"})),
        )?;
    }
    for (name, resource) in &layout.app.resources {
        let id = resource_id(resource, name);
        match resource {
            AppResource::Queue(spec) if spec.ordered => queue(layout, body, &id, name, spec)?,
            AppResource::Stream(spec) => stream(layout, body, &id, name, spec)?,
            _ => {}
        }
    }
    groups(layout, body)
}

fn queue(layout: &Layout<'_>, body: &mut Body, id: &str, name: &str, spec: &QueueSpec) -> Result<()> {
    let wanted = seconds(spec.visibility_timeout);
    if wanted > MAX_LOCK {
        body.note(format!(
            "queue `{name}` hides a received message for {MAX_LOCK} s at a time, not {wanted}: Service Bus locks no longer; while a function handles it the lock is renewed"
        ));
    }
    // Of a queue that only the app itself receives from, what Service Bus has if nothing is said.
    let attempts = layout.received.get(name).copied().unwrap_or(10);
    let properties = json!({
        "deadLetteringOnMessageExpiration": true,
        "defaultMessageTimeToLive": format!("PT{}S", seconds(spec.retention).max(1)),
        "lockDuration": format!("PT{}S", wanted.clamp(1, MAX_LOCK)),
        // The host sends dead letters itself; this is the last net.
        "maxDeliveryCount": attempts,
        "requiresSession": true,
    });
    body.add(
        id,
        Resource::new(
            &api::BUS_QUEUE,
            format!("{}/{name}", layout.service_bus()),
            "queue",
            part(ResourceKind::Queue, name),
        )
        .after([BUS])
        .properties(properties),
    )
}

fn stream(layout: &Layout<'_>, body: &mut Body, id: &str, name: &str, spec: &StreamSpec) -> Result<()> {
    let hours = seconds(spec.retention).div_ceil(3600);
    if hours > *RETENTION_HOURS.end() {
        return Err(refused(
            ErrorKind::InvalidArgument,
            "the stream keeps records for longer than Event Hubs does",
        )
        .with("stream", name)
        .with("retention_h", hours)
        .with("max_retention_h", RETENTION_HOURS.end()));
    }
    if !(1..=MAX_PARTITIONS).contains(&spec.shards) {
        return Err(refused(
            ErrorKind::InvalidArgument,
            "an event hub has one to 32 partitions, one for each shard",
        )
        .with("stream", name)
        .with("shards", spec.shards)
        .with("max_shards", MAX_PARTITIONS));
    }
    let properties = json!({
        "partitionCount": spec.shards,
        "retentionDescription": {"cleanupPolicy": "Delete", "retentionTimeInHours": hours.max(*RETENTION_HOURS.start())},
    });
    body.add(
        id,
        Resource::new(
            &api::HUB,
            format!("{}/{name}", layout.event_hubs()),
            "stream",
            part(ResourceKind::Stream, name),
        )
        .after([HUBS])
        .properties(properties),
    )
}

/// Each trigger reads a stream from a place of its own.
fn groups(layout: &Layout<'_>, body: &mut Body) -> Result<()> {
    for site in &layout.sites {
        let function = site.function;
        for trigger in &site.triggers {
            let Source::Hub { stream, group, .. } = &trigger.source else {
                continue;
            };
            let part = Part::Function {
                name: function.to_owned(),
            };
            body.add(
                &name::trigger_id("Group", function, &trigger.name),
                Resource::new(
                    &api::GROUP,
                    format!("{}/{stream}/{group}", layout.event_hubs()),
                    "consumer_group",
                    part,
                )
                .after([resource_id(layout.resource(stream)?, stream)])
                .properties(json!({})),
            )?;
        }
    }
    Ok(())
}
