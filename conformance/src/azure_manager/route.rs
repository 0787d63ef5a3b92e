//! From a request to what answers it.

use std::sync::Arc;

use http::{HeaderValue, Method, Request, StatusCode};
use hyper::body::Incoming;
use serde_json::Value;

use super::error::{Outcome, Refusal};
use super::generic;
use super::id;
use super::knobs::Interruption;
use super::logs;
use super::progress::{deployments, later, result, status};
use super::request::Asked;
use super::resource;
use super::scm;
use super::stack::{self, Address};
use super::state::{Exchange, Shared};
use super::{groups, token};
use crate::server::{self, Answer, Cut};

/// The largest body: a package, not a template.
const LIMIT: usize = 512 * 1024 * 1024;

/// Answers a request, or does with it what a test said.
pub(super) async fn handle(shared: Arc<Shared>, request: Request<Incoming>) -> Answer {
    let (parts, body) = request.into_parts();
    let path = parts
        .uri
        .path_and_query()
        .map_or_else(String::new, ToString::to_string);
    let method = parts.method.clone();
    let interruption = shared.lock().knobs.interrupted(method.as_str(), &path);
    let mut sent = Value::Null;
    let mut answer = match interruption {
        Some(Interruption::Cut) => cut(),
        // The body is read whatever the answer is: who still sends does not listen.
        other => match server::read(body, LIMIT).await {
            Err(answer) => answer,
            Ok(body) => {
                sent = serde_json::from_slice(&body).unwrap_or_default();
                let asked = Asked::new(parts.method, &parts.uri, parts.headers, body);
                match other {
                    Some(Interruption::Throttled(seconds)) => throttled(seconds),
                    Some(Interruption::Status(status)) => broken(status),
                    Some(Interruption::Cut) => cut(),
                    Some(Interruption::CutAfterwards) => {
                        let _lost = answer(&shared, &asked);
                        cut()
                    }
                    None => answer(&shared, &asked),
                }
            }
        },
    };
    let request = uuid::Uuid::new_v4().to_string();
    for name in ["x-ms-request-id", "x-ms-correlation-request-id"] {
        if let Ok(value) = HeaderValue::from_str(&request) {
            answer.headers_mut().insert(name, value);
        }
    }
    let is_cut = answer.extensions().get::<Cut>().is_some();
    shared.lock().requests.push(Exchange {
        method: method.to_string(),
        path,
        body: sent,
        status: if is_cut { 0 } else { answer.status().as_u16() },
    });
    answer
}

fn throttled(seconds: u64) -> Answer {
    let refusal = Refusal::new(
        429,
        "TooManyRequests",
        "The request is being throttled as the limit has been reached for operation type - Write_Create. For more information, see - https://aka.ms/arm-throttling",
    );
    let mut answer = refusal.answer();
    answer
        .headers_mut()
        .insert(http::header::RETRY_AFTER, HeaderValue::from(seconds));
    answer
}

fn broken(status: u16) -> Answer {
    let code = if status == 503 {
        "ServiceUnavailable"
    } else {
        "InternalServerError"
    };
    Refusal::new(
        status,
        code,
        "Encountered internal server error. Please try again later.",
    )
    .answer()
}

fn cut() -> Answer {
    let mut answer = server::answer(StatusCode::OK, "");
    answer.extensions_mut().insert(Cut);
    answer
}

fn answer(shared: &Arc<Shared>, asked: &Asked) -> Answer {
    let (parts, lower) = asked.parts();
    match lower.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        ["msi", "token"] => return token::give(shared, &asked.headers, &asked.query),
        ["scm", site, ..] => return scm::ask(shared, asked, site, parts.get(2..).unwrap_or_default()),
        ["logs", ..] => return logs::ask(shared, asked),
        _ => {}
    }
    if let Some(answer) = token::check(shared, &asked.headers, token::MANAGEMENT) {
        return answer;
    }
    managed(shared, asked, &parts, &lower).unwrap_or_else(|refusal| refusal.answer())
}

pub(super) fn no_method(asked: &Asked) -> Refusal {
    Refusal::new(
        405,
        "HttpMethodNotAllowed",
        format!(
            "The http method '{}' is not supported for '{}'.",
            asked.method, asked.path
        ),
    )
}

pub(super) fn not_found(asked: &Asked) -> Refusal {
    Refusal::new(404, "NotFound", format!("There is nothing at '{}'.", asked.path))
}

/// The management interface.
fn managed(shared: &Arc<Shared>, asked: &Asked, parts: &[String], lower: &[String]) -> Outcome<Answer> {
    let part = |at: usize| parts.get(at).map_or("", String::as_str);
    let lower: Vec<&str> = lower.iter().map(String::as_str).collect();
    if lower.first() != Some(&"subscriptions") {
        return Err(not_found(asked));
    }
    let subscription = part(1);
    if lower.len() > 2 {
        groups::check_subscription(shared, subscription, asked.method != Method::GET)?;
    }
    match (&asked.method, lower.get(1..).unwrap_or_default()) {
        (&Method::GET, []) => groups::subscriptions(shared, asked, None),
        (&Method::GET, [_]) => groups::subscriptions(shared, asked, Some(subscription)),
        (&Method::GET, [_, "operationresults", id]) => result(shared, id),
        (&Method::GET, [_, "resourcegroups"]) => groups::list(shared, asked, subscription),
        (_, [_, "resourcegroups", _]) => groups::one(shared, asked, subscription, part(3)),
        (&Method::GET, [_, "resourcegroups", _, "resources"]) => {
            groups::resources(shared, asked, subscription, part(3))
        }
        (&Method::GET, [_, "providers", "microsoft.web", "georegions"]) => {
            groups::regions(shared, asked, subscription)
        }
        (&Method::GET, [_, "providers", _]) => groups::provider(shared, asked, subscription, part(3), false),
        (&Method::POST, [_, "providers", _, "register"]) => {
            groups::provider(shared, asked, subscription, part(3), true)
        }
        (
            &Method::GET,
            [
                _,
                "providers",
                "microsoft.resources",
                "locations",
                _,
                "deploymentstackoperationstatus",
                id,
            ],
        ) => status(shared, asked, id),
        (
            &Method::GET,
            [
                _,
                "providers",
                "microsoft.resources",
                "locations",
                _,
                "deploymentstackoperationresults",
                id,
            ],
        ) => result(shared, id),
        (
            _,
            [
                _,
                "providers",
                "microsoft.keyvault",
                "locations",
                _,
                "deletedvaults",
                _,
                rest @ ..,
            ],
        ) => vault(shared, asked, subscription, part(5), part(7), rest),
        (
            _,
            [
                _,
                "resourcegroups",
                _,
                "providers",
                "microsoft.resources",
                "deploymentstacks",
                rest @ ..,
            ],
        ) => stacks(shared, asked, subscription, part(3), part(7), rest),
        (
            _,
            [
                _,
                "resourcegroups",
                _,
                "providers",
                "microsoft.resources",
                "deployments",
                _,
                rest @ ..,
            ],
        ) => deployments(
            shared,
            asked,
            &address(subscription, part(3), part(7)),
            rest,
            part(9),
        ),
        // So the SDK for Python asks for operations; the interface knows both.
        (&Method::GET, [_, "resourcegroups", _, "deployments", _, rest @ ..]) => deployments(
            shared,
            asked,
            &address(subscription, part(3), part(5)),
            rest,
            part(7),
        ),
        (&Method::POST, [.., "host", "default", "listkeys"]) => {
            asked.api_version()?;
            let site = parts
                .get(..parts.len().saturating_sub(3))
                .unwrap_or_default()
                .join("/");
            scm::list_keys(shared, &format!("/{site}"))
        }
        _ => match id::Id::read(&asked.path) {
            Some(id) => generic::ask(shared, asked, &id),
            None => Err(not_found(asked)),
        },
    }
}

fn address(subscription: &str, group: &str, name: &str) -> Address {
    Address {
        subscription: subscription.to_owned(),
        group: group.to_owned(),
        name: name.to_owned(),
    }
}

fn stacks(
    shared: &Arc<Shared>,
    asked: &Asked,
    subscription: &str,
    group: &str,
    name: &str,
    rest: &[&str],
) -> Outcome<Answer> {
    asked.version_of(stack::VERSIONS)?;
    let address = address(subscription, group, name);
    match (&asked.method, rest) {
        (&Method::GET, []) => stack::list(shared, subscription, group),
        (&Method::GET, [_]) => stack::get(shared, &address),
        (&Method::PUT, [_]) => stack::put(shared, asked, &address),
        (&Method::DELETE, [_]) => stack::delete(shared, asked, &address),
        (&Method::POST, [_, "exporttemplate"]) => stack::export(shared, &address),
        _ => Err(no_method(asked)),
    }
}

/// What is asked of deleted vaults.
fn vault(
    shared: &Shared,
    asked: &Asked,
    subscription: &str,
    location: &str,
    name: &str,
    rest: &[&str],
) -> Outcome<Answer> {
    asked.api_version()?;
    let mut state = shared.lock();
    let scope = format!("/subscriptions/{subscription}");
    let action = "Microsoft.KeyVault/locations/deletedVaults/read";
    if state.knobs.is_denied(action, &scope) {
        return Err(token::unauthorized(shared, action, &scope));
    }
    let view = resource::view_deleted(resource::deleted(&state, subscription, location, name)?);
    match (&asked.method, rest) {
        (&Method::GET, []) => Ok(server::json(StatusCode::OK, &view)),
        (&Method::POST, ["purge"]) => {
            let scope = view["id"].as_str().unwrap_or_default();
            let action = "Microsoft.KeyVault/locations/deletedVaults/purge/action";
            if state.knobs.is_denied(action, scope) {
                return Err(token::unauthorized(shared, action, scope));
            }
            resource::purge(&mut state, name)?;
            let operation = state.begin("Succeeded");
            state.end(&operation, "Succeeded", None, Some(Value::Null));
            let url = format!(
                "{}/subscriptions/{subscription}/operationresults/{operation}?api-version=2022-09-01",
                shared.url
            );
            let mut answer = later(shared, server::answer(StatusCode::ACCEPTED, ""));
            if let Ok(value) = HeaderValue::from_str(&url) {
                answer.headers_mut().insert(http::header::LOCATION, value);
            }
            Ok(answer)
        }
        _ => Err(no_method(asked)),
    }
}
