//! Policies of buckets, and the service account of Cloud Storage itself: <https://cloud.google.com/storage/docs/json_api/v1/buckets/setIamPolicy>.

use http::Method;
use serde_json::{Value, json};

use super::buckets::{KIND, full_name};
use super::reply;
use crate::gcs::error::{Outcome, Refusal};
use crate::gcs::project;
use crate::gcs::request::Asked;
use crate::gcs::state::Shared;
use crate::server::Answer;

/// The newest form of policies, which has conditions.
const NEWEST: u64 = 3;

pub(super) fn policy(shared: &Shared, asked: &Asked, bucket: &str) -> Outcome<Answer> {
    asked.only_headers(&[])?;
    let project = &shared.options.project;
    let view = match asked.method {
        Method::GET => {
            asked.no_body()?;
            asked.query.only_json(&["optionsRequestedPolicyVersion"])?;
            let wanted = asked.query.number("optionsRequestedPolicyVersion")?.unwrap_or(1);
            if !(1..=NEWEST).contains(&wanted) {
                let what = "it is from 1 to 3";
                return Err(Refusal::parameter("optionsRequestedPolicyVersion", what));
            }
            let state = shared.lock();
            let found = &state.bucket(bucket)?.policy;
            if found.has_conditions() && wanted < NEWEST {
                let what = "the policy has conditions, and so is of version 3";
                return Err(Refusal::parameter("optionsRequestedPolicyVersion", what));
            }
            found.view(bucket, project)
        }
        Method::PUT => {
            asked.query.only_json(&[])?;
            let body = asked.object()?;
            set(shared, bucket, &body.into())?
        }
        _ => return Err(Refusal::method()),
    };
    reply(asked, view)
}

fn set(shared: &Shared, bucket: &str, body: &Value) -> Outcome<Value> {
    let known = ["kind", "resourceId", "version", "etag", "bindings"];
    let fields = body.as_object().into_iter().flatten();
    if let Some((name, _)) = fields
        .into_iter()
        .find(|(name, _)| !known.contains(&name.as_str()))
    {
        return Err(Refusal::invalid(format!("Unknown field '{name}' of a policy.")));
    }
    shared.lock().bucket(bucket)?;
    if let Some(project) = &shared.project {
        project.policy(body)?;
    }
    shared.permit(KIND, &full_name(bucket), &Method::PUT, 0)?;
    let mut state = shared.lock();
    let (_, now) = state.tick();
    let found = state.bucket_mut(bucket)?;
    match body["etag"].as_str() {
        Some(etag) if !etag.is_empty() && etag != found.policy.etag() => {
            return Err(Refusal::precondition("ifEtagMatch"));
        }
        _ => {}
    }
    let mut policy = found.policy.clone();
    policy.bindings = Some(body.get("bindings").cloned().unwrap_or_else(|| json!([])));
    policy.version = body["version"].as_i64().unwrap_or(1);
    policy.count += 1;
    if policy.has_conditions() && policy.version != 3 {
        let what = "Policies with conditional role bindings must specify version 3.";
        return Err(Refusal::invalid(what));
    }
    found.policy = policy;
    found.changed(now);
    Ok(found.policy.view(bucket, &shared.options.project))
}

pub(super) fn test(shared: &Shared, asked: &Asked, bucket: &str) -> Outcome<Answer> {
    if asked.method != Method::GET {
        return Err(Refusal::method());
    }
    asked.no_body()?;
    asked.only_headers(&[])?;
    asked.query.only_json(&["permissions"])?;
    shared.lock().bucket(bucket)?;
    if !asked.query.has("permissions") {
        return Err(Refusal::required("permissions"));
    }
    let name = full_name(bucket);
    let is_held = |permission: &&str| match &shared.project {
        Some(project) => !project.is_denied(permission, &name),
        None => true,
    };
    let held: Vec<&str> = asked.query.all("permissions").filter(is_held).collect();
    let mut answer = json!({"kind": "storage#testIamPermissionsResponse"});
    if !held.is_empty() {
        answer["permissions"] = held.into();
    }
    reply(asked, answer)
}

/// The service account that publishes notifications.
pub(super) fn agent(shared: &Shared, asked: &Asked, project: &str) -> Outcome<Answer> {
    if asked.method != Method::GET {
        return Err(Refusal::method());
    }
    asked.no_body()?;
    asked.only_headers(&[])?;
    asked.query.only_json(&[])?;
    let number = shared.number();
    if project != shared.options.project && project != number {
        return Err(Refusal::status(
            403,
            format!("The caller does not have access to the project '{project}'."),
        ));
    }
    let answer = json!({"kind": "storage#serviceAccount", "email_address": project::agent(&number)});
    reply(asked, answer)
}
