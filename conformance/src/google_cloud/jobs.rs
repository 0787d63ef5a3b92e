//! Jobs of Cloud Scheduler: <https://cloud.google.com/scheduler/docs/reference/rest/v1/projects.locations.jobs>. They run where services do (`cloud_run/jobs.rs`).

use serde_json::{Map, Value, json};

use super::error::{Code, Outcome, Refusal};
use super::kinds::JOB;
use super::request::Asked;
use super::state::{Shared, State};

const TARGETS: &[&str] = &["httpTarget", "pubsubTarget", "appEngineHttpTarget"];

/// The name of a new one: its own, or one that the service chooses.
pub(super) fn name(shared: &Shared, asked: &Asked<'_>) -> Outcome<String> {
    let below = format!("{}/jobs/", asked.name(shared));
    match asked.text("/name") {
        Some(name) => {
            let name = shared.key(name);
            let id = name.strip_prefix(&below).filter(|id| !id.contains('/'));
            id.map(|id| format!("{below}{id}"))
                .ok_or_else(|| Refusal::field("job.name", &format!("it begins with {below}")))
        }
        None => {
            let mut state = shared.lock();
            state.count += 1;
            Ok(format!("{below}{:020}", state.count))
        }
    }
}

/// What a job becomes when it is made or changed.
pub(super) fn prepare(state: &State, shared: &Shared, body: &mut Map<String, Value>) -> Outcome<()> {
    let given = TARGETS.iter().filter(|field| body.contains_key(**field)).count();
    if given != 1 {
        return Err(Refusal::field("job.target", "exactly one target is given"));
    }
    let schedule = body.get("schedule").and_then(Value::as_str).unwrap_or_default();
    let words = schedule.split_whitespace().count();
    if words != 5 && !schedule.starts_with("every ") {
        let message = format!("Schedule or time zone is invalid. (schedule={schedule})");
        return Err(Refusal::new(Code::InvalidArgument, message));
    }
    let deadline = body.entry("attemptDeadline").or_insert_with(|| "180s".into());
    let seconds = deadline
        .as_str()
        .and_then(|text| text.strip_suffix('s')?.parse::<f64>().ok());
    if !seconds.is_some_and(|seconds| (15.0..=1800.0).contains(&seconds)) {
        return Err(Refusal::field(
            "job.attempt_deadline",
            "it is from 15 to 1800 seconds",
        ));
    }
    body.entry("timeZone").or_insert_with(|| "Etc/UTC".into());
    body.entry("state").or_insert_with(|| "ENABLED".into());
    let retries = json!({"maxRetryDuration": "0s", "minBackoffDuration": "5s", "maxBackoffDuration": "3600s", "maxDoublings": 5});
    body.entry("retryConfig").or_insert(retries);
    let Some(target) = body.get_mut("httpTarget") else {
        return Ok(());
    };
    let uri = target["uri"].as_str().unwrap_or_default().to_owned();
    if !uri.starts_with("https://") && !uri.starts_with("http://") {
        return Err(Refusal::field(
            "job.http_target.uri",
            "it begins with https:// or http://",
        ));
    }
    if target["httpMethod"].is_null() {
        target["httpMethod"] = "POST".into();
    }
    if let Some(token) = target.get_mut("oidcToken") {
        if token["audience"].is_null() {
            token["audience"] = uri.into();
        }
        let email = token["serviceAccountEmail"].as_str().unwrap_or_default();
        state.act_as(&shared.options.project, email)?;
    }
    Ok(())
}

/// `jobs.pause` and `.resume`
pub(super) fn switch(shared: &Shared, asked: &Asked<'_>) -> Outcome<Value> {
    let mut state = shared.lock();
    let name = asked.name(shared);
    let mut body = state.get(&JOB, &name)?.body.clone();
    body["state"] = if asked.verb() == "pause" {
        "PAUSED"
    } else {
        "ENABLED"
    }
    .into();
    if let Some(found) = state.resources.get_mut(&name) {
        found.body = body.clone();
    }
    Ok(body)
}
