//! Buckets of Cloud Storage, and their notifications.

use std::collections::BTreeMap;

use nephos_core::app::{ObjectEventKind, Resource};
use nephos_core::{ErrorKind, Result};
use serde_json::json;

use super::body::Body;
use super::layout::{self, Layout, part_of};
use super::messaging::{self, PUBLISHER, Pushed};
use super::trigger::Source;
use crate::deploy::graph::{Kind, full_name};
use crate::deploy::refused;

/// Cloud Storage's own account, which publishes notifications: <https://cloud.google.com/storage/docs/projects#service-agents>.
const AGENT: &str = "gs-project-accounts";
/// The most notifications of a bucket for one kind of event: <https://cloud.google.com/storage/docs/pubsub-notifications>.
const MAX_NOTIFICATIONS: usize = 10;
const CREATED: &str = "OBJECT_FINALIZE";
const DELETED: &str = "OBJECT_DELETE";

/// Adds buckets and notifications.
pub(super) fn add(layout: &Layout<'_>, body: &mut Body) -> Result<()> {
    for (name, resource) in &layout.app.resources {
        let Resource::Bucket(spec) = resource else {
            continue;
        };
        if spec.url.is_some() {
            outside(name, spec.endpoint.as_deref())?;
            continue;
        }
        let properties = json!({
            "location": layout.region().to_ascii_uppercase(),
            "storageClass": "STANDARD",
            "iamConfiguration": {
                "uniformBucketLevelAccess": {"enabled": true},
                "publicAccessPrevention": "enforced",
            },
        });
        let bucket = layout.bucket_name(name)?;
        body.add(Kind::Bucket, bucket, part_of(resource, name), properties, [])?;
    }
    notifications(layout, body)
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

/// Of each trigger: a topic of its own, a subscription to it, and the bucket's notifications to it, by kind and by the beginning of the key.
fn notifications(layout: &Layout<'_>, body: &mut Body) -> Result<()> {
    let mut counts: BTreeMap<(&str, &str), usize> = BTreeMap::new();
    for (function, spec) in &layout.app.functions {
        for event in layout
            .calls(function)
            .into_iter()
            .flat_map(|called| &called.events)
        {
            let Source::Bucket {
                bucket,
                event: wanted,
                prefix,
            } = event.source
            else {
                continue;
            };
            let kinds: &[&str] = match wanted {
                ObjectEventKind::Created => &[CREATED],
                ObjectEventKind::Deleted => &[DELETED],
                ObjectEventKind::Any => &[CREATED, DELETED],
            };
            for kind in kinds {
                let count = counts.entry((bucket, kind)).or_default();
                *count += 1;
                if *count > MAX_NOTIFICATIONS {
                    return Err(refused(
                        ErrorKind::ResourceExhausted,
                        "a bucket tells ten triggers of one kind of event; let one function publish to a topic, and the others listen to that",
                    )
                    .with("bucket", bucket)
                    .with("event", kind)
                    .with("max_triggers", MAX_NOTIFICATIONS));
                }
            }
            let part = layout::function(function);
            let topic = layout.trigger_topic(function, &event.name);
            let made = body.add(Kind::Topic, topic.clone(), part.clone(), json!({}), [])?;
            let pushed = Pushed {
                topic: topic.clone(),
                keeps_order: false,
                retention: None,
            };
            messaging::push(layout, body, function, spec, event, &pushed)?;
            let agent = format!(
                "serviceAccount:service-{}@{AGENT}.iam.gserviceaccount.com",
                layout.number
            );
            body.grant(&made, PUBLISHER, &agent, part.clone());
            let mut properties = json!({
                "topic": full_name(Kind::Topic, &topic),
                "event_types": kinds,
                "payload_format": "JSON_API_V1",
            });
            if !prefix.is_empty() {
                properties["object_name_prefix"] = prefix.into();
            }
            let bucket = layout.bucket_name(bucket)?;
            let id = topic.rsplit('/').next().unwrap_or_default();
            let subscription = layout.trigger_subscription(function, &event.name);
            body.add(
                Kind::Notification,
                format!("{bucket}/notificationConfigs/{id}"),
                part,
                properties,
                [
                    full_name(Kind::Bucket, &bucket),
                    made,
                    full_name(Kind::Subscription, &subscription),
                ],
            )?;
        }
    }
    Ok(())
}
