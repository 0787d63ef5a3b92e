//! The storage account: buckets, queues, the functions' packages, and what the Functions host keeps.

use nephos_core::Result;
use nephos_core::app::{QueueSpec, Resource as AppResource};
use nephos_core::plan::Part;
use nephos_core::resource::ResourceKind;
use nephos_core::{Error, ErrorKind};
use serde_json::json;

use super::body::{Body, Resource};
use super::layout::{
    CHECKPOINTS, HOST_KEYS, HOSTS, Layout, POISON, Service, UNDELIVERED, queue_name, resource_id,
};
use super::trigger::Source;
use super::{api, name};
use crate::deploy::refused;

/// The symbolic names of the account, and of its two services.
pub(super) const ACCOUNT: &str = "Storage";
const BLOBS: &str = "ServiceOfBlobs";
const QUEUES: &str = "ServiceOfQueues";
/// The longest time for which a message can be hidden, in seconds:
/// <https://learn.microsoft.com/rest/api/storageservices/get-messages>.
const MAX_VISIBILITY: u64 = 7 * 24 * 3600;
/// How long a message lasts if its sender does not say: <https://learn.microsoft.com/rest/api/storageservices/put-message>.
const LIFETIME: u64 = 7 * 24 * 3600;

/// Adds the account, its containers and its queues.
pub(super) fn add(layout: &Layout<'_>, body: &mut Body) -> Result<()> {
    let account = layout.storage();
    if layout.settings.shared_key {
        body.note(
            "whoever has the key of the storage account can do all with the app's buckets and queues (shared_key)"
                .to_owned(),
        );
    }
    body.add(
        ACCOUNT,
        Resource::new(&api::ACCOUNT, &account, "storage", Part::App)
            .with("sku", json!({"name": "Standard_LRS"}))
            .with("kind", "StorageV2".into())
            .properties(json!({
                "accessTier": "Hot",
                "allowBlobPublicAccess": false,
                "allowCrossTenantReplication": false,
                "allowSharedKeyAccess": layout.settings.shared_key,
                "defaultToOAuthAuthentication": true,
                "minimumTlsVersion": "TLS1_2",
                "supportsHttpsTrafficOnly": true,
            })),
    )?;
    body.add(
        BLOBS,
        Resource::new(&api::BLOBS, format!("{account}/default"), "blobs", Part::App)
            .after([ACCOUNT])
            .properties(json!({})),
    )?;
    body.add(
        QUEUES,
        Resource::new(&api::QUEUES, format!("{account}/default"), "queues", Part::App)
            .after([ACCOUNT])
            .properties(json!({})),
    )?;
    for (container, id) in [(HOSTS, "HostState"), (HOST_KEYS, "HostKeys")] {
        container_of(layout, body, id, container, "host", Part::App)?;
    }
    if has_hubs(layout) {
        container_of(layout, body, "Checkpoints", CHECKPOINTS, "host", Part::App)?;
    }
    if layout.services.contains(&Service::Events) {
        container_of(layout, body, "Undelivered", UNDELIVERED, "undelivered", Part::App)?;
    }
    for site in &layout.sites {
        let part = Part::Function {
            name: site.function.to_owned(),
        };
        let container = layout.code_container(site);
        let id = name::id("Code", &site.label);
        container_of(layout, body, &id, &container, "code", part)?;
    }
    for (name, resource) in &layout.app.resources {
        let id = resource_id(resource, name);
        match resource {
            AppResource::Bucket(spec) if spec.url.is_some() => outside(name, spec.endpoint.as_deref())?,
            AppResource::Bucket(_) => {
                let part = part(ResourceKind::Bucket, name);
                container_of(layout, body, &id, &layout.container(name), "bucket", part)?;
            }
            AppResource::Queue(spec) if !spec.ordered => queue(layout, body, &id, name, spec)?,
            _ => {}
        }
    }
    inboxes(layout, body)
}

/// What of the manifest a resource is for.
pub(super) fn part(kind: ResourceKind, name: &str) -> Part {
    Part::Resource {
        kind,
        name: name.to_owned(),
    }
}

/// Whether anything reads a stream as a trigger, and so needs the host's checkpoints.
pub(super) fn has_hubs(layout: &Layout<'_>) -> bool {
    layout
        .sites
        .iter()
        .flat_map(|site| &site.triggers)
        .any(|trigger| matches!(trigger.source, Source::Hub { .. }))
}

fn container_of(
    layout: &Layout<'_>,
    body: &mut Body,
    id: &str,
    container: &str,
    kind: &'static str,
    part: Part,
) -> Result<()> {
    let name = format!("{}/default/{container}", layout.storage());
    body.add(
        id,
        Resource::new(&api::CONTAINER, name, kind, part)
            .after([BLOBS])
            .properties(json!({"publicAccess": "None"})),
    )
}

fn outside(name: &str, endpoint: Option<&str>) -> Result<()> {
    if endpoint == Some("embedded") {
        return Err(refused(
            ErrorKind::Unsupported,
            "the embedded store is on one's own machine only; say where the bucket is on this target",
        )
        .with("bucket", name));
    }
    Ok(())
}

fn queue(layout: &Layout<'_>, body: &mut Body, id: &str, name: &str, spec: &QueueSpec) -> Result<()> {
    let visibility = super::seconds(spec.visibility_timeout);
    if visibility > MAX_VISIBILITY {
        return Err(
            beyond("the queue hides messages for longer than a Storage queue does")
                .with("queue", name)
                .with("visibility_timeout_s", visibility)
                .with("max_visibility_timeout_s", MAX_VISIBILITY),
        );
    }
    let retention = super::seconds(spec.retention);
    if retention > LIFETIME {
        body.note(format!(
            "queue `{name}` keeps what others than the app send for {} days, not {}: in a Storage queue the sender says how long a message lasts, and that is what it is where none does",
            LIFETIME / 86_400,
            retention / 86_400
        ));
    }
    let part = part(ResourceKind::Queue, name);
    queue_of(layout, body, id, &queue_name(name), "queue", part.clone())?;
    if layout.received.contains_key(name) {
        let poison = format!("{}{POISON}", queue_name(name));
        queue_of(layout, body, &name::id("Poison", name), &poison, "poison", part)?;
    }
    Ok(())
}

fn queue_of(
    layout: &Layout<'_>,
    body: &mut Body,
    id: &str,
    queue: &str,
    kind: &'static str,
    part: Part,
) -> Result<()> {
    let name = format!("{}/default/{queue}", layout.storage());
    body.add(
        id,
        Resource::new(&api::QUEUE, name, kind, part)
            .after([QUEUES])
            .properties(json!({})),
    )
}

/// The queues that Event Grid delivers to, one for each trigger of a bucket or topic.
fn inboxes(layout: &Layout<'_>, body: &mut Body) -> Result<()> {
    for site in &layout.sites {
        let function = site.function;
        let part = Part::Function {
            name: function.to_owned(),
        };
        for trigger in &site.triggers {
            let Source::Inbox { queue } = &trigger.source else {
                continue;
            };
            let id = name::trigger_id("Inbox", function, &trigger.name);
            queue_of(layout, body, &id, queue, "inbox", part.clone())?;
            let id = name::trigger_id("PoisonOfInbox", function, &trigger.name);
            queue_of(
                layout,
                body,
                &id,
                &format!("{queue}{POISON}"),
                "poison",
                part.clone(),
            )?;
        }
    }
    Ok(())
}

fn beyond(message: &'static str) -> Error {
    refused(ErrorKind::InvalidArgument, message)
}
