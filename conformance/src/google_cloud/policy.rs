//! Who may do what: `getIamPolicy`, `setIamPolicy`, `testIamPermissions` of resources and of the project.
//!
//! <https://cloud.google.com/iam/docs/reference/rest/v1/Policy>

use serde_json::{Value, json};

use super::error::{Code, Outcome, Refusal};
use super::request::Asked;
use super::state::{Shared, State, fields};

/// The first etag of a policy that was never set, which Google's interfaces give too.
const UNSET: &str = "ACAB";

/// The version that has conditions.
const NEWEST: i64 = 3;

/// One of the three methods, for a resource that exists.
pub(super) fn ask(shared: &Shared, asked: &Asked<'_>) -> Outcome<Value> {
    let name = asked.name(shared);
    let mut state = shared.lock();
    let project = format!("projects/{}", shared.options.project);
    if name != project && !state.resources.contains_key(&name) {
        return Err(Refusal::not_found(&name));
    }
    match asked.verb() {
        "getIamPolicy" => Ok(match state.policies.get(&name) {
            Some(policy) if wanted(asked) < NEWEST => without_conditions(policy),
            Some(policy) => policy.clone(),
            None => json!({"version": 1, "etag": UNSET}),
        }),
        "testIamPermissions" => {
            let permissions = asked.body["permissions"].as_array();
            let held: Vec<&Value> = permissions
                .into_iter()
                .flatten()
                .filter(|one| one.as_str().is_some_and(|one| !state.knobs.is_denied(one, &name)))
                .collect();
            Ok(if held.is_empty() {
                json!({})
            } else {
                json!({"permissions": held})
            })
        }
        _ => {
            let mut policy = fields(&asked.body["policy"]);
            let current = state
                .policies
                .get(&name)
                .and_then(|policy| policy["etag"].as_str())
                .unwrap_or(UNSET);
            let sent = policy.get("etag").and_then(Value::as_str).unwrap_or_default();
            let had = state.policies.get(&name).is_some_and(has_conditions);
            if !sent.is_empty() && sent != current {
                return Err(Refusal::new(
                    Code::Aborted,
                    "There were concurrent policy changes. Please retry the whole read-modify-write with exponential backoff.",
                ));
            }
            // Without an etag the conditions are lost: that is allowed.
            if had && !sent.is_empty() && policy.get("version") != Some(&NEWEST.into()) {
                let message = "A policy with conditional role bindings is changed in version 3 alone.";
                return Err(Refusal::new(Code::InvalidArgument, message));
            }
            valid(&state, shared, &policy.clone().into())?;
            let etag = state.token();
            policy.insert("etag".to_owned(), etag.into());
            policy.entry("version").or_insert_with(|| 1.into());
            state.policies.insert(name, policy.clone().into());
            Ok(policy.into())
        }
    }
}

/// The newest form of policies that is understood: <https://cloud.google.com/iam/docs/policies#versions>.
fn wanted(asked: &Asked<'_>) -> i64 {
    let query = asked.parameter("options.requestedPolicyVersion");
    let of_query = query.and_then(|text| text.parse().ok());
    let of_body = || asked.body["options"]["requestedPolicyVersion"].as_i64();
    of_query.or_else(of_body).unwrap_or(1)
}

fn has_conditions(policy: &Value) -> bool {
    let bindings = policy["bindings"].as_array().into_iter().flatten();
    bindings
        .into_iter()
        .any(|binding| binding.get("condition").is_some())
}

/// A policy for who does not understand conditions: roles that have one are no roles that can be given.
fn without_conditions(policy: &Value) -> Value {
    if !has_conditions(policy) {
        return policy.clone();
    }
    let mut told = policy.clone();
    told["version"] = 1.into();
    for (index, binding) in told["bindings"].as_array_mut().into_iter().flatten().enumerate() {
        let fields = binding.as_object_mut();
        if let Some(fields) = fields
            && fields.remove("condition").is_some()
        {
            let role = fields["role"].as_str().unwrap_or_default();
            let role = format!("{role}_withcond_{index:020x}");
            fields.insert("role".to_owned(), role.into());
        }
    }
    told
}

/// What is wrong with a policy: its form, and accounts that are not there.
pub(super) fn valid(state: &State, shared: &Shared, policy: &Value) -> Outcome<()> {
    check(policy)?;
    for member in members(policy) {
        let Some(email) = member.strip_prefix("serviceAccount:") else {
            continue;
        };
        if state.act_as(&shared.options.project, email).is_err() {
            let message = format!("Service account {email} does not exist.");
            return Err(Refusal::new(Code::InvalidArgument, message));
        }
    }
    Ok(())
}

fn members(policy: &Value) -> Vec<String> {
    let bindings = policy["bindings"].as_array().into_iter().flatten();
    bindings
        .flat_map(|binding| binding["members"].as_array().into_iter().flatten())
        .filter_map(Value::as_str)
        .map(str::to_owned)
        .collect()
}

/// What a policy must be beyond its document.
fn check(policy: &Value) -> Outcome<()> {
    for (index, binding) in policy["bindings"].as_array().into_iter().flatten().enumerate() {
        let place = |field: &str| format!("policy.bindings[{index}].{field}");
        let role = binding["role"].as_str().unwrap_or_default();
        let is_named = ["roles/", "projects/", "organizations/"]
            .iter()
            .any(|start| role.starts_with(start));
        if !is_named || role.contains("_withcond_") {
            let message = format!("Role {role} is not supported for this resource.");
            return Err(Refusal::new(Code::InvalidArgument, message));
        }
        let members = binding["members"].as_array().map_or(&[][..], Vec::as_slice);
        if members.is_empty() {
            return Err(Refusal::field(
                &place("members"),
                "a binding has at least one member",
            ));
        }
        for member in members.iter().filter_map(Value::as_str) {
            let is_known = matches!(member, "allUsers" | "allAuthenticatedUsers")
                || [
                    "user:",
                    "serviceAccount:",
                    "group:",
                    "domain:",
                    "principal:",
                    "principalSet:",
                    "deleted:",
                    "projectOwner:",
                    "projectEditor:",
                    "projectViewer:",
                ]
                .iter()
                .any(|start| member.starts_with(start));
            if !is_known {
                let what = format!("the member {member} has no known prefix");
                return Err(Refusal::field(&place("members"), &what));
            }
        }
        if binding.get("condition").is_some() && policy["version"] != 3 {
            let message = "Policies with conditional role bindings must specify version 3.";
            return Err(Refusal::new(Code::InvalidArgument, message));
        }
    }
    Ok(())
}
