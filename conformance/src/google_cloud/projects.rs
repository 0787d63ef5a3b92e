//! The project, and which interfaces are enabled in it: <https://cloud.google.com/service-usage/docs/reference/rest/v1/services>.

use serde_json::{Value, json};

use super::error::{Outcome, Refusal};
use super::list;
use super::request::Asked;
use super::state::Shared;

/// The hosts that the stand-in answers for.
pub(super) const HOSTS: &[&str] = &[
    "run.googleapis.com",
    "eventarc.googleapis.com",
    "pubsub.googleapis.com",
    "cloudscheduler.googleapis.com",
    "secretmanager.googleapis.com",
    "iam.googleapis.com",
    "iamcredentials.googleapis.com",
    "cloudresourcemanager.googleapis.com",
    "serviceusage.googleapis.com",
    "artifactregistry.googleapis.com",
    "firestore.googleapis.com",
    "logging.googleapis.com",
    "storage.googleapis.com",
];

/// What an operation is called that had nothing to wait for.
const DONE: &str = "operations/noop.DONE_OPERATION";

/// `projects.get`
pub(super) fn project(shared: &Shared) -> Value {
    let options = &shared.options;
    json!({
        "name": format!("projects/{}", options.number),
        "projectId": options.project,
        "displayName": options.project,
        "state": "ACTIVE",
    })
}

/// The methods of `services`, and of their operations.
pub(super) fn services(shared: &Shared, asked: &Asked<'_>) -> Outcome<Value> {
    let name = asked.name(shared);
    let (parent, service) = name.split_once("/services/").unwrap_or((&name, ""));
    let mut state = shared.lock();
    let consumer = format!("projects/{}", shared.options.number);
    let view = |service: &str, is_enabled: bool| {
        json!({
            "name": format!("{consumer}/services/{service}"),
            "parent": consumer,
            "config": {"name": service},
            "state": if is_enabled { "ENABLED" } else { "DISABLED" },
        })
    };
    let ended = |response: &str, field: &str, value: Value| {
        let url = format!("type.googleapis.com/google.api.serviceusage.v1.{response}");
        json!({"name": DONE, "done": true, "response": {"@type": url, field: value}})
    };
    let known = |service: &str| {
        if HOSTS.contains(&service) || shared.options.enabled.iter().any(|one| one == service) {
            Ok(())
        } else {
            Err(Refusal::denied(
                "serviceusage.services.enable",
                &format!("{parent}/services/{service}"),
            ))
        }
    };
    match asked.call.id() {
        "serviceusage.services.get" => Ok(view(service, state.enabled.contains(service))),
        "serviceusage.services.list" => {
            let wanted = match asked.parameter("filter") {
                None => None,
                Some("state:ENABLED") => Some(true),
                Some("state:DISABLED") => Some(false),
                Some(_) => return Err(Refusal::field("filter", "it is state:ENABLED or state:DISABLED")),
            };
            let mut all: Vec<&str> = HOSTS.to_vec();
            all.extend(shared.options.enabled.iter().map(String::as_str));
            all.sort_unstable();
            all.dedup();
            let views = all
                .into_iter()
                .map(|service| (service, state.enabled.contains(service)))
                .filter(|(_, is_enabled)| wanted.is_none_or(|wanted| wanted == *is_enabled))
                .map(|(service, is_enabled)| view(service, is_enabled))
                .collect();
            list::cut(asked, "services", views)
        }
        "serviceusage.services.enable" => {
            known(service)?;
            state.enabled.insert(service.to_owned());
            Ok(ended("EnableServiceResponse", "service", view(service, true)))
        }
        "serviceusage.services.disable" => {
            known(service)?;
            state.enabled.remove(service);
            Ok(ended("DisableServiceResponse", "service", view(service, false)))
        }
        "serviceusage.services.batchEnable" => {
            let ids = asked.body["serviceIds"].as_array().into_iter().flatten();
            let ids: Vec<&str> = ids.filter_map(Value::as_str).collect();
            if ids.is_empty() || ids.len() > 20 {
                return Err(Refusal::field("service_ids", "there are 1 to 20"));
            }
            ids.iter().try_for_each(|service| known(service))?;
            state
                .enabled
                .extend(ids.iter().map(|service| (*service).to_owned()));
            let services: Vec<Value> = ids.iter().map(|service| view(service, true)).collect();
            Ok(ended("BatchEnableServicesResponse", "services", services.into()))
        }
        "serviceusage.operations.get" if name == DONE => {
            Ok(ended("BatchEnableServicesResponse", "services", json!([])))
        }
        "serviceusage.operations.get" => Err(Refusal::not_found(&name)),
        _ => Err(super::route::unimplemented(asked)),
    }
}
