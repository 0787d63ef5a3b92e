//! Topics, and what is told of buckets: both reach a function through a queue of its own.

use std::collections::BTreeMap;

use nephos_core::app::{ObjectEventKind, Resource as AppResource, Trigger};
use nephos_core::plan::Part;
use nephos_core::resource::ResourceKind;
use nephos_core::{ErrorKind, Result};
use serde_json::{Value, json};

use super::body::{Body, Resource};
use super::layout::{Layout, Service, UNDELIVERED, resource_id};
use super::role::{self, Role};
use super::storage::{self, part};
use super::trigger::{HostTrigger, Source};
use super::value::{expression, resource_id as arm_id};
use super::{api, name};
use crate::deploy::refused;

/// The symbolic names of the identity that events are delivered as, and of the topic that tells of the storage account.
const COURIER: &str = "Courier";
const STORAGE_TOPIC: &str = "StorageTopic";
/// The most subscriptions of one topic: <https://learn.microsoft.com/azure/event-grid/quotas-limits>.
const MAX_SUBSCRIPTIONS: usize = 500;
/// For how long and how often Event Grid tries to deliver: the most there is, from the same page.
const DELIVERY_MINUTES: u32 = 1440;
const DELIVERY_ATTEMPTS: u32 = 30;
/// The longest name of a subscription.
const MAX_SUBSCRIPTION: usize = 64;

/// Adds topics, subscriptions, and who delivers.
pub(super) fn add(layout: &Layout<'_>, body: &mut Body) -> Result<()> {
    if !layout.services.contains(&Service::Events) {
        return Ok(());
    }
    body.add(
        COURIER,
        Resource::new(&api::IDENTITY, layout.courier_name(), "courier", Part::App).properties(json!({})),
    )?;
    role::grant(
        body,
        COURIER,
        &layout.courier_name(),
        Part::App,
        &container_scope(layout),
        "Undelivered",
        Role::BlobContributor,
    )?;
    for (name, resource) in &layout.app.resources {
        if let AppResource::Topic(_) = resource {
            topic(layout, body, &resource_id(resource, name), name)?;
        }
    }
    let inboxes: Vec<(&str, &HostTrigger<'_>, &str)> = layout
        .sites
        .iter()
        .flat_map(|site| site.triggers.iter().map(|trigger| (site.function, trigger)))
        .filter_map(|(function, trigger)| match &trigger.source {
            Source::Inbox { queue } => Some((function, trigger, queue.as_str())),
            _ => None,
        })
        .collect();
    count(&inboxes)?;
    let of_buckets = |trigger: &&HostTrigger<'_>| matches!(trigger.spec, Some(Trigger::Bucket { .. }));
    if inboxes.iter().any(|(_, trigger, _)| of_buckets(trigger)) {
        let source = expression(arm_id(api::ACCOUNT.name, &[&layout.storage()]));
        body.add(
            STORAGE_TOPIC,
            Resource::new(
                &api::SYSTEM_TOPIC,
                layout.storage_topic(),
                "storage_topic",
                Part::App,
            )
            .with("identity", identity(layout))
            .after([COURIER, storage::ACCOUNT])
            .properties(json!({"source": source, "topicType": "Microsoft.Storage.StorageAccounts"})),
        )?;
    }
    for (function, trigger, queue) in inboxes {
        subscription(layout, body, function, trigger, queue)?;
    }
    Ok(())
}

fn count(inboxes: &[(&str, &HostTrigger<'_>, &str)]) -> Result<()> {
    let mut topics: BTreeMap<&str, usize> = BTreeMap::new();
    for (_, trigger, _) in inboxes {
        // All buckets are told of by one topic.
        let topic = match trigger.spec {
            Some(Trigger::Topic { topic, .. }) => topic.as_str(),
            _ => "buckets",
        };
        *topics.entry(topic).or_default() += 1;
    }
    for (topic, subscriptions) in topics {
        if subscriptions > MAX_SUBSCRIPTIONS {
            return Err(refused(
                ErrorKind::ResourceExhausted,
                "Event Grid takes no more subscriptions of one topic, and all buckets are one; let one function take them and choose by what it gets",
            )
            .with("topic", topic)
            .with("subscriptions", subscriptions)
            .with("max_subscriptions", MAX_SUBSCRIPTIONS));
        }
    }
    Ok(())
}

/// Event Grid's own identity for the app.
fn identity(layout: &Layout<'_>) -> Value {
    let id = format!("[{}]", arm_id(api::IDENTITY.name, &[&layout.courier_name()]));
    json!({"type": "UserAssigned", "userAssignedIdentities": {id: {}}})
}

fn container_scope(layout: &Layout<'_>) -> String {
    let name = format!("{}/default/{UNDELIVERED}", layout.storage());
    api::place(api::CONTAINER.name, &name)
}

fn topic(layout: &Layout<'_>, body: &mut Body, id: &str, name: &str) -> Result<()> {
    body.add(
        id,
        Resource::new(
            &api::TOPIC,
            layout.topic(name),
            "topic",
            part(ResourceKind::Topic, name),
        )
        .with("identity", identity(layout))
        .after([COURIER])
        .properties(json!({
            "disableLocalAuth": true,
            "inputSchema": "CloudEventSchemaV1_0",
            "minimumTlsVersionAllowed": "1.2",
        })),
    )
}

fn subscription(
    layout: &Layout<'_>,
    body: &mut Body,
    function: &str,
    trigger: &HostTrigger<'_>,
    queue: &str,
) -> Result<()> {
    let inbox = name::trigger_id("Inbox", function, &trigger.name);
    let part = Part::Function {
        name: function.to_owned(),
    };
    let queue_place = api::place(api::QUEUE.name, &format!("{}/default/{queue}", layout.storage()));
    role::grant(
        body,
        COURIER,
        &layout.courier_name(),
        part.clone(),
        &queue_place,
        &inbox,
        Role::QueueSender,
    )?;
    let (ty, topic, topic_id, filter) = match trigger.spec {
        // The function's host looks at the attributes. Of our notifications they are together in one extension, of others' each is one, and no filter
        // of Event Grid can say "the one or the other".
        Some(Trigger::Topic { topic, .. }) => (
            &api::SUBSCRIPTION,
            layout.topic(topic),
            resource_id(layout.resource(topic)?, topic),
            json!({}),
        ),
        Some(Trigger::Bucket {
            bucket,
            event,
            prefix,
            suffix,
        }) => (
            &api::SYSTEM_SUBSCRIPTION,
            layout.storage_topic(),
            STORAGE_TOPIC.to_owned(),
            by_key(&layout.container(bucket), *event, prefix, suffix),
        ),
        _ => return Ok(()),
    };
    let account = expression(arm_id(api::ACCOUNT.name, &[&layout.storage()]));
    let courier = json!({
        "type": "UserAssigned",
        "userAssignedIdentity": expression(arm_id(api::IDENTITY.name, &[&layout.courier_name()])),
    });
    let properties = json!({
        "deliveryWithResourceIdentity": {
            "identity": courier,
            "destination": {"endpointType": "StorageQueue", "properties": {"resourceId": account, "queueName": queue, "queueMessageTimeToLiveInSeconds": -1}},
        },
        "deadLetterWithResourceIdentity": {
            "identity": courier,
            "deadLetterDestination": {"endpointType": "StorageBlob", "properties": {"resourceId": account, "blobContainerName": UNDELIVERED}},
        },
        "eventDeliverySchema": "CloudEventSchemaV1_0",
        "filter": filter,
        "retryPolicy": {"eventTimeToLiveInMinutes": DELIVERY_MINUTES, "maxDeliveryAttempts": DELIVERY_ATTEMPTS},
    });
    let own = name::physical(function, &trigger.name, MAX_SUBSCRIPTION);
    // The identity must be allowed before Event Grid tries it.
    let allowed = role::id(COURIER, &queue_place, Role::QueueSender);
    let undelivered = role::id(COURIER, &container_scope(layout), Role::BlobContributor);
    body.add(
        &name::trigger_id("Subscription", function, &trigger.name),
        Resource::new(ty, format!("{topic}/{own}"), "subscription", part)
            .after([topic_id, inbox, allowed, undelivered])
            .properties(properties),
    )
}

/// <https://learn.microsoft.com/azure/event-grid/event-schema-blob-storage>
fn by_key(container: &str, event: ObjectEventKind, prefix: &str, suffix: &str) -> Value {
    let types: &[&str] = match event {
        ObjectEventKind::Created => &["Microsoft.Storage.BlobCreated"],
        ObjectEventKind::Deleted => &["Microsoft.Storage.BlobDeleted"],
        ObjectEventKind::Any => &["Microsoft.Storage.BlobCreated", "Microsoft.Storage.BlobDeleted"],
    };
    let mut filter = json!({
        "includedEventTypes": types,
        "isSubjectCaseSensitive": true,
        "subjectBeginsWith": format!("/blobServices/default/containers/{container}/blobs/{prefix}"),
    });
    if !suffix.is_empty()
        && let Value::Object(filter) = &mut filter
    {
        filter.insert("subjectEndsWith".to_owned(), suffix.into());
    }
    filter
}
