//! Tables: a database of Firestore for each, and Eventarc's triggers of their changes.
//!
//! A database of its own, because Google's roles know nothing smaller than a database: in one with others' tables, a function could do all that it may do in its own in theirs.

use nephos_core::app::{FunctionSpec, Resource};
use nephos_core::plan::Part;
use nephos_core::{ErrorKind, Result};
use serde_json::json;

use super::body::Body;
use super::layout::{self, Layout, part_of};
use super::trigger::Source;
use super::{GRACE, seconds};
use crate::deploy::graph::{Kind, full_name};
use crate::deploy::refused;
use crate::document;

/// What types of Eventarc begin with: <https://cloud.google.com/eventarc/docs/reference/supported-events#cloud-firestore>.
const TYPES: &str = "google.cloud.firestore.document.v1.";
/// How long the subscription that Eventarc makes waits for an answer, as long as nobody raises it, and the most that it can.
const WAITS: u64 = 10;
const MAX_WAITS: u64 = 600;

/// Adds databases and triggers.
pub(super) fn add(layout: &Layout<'_>, body: &mut Body) -> Result<()> {
    for (name, resource) in &layout.app.resources {
        let Resource::Table(spec) = resource else {
            continue;
        };
        let part = part_of(resource, name);
        let database = layout.database(name);
        let properties = json!({
            "type": "FIRESTORE_NATIVE",
            "locationId": layout.region(),
            "deleteProtectionState": "DELETE_PROTECTION_ENABLED",
        });
        let made = body.add(Kind::Database, database.clone(), part.clone(), properties, [])?;
        if spec.schema.ttl.is_some() {
            let field = format!("{database}/collectionGroups/{name}/fields/{}", document::EXPIRES);
            body.add(Kind::Field, field, part, json!({"ttlConfig": {}}), [made])?;
        }
    }
    triggers(layout, body)
}

fn triggers(layout: &Layout<'_>, body: &mut Body) -> Result<()> {
    let caller = layout.caller();
    for (function, spec) in &layout.app.functions {
        for event in layout
            .calls(function)
            .into_iter()
            .flat_map(|called| &called.events)
        {
            let Source::Table { table, change } = event.source else {
                continue;
            };
            check(layout, function, spec, table)?;
            if seconds(spec.timeout) > WAITS {
                body.note(format!(
                    "function `{function}` can be called with a change of table `{table}` while it still handles the same: Eventarc's subscription waits {WAITS} s for an answer; raise that (gcloud pubsub subscriptions update … --ack-deadline {})",
                    (seconds(spec.timeout) + GRACE).min(MAX_WAITS)
                ));
            }
            let database = layout.database(table);
            let id = database.rsplit('/').next().unwrap_or_default();
            let trigger = json!({
                "eventFilters": [
                    {"attribute": "type", "value": format!("{TYPES}{change}")},
                    {"attribute": "database", "value": id},
                    {"attribute": "document", "value": format!("{table}/*"), "operator": "match-path-pattern"},
                ],
                "eventDataContentType": "application/protobuf",
                "serviceAccount": caller,
                "destination": {"cloudRun": {
                    "service": layout.service_id(function),
                    "region": layout.region(),
                    "path": event.path(),
                }},
            });
            let account = full_name(Kind::Account, &layout.account_name(&caller));
            body.add(
                Kind::Trigger,
                layout.trigger(function, &event.name),
                layout::function(function),
                trigger,
                [
                    full_name(Kind::Service, &layout.service(function)),
                    full_name(Kind::Database, &database),
                    account,
                ],
            )?;
            // https://cloud.google.com/eventarc/docs/run/route-trigger-cloud-firestore
            body.grant(
                &layout.project_name(),
                "roles/eventarc.eventReceiver",
                &format!("serviceAccount:{caller}"),
                Part::App,
            );
        }
    }
    Ok(())
}

fn check(layout: &Layout<'_>, function: &str, spec: &FunctionSpec, table: &str) -> Result<()> {
    if layout.is_public(function) {
        return Err(refused(
            ErrorKind::Unsupported,
            "Eventarc does not say whom its tokens are for, so a function that anyone may call cannot tell its events from others'; give the table's trigger to a function that nothing outside Google Cloud calls",
        )
        .with("function", function)
        .with("table", table));
    }
    let timeout = seconds(spec.timeout);
    if timeout + GRACE > MAX_WAITS {
        return Err(refused(
            ErrorKind::InvalidArgument,
            "Eventarc waits ten minutes for an answer at most, and the function may take longer; shorten its time-out, or do the work in pieces",
        )
        .with("function", function)
        .with("timeout_s", timeout)
        .with("max_timeout_s", MAX_WAITS - GRACE));
    }
    Ok(())
}
