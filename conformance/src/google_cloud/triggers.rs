//! Triggers of Eventarc: <https://cloud.google.com/eventarc/docs/reference/rest/v1/projects.locations.triggers>.

use serde_json::{Map, Value, json};

use super::error::{Outcome, Refusal};
use super::kinds::TRIGGER;
use super::operation::Operation;
use super::state::{Shared, State};

const PUBLISHED: &str = "google.cloud.pubsub.topic.v1.messagePublished";
const DESTINATIONS: &[&str] = &["cloudRun", "gke", "httpEndpoint", "workflow", "cloudFunction"];

/// What a trigger becomes when it is made or changed.
pub(super) fn prepare(state: &State, shared: &Shared, body: &mut Map<String, Value>) -> Outcome<()> {
    let destination = body.get("destination").cloned().unwrap_or(Value::Null);
    let given = DESTINATIONS
        .iter()
        .filter(|field| destination.get(field).is_some())
        .count();
    if given != 1 {
        return Err(Refusal::field(
            "trigger.destination",
            "exactly one destination is given",
        ));
    }
    let run = &destination["cloudRun"];
    if run.is_object() && !run["region"].is_string() {
        return Err(Refusal::field(
            "trigger.destination.cloud_run.region",
            "it is required",
        ));
    }
    let filters = body.get("eventFilters").and_then(Value::as_array);
    let of = |attribute: &str| {
        filters
            .into_iter()
            .flatten()
            .filter(|filter| filter["attribute"] == attribute)
            .filter_map(|filter| filter["value"].as_str())
            .collect::<Vec<_>>()
    };
    let [kind] = of("type")[..] else {
        let what = "exactly one filter is for the attribute type";
        return Err(Refusal::field("trigger.event_filters", what));
    };
    if kind.starts_with("google.cloud.storage.object.") && of("bucket").len() != 1 {
        let what = "events of Cloud Storage need a filter for the attribute bucket";
        return Err(Refusal::field("trigger.event_filters", what));
    }
    let operator = filters
        .into_iter()
        .flatten()
        .filter_map(|filter| filter["operator"].as_str())
        .find(|operator| !matches!(*operator, "" | "match-path-pattern"));
    if let Some(operator) = operator {
        let what = format!("`{operator}` is no operator");
        return Err(Refusal::field("trigger.event_filters.operator", &what));
    }
    match body.get("serviceAccount").and_then(Value::as_str) {
        Some(email) => state.act_as(&shared.options.project, email)?,
        None if kind == PUBLISHED => {}
        None => return Err(Refusal::field("trigger.service_account", "it is required")),
    }
    body.entry("eventDataContentType")
        .or_insert_with(|| "application/json".into());
    if body
        .get("transport")
        .is_none_or(|transport| transport["pubsub"]["subscription"].is_null())
    {
        transport(shared, body);
    }
    Ok(())
}

/// The topic and the subscription that Eventarc makes for a trigger, where none are given.
fn transport(shared: &Shared, body: &mut Map<String, Value>) {
    let name = body.get("name").and_then(Value::as_str).unwrap_or_default();
    let mut parts = name.rsplit('/');
    let (id, region) = (parts.next().unwrap_or_default(), parts.nth(1).unwrap_or_default());
    let project = &shared.options.project;
    let subscription = format!("projects/{project}/subscriptions/eventarc-{region}-{id}-sub-000");
    let topic = format!("projects/{project}/topics/eventarc-{region}-{id}-000");
    let given = body
        .get("transport")
        .and_then(|transport| transport["pubsub"]["topic"].as_str())
        .map(str::to_owned);
    body.insert(
        "transport".to_owned(),
        json!({"pubsub": {"topic": given.unwrap_or(topic), "subscription": subscription}}),
    );
}

/// An operation failed, and what it had made stays: a trigger says so itself.
pub(super) fn stay_halfway(state: &mut State, operation: &Operation, refusal: &Refusal) {
    if operation.kind != &TRIGGER {
        return;
    }
    if let Some(kept) = state.resources.get_mut(&operation.target) {
        let message = refusal.status()["message"].clone();
        kept.body["conditions"] = json!({"status": {"code": "UNKNOWN", "message": message}});
    }
}
