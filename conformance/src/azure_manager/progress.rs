//! What is asked about something that goes on, or has ended: deployments with their operations, and the addresses that long-running requests answer with.

use std::sync::Arc;

use http::{HeaderValue, Method, StatusCode};
use serde_json::{Value, json};

use super::error::{Outcome, Refusal};
use super::id;
use super::request::Asked;
use super::route::{no_method, not_found};
use super::stack::Address;
use super::state::Shared;
use super::token;
use super::what_if;
use crate::server::{self, Answer};

pub(super) fn deployments(
    shared: &Arc<Shared>,
    asked: &Asked,
    address: &Address,
    rest: &[&str],
    operation: &str,
) -> Outcome<Answer> {
    if let (&Method::POST, ["whatif"]) = (&asked.method, rest) {
        return what_if::post(shared, asked, address);
    }
    asked.version_of(what_if::VERSIONS)?;
    let state = shared.lock();
    let id = format!(
        "{}/providers/Microsoft.Resources/deployments/{}",
        id::group_id(&address.subscription, &address.group),
        address.name
    );
    let deployment = state.deployments.get(&id::key(&id)).ok_or_else(|| {
        Refusal::new(
            404,
            "DeploymentNotFound",
            format!("Deployment '{}' could not be found.", address.name),
        )
    })?;
    let action = match rest {
        [] => "Microsoft.Resources/deployments/read",
        _ => "Microsoft.Resources/deployments/operations/read",
    };
    if state.knobs.is_denied(action, &id) {
        return Err(token::unauthorized(shared, action, &id));
    }
    match (&asked.method, rest) {
        (&Method::GET, []) => Ok(server::json(StatusCode::OK, &deployment.view())),
        (&Method::GET, ["operations"]) => {
            let number = |name: &str| asked.query.get(name).and_then(|text| text.parse::<usize>().ok());
            let size = number("$top")
                .unwrap_or(shared.options.page)
                .min(shared.options.page);
            let skip = number("$skiptoken").unwrap_or(0);
            let (list, more) = deployment.page(skip, size);
            let mut body = json!({"value": list});
            if more {
                let version = asked.query.get("api-version").unwrap_or_default();
                body["nextLink"] = format!(
                    "{}{id}/operations?api-version={version}&$skiptoken={}",
                    shared.url,
                    skip + size
                )
                .into();
            }
            Ok(server::json(StatusCode::OK, &body))
        }
        (&Method::GET, ["operations", _]) => deployment
            .operation(operation)
            .map(|view| server::json(StatusCode::OK, &view))
            .ok_or_else(|| {
                Refusal::new(
                    404,
                    "DeploymentOperationNotFound",
                    format!("The operation '{operation}' could not be found."),
                )
            }),
        _ => Err(no_method(asked)),
    }
}

/// `Azure-AsyncOperation`
pub(super) fn status(shared: &Shared, asked: &Asked, id: &str) -> Outcome<Answer> {
    let state = shared.lock();
    let operation = state.operations.get(id).ok_or_else(|| not_found(asked))?;
    let mut body = json!({"id": asked.path, "name": id, "status": operation.status});
    if let Some(error) = &operation.error {
        body["error"] = error.json();
    }
    Ok(later(shared, server::json(StatusCode::OK, &body)))
}

/// `Location`
pub(super) fn result(shared: &Shared, id: &str) -> Outcome<Answer> {
    let state = shared.lock();
    let operation = state.operations.get(id).ok_or_else(|| {
        Refusal::new(
            404,
            "NotFound",
            format!("The operation '{id}' could not be found."),
        )
    })?;
    if let Some(error) = &operation.error {
        return Err(error.clone());
    }
    match &operation.result {
        None => {
            let mut answer = later(shared, server::answer(StatusCode::ACCEPTED, ""));
            let url = format!(
                "{}/subscriptions/{}/operationresults/{id}?api-version=2022-09-01",
                shared.url,
                shared
                    .options
                    .subscriptions
                    .first()
                    .map_or("", |one| one.id.as_str())
            );
            if let Ok(value) = HeaderValue::from_str(&url) {
                answer.headers_mut().insert(http::header::LOCATION, value);
            }
            Ok(answer)
        }
        Some(Value::Null) => Ok(server::answer(StatusCode::OK, "")),
        Some(result) => Ok(server::json(StatusCode::OK, result)),
    }
}

pub(super) fn later(shared: &Shared, mut answer: Answer) -> Answer {
    answer.headers_mut().insert(
        http::header::RETRY_AFTER,
        HeaderValue::from(shared.options.retry_after),
    );
    answer
}
